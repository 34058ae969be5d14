"""Whether interpreters compute the same for a question's file: coarsely, to find those that compute something else altogether."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Outputs = Mapping[str, np.ndarray]
# Kernels that quantise what they are given differ from those that do not by some hundredths; a wrong one is off by more.
_SHARE = 0.1
# Integers of one or two bytes are mostly quantised: a rounding is a step, and those of a recurrent kernel add up.
_STEPS = 2


def alike(one: Outputs, other: Outputs) -> bool:
    """Whether two answers are the same but for rounding: equal shapes, and near values where these are numbers."""
    return one.keys() == other.keys() and all(_near(one[name], other[name]) for name in one)


def _near(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.itemsize <= 2 and one.dtype.kind in "iu":
        a, b = one.astype(np.int64), other.astype(np.int64)
        bound = _STEPS + _SHARE * np.abs(b).max(initial=0)
        return bool((np.abs(a - b) <= bound).all())
    if one.dtype.kind not in "fcV":
        return bool((one == other).all())
    wide = np.complex128 if one.dtype.kind == "c" else np.float64
    a, b = one.astype(wide), other.astype(wide)
    if not (np.isfinite(a) == np.isfinite(b)).all():
        return False
    finite = np.isfinite(a)
    return bool((np.abs(a[finite] - b[finite]) <= _SHARE * np.abs(b[finite]).max(initial=0.0)).all())
