"""What `show`, `check`, `run` and `verify` must say of each stored file of the corpus; tests/verbs/test_verdicts.py asks them.

A file or folder below tests/corpus is named once. Models that the makers here write are in tests/verbs/verify/test_corpus.py.
"""

from __future__ import annotations

from dataclasses import dataclass

REFUSED = 2
_LFS = "model.ckpt-100.data-00000-of-00001 is only a Git LFS pointer; fetch the file itself with `git lfs pull`"
_MANY = "m.data-00003-of-99999 and 99995 more are missing; copy all files of the checkpoint"
_TABLE = "nothing fills the table 'hash_table': no init op runs LookupTableImportV2 'key_value_init/LookupTableImportV2', which would"
_FUNCTIONS = "its functions have no signature: add, square"
_NO_CHECK = "nothing to check (keras: check covers only"
_JAVA_TAKES = "TensorFlow Java loads SavedModels and GraphDefs, and this is a graph of TensorFlow 1 with its checkpoint"
_PART = "is a part of the checkpoint model.ckpt-100; name that: "
_STATE = "is the state file of a folder of checkpoints; name "
_HDF5 = "is a corrupt HDF5 file (the HDF5 library takes too long for a file of its size); copy or save it again"
_DEEP = "deep.keras has a config.json that is JSON nested too deeply to read; save it again"
_REFERENCE = "RefSwitch takes reference to float32 but gets the float32 of 'bn/moving_mean'"
_UNSET = "the variable 'bn/moving_mean' has no value: nothing restores or assigns it; freeze the graph again from its checkpoint"
_STRINGS = "as float32 of shape [-1], but the graph takes string of shape [-1]; `run` and `convert` take the graph's own tensors with "
_SCALAR = "as float32 of shape [], but the graph takes float32 of shape [-1, 1]; `run` and `convert` take the graph's own tensors with "
_SCALAR_OF, _STRINGS_OF = (
    "the signature 'serving_default' declares the input 'x' ",
    "the signature 'serving_default' declares the input 'q' ",
)
_SPARSE = "--input 'features=[[0, 0]]' --input 'features_1=[0.0]' --input 'features_2=[1, 4]'"
_RAGGED = "--input 'words=[0]' --input 'words_1=[0, 1]'"
_ALL_OK = "tensorflow-java@1.1.0          TensorFlow 2.18.0   ok"


