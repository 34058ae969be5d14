"""Decisions: the argmax of each row along the last axis, and what it is worth where it changes.

A row is a tie if the tolerance may exchange its two elements: that it flips is no fault. A flip is confident if the reference put its
choice above the answer's by more than 1/64 of the output's range, and by more than 4 ULP of it (2 steps of integers, twice the allowed
steps of a quantised output).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossload.compare.distances import apart, wide
from crossload.compare.tolerance import EPSILON
from crossload.contract import datatypes
from crossload.contract.manifest import Tolerance

_CONFIDENT, _ULPS, _STEPS = 1 / 64, 4, 2


@dataclass(frozen=True)
class Flips:
    """The rows whose decision changes: `faults` are no ties; `margin` is the reference's greatest, as a share of the output's range."""

    rows: int
    count: int = 0
    faults: int = 0
    margin: float = 0.0
    all_confident: bool = False

    @property
    def agreement(self) -> float:
        """The share of rows with the same decision."""
        return (self.rows - self.count) / self.rows


def flips(reference: np.ndarray, answer: np.ndarray, tolerance: Tolerance, scale: float = 0.0) -> Flips:
    """The flips of an answer with rows of at least two elements, which agrees with the reference in NaN and infinities.

    `scale` is the distance that a quantised output may be off: a step, or as many as are allowed.
    """
    ref, got = (a.reshape(-1, a.shape[-1]) for a in (reference, answer))
    chosen, instead = _argmax(ref), _argmax(got)
    at = np.flatnonzero(chosen != instead)
    if not at.size:
        return Flips(len(ref))
    best, other = ref[at, chosen[at]], ref[at, instead[at]]
    integers = ref.dtype.kind in "iu" or "INT" in datatypes.of_array(ref)
    margins = apart(best, other) if ref.dtype.kind in "iu" else wide(best) - wide(other)
    scales = np.abs(wide(best)), np.abs(wide(other))
    ties = margins <= 2 * tolerance.atol + tolerance.rtol * (scales[0] + scales[1])
    range_ = _range(ref)
    least = _STEPS if integers else _ULPS * EPSILON.get(datatypes.of_array(ref), 0.0) * scales[0] + _STEPS * scale
    confident = (margins > _CONFIDENT * range_) & (margins > least)
    share = float((margins / range_).max()) if range_ else 0.0
    return Flips(len(ref), at.size, int((~ties).sum()), share, at.size == len(ref) and bool(confident.all()))


def _range(array: np.ndarray) -> float:
    values = wide(array)
    values = values[np.isfinite(values)]
    return float(values.max() - values.min()) if values.size else 0.0


def _argmax(rows: np.ndarray) -> np.ndarray:
    """Integers without conversion, because large ones round; a NaN is never the maximum."""
    rows = wide(rows) if rows.dtype.kind == "V" else rows
    if rows.dtype.kind == "f" and (nan := np.isnan(rows)).any():
        rows = np.where(nan, -np.inf, rows)
    found: np.ndarray = np.argmax(rows, axis=-1)
    return found
