"""The canonical hash: a repeated export has the same hash, and a change of the answers changes it."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload import artifacts
from crossload.artifacts.canonical import canonical_graph, canonical_hash
from crossload.artifacts.messages import message_class
from crossload.errors import ArtifactError
from tests.corpus import checkpoints, handmade, keras_files, meta_graphs
from tests.corpus.handmade import FLOAT, INT64, RESOURCE, STRING, node
from tests.environment import launch_of


def of(path: Path) -> str:
    return canonical_hash.sha256(artifacts.read(path))


def of_graph(tmp_path: Path, made: Any) -> str:
    return of(handmade.write_graph(tmp_path / "g.pb", made))


def constant(body: Any, name: str, *values: float) -> Any:
    added = node(body, name, "Const", dtype=FLOAT)
    added.attr["value"].tensor.dtype = FLOAT
    added.attr["value"].tensor.tensor_shape.dim.add(size=len(values))
    added.attr["value"].tensor.float_val.extend(values)
    return added


def graph(weight: float = 1.0) -> Any:
    """A classifier that calls a function."""
    made = message_class("tensorflow.GraphDef")()
    made.versions.producer = 2474
    node(made.node, "x", "Placeholder", shape=(-1, 2), dtype=FLOAT)
    constant(made.node, "w", weight, 2.0)
    node(made.node, "product", "MatMul", "x", "w", T=FLOAT).attr["transpose_a"].b = False
    called = node(made.node, "called", "PartitionedCall", "product", "w", Tin=[FLOAT, FLOAT], Tout=[FLOAT])
    called.attr["f"].func.name = "__inference_call_12"
    called.attr["config_proto"].s = b"\n\x07\n\x03CPU\x10\x01"
    node(made.node, "probabilities", "Softmax", "called", T=FLOAT)
    function = made.library.function.add()
    function.signature.name = "__inference_call_12"
    function.signature.input_arg.add(name="inputs", type=FLOAT)
    function.signature.input_arg.add(name="weights", type=FLOAT)
    function.signature.output_arg.add(name="identity", type=FLOAT)
    constant(function.node_def, "bias", 0.5)
    node(function.node_def, "sum", "AddV2", "inputs", "bias:output:0", T=FLOAT)
    node(function.node_def, "scaled", "Mul", "sum:z:0", "weights", T=FLOAT)
    function.ret["identity"] = "scaled:z:0"
    return made


def renumbered(made: Any) -> Any:
    """The same model as another process would write it: other counters, another order, other metadata."""
    made.library.function[0].signature.name = "__inference_call_987"
    made.node[3].attr["f"].func.name = "__inference_call_987"
    made.node[3].attr["config_proto"].s = b"\n\x07\n\x03GPU\x10\x02"
    made.node[3].attr["_gradient_op_type"].s = b"PartitionedCall-55"
    made.node[3].name = made.node[4].input[0] = "PartitionedCall_7"
    made.node[2].device = "/device:CPU:0"
    made.library.function[0].node_def[0].name, made.library.function[0].node_def[1].input[1] = "bias_3", "bias_3:output:0"
    made.library.function[0].signature.input_arg[0].name = made.library.function[0].node_def[1].input[0] = "unknown_4"
    nodes = list(made.node)
    del made.node[:]
    made.node.extend(reversed(nodes))
    made.versions.producer = 2500
    return made


def test_counters_orders_devices_and_metadata_do_not_count(tmp_path: Path) -> None:
    assert of_graph(tmp_path, renumbered(graph())) == of_graph(tmp_path, graph())


def test_text_and_binary_have_the_same_hash(tmp_path: Path) -> None:
    assert of(handmade.write_graph(tmp_path / "g.pbtxt", graph(), text=True)) == of_graph(tmp_path, graph())


def _weight(made: Any) -> None:
    made.node[1].attr["value"].tensor.float_val[1] = 2.0000002


def _attribute(made: Any) -> None:
    made.node[2].attr["transpose_a"].b = True


def _op(made: Any) -> None:
    made.node[4].op = "LogSoftmax"


def _inputs_swapped(made: Any) -> None:
    made.node[2].input[:] = ["w", "x"]


def _arguments_swapped(made: Any) -> None:
    made.node[3].input[:] = ["w", "product"]


def _inside_a_function(made: Any) -> None:
    made.library.function[0].node_def[0].attr["value"].tensor.float_val[0] = 0.25


def _inside_swapped(made: Any) -> None:
    made.library.function[0].node_def[2].input[:] = ["weights", "sum:z:0"]


def _another_result(made: Any) -> None:
    made.library.function[0].ret["identity"] = "sum:z:0"


def _output_renamed(made: Any) -> None:
    made.node[4].name = "scores"


def _input_renamed(made: Any) -> None:
    made.node[0].name = made.node[2].input[0] = "pixels"


def _shape(made: Any) -> None:
    made.node[0].attr["shape"].shape.dim[0].size = 1


def _output_added(made: Any) -> None:
    node(made.node, "more", "Relu", "product", T=FLOAT)


def _waits(made: Any) -> None:
    node(made.node, "effect", "Print", "x", T=FLOAT)
    made.node[4].input.append("^effect")


CHANGES = [
    _weight, _attribute, _op, _inputs_swapped, _arguments_swapped, _inside_a_function, _inside_swapped, _another_result,
    _output_renamed, _input_renamed, _shape, _output_added, _waits,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_content_changes_the_hash(tmp_path: Path, change: Callable[[Any], None]) -> None:
    made = graph()
    change(made)
    assert of_graph(tmp_path, made) != of_graph(tmp_path, graph())


def loop(*, swapped: bool = False, step: float = 1.0) -> Any:
    """Two loop variables with the same start; the loop adds to one and multiplies the other."""
    made = message_class("tensorflow.GraphDef")()
    made.versions.producer = 1000
    node(made.node, "x", "Placeholder", shape=(), dtype=FLOAT)
    constant(made.node, "step", step)
    for at, op in enumerate(("Add", "Mul")):
        node(made.node, f"enter{at}", "Enter", "x", T=FLOAT)
        node(made.node, f"merge{at}", "Merge", f"enter{at}", f"next{at}", T=FLOAT)
        node(made.node, f"switch{at}", "Switch", f"merge{at}", "x", T=FLOAT)
        node(made.node, f"body{at}", op, f"switch{at}:1", "step", T=FLOAT)
        node(made.node, f"next{at}", "NextIteration", f"body{at}", T=FLOAT)
        node(made.node, f"exit{1 - at if swapped else at}", "Exit", f"switch{at}", T=FLOAT)
    return made


def test_loops_of_tensorflow_1_are_distinguished_by_their_bodies(tmp_path: Path) -> None:
    assert of_graph(tmp_path, loop()) == of_graph(tmp_path, loop())
    assert len({of_graph(tmp_path, made) for made in (loop(), loop(step=2.0), loop(swapped=True))}) == 3


def test_hashing_a_cycle_that_is_not_a_loop_terminates(tmp_path: Path) -> None:
    made = graph()
    node(made.node, "a", "Relu", "b", T=FLOAT)
    node(made.node, "b", "Relu", "a", T=FLOAT)
    assert len(of_graph(tmp_path, made)) == 64


def test_hashing_recursive_functions_terminates(tmp_path: Path) -> None:
    made = graph()
    call = node(made.library.function[0].node_def, "again", "PartitionedCall", "inputs", Tin=[FLOAT], Tout=[FLOAT])
    call.attr["f"].func.name = "__inference_call_12"
    assert len(of_graph(tmp_path, made)) == 64
    for at in range(5000):
        function = made.library.function.add()
        function.signature.name = f"f{at}"
        node(function.node_def, "next", f"f{at + 1}")
    node(made.node, "deep", "f0")
    with pytest.raises(ArtifactError, match="too deeply"):
        of_graph(tmp_path, made)


@given(values=st.lists(st.sampled_from([0.0, -0.0, 1.5, float("nan")]), min_size=1, max_size=9), repeats=st.integers(0, 5))
def test_a_constant_counts_by_value_not_by_storage(values: list[float], repeats: int) -> None:
    whole = np.float32(values + [values[-1]] * repeats)
    packed = message_class("tensorflow.TensorProto")(dtype=FLOAT, tensor_content=whole.tobytes())
    listed = message_class("tensorflow.TensorProto")(dtype=FLOAT, float_val=values)
    other = message_class("tensorflow.TensorProto")(dtype=FLOAT, float_val=[*values[:-1], 7.0])
    for proto in (packed, listed, other):
        proto.tensor_shape.dim.add(size=len(whole))
    assert canonical_graph.tensor(packed) == canonical_graph.tensor(listed)
    assert canonical_graph.tensor(packed) != canonical_graph.tensor(other)


@given(st.lists(st.text(max_size=3), min_size=1, max_size=4), st.lists(st.text(max_size=3), min_size=1, max_size=4), st.integers(-1, 3))
def test_adjacent_strings_are_delimited(left: list[str], right: list[str], repeats: int) -> None:
    size = max(len(left), len(right)) + max(0, repeats)
    protos = []
    for texts in (left, right):
        protos.append(message_class("tensorflow.TensorProto")(dtype=STRING, string_val=[t.encode() for t in texts]))
        protos[-1].tensor_shape.dim.add(size=size)
    filled = [texts + [texts[-1]] * (size - len(texts)) for texts in (left, right)]
    assert (canonical_graph.tensor(protos[0]) == canonical_graph.tensor(protos[1])) == (filled[0] == filled[1])


def saved(folder: Path, first: float = 1.0, second: float = 2.0, keys: tuple[str, str] = ("a", "b"), vocabulary: str = "x\ny\n") -> Path:
    """A SavedModel of TensorFlow 1: two variables, a table filled from an asset, and the saver's nodes with a random name."""
    made = handmade.meta_graph("serve")
    made.ClearField("graph_def")
    made.ClearField("signature_def")
    add = made.graph_def.node
    node(add, "x", "Placeholder", shape=(-1,), dtype=FLOAT)
    for name in ("p", "q"):
        node(add, name, "VarHandleOp", shape=(1,), dtype=FLOAT).attr["shared_name"].s = b"random"
        node(add, f"{name}/read", "ReadVariableOp", name, dtype=FLOAT)
    node(add, "minus", "Sub", "p/read", "q/read", T=FLOAT)
    node(add, "y", "Mul", "x", "minus", T=FLOAT)
    node(add, "unused", "Relu", "x", T=FLOAT)
    node(add, "file", "Const", dtype=STRING).attr["value"].tensor.string_val.append(str(folder).encode())
    node(add, "table", "HashTableV2", key_dtype=STRING, value_dtype=INT64)
    node(add, "fill", "InitializeTableFromTextFileV2", "table", "file")
    node(add, "found", "LookupTableFindV2", "table", "x", Tin=STRING, Tout=INT64)
    node(add, "save/temp", "Const", dtype=STRING).attr["value"].tensor.string_val.append(f"_temp_{id(made)}".encode())
    node(add, "save/names", "Const", dtype=STRING).attr["value"].tensor.string_val.extend(k.encode() for k in keys)
    node(add, "save/slices", "Const", dtype=STRING).attr["value"].tensor.string_val.extend([b"", b""])
    node(add, "save/RestoreV2", "RestoreV2", "save/temp", "save/names", "save/slices", dtypes=[FLOAT, FLOAT])
    for at, name in enumerate(("p", "q")):
        node(add, f"save/Identity_{at}", "Identity", f"save/RestoreV2:{at}" if at else "save/RestoreV2", T=FLOAT)
        node(add, f"save/Assign_{at}", "AssignVariableOp", name, f"save/Identity_{at}", dtype=FLOAT)
    node(add, "save/restore_all", "NoOp", "^save/Assign_0", "^save/Assign_1")
    made.saver_def.restore_op_name = "save/restore_all"
    made.collection_def["saved_model_main_op"].node_list.value.append("fill")
    asset = made.asset_file_def.add(filename="vocabulary.txt")
    asset.tensor_info.name = "file:0"
    handmade.tensor_info(made.signature_def["serving_default"].inputs["in"], "x:0", shape=(-1,))
    handmade.tensor_info(made.signature_def["serving_default"].outputs["out"], "y:0", shape=(-1,))
    handmade.tensor_info(made.signature_def["serving_default"].outputs["id"], "found:0", dtype=INT64, shape=(-1,))
    handmade.saved_model(folder, made)
    (folder / "assets").mkdir()
    (folder / "assets" / "vocabulary.txt").write_text(vocabulary)
    (folder / "variables").mkdir()
    data = np.float32([first, second]).tobytes()
    entries = [(k.encode(), checkpoints.entry(data[4 * n : 4 * n + 4], FLOAT, (1,), offset=4 * n)) for n, k in enumerate(keys)]
    checkpoints.write(folder / "variables" / "variables", dict(sorted(entries)), data)
    return folder


