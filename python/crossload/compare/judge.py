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

from crossload.compare import ulp
from crossload.compare.tolerance import Tolerances, unit_of
from crossload.contract import datatypes
from crossload.contract.manifest import Tolerance
from crossload.contract.outcomes import AGREEMENTS, Agreement


@dataclass
class Judgement:
    """The agreement of an answer; `reason` is empty for `close` or better, otherwise it says what differs."""

    agreement: Agreement
    metrics: dict[str, Any] = field(default_factory=dict)
    reason: str = ""


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
) -> tuple[Judgement, dict[str, Judgement]]:
    """The judgement of the whole answer (its worst output's agreement, the worst metrics) and of each output.

    `rounding` is the reference's (vectors.Vector). A missing or an additional output, another datatype or shape, or no output at all is
    `different`.
    """
    outputs: dict[str, Judgement] = {}
    for name in dict.fromkeys([*reference, *answer]):
        if name not in answer:
            outputs[name] = Judgement("different", reason=f"the output {name!r} is missing")
        elif name not in reference:
            outputs[name] = Judgement("different", reason=f"the output {name!r} was not asked for")
        else:
            known = (rounding or {}).get(name)
            outputs[name] = judge_output(name, reference[name], answer[name], tolerances, nan=nan, rounding=known)
    if not outputs:
        return Judgement("different", reason="there is no output to compare"), {}
    worst = max(outputs.values(), key=lambda j: AGREEMENTS.index(j.agreement)).agreement
    reasons = "; ".join(j.reason for j in outputs.values() if j.reason)
    return Judgement(worst, _worst_metrics([j.metrics for j in outputs.values()]), reasons), outputs


def judge_output(
    name: str, reference: np.ndarray, answer: np.ndarray, tolerances: Tolerances, *, nan: str = "same", rounding: float | None = None
) -> Judgement:
    """One output. Metrics of numbers: max_abs, max_rel, max_ulp (floats), rmse, argmax_agreement (share of rows along the last axis).

    With the reference's `rounding` also `rounding`, the greatest difference in units of it.
    """
    wanted, got = datatypes.of_array(reference), datatypes.of_array(answer)
    if wanted != got:
        people = datatypes.for_people
        return Judgement("different", reason=f"{name!r} is {people(got)}, the reference's is {people(wanted)}")
    if reference.shape != answer.shape:
        return Judgement("different", reason=f"{name!r} has shape {list(answer.shape)}, the reference's has {list(reference.shape)}")
    if wanted in ("BYTES", "BOOL"):
        return _judge_exact(name, reference, answer)
    unit = unit_of(wanted, rounding)
    return _judge_numbers(name, reference, answer, tolerances.of(name, wanted, rounding), unit, nan)


def _judge_exact(name: str, reference: np.ndarray, answer: np.ndarray) -> Judgement:
    different = np.flatnonzero(reference.ravel() != answer.ravel())
    if not different.size:
        return Judgement("identical")
    at = int(different[0])
    got, wanted = (array.ravel()[at : at + 1].tolist()[0] for array in (answer, reference))  # Python's bool, not NumPy's
    where = f"at {_index(at, reference.shape)}: {got!r}, the reference's is {wanted!r}"
    return Judgement(
        "different", {"differing": int(different.size)}, f"{name!r} differs in {different.size} of {reference.size} elements, first {where}"
    )


def _judge_numbers(
    name: str, reference: np.ndarray, answer: np.ndarray, tolerance: Tolerance, unit: Tolerance | None, nan: str
) -> Judgement:
    identical = bytes(datatypes.encode(reference)) == bytes(datatypes.encode(answer))
    if identical and nan != "forbid":  # most answers: the distances need no arithmetic
        return Judgement("identical", _no_distance(reference) | ({} if unit is None else {"rounding": 0.0}))
    ref, got = _parts(reference), _parts(answer)
    wide_ref, wide_got = _wide(ref), _wide(got)
    nan_ref, nan_got = np.isnan(wide_ref), np.isnan(wide_got)
    if nan == "forbid" and nan_got.any():
        return Judgement("different", reason=f"{name!r} has {int(nan_got.sum())} NaN, which are forbidden")
    if (nan_ref != nan_got).any():
        at = int(np.flatnonzero((nan_ref != nan_got).ravel())[0])
        what = "NaN where the reference has none" if nan_got.ravel()[at] else "no NaN where the reference has one"
        return Judgement("different", {"nan": int(nan_got.sum())}, f"{name!r} has {what}, first at {_index(at, ref.shape)}")
    infinite = np.isinf(wide_ref) | np.isinf(wide_got)
    if (wide_ref[infinite] != wide_got[infinite]).any():
        return Judgement("different", reason=f"{name!r} has an infinity that the reference has not, or the other way round")
    compared = ~(nan_ref | infinite)
    metrics, absolute = _metrics(ref, got, wide_ref, wide_got, compared)
    scale = np.abs(wide_ref[compared])
    if unit is not None:
        metrics["rounding"] = _in_units(absolute, scale, unit)
    metrics["argmax_agreement"] = _argmax_agreement(reference, answer)
    if identical:
        return Judgement("identical", metrics)
    if metrics.get("max_ulp", math.inf) <= tolerance.ulp:
        return Judgement("ulp", metrics)
    if (absolute <= tolerance.atol + tolerance.rtol * scale).all():
        return Judgement("close", metrics)
    ratio = "" if unit is None else f", {metrics['rounding']:.3g} × rounding"
    at = int(np.flatnonzero(compared)[np.argmax(absolute)])
    worst = f" at {_index(at, ref.shape)}: {float(wide_got.ravel()[at]) + 0.0:g}, the reference's is {float(wide_ref.ravel()[at]) + 0.0:g}"
    reason = f"{name!r} differs by up to {metrics['max_abs']:.3g}{ratio}{worst}{_needed(absolute, scale, tolerance)}"
    same_decision = metrics["argmax_agreement"] == 1.0 and reference.ndim > 0 and reference.shape[-1] > 1
    return Judgement("decision" if same_decision else "different", metrics, reason)


