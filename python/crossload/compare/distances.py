"""The distances of two tensors of numbers, element by element: in blocks that stay in the CPU's cache, or a million elements take long."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from crossload.compare import ulp
from crossload.contract.manifest import Tolerance

# 64 KiB of float64: small enough for the cache, and for BLAS not to start threads.
_BLOCK = 8192


@dataclass
class Distances:
    """The sums and greatest values over all elements that are finite in both; `unit` and `tolerance` are those of `measure`."""

    compared: int = 0
    nan: int = 0  # of the answer
    nan_apart: int | None = None  # the first place where one alone has a NaN
    infinity_apart: bool = False
    worst: int = 0  # the place of the greatest difference
    max_abs: float = 0.0
    max_rel: float = 0.0
    max_ulp: int | None = None  # of floats
    rounding: float = 0.0  # in units
    within: bool = True  # the tolerance
    needed: float = -math.inf  # the smallest atol that would pass beside the tolerance's rtol
    squares: float = 0.0  # of the differences
    products: tuple[float, float, float] = (0.0, 0.0, 0.0)  # answer by reference, reference by itself, answer by itself

    @property
    def rmse(self) -> float:
        """The root mean square of the differences."""
        return float(np.sqrt(self.squares / self.compared)) if self.compared else 0.0

    @property
    def rmse_rel(self) -> float:
        """The same relative to the reference's root mean square; 0 where nothing differs or the reference is zero."""
        return float(np.sqrt(self.squares / self.products[1])) if self.products[1] else 0.0

    @property
    def cosine(self) -> float:
        """The cosine of the angle between answer and reference; of two zeros 1, of one 0."""
        both, one, other = self.products
        if not one or not other:
            return 1.0 if one == other else 0.0
        return float(min(1.0, max(-1.0, both / (np.sqrt(one) * np.sqrt(other)))))


def measure(reference: np.ndarray, answer: np.ndarray, tolerance: Tolerance, unit: Tolerance | None) -> Distances:
    """The distances of an answer to the reference's: real numbers of one dtype and shape."""
    found, ref, got = Distances(), np.ascontiguousarray(reference).ravel(), np.ascontiguousarray(answer).ravel()
    if ulp.is_floating(ref.dtype):
        found.max_ulp = 0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for start in range(0, ref.size, _BLOCK):
            _add(found, start, ref[start : start + _BLOCK], got[start : start + _BLOCK], tolerance, unit)
    return found


def wide(array: np.ndarray) -> np.ndarray:
    """float64, or longdouble for 64-bit integers and floats, so that the difference itself rounds as little as the platform allows."""
    return array.astype(np.longdouble if array.dtype.itemsize == 8 else np.float64)


def apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The exact distance of integers: modulo 2^64 it is the same for every width and sign, and never rounds to zero."""
    greater, less = np.maximum(one, other).astype(np.uint64), np.minimum(one, other).astype(np.uint64)
    return wide(greater - less)


def _add(found: Distances, start: int, ref: np.ndarray, got: np.ndarray, tolerance: Tolerance, unit: Tolerance | None) -> None:
    one, two = wide(ref), wide(got)
    squares = np.dot(one, one), np.dot(two, two)
    places = None
    if not (np.isfinite(squares[0]) and np.isfinite(squares[1])):  # or they overflow
        places = _finite(found, start, one, two)
        ref, got, one, two = ref[places], got[places], one[places], two[places]
        squares = np.dot(one, one), np.dot(two, two)
    if not one.size:
        return
    absolute = apart(got, ref) if ref.dtype.kind in "iu" else np.abs(two - one)
    scale = np.abs(one)
    least, greatest = scale.min(), int(np.argmax(absolute))
    if absolute[greatest] > found.max_abs or not found.compared:
        found.worst, found.max_abs = start + int(greatest if places is None else places[greatest]), absolute[greatest]
    found.compared += one.size
    found.products = (found.products[0] + np.dot(one, two), found.products[1] + squares[0], found.products[2] + squares[1])
    if not absolute[greatest]:
        found.needed = max(found.needed, -tolerance.rtol * least)
        return
    found.squares += np.dot(absolute, absolute)
    differs = slice(None) if least else scale > 0
    found.max_rel = max(found.max_rel, (absolute[differs] / scale[differs]).max(initial=0.0))
    needed = (absolute - tolerance.rtol * scale).max()
    found.needed = max(found.needed, needed)
    if needed > tolerance.atol * (1 - 1e-9):  # else it is clear
        found.within = found.within and bool((absolute <= tolerance.atol + tolerance.rtol * scale).all())
    if unit is not None:
        differs = slice(None) if least or unit.atol else absolute > 0
        found.rounding = max(found.rounding, (absolute[differs] / (unit.rtol * scale[differs] + unit.atol)).max())
    if found.max_ulp is not None:
        found.max_ulp = max(found.max_ulp, int(ulp.distance(got, ref).max()))


def _finite(found: Distances, start: int, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Note the NaN and the infinities of a block; returns the places where both are finite."""
    nan_one, nan_two = np.isnan(one), np.isnan(two)
    found.nan += int(nan_two.sum())
    if found.nan_apart is None and (nan_one != nan_two).any():
        found.nan_apart = start + int(np.argmax(nan_one != nan_two))
    infinite = np.isinf(one) | np.isinf(two)
    found.infinity_apart = found.infinity_apart or bool((one[infinite] != two[infinite]).any())
    return np.flatnonzero(~(nan_one | nan_two | infinite))