def test_a_saved_models_hash_depends_on_values_not_on_checkpoint_keys(tmp_path: Path) -> None:
    plain = of(saved(tmp_path / "plain"))
    assert of(saved(tmp_path / "again")) == plain
    assert of(saved(tmp_path / "keys", keys=("y", "x"))) == plain
    changed = {
        "plain": plain,
        "value": of(saved(tmp_path / "value", first=1.0000001)),
        "swapped": of(saved(tmp_path / "swapped", first=2.0, second=1.0)),
        "asset": of(saved(tmp_path / "asset", vocabulary="y\nx\n")),
    }
    assert len(set(changed.values())) == len(changed)


@pytest.mark.parametrize("change", ["key", "method", "input", "output", "datatype", "tag", "init", "default"])
def test_every_change_of_a_signature_changes_the_hash(tmp_path: Path, change: str) -> None:
    from crossload.artifacts.graphs.protos import SavedModelProto

    folder = saved(tmp_path / "m")
    before = of(folder)
    message = SavedModelProto.FromString((folder / "saved_model.pb").read_bytes())
    made = message.meta_graphs[0]
    signature = made.signature_def["serving_default"]
    if change == "key":
        made.signature_def["other"].CopyFrom(signature)
        del made.signature_def["serving_default"]
    elif change == "method":
        signature.method_name = "tensorflow/serving/classify"
    elif change == "input":
        signature.inputs["other"].CopyFrom(signature.inputs["in"])
        del signature.inputs["in"]
    elif change == "output":
        signature.outputs["out"].name = "minus:0"
    elif change == "datatype":
        signature.outputs["id"].dtype = INT64 + 1
    elif change == "tag":
        made.meta_info_def.tags.append("gpu")
    elif change == "init":
        del made.collection_def["saved_model_main_op"]
    else:
        signature.defaults["in"].dtype = FLOAT
        signature.defaults["in"].float_val.append(0.5)
    (folder / "saved_model.pb").write_bytes(message.SerializeToString())
    assert of(folder) != before


