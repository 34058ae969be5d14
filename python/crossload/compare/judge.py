"""The judge: compares an answer with the reference's, output by output; gives agreement, metrics and the reason.

NaN and infinity: a NaN agrees with a NaN in the same place and with nothing else (`same`), or never (`forbid`);
an infinity agrees only with the infinity of the same sign. Neither enters the metrics.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crossload.compare import decisions, ulp
from crossload.compare.distances import Distances, measure, wide
from crossload.compare.tolerance import Tolerances, unit_of
from crossload.contract import datatypes
from crossload.contract.manifest import Steps, Tolerance
from crossload.contract.outcomes import AGREEMENTS, Agreement


@dataclass
class Judgement:
    """The agreement of an answer; `reason` is empty for `close` or better, otherwise it says what differs.

    `needed` is the smallest atol that would make an output close beside `rtol`, that of its tolerance: 0 or less where any does, infinite
    where none does.
    """

    agreement: Agreement
    metrics: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    needed: float = 0.0
    rtol: float = 0.0


def at_least(agreement: Agreement, wanted: Agreement) -> bool:
    """Whether an agreement is the wanted one or closer."""
    return AGREEMENTS.index(agreement) <= AGREEMENTS.index(wanted)


def judge(
    reference: Mapping[str, np.ndarray],
    answer: Mapping[str, np.ndarray],
    tolerances: Tolerances,
    *,
    nan: str = "same",
    rounding: Mapping[str, float] | None = None,
    steps: Mapping[str, Steps] | None = None,
) -> tuple[Judgement, dict[str, Judgement]]:
    """The judgement of the whole answer (its worst output's agreement, the worst metrics) and of each output.

    `rounding` and `steps` are the reference's (vectors.Vector). A missing or an additional output, another datatype or shape, or no
    output at all is `different`.
    """
    outputs: dict[str, Judgement] = {}
    for name in dict.fromkeys([*reference, *answer]):
        if name not in answer:
            outputs[name] = Judgement("different", reason=f"the output {name!r} is missing")
        elif name not in reference:
            outputs[name] = Judgement("different", reason=f"the output {name!r} was not asked for")
        else:
            known, scale = (rounding or {}).get(name), (steps or {}).get(name)
            outputs[name] = judge_output(name, reference[name], answer[name], tolerances, nan=nan, rounding=known, steps=scale)
    if not outputs:
        return Judgement("different", needed=math.inf, reason="there is no output to compare"), {}
    worst = max(outputs.values(), key=lambda j: AGREEMENTS.index(j.agreement)).agreement
    reasons = "; ".join(j.reason for j in outputs.values() if j.reason)
    return Judgement(worst, _worst_metrics([j.metrics for j in outputs.values()]), reasons), outputs


def judge_output(
    name: str,
    reference: np.ndarray,
    answer: np.ndarray,
    tolerances: Tolerances,
    *,
    nan: str = "same",
    rounding: float | None = None,
    steps: Steps | None = None,
) -> Judgement:
    """One output. Metrics of numbers: max_abs, max_rel, max_ulp (floats), rmse, rmse_rel, cosine, argmax_agreement (share of rows along
    the last axis).

    With the reference's `steps` also `steps`, the greatest difference in steps of its scale; else with its `rounding` also `rounding`, the
    greatest difference in units of it; with rows that decide otherwise `flip_margin`,
    the greatest margin that the reference gave such a decision, as a share of the output's range.
    """
    wanted, got = datatypes.of_array(reference), datatypes.of_array(answer)
    if wanted != got:
        people = datatypes.for_people
        return Judgement("different", needed=math.inf, reason=f"{name!r} is {people(got)}, the reference's is {people(wanted)}")
    if reference.shape != answer.shape:
        return Judgement(
            "different", needed=math.inf, reason=f"{name!r} has shape {list(answer.shape)}, the reference's has {list(reference.shape)}"
        )
    if wanted in ("BYTES", "BOOL"):
        return _judge_exact(name, reference, answer)
    return _judge_numbers(name, reference, answer, tolerances, rounding, steps, nan)


def bounds(
    name: str, reference: np.ndarray, tolerances: Tolerances, rounding: float | None, steps: Steps | None
) -> tuple[Tolerance, Tolerance | None]:
    """What is close for an output's answers, and one rounding of it: an element's own last place (`rtol`), and the recorded distance
    (`atol`); None where that is not known, or where the output is quantised."""
    datatype, known = datatypes.of_array(reference), None if steps else rounding
    return tolerances.of(name, datatype, known, lambda: _largest(_parts(reference)), steps), unit_of(datatype, known)


def _judge_exact(name: str, reference: np.ndarray, answer: np.ndarray) -> Judgement:
    different = np.flatnonzero(reference.ravel() != answer.ravel())
    if not different.size:
        return Judgement("identical")
    at = int(different[0])
    got, wanted = (array.ravel()[at : at + 1].tolist()[0] for array in (answer, reference))  # Python's bool, not NumPy's
    where = f"at {_index(at, reference.shape)}: {got!r}, the reference's is {wanted!r}"
    return Judgement(
        "different",
        {"differing": int(different.size)},
        f"{name!r} differs in {different.size} of {reference.size} elements, first {where}",
        math.inf,
    )


def _judge_numbers(
    name: str,
    reference: np.ndarray,
    answer: np.ndarray,
    tolerances: Tolerances,
    rounding: float | None,
    steps: Steps | None,
    nan: str,
) -> Judgement:
    tolerance, unit = bounds(name, reference, tolerances, rounding, steps)
    identical = _identical(reference, answer)
    if identical and nan != "forbid":  # most answers: the distances need no arithmetic
        return Judgement("identical", _no_distance(reference) | ({"steps": 0.0} if steps else {"rounding": 0.0} if unit else {}))
    ref, got = _parts(reference), _parts(answer)
    found = measure(ref, got, tolerance, unit)
    if nan == "forbid" and found.nan:
        return Judgement("different", needed=math.inf, reason=f"{name!r} has {found.nan} NaN, which are forbidden")
    if found.nan_apart is not None:
        what = "NaN where the reference has none" if np.isnan(got.ravel()[found.nan_apart]) else "no NaN where the reference has one"
        return Judgement("different", {"nan": found.nan}, f"{name!r} has {what}, first at {_index(found.nan_apart, ref.shape)}", math.inf)
    if found.infinity_apart:
        return Judgement(
            "different", needed=math.inf, reason=f"{name!r} has an infinity that the reference has not, or the other way round"
        )
    metrics = _metrics(found) | ({} if unit is None else {"rounding": _finite(found.rounding)})
    metrics |= {"steps": _finite(found.max_abs / steps.scale)} if steps else {}
    flips = (
        decisions.flips(reference, answer, tolerance, max(1, steps.allowed) * steps.scale if steps else 0.0)
        if _decides(reference)
        else None
    )
    metrics["argmax_agreement"] = flips.agreement if flips else None
    if flips and flips.count:
        metrics["flip_margin"] = flips.margin
    if identical:
        return Judgement("identical", metrics)
    if found.max_ulp is not None and found.max_ulp <= tolerance.ulp:
        return Judgement("ulp", metrics)
    # One row alone may be within a tolerance that somebody chose for it.
    reversed_ = (
        flips is not None and flips.all_confident and (flips.rows > 1 or not tolerances.given_for(name, datatypes.of_array(reference)))
    )
    if found.within and not reversed_:
        return Judgement("close", metrics, needed=found.needed, rtol=tolerance.rtol)
    ratio = f", {metrics['steps']:.3g} × step" if steps else "" if unit is None else f", {metrics['rounding']:.3g} × rounding"
    one, other = (float(array.ravel()[found.worst]) + 0.0 for array in (got, ref))
    place = f"{_index(found.worst, ref.shape)}: {one:g}, the reference's is {other:g}"
    reason = f"{name!r} differs by up to {metrics['max_abs']:.3g}{ratio} at {place}"
    if flips and flips.count:
        reason += f"; {flips.count} of {flips.rows} decisions change, by up to {100 * flips.margin:.3g} % of its range"
    same = flips is not None and not flips.faults and not reversed_
    hopeless = flips is not None and flips.all_confident and flips.rows > 1
    return Judgement("decision" if same else "different", metrics, reason, math.inf if hopeless else found.needed, tolerance.rtol)


def _identical(reference: np.ndarray, answer: np.ndarray) -> bool:
    one, other = (memoryview(datatypes.encode(array)) for array in (reference, answer))
    head = slice(0, 4096)  # where most answers that differ do so, without a copy of a large one
    return bytes(one[head]) == bytes(other[head]) and bytes(one) == bytes(other)


def _metrics(found: Distances) -> dict[str, Any]:
    metrics: dict[str, Any] = {"max_abs": _finite(found.max_abs), "max_rel": _finite(found.max_rel), "rmse": _finite(found.rmse)}
    metrics |= {"rmse_rel": _finite(found.rmse_rel), "cosine": found.cosine}
    return metrics if found.max_ulp is None else metrics | {"max_ulp": found.max_ulp}


def _largest(array: np.ndarray) -> float:
    """The largest finite magnitude; 0 where there is none."""
    wide_ = np.abs(wide(array))
    return float(wide_.max(initial=0.0, where=np.isfinite(wide_)))


def _no_distance(array: np.ndarray) -> dict[str, Any]:
    """The metrics of an answer that is bitwise the reference's."""
    metrics: dict[str, Any] = {"max_abs": 0.0, "max_rel": 0.0, "rmse": 0.0, "rmse_rel": 0.0, "cosine": 1.0}
    if ulp.is_floating(_parts(array[:0] if array.ndim else array).dtype):
        metrics["max_ulp"] = 0
    metrics["argmax_agreement"] = 1.0 if _decides(array) else None
    return metrics


def _finite(value: Any) -> float:
    """A number that JSON can express: beyond float64 it is float64's maximum."""
    return min(float(value), sys.float_info.max)


def _parts(array: np.ndarray) -> np.ndarray:
    """Complex numbers as their real and imaginary parts along a new last axis."""
    if array.dtype.kind != "c":
        return array
    return np.stack([array.real, array.imag], axis=-1)


def _decides(array: np.ndarray) -> bool:
    """Whether rows along the last axis have a largest element that decides; a list of integers is a batch of class ids."""
    return (
        array.ndim > (1 if "INT" in datatypes.of_array(array) else 0) and array.size > 0 and array.shape[-1] > 1 and array.dtype.kind != "c"
    )


def _index(at: int, shape: tuple[int, ...]) -> str:
    return str([int(i) for i in np.unravel_index(at, shape)]) if shape else "the scalar"


def _worst_metrics(all_metrics: list[dict[str, Any]]) -> dict[str, Any]:
    worst: dict[str, Any] = {}
    for metrics in all_metrics:
        for name, value in metrics.items():
            if value is not None:
                pick = min if name in ("argmax_agreement", "cosine") else max
                worst[name] = pick(worst[name], value) if name in worst else value
    return worst
