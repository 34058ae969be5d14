"""Files of all generations of Keras, loaded by Keras 3 and Keras 2, give the saved models' answers."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crossload import artifacts
from crossload.artifacts.keras.keras_file import Keras
from tests import CORPUS
from tests.environment import launch_of

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
OLD, NEW = "tensorflow+python@2.15.1", "tensorflow+python"
# What Keras 3 computes in another order, or in half precision.
LOOSE = {"image.h5": 2e-5, "image.keras": 2e-5, "mixed.h5": 2e-3, "mixed.keras": 2e-3}


def run(runtime: str, script: str, *arguments: Any) -> str:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [launch_of(runtime).argv[0], str(script), *map(str, arguments)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def of(runtime: str) -> Path:
        if runtime not in made:
            made[runtime] = tmp_path_factory.mktemp("zoo")
            run(runtime, CORPUS / "keras_zoo.py", made[runtime])
        return made[runtime]

    return of


def whole(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix in (".h5", ".keras") and ".weights" not in p.name)


def load(runtime: str, files: list[Path], allow_code: str = "yes", custom: str = str(CORPUS / "keras_zoo.py")) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(runtime, HERE / "keras_loading.py", "load", allow_code, custom, *files).splitlines()[-1])
    return {Path(file).name: result for file, result in found.items()}


@pytest.mark.parametrize(("wrote", "loads"), [(NEW, NEW), (OLD, OLD), (OLD, NEW)])
def test_a_loaded_model_answers_as_the_saved_one(zoo: Callable[[str], Path], wrote: str, loads: str) -> None:
    files = [*whole(zoo(wrote)), CORPUS / "brought" / "tf-keras" / "bidirectional.keras"]
    found = load(loads, files)
    assert len(found) == len(files) >= 21
    gone = [name for name in found if name.startswith("operations") and (wrote, loads) == (OLD, NEW)]
    for name in gone:
        assert "has no layer for tf.nn.relu (TFOpLambda)" in found[name] and "tensorflow@2.15.1" in found[name]
    wrong = {n: r for n, r in found.items() if n not in gone and not (isinstance(r, float) and r <= LOOSE.get(n, 2e-6))}
    assert not wrong


def test_an_older_keras_says_which_one_is_needed(zoo: Callable[[str], Path]) -> None:
    (found,) = load(OLD, [zoo(NEW) / "several.keras"]).values()
    assert "was written by Keras 3." in found and "tensorflow@2.21.0" in found


@pytest.mark.parametrize("runtime", [OLD, NEW])
def test_code_and_custom_classes_are_refused_until_the_user_provides_them(zoo: Callable[[str], Path], runtime: str) -> None:
    names = ("bytecode.h5", "bytecode.keras", "custom.h5", "custom.keras")
    found = load(runtime, [zoo(runtime) / n for n in names], allow_code="no", custom="")
    assert all("bytecode" in found[n] and "(in doubled)" in found[n] and "--allow-code" in found[n] for n in names[:2])
    assert all("zoo>Scale" in found[n] and "--custom-objects" in found[n] for n in names[2:])


@pytest.mark.parametrize("runtime", [OLD, NEW])
def test_a_file_read_without_keras_has_the_loaded_models_inputs_and_outputs(zoo: Callable[[str], Path], runtime: str) -> None:
    files = whole(zoo(runtime))
    told = json.loads(run(runtime, HERE / "keras_loading.py", "describe", "yes", CORPUS / "keras_zoo.py", *files).splitlines()[-1])
    for file in files:
        found = artifacts.read(file)
        assert isinstance(found, Keras)
        signature = found.signature()
        inputs, outputs, values = told[str(file)]
        shapes = [[t.name, None if t.shape is None else list(t.shape)] for t in signature.inputs]
        assert (shapes, len(signature.outputs), sum(_size(w.shape) for w in found.weights)) == (inputs, outputs, values), file


@pytest.mark.parametrize("runtime", [OLD, NEW])
def test_weights_fit_by_order_and_by_name_and_what_does_not_is_listed(zoo: Callable[[str], Path], runtime: str) -> None:
    found = json.loads(run(runtime, HERE / "keras_loading.py", "weights", zoo(OLD), zoo(NEW)).splitlines()[-1])
    assert found["wrong"] == [] and found["checked"] >= 16
    assert "not in the file: " in found["other model"] and "not in the model: " in found["other model"]
    assert "head (the model has [4, 2] and [2], the file [27, 3] and [3])" in found["other model"]
    assert found["by name"] == {"loaded": ["own"], "missing": ["fresh"], "unused": ["difference"], "misfits": []}
    assert found["kept"] is True


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for dimension in shape:
        size *= dimension
    return size
