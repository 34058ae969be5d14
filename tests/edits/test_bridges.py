"""Bridges in graphs: casts around an unchanged computation, invisible to other callers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossload.artifacts.graphs import graph_def, saved_model
from crossload.artifacts.messages import message_class
from crossload.contract.manifest import Binding
from crossload.contract.signatures import Signature, TensorSpec
from crossload.edits import bridges
from tests.corpus import handmade
from tests.corpus.bridged_graph import COMPLEX64, FLOAT, INT8, INT32, graph
from tests.corpus.handmade import node

BINDING = Binding(key=None, inputs={"x": "x:0", "f": "f"}, outputs={"y": "y:0", "angle": "polar:1"})
SIGNATURE = Signature(
    (TensorSpec("x", "INT8", (-1, 4)), TensorSpec("f", "FP32", ())),
    (TensorSpec("y", "INT8", (-1, 4)), TensorSpec("angle", "COMPLEX64", (-1, 4))),
)


def nodes(made: Any) -> dict[str, Any]:
    return {n.name: n for n in made.node}


def test_an_input_can_be_fed_as_before_or_through_its_carrier() -> None:
    made = graph()
    bridge = bridges.add(made, SIGNATURE, BINDING)
    assert bridge is not None
    assert bridge.carriers == {"INT8": "INT32", "COMPLEX64": "FP32"}
    assert bridge.inputs == {"x": "crossload_bridge/input/x:0", "f": "f"}
    there = nodes(made)
    assert (there["x"].op, there["x"].attr["dtype"].type) == ("PlaceholderWithDefault", INT8)
    cast = there[there["x"].input[0]]
    carrier = there[cast.input[0]]
    assert (cast.op, cast.attr["SrcT"].type, cast.attr["DstT"].type) == ("Cast", INT32, INT8)
    assert (carrier.name, carrier.op, carrier.attr["dtype"].type) == ("crossload_bridge/input/x", "Placeholder", INT32)
    assert [d.size for d in carrier.attr["shape"].shape.dim] == [-1, 4]


def test_every_output_of_an_operation_gets_a_cast() -> None:
    made = graph()
    bridge = bridges.add(made, SIGNATURE, BINDING)
    assert bridge is not None
    there = nodes(made)
    y, angle = (there[bridge.outputs[name].removesuffix(":0")] for name in ("y", "angle"))
    assert (y.op, list(y.input), y.attr["DstT"].type) == ("Cast", ["y"], INT32)
    assert (angle.op, list(angle.input), angle.attr["T"].type, angle.attr["type"].type) == ("Bitcast", ["polar:1"], COMPLEX64, FLOAT)


def test_a_complex_input_gets_one_more_axis() -> None:
    made = message_class("tensorflow.GraphDef")()
    node(made.node, "z", "Placeholder", shape=(-1,), dtype=COMPLEX64)
    signature = Signature((TensorSpec("z", "COMPLEX64", (-1,)),), (TensorSpec("w", "COMPLEX64", (-1,)),))
    assert bridges.add(made, signature, Binding(inputs={"z": "z:0"}, outputs={"w": "z:0"}))
    shape = nodes(made)["crossload_bridge/input/z"].attr["shape"].shape
    assert [d.size for d in shape.dim] == [-1, 2]


def test_an_input_with_a_default_keeps_it_when_not_fed() -> None:
    made = message_class("tensorflow.GraphDef")()
    node(made.node, "seven", "Const", dtype=INT8)
    node(made.node, "k", "PlaceholderWithDefault", "seven", shape=(), dtype=INT8)
    before = made.SerializeToString(deterministic=True)
    signature = Signature((TensorSpec("k", "INT8", ()),), (TensorSpec("y", "INT8", ()),))
    assert bridges.add(made, signature, Binding(inputs={"k": "k:0"}, outputs={"y": "k:0"}))
    there = nodes(made)
    carrier = there["crossload_bridge/input/k"]
    assert carrier.op == "PlaceholderWithDefault"
    assert list(there[carrier.input[0]].input) == ["seven"]
    bridges.remove(made)
    assert made.SerializeToString(deterministic=True) == before


def test_bridges_can_be_removed_again() -> None:
    made, before = graph(), graph()
    bridges.add(made, SIGNATURE, BINDING)
    assert len(made.node) > len(before.node)
    bridges.remove(made)
    assert made == before


def test_a_second_signature_over_the_same_tensors_adds_nothing() -> None:
    made = graph()
    first = bridges.add(made, SIGNATURE, BINDING)
    count = len(made.node)
    assert bridges.add(made, SIGNATURE, BINDING) == first
    assert len(made.node) == count


@pytest.mark.parametrize(
    ("signature", "binding"),
    [
        (Signature((TensorSpec("f", "FP32", ()),), (TensorSpec("y", "FP32", ()),)), BINDING),
        (Signature((TensorSpec("x", "INT8", ()),), (TensorSpec("y", "DT_0", ()),)), BINDING),
        (Signature((TensorSpec("x", "INT8", ()),), (TensorSpec("y", "INT8", ()),)), Binding(inputs={"x": "y:0"}, outputs={"y": "y:0"})),
        (Signature((TensorSpec("x", "INT16", ()),), (TensorSpec("y", "INT8", ()),)), BINDING),
    ],
    ids=["nothing is lacking", "a datatype nobody knows", "an input that is not a placeholder", "an input of another datatype"],
)
def test_a_signature_without_a_possible_bridge_is_unchanged(signature: Signature, binding: Binding) -> None:
    made = graph()
    assert bridges.add(made, signature, binding) is None
    assert made == graph()


def test_a_bridge_does_not_change_likely_inputs_and_outputs(tmp_path: Path) -> None:
    made = graph()
    before = graph_def.read(handmade.write_graph(tmp_path / "a.pb", made))
    bridges.add(made, SIGNATURE, BINDING)
    after = graph_def.read(handmade.write_graph(tmp_path / "b.pb", made))
    assert [t.tensor for t in after.inputs] == [t.tensor for t in before.inputs] == ["x:0", "f:0"]
    assert [t.tensor for t in after.outputs] == [t.tensor for t in before.outputs]


def test_a_bridge_is_shown_with_its_signature_not_as_a_signature(tmp_path: Path) -> None:
    made = handmade.meta_graph("serve")
    made.graph_def.CopyFrom(graph())
    definition = made.signature_def["serving_default"]
    definition.Clear()
    for name, tensor, dtype in (("x", "x:0", INT8), ("f", "f:0", FLOAT)):
        handmade.tensor_info(definition.inputs[name], tensor, dtype)
    handmade.tensor_info(definition.outputs["y"], "y:0", INT8)
    signature = Signature(SIGNATURE.inputs, SIGNATURE.outputs[:1])
    binding = Binding(key="serving_default", inputs=BINDING.inputs, outputs={"y": "y:0"})
    bridge = bridges.add_to_meta_graph(made, {"serving_default": signature}, {"serving_default": binding})["serving_default"]
    read = saved_model.read(handmade.saved_model(tmp_path / "model", made)).meta_graph()
    assert list(read.signatures) == ["serving_default"]
    assert read.to_json()["bridges"] == {"serving_default": "crossload_bridge_serving_default"}
    found = read.bridges["serving_default"]
    assert {t.name: (t.datatype, t.tensor) for t in found.inputs} == {"x": ("INT32", bridge.inputs["x"]), "f": ("FP32", "f")}
    assert {t.name: (t.datatype, t.shape) for t in found.outputs} == {"y": ("INT32", (-1, 4))}
