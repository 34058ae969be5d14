"""The unit of what is close: how far rounding alone puts the reference from exact answers."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload.artifacts.entries import artifacts_of
from crossload.artifacts.graphs import protos
from crossload.compare.tolerance import BOUND, EPSILON, parse
from crossload.contract import datatypes
from crossload.contract.vectors import Vector
from crossload.inputs.requests import Requests
from crossload.runtimes.supervisor import Supervisor
from crossload.support.files import sha256
from crossload.verbs.export.export import export
from crossload.verbs.verify.record import record_with
from crossload.verbs.verify.rounding import clamped, distance, scale_of
from crossload.verbs.verify.verify import verify
from tests import CORPUS
from tests.environment import launch_of, made_once, with_tensorflow

numbers = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20)


@given(numbers, st.floats(1e-6, 1e-3))
def test_a_distance_covers_every_element_beyond_its_last_place(values: list[float], off: float) -> None:
    answer = np.array(values, np.float32)
    exact = answer.astype(np.float64) + off
    found = distance(answer, exact)
    assert found is not None
    assert (np.abs(answer - exact) <= (found + 2**-23 * np.abs(answer.astype(np.float64))) * (1 + 1e-9)).all()


def test_a_rounding_is_half_a_last_place_at_least_and_tells_answers_apart() -> None:
    assert clamped(0.0, "FP32", 1.0) == 2**-24
    assert clamped(1e-5, "FP32", 1.0) == 1e-5
    assert clamped(0.9, "FP32", 1.0) == 1 / (4 * BOUND)


def test_elements_that_are_not_finite_are_left_out() -> None:
    answer = np.array([np.nan, np.inf, 1.0], np.float32)
    assert (distance(answer, answer.astype(np.float64)), scale_of(answer)) == (0.0, 1.0)
    assert (distance(answer[:2], answer[:2].astype(np.float64)), scale_of(answer[:2])) == (None, None)
    assert distance(np.zeros(0, np.float32), np.zeros(0)) is None


def test_complex_numbers_have_the_distance_of_their_parts() -> None:
    assert distance(np.array([1 + 2j], np.complex64), np.array([1 + 2.5j])) == pytest.approx(0.5, rel=1e-5)


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


def rescaled(bundle: Path, folder: Path, factor: float) -> Path:
    """The bundle with all weights of its frozen graph times a factor, under a new hash."""
    folder = shutil.copytree(bundle, folder)
    file = folder / "frozen_graph.pb"
    graph = protos.parse(file, protos.GraphDefProto, "GraphDef")
    for node in graph.node:
        if node.op == "Const" and node.attr["dtype"].type == 1:
            tensor = node.attr["value"].tensor
            tensor.tensor_content = (np.frombuffer(tensor.tensor_content, np.float32) * np.float32(factor)).tobytes()
            tensor.float_val[:] = [value * factor for value in tensor.float_val]
    file.write_bytes(graph.SerializeToString())
    manifest = json.loads((folder / "crossload.json").read_text())
    entry = next(a for a in manifest["artifacts"] if a["id"] == "graph_def")
    entry["sha256"] = sha256(file)
    (folder / "crossload.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.slow
def test_weights_that_vanish_are_a_mismatch_however_small_the_answers(exported: Path, tmp_path: Path) -> None:
    report = verify(rescaled(exported, tmp_path / "bundle", 0), ["tensorflow"])
    outcomes = {r.case.vector: r.outcome for r in report.results if r.case.artifact == "graph_def"}
    assert {vector for vector, outcome in outcomes.items() if outcome == "ok"} == {"zeros"}, "which are answered by zeros"
    assert {r.outcome for r in report.results if r.case.artifact == "saved_model"} == {"ok"}


@pytest.mark.slow
def test_the_suggested_tolerance_makes_verify_pass(exported: Path, tmp_path: Path) -> None:
    bundle = rescaled(exported, tmp_path / "bundle", 1.0001)
    report = verify(bundle, ["tensorflow"])
    failed = [r for r in report.results if r.outcome == "mismatch"]
    (said,) = {(r.error or "").rpartition("; ")[2] for r in failed}
    words = shlex.split(said)
    assert words[:-1] == ["all", "9", "vectors", "agree", "with", "--tolerance"]
    assert len(failed) > 1
    assert verify(bundle, ["tensorflow"], tolerance=parse(words[-1:])).exit_status == 0


def graph(path: Path, *nodes: tuple[str, str, list[str], dict[str, Any]]) -> Path:
    """A frozen graph; an attribute is a datatype, a shape (a list), or a constant (an array)."""
    made = protos.GraphDefProto()
    made.versions.producer = 1987
    for name, op, inputs, attributes in nodes:
        node = made.node.add(name=name, op=op, input=inputs)
        for key, value in attributes.items():
            if isinstance(value, np.ndarray):
                tensor = node.attr[key].tensor
                tensor.dtype = node.attr["dtype"].type = {"f4": 1, "i4": 3, "f8": 2}[value.dtype.str[1:]]
                tensor.tensor_content = value.tobytes()
                for size in value.shape:
                    tensor.tensor_shape.dim.add(size=size)
            elif isinstance(value, list):
                for size in value:
                    node.attr[key].shape.dim.add(size=size)
            else:
                node.attr[key].type = value
    path.write_bytes(made.SerializeToString())
    return path


WEIGHTS = np.random.default_rng(0).standard_normal((64, 5))


def dense(kind: int, *more: Any) -> list[Any]:
    weights = WEIGHTS.astype({1: np.float32, 2: np.float64}[kind])
    nodes = [("x", "Placeholder", [], {"dtype": kind, "shape": [-1, 64]}), ("w", "Const", [], {"value": weights})]
    return [*nodes, ("y" if not more else "m", "MatMul", ["x", "w"], {"T": kind}), *more]


LOOKED_UP = [
    ("i", "Placeholder", [], {"dtype": 3, "shape": [-1]}),
    ("w", "Const", [], {"value": WEIGHTS}),
    ("a", "Const", [], {"value": np.array(0, np.int32)}),
    ("y", "GatherV2", ["w", "i", "a"], {"Tparams": 2, "Tindices": 3, "Taxis": 3}),
]


@pytest.fixture(scope="module")
def reference() -> Iterator[Supervisor]:
    with Supervisor("tensorflow", launch_of("tensorflow")) as supervisor:
        yield supervisor


@pytest.mark.slow
@pytest.mark.parametrize(
    ("nodes", "origin", "least", "most"),
    [
        (dense(1), "float64", 0.5, 20),
        (dense(2), "perturbation", 0.5, 20),
        (LOOKED_UP, "perturbation", 0.5, 1),
    ],
    ids=["float32", "float64", "integers"],
)
def test_every_answer_has_a_rounding_that_says_where_it_comes_from(
    nodes: list[Any], origin: str, least: float, most: float, reference: Supervisor, tmp_path: Path
) -> None:
    path = graph(tmp_path / "model.pb", *nodes)
    (artifact,), signatures = artifacts_of(path, path.name)
    kept: dict[str, list[Vector]] = {}
    (entry,), _ = record_with(reference, tmp_path, artifact, signatures, Requests(), kept=kept)
    assert (entry.rounding["y"].origin, entry.reference.environment["threads"]) == (origin, 2)
    (vectors,) = kept.values()
    epsilon = EPSILON[datatypes.of_array(vectors[0].outputs["y"])]
    found = [v.rounding["y"] / epsilon / np.abs(v.outputs["y"]).max() for v in vectors if v.outputs["y"].any()]
    assert least <= min(found) <= max(found) <= most


@pytest.mark.slow
def test_a_tflite_is_moved_with_its_weights(healthy: Path, tmp_path: Path) -> None:
    export(healthy / "thousand_classes", tmp_path / "bundle", formats=["tflite"])
    report = verify(tmp_path / "bundle" / "model.tflite", ["tflite-runtime", "tflite-micro"])
    assert {r.outcome for r in report.results} <= {"ok", "unsupported"}
    assert 0.01 < max(r.metrics["rounding"] for r in report.results if r.outcome == "ok") < BOUND