def test_equal_tables_are_distinguished_by_their_content(tmp_path: Path) -> None:
    def made(first: str, second: str) -> Any:
        found = message_class("tensorflow.GraphDef")()
        node(found.node, "x", "Placeholder", shape=(-1,), dtype=STRING)
        for at, text in enumerate((first, second)):
            node(found.node, f"table{at}", "HashTableV2", key_dtype=STRING, value_dtype=INT64)
            node(found.node, f"keys{at}", "Const", dtype=STRING).attr["value"].tensor.string_val.append(text.encode())
            node(found.node, f"fill{at}", "LookupTableImportV2", f"table{at}", f"keys{at}", "x")
            node(found.node, f"found{at}", "LookupTableFindV2", f"table{at}", "x", Tin=STRING, Tout=INT64)
        return found

    assert of_graph(tmp_path, made("a", "b")) != of_graph(tmp_path, made("b", "a"))


def test_an_incomplete_saved_model_has_no_hash(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m")
    (folder / "assets" / "vocabulary.txt").unlink()
    with pytest.raises(ArtifactError, match="is missing"):
        of(folder)
    shutil.rmtree(folder / "variables")


def test_a_checkpoints_hash_covers_names_and_values(tmp_path: Path) -> None:
    def made(name: str, key: bytes, value: float) -> str:
        data = np.float32([value]).tobytes()
        return of(checkpoints.write(tmp_path / name, {key: checkpoints.entry(data, FLOAT, (1,))}, data))

    assert made("a", b"w", 1.0) == made("b", b"w", 1.0)
    assert len({made("a", b"w", 1.0), made("b", b"v", 1.0), made("c", b"w", 2.0)}) == 3


def test_a_meta_graphs_hash_covers_signatures_and_variable_names(tmp_path: Path) -> None:
    message = meta_graphs.made()
    plain = of(meta_graphs.write(tmp_path / "a.meta", message))
    message.collection_def["train_op"].node_list.value.append("x")
    assert of(meta_graphs.write(tmp_path / "b.meta", message)) == plain
    handmade.tensor_info(message.signature_def["s"].outputs["y"], "probabilities:0")
    signed = of(meta_graphs.write(tmp_path / "c.meta", message))
    text = message.SerializeToString().replace(b"w", b"v")
    (tmp_path / "d.meta").write_bytes(text)
    assert len({plain, signed, of(tmp_path / "d.meta")}) == 3


def test_a_resource_alone_can_be_hashed(tmp_path: Path) -> None:
    made = graph()
    node(made.node, "handle", "VarHandleOp", shape=(), dtype=RESOURCE)
    assert len(of_graph(tmp_path, made)) == 64


@pytest.mark.parametrize("kind", ["whole", "weights"])
def test_a_keras_files_hash_covers_config_and_values(tmp_path: Path, kind: str) -> None:
    def made(name: str, change: Callable[[Any], None] = lambda _: None) -> str:
        path = keras_files.whole_h5(tmp_path / name, backend="tensorflow")
        with h5py.File(path, "r+") as file:
            if kind == "weights":
                for key in ("layer_names", "keras_version", "backend"):
                    file.attrs.pop(key, None)
                for key, value in file["model_weights"].attrs.items():
                    file.attrs[key] = value
                for group in list(file["model_weights"]):
                    file.move(f"model_weights/{group}", group)
                del file["model_weights"], file.attrs["model_config"]
            change(file)
        return of(path)

    def values(file: Any) -> None:
        kernel = file[("model_weights/" if kind == "whole" else "") + "head/head/kernel:0"]
        kernel[1, 1] = 1e-30

    def version(file: Any) -> None:
        file.attrs["keras_version"] = "2.14.0"

    def config(file: Any) -> None:
        file.attrs["model_config"] = file.attrs["model_config"].replace("[null, 4]", "[8, 4]")

    plain = made("a")
    assert made("b") == plain
    assert made("c", version) == plain
    assert made("d", values) != plain
    if kind == "whole":
        assert made("e", config) != plain


def test_a_keras_archives_hash_ignores_date_and_version(tmp_path: Path) -> None:
    plain = of(keras_files.zipped(tmp_path / "a.keras"))
    assert of(keras_files.zipped(tmp_path / "b.keras", version="3.0.0", compression=zipfile.ZIP_DEFLATED)) == plain
    other = keras_files.functional(
        keras_files.entry("x", [None, 5]), keras_files.layer("Dense", "head"), inputs=["x", 0, 0], outputs=["head", 0, 0]
    )
    assert of(keras_files.zipped(tmp_path / "c.keras", other)) != plain


def test_addresses_and_optimisers_in_a_keras_config_do_not_count() -> None:
    shared = {"config": {"dtype": {"name": "float32", "shared_object_id": 139954076774864}, "units": [3]}, "compile_config": {"lr": 1}}
    assert canonical_hash._lasting(shared) == {"config": {"dtype": {"name": "float32"}, "units": [3]}}


def test_a_small_keras_file_that_expands_to_huge_values_is_refused(tmp_path: Path) -> None:
    path = keras_files.whole_h5(tmp_path / "m.h5")
    with h5py.File(path, "r+") as file:
        del file["model_weights/head/head/kernel:0"]
        file["model_weights/head"].create_dataset("head/kernel:0", shape=(1 << 32, 8), chunks=(1024, 8), dtype="float32")
    with pytest.raises(ArtifactError, match="too many for a file of its size"):
        of(path)


def lite(path: Path, **changes: Any) -> str:
    path.write_bytes(handmade.Lite(**changes).build())
    return of(path)


def test_a_tflites_hash_covers_content_not_layout(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    signed = {"serve": ({"x": 0}, {"y": 1})}
    plain = lite(path, signatures=signed)
    assert lite(path, signatures=signed, metadata={"CONVERSION_METADATA": b"a longer note than none at all"}) == plain
    inner = handmade.Tensor("y", shape=(1, 2), free=(-1, 2))
    others = {
        "signature": lite(path, signatures={"serve": ({"x": 0}, {"z": 1})}),
        "none": lite(path),
        "operators": lite(path, signatures=signed, operators=[25, 9]),
        "custom": lite(path, signatures=signed, operators=["Own", 9]),
        "input's name": lite(path, signatures=signed, tensors=[handmade.Tensor("other", free=(-1, 4)), inner]),
        "shape": lite(path, signatures=signed, tensors=[handmade.Tensor("x", free=(-1, 5)), inner]),
        "datatype": lite(path, signatures=signed, tensors=[handmade.Tensor("x", kind=9, free=(-1, 4)), inner]),
        "scale": lite(path, signatures=signed, tensors=[handmade.Tensor("x", free=(-1, 4), scale=[0.5], zero_point=[1]), inner]),
        "zero point": lite(path, signatures=signed, tensors=[handmade.Tensor("x", free=(-1, 4), scale=[0.5], zero_point=[2]), inner]),
        "labels": lite(path, signatures=signed, metadata={"TFLITE_METADATA": b"cat"}),
    }
    assert len({plain, *others.values()}) == len(others) + 1
    stray = handmade.Tensor("inner_7010")
    named = [handmade.Tensor("x", free=(-1, 4)), inner, stray]
    renamed = [*named[:2], handmade.Tensor("inner_7450_longer")]
    assert lite(path, tensors=named) == lite(path, tensors=renamed)


EXPORTS = """
import os, sys
import numpy as np, tensorflow as tf, keras
folder, before = sys.argv[1], int(sys.argv[2])
os.makedirs(folder); os.chdir(folder)
for n in range(before):  # earlier work in a process changes its counters
    tf.function(lambda x: x + n)(tf.constant(1.0))
    keras.layers.Dense(2)(np.ones((1, 2), "float32"))
weights, v1 = np.random.default_rng(int(sys.argv[3])), tf.compat.v1
x = keras.Input((4,), name="x")
model = keras.Model(x, keras.layers.Dense(2, "softmax", name="head")(keras.layers.Dense(3, "relu", name="body")(x)), name="m")
model.set_weights([weights.standard_normal(w.shape).astype("float32") for w in model.get_weights()])
model.export("keras", verbose=False)
model.save("m.keras"), model.save("m.h5"), model.save_weights("w.weights.h5")
tf.saved_model.save(model, "keras_saved")
open("words.txt", "w").write("a\\nb\\n")
class Module(tf.Module):
    def __init__(self):
        super().__init__()
        self.w = tf.Variable(weights.standard_normal((4, 3)).astype("float32"))
        index = tf.lookup.TextFileIndex
        init = tf.lookup.TextFileInitializer("words.txt", tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)
        self.table = tf.lookup.StaticHashTable(init, -1)
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def predict(self, x):
        y = tf.matmul(x, self.w)
        _, y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 1.5), [tf.constant(0), y])
        return {"y": tf.cond(tf.reduce_sum(y) > 0, lambda: y, lambda: -y)}
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
    def look(self, words):
        return {"ids": self.table.lookup(words)}
module = Module()
tf.saved_model.save(module, "module", signatures={"predict": module.predict, "look": module.look})
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2 as freeze
frozen = freeze(module.predict.get_concrete_function())
tf.io.write_graph(frozen.graph, ".", "frozen.pb", as_text=False)
open("keras.tflite", "wb").write(tf.lite.TFLiteConverter.from_saved_model("keras").convert())
converter = tf.lite.TFLiteConverter.from_concrete_functions([module.predict.get_concrete_function()], module)
open("module.tflite", "wb").write(converter.convert())
v1.disable_eager_execution()
with tf.Graph().as_default(), v1.Session() as session:
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    y = tf.nn.softmax(tf.matmul(x, v1.get_variable("w", initializer=weights.standard_normal((4, 2)).astype("float32"))), name="y")
    asset = tf.constant("words.txt")
    v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, asset)
    session.run(v1.global_variables_initializer())
    v1.train.Saver().save(session, os.path.abspath("model"))
    builder = v1.saved_model.Builder("v1")
    signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
    kept = dict(assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS))
    builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature}, **kept)
    builder.add_meta_graph(["serve", "gpu"], {"serving_default": signature}, **kept)
    builder.save()
"""
KINDS = [
    "keras",
    "keras_saved",
    "module",
    "frozen.pb",
    "v1",
    "model",
    "model.meta",
    "m.keras",
    "m.h5",
    "w.weights.h5",
    "keras.tflite",
    "module.tflite",
]


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights exported in two fresh processes, `a` and `b`, and other weights in a third."""
    folder = tmp_path_factory.mktemp("exports")
    python = launch_of("tensorflow+python").argv[0]
    for name, before, seed in (("a", "0", "0"), ("b", "3", "0"), ("c", "0", "1")):
        done = subprocess.run([python, "-c", EXPORTS, str(folder / name), before, seed], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_exports_of_the_same_weights_in_fresh_processes_have_the_same_hash(exports: Path, kind: str) -> None:
    assert of(exports / "a" / kind) == of(exports / "b" / kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [k for k in KINDS if k != "model.meta"])
def test_exports_of_other_weights_have_another_hash(exports: Path, kind: str) -> None:
    assert of(exports / "a" / kind) != of(exports / "c" / kind)


@pytest.mark.slow
def test_without_the_canonical_hash_the_exports_would_differ(exports: Path) -> None:
    differing = [
        kind
        for kind in ("keras", "module", "frozen.pb")
        if artifacts.sha256(exports / "a" / kind) != artifacts.sha256(exports / "b" / kind)
    ]
    assert differing