@dataclass(frozen=True)
class Said:
    """An exit status, and words that are printed; `arguments` follow the path on `run`'s command line."""

    status: int
    words: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What each verb says of one path; `verify` is the outcomes of all results, and words of an error, a caution or neither.

    `verify` is None for Keras files, which two more starts of Keras would answer as `run` does (tests/workers/kit/test_keras_files.py).
    """

    path: str
    show: Said
    check: Said
    run: Said
    verify: tuple[str, str] | None


def _refused(path: str, words: str) -> Verdict:
    """A file that no verb takes, each with the same sentence."""
    said = Said(REFUSED, words)
    return Verdict(path, said, said, said, ("not_run", words))


def _given(status: int, words: str, *arguments: str) -> Said:
    return Said(status, words, arguments)


VERDICTS = [
    Verdict(
        "brought/base64-input/saved_model",
        Said(0, "input   input        string   (-1,)"),
        Said(0, _ALL_OK),
        _given(REFUSED, "the input takes strings, not float: put text in quotes", "-i", "input=[1.0]"),
        ("run_error", "Invalid character found in base64"),
    ),
    _refused("brought/base64-input/a.jpg", "a.jpg is not an artifact that crossload knows"),
    _refused("brought/checkpoint-names/checkpoint", _STATE),
    _refused("brought/checkpoint-names/model.ckpt-100.data-00000-of-00001", _PART),
    Verdict(
        "brought/checkpoint-names/model.ckpt-100",
        Said(0, "its graph: model.ckpt-100.meta"),
        Said(0, _JAVA_TAKES),
        _given(0, "prob: float32 [1, 2]\n[[0.5, 0.5]]", "-i", "x=ones([1,3])"),
        ("ok", ""),
    ),
    Verdict(
        "brought/checkpoint-names/model.ckpt-100.meta",
        Said(0, "output  prob  float32  (-1, 2)  prob:0  a head by its op"),
        Said(0, _JAVA_TAKES),
        _given(REFUSED, "Unable to allocate 23.3 TiB", "-i", "x=brought/huge-npy/huge.npy"),
        ("ok", ""),
    ),
    Verdict(
        "brought/checkpoint-names/moved",
        Said(0, "points to '/home/alice/train/model.ckpt-100', which does not exist; model.ckpt-100 in this folder is used"),
        Said(0, _JAVA_TAKES),
        _given(0, "points to '/home/alice/train/model.ckpt-100'", "-i", "x=ones([1,3])"),
        ("ok", ""),
    ),
    Verdict(
        "brought/composite-inputs/saved_model",
        Said(0, "values of one sparse tensor: features, features_1, features_2"),
        Said(0, _ALL_OK),
        _given(REFUSED, f"words (values), words_1 (row splits) are the parts of one ragged tensor, given together, such as {_RAGGED}"),
        ("ok", ""),
    ),
    Verdict(
        "brought/custom-ops/tfa_mish",
        Said(0, "Addons>Mish 1"),
        Said(1, "an op of TensorFlow Addons (PyPI: tensorflow-addons); in TensorFlow's workers --op-library loads its library"),
        _given(1, "an op of TensorFlow Addons", "-i", "x=ones([1,2])"),
        ("load_error", "an op of TensorFlow Addons"),
    ),
    Verdict(
        "brought/custom-ops/tfdf",
        Said(0, "SimpleMLInferenceOpWithHandle 1"),
        Said(1, "an op of TensorFlow Decision Forests"),
        _given(1, "an op of TensorFlow Decision Forests", "-i", "x=ones([1,2])"),
        ("load_error", "an op of TensorFlow Decision Forests"),
    ),
    Verdict(
        "brought/custom-ops/tftext",
        Said(0, "CaseFoldUTF8 1"),
        Said(1, "an op of TensorFlow Text"),
        _given(1, "an op of TensorFlow Text", "-i", "x=ones([1,2])"),
        ("load_error", "an op of TensorFlow Text"),
    ),
    _refused("brought/deep-json/deep.keras", _DEEP),
    Verdict(
        "brought/frozen-batchnorm-float-ref",
        Said(0, "points to '/home/trainer/run/model.ckpt', which does not exist; model.ckpt in this folder is used"),
        Said(0, _JAVA_TAKES),
        _given(0, "prob: float32 [1, 2]\n[[0.13363755, 0.86636245]]", "-i", "x=ones([1,3])", "--output-tensor", "prob"),
        ("run_error", "Retval[0] does not have value"),
    ),
    Verdict(
        "brought/frozen-batchnorm-float-ref/frozen.pb",
        Said(0, "output  prob         float32  unknown rank  prob:0"),
        Said(1, _REFERENCE),
        _given(1, _REFERENCE, "-i", "x=ones([1,3])", "--output-tensor", "prob"),
        ("load_error", _REFERENCE),
    ),
    Verdict(
        "brought/frozen-uninitialized/frozen.pb",
        Said(0, _UNSET),
        Said(1, _UNSET),
        _given(1, _UNSET, "-i", "x=ones([1,3])", "--output-tensor", "prob"),
        ("run_error", _UNSET),
    ),
    _refused("brought/huge-npy/huge.npy", "huge.npy is not an artifact that crossload knows (it begins with 93 4e 55 4d 50 59"),
    Verdict(
        "brought/hybrid/dynamic_range.tflite",
        Said(0, "output  output_0  float32  (-1, 3)          tensor 16"),
        Said(0, "litert@2.3.0                       ok"),
        _given(0, "run in litert@2.3.0", "-i", "img=zeros([1,12,12,1])"),
        ("ok", ""),
    ),
    Verdict(
        "brought/hybrid/saved_model",
        Said(0, "signature serve  (tensorflow/serving/predict)"),
        Said(0, _ALL_OK),
        _given(0, "[[0.33333334, 0.33333334, 0.33333334]]", "-s", "serve", "-i", "img=zeros([1,12,12,1])"),
        ("ok", ""),
    ),
    Verdict(
        "brought/int8-io/int8.tflite",
        Said(0, "int8  (-1, 12, 12, 1)  tensor 0   scale 0.003919069189578295, zero point -128"),
        Said(0, "litert@2.3.0                       ok"),
        _given(REFUSED, "0.5 is stored as 0, and `crossload run --real-values` converts inputs and outputs", "-i", "img=[[[[0.5]]]]"),
        ("ok", ""),
    ),
    Verdict(
        "brought/int8-io/uint8.tflite",
        Said(0, "uint8  (-1, 12, 12, 1)  tensor 0   scale 0.003919069189578295, zero point 0"),
        Said(0, "litert@2.3.0                       ok"),
        _given(0, "[[0.35546875, 0.41015625, 0.23046875]]", "--input-file", "brought/int8-io/one.npz", "--real-values"),
        ("ok", ""),
    ),
    Verdict(
        "brought/keep-prob/graph.pb",
        Said(0, "input   keep_prob  float32  unknown rank  keep_prob:0  placeholder"),
        Said(0, _ALL_OK),
        _given(0, "[[0.24573472, 0.24573472, 0.50853056]]", "-i", "x=ones([1,4])", "-i", "keep_prob=1.0"),
        ("not_run", "the reference does not repeat its own answers: it draws at random (RandomUniform"),
    ),
    Verdict(
        "brought/lfs-variables/model.ckpt-100",
        Said(0, f"without its values: {_LFS}"),
        Said(REFUSED, _LFS),
        Said(REFUSED, _LFS),
        ("not_run", _LFS),
    ),
    Verdict(
        "brought/lfs-variables/model.ckpt-100.meta",
        Said(0, f"its checkpoint is without its values: {_LFS}"),
        Said(REFUSED, _LFS),
        Said(REFUSED, _LFS),
        ("not_run", _LFS),
    ),
    Verdict(
        "brought/lfs-variables/saved_model",
        Said(0, "variables.data-00000-of-00001 is only a Git LFS pointer"),
        Said(REFUSED, "variables.data-00000-of-00001 is only a Git LFS pointer"),
        Said(REFUSED, "variables.data-00000-of-00001 is only a Git LFS pointer"),
        ("not_run", "variables.data-00000-of-00001 is only a Git LFS pointer"),
    ),
    Verdict(
        "brought/lstm-states/decoder.keras",
        Said(0, "Keras 3 loads it."),
        Said(REFUSED, _NO_CHECK),
        _given(0, "probs: float32 [1, 6, 3]", "-i", "tokens=ones([1,6,5])", "-i", "h=zeros([1,7])", "-i", "c=zeros([1,7])"),
        None,
    ),
    Verdict(
        "brought/lstm-states/encoder.keras",
        Said(0, "Keras 3 loads it."),
        Said(REFUSED, _NO_CHECK),
        _given(0, "enc_1: float32 [1, 7]", "-i", "tokens=ones([1,6,5])"),
        None,
    ),
    Verdict("brought/many-shards/m.index", Said(0, _MANY), Said(REFUSED, _MANY), Said(REFUSED, _MANY), ("not_run", _MANY)),
    Verdict(
        "brought/no-signature/saved_model",
        Said(0, _FUNCTIONS),
        Said(1, _FUNCTIONS),
        Said(REFUSED, _FUNCTIONS),
        ("not_run", _FUNCTIONS),
    ),
    Verdict(
        "brought/open-dimensions/saved_model",
        Said(0, "input   tokens  float32  (-1, -1, 5)  tokens:0"),
        Said(0, _ALL_OK),
        _given(1, "Matrix size-incompatible: In[0]: [1,30], In[1]: [35,2]", "-i", "tokens=ones([1,6,5])"),
        ("run_error", "with --shape tokens=-1,7,5 it answers"),
    ),
    Verdict(
        "brought/rename-signature/saved_model",
        Said(0, "signature image_quality  (tensorflow/serving/predict)"),
        Said(0, _ALL_OK),
        _given(0, "quality_prediction: float32 [1, 4]\n[[0.25, 0.25, 0.25, 0.25]]", "-i", "input_image=ones([1,4])"),
        ("ok", ""),
    ),
    Verdict(
        "brought/signature-disagrees/scalar",
        Said(0, f"{_SCALAR}--input-tensor x=x:0 --output-tensor y=y:0"),
        Said(0, f"run_error: {_SCALAR_OF}{_SCALAR}--input-tensor x=x:0 --output-tensor y=y:0"),
        _given(1, f"{_SCALAR}--input-tensor x=x:0 --output-tensor y=y:0", "-i", "x=1.0"),
        ("run_error", f"{_SCALAR}--input-tensor x=x:0 --output-tensor y=y:0"),
    ),
    Verdict(
        "brought/signature-disagrees/strings",
        Said(0, f"{_STRINGS}--input-tensor q=q:0 --output-tensor n=n:0"),
        Said(1, f"run_error: {_STRINGS_OF}{_STRINGS}--input-tensor q=q:0 --output-tensor n=n:0"),
        _given(REFUSED, f"{_STRINGS}--input-tensor q=q:0 --output-tensor n=n:0", "-i", 'q=["abc"]'),
        ("run_error", f"{_STRINGS}--input-tensor q=q:0 --output-tensor n=n:0"),
    ),
    _refused("brought/slow-hdf5/hdf5-slow.h5", _HDF5),
    Verdict(
        "brought/stateful-variable/saved_model",
        Said(0, "output  sum  float32  (3,)  StatefulPartitionedCall:0"),
        Said(0, _ALL_OK),
        _given(0, "sum: float32 [3]\n[1., 1., 1.]", "-i", "x=ones([3])"),
        ("ok", "keeps state"),
    ),
    Verdict(
        "brought/table-no-init/notags",
        Said(0, _TABLE),
        Said(1, _TABLE),
        _given(1, _TABLE, "-i", 'word=["a"]'),
        ("run_error", _TABLE),
    ),
    Verdict(
        "brought/table-no-init/serve",
        Said(0, _TABLE),
        Said(1, _TABLE),
        _given(1, _TABLE, "-i", 'word=["a"]'),
        ("run_error", _TABLE),
    ),
    Verdict(
        "brought/tf-example/saved_model",
        Said(0, "      age  float32, 1 value, required\n"),
        Said(0, _ALL_OK),
        _given(1, """--input-examples 'examples=[{"age": [0.0], "subject": [""]}]'""", "-i", 'examples=["a"]'),
        ("ok", ""),
    ),
    Verdict(
        "brought/tf-keras/bidirectional.keras",
        Said(0, "tf-keras loads it unchanged; for Keras 2.15 (the runtime tensorflow@2.15.1) and Keras 3, crossload rewrites its config"),
        Said(REFUSED, _NO_CHECK),
        _given(0, "each: float32 [1, 5, 2]", "-i", "x=ones([1,5,4])"),
        None,
    ),
    Verdict(
        "binary/counter.tflite",
        Said(0, "builtin ops: 8 of 5 kinds: ASSIGN_VARIABLE 2"),
        Said(0, "litert@2.3.0                       ok"),
        _given(0, "sum: float32 [3]\n[1., 1., 1.]", "-i", "x=ones([3])"),
        ("ok", "keeps state"),
    ),
]
# Commands as they were printed, typed in: the verb, the path, the arguments, and words of the answer.
TYPED_IN = [
    ("run", "brought/composite-inputs/saved_model", f"{_SPARSE} {_RAGGED}", "l: int64 [1]\n[1]\ns: float32 [1]\n[0.]"),
    ("run", "brought/signature-disagrees/strings", """--input-tensor q=q:0 --output-tensor n=n:0 -i 'q=["abc"]'""", "n: int32 [1]\n[3]"),
    ("run", "brought/signature-disagrees/scalar", "--input-tensor x=x:0 --output-tensor y=y:0 -i 'x=[[1.0]]'", "[[2.]]"),
    ("verify", "brought/open-dimensions/saved_model", "--runtime tensorflow --shape tokens=-1,7,5", "8 results: 8 ok"),
    (
        "run",
        "brought/tf-example/saved_model",
        """--input-examples 'examples=[{"age": [0.0], "subject": [""]}]'""",
        "scores: float32 [1, 3]",
    ),
    ("convert", "brought/signature-disagrees/scalar", "--input-tensor x=x:0 --output-tensor y=y:0", "8 answers of 1 signature(s) agree"),
]
# Inputs, which lie beside the model that takes them, and the parts of checkpoints that a row names by their prefix.
BESIDE = (".npz", ".index", ".data-00000-of-00001")
