"""TensorFlow's workers, by its C API and by its Python, and the C worker of bindings/c, on real artifacts of the corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from tensorboard.compat.proto.graph_pb2 import GraphDef

import crossload
from crossload.contract import datatypes
from tests.corpus import handmade
from tests.corpus.arrays import SHAPES, array_of, same_bytes
from tests.workers.conversation import Conversation

pytestmark = pytest.mark.slow

# Tests of what bindings/c leaves to the workers that come with crossload: text, functions' graphs, near names.
OWN = pytest.mark.parametrize("tensorflow", ["tensorflow", "tensorflow+python"], indirect=True)

X = np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]], np.float32)
WORDS = np.array([b"bad", b"awful", b"nobody knows", b"good\0"], dtype=object)


@pytest.fixture(scope="module")
def identity(tensorflow: Conversation, corpus: Path) -> Conversation:
    assert tensorflow.load(corpus / "identity").code is None
    return tensorflow


@pytest.mark.parametrize("datatype", [d.tensorflow for d in datatypes.DATATYPES.values()])
def test_every_datatype_and_shape_goes_through_a_saved_model_bit_for_bit(identity: Conversation, datatype: str) -> None:
    for shape in SHAPES.values():
        sent = array_of(datatype, shape)
        assert same_bytes(identity.infer(datatype, x=sent).outputs["y"], sent), shape


def test_it_lists_its_registered_ops(tensorflow: Conversation) -> None:
    op_list = tensorflow.ask("RegisteredOps").outputs["op_list"]
    assert op_list.shape == (1,) and b"MatMul" in op_list[0]


@OWN
def test_its_metadata_have_what_explains_answers(tensorflow: Conversation) -> None:
    header = tensorflow.ask("ServerMetadata").header
    assert header["version"] in header["parameters"]["native"]
    assert header["parameters"]["threads"] > 0 and isinstance(header["parameters"]["onednn"], bool)


@pytest.mark.parametrize(
    ("name", "tags", "signature", "takes", "gives", "expected"),
    [
        ("scale", ["serve"], "serving_default", "x", "y", 2 * X + 1),
        ("several_signatures", ["serve"], "once", "x", "y", 2 * X + 1),
        ("several_signatures", ["serve"], "twice", "x", "y", 4 * X + 2),
        ("pinned_to_gpu", ["serve"], "serving_default", "x", "y", X + 1),
        ("several_tag_sets", ["serve"], "serving_default", "x", "y", 2 * X + 1),
        ("several_tag_sets", ["train"], "serving_default@train", "x", "y", 2 * X + 5),
        ("slashes", ["serve"], "tensorflow/serving/predict", "inputs/x.1", "outputs/y.1", 2 * X + 1),
        ("no_tags", [], "serving_default", "x", "y", 2 * X + 1),
        ("only_eval", ["eval"], "serving_default", "x", "y", 2 * X + 1),
        ("no_variables", ["serve"], "serving_default", "x", "y", 2 * X + 1),
        ("reference_variables", ["serve"], "serving_default", "x", "y", 2 * X + 1),
        ("pinned_to_gpu_v1", ["serve"], "serving_default", "x", "y", 2 * X + 1),
    ],
)
def test_odd_saved_models_answer(
    tensorflow: Conversation, corpus: Path, name: str, tags: list[str], signature: str, takes: str, gives: str, expected: np.ndarray
) -> None:
    loaded = tensorflow.load(corpus / name, tags)
    assert loaded.code is None and not loaded.note
    assert np.array_equal(tensorflow.infer(signature, **{takes: X}).outputs[gives], expected)


@pytest.mark.parametrize(("name", "expected"), [("text_table", [1, 3, 4, 4]), ("text_table_v1", [1, 3, -1, -1])])
def test_a_table_finds_its_words_in_the_asset(tensorflow: Conversation, corpus: Path, name: str, expected: list[int]) -> None:
    tensorflow.load(corpus / name)
    assert tensorflow.infer(words=WORDS).outputs["ids"].tolist() == expected


def test_strings_come_out_with_their_nul_bytes(tensorflow: Conversation, corpus: Path) -> None:
    tensorflow.load(corpus / "text_table")
    assert same_bytes(tensorflow.infer(words=WORDS).outputs["words"], WORDS)


def test_text_vectorization_answers(tensorflow: Conversation, corpus: Path) -> None:
    tensorflow.load(corpus / "text_vectorization", only="serving_default")
    (scores,) = tensorflow.infer(text=np.array([b"good fine", b""], dtype=object)).outputs.values()
    assert scores.shape == (2, 2) and np.allclose(scores.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("name", "inputs", "gives", "expected", "words"),
    [
        ("optimizer_slots", {"x": X}, "y", 2 * X + 1, "tf.saved_model.load refused it ('_UserObject' object has no attribute 'add_slot')"),
        ("reference_output", {"x": X[0]}, "total", X[0], "reference type"),
    ],
)
def test_the_second_loader_serves_what_the_first_cannot_and_a_note_reports_it(
    tensorflow_python: Conversation, corpus: Path, name: str, inputs: dict[str, np.ndarray], gives: str, expected: np.ndarray, words: str
) -> None:
    note = tensorflow_python.load(corpus / name).note
    assert note.startswith("loaded by tf.compat.v1.saved_model.loader: ") and words in note
    assert np.array_equal(tensorflow_python.infer(**inputs).outputs[gives], expected)


@pytest.mark.parametrize(
    ("name", "inputs", "gives", "expected"),
    [
        ("other_argument_names", {"a/b": 5 * X[:, :2], "0-c": X[:, :2]}, "out/1", 3 * X[:, :2]),
        (
            "sparse_input",
            {
                "x/indices": np.array([[0, 1], [1, 0], [1, 2]]),
                "x/values": np.array([5, 6, 7], np.float32),
                "x/dense_shape": np.array([2, 3]),
            },
            "y",
            np.array([5, 13], np.float32),
        ),
    ],
)
def test_a_function_is_called_by_its_own_names_where_they_are_not_the_signatures(
    tensorflow_python: Conversation, corpus: Path, name: str, inputs: dict[str, np.ndarray], gives: str, expected: np.ndarray
) -> None:
    loaded = tensorflow_python.load(corpus / name, loader="function")
    assert (loaded.code, loaded.note) == (None, "")
    assert np.array_equal(tensorflow_python.infer(**inputs).outputs[gives], expected)


def test_a_loader_that_was_asked_for_is_not_replaced_by_another(tensorflow_python: Conversation, corpus: Path) -> None:
    refused = tensorflow_python.load(corpus / "optimizer_slots", loader="function")
    assert "tf.saved_model.load refused it" in refused.error and "leave out --loader, or give --loader session" in refused.error
    assert not tensorflow_python.load(corpus / "session_state", loader="function").note
    assert "session" in tensorflow_python.infer(x=X[0]).error
    assert tensorflow_python.load(corpus / "scale", loader="session").note.startswith("loaded by tf.compat.v1.saved_model.loader")


def test_a_signature_that_fails_as_a_function_is_run_in_a_session(tensorflow_python: Conversation, corpus: Path) -> None:
    assert not tensorflow_python.load(corpus / "session_state").note
    first = tensorflow_python.infer(x=X[0])
    assert first.outputs["kept"].tolist() == b"GetSessionHandle"
    assert first.note.startswith("run by tf.compat.v1.saved_model.loader: as a function it failed (") and "session" in first.note


@pytest.mark.parametrize(
    "name", ["graph_frozen.pb", "graph_pbtxt.pbtxt", "graph_text_in_pb.pb", "graph_pinned_to_gpu.pb", "graph_arg_retval.pb"]
)
@OWN
def test_graphs_answer_whatever_form_they_are_in(tensorflow: Conversation, corpus: Path, name: str) -> None:
    assert tensorflow.load(corpus / name).code is None
    (y,) = tensorflow.infer(x=X).outputs.values()
    assert np.allclose(y, X @ (np.arange(6, dtype=np.float32).reshape(3, 2) / 7) + 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("bound_in", "bound_out"), [("x", "y"), ("x:0", "y:0"), ("x", "y_retval"), ("x", "y_retval:0"), ("product:0", "y")]
)
@OWN
def test_names_of_tensors_may_leave_out_the_index_and_name_a_retval(
    tensorflow: Conversation, corpus: Path, bound_in: str, bound_out: str
) -> None:
    binding = {"key": None, "inputs": {"a": bound_in}, "outputs": {"b": bound_out}}
    parameters = {"path": str(corpus / "graph_arg_retval.pb"), "format": "graph_def", "signatures": {"s": binding}}
    assert tensorflow.ask("RepositoryModelLoad", model_name="m", parameters=parameters).code is None
    fed = X if bound_in.startswith("x") else X[:, :2]
    assert tensorflow.infer("s", a=fed).outputs["b"].shape == (2, 2)


def test_a_graphs_table_stays_as_a_receiver_would_find_it(tensorflow: Conversation, corpus: Path) -> None:
    """A worker that filled it would hide that the file does not work where it is handed to."""
    tensorflow.load(corpus / "graph_table.pb")
    assert "Table not initialized" in tensorflow.infer(words=WORDS).error


HANDLE = """
node { name: "words" op: "Placeholder" attr { key: "dtype" value { type: DT_STRING } } }
node { name: "other" op: "Placeholder" attr { key: "dtype" value { type: DT_INT64 } } }
node { name: "table" op: "Placeholder" attr { key: "dtype" value { type: DT_RESOURCE } } }
node {
  name: "y" op: "LookupTableFindV2" input: "table" input: "words" input: "other"
  attr { key: "Tin" value { type: DT_STRING } } attr { key: "Tout" value { type: DT_INT64 } }
}
"""


@OWN
def test_the_handle_of_a_table_that_a_bad_freeze_left_as_an_input_is_explained(tensorflow: Conversation, tmp_path: Path) -> None:
    (tmp_path / "handle.pbtxt").write_text(HANDLE)
    binding = {"key": None, "inputs": {"words": "words", "other": "other"}, "outputs": {"y": "y"}}
    parameters = {"path": str(tmp_path / "handle.pbtxt"), "format": "graph_def", "signatures": {"serving_default": binding}}
    assert tensorflow.ask("RepositoryModelLoad", model_name="m", parameters=parameters).code is None
    answer = tensorflow.infer(words=WORDS, other=np.int64(-1))
    assert answer.code == "INVALID_ARGUMENT"
    assert answer.error.startswith("freezing left the handle of a table or variable, 'table', as an input, which nothing can feed; freeze")


@pytest.mark.parametrize(
    ("file", "format", "key", "bound", "code", "words"),
    [
        ("scale", "saved_model", "other", "x", "NOT_FOUND", "no signature other; it has: "),
        ("graph_frozen.pb", "graph_def", None, "other:0", "NOT_FOUND", "'x' is bound to 'other:0', which is not in the graph; bind it to"),
        ("graph_frozen.pb", "graph_def", None, "x:1", "INVALID_ARGUMENT", "but the operation 'x' (Placeholder) has 1 output; bind it to"),
        ("graph_frozen.pb", "graph_def", None, "^x", "INVALID_ARGUMENT", "'x' is bound to '^x', a control dependency"),
        (
            "graph_frozen.pb",
            "tflite",
            None,
            "x",
            "UNIMPLEMENTED",
            " loads saved_model, graph_def",
        ),
        ("tflite_cnn.tflite", "graph_def", None, "x", "INVALID_ARGUMENT", "is no GraphDef, neither binary nor text"),
    ],
)
def test_a_model_that_it_cannot_load_is_one_sentence(
    tensorflow: Conversation, corpus: Path, file: str, format: str, key: str | None, bound: str, code: str, words: str
) -> None:
    binding = {"key": key, "inputs": {"x": bound}, "outputs": {"y": "y:0"}}
    parameters = {"path": str(corpus / file), "format": format, "tags": ["serve"], "signatures": {"s": binding}}
    answer = tensorflow.ask("RepositoryModelLoad", model_name="m", parameters=parameters)
    assert answer.code == code and words in answer.error


@OWN
def test_a_name_that_is_not_in_the_graph_has_near_ones(tensorflow: Conversation, corpus: Path) -> None:
    binding = {"key": None, "inputs": {"x": "X:0"}, "outputs": {"y": "y:0"}}
    parameters = {"path": str(corpus / "graph_frozen.pb"), "format": "graph_def", "signatures": {"s": binding}}
    answer = tensorflow.ask("RepositoryModelLoad", model_name="m", parameters=parameters)
    assert answer.code == "NOT_FOUND" and "'x' is bound to 'X:0', which is not in the graph; near it are 'x'" in answer.error


@OWN
def test_unknown_tags_list_the_known_ones(tensorflow: Conversation, corpus: Path) -> None:
    parameters = {"path": str(corpus / "scale"), "format": "saved_model", "tags": ["gpu"], "signatures": {}}
    assert "'serve'" in tensorflow.ask("RepositoryModelLoad", model_name="m", parameters=parameters).error


def test_inputs_of_another_datatype_or_shape_are_refused_not_cast(tensorflow: Conversation, corpus: Path) -> None:
    for name in ("scale", "graph_frozen.pb"):
        tensorflow.load(corpus / name)
        wrong = tensorflow.infer(x=X.astype(np.float64))
        assert wrong.code == "INVALID_ARGUMENT" and "takes float32 of shape [-1, 3]; the request has float64" in wrong.error
        assert tensorflow.infer(x=X[0]).code == "INVALID_ARGUMENT"


def test_an_error_of_tensorflow_keeps_its_code_and_the_line_with_the_cause(tensorflow: Conversation, corpus: Path) -> None:
    tensorflow.load(corpus / "sparse_input")
    wrong = tensorflow.infer(**{"x/indices": np.array([[0, 1]]), "x/values": np.ones(2, np.float32), "x/dense_shape": np.array([2, 3])})
    assert wrong.code == "INVALID_ARGUMENT" and "Graph execution error" not in wrong.error and "Detected at" not in wrong.error


KEPT = """
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
node { name: "s" op: "Placeholder" attr { key: "dtype" value { type: DT_STRING } } }
node { name: "v" op: "VarHandleOp" attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "shape" value { shape { unknown_rank: true } } } }
node { name: "w" op: "VarHandleOp" attr { key: "dtype" value { type: DT_STRING } }
  attr { key: "shape" value { shape { unknown_rank: true } } } attr { key: "shared_name" value { s: "w" } } }
