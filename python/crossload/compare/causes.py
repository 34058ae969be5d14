"""Causes of a mismatch: what turns the answers of one case (artifact, runtime, signature) into the reference's, over all its vectors.

A detector is a pure function of arrays. It names a cause only where that explains every vector, those that agree included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import permutations

import numpy as np

from crossload.compare import elementwise
from crossload.compare.pairs import Answers, Output, agree
from crossload.compare.tolerance import Tolerances
from crossload.contract import datatypes
from crossload.contract.causes import UNKNOWN, Cause, Confidence, Kind

Found = tuple[Kind, str, str]
_LAYOUTS: dict[tuple[int, ...], str] = {(0, 2, 3, 1): "NCHW instead of NHWC", (0, 3, 1, 2): "NHWC instead of NCHW"}
_FAR_BELOW = 1 / 8
_MOST_PERMUTED = 1 << 24
# Fewer values could be explained by chance.
_ENOUGH, _ENOUGH_INTEGERS = 6, 3


def explain(answers: Answers, tolerances: Tolerances) -> Cause:
    """The cause of the differences between (reference, answer, rounding) of all vectors; `unknown` if nothing explains them all."""
    if cause := _of_signature(answers):
        return cause
    outputs = [o for name in answers[0][0] if (o := Output.of(name, answers, tolerances)) is not None]
    different = [o for o in outputs if not o.agrees()]
    if not different:
        return UNKNOWN
    if found := _exchanged(outputs, different):
        return Cause(kind="exchanged_outputs", text=found, evidence=f"exchanged back, all {len(answers)} answers agree")
    explained = [_of_output(output) for output in different]
    certain = [c for c in explained if c is not None]
    if len(certain) < len(different):  # outputs that nothing explains
        return UNKNOWN
    certain.sort(key=lambda c: c.confidence == "high")
    return certain[0]


def _of_signature(answers: Answers) -> Cause | None:
    """An output that is missing, additional or of another datatype."""
    for reference, answer, _ in answers:
        if missing := [n for n in reference if n not in answer]:
            return Cause(
                kind="signature", text=f"the output {missing[0]!r} is missing", evidence=f"there are: {', '.join(answer) or 'none'}"
            )
        for name, array in reference.items():
            got, wanted = datatypes.of_array(answer[name]), datatypes.of_array(array)
            if got != wanted:
                kinds = f"it is {datatypes.for_people(got)}, the reference's is {datatypes.for_people(wanted)}"
                return Cause(kind="signature", text=f"the output {name!r} has another datatype", evidence=kinds)
    return None


def _exchanged(outputs: Sequence[Output], different: Sequence[Output]) -> str | None:
    """Which outputs have each other's answers; None if no permutation agrees."""
    takers = {o.name: [p for p in outputs if o.agrees_with(p)] for o in different}
    names = [o.name for o in different]
    if len(names) < 2 or not all(takers.values()) or len({o.values() for o in different}) < 1:
        return None
    for chosen in permutations(names) if len(names) <= 6 else ():
        if all(c in [t.name for t in takers[n]] for n, c in zip(names, chosen, strict=True)):
            listed = " and ".join(map(repr, names[:2])) if len(names) == 2 else ", ".join(map(repr, names))
            return f"the outputs {listed} are exchanged"
    return None


def _of_output(output: Output) -> Cause | None:
    """The first cause that explains an output."""
    for detector, usual in _DETECTORS:
        if found := detector(output):
            kind, text, evidence = found
            enough = _ENOUGH_INTEGERS if output.kind in "iuO" else _ENOUGH
            confidence: Confidence = "low" if output.values() < enough and kind not in ("nan", "zero") else usual
            return Cause(kind=kind, text=text, evidence=evidence, confidence=confidence)
    return None


