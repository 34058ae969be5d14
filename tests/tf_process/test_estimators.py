"""Estimators of TensorFlow 2.15: their exports give the same answers today, and their checkpoints are read and converted."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import crossload
from crossload import features_of, tf_example
from crossload.contract.bundle import open_bundle
from crossload.verbs.check.prediction import predict
from tests import SOURCES

pytestmark = pytest.mark.slow
SIZES, KINDS = np.float32([[0.5, -1, 2, 0.25], [1, 1, -3, 0]]), np.int64([0, 2])


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "crossload.cli", *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the Estimator's own folder and a bundle each of what it exports."""
    folder = tmp_path_factory.mktemp("estimator")
    for function in ("raw", "parsing"):
        source = f"{SOURCES / 'estimator.py'}:{function}"
        done = run("export", source, "-o", folder / function, "--count", "3", ESTIMATOR_DIR=str(folder / "trained"))
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("receiver", ["raw", "parsing"])
def test_an_exported_estimator_verifies_in_today_s_runtimes(room: Path, receiver: str) -> None:
    report = crossload.verify(room / receiver, runtimes=["tensorflow", "tensorflow-java"])
    assert not [(r.case, r.outcome, r.error) for r in report.results if r.failed]
    agreed = {(r.case.artifact, r.case.runtime) for r in report.results if r.outcome == "ok"}
    assert agreed == {(a, r) for a in ("saved_model", "graph_def") for r in ("tensorflow", "tensorflow-java")}


def test_an_estimator_that_parses_tf_examples_is_backported_to_tensorflow_1(room: Path) -> None:
    done = run("convert", room / "parsing", "--overwrite", room / "older", "--runtime", "tensorflow-java-legacy")
    assert (done.returncode, "made 1 ParseExampleV2 a ParseExample" in done.stderr) == (0, True), done.stderr
    report = crossload.verify(room / "older", runtimes=["tensorflow-java-legacy"])
    agreed = {r.case.artifact for r in report.results if r.outcome == "ok"}
    assert agreed == {"saved_model-backported", "graph_def-backported"}


@pytest.mark.parametrize("function", ["raw", "parsing"])
def test_what_check_recommends_for_tensorflow_1_succeeds(room: Path, tmp_path: Path, function: str) -> None:
    for artifact in ("saved_model", "frozen_graph.pb"):
        found = predict(room / function / artifact, "tensorflow-java-legacy")
        if found.outcome == "ok":
            assert (function, artifact) == ("raw", "frozen_graph.pb")
            continue
        program, *command = shlex.split(found.remedy)
        target = tmp_path / artifact
        done = run(*(str(target) if word == "DESTINATION" else word for word in command))
        assert (program, done.returncode, predict(target, "tensorflow-java-legacy").outcome) == ("crossload", 0, "ok"), done.stderr


def test_the_bundle_names_the_release_that_trained_and_the_one_that_answered(room: Path) -> None:
    manifest = open_bundle(room / "raw").manifest
    assert manifest.producer["tensorflow"] == "2.15.1"
    assert manifest.vectors[0].reference.version == "2.21.0"


def test_tf_examples_are_asked_as_the_source_brought_them_a_last_zero_byte_included(room: Path) -> None:
    [vector] = [v for v in open_bundle(room / "parsing").vectors("serving_default") if v.id.startswith("user")]
    first, second = vector.inputs["examples"]
    assert first.endswith(b"\0")
    assert features_of(second) == {"sizes": [1.0, 1.0, -3.0, 0.0], "z_kind": [2]}


def test_tensors_and_tf_examples_of_the_same_values_get_the_same_answer(room: Path) -> None:
    with crossload.load(room / "raw", artifact="graph_def") as model:
        tensors = model.signatures["serving_default"](sizes=SIZES, z_kind=KINDS)
    with crossload.load(room / "parsing", artifact="graph_def") as model:
        examples = [tf_example({"sizes": s, "z_kind": k}) for s, k in zip(SIZES, KINDS, strict=True)]
        parsed = model.signatures["serving_default"](examples=np.array(examples, object))
    np.testing.assert_array_equal(tensors["probabilities"], parsed["probabilities"])


def test_the_estimator_s_folder_is_a_checkpoint_with_its_optimizer_s_slots(room: Path) -> None:
    shown = json.loads(run("show", room / "trained", "--json").stdout)
    variables = {v["name"]: v["shape"] for v in shown["variables"]}
    assert shown["format"] == "checkpoint"
    assert (variables["hidden/kernel"], variables["hidden/kernel/Adam_1"], variables["global_step"]) == ([7, 8], [7, 8], [])
    kept = sorted(p.name for p in (room / "trained").glob("*.index"))
    assert kept == ["model.ckpt-20.index", "model.ckpt-30.index"]  # RunConfig's keep_checkpoint_max
    listed = run("checkpoint", "list", room / "trained").stdout.splitlines()
    assert ["*" in line for line in listed] == [False, True]
    assert all(f"step {step}" in line and "complete" in line for line, step in zip(listed, (20, 30), strict=True))


def test_the_graph_that_trained_freezes_with_the_iterator_s_features_as_inputs(room: Path, tmp_path: Path) -> None:
    tensors = ["--input-tensor", "sizes=IteratorGetNext:0", "--input-tensor", "z_kind=IteratorGetNext:1"]
    done = run("convert", room / "trained", tmp_path / "f.pb", *tensors, "--output-tensor", "probabilities")
    assert done.returncode == 0, done.stderr
    with crossload.load(tmp_path / "f.pb") as model, crossload.load(room / "raw", artifact="graph_def") as exported:
        assert model.artifact.bindings["serving_default"].inputs == {"sizes": "IteratorGetNext_0:0", "z_kind": "IteratorGetNext_1:0"}
        frozen = model.signature()(sizes=SIZES, z_kind=KINDS)["probabilities"]
        expected = exported.signature()(sizes=SIZES, z_kind=KINDS)["probabilities"]
    np.testing.assert_allclose(frozen, expected, rtol=1e-6)


def test_values_of_an_earlier_checkpoint_are_exported_with_weights(room: Path, tmp_path: Path) -> None:
    earlier = room / "trained" / "model.ckpt-20"
    source = f"{SOURCES / 'estimator.py'}:raw"
    done = run(
        "export", source, "-o", tmp_path / "b", "--weights", earlier, "--formats", "saved_model", ESTIMATOR_DIR=str(room / "trained")
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(run("show", tmp_path / "b" / "saved_model", "--json").stdout)
    assert shown["format"] == "saved_model"
    with crossload.load(tmp_path / "b") as model, crossload.load(room / "raw") as latest:
        answers = [m.signature()(sizes=SIZES, z_kind=KINDS)["probabilities"] for m in (model, latest)]
    assert not np.allclose(*answers)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("estimator.py:alone", "return (estimator, serving_input_receiver_fn)"),
        ("estimator.py:untrained", "train it first, or name one with --weights"),
        ("estimator_today.py:model", 'dependencies = ["tensorflow-cpu==2.15.1"]'),
    ],
)
def test_an_estimator_that_cannot_be_exported_is_one_sentence(tmp_path: Path, source: str, says: str) -> None:
    done = run("export", SOURCES / source, "-o", tmp_path / "b")
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())
