"""Permitted and forbidden changes of a backport, on handmade messages."""

from __future__ import annotations

from typing import Any

import pytest

from crossload.artifacts.messages import message_class
from crossload.edits.repairs.graphs import hollow, obstacles, repair
from crossload.edits.repairs.meta_graphs import mend
from crossload.errors import CrossloadError
from crossload.verbs.check.prediction import release_of
from crossload.verbs.convert.backport import runtimes_of

LEGACY = release_of("tensorflow-java-legacy@1.15.0")
FLOAT, INT32, STRING, RESOURCE = 1, 3, 7, 20


def add(graph: Any, name: str, op: str, *inputs: str, **types: int) -> Any:
    node = graph.node.add(name=name, op=op, input=list(inputs))
    for attribute, number in types.items():
        node.attr[attribute].type = number
    return node


def function(graph: Any, name: str, op: str) -> Any:
    """A function from float to float with one op."""
    made = graph.library.function.add()
    made.signature.name = name
    made.signature.input_arg.add(name="x", type=FLOAT)
    made.signature.output_arg.add(name="y", type=FLOAT)
    made.node_def.add(name="inner", op=op, input=["x"]).attr["T"].type = FLOAT
    made.ret["y"] = "inner:output:0"
    return made


def test_an_attribute_at_its_default_is_removed_and_others_are_obstacles() -> None:
    graph = message_class("tensorflow.GraphDef")()
    add(graph, "a", "Placeholder", dtype=FLOAT)
    for name, paddings in (("plain", []), ("padded", [0, 1, 1, 0])):
        node = add(graph, name, "MaxPool", "a", T=FLOAT)
        node.attr["ksize"].list.i.extend([1, 2, 2, 1])
        node.attr["strides"].list.i.extend([1, 2, 2, 1])
        node.attr["padding"].s = b"VALID" if name == "plain" else b"EXPLICIT"
        node.attr["explicit_paddings"].list.i.extend(paddings)
    assert repair(graph, [LEGACY]).sentences() == ["removed explicit_paddings of 1 MaxPool (at its default)"]
    assert {o.node for o in obstacles(graph, [LEGACY])} == {"padded"}
    assert "explicit_paddings" in graph.node[2].attr


def test_disable_copy_on_read_becomes_a_no_op_with_the_same_control_edges() -> None:
    graph = message_class("tensorflow.GraphDef")()
    variable = add(graph, "v", "VarHandleOp", dtype=FLOAT)
    variable.attr["shape"].shape.SetInParent()
    variable.attr["debug_name"].s = b"v/"
    variable.device = "/device:GPU:0"
    add(graph, "before", "NoOp")
    add(graph, "disable", "DisableCopyOnRead", "v", "^before")
    add(graph, "read", "ReadVariableOp", "v", "^disable", dtype=FLOAT)
    inside = function(graph, "f", "Identity")
    inside.node_def.add(name="disable", op="DisableCopyOnRead", input=["x"])
    repair(graph, [LEGACY])
    assert [(n.op, list(n.input)) for n in graph.node[2:]] == [("NoOp", ["^v", "^before"]), ("ReadVariableOp", ["v", "^disable"])]
    assert [(n.op, list(n.input)) for n in inside.node_def] == [("Identity", ["x"]), ("NoOp", [])], "an argument is not a node to wait for"
    assert not graph.node[0].device
    assert not obstacles(graph, [LEGACY])


def test_a_product_of_two_datatypes_is_not_rewritten() -> None:
    graph = message_class("tensorflow.GraphDef")()
    add(graph, "same", "BatchMatMulV3", "a", "b", Ta=FLOAT, Tb=FLOAT, Tout=FLOAT)
    add(graph, "mixed", "BatchMatMulV3", "a", "b", Ta=4, Tb=6, Tout=INT32)
    repair(graph, [LEGACY])
    assert [n.op for n in graph.node] == ["BatchMatMulV2", "BatchMatMulV3"]
    assert graph.node[0].attr["T"].type == FLOAT
    assert [o.node for o in obstacles(graph, [LEGACY])] == ["mixed"]


def parsing(graph: Any, rank: int, **ragged: int) -> Any:
    """ParseExampleV2 of two sparse features and a dense one, on examples of this rank."""
    examples = add(graph, "examples", "Placeholder", dtype=STRING)
    examples.attr["shape"].shape.dim.extend([examples.attr["shape"].shape.Dim(size=-1)] * rank)
    for name in ("names", "sparse", "dense", "ragged", "default"):
        add(graph, name, "Placeholder", dtype=STRING if name != "default" else FLOAT)
    node = add(graph, "parse", "ParseExampleV2", "examples", "names", "sparse", "dense", "ragged", "default", "^examples")
    node.attr["num_sparse"].i = 2
    node.attr["sparse_types"].list.type.extend([FLOAT, STRING])
    node.attr["Tdense"].list.type.append(FLOAT)
    node.attr["dense_shapes"].list.shape.add()
    for attribute in ("ragged_value_types", "ragged_split_types"):
        node.attr[attribute].list.type.extend(ragged.values())
    return node


def test_examples_are_parsed_by_the_older_op_with_each_key_as_a_scalar() -> None:
    graph = message_class("tensorflow.GraphDef")()
    node = parsing(graph, rank=1)
    add(graph, "parse_dense_keys", "Placeholder", dtype=STRING)
    assert repair(graph, [LEGACY]).sentences() == [
        "made 1 ParseExampleV2 a ParseExample (without ragged features both parse a vector of examples alike)"
    ]
    assert (node.op, node.attr["Nsparse"].i, node.attr["Ndense"].i) == ("ParseExample", 2, 1)
    keys = ["parse_sparse_keys:0", "parse_sparse_keys:1", "parse_dense_keys_1:0"]
    assert list(node.input) == ["examples", "names", *keys, "default", "^examples"]
    assert [(n.name, list(n.input), n.attr["num"].i) for n in graph.node if n.op == "Unpack"] == [
        ("parse_sparse_keys", ["sparse"], 2),
        ("parse_dense_keys_1", ["dense"], 1),
    ]
    assert not obstacles(graph, [LEGACY])