def _metrics(
    ref: np.ndarray, got: np.ndarray, wide_ref: np.ndarray, wide_got: np.ndarray, compared: np.ndarray
) -> tuple[dict[str, Any], np.ndarray]:
    absolute = _apart(got[compared], ref[compared]) if ref.dtype.kind in "iu" else np.abs(wide_got[compared] - wide_ref[compared])
    scale = np.abs(wide_ref[compared])
    metrics: dict[str, Any] = {"max_abs": 0.0, "max_rel": 0.0, "rmse": 0.0}
    if absolute.size:
        nonzero = scale > 0
        metrics["max_abs"] = _finite(absolute.max())
        metrics["max_rel"] = _finite((absolute[nonzero] / scale[nonzero]).max()) if nonzero.any() else 0.0
        metrics["rmse"] = _finite(np.sqrt(np.mean(np.square(absolute))))
    if ulp.is_floating(ref.dtype):
        metrics["max_ulp"] = int(ulp.distance(got[compared], ref[compared]).max()) if absolute.size else 0
    return metrics, absolute


def _in_units(absolute: np.ndarray, scale: np.ndarray, unit: Tolerance) -> float:
    """The greatest difference in roundings; 0 where nothing differs."""
    differs = absolute > 0
    one = unit.atol + unit.rtol * scale[differs]
    with np.errstate(divide="ignore"):
        return _finite((absolute[differs] / one).max()) if differs.any() else 0.0


def _no_distance(array: np.ndarray) -> dict[str, Any]:
    """The metrics of an answer that is bitwise the reference's."""
    metrics: dict[str, Any] = {"max_abs": 0.0, "max_rel": 0.0, "rmse": 0.0}
    if ulp.is_floating(_parts(array[:0] if array.ndim else array).dtype):
        metrics["max_ulp"] = 0
    metrics["argmax_agreement"] = 1.0 if _decides(array) else None
    return metrics


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The exact distance of integers: modulo 2^64 it is the same for every width and sign, and never rounds to zero."""
    greater, less = np.maximum(one, other).astype(np.uint64), np.minimum(one, other).astype(np.uint64)
    return _wide(greater - less)


def _finite(value: Any) -> float:
    """A number that JSON can express: beyond float64 it is float64's maximum."""
    return min(float(value), sys.float_info.max)


def _needed(absolute: np.ndarray, scale: np.ndarray, tolerance: Any) -> str:
    """The smallest atol and rtol that would pass, rounded up so that the printed numbers pass."""
    atol = float((absolute - tolerance.rtol * scale).max())
    text = f"; would pass with atol={_round_up(atol)} (rtol {tolerance.rtol:g})"
    needs_rtol = absolute > tolerance.atol
    if (scale[needs_rtol] > 0).all():
        rtol = float(((absolute - tolerance.atol)[needs_rtol] / scale[needs_rtol]).max())
        text += f" or rtol={_round_up(rtol)} (atol {tolerance.atol:g})"
    return text


def _round_up(value: float) -> str:
    """The value with three significant digits, rounded up."""
    if value <= 0 or not math.isfinite(value):
        return f"{value:g}"
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"{math.ceil(value / step * (1 + 1e-12)) * step:.3g}"


def _parts(array: np.ndarray) -> np.ndarray:
    """Complex numbers as their real and imaginary parts along a new last axis."""
    if array.dtype.kind != "c":
        return array
    return np.stack([array.real, array.imag], axis=-1)


def _wide(array: np.ndarray) -> np.ndarray:
    """float64, or longdouble for 64-bit integers and floats, so that the difference itself rounds as little as the platform allows."""
    return array.astype(np.longdouble if array.dtype.itemsize == 8 else np.float64)


def _argmax_agreement(reference: np.ndarray, answer: np.ndarray) -> float | None:
    if not _decides(reference):
        return None
    return float(np.mean(_decisions(reference) == _decisions(answer)))


def _decides(array: np.ndarray) -> bool:
    """Whether rows along the last axis have a largest element that decides; a list of integers is a batch of class ids."""
    return (
        array.ndim > (1 if "INT" in datatypes.of_array(array) else 0) and array.size > 0 and array.shape[-1] > 1 and array.dtype.kind != "c"
    )


def _decisions(array: np.ndarray) -> np.ndarray:
    """The argmax of each row along the last axis; integers without conversion, because large ones round; a NaN is never the maximum."""
    if array.dtype.kind not in "iu":
        wide = _wide(array)
        array = np.where(np.isnan(wide), -np.inf, wide)
    decisions: np.ndarray = np.argmax(array, axis=-1)
    return decisions


def _index(at: int, shape: tuple[int, ...]) -> str:
    return str([int(i) for i in np.unravel_index(at, shape)]) if shape else "the scalar"


def _worst_metrics(all_metrics: list[dict[str, Any]]) -> dict[str, Any]:
    worst: dict[str, Any] = {}
    for metrics in all_metrics:
        for name, value in metrics.items():
            if value is not None:
                pick = min if name == "argmax_agreement" else max
                worst[name] = pick(worst[name], value) if name in worst else value
    return worst