def _not_finite(o: Output, *, alone: bool = True) -> Found | None:
    """NaN or infinities where the reference has none; `alone`: all else agrees, so that nothing else is to be explained."""
    if not o.floating:
        return None
    numbers, masks = o.numbers(), o.masks()
    if masks is None or len(numbers) < len(o):
        return None
    tests: tuple[tuple[Kind, str, Callable[[np.ndarray], np.ndarray]], ...] = (("nan", "NaN", np.isnan), ("infinite", "infinite", np.isinf))
    for kind, word, test in tests:
        wrong = [test(got) & ~test(ref) for ref, got in numbers]
        count, total = sum(int(w.sum()) for w in wrong), sum(w.size for w in wrong)
        others = any((mask & ~w).any() for mask, w in zip(masks, wrong, strict=True))
        if count and not (alone and others):
            among = f"in {sum(w.any() for w in wrong)} of {len(wrong)} vectors"
            return kind, f"answers in {o.name!r} are {word}", f"{count:,} of {total:,} elements, {among}"
    return None


def _constant(o: Output) -> Found | None:
    """The same value, or the same row, whatever is asked."""
    answers = [got for _, got in o.arrays() if got.size]
    if len(answers) < 2 and not (answers and answers[0].size > 1):
        return None
    if o.kind in "fiuc" and not any(a.any() for a in answers):
        return "zero", f"{o.name!r} is zero in every answer", f"{sum(a.size for a in answers):,} elements"
    rows = [row for a in answers for row in np.reshape(a, (a.shape[0] if a.ndim > 1 else 1, -1)).tolist()]
    wanted = [row for r, _ in o.arrays() if r.size for row in np.reshape(r, (r.shape[0] if r.ndim > 1 else 1, -1)).tolist()]
    flat = {v for row in rows for v in row}
    if len(flat) == 1 and len({v for row in wanted for v in row}) > 1:
        return "constant", f"{o.name!r} is {_shown(next(iter(flat)))} in every answer", f"in all {len(answers)} vectors"
    if len(rows) > 2 and len({tuple(r) for r in rows}) == 1 and len({tuple(r) for r in wanted}) > 1:
        return "constant", f"{o.name!r} does not depend on the inputs", f"all {len(rows)} rows of the answers are the same"
    return None


def _transposed(o: Output) -> Found | None:
    """Axes in another order; or the elements of another layout under the right shape."""
    for axes in _orders(o):
        if o.explained(partial(np.transpose, axes=axes)):
            return "transposed", f"the axes of {o.name!r} are in another order: {list(axes)}", f"put back, all {len(o)} answers agree"
    for axes in _orders(o):
        if o.explained(partial(_relaid, axes=axes)):
            words = _LAYOUTS.get(axes, f"of the axes {list(axes)}")
            return "layout", f"the elements of {o.name!r} are in the layout {words}", f"read so, all {len(o)} answers agree"
    for axis in range(1 if o.rank > 1 else 0, o.rank):
        if o.explained(partial(np.flip, axis=axis)):
            return "permuted", f"{o.name!r} is reversed along axis {axis}", f"reversed back, all {len(o)} answers agree"
    return None


def _orders(o: Output) -> Iterator[tuple[int, ...]]:
    """The orders of axes other than the usual one; of many axes none, because they are too many."""
    return (axes for axes in (permutations(range(o.rank)) if 2 <= o.rank <= 5 else ()) if axes != tuple(range(o.rank)))


