"""Weights moved by half a ULP: which are, how far, and that the file stays the same otherwise."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from crossload.artifacts.graphs import protos
from crossload.compare import ulp
from crossload.edits import half_ulp


def constants(**values: np.ndarray) -> Any:
    made = protos.GraphDefProto()
    for name, array in values.items():
        node = made.node.add(name=name, op="Const")
        node.attr["dtype"].type = node.attr["value"].tensor.dtype = {"f4": 1, "i4": 3, "f8": 2}[array.dtype.str[1:]]
        node.attr["value"].tensor.tensor_content = array.tobytes()
    return made


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16, np.complex64])
def test_each_element_is_moved_by_one_step_at_most_and_by_half_a_step_on_average(dtype: Any) -> None:
    random = np.random.default_rng(0).standard_normal((2, 4000))
    values = (random[0] + 1j * random[1] if dtype is np.complex64 else random[0]).astype(dtype)
    moved = ulp.moved(values, np.random.default_rng(1))
    parts = [v.view(np.float32) if v.dtype.kind == "c" else v for v in (values, moved)]
    steps = ulp.distance(*parts)
    assert moved.dtype == values.dtype
    assert steps.max() == 1
    assert 0.4 < steps.mean() < 0.6


def test_whole_numbers_and_what_is_not_finite_stay() -> None:
    values = np.array([0, -0.0, 3, -7, 1e9, np.nan, np.inf, -np.inf], np.float32)
    assert ulp.moved(values, np.random.default_rng(0)).tobytes() == values.tobytes()
    most = np.finfo(np.float32).max
    assert np.isfinite(ulp.moved(np.full(50, most), np.random.default_rng(0))).all()
    assert ulp.moved(np.array(0.1 + 0.2j), np.random.default_rng(0)).shape == ()


def test_a_graphs_constants_of_the_datatypes_are_moved_and_nothing_else() -> None:
    weights, wide, whole = np.linspace(0.1, 0.9, 40, dtype=np.float32), np.linspace(0.1, 0.9, 9), np.arange(5, dtype=np.int32)
    graph = constants(w=weights, d=wide, i=whole)
    moved = half_ulp.graph(graph, {"FP32"}, np.random.default_rng(0))
    made = [np.frombuffer(n.attr["value"].tensor.tensor_content, d) for n, d in zip(moved.node, ("f4", "f8", "i4"), strict=True)]
    assert ulp.distance(made[0], weights).max() == 1
    assert (made[1] == wide).all()
    assert (made[2] == whole).all()
    assert graph == constants(w=weights, d=wide, i=whole), "the original"
