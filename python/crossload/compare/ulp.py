"""Distances in units in the last place (ULP): the number of steps between two floats of one datatype."""

from __future__ import annotations

import numpy as np

_INTEGERS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def is_floating(dtype: np.dtype) -> bool:
    """Whether a dtype has a last place: NumPy's floats, and ml_dtypes' bfloat16 and float8."""
    return dtype.kind == "f" or (dtype.kind == "V" and "float" in dtype.name)


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Elementwise distance of two arrays of one floating dtype, as uint64.

    The two zeros are 0 apart, neighbours are 1 apart, and distances add up across zero. NaN has no distance: callers mask it.
    """
    if a.dtype.itemsize <= 4 and a.size:  # of one sign, the bits of both are in the order of the floats, and cannot overflow
        one, other = (np.ascontiguousarray(x).view(f"i{a.dtype.itemsize}") for x in (a, b))
        if (one ^ other).min() >= 0:
            steps: np.ndarray = np.abs(one - other).astype(np.uint64)
            return steps
    first, second = _ordered(a), _ordered(b)
    signed = first.dtype == np.int64
    apart: np.ndarray = np.abs(first - second).view(np.uint64) if signed else np.where(first > second, first - second, second - first)
    return apart


def _ordered(array: np.ndarray) -> np.ndarray:
    """Each float's rank among all floats of its dtype, shifted to be unsigned (IEEE 754 orders by sign and magnitude)."""
    bits = np.ascontiguousarray(array).view(_INTEGERS[array.dtype.itemsize])
    if array.dtype.itemsize < 8:  # signed numbers hold the ranks, without a shift
        signed = bits.view(f"i{array.dtype.itemsize}")
        negative = signed >> (8 * array.dtype.itemsize - 1)  # -1 or 0
        ranks: np.ndarray = ((signed ^ (negative & np.iinfo(signed.dtype).max)) - negative).astype(np.int64)
        return ranks
    sign = middle = np.uint64(1 << 63)
    magnitude = bits & ~sign
    ordered: np.ndarray = np.where(bits & sign, middle - magnitude, middle + magnitude)
    return ordered


def moved(array: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A copy in which each element is moved by half a ULP on average: by one step up or down, or not at all.

    Whole numbers stay: arithmetic does not round them, and an id or a step of a grid would become another one. So do NaN and infinity.
    """
    if array.dtype.kind == "c":
        parts = np.ascontiguousarray(array).view(array.real.dtype)
        return moved(parts, random).view(array.dtype).reshape(array.shape)
    steps = random.integers(-1, 3, array.shape)  # -1, 0, 1, 2: the last stays, too
    bits = np.array(array).view(_INTEGERS[array.dtype.itemsize])
    moved_bits = bits + np.where(steps == 2, 0, steps).astype(np.int64).astype(bits.dtype)
    with np.errstate(invalid="ignore"):
        wide = array.astype(np.float64)
        after = moved_bits.view(array.dtype)
        kept = (np.trunc(wide) == wide) | ~np.isfinite(wide) | ~np.isfinite(after.astype(np.float64))
    result: np.ndarray = np.where(kept, array, after)
    return result
