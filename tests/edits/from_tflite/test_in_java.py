"""The graph of every operator in every release of TensorFlow Java: it does what `check` predicts, and answers as TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from crossload.artifacts.tflite import tflite_file
from crossload.compare.judge import judge
from crossload.compare.tolerance import Tolerances
from crossload.contract.manifest import Binding
from crossload.edits.from_tflite.edge import tflite_to_graph_def
from crossload.edits.from_tflite.table import FAMILIES, OPERATORS
from crossload.errors import CrossloadError, WorkerFailure
from crossload.runtimes import registry
from crossload.runtimes.supervisor import ModelSource, Supervisor
from crossload.verbs.check.prediction import predict
from tests.edits.from_tflite.one_operator import asked, drawn, more
from tests.environment import launch_of
from tests.runtimes.test_java_releases import RELEASES

pytestmark = pytest.mark.slow
# Java has no tensor of these datatypes, in one release or another: tests/runtimes/test_java_releases.py.
_ANYWHERE = {"float32", "int32", "int64", "bool", "-"}
# Operators that take or make complex numbers or quantised ones, and those that one operator alone does not show (test_layers.py).
_WITHOUT = {"COMPLEX_ABS", "REAL", "IMAG", "RFFT2D", "QUANTIZE", "DEQUANTIZE", *FAMILIES["control flow"], *FAMILIES["tables and variables"]}


@dataclass(frozen=True)
class Graph:
    """The graph of an operator, a request, and TensorFlow's answer."""

    op: str
    path: Path
    binding: Binding
    inputs: Mapping[str, np.ndarray]
    answer: Mapping[str, np.ndarray]

    @property
    def source(self) -> ModelSource:
        return ModelSource(self.path, "graph_def", {"s": self.binding})


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> list[Graph]:
    """For each operator the first and the last file that becomes a graph, of datatypes that every release of Java has."""
    folder = tmp_path_factory.mktemp("graphs")
    found: dict[str, list[Graph]] = {}
    with Supervisor("tensorflow", launch_of("tensorflow")) as tensorflow:
        for number, probe in enumerate(chain(asked(), more())):
            types = {t for side in probe.key.partition(",")[0].split("->") for t in side.split()}
            file = folder / f"{number}.tflite"
            file.write_bytes(probe.file)
            signature = tflite_file.of(file, probe.file, ops=False).signature()
            if not types <= _ANYWHERE or not signature.outputs:
                continue
            sides = ({t.name: t.tensor for t in side if t.tensor is not None} for side in (signature.inputs, signature.outputs))
            plain = dict(zip(("inputs", "outputs"), sides, strict=True))
            try:
                made = tflite_to_graph_def(file, file.with_suffix(".pb"), {"s": {"key": None, **plain}}, {})
                binding, given = Binding(**made["s"]), drawn(signature)
                tensorflow.load(ModelSource(file.with_suffix(".pb"), "graph_def", {"s": binding}))
                answer = tensorflow.infer("s", given, list(binding.outputs)).outputs
            except (CrossloadError, WorkerFailure):  # test_operators.py states which do not become a graph, and why
                continue
            graph = Graph(probe.op, file.with_suffix(".pb"), binding, given, answer)
            found[probe.op] = [*found.get(probe.op, [])[:1], graph]
    assert set(OPERATORS) - found.keys() <= _WITHOUT
    return [graph for ones in found.values() for graph in ones]


@pytest.mark.parametrize("release", RELEASES)
def test_a_release_does_with_every_operator_what_check_predicts(graphs: list[Graph], release: str) -> None:
    runtime = registry.find([release])[0]
    wrong, ran = [], 0
    with Supervisor(runtime.name, launch_of(release)) as java:
        for graph in graphs:
            predicted = predict(graph.path, runtime.title, bindings={"s": graph.binding})
            outcome = _outcome(java, graph)
            ran += outcome == "ok"
            if outcome != predicted.signatures["s"]:
                wrong.append(f"{graph.op}: {predicted.signatures['s']} ({predicted.explanation()}), but {outcome}")
    assert not wrong, "\n".join(wrong)
    assert ran > len(graphs) * 0.95


def _outcome(java: Supervisor, graph: Graph) -> str:
    try:
        java.load(graph.source)
        answer = java.infer("s", graph.inputs, list(graph.answer)).outputs
    except WorkerFailure as failure:
        return f"{failure.outcome}"
    judgement = judge(graph.answer, answer, Tolerances())[0]
    return "ok" if judgement.agreement != "different" else f"mismatch: {judgement.reason}"
