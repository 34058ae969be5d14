"""A .tflite for Model Explorer: every value has an edge, and errors are on the nodes that make them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossload.artifacts.tflite import inner
from crossload.errors import CrossloadError
from crossload.report.results import Case, Report, Result
from crossload.verbs.show import model_explorer
from tests.corpus.handmade import Lite, Tensor


def test_every_edge_leads_to_a_node_and_every_operator_is_one(demo: Path) -> None:
    graphs = inner.read_all(demo / "model.tflite")
    made = model_explorer.collection(graphs, "digits")
    (graph,) = made["graphs"]
    nodes = {n["id"]: n for n in graph["nodes"]}
    assert len(nodes) == len(graph["nodes"])
    assert [nodes[str(n)]["label"] for n in range(9)] == [o.op for o in graphs[0].operators]
    assert all(edge["sourceNodeId"] in nodes for n in graph["nodes"] for edge in n["incomingEdges"])
    assert len(nodes["0"]["incomingEdges"]) == 3
    assert nodes["0"]["namespace"] == "digits_1/conv2d_1"
    assert nodes["outputs"]["incomingEdges"][0]["sourceNodeId"] == "8"


def test_quantisation_is_told_as_text(tmp_path: Path) -> None:
    tensors = [Tensor("x", kind=9, scale=[0.5], zero_point=[-128]), Tensor("y", kind=9, scale=[0.25, 2], zero_point=[0, 1], axis=1)]
    (tmp_path / "m.tflite").write_bytes(Lite(tensors=tensors).build())
    text = json.dumps(model_explorer.collection(inner.read_all(tmp_path / "m.tflite"), "m"))
    assert "0.5 * (q - -128)" in text
    assert "axis 1: 0.25 * (q - 0), 2 * (q - 1)" in text


def test_a_report_of_verify_gives_each_output_its_worst_agreement(demo: Path, tmp_path: Path) -> None:
    results = [
        Result(Case("tflite", runtime, "serving_default", "v"), "ok", "ulp", outputs={"probabilities": level})
        for runtime, level in (("a", "identical"), ("b", "close"), ("c", "ulp"))
    ]
    other = Result(Case("saved_model", "a", "serving_default", "v"), "mismatch", "different", outputs={"probabilities": "different"})
    (tmp_path / "r.json").write_text(Report("elsewhere/digits", results=[*results, other]).to_json())
    graphs = inner.read_all(demo / "model.tflite")
    data = model_explorer.node_data(graphs, demo / "model.tflite", tmp_path / "r.json")
    assert data == {"0 main": {"results": {"8": {"value": "close"}}}}


def test_a_diagnosis_gives_each_operator_its_distance(demo: Path, tmp_path: Path) -> None:
    graphs = inner.read_all(demo / "model.tflite")
    made = [graphs[0].tensors[o.outputs[0]] for o in graphs[0].operators[:2]]
    distances = {f"{t.name} (tensor {t.index})": apart for t, apart in zip(made, (1.5, None), strict=True)}
    (tmp_path / "d.json").write_text(json.dumps({"distances": distances}))
    data = model_explorer.node_data(graphs, demo / "model.tflite", tmp_path / "d.json")
    assert data["0 main"]["results"] == {"0": {"value": 1.5}, "1": {"value": "not finite"}}


def test_a_report_of_another_model_is_refused(demo: Path, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(Report("another").to_json())
    with pytest.raises(CrossloadError, match="has no result for"):
        model_explorer.node_data(inner.read_all(demo / "model.tflite"), demo / "model.tflite", tmp_path / "r.json")
