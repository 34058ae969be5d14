"""How far a quantised output is from the float model's: decisions, SQNR, cosine, steps, collapse; and the bounds that refuse one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from crossload.contract.manifest import Quality
from crossload.errors import CrossloadError

# The share of an output's elements at the ends of its range from which on it is saturated: a ReLU leaves many zeros, a softmax too, so
# what counts is how many more than the float model's answers would have there.
_SATURATED = 0.25


@dataclass(frozen=True)
class Bounds:
    """What a quantised output must keep, at least (`accuracy_drop`: at most); each is checked where it applies.

    The defaults refuse a broken model, not an approximate one: 98 % of the decisions as in the float model, of labels at most one point of
    accuracy lost, noise 10 dB below the signal (SQNR) and a cosine of 0.95 on data. An int8 model that was calibrated well has 20 to 40 dB.
    """

    decisions: float = 0.98
    accuracy_drop: float = 0.01
    sqnr: float = 10.0
    cosine: float = 0.95

    def unmet(self, found: Quality) -> Iterator[str]:
        """A sentence for each bound that an output does not meet."""
        if found.collapsed:
            yield f"{found.output} has collapsed: {found.collapsed}"
        if found.decisions is not None and found.decisions < self.decisions:
            yield f"{found.output} keeps {percent(found.decisions)} of the decisions (bound: {percent(self.decisions)})"
        if found.accuracy is not None and found.float_accuracy is not None and found.float_accuracy - found.accuracy > self.accuracy_drop:
            yield (
                f"the accuracy of {found.output} falls from {percent(found.float_accuracy)} to {percent(found.accuracy)} "
                f"(bound: a drop of {percent(self.accuracy_drop)})"
            )
        if found.sqnr is not None and found.sqnr < self.sqnr:
            yield f"the SQNR of {found.output} is {found.sqnr:.1f} dB (bound: {self.sqnr:g} dB)"
        if found.cosine is not None and found.cosine < self.cosine:
            yield f"the cosine of {found.output} is {found.cosine:.4g} (bound: {self.cosine:g})"

    def said(self) -> str:
        """The bounds in a line."""
        return (
            f"bounds: decisions ≥ {percent(self.decisions)}, accuracy drop ≤ {percent(self.accuracy_drop)}, "
            f"SQNR ≥ {self.sqnr:g} dB, cosine ≥ {self.cosine:g}, no collapsed output"
        )

    def met_by(self, found: Sequence[Quality]) -> str:
        """The bounds that these outputs would meet, as given on the command line."""
        drops = [q.float_accuracy - q.accuracy for q in found if q.accuracy is not None and q.float_accuracy is not None]
        lowest = {
            "decisions": min((q.decisions for q in found if q.decisions is not None), default=self.decisions),
            "sqnr": min((q.sqnr for q in found if q.sqnr is not None), default=self.sqnr),
            "cosine": min((q.cosine for q in found if q.cosine is not None), default=self.cosine),
        }
        below = [f"{name}={math.floor(1000 * value) / 1000:g}" for name, value in lowest.items() if value < getattr(self, name)]
        if drops and max(drops) > self.accuracy_drop:
            below.append(f"accuracy_drop={math.ceil(1000 * max(drops)) / 1000:g}")
        return ",".join(below) or "NAME=NUMBER"

    @classmethod
    def parse(cls, options: Sequence[str]) -> Bounds:
        """`sqnr=20,decisions=0.99` as given on the command line (`--bound`); raises CrossloadError."""
        given: dict[str, float] = {}
        for option in options:
            for part in option.split(","):
                match = re.fullmatch(r"(\w+)=([-+0-9.eE]+)", part.strip())
                if not match or match[1] not in cls.__dataclass_fields__:
                    raise CrossloadError(f"--bound {option!r}: write NAME=NUMBER; the names are {', '.join(cls.__dataclass_fields__)}")
                try:
                    given[match[1]] = float(match[2])
                except ValueError as error:
                    raise CrossloadError(f"--bound {option!r}: {match[2]!r} is not a number") from error
        return cls(**given)


@dataclass
class Answers:
    """One output's real values on every row of the data, of the float model and of the quantised one; `labels` are class ids by row.

    `scale` is the step of the quantised output, `ends` the real values at both ends of its range; None where it is computed in float.
    """

    reference: list[np.ndarray] = field(default_factory=list)
    answer: list[np.ndarray] = field(default_factory=list)
    labels: np.ndarray | None = None
    scale: float | None = None
    ends: tuple[float, float] | None = None


def measure(signature: str, output: str, data: str, given: Answers) -> Quality:
    """The quality of one output; without an element that is finite in both, only what has collapsed."""
    one, other = (np.concatenate([_rows(a) for a in side]) for side in (given.reference, given.answer))
    found = Quality(signature=signature, output=output, data=data, rows=len(one), collapsed=_collapsed(one, other, given.ends))
    finite = np.isfinite(one) & np.isfinite(other)
    if not finite.any():
        return found
    ref, got = one[finite], other[finite]
    apart = np.abs(ref - got)
    noise, signal, power = float(apart @ apart), float(ref @ ref), float(got @ got)
    found.max_abs, found.mean_abs = float(apart.max()), float(apart.mean())
    found.sqnr = 10 * math.log10(signal / noise) if noise and signal else None
    found.cosine = float(ref @ got) / math.sqrt(signal * power) if signal and power else float(signal == power)
    if given.scale:
        found.max_steps, found.mean_steps = found.max_abs / given.scale, found.mean_abs / given.scale
    last = given.reference[0].shape[-1] if given.reference[0].ndim > 1 else 1
    if last > 1 and finite.all():
        _decide(found, one.reshape(-1, last), other.reshape(-1, last), given.labels, given.scale)
    return found


def _rows(array: np.ndarray) -> np.ndarray:
    """An answer's rows, flat; a scalar is one row."""
    return np.atleast_1d(array).astype(np.float64).reshape((len(np.atleast_1d(array)), -1))


