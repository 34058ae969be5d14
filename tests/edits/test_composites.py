"""Composite tensors in exports: their parts are plain tensors that every TensorFlow Java can feed and fetch."""

from __future__ import annotations

from pathlib import Path

from crossload.artifacts.graphs import saved_model
from crossload.edits import composites
from tests.corpus import handmade
from tests.corpus.handmade import FLOAT, INT64, node


def test_a_sparse_tensor_becomes_its_parts_and_passed_through_parts_can_be_fetched(tmp_path: Path) -> None:
    made = handmade.meta_graph("serve")
    for part, datatype in (("indices", INT64), ("values", FLOAT), ("shape", INT64)):
        node(made.graph_def.node, f"x/{part}", "Placeholder", dtype=datatype)
    node(made.graph_def.node, "twice", "Add", "x/values", "x/values", T=FLOAT)
    definition = made.signature_def["serving_default"]
    definition.Clear()
    for info, values in ((definition.inputs["x"], "x/values:0"), (definition.outputs["twice"], "twice:0")):
        info.dtype = FLOAT
        parts = info.coo_sparse
        parts.values_tensor_name, parts.indices_tensor_name, parts.dense_shape_tensor_name = values, "x/indices:0", "x/shape:0"
    folder = handmade.saved_model(tmp_path / "model", made)
    assert composites.flatten(folder) == ["x", "twice"]
    read = saved_model.read(folder).meta_graph()
    signature = read.signatures["serving_default"]
    assert {t.name: t.tensor for t in signature.inputs} == {
        "x/values": "x/values:0",
        "x/indices": "x/indices:0",
        "x/dense_shape": "x/shape:0",
    }
    assert {t.name: t.tensor for t in signature.outputs} == {
        "twice/values": "twice:0",
        "twice/indices": "crossload_parts/x/indices/0:0",
        "twice/dense_shape": "crossload_parts/x/shape/0:0",
    }
    added = {n.name: (n.op, list(n.input), n.attr["T"].type) for n in read.proto.graph_def.node if n.name.startswith("crossload_parts/")}
    assert added == {
        "crossload_parts/x/indices/0": ("Identity", ["x/indices"], INT64),
        "crossload_parts/x/shape/0": ("Identity", ["x/shape"], INT64),
    }
    once = (folder / "saved_model.pb").read_bytes()
    assert composites.flatten(folder) == []
    assert (folder / "saved_model.pb").read_bytes() == once
