"""--weights: a model built by source code answers like the writer of the checkpoint or Keras file; misfits are listed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crossload
from crossload.verbs.export.export import export
from tests import ROOT, SOURCES, environment

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "crossload.cli", *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"by_name": True}, "--by-name needs --weights FILE: name the file, too"),
        ({"weights": "nowhere.h5"}, "nowhere.h5 does not exist"),
        ({"weights": "given_weights.py"}, "given_weights.py is text but not a GraphDef"),
    ],
)
def test_unusable_weights_are_refused_before_anything_starts(tmp_path: Path, arguments: dict[str, Any], says: str) -> None:
    if "weights" in arguments:
        arguments = {"weights": SOURCES / arguments["weights"]}
    with pytest.raises(crossload.CrossloadError) as refused:
        export(f"{SOURCES / 'models.py'}:module", tmp_path / "b", **arguments)
    assert says in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that given_weights.py fills."""
    folder = tmp_path_factory.mktemp("weights")
    command = [environment.launch_of("tensorflow+python").argv[0], str(SOURCES / "given_weights.py"), str(folder)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT / "python")}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def answers(room: Path) -> dict[str, Any]:
    """The answers of each model with given weights, or the reason why it was refused."""
    found: dict[str, Any] = json.loads((room / "answers.json").read_text())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["v2", "v1", "sharded", "folder", "objects_by_names"])
def test_a_rebuilt_graph_answers_as_the_session_that_wrote_the_checkpoint(answers: dict[str, Any], kind: str) -> None:
    assert answers[kind] == answers["trained"]


@pytest.mark.slow
def test_the_variables_of_a_rebuilt_graph_stay_trainable(answers: dict[str, Any]) -> None:
    assert answers["training"]["trainable"] == ["weights", "bias"]  # and not the step
    before, after = answers["training"]["losses"]
    assert after < 0.9 * before


@pytest.mark.slow
def test_a_module_takes_values_by_its_objects_below_any_name_and_else_by_its_variables_names(answers: dict[str, Any]) -> None:
    x = X[:, :2]
    assert answers["module"] == (x * [3, 5]).tolist()
    assert answers["module_by_names"] == (x * [7, 11]).tolist()


@pytest.mark.slow
def test_a_keras_model_takes_values_from_its_file_and_from_a_checkpoint_of_its_objects(room: Path, answers: dict[str, Any]) -> None:
    expected = np.load(room / "keras.npy")
    for kind in ("keras_h5", "keras_objects"):
        np.testing.assert_allclose(answers[kind], expected, rtol=1e-5)


@pytest.mark.slow
def test_by_name_keeps_a_layer_whose_name_is_not_in_the_file(room: Path, answers: dict[str, Any]) -> None:
    # In the order of layers the other head would fit, too.
    np.testing.assert_allclose(answers["keras_not_by_name"], np.load(room / "keras.npy"), rtol=1e-5)
    assert not np.allclose(answers["keras_by_name"], np.load(room / "keras.npy"), rtol=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "has no value for 2 of 3 variables: bias, global_step; it has: other, weights"),
        ("shapes", "has other shapes: bias is [2], but [4] in the checkpoint"),
        ("graph_of_keras", "is not a checkpoint"),
        ("module_of_others", "the checkpoint's objects do not match the model's"),
        ("module_by_name", "--by-name is for a Keras model and a Keras file"),
    ],
)
def test_weights_that_do_not_fit_are_listed_with_those_of_the_file(answers: dict[str, Any], kind: str, says: str) -> None:
    assert answers[kind].startswith("ModelError: ")
    assert says in answers[kind]


@pytest.mark.slow
def test_export_takes_weights_on_the_command_line(room: Path, answers: dict[str, Any], tmp_path: Path) -> None:
    command = ["export", f"{SOURCES / 'sessions.py'}:rebuilt", "-o", tmp_path / "b", "--formats", "saved_model,graph_def", "--count", "2"]
    done = run(*command, "--weights", room / "v2")
    assert done.returncode == 0, done.stderr
    with crossload.load(tmp_path / "b", artifact="graph_def") as model:
        np.testing.assert_allclose(model.signature()(x=X)["probabilities"], answers["trained"], rtol=1e-6)


@pytest.mark.slow
def test_a_keras_file_takes_the_weights_of_another(room: Path, tmp_path: Path) -> None:
    done = run("export", room / "head.h5", "-o", tmp_path / "b", "--weights", room / "model.h5", "--by-name", "--formats", "saved_model")
    assert done.returncode == 0, done.stderr
    assert "loaded hidden; not in the file: other_scores; not in the model: scores" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "weights", "says"),
    [
        ("out/v2", "v2", "is a SavedModel, which has its own values"),
        ("model.h5", "out/v2", "is a SavedModel; --weights takes a checkpoint or a Keras file"),
    ],
)
def test_weights_for_a_model_with_values_or_from_a_file_without_any_are_refused(
    room: Path, tmp_path: Path, source: str, weights: str, says: str
) -> None:
    with pytest.raises(crossload.CrossloadError) as refused:
        export(room / source, tmp_path / "b", weights=room / weights)
    assert says in str(refused.value)


@pytest.mark.slow
def test_by_name_is_refused_for_a_checkpoint(room: Path, tmp_path: Path) -> None:
    with pytest.raises(crossload.CrossloadError, match="whose variables always go by their names"):
        export(room / "model.h5", tmp_path / "b", weights=room / "v2", by_name=True)
