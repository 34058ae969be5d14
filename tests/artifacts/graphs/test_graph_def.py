"""GraphDef files: inputs and outputs are inferred, and marked as inferred."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crossload import artifacts
from crossload.artifacts.graphs import graph_def
from crossload.artifacts.messages import message_class
from crossload.contract.signatures import TensorSpec
from crossload.errors import ArtifactError
from tests.corpus import handmade
from tests.corpus.handmade import BOOL, FLOAT, INT32, INT64, STRING, node


def read(path: Path) -> graph_def.GraphDef:
    found = artifacts.read(path)
    assert isinstance(found, graph_def.GraphDef)
    return found


def of(tmp_path: Path, made: Any) -> graph_def.GraphDef:
    return read(handmade.write_graph(tmp_path / "g.pb", made))


@pytest.mark.parametrize(("name", "text"), [("g.pb", False), ("g.pbtxt", True), ("g.pb", True), ("g.bin", False)])
def test_a_graph_is_read_from_binary_and_text_whatever_its_suffix(tmp_path: Path, name: str, text: bool) -> None:
    signature = read(handmade.write_graph(tmp_path / name, handmade.graph(), text=text)).signature()
    assert signature.inputs == (TensorSpec("x", "FP32", (-1, 4), "x:0"),)
    assert signature.outputs == (TensorSpec("probabilities", "FP32", None, "probabilities:0"),)
    assert signature.key is None


def test_ops_that_run_for_their_effect_are_not_outputs(tmp_path: Path) -> None:
    made = handmade.graph()
    for name, op in (
        ("save", "SaveV2"),
        ("nothing", "NoOp"),
        ("tell", "Print"),
        ("left", "Const"),
        ("init", "AssignVariableOp"),
        ("log", "ScalarSummary"),
    ):
        node(made.node, name, op, *(() if op in ("NoOp", "Const") else ("product",)), T=FLOAT)
    node(made.node, "unused", "Placeholder", dtype=FLOAT)
    assert [t.name for t in of(tmp_path, made).outputs] == ["probabilities"]


def test_known_heads_come_first_and_all_outputs_are_listed(tmp_path: Path) -> None:
    made = handmade.graph()
    for name in ("stray", "head/logits", "zebra"):
        node(made.node, name, "Relu", "product", T=FLOAT)
    node(made.node, "Identity", "Identity", "probabilities", T=FLOAT)
    assert [t.name for t in of(tmp_path, made).outputs] == ["head/logits", "Identity", "stray", "zebra"]


def test_a_result_with_only_control_consumers_is_an_output(tmp_path: Path) -> None:
    made = handmade.graph()
    node(made.node, "update", "NoOp", "^probabilities")
    assert [t.name for t in of(tmp_path, made).outputs] == ["probabilities"]


def test_only_inputs_that_the_outputs_depend_on_are_in_the_signature(tmp_path: Path) -> None:
    made = handmade.graph()
    node(made.node, "labels", "Placeholder", shape=(-1,), dtype=INT64)
    node(made.node, "phase", "Placeholder", shape=(), dtype=BOOL)
    node(made.node, "gate", "NoOp", "^phase")
    made.node[4].input.append("^gate")
    found = of(tmp_path, made)
    assert [t.name for t in found.inputs] == ["x", "phase", "labels"]
    assert [t.name for t in found.signature().inputs] == ["x", "phase"]


def test_return_values_are_the_outputs_in_their_order_and_arguments_the_inputs(tmp_path: Path) -> None:
    made = message_class("tensorflow.GraphDef")()
    made.versions.producer = 1000
    node(made.node, "b", "_Arg", T=INT32).attr["index"].i = 1
    node(made.node, "a", "_Arg", T=FLOAT).attr["index"].i = 0
    node(made.node, "top", "TopKV2", "a", "b", T=FLOAT)
    node(made.node, "second", "_Retval", "top:1", T=INT32).attr["index"].i = 1
    node(made.node, "first", "_Retval", "top", T=FLOAT).attr["index"].i = 0
    node(made.node, "stray", "Relu", "a", T=FLOAT)
    found = of(tmp_path, made)
    assert found.outputs == (TensorSpec("first", "FP32", None, "top:0"), TensorSpec("second", "INT32", None, "top:1"))
    assert [(t.name, t.datatype) for t in found.signature().inputs] == [("a", "FP32"), ("b", "INT32")]


def test_every_output_of_a_sink_is_an_output(tmp_path: Path) -> None:
    made = handmade.graph()
    node(made.node, "top", "TopKV2", "probabilities", "w", T=FLOAT)
    node(made.node, "parts", "Split", "w", "probabilities", T=FLOAT).attr["num_split"].i = 3
    node(made.node, "call", "PartitionedCall", "probabilities", Tin=[FLOAT], Tout=[STRING, INT64])
    found = of(tmp_path, made)
    assert [(t.name, t.datatype, t.tensor) for t in found.outputs] == [
        ("top", "FP32", "top:0"),
        ("top:1", "INT32", "top:1"),
        ("parts", "FP32", "parts:0"),
        ("parts:1", "FP32", "parts:1"),
        ("parts:2", "FP32", "parts:2"),
        ("call", "BYTES", "call:0"),
        ("call:1", "INT64", "call:1"),
    ]


def test_a_function_call_has_the_outputs_of_the_function(tmp_path: Path) -> None:
    made = handmade.graph()
    function = made.library.function.add()
    function.signature.name = "decode"
    function.signature.output_arg.add(name="text", type=STRING)
    function.signature.output_arg.add(name="score", type_attr="T")
    node(function.node_def, "inner", "StringJoin")
    node(made.node, "decoded", "decode", "probabilities", T=INT64)
    found = of(tmp_path, made)
    assert [(t.name, t.datatype) for t in found.outputs] == [("decoded", "BYTES"), ("decoded:1", "INT64")]
    assert found.ops["StringJoin"] == 1
    assert found.functions == ("decode",)


@pytest.mark.parametrize(
    ("op", "types", "datatype"),
    [
        ("Cast", {"SrcT": FLOAT, "DstT": INT32}, "INT32"),
        ("ArgMax", {"T": FLOAT, "Tidx": INT32, "output_type": INT32}, "INT32"),
        ("ArgMax", {"T": FLOAT}, "INT64"),
        ("Shape", {"T": FLOAT}, "INT32"),
        ("Shape", {"T": FLOAT, "out_type": INT64}, "INT64"),
        ("Greater", {"T": FLOAT}, "BOOL"),
        ("GatherV2", {"Tparams": STRING, "Tindices": INT64, "Taxis": INT32}, "BYTES"),
        ("LookupTableFindV2", {"Tin": STRING, "Tout": INT64}, "INT64"),
        ("Bitcast", {"T": FLOAT, "type": INT32}, "INT32"),
        ("OneHot", {"T": FLOAT, "TI": INT64}, "FP32"),
        ("SomebodysOwnOp", {}, "DT_0"),
    ],
)
def test_an_outputs_datatype_comes_from_the_op_not_its_inputs(tmp_path: Path, op: str, types: dict[str, int], datatype: str) -> None:
    made = handmade.graph()
    node(made.node, "last", op, "probabilities", **types)
    assert [(t.name, t.datatype) for t in of(tmp_path, made).outputs] == [("last", datatype)]


def test_an_output_of_unknown_datatype_can_be_requested(tmp_path: Path) -> None:
    made = handmade.graph()
    node(made.node, "last", "SomebodysOwnOp", "probabilities")
    [(tags, signatures)] = artifacts.callable_signatures(of(tmp_path, made))
    assert tags is None
    assert signatures["serving_default"].outputs[0].datatype == "DT_0"


def test_a_graph_that_needs_a_resource_cannot_be_called(tmp_path: Path) -> None:
    made = handmade.graph()
    node(made.node, "table", "Placeholder", shape=(), dtype=handmade.RESOURCE)
    node(made.node, "found", "LookupTableFindV2", "table", "probabilities", Tin=FLOAT, Tout=INT64)
    found = of(tmp_path, made)
    assert [t.datatype for t in found.signature().inputs] == ["FP32", "DT_20"]
    assert artifacts.callable_signatures(found) == [(None, {})]


def test_stated_output_shapes_are_used(tmp_path: Path) -> None:
    made = handmade.graph()
    stated = made.node[4].attr["_output_shapes"].list.shape.add()
    stated.dim.add(size=-1)
    stated.dim.add(size=2)
    assert of(tmp_path, made).outputs[0].shape == (-1, 2)


@pytest.mark.parametrize(("producer", "shape"), [(21, None), (22, ())])
def test_an_old_placeholder_without_dimensions_has_an_unknown_shape(tmp_path: Path, producer: int, shape: tuple[int, ...] | None) -> None:
    made = handmade.graph(producer=producer)
    made.node[0].attr["shape"].shape.ClearField("dim")
    assert of(tmp_path, made).inputs[0].shape == shape


def test_a_placeholder_with_default_keeps_its_default(tmp_path: Path) -> None:
    made = handmade.graph()
    rate = node(made.node, "rate", "Const", dtype=FLOAT)
    rate.attr["value"].tensor.dtype = FLOAT
    rate.attr["value"].tensor.float_val.append(0.25)
    node(made.node, "keep", "PlaceholderWithDefault", "rate", shape=(), dtype=FLOAT)
    made.node[4].input.append("^keep")
    assert of(tmp_path, made).signature().inputs[1] == TensorSpec("keep", "FP32", (), "keep:0", {"shape": [], "data": [0.25]})


def test_outputs_can_be_chosen_by_name(tmp_path: Path) -> None:
    made = handmade.graph()
    node(made.node, "y", "Placeholder", shape=(), dtype=INT32)
    node(made.node, "top", "TopKV2", "probabilities", "y", T=FLOAT)
    found = of(tmp_path, made)
    assert found.signature(["product"]) == graph_def.Signature((found.inputs[0],), (TensorSpec("product", "FP32", None, "product:0"),))
    assert found.signature(["top:1"]).outputs[0].datatype == "INT32"
    for name in ("nobody", "product:1", "top:x", ""):
        with pytest.raises(ArtifactError, match=r"no tensor .* are: top"):
            found.signature([name])


def test_a_graph_without_outputs_is_refused(tmp_path: Path) -> None:
    made = message_class("tensorflow.GraphDef")()
    node(made.node, "x", "Placeholder", dtype=FLOAT)
    found = of(tmp_path, made)
    assert artifacts.callable_signatures(found) == [(None, {})]
    with pytest.raises(ArtifactError, match="no operation that looks like an output"):
        found.signature()


def test_a_file_cut_between_two_nodes_is_detected_by_the_missing_node(tmp_path: Path) -> None:
    whole = handmade.graph()
    cut = message_class("tensorflow.GraphDef")(node=whole.node[2:])
    with pytest.raises(ArtifactError, match="node 'product' takes 'x', which is not in the graph"):
        of(tmp_path, cut)


def test_json_lists_candidates_and_versions(tmp_path: Path) -> None:
    found = json.loads(json.dumps(of(tmp_path, handmade.graph()).to_json(), allow_nan=False))
    assert found["format"] == "graph_def"
    assert found["versions"]["producer"] == 2474
    assert found["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4], "tensor": "x:0", "reason": "placeholder"}]
    reason = "a head by its name; nothing takes its result"
    assert found["outputs"] == [{"name": "probabilities", "datatype": "FP32", "shape": None, "tensor": "probabilities:0", "reason": reason}]
    assert found["ops"]["MatMul"] == 1
