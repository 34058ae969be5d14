"""TensorFlow → .tflite → graph → Java → .tflite: the models of the mobile zoo give the same answers after every step.

Their operators one by one, in all releases of TensorFlow Java: tests/edits/from_tflite/test_in_java.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import crossload
from crossload.artifacts.tflite import tflite_file
from crossload.compare.judge import judge
from crossload.compare.tolerance import Tolerances
from crossload.contract.bundle import Bundle, open_bundle
from crossload.contract.vectors import Vector
from crossload.inputs.requests import Requests
from crossload.report.results import Report
from crossload.runtimes import registry
from crossload.runtimes.supervisor import ModelSource, Supervisor
from crossload.verbs.convert.convert import Converted
from crossload.verbs.verify.many import verify_many
from crossload.verbs.verify.plan import Plan
from tests.environment import launch_of, made_once
from tests.runtimes.test_java_releases import RELEASES
from tests.verbs.test_mobile_zoo import FORMATS, SHAPES, ZOO

pytestmark = pytest.mark.slow
TARGETS = {"graph_def": ".pb", "saved_model": ""}
NAMED = {title: registry.find([title])[0].title for title in RELEASES}


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of each model with its .tflite, and the answers of the TensorFlow that it came from."""

    def make(folder: Path) -> None:
        for name in FORMATS:
            requests = Requests(4, faults=0, shapes=SHAPES.get(name, {}))
            crossload.export(f"{ZOO}:{name}", folder / name, formats=["saved_model", "tflite"], requests=requests)

    return made_once(tmp_path_factory, "mobile_zoo_float", make)


@pytest.fixture(scope="module")
def alive() -> Iterator[dict[str, Supervisor]]:
    with ExitStack() as stack:
        yield {n: stack.enter_context(Supervisor(n, launch_of(n))) for n in ("litert", "tensorflow", "tensorflow-java")}


@pytest.fixture(scope="module")
def restored(bundles: Path, alive: dict[str, Supervisor], tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Converted]:
    """Each .tflite as a graph and as a SavedModel, compared with it in TensorFlow Java."""
    folder = tmp_path_factory.mktemp("restored")
    return {
        (model, target): crossload.convert(
            lite_of(bundles / model),
            folder / f"{model}{suffix}",
            to=target,
            runtimes=["tensorflow-java"],
            alive=alive,
            requests=Requests(4, faults=0),
        )
        for model in FORMATS
        for target, suffix in TARGETS.items()
    }


def lite_of(bundle: Path) -> Path:
    return bundle / "model.tflite"


def source_of(bundle: Bundle, artifact: str) -> tuple[str, ModelSource]:
    """An artifact to load, and the name of its one signature."""
    (found,) = [a for a in bundle.manifest.artifacts if a.id == artifact]
    ((name, _),) = found.bindings.items()
    tags = None if found.tags is None else tuple(found.tags)
    signatures = bundle.manifest.signatures
    return name, ModelSource(bundle.path(found), found.format, found.bindings, tags, signatures=signatures, keep_state=True)


def made_source(made: Converted, bundle: Bundle) -> ModelSource:
    tags = None if made.artifact.tags is None else tuple(made.artifact.tags)
    signatures = bundle.manifest.signatures
    return ModelSource(made.path, made.format, made.artifact.bindings, tags, signatures=signatures, keep_state=True)


def one_by_one(recorded: list[Vector]) -> list[Vector]:
    """The rows of vectors, at most four of each: for a file that was written for one row."""

    def row(tensors: Mapping[str, np.ndarray], at: int) -> dict[str, np.ndarray]:
        return {name: array[at : at + 1] for name, array in tensors.items()}

    return [
        replace(v, inputs=row(v.inputs, at), outputs=row(v.outputs, at)) for v in recorded for at in range(min(4, len(*v.inputs.values())))
    ]


def assert_answers(worker: Supervisor, source: ModelSource, name: str, recorded: list[Vector]) -> None:
    """The model gives the recorded answers, to the requests one after the other since it was loaded."""
    worker.load(source)
    for vector in recorded:
        found = worker.infer(name, vector.inputs, list(vector.outputs)).outputs
        judgement = judge(vector.outputs, found, Tolerances(), rounding=vector.rounding)[0]
        assert judgement.agreement != "different", (vector.id, judgement.reason)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("model", FORMATS)
def test_the_way_back_agrees_with_the_tflite_in_java(restored: dict[tuple[str, str], Converted], model: str, target: str) -> None:
    report = restored[model, target].report
    assert report
    assert {r.outcome for r in report.results} == {"ok"}
    assert len(report.results) >= 3


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("model", FORMATS)
def test_java_gives_the_answers_that_tensorflow_gave_before_there_was_a_tflite(
    bundles: Path, restored: dict[tuple[str, str], Converted], alive: dict[str, Supervisor], model: str, target: str
) -> None:
    bundle = open_bundle(bundles / model)
    name, _ = source_of(bundle, "saved_model")
    recorded = bundle.vectors(name)
    assert len(recorded) >= 4
    source = made_source(restored[model, target], bundle)
    assert_answers(alive["tensorflow-java"], source, name, one_by_one(recorded) if model in SHAPES else recorded)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("model", FORMATS)
def test_the_graph_becomes_a_tflite_that_answers_like_the_first_one(
    bundles: Path, restored: dict[tuple[str, str], Converted], alive: dict[str, Supervisor], tmp_path: Path, model: str, target: str
) -> None:
    bundle = open_bundle(bundles / model)
    again = crossload.convert(restored[model, target].path, tmp_path / "again.tflite", alive=alive, requests=Requests(4, faults=0))
    name, first = source_of(bundle, "tflite")
    alive["litert"].load(first)
    recorded = one_by_one(bundle.vectors(name)) if model in SHAPES else bundle.vectors(name)
    own = [replace(v, outputs=alive["litert"].infer(name, v.inputs, list(v.outputs)).outputs, rounding={}) for v in recorded]
    assert_answers(alive["litert"], made_source(again, bundle), name, own)


def test_a_frozen_graph_with_a_table_becomes_a_tflite_with_it(bundles: Path, alive: dict[str, Supervisor], tmp_path: Path) -> None:
    frozen = crossload.convert(bundles / "intent" / "saved_model", tmp_path / "frozen.pb", alive=alive, requests=Requests(4, faults=0))
    made = crossload.convert(frozen.path, tmp_path / "again.tflite", alive=alive, requests=Requests(4, faults=0))
    assert made.report
    assert {r.outcome for r in made.report.results} == {"ok"}
    assert "HASHTABLE_FIND" in tflite_file.read(made.path).ops["builtin"]


@pytest.fixture(scope="module")
def in_java(restored: dict[tuple[str, str], Converted]) -> Report:
    """All graphs in all releases of TensorFlow Java, in one run."""
    return verify_many([str(made.path) for made in restored.values()], Plan("", tuple(RELEASES), requests=Requests(2, faults=0)))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("model", FORMATS)
def test_every_release_of_java_does_with_the_graph_what_check_predicts(
    restored: dict[tuple[str, str], Converted], in_java: Report, model: str, target: str
) -> None:
    path = restored[model, target].path
    (checked,) = crossload.check(path, list(RELEASES)).artifacts
    predicted = {p.runtime: p.outcome for p in checked.predictions}
    results = [r for r in in_java.results if r.case.artifact == str(path) or r.case.artifact.startswith(f"{path}:")]
    found = {NAMED[r.case.runtime]: r.outcome for r in results}
    assert found == predicted, {r.error for r in results if r.error}
    assert found[NAMED["tensorflow-java"]] == "ok"
