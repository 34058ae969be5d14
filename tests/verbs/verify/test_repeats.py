"""A reference that does not repeat its own answers, or keeps state, is said before anybody is blamed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from crossload.artifacts.graphs.hidden_state import Hidden
from crossload.contract.manifest import Artifact, Manifest, Model, Vectors
from crossload.contract.signatures import Signature
from crossload.contract.vectors import Vector
from crossload.inputs.requests import Requests
from crossload.report.results import Report
from crossload.runtimes.supervisor import Supervisor
from crossload.support import files
from crossload.verbs.verify import record, repeats
from crossload.verbs.verify.verify import verify
from tests import CORPUS, fakes
from tests.corpus import handmade

Configure = Callable[..., None]
COUNTER = CORPUS / "binary" / "counter.tflite"
LITES = ["litert", "tflite-runtime", "tflite-micro", "tflite-java"]


def recorded_by(behaviour: str, folder: Path, *, more: int = 0) -> Path:
    """A bundle whose answers a fake recorded; `more` makes a second signature."""
    folder.mkdir()
    sides = ({"x": 0}, {"y": 1})
    (folder / "model.tflite").write_bytes(handmade.Lite(signatures={f"s{n}": sides for n in range(1 + more)}).build())
    (entry,), signatures = record.artifacts_of(folder / "model.tflite", "model.tflite")
    with Supervisor("fake", fakes.launch(behaviour)) as fake:
        vectors, learnt = record.record_with(fake, folder, entry, signatures, Requests())
    return written(folder, entry, vectors, learnt)


def written(folder: Path, entry: Artifact, vectors: list[Vectors], signatures: dict[str, Signature]) -> Path:
    manifest = Manifest(model=Model(name="m"), signatures=signatures, artifacts=[entry], vectors=vectors)
    files.write_text(folder / "crossload.json", manifest.to_json())
    return folder


def test_answers_that_never_come_again_are_compared_with_nobody(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest", draw="draw")
    bundle = recorded_by("draw", tmp_path / "b")
    report = verify(bundle, ["honest", "draw"])
    assert {(r.case.runtime, r.outcome) for r in report.results} == {("honest", "not_run"), ("draw", "not_run")}
    assert "the reference does not repeat its own answers: the same request is answered differently after each load" in str(
        report.results[0].error
    )
    assert report.exit_status == 1
    accepted = verify(bundle, ["honest"], accept_unproved=True)
    assert (accepted.results, accepted.exit_status) == ([], 3)
    assert any("does not repeat" in caution for caution in accepted.cautions)


def test_answers_that_come_again_after_a_load_are_one_sequence_whatever_is_asked_for(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest", count="count")
    bundle = recorded_by("count", tmp_path / "b", more=1)
    states = [v["state"] for v in json.loads((bundle / "crossload.json").read_text())["vectors"]]
    assert states == ["the same request asked twice is answered differently, and alike after a load"] * 2
    whole = verify(bundle, ["count", "honest"])
    assert {(r.case.runtime, r.outcome) for r in whole.results} == {("count", "ok"), ("honest", "mismatch")}
    one = verify(bundle, ["count"], vectors=["single_1"])
    assert [(r.case.signature, r.case.vector, r.outcome) for r in one.results] == [("s0", "single_1", "ok"), ("s1", "single_1", "ok")]
    assert "s0: the same request asked twice" in str(one.cautions)


def test_a_vector_that_ends_a_sequence_leaves_the_later_ones_without_blame(tmp_path: Path, configure: Configure) -> None:
    bundle = recorded_by("count", tmp_path / "b")
    configure(tmp_path / "once", count="error:run")
    report = verify(bundle, ["count"])
    assert [r.outcome for r in report.results] == ["run_error", *["not_run"] * (len(report.results) - 1)]
    assert "its answer depends on the vector single_0 before it, which has the outcome run_error" in str(report.results[1].error)


def test_steady_answers_are_recorded_without_state(tmp_path: Path) -> None:
    content = json.loads((recorded_by("honest", tmp_path / "b") / "crossload.json").read_text())
    assert "state" not in content["vectors"][0]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ([1.0, 2.0], [1.0, 2.00001], True),  # threads add in another order
        ([1.0, 2.0], [1.0, 2.1], False),
        ([1e-9, 0.0], [0.0, 1e-9], False),
        ([np.nan, 1.0], [np.nan, 1.0], True),
        ([np.nan, 1.0], [1.0, np.nan], False),
        ([b"a"], [b"b"], False),
        ([1], [2], False),
    ],
)
def test_answers_are_the_same_up_to_the_rounding_of_sums(first: list[object], second: list[object], same: bool) -> None:
    def array(values: list[object]) -> np.ndarray:
        return (
            np.array(values, object)
            if isinstance(values[0], bytes)
            else np.array(values, np.float32 if isinstance(values[0], float) else int)
        )

    assert repeats.repeated([Vector("v", {}, {"y": array(first)})], lambda _: {"y": array(second)}) == same


def test_what_reads_the_clock_must_come_again_in_the_same_bits() -> None:
    vector = Vector("v", {}, {"y": np.array([1.8e9])})
    assert repeats.repeated([vector], lambda _: {"y": np.array([1.8e9 + 1])})
    assert not repeats.repeated([vector], lambda _: {"y": np.array([1.8e9 + 1])}, exactly=True)
    assert repeats.repeated([vector], lambda _: {"y": np.array([1.8e9])}, exactly=True)
    assert "it reads the clock (Timestamp 'now')" in repeats.why_not(Hidden(random=("Timestamp 'now'",), unseeded=True))


def outcomes(report: Report) -> set[tuple[str, str]]:
    return {(r.case.runtime, r.outcome) for r in report.results}


@pytest.mark.slow
def test_a_counter_counts_alike_in_every_interpreter(tmp_path: Path) -> None:
    assert outcomes(verify(COUNTER, LITES)) == {(name, "ok") for name in LITES}
    one = verify(COUNTER, LITES, vectors=["single_1"])
    assert outcomes(one) == {(name, "ok") for name in LITES}
    assert "it keeps state (ASSIGN_VARIABLE)" in str(one.cautions)


@pytest.mark.slow
def test_random_answers_and_random_variables_are_named(tmp_path: Path) -> None:
    graph = handmade.write_graph(tmp_path / "dropout.pb", handmade.dropout())
    said = [str(r.error) for r in verify(graph, ["tensorflow"]).results]
    assert len(said) == 1
    assert "it draws at random (RandomUniform 'draw')" in said[0]
    folder = handmade.saved_model(tmp_path / "m", handmade.drawn_at_load())
    said = [str(r.error) for r in verify(folder, ["tensorflow"]).results]
    assert len(said) == 1
    assert "loading gives random values to the variable 'w' by RandomUniform 'draw'" in said[0]
