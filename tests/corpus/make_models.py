# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tensorflow-cpu==2.21.0"]
# ///
"""The corpus: small models made from code, one per hazard. `python make_models.py OUTDIR [name …]`; `--list` lists them all.

A separate process: TensorFlow is imported here and never in the tests themselves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
import tflite_files
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2

v1 = tf.compat.v1
Maker = Callable[[Path], None]
MODELS: dict[str, Maker] = {}

DATATYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "int4", "uint4"),
    *("float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "float8_e5m2", "complex64", "complex128", "string"),
)
THREE = tf.constant(3.0)
WORDS = ("good", "bad", "fine", "awful")


def model(maker: Maker) -> Maker:
    """Register a maker under its name: it writes one artifact to a given path (with the format's suffix)."""
    MODELS[maker.__name__] = maker
    return maker


def artifact(name: str, folder: Path) -> Path:
    """The path of a model in the corpus's folder."""
    suffixes = {"tflite_": ".tflite", "graph_text_in_pb": ".pb", "graph_pbtxt": ".pbtxt", "graph_": ".pb"}
    return folder / (name + next((s for start, s in suffixes.items() if name.startswith(start)), ""))


# SavedModels as TensorFlow 2 writes them


@model
def identity(path: Path) -> None:
    """Every datatype, of any shape, one signature each, named after the datatype."""
    module = tf.Module()
    signatures = {}
    for name in DATATYPES:
        function = tf.function(lambda x: {"y": tf.identity(x)}, input_signature=[tf.TensorSpec(None, tf.dtypes.as_dtype(name), "x")])
        setattr(module, name + "_", function)
        signatures[name] = function.get_concrete_function()
    tf.saved_model.save(module, str(path), signatures=signatures)


@model
def scale(path: Path) -> None:
    """A variable of known value: y = 2 x + 1, of fixed rank."""
    tf.saved_model.save(_Scale(), str(path))


class _Scale(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factor = tf.Variable(2.0, name="factor")

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
    def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": self.factor * x + 1.0}


@model
def several_signatures(path: Path) -> None:
    """Two signatures of one module that give different answers."""
    module = _Scale()
    twice = tf.function(lambda x: {"y": module(x)["y"] * 2.0}, input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
    tf.saved_model.save(module, str(path), signatures={"once": module.__call__.get_concrete_function(), "twice": twice})


@model
def text_table(path: Path) -> None:
    """Strings looked up in a table with words from an asset file."""
    vocabulary = _vocabulary(path)

    class Classifier(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            words = tf.lookup.TextFileInitializer(
                str(vocabulary), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
            )
            self.table = tf.lookup.StaticVocabularyTable(words, num_oov_buckets=1)
            self.weights = tf.Variable([[1.0, 0.0], [0.0, 1.0], [0.6, 0.4], [0.1, 0.9], [0.5, 0.5]])

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "words")])
        def __call__(self, words: tf.Tensor) -> dict[str, tf.Tensor]:
            ids = self.table.lookup(words)
            return {"ids": ids, "scores": tf.gather(self.weights, ids), "words": words}

    tf.saved_model.save(Classifier(), str(path))
    vocabulary.unlink()


@model
def text_vectorization(path: Path) -> None:
    """A Keras model that begins with TextVectorization."""
    import keras

    keras.utils.set_random_seed(1)
    text = keras.Input((), dtype="string", name="text")
    vectorize = keras.layers.TextVectorization(vocabulary=list(WORDS), output_mode="multi_hot")
    scores = keras.layers.Dense(2, activation="softmax", name="scores")(vectorize(text))
    keras.Model(text, scores).export(str(path), verbose=False)


@model
def default_input(path: Path) -> None:
    """An optional input: SignatureDef.defaults holds its value."""

    class Optional(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x"), tf.TensorSpec([], tf.float32, "factor")])
        def serve(self, x: tf.Tensor, factor: tf.Tensor = THREE) -> dict[str, tf.Tensor]:
            return {"y": x * factor}

    module = Optional()
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})


@model
def other_argument_names(path: Path) -> None:
    """Inputs whose names are no Python names: tf.function calls them `a_b` and `arg_0`."""

    class Renamed(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "a/b"), tf.TensorSpec([None, 2], tf.float32, "0-c")])
        def serve(self, x: tf.Tensor, y: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"out/1": x - 2 * y}

    module = Renamed()
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})


