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
    first, second = _ordered(a), _ordered(b)
    apart: np.ndarray = np.where(first > second, first - second, second - first)
    return apart


def _ordered(array: np.ndarray) -> np.ndarray:
    """Each float's rank among all floats of its dtype, shifted to be unsigned (IEEE 754 orders by sign and magnitude)."""
    unsigned = _INTEGERS[array.dtype.itemsize]
    bits = np.ascontiguousarray(array).view(unsigned).astype(np.uint64)
    width = 8 * array.dtype.itemsize
    sign, middle = np.uint64(1 << (width - 1)), np.uint64(1 << (width - 1))
    magnitude = bits & ~sign & np.uint64((1 << width) - 1)
    ordered: np.ndarray = np.where(bits & sign, middle - magnitude, middle + magnitude)
    return ordered
