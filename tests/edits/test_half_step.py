"""Rounding moved by half a step: which bytes of a quantised .tflite move, and how far."""

from __future__ import annotations

import numpy as np

from crossload.artifacts.tflite import inner
from crossload.edits import half_step
from tests import CORPUS

HYBRID, INTEGERS = (next((CORPUS / "brought" / name).glob("*.tflite")) for name in ("hybrid", "int8-io"))


def test_of_a_hybrid_layers_weights_one_in_twelve_moves_by_a_step_and_nothing_else_does() -> None:
    data = half_step.hybrid(HYBRID, np.random.default_rng(0))
    assert data is not None
    (graph,) = inner.read_all(HYBRID)
    weights = [t.extent for t in graph.tensors if t.extent and t.scale and t.datatype == "INT8"]
    moved = np.frombuffer(data, np.int8).astype(int) - np.frombuffer(HYBRID.read_bytes(), np.int8)
    inside = np.zeros(len(data), bool)
    for start, length in weights:
        inside[start : start + length] = True
    assert not moved[~inside].any()
    assert set(moved[inside]) == {-1, 0, 1}
    assert 0.06 < np.abs(moved[inside]).mean() < 0.11


def test_a_file_that_computes_in_integers_has_no_hybrid_layer() -> None:
    assert half_step.hybrid(INTEGERS, np.random.default_rng(0)) is None