@model
def pinned_to_gpu(path: Path) -> None:
    """Nodes inside a function that ask for a GPU."""

    class Pinned(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
        def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            with tf.device("/device:GPU:0"):
                return {"y": tf.matmul(x, tf.eye(3)) + 1.0}

    tf.saved_model.save(Pinned(), str(path))


@model
def optimizer_slots(path: Path) -> None:
    """A Keras 2 model: an optimizer's slot variables in the object graph, which tf.saved_model.load refuses (`add_slot`)."""
    module = _Scale()
    module.optimizer, module.momentum = tf.Module(), tf.Variable(0.0, name="momentum")
    tf.saved_model.save(module, str(path))
    file = path / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    nodes = saved.meta_graphs[0].object_graph_def.nodes
    ids = {child.local_name: child.node_id for child in nodes[0].children}
    slot = nodes[ids["optimizer"]].slot_variables.add()
    slot.original_variable_node_id, slot.slot_name, slot.slot_variable_node_id = ids["factor"], "m", ids["momentum"]
    file.write_bytes(saved.SerializeToString())


# SavedModels as TensorFlow 1 wrote them


def _write_v1(path: Path, sets: list[list[str]], build: Callable[[], dict[str, object]]) -> None:
    """One MetaGraph per tag set, of the graph that `build` makes; `build` returns the signatures."""
    builder = v1.saved_model.Builder(str(path))
    for number, tags in enumerate(sets):
        with tf.Graph().as_default(), _session() as session:
            signatures = build()
            session.run([v1.global_variables_initializer(), v1.tables_initializer()])
            if number == 0:
                builder.add_meta_graph_and_variables(session, tags, signatures, main_op=v1.tables_initializer())
            else:
                builder.add_meta_graph(tags, signatures)
    builder.save()
    if not any((path / "variables").iterdir()):
        (path / "variables").rmdir()


def _session() -> v1.Session:
    return v1.Session(config=v1.ConfigProto(allow_soft_placement=True))


def _predict(inputs: dict[str, tf.Tensor], outputs: dict[str, tf.Tensor]) -> object:
    infos = ({k: v1.saved_model.build_tensor_info(t) for k, t in named.items()} for named in (inputs, outputs))
    return v1.saved_model.build_signature_def(*infos, "tensorflow/serving/predict")


def _affine(
    input_key: str = "x", output_key: str = "y", *, use_resource: bool = True, key: str = "serving_default", device: str = ""
) -> dict[str, object]:
    with tf.device(device):
        x = v1.placeholder(tf.float32, [None, 3], "x")
        factor = v1.get_variable("factor", initializer=2.0, use_resource=use_resource)
        return {key: _predict({input_key: x}, {output_key: tf.add(factor * x, 1.0, "y")})}


@model
def several_tag_sets(path: Path) -> None:
    """Two MetaGraphs, tagged serve and train, that give different answers."""
    counter = iter((1.0, 5.0))

    def build() -> dict[str, object]:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        factor = v1.get_variable("factor", initializer=2.0)
        return {"serving_default": _predict({"x": x}, {"y": tf.add(factor * x, next(counter), "y")})}

    _write_v1(path, [["serve"], ["train"]], build)


@model
def slashes(path: Path) -> None:
    """Keys of a signature, and of its inputs and outputs, with slashes and dots."""
    _write_v1(path, [["serve"]], lambda: _affine("inputs/x.1", "outputs/y.1", key="tensorflow/serving/predict"))


@model
def no_tags(path: Path) -> None:
    """A MetaGraph with an empty tag set."""
    _write_v1(path, [[]], _affine)


@model
def only_eval(path: Path) -> None:
    """A MetaGraph with the one tag `eval`."""
    _write_v1(path, [["eval"]], _affine)


@model
def no_variables(path: Path) -> None:
    """A graph of constants: no variables folder."""

    def build() -> dict[str, object]:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        return {"serving_default": _predict({"x": x}, {"y": tf.add(2.0 * x, 1.0, "y")})}

    _write_v1(path, [["serve"]], build)


@model
def reference_variables(path: Path) -> None:
    """TensorFlow 1's reference variables (VariableV2)."""
    _write_v1(path, [["serve"]], lambda: _affine(use_resource=False))


@model
def reference_output(path: Path) -> None:
    """A signature with a reference variable as output: a function cannot return a reference, a session can."""

    def build() -> dict[str, object]:
        x = v1.placeholder(tf.float32, [3], "x")
        total = v1.get_variable("total", initializer=[1.0, 2.0, 3.0], use_resource=False)
        return {"serving_default": _predict({"x": x}, {"total": v1.assign(total, x)})}

    _write_v1(path, [["serve"]], build)


@model
def session_state(path: Path) -> None:
    """A handle to a value kept in the session: it loads as a function, and fails when it runs without a session."""

    def build() -> dict[str, object]:
        x = v1.placeholder(tf.float32, [3], "x")
        kept = tf.raw_ops.GetSessionHandle(value=x)
        return {"serving_default": _predict({"x": x}, {"kept": tf.strings.regex_replace(kept, ";.*", "")})}

    _write_v1(path, [["serve"]], build)


@model
def pinned_to_gpu_v1(path: Path) -> None:
    """A graph pinned to a GPU, including its variable."""
    _write_v1(path, [["serve"]], lambda: _affine(device="/device:GPU:0"))


@model
def sparse_input(path: Path) -> None:
    """An input of three tensors: TensorInfo.coo_sparse."""

    def build() -> dict[str, object]:
        x = v1.sparse_placeholder(tf.float32, [None, 3], "x")
        return {"serving_default": _predict({"x": x}, {"y": tf.sparse.reduce_sum(x, axis=1)})}

    _write_v1(path, [["serve"]], build)


@model
def text_table_v1(path: Path) -> None:
    """A lookup table that an init op fills from an asset file, as TensorFlow 1 wrote it."""
    vocabulary = _vocabulary(path)
    builder = v1.saved_model.Builder(str(path))
    with tf.Graph().as_default(), _session() as session:
        name = tf.constant(str(vocabulary), name="vocabulary")
        words = v1.placeholder(tf.string, [None], "words")
        source = tf.lookup.TextFileInitializer(
            name, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        )
        table = tf.lookup.StaticHashTable(source, default_value=-1)
        signature = {"serving_default": _predict({"words": words}, {"ids": table.lookup(words)})}
        session.run(v1.tables_initializer())
        assets = v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS)
        builder.add_meta_graph_and_variables(session, ["serve"], signature, assets_collection=assets, main_op=v1.tables_initializer())
    builder.save()
    vocabulary.unlink()