def _relaid(got: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """The array whose elements lie in memory as those of its transposition do."""
    inverse = np.argsort(axes)
    return np.transpose(np.reshape(got, [got.shape[i] for i in inverse]), axes)


def _rolled(o: Output) -> Found | None:
    if o.rank == 0:
        return None
    for axis in range(o.rank - 1, 0 if o.rank > 1 else -1, -1):
        ref, got, tolerance = o.first_different()
        if ref.shape != got.shape or not 2 < ref.shape[axis] <= 4096:
            continue
        wanted = np.take(ref, 0, axis)
        steps = [k for k in range(1, ref.shape[axis]) if agree(wanted, np.take(got, k, axis), tolerance)]
        for k in steps[:32]:
            if o.explained(partial(np.roll, shift=-k, axis=axis)):
                step = min(k, k - ref.shape[axis], key=abs)
                return "rolled", f"{o.name!r} is rolled by {step} along axis {axis}", f"rolled back, all {len(o)} answers agree"
    return None


def _permuted(o: Output) -> Found | None:
    """Classes (the last axis) in another order; or class ids that stand for one another."""
    if o.kind in "iuO" and (mapping := o.mapping()):
        listed = ", ".join(f"{_shown(a)} for {_shown(b)}" for b, a in list(mapping.items())[:4])
        return "permuted", f"the values of {o.name!r} stand for one another", f"a one-to-one mapping: {listed}"
    if o.rank < 2 or (rows := o.rows()) is None:
        return None
    ref, got, atol = rows
    n = ref.shape[-1]
    if not n >= 2 or len(ref) < 2 or n * n * len(ref) > _MOST_PERMUTED:
        return None
    allowed = atol + max(t.rtol for *_, t in o.pairs) * np.abs(ref)
    fits: np.ndarray = np.all(np.abs(ref[:, :, None] - got[:, None, :]) <= allowed[:, :, None], axis=0)
    taken: dict[int, int] = {i: i for i in range(n) if fits[i, i]}
    for i in range(n):
        if i not in taken:
            free = [j for j in np.flatnonzero(fits[i]).tolist() if j not in taken.values()]
            if not free:
                return None
            taken[i] = free[0]
    moved = [i for i in range(n) if taken[i] != i]
    if len(moved) < 2:
        return None
    what = f"the classes {moved[0]} and {moved[1]} of {o.name!r} are exchanged"
    if len(moved) > 2:
        what = f"{len(moved)} of {n} classes of {o.name!r} are in another order"
    return "permuted", what, f"put back, all {len(o)} answers agree"


def _one_place(o: Output) -> Found | None:
    """The differences are in one class (index of the last axis), or in one element."""
    masks = o.masks()
    if masks is None:
        return None
    if len({m.shape for m in masks}) == 1 and masks[0].size > 2:
        places = np.flatnonzero(np.any(masks, axis=0))
        if places.size == 1 and _outstanding(o, lambda a: a.reshape(-1), int(places[0])):
            at = [int(i) for i in np.unravel_index(places[0], masks[0].shape)]
            return "one_element", f"only the element {at} of {o.name!r} differs", f"the others agree in all {len(o)} vectors"
    if o.rank >= 2 and (n := masks[0].shape[-1]) > 2 and all(m.shape[-1] == n for m in masks):
        columns = np.flatnonzero(np.any([m.reshape(-1, n).any(axis=0) for m in masks], axis=0))
        if columns.size == 1 and _outstanding(o, lambda a: a.reshape(-1, n).max(axis=0, initial=0), int(columns[0])):
            return "one_class", f"only the class {columns[0]} of {o.name!r} differs", f"the other {n - 1} agree in all {len(o)} vectors"
    return None


def _outstanding(o: Output, fold: Callable[[np.ndarray], np.ndarray], at: int) -> bool:
    """Whether the place `at` of the folded differences is far above all others: those may be just within what is allowed."""
    found = o.excesses()
    if found is None:  # nothing else differs at all
        return True
    greatest = np.max([fold(one) for one in found], axis=0)
    return bool(np.delete(greatest, at).max(initial=0) <= greatest[at] * _FAR_BELOW)


def _rounding(o: Output) -> Found | None:
    """Just above the bound, and nowhere far from it."""
    excess = o.excess()
    if excess is not None and 1 < excess <= 4:
        return "rounding", "rounding, in another order or with other kernels", f"{o.name!r} differs by at most {excess:.2g} × the bound"
    return None


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


_DETECTORS: tuple[tuple[Callable[[Output], Found | None], Confidence], ...] = (
    (_not_finite, "high"),
    (_constant, "high"),
    (elementwise.rounded, "high"),
    (elementwise.negated, "high"),
    # Near zero an activation is almost linear: it comes before a fit, which has two numbers to choose.
    (elementwise.activation, "high"),
    (elementwise.scaled, "high"),
    (_transposed, "high"),
    (_rolled, "high"),
    (_permuted, "high"),
    (elementwise.clipped, "high"),
    (_one_place, "high"),
    (elementwise.one_logit, "high"),
    (elementwise.of_each_class, "high"),
    (elementwise.quantised, "high"),
    (partial(_not_finite, alone=False), "low"),
    (_rounding, "low"),
    (elementwise.narrow, "low"),
)
