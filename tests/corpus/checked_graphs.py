"""Graphs and SavedModels for check, and the releases that it is asked about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crossload.artifacts.graphs import protos
from crossload.artifacts.messages import message_class
from crossload.contract.manifest import Binding
from crossload.releases.registrations import releases
from crossload.verbs.check.prediction import Prediction, predict

LEGACY = "tensorflow-java-legacy@1.15.0"

FLOAT, INT8, STRING, INT4 = 1, 6, 7, 29

RELEASES = [r.title for r in releases()]


def add(graph: Any, name: str, op: str, *inputs: str, device: str = "", **types: int) -> Any:
    node = graph.node.add(name=name, op=op, input=list(inputs), device=device)
    for attr, number in types.items():
        node.attr[attr].type = number
    return node


def graph_of(datatype: int = FLOAT, **y: Any) -> Any:
    """y = x."""
    graph = message_class("tensorflow.GraphDef")()
    graph.versions.producer = 1000
    add(graph, "x", "Placeholder", dtype=datatype)
    add(graph, "y", "Identity", "x", T=datatype, **y)
    return graph


def call(graph: Any, name: str, called: str, op: str = "PartitionedCall") -> None:
    node = graph.node.add(name=name, op=op, input=["x"])
    node.attr["Tin"].list.type.append(FLOAT)
    node.attr["Tout"].list.type.append(FLOAT)
    node.attr["f"].func.name = called


def saved_model(folder: Path, graph: Any) -> Any:
    """A SavedModel of this graph, not written yet."""
    saved = protos.SavedModelProto(saved_model_schema_version=1)
    meta_graph = saved.meta_graphs.add()
    meta_graph.meta_info_def.tags.append("serve")
    meta_graph.graph_def.CopyFrom(graph)
    signature = meta_graph.signature_def["serving_default"]
    for side, name in ((signature.inputs, "x"), (signature.outputs, "y")):
        side[name].name, side[name].dtype = f"{name}:0", FLOAT
        side[name].tensor_shape.unknown_rank = True
    folder.mkdir()
    return saved


def outcomes(tmp_path: Path, graph: Any, **change: Any) -> dict[str, Prediction]:
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.SerializeToString())
    binding = Binding(inputs={"x": "x:0"}, outputs={"y": "y:0"}, **change)
    return {title: predict(path, title, bindings={"s": binding}) for title in RELEASES}


def stopped(found: dict[str, Prediction]) -> dict[str, str]:
    return {title: p.outcome for title, p in found.items() if p.outcome != "ok"}
