"""Sources for the tests of convert: one small model in every format, made in one TensorFlow process."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from crossload.verbs.convert.convert import convert
from tests.workers.environment import launch_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model as .keras, .h5, SavedModel, frozen graph, checkpoint with .meta, and .tflite."""
    folder = tmp_path_factory.mktemp("sources")
    command = [launch_of("tensorflow").argv[0], str(Path(__file__).with_name("make_sources.py")), str(folder)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT / "python")}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    convert(folder / "saved_model", folder / "model.tflite")
    return folder
