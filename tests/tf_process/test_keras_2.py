"""Keras 2's models are exported as Keras 3's are: by tf-keras, and by the TensorFlow that has Keras 2 built in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

import crossload
from crossload.inputs.requests import Requests
from crossload.verbs.convert.convert import convert
from tests import SOURCES
from tests.environment import launch_of

pytestmark = pytest.mark.slow
WRITE = """
import sys, keras
keras.utils.set_random_seed(5)
x = keras.Input((4,), name="x")
keras.Model(x, keras.layers.Dense(3, activation="softmax", name="scores")(x)).save(sys.argv[1])
"""


def test_a_model_of_tf_keras_becomes_a_bundle_in_every_format(tmp_path: Path) -> None:
    bundle = crossload.export(f"{SOURCES / 'keras_2.py'}:model", tmp_path / "bundle", requests=crossload.Requests(count=2))
    assert [a.format for a in bundle.manifest.artifacts] == ["saved_model", "graph_def", "tflite"]
    signature = bundle.manifest.signatures["serving_default"]
    assert [t.name for t in (*signature.inputs, *signature.outputs)] == ["x", "scores"]


def test_a_file_of_keras_2_is_converted_where_keras_2_is_built_in_and_answers_today(tmp_path: Path) -> None:
    source = tmp_path / "old.h5"
    subprocess.run([launch_of("tensorflow+python@2.15.1").argv[0], "-c", WRITE, str(source)], check=True, capture_output=True)
    made = convert(source, tmp_path / "model", load_with="tensorflow@2.15.1", requests=Requests(count=2))
    assert made.report
    assert made.report.exit_status == 0
    answers = []
    for path in (made.path, source):
        with crossload.load(path, "tensorflow") as model:
            answers.append(model.signature()(x=np.eye(4, dtype=np.float32))["scores"])
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-6)
