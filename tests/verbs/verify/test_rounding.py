"""The unit of what is close: how far rounding alone puts the reference from exact answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload.artifacts.graphs import protos
from crossload.compare.tolerance import BOUND
from crossload.support.files import sha256
from crossload.verbs.export.export import export
from crossload.verbs.verify.rounding import distance
from crossload.verbs.verify.verify import verify
from tests import CORPUS
from tests.environment import made_once, with_tensorflow

numbers = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20)


@given(numbers)
def test_an_exact_answer_has_half_a_last_place_of_its_largest_element(values: list[float]) -> None:
    answer = np.array(values, np.float32)
    assert distance(answer, answer.astype(np.float64)) == pytest.approx(2**-24 * np.abs(answer).max())


@given(numbers, st.floats(1e-6, 1e-3))
def test_a_distance_covers_every_element_unless_it_could_tell_nothing_apart(values: list[float], off: float) -> None:
    answer = np.array(values, np.float32)
    exact = answer.astype(np.float64) + off
    found = distance(answer, exact)
    assert found is not None
    scale = float(np.abs(answer).max())
    assert found == pytest.approx(scale / (4 * BOUND)) or (np.abs(answer - exact) <= (found + 2**-23 * np.abs(answer)) * (1 + 1e-9)).all()


def test_elements_that_are_not_finite_are_left_out() -> None:
    answer = np.array([np.nan, np.inf, 1.0], np.float32)
    assert distance(answer, answer.astype(np.float64)) == 2**-24
    assert distance(answer[:2], answer[:2].astype(np.float64)) is None
    assert distance(np.zeros(0, np.float32), np.zeros(0)) is None


HEALTHY = ("bilinear_resize", "layer_norm_at_mean_1000", "u_net", "deep_dense", "sum_of_200000", "tiny_answers", "thousand_classes")


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of healthy models on which a fixed tolerance raised false alarms, or saw nothing."""
    return made_once(tmp_path_factory, "healthy", lambda folder: with_tensorflow(CORPUS / "healthy.py", folder, *HEALTHY))


@pytest.fixture(scope="module")
def exported(healthy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the model with tiny answers."""
    folder = tmp_path_factory.mktemp("exported") / "tiny"
    export(healthy / "tiny_answers", folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in HEALTHY if n != "tiny_answers"])
def test_a_healthy_model_is_exported_with_default_options(name: str, healthy: Path, tmp_path: Path) -> None:
    bundle = export(healthy / name, tmp_path / "bundle")
    assert [a.format for a in bundle.manifest.artifacts] == ["saved_model", "graph_def", "tflite"]
    assert {r.origin for v in bundle.manifest.vectors for r in v.rounding.values()} == {"float64"}


@pytest.mark.slow
def test_weights_that_vanish_are_a_mismatch_however_small_the_answers(exported: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exported, tmp_path / "bundle")
    file = folder / "frozen_graph.pb"
    graph = protos.parse(file, protos.GraphDefProto, "GraphDef")
    for node in graph.node:
        if node.op == "Const" and node.attr["dtype"].type == 1:
            tensor = node.attr["value"].tensor
            tensor.ClearField("tensor_content")
            tensor.ClearField("float_val")
            tensor.float_val.append(0)
    file.write_bytes(graph.SerializeToString())
    manifest = json.loads((folder / "crossload.json").read_text())
    entry = next(a for a in manifest["artifacts"] if a["id"] == "graph_def")
    entry["sha256"] = sha256(file)
    (folder / "crossload.json").write_text(json.dumps(manifest))
    report = verify(folder, ["tensorflow"])
    outcomes = {r.case.vector: r.outcome for r in report.results if r.case.artifact == "graph_def"}
    assert {vector for vector, outcome in outcomes.items() if outcome == "ok"} == {"zeros"}, "which are answered by zeros"
    assert {r.outcome for r in report.results if r.case.artifact == "saved_model"} == {"ok"}
