"""Convert: every cell of the matrix runs on a real model, a result that disagrees is not written, a refusal gives its reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import crossload
from crossload import artifacts
from crossload.artifacts.canonical import canonical_hash
from crossload.contract.sidecar import sidecar_of
from crossload.errors import CrossloadError
from crossload.inputs.requests import Requests
from crossload.runtimes.supervisor import Supervisor
from crossload.verbs.convert import edges
from crossload.verbs.convert.convert import Converted, convert
from tests.environment import launch_of

pytestmark = pytest.mark.slow
FILES = {
    "saved_model": "saved_model", "graph_def": "graph.pb", "tflite": "model.tflite", "keras": "model.keras", "keras_h5": "model.h5",
    "checkpoint": "checkpoint", "meta_graph": "checkpoint/model.ckpt-12.meta",
}  # fmt: skip
TARGETS = {
    "saved_model": "m", "graph_def": "m.pb", "tflite": "m.tflite", "keras": "m.keras", "keras_h5": "m.h5", "checkpoint": "m",
    "tensorboard": "m",
}  # fmt: skip
LEFT, RIGHT = np.float32([[1, 2, 3, 4], [0, -1, 5, 2]]), np.float32([[1, 1, 1, 1], [2, 2, 2, 2]])


def reachable() -> list[tuple[str, str]]:
    found = []
    for source in edges.SOURCES:
        for target in edges.TARGETS:
            try:
                edges.way(source, target)
            except CrossloadError:
                continue
            found.append((source, target))
    return found


CELLS = reachable()


Cell = Callable[[str, str], Converted]


@pytest.fixture(scope="module")
def cell(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    """A cell of the matrix, each converted once; they share the workers that answer."""
    folder = tmp_path_factory.mktemp("cells")

    names = ("tensorflow", "tensorflow+python")
    with Supervisor(names[0], launch_of(names[0])) as one, Supervisor(names[1], launch_of(names[1])) as other:
        alive = dict(zip(names, (one, other), strict=True))

        @cache
        def made(source: str, target: str) -> Converted:
            destination = folder / f"{source}-{target}-{TARGETS[target]}"
            return convert(sources / FILES[source], destination, target, alive=alive, requests=Requests(count=4))

        yield made


@pytest.mark.parametrize(("source", "target"), CELLS, ids=["-".join(c) for c in CELLS])
def test_every_cell_of_the_matrix_gives_an_artifact_that_answers_as_its_source(cell: Cell, source: str, target: str) -> None:
    made = cell(source, target)
    assert (made.format, made.way) == (target, tuple(e.target for e in edges.way(source, target)))
    if target == "tensorboard":
        assert made.report is None
        return
    assert artifacts.recognise(made.path) == target
    assert artifacts.read(made.path).to_json()["format"] == target
    assert made.report
    assert made.report.exit_status == 0
    assert {r.outcome for r in made.report.results} == {"ok"}
    assert len(made.report.results) == 4
    if target != "checkpoint":
        stated = json.loads(sidecar_of(made.path).read_text())["artifacts"][0]["made"]
        assert stated == {"source": source, "way": list(made.way), "verified": True}


def test_a_converted_artifact_runs_by_the_names_in_its_manifest(cell: Cell) -> None:
    frozen = cell("keras_h5", "graph_def").path
    lite = cell("keras_h5", "tflite").path
    answers = []
    for path in (frozen, lite):
        with crossload.load(path) as model:
            answers.append(model.signatures["serving_default"](left=LEFT, right=RIGHT))
    assert answers[0].keys() == answers[1].keys() == {"scores", "twice"}
    np.testing.assert_allclose(answers[0]["scores"], answers[1]["scores"], rtol=1e-5)
    np.testing.assert_array_equal(answers[0]["twice"], 2 * (LEFT - RIGHT))


def test_a_saved_model_answers_the_same_by_signature_by_tensors_and_by_keras(sources: Path) -> None:
    path = sources / "saved_model"
    given = {"left": LEFT, "right": RIGHT}
    answers = []
    for loader in ("function", "session", "keras"):
        with crossload.load(path, "tensorflow", options={"loader": loader}) as model:
            answers.append(model.signature()(**given)["scores"])
            assert (
                (model.note or "function")
                .rpartition(".")[2]
                .startswith({"function": "function", "session": "loader", "keras": "TFSMLayer"}[loader])
            )
    with crossload.load(path, outputs=["s=StatefulPartitionedCall:0"]) as model:
        answers.append(model.signature()(serving_default_left=LEFT, serving_default_right=RIGHT)["s"])
    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], rtol=1e-6)


def test_an_object_based_checkpoint_is_written_by_a_checkpoint_manager(sources: Path, tmp_path: Path) -> None:
    options = {"format": "object", "global_step": 4, "without_graph": True}
    made = convert(sources / "model.keras", tmp_path / "objects", "checkpoint", options=options, verified=False)
    found = artifacts.read(made.path)
    assert found.object_graph
    assert found.prefix.name == "model.ckpt-4"
    assert any(v.shape == (4, 5) for v in found.variables)


@pytest.mark.parametrize("target", ["graph_def", "saved_model", "tflite"])
def test_the_same_source_twice_gives_the_same_canonical_hash(cell: Cell, sources: Path, tmp_path: Path, target: str) -> None:
    again = convert(sources / FILES["keras_h5"], tmp_path / TARGETS[target], target, verified=False)
    first = cell("keras_h5", target)
    assert canonical_hash.sha256(artifacts.read(again.path)) == canonical_hash.sha256(artifacts.read(first.path))
    assert canonical_hash.sha256(artifacts.read(sources / FILES["keras"])) != canonical_hash.sha256(artifacts.read(first.path))
