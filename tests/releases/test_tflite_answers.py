"""When two interpreters compute the same: a rounding is no difference, a wrong value is."""

from __future__ import annotations

import numpy as np
import pytest

from crossload.releases.tflite_answers import alike


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1.0, 2.0], [1.01, 2.05], True),
        ([1.0, 2.0], [1.0, 2.5], False),
        ([1.0, np.nan], [1.0, np.nan], True),
        ([1.0, 2.0], [1.0, np.nan], False),
        ([0.0, 0.0], [0.0, 1e-3], False),
        ([1.0], [1.0, 1.0], False),
    ],
)
def test_floats_are_alike_within_a_tenth_of_the_largest(one: list[float], other: list[float], expected: bool) -> None:
    assert alike({"y": np.float32(other)}, {"y": np.float32(one)}) is expected


@pytest.mark.parametrize(("kind", "by", "expected"), [("int8", 2, True), ("int8", 3, False), ("int32", 1, False), ("int32", 0, True)])
def test_small_integers_are_alike_within_two_steps_and_wide_ones_if_they_are_equal(kind: str, by: int, expected: bool) -> None:
    values = np.arange(4).astype(kind)
    assert alike({"y": values + np.array(by, kind)}, {"y": values}) is expected


def test_strings_are_alike_if_they_are_equal() -> None:
    text = {"y": np.array([b"a", b"b"], object)}
    assert alike(text, {"y": text["y"].copy()}) and not alike(text, {"y": np.array([b"a", b"c"], object)})
