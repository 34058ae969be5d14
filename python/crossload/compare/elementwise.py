"""Detectors of causes that change each element on its own: a scale, a sign, a shift, an activation, a bound, a datatype, a grid."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np

from crossload.compare.pairs import Output, wide

if TYPE_CHECKING:
    from crossload.compare.causes import Found

# A fit takes up a little of any difference: the rest must be well below the difference itself.
_REST = 1 / 50
_LEAST_SIZE = 8
# bfloat16 first: most of its numbers are float16's, too.
_NARROW = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16}
_EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7}


def rounded(o: Output) -> Found | None:
    """Every answer is the reference rounded to a narrower datatype, or to a whole number."""
    if not o.floating:
        return None
    pairs = [(r, g) for r, g in o.arrays() if r.shape == g.shape]
    if len(pairs) < len(o) or sum(g.size for _, g in pairs) < _LEAST_SIZE:
        return None
    for name, dtype in _NARROW.items():
        if pairs[0][0].dtype.itemsize <= 2:
            break
        with np.errstate(over="ignore"):
            same = all(np.array_equal(g, g.astype(dtype).astype(g.dtype), equal_nan=True) for _, g in pairs)
            fits = same and all(_within(r, g, 4 * _EPSILON[name]) for r, g in pairs)
            if fits and not all(np.array_equal(r, r.astype(dtype).astype(r.dtype), equal_nan=True) for r, _ in pairs):
                return "narrower", f"{o.name!r} went through {name}", f"every element is a {name}, and the reference's are not"
    for word, whole in (("rounded", np.rint), ("truncated", np.trunc)):
        made = all(np.array_equal(whole(wide(r)), wide(g)) for r, g in pairs)
        already = all(np.array_equal(whole(wide(r)), wide(r)) for r, _ in pairs)
        if made and not already and sum(np.count_nonzero(g) for _, g in pairs) >= _LEAST_SIZE:
            return "narrower", f"{o.name!r} went through an integer", f"every element is the reference's, {word}"
    return None


def _within(ref: np.ndarray, got: np.ndarray, share: float) -> bool:
    one, other = wide(ref), wide(got)
    finite = np.isfinite(one) & np.isfinite(other)
    return bool((np.abs(one[finite] - other[finite]) <= share * np.abs(one[finite]).max(initial=0)).all())


def negated(o: Output) -> Found | None:
    """Every answer is the negative of the reference."""
    if o.kind in "fic" and o.explained(np.negative):
        return "negated", f"{o.name!r} is negated", f"negated back, all {len(o)} answers agree"
    return None


def scaled(o: Output) -> Found | None:
    """a × reference + b, with one a and one b for all answers."""
    fitted = _fitted_inputs(o)
    if fitted is None:
        return None
    ref, got, atol = fitted
    size = float(np.vdot(ref, ref))
    a = float(np.vdot(ref, got)) / size if size else 0.0
    b = float(np.median(got - ref))
    if _fits(ref + b, got, ref, atol, o):
        return "shifted", f"{o.name!r} is shifted by {b:.4g}", f"the rest is at most {np.abs(got - ref - b).max():.2g}"
    if a and _fits(a * ref, got, ref, atol, o):
        return "scaled", f"{o.name!r} is scaled by {a:.4g}", f"the rest is at most {np.abs(got - a * ref).max():.2g}"
    if np.unique(ref).size < _LEAST_SIZE:
        return None
    slope, intercept = np.polyfit(ref, got, 1)
    if abs(slope) > 1e-6 and _fits(slope * ref + intercept, got, ref, atol, o):
        rest = float(np.abs(got - slope * ref - intercept).max())
        return "scaled", f"{o.name!r} is {slope:.4g} × the reference {intercept:+.4g}", f"the rest is at most {rest:.2g}"
    return None


def _fitted_inputs(o: Output) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """References, answers and what is allowed absolutely, of all elements that are finite in both.

    None if that leaves out more than a tenth, or too little to fit.
    """
    numbers = o.numbers()
    if o.kind not in "fiu" or len(numbers) < len(o):
        return None
    ref, got = (np.concatenate([pair[i].ravel() for pair in numbers]) for i in (0, 1))
    atol = np.concatenate([np.full(r.size, t.atol) for r, _, t in o.pairs])
    finite = np.isfinite(ref) & np.isfinite(got)
    if finite.sum() < max(4, 0.9 * ref.size) or np.unique(ref[finite]).size < 3:
        return None
    return ref[finite], got[finite], atol[finite]


def _fits(fit: np.ndarray, got: np.ndarray, ref: np.ndarray, atol: np.ndarray, o: Output) -> bool:
    """Whether what a fit leaves of each element is rounding, and far below what it explains and what varies among the answers."""
    rest, apart = np.abs(got - fit), float(np.abs(got - ref).max())
    growth = max(1.0, float(np.abs(got).max()) / max(float(np.abs(ref).max()), 1e-300))
    allowed = atol * growth + max(t.rtol for *_, t in o.pairs) * (np.abs(fit) + np.abs(ref))
    return bool((rest <= allowed).all()) and float(rest.max()) <= min(apart, float(np.ptp(got))) * _REST


def of_each_class(o: Output) -> Found | None:
    """A shift or a scale of its own for each class (the last axis), as a bias or the scale of a channel gives it."""
    rows = o.rows()
    if rows is None or o.rank < 2:
        return None
    ref, got, atol = rows
    if len(ref) < 4 or ref.shape[1] < 2 or np.unique(ref, axis=0).shape[0] < 4:
        return None
    shifts = np.median(got - ref, axis=0)
    if _fits(ref + shifts, got, ref, atol, o):
        text = f"each class of {o.name!r} is shifted by a constant of its own, as a bias does"
        return "shifted", text, f"by up to {np.abs(shifts).max():.3g}"
    sizes = np.sum(ref * ref, axis=0)
    scales = np.divide(np.sum(ref * got, axis=0), sizes, out=np.ones_like(sizes), where=sizes > 0)
    if np.abs(scales).max() > 1e-6 and _fits(scales * ref, got, ref, atol, o):
        return "scaled", f"each class of {o.name!r} is scaled by a factor of its own", f"from {scales.min():.3g} to {scales.max():.3g}"
    return None


def one_logit(o: Output) -> Found | None:
    """Probabilities: before the softmax only one class, or each by a constant of its own, or all by one factor, is different."""
    rows = o.rows()
    if rows is None or not o.floating or o.rank < 2:
        return None
    ref, got, _ = rows
    n = ref.shape[1]
    if len(ref) < 4 or n < 3 or any((a <= 1e-30).any() or (np.abs(a.sum(axis=1) - 1) > 1e-3).any() for a in (ref, got)):
        return None
    one, other = np.log(ref), np.log(got)
    moved = other - one
    rest = max(1e-3, 64 * np.finfo(o.pairs[0][0].dtype).eps) if o.pairs[0][0].dtype.kind == "f" else 0.1
    moved = moved - np.median(moved, axis=1, keepdims=True)  # the softmax takes away what all classes have in common
    odd = np.flatnonzero(np.abs(moved).max(axis=0) > rest)
    if odd.size == 1:
        return "one_class", f"only the class {odd[0]} of {o.name!r} differs before the softmax", f"the logits of the other {n - 1} agree"
    centred, wanted = other - other.mean(axis=1, keepdims=True), one - one.mean(axis=1, keepdims=True)
    shifts = (centred - wanted).mean(axis=0)
    apart = float(np.abs(centred - wanted).max())
    if np.unique(ref, axis=0).shape[0] >= 4 and np.abs(centred - wanted - shifts).max() < min(rest, apart * _REST):
        text = f"each class of {o.name!r} is shifted by a constant of its own before the softmax, as a bias does"
        return "shifted", text, f"by up to {np.abs(shifts).max():.3g}"
    a = float(np.vdot(wanted, centred) / max(float(np.vdot(wanted, wanted)), 1e-300))
    if np.abs(wanted).max() > 0.01 and np.abs(centred - a * wanted).max() < min(rest, apart * _REST):
        word = "negated" if abs(a + 1) < 1e-3 else f"scaled by {a:.4g}"
        return "negated" if word == "negated" else "scaled", f"the logits of {o.name!r} are {word}", "all classes before the softmax"
    return None


def _softmax(x: np.ndarray) -> np.ndarray:
    powers: np.ndarray = np.exp(x - x.max(axis=-1, keepdims=True))
    found: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return found


def _sigmoid(x: np.ndarray) -> np.ndarray:
    found: np.ndarray = 1 / (1 + np.exp(-x))
    return found


_ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "softmax": _softmax,
    "log_softmax": lambda x: np.log(_softmax(x)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "softplus": lambda x: np.logaddexp(x, 0),
    "exp": np.exp,
    "abs": np.abs,
    "square": np.square,
    "sqrt": np.sqrt,
}


def _applied(function: Callable[[np.ndarray], np.ndarray], array: np.ndarray) -> np.ndarray:
    return function(wide(array)).astype(array.dtype)


def activation(o: Output) -> Found | None:
    """An activation after the last layer is missing, was applied once more, or is another one."""
    if not o.floating or o.rank < 1:
        return None
    for name, function in _ACTIVATIONS.items():
        if o.explained(partial(_applied, function)):
            return "activation", f"{o.name!r} lacks {name}", f"{name} of each of the {len(o)} answers agrees"
        swapped = Output(o.name, [(got, ref, tolerance) for ref, got, tolerance in o.pairs])
        if swapped.explained(partial(_applied, function)):
            return "activation", f"{name} was applied to {o.name!r} once more", f"{name} of the reference is each of the {len(o)} answers"
    return None


def clipped(o: Output) -> Found | None:
    """Where an answer differs, it is one bound, and the reference is beyond it."""
    numbers, masks = o.numbers(), o.masks()
    if masks is None or o.kind not in "fiu" or len(numbers) < len(o):
        return None
    ref = np.concatenate([r[m] for (r, _), m in zip(numbers, masks, strict=True)])
    got = np.concatenate([g[m] for (_, g), m in zip(numbers, masks, strict=True)])
    if got.size < 4 or np.unique(ref).size < 4 or np.unique(got).size != 1:
        return None
    bound = float(got[0])
    for word, beyond, inside in (("above", ref > bound, np.less_equal), ("below", ref < bound, np.greater_equal)):
        if beyond.all() and all(inside(g, bound).all() for _, g in numbers):
            return "clipped", f"{o.name!r} is clipped {word} {bound:.4g}", f"{got.size:,} elements are that bound, the others agree"
    return None


def quantised(o: Output) -> Found | None:
    """The answers lie on a grid of at most 256 steps; the reference's do not."""
    fitted = _fitted_inputs(o) if o.floating else None
    if fitted is None:
        return None
    ref, got, _ = fitted
    there = np.unique(got)
    if not 3 <= there.size <= 256 or got.size < 32 or np.unique(ref).size < 2 * there.size:
        return None
    step = float(np.diff(there).min())
    places = (there - there[0]) / step
    if np.abs(places - np.rint(places)).max() > 0.02 or places[-1] > 256 or np.abs(got - ref).max() > 16 * step:
        return None
    return "quantised", f"{o.name!r} is quantised", f"all {got.size:,} elements are multiples of {step:.3g}, which the reference's are not"


def narrow(o: Output) -> Found | None:
    """Differences of the size that a narrower datatype inside the model makes."""
    fitted = _fitted_inputs(o) if o.floating else None
    if fitted is None or o.pairs[0][0].dtype.itemsize <= 2:
        return None
    ref, got, _ = fitted
    share = float(np.abs(got - ref).max() / max(float(np.abs(ref).max()), 1e-300))
    for name, epsilon in _EPSILON.items():
        if epsilon / 16 <= share <= 4 * epsilon:
            size = f"{share / epsilon:.2g} × the rounding of {name}"
            return "narrower", f"computed in {name}", f"{o.name!r} differs by {share:.2g} of its largest element, {size}"
    return None