def _decide(found: Quality, one: np.ndarray, other: np.ndarray, labels: np.ndarray | None, scale: float | None) -> None:
    """The share of rows with the same argmax, and the accuracy on labels.

    A row decides alike if its two candidates are equal in the quantised answer, or within a step of each other in the float model's: no
    output of that scale tells them apart. A step of an output that is computed in float is 1/256 of its range.
    """
    chosen, instead, at = one.argmax(1), other.argmax(1), np.arange(len(one))
    range_ = float(one.max() - one.min()) or 1.0
    margins = one[at, chosen] - one[at, instead]
    flips = (other[at, chosen] < other[at, instead]) & (margins > (scale or range_ / 256))
    found.decisions = 1 - float(flips.mean())
    if flips.any():
        found.flip_margin = float(margins[flips].max()) / range_
    if labels is not None and labels.size == len(one):
        found.float_accuracy, found.accuracy = (float((made == labels.ravel()).mean()) for made in (chosen, instead))


def _collapsed(one: np.ndarray, other: np.ndarray, ends: tuple[float, float] | None) -> str | None:
    """What makes an output useless, in a few words; None for one that is as the float model's."""
    if np.isnan(other).any() and not np.isnan(one).any():
        return f"NaN in {percent(float(np.isnan(other).mean()))} of its elements"
    varies = len(one) > 1 and bool((one != one[:1]).any())
    if not other.any() and one.any():
        return "all zero"
    if varies and not (other != other[:1]).any():
        return "the same for every row"
    for end, name in zip(ends or (), ("low", "high"), strict=False):
        stuck = np.isclose(other, end, rtol=1e-6, atol=0)
        more = float((stuck & ~np.isclose(one, other, rtol=0.02, atol=1e-9 + abs(ends[1] - ends[0]) / 64 if ends else 0)).mean())
        if more > _SATURATED:
            return f"saturated at the {name} end of its range ({end:.3g}) in {percent(more)} of its elements"
    return None


def table(found: Sequence[Quality]) -> tuple[list[str], list[list[str]]]:
    """The heading and a row of text for each output, without the columns that no output has."""
    columns: Mapping[str, list[str]] = {
        "output": [q.output for q in found],
        "data": [f"{q.rows} {'row' if q.rows == 1 else 'rows'} of {q.data}" for q in found],
        "accuracy": [f"{percent(q.float_accuracy)} → {percent(q.accuracy)}" if q.accuracy is not None else "" for q in found],
        "decisions": [
            f"{percent(q.decisions)}{f', flips ≤ {100 * q.flip_margin:.2g} % of range' if q.flip_margin is not None else ''}"
            if q.decisions is not None
            else ""
            for q in found
        ],
        "SQNR": [f"{q.sqnr:.1f} dB" if q.sqnr is not None else "no noise" if q.max_abs == 0 else "" for q in found],
        "cosine": [f"{q.cosine:.6f}" if q.cosine is not None else "" for q in found],
        "worst": [_error(q.max_abs, q.max_steps) for q in found],
        "mean": [_error(q.mean_abs, q.mean_steps) for q in found],
        "collapsed": [q.collapsed or "" for q in found],
    }
    kept = {name: cells for name, cells in columns.items() if any(cells)}
    return list(kept), [list(row) for row in zip(*kept.values(), strict=True)]


def lines(found: Sequence[Quality]) -> list[str]:
    """The table as lines of plain text."""
    heading, rows = table(found)
    widths = [max(len(row[at]) for row in (heading, *rows)) for at in range(len(heading))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (heading, *rows)]


def sentence(found: Quality) -> str:
    """One output's quality in a line, for a report."""
    heading, (row,) = table([found])
    parts = dict(zip(heading, row, strict=True))
    return f"{parts.pop('output')}: " + ", ".join(f"{n} {c}" if n != "data" else f"on {c}" for n, c in parts.items())


def _error(absolute: float | None, steps: float | None) -> str:
    if absolute is None:
        return ""
    return f"{absolute:.3g}" if steps is None else f"{absolute:.3g} ({steps:.2g} steps)"


def percent(share: float | None) -> str:
    """A share that is below 100 % never reads as 100 %."""
    if share is None:
        return ""
    return "100 %" if share == 1 else f"{min(99.9, round(100 * share, 1)):g} %"
