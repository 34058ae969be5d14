"""ULP distances: counted along all floats of a dtype."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload.compare.ulp import distance


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16, ml_dtypes.float8_e5m2])
def test_neighbours_are_one_apart_and_signs_meet_at_zero(dtype: type) -> None:
    one, more = np.array([1], dtype), np.nextafter(np.array([1], dtype), np.array([2], dtype))
    assert distance(one, more).tolist() == [1]
    tiny = np.nextafter(np.array([0], dtype), np.array([1], dtype))
    assert distance(tiny, -tiny).tolist() == [2]
    assert distance(np.array([0.0], dtype), np.array([-0.0], dtype)).tolist() == [0]


@given(st.floats(-1e300, 1e300), st.integers(0, 20))
def test_n_steps_give_distance_n(start: float, steps: int) -> None:
    there = np.float64(start)
    for _ in range(steps):
        there = np.nextafter(there, np.float64(np.inf))
    assert distance(np.array([start]), np.array([there])).tolist() == [steps]


@given(st.floats(width=32, allow_nan=False), st.floats(width=32, allow_nan=False))
def test_the_distance_is_symmetric(a: float, b: float) -> None:
    first, second = np.array([a], np.float32), np.array([b], np.float32)
    assert distance(first, second) == distance(second, first)


@given(
    st.sampled_from([np.float16, np.float32, ml_dtypes.bfloat16, ml_dtypes.float8_e5m2]),
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), min_size=1, max_size=20),
)
def test_floats_of_one_sign_are_as_far_apart_as_among_floats_of_both(dtype: type, pairs: list[tuple[int, int]]) -> None:
    bits = np.dtype(f"u{np.dtype(dtype).itemsize}")
    a, b = (np.array([pair[i] & np.iinfo(bits).max for pair in pairs], bits).view(dtype) for i in (0, 1))
    known = ~(np.isnan(a.astype(np.float64)) | np.isnan(b.astype(np.float64)))
    a, b = a[known], b[known]
    # One more pair of two signs takes the other way.
    mixed = distance(np.append(a, np.ones(1, dtype)), np.append(b, -np.ones(1, dtype)))
    assert distance(a, b).tolist() == mixed[:-1].tolist()
    assert [distance(a[i : i + 1], b[i : i + 1])[0] for i in range(len(a))] == mixed[:-1].tolist()