node { name: "keep_v" op: "AssignVariableOp" input: "v" input: "x" attr { key: "dtype" value { type: DT_FLOAT } } }
node { name: "keep_w" op: "AssignVariableOp" input: "w" input: "s" attr { key: "dtype" value { type: DT_STRING } } }
node { name: "count" op: "Size" input: "x" input: "^keep_v" input: "^keep_w" attr { key: "T" value { type: DT_FLOAT } } }
node { name: "kept_x" op: "ReadVariableOp" input: "v" attr { key: "dtype" value { type: DT_FLOAT } } }
node { name: "kept_s" op: "ReadVariableOp" input: "w" attr { key: "dtype" value { type: DT_STRING } } }
"""


def test_a_tensor_that_the_model_keeps_outlives_its_request(tensorflow: Conversation, tmp_path: Path) -> None:
    """Requests are not copied: their memory must stay as long as a variable holds it."""
    (tmp_path / "kept.pb").write_bytes(text_format.Parse(KEPT, GraphDef()).SerializeToString())
    signatures = {
        "keep": {"key": None, "inputs": {"x": "x", "s": "s"}, "outputs": {"count": "count"}},
        "kept": {"key": None, "inputs": {}, "outputs": {"x": "kept_x", "s": "kept_s"}},
    }
    parameters = {"path": str(tmp_path / "kept.pb"), "format": "graph_def", "signatures": signatures}
    assert tensorflow.ask("RepositoryModelLoad", model_name="m", parameters=parameters).code is None
    numbers, texts = np.arange(1 << 20, dtype=np.float32), np.array([b"a" * 100, b"", b"\0b"] * 1000, dtype=object)
    assert tensorflow.infer("keep", x=numbers, s=texts).outputs["count"] == numbers.size
    for _ in range(3):
        assert tensorflow.ask("Echo", {"x": np.full(1 << 20, -1, np.float32)}).code is None
    kept = tensorflow.infer("kept").outputs
    assert np.array_equal(kept["x"], numbers)
    assert np.array_equal(kept["s"], texts)


@pytest.mark.parametrize("runtime", ["tensorflow", "tensorflow+python", "tensorflow-java@1.1.0", "tensorflow-java-legacy@1.15.0"])
def test_two_inputs_that_are_one_tensor_are_fed_once(tmp_path: Path, runtime: str) -> None:
    made = handmade.meta_graph("serve")
    del made.graph_def.node[1:], made.graph_def.library.function[:], made.signature_def["__saved_model_init_op"]
    handmade.node(made.graph_def.node, "y", "Neg", "serving_default_x", T=handmade.FLOAT)
    signature = made.signature_def["serving_default"]
    signature.inputs["again"].CopyFrom(signature.inputs["x"])
    handmade.tensor_info(signature.outputs["y"], "y:0")
    given = np.float32([[1, 2, 3, 4]])
    with crossload.load(handmade.saved_model(tmp_path / "m", made), runtime) as model:
        assert model.signature()(x=given, again=given)["y"].tolist() == [[-1, -2, -3, -4]]
