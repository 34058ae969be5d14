"""The example of a custom worker in docs/guides/own-runtime.md must work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import environment
from tests.workers.conversation import Conversation

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parent / "third_party" / "litert_reference.py"


def test_the_example_is_a_worker_in_under_100_lines(corpus: Path, interpreter: Conversation) -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 100
    pixels = np.random.default_rng(4).uniform(size=(2, 8, 8, 1)).astype(np.float32)
    interpreter.load(corpus / "tflite_cnn.tflite")
    expected = interpreter.infer(pixels=pixels).outputs["probabilities"]

    example = Conversation(environment.launch_script(EXAMPLE))
    assert example.ask("ServerMetadata").header["name"] == "litert-reference"
    assert example.load(corpus / "tflite_cnn.tflite").code is None
    answer = example.infer(pixels=pixels, outputs=["probabilities"])
    assert np.allclose(answer.outputs["probabilities"], expected, rtol=1e-5)
    assert answer.header["parameters"]["nanoseconds"] > 0
    assert example.infer("other", pixels=pixels).code == "NOT_FOUND"
    assert np.array_equal(example.ask("Echo", {"a": pixels}).outputs["a"], pixels)
    assert example.ask("Echo", {"a": np.array([b"text"], dtype=object)}).code == "UNIMPLEMENTED"
    assert example.ask("RegisteredOps").code == "UNIMPLEMENTED"
    assert example.end() == 0