def _vocabulary(path: Path) -> Path:
    file = path.with_suffix(".words.txt")
    file.write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return file


# Graphs


def _graph() -> v1.GraphDef:
    """y = x · w + 1, frozen."""
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        w = tf.constant(np.arange(6, dtype=np.float32).reshape(3, 2) / 7, name="w")
        tf.add(tf.matmul(x, w, name="product"), 1.0, "y")
    return graph.as_graph_def()


@model
def graph_frozen(path: Path) -> None:
    """A frozen graph, binary."""
    path.write_bytes(_graph().SerializeToString())


@model
def graph_pbtxt(path: Path) -> None:
    """The same as text."""
    path.write_text(text_format.MessageToString(_graph()), encoding="utf-8")


@model
def graph_text_in_pb(path: Path) -> None:
    """Text in a file called .pb."""
    path.write_text(text_format.MessageToString(_graph()), encoding="utf-8")


@model
def graph_pinned_to_gpu(path: Path) -> None:
    """A frozen graph whose nodes ask for a GPU."""
    graph_def = _graph()
    for node in graph_def.node:
        node.device = "/device:GPU:0"
    path.write_bytes(graph_def.SerializeToString())


@model
def graph_arg_retval(path: Path) -> None:
    """A function's body as a graph: its parameter is an `_Arg` node, its result a `_Retval` node."""
    graph_def = _graph()
    for node in graph_def.node:
        if node.op == "Placeholder":
            node.op = "_Arg"
            node.attr.clear()
            node.attr["T"].type = tf.float32.as_datatype_enum
            node.attr["index"].i = 0
            node.attr["_output_shapes"].list.shape.add().CopyFrom(tf.TensorShape([None, 3]).as_proto())
    result = graph_def.node.add(name="y_retval", op="_Retval", input=["y"])
    result.attr["T"].type = tf.float32.as_datatype_enum
    result.attr["index"].i = 0
    path.write_bytes(graph_def.SerializeToString())


@model
def graph_table(path: Path) -> None:
    """A graph with a lookup table that an op in it fills from constants."""
    with tf.Graph().as_default() as graph:
        words = v1.placeholder(tf.string, [None], "words")
        source = tf.lookup.KeyValueTensorInitializer(tf.constant(WORDS), tf.range(len(WORDS), dtype=tf.int64))
        tf.identity(tf.lookup.StaticHashTable(source, default_value=-1).lookup(words), "ids")
    path.write_bytes(graph.as_graph_def().SerializeToString())


for _maker in tflite_files.MAKERS:
    model(_maker)


def main(arguments: list[str]) -> None:
    """Make the named models, or all; an existing model is kept."""
    if "--list" in arguments:
        print("\n".join(f"{name}\t{(maker.__doc__ or '').strip().splitlines()[0]}" for name, maker in MODELS.items()))
        return
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name in arguments[1:] or MODELS:
        path = artifact(name, folder)
        if not path.exists():
            partial = path.with_name(f"partial-{path.name}")
            MODELS[name](partial)
            partial.rename(path)
            print(name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