def test_ragged_features_and_examples_of_another_rank_keep_the_newer_parser() -> None:
    for made in ({"rank": 1, "ragged": FLOAT}, {"rank": 0}):
        graph = message_class("tensorflow.GraphDef")()
        assert parsing(graph, **made).op == "ParseExampleV2"
        repair(graph, [LEGACY])
        assert [o.op for o in obstacles(graph, [LEGACY])] == ["ParseExampleV2"]


def test_nothing_is_rewritten_for_a_release_that_knows_it() -> None:
    graph = message_class("tensorflow.GraphDef")()
    add(graph, "disable", "DisableCopyOnRead", "v")
    assert repair(graph, [release_of("tensorflow-java@1.1.0")]).sentences() == []
    assert graph.node[0].op == "DisableCopyOnRead"


def test_an_unneeded_function_is_emptied_and_a_called_one_is_an_obstacle() -> None:
    graph = message_class("tensorflow.GraphDef")()
    function(graph, "called", "DenseBincount")
    function(graph, "forgotten", "DenseBincount")
    add(graph, "y", "PartitionedCall").attr["f"].func.name = "called"
    graph.node[0].attr["Tin"].list.SetInParent()
    graph.node[0].attr["Tout"].list.SetInParent()
    found = obstacles(graph, [LEGACY])
    assert {o.function for o in found} == {"called", "forgotten"}
    done = hollow(graph, found, ["y"]).sentences()
    assert done == ["emptied 1 functions that no signature calls: they need DenseBincount"]
    assert {o.function for o in obstacles(graph, [LEGACY])} == {"called"}
    assert graph.library.function[1].ret["y"] == "crossload_nothing_y:output:0"


def test_training_nodes_are_removed_with_consumers_unless_a_signature_needs_them() -> None:
    graph = message_class("tensorflow.GraphDef")()
    for name, op, *inputs in (("x", "NoOp"), ("count", "DenseBincount", "x"), ("train", "NoOp", "^count"), ("y", "NoOp", "^x")):
        add(graph, name, op, *inputs)
    hollow(graph, obstacles(graph, [LEGACY]), ["train"])
    assert len(graph.node) == 4
    hollow(graph, obstacles(graph, [LEGACY]), ["y"])
    assert [n.name for n in graph.node] == ["x", "y"]


def test_signatures_are_corrected_to_match_their_tensors() -> None:
    meta_graph = message_class("tensorflow.MetaGraphDef")()
    add(meta_graph.graph_def, "x", "Placeholder", dtype=FLOAT)
    add(meta_graph.graph_def, "y", "Identity", "x", T=FLOAT)
    signature = meta_graph.signature_def["serve"]
    signature.inputs["x"].name, signature.inputs["x"].dtype = "x:0", INT32
    signature.outputs["y"].name, signature.outputs["y"].dtype = "y:0", 101  # a reference to a float is a float
    sparse = signature.inputs["s"]
    sparse.dtype = FLOAT
    sparse.tensor_shape.dim.add(size=-1)
    sparse.tensor_shape.dim.add(size=3)
    sparse.coo_sparse.values_tensor_name = "values:0"
    sparse.coo_sparse.indices_tensor_name = "indices:0"
    sparse.coo_sparse.dense_shape_tensor_name = "dense_shape:0"
    done = mend(meta_graph).sentences()
    assert done == [
        "made serve/s 3 plain tensors: s/values, s/indices, s/dense_shape",
        "corrected serve/x: it said int32, but its tensor is float32",
    ]
    assert {name: info.name for name, info in signature.inputs.items()} == {
        "x": "x:0", "s/values": "values:0", "s/indices": "indices:0", "s/dense_shape": "dense_shape:0",
    }  # fmt: skip
    assert signature.inputs["x"].dtype == FLOAT
    assert signature.outputs["y"].dtype == 101


def test_tables_that_the_init_op_fills_are_removed_from_the_collection() -> None:
    meta_graph = message_class("tensorflow.MetaGraphDef")()
    for name, *inputs in (("fill",), ("other",), ("init", "^fill")):
        add(meta_graph.graph_def, name, "NoOp", *inputs)
    meta_graph.collection_def["saved_model_main_op"].node_list.value.append("init:0")
    meta_graph.collection_def["table_initializer"].node_list.value.extend(["fill", "other"])
    mend(meta_graph)
    assert list(meta_graph.collection_def["saved_model_main_op"].node_list.value) == ["init"]
    assert list(meta_graph.collection_def["table_initializer"].node_list.value) == ["other"]


@pytest.mark.parametrize(
    ("name", "target", "sentence"),
    [
        ("litert", "saved_model", "litert@2.3.0 takes tflite, but --runtime makes saved_model: leave out --runtime"),
        (
            "tensorflow-java",
            "tflite",
            "--runtime makes only saved_model and graph_def, the formats that TensorFlow's runtimes load, not tflite",
        ),
        ("tensorflow-jav", "saved_model", "near it are 'tensorflow-java'"),
    ],
)
def test_an_impossible_backport_gives_a_one_line_error(name: str, target: str, sentence: str) -> None:
    with pytest.raises(CrossloadError) as caught:
        runtimes_of([name], target)
    assert sentence in str(caught.value)
