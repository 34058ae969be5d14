"""The causes of mismatches: from the answers (compare.causes), from a few more calls of the worker, and from the weights beside it.

It runs after an artifact's cases were judged, and changes no verdict. The extra calls are bounded in number, time and bytes; a worker
that dies of one is asked nothing more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations

import numpy as np

from crossload.compare import causes
from crossload.compare.judge import at_least, judge
from crossload.compare.tolerance import Tolerances
from crossload.contract.causes import UNKNOWN, Cause, Confidence, Kind
from crossload.contract.vectors import Tensors, Vector
from crossload.errors import CrossloadError, WorkerFailure
from crossload.runtimes.supervisor import ModelSource, Supervisor
from crossload.verbs.verify import differing
from crossload.verbs.verify.run import Answered

# Vectors that experiments ask again, the seconds and the bytes of requests that one signature's experiments may take, and orders of inputs.
_ASKED, _SECONDS, _MOST_BYTES, _MOST_ORDERS = 3, 20.0, 64 << 20, 6
_ROWS = 8


def name(
    supervisor: Supervisor,
    source: ModelSource,
    others: Sequence[ModelSource],
    signature: str,
    asked: list[Answered],
    tolerances: Tolerances,
) -> None:
    """Put the cause beside each mismatch of a signature; `others` are the bundle's other artifacts, whose weights tell of wrong ones."""
    cause = _Signature(supervisor, source, others, signature, asked, tolerances).cause()
    for one in asked:
        if one.result.outcome == "mismatch":
            one.result.cause = cause


class _Signature:
    """One signature with a mismatch, and the experiments on it."""

    def __init__(
        self,
        supervisor: Supervisor,
        source: ModelSource,
        others: Sequence[ModelSource],
        signature: str,
        asked: list[Answered],
        tolerances: Tolerances,
    ) -> None:
        self.supervisor, self.source, self.others, self.name = supervisor, source, others, signature
        self.asked, self.tolerances = asked, tolerances
        wrong = [a for a in asked if a.result.outcome == "mismatch"]
        self.wrong = sorted(wrong, key=_content, reverse=True)[:_ASKED]
        self.until = time.monotonic() + _SECONDS

    def cause(self) -> Cause:
        """The most likely cause: the first that is sure, else the first."""
        if sum(a.nbytes for w in self.wrong for a in w.vector.inputs.values()) > _MOST_BYTES:
            return self._first(self._of_answers, self._of_weights) or UNKNOWN
        found = self._first(self._repeated, self._of_answers)
        if found and found.confidence == "high":
            return self._with_place(found)
        # Exchanged inputs and a negated weight may give the same answers: what differs in the file itself comes first.
        more = self._first(self._of_weights, self._exchanged_inputs, self._input_layout, self._rows_apart)
        if found is None or (more and more.confidence == "high"):
            return more or UNKNOWN
        return found

    def _first(self, *steps: Callable[[], Cause | None]) -> Cause | None:
        found: Cause | None = None
        for step in steps:
            try:
                cause = step()
            except WorkerFailure as failure:
                if failure.outcome in ("crash", "timeout", "protocol_error", "not_run"):
                    self.until = 0.0  # nothing more is asked
                continue
            except CrossloadError:
                continue
            if cause and cause.kind != "unknown" and (found is None or cause.confidence == "high"):
                found = cause
            if found and found.confidence == "high":
                break
        return found

    def _with_place(self, found: Cause) -> Cause:
        """The cause with the weight or the node that differs, if one does."""
        place = None if found.kind in ("random", "state") else self._first(self._of_weights)
        if place is None or place.confidence != "high":
            return found
        return found.model_copy(update={"evidence": f"{found.evidence}; {place.text}"})

    def _of_answers(self) -> Cause:
        return causes.explain([(a.vector.outputs, a.answer, a.vector.rounding) for a in self.asked], self.tolerances)

    def _ask(self, inputs: Tensors) -> Mapping[str, np.ndarray]:
        if time.monotonic() > self.until:
            raise WorkerFailure("not_run", "run", "the time for experiments is over")
        return self.supervisor.infer(self.name, inputs, list(self.wrong[0].vector.outputs)).outputs

    def _agrees(self, vector: Vector, answer: Mapping[str, np.ndarray]) -> bool:
        return at_least(judge(vector.outputs, answer, self.tolerances, rounding=vector.rounding)[0].agreement, "close")

    def _repeated(self) -> Cause | None:
        """The same request again, twice, and once more after the model is loaded anew."""
        vector = self.wrong[0].vector
        first, second = self._ask(vector.inputs), self._ask(vector.inputs)
        if all(self._agrees(replace(vector, outputs=first), other) for other in (second, self.wrong[0].answer)):
            return None  # perhaps sums in another order from run to run
        self.supervisor.load(self.source)
        fresh = [self._ask(vector.inputs)]
        self.supervisor.load(self.source)
        fresh.append(self._ask(vector.inputs))
        if _alike(*fresh):
            agree = " and agrees" if self._agrees(vector, fresh[0]) else ""
            said = f"{vector.id} asked again answers differently; after the model is loaded anew its first answer repeats{agree}"
            return Cause(kind="state", text="the answer depends on the requests before it", evidence=said)
        apart = max((float(np.abs(a - b).max(initial=0)) for a, b in _numbers(first, second)), default=0.0)
        said = f"{vector.id} asked twice answers differently, by up to {apart:.3g}"
        return Cause(kind="random", text="the answer is random (a random op, or dropout as in training)", evidence=said)

    def _exchanged_inputs(self) -> Cause | None:
        """Inputs of one datatype fed in another order."""
        inputs = self.wrong[0].vector.inputs
        for order in [o for o in permutations(inputs) if o != tuple(inputs)][:_MOST_ORDERS] if 2 <= len(inputs) <= 4 else ():
            if any(inputs[a].dtype != inputs[b].dtype or inputs[a].ndim != inputs[b].ndim for a, b in zip(inputs, order, strict=True)):
                continue
            moved = [n for n, o in zip(inputs, order, strict=True) if n != o]
            if self._all_agree(partial(_reordered, order=order)):
                named = " and ".join(map(repr, moved)) if len(moved) == 2 else ", ".join(map(repr, moved))
                return self._experiment("exchanged_inputs", f"the inputs {named} are exchanged", "fed the other way round")
        return None

    def _input_layout(self) -> Cause | None:
        """One input with its axes or its elements in another order, or reversed."""
        for given, array in self.wrong[0].vector.inputs.items():
            for kind, words, change in _relaid(array):
                if self._all_agree(partial(_changed, name=given, change=change)):
                    return self._experiment(kind, f"the input {given!r} is taken {words}", "fed so")
        return None

    def _all_agree(self, change: Callable[[Tensors], Tensors]) -> bool:
        """Whether the requests that did not agree agree once their inputs are changed so."""
        for one in self.wrong:
            try:
                changed = change(one.vector.inputs)
                if not self._agrees(one.vector, self._ask(changed)):
                    return False
            except ValueError:
                return False
            except WorkerFailure as failure:
                if failure.outcome in ("unsupported", "refused", "run_error"):
                    return False
                raise
        return True

    def _experiment(self, kind: Kind, text: str, done: str) -> Cause:
        count = len(self.wrong)
        sure: Confidence = "high" if sum(_content(w) for w in self.wrong) >= 4 else "low"
        return Cause(kind=kind, text=text, evidence=f"{done}, {count} of {count} answers agree", confidence=sure)

    def _rows_apart(self) -> Cause | None:
        """The rows of a batch, each asked alone."""
        one = next((w for w in self.wrong if (_batch(w.vector) or 0) > 1), None)
        if one is None:
            return None
        text = "a row's answer depends on the other rows"
        count = min(_batch(one.vector) or 0, _ROWS)
        alone = [self._ask({n: a[i : i + 1] for n, a in one.vector.inputs.items()}) for i in range(count)]
        wanted = [replace(one.vector, outputs={n: a[i : i + 1] for n, a in one.vector.outputs.items()}) for i in range(count)]
        together = [replace(w, outputs={n: one.answer[n][i : i + 1] for n in w.outputs}) for i, w in enumerate(wanted)]
        if all(self._agrees(w, a) for w, a in zip(wanted, alone, strict=True)):
            return Cause(kind="rows", text=text, evidence=f"{one.vector.id} does not agree, and each of its rows asked alone does")
        if not all(self._agrees(t, a) for t, a in zip(together, alone, strict=True)):
            return Cause(kind="rows", text=text, evidence=f"rows of {one.vector.id} asked alone answer differently", confidence="low")
        return None

    def _of_weights(self) -> Cause | None:
        answers = [(a.vector.outputs, a.answer) for a in self.asked]
        return differing.cause(self.source, self.others, self.name, answers)


def _content(asked: Answered) -> int:
    """How much a vector can tell apart: its different values, and its rows."""
    return sum(len(set(np.ravel(a)[:512].tolist())) for a in asked.vector.inputs.values())


def _batch(vector: Vector) -> int | None:
    """The size that the first axis of every input and output has."""
    arrays = [*vector.inputs.values(), *vector.outputs.values()]
    sizes = {a.shape[0] if a.ndim else None for a in arrays}
    return sizes.pop() if len(sizes) == 1 else None


def _alike(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        a.shape == b.shape and (a.tolist() == b.tolist() if a.dtype == object else a.tobytes() == b.tobytes())
        for a, b in ((one[n], other[n]) for n in one)
    )


def _numbers(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for n in one:
        if n in other and one[n].dtype.kind not in "OSUb" and one[n].shape == other[n].shape:
            yield one[n].astype(np.complex128), other[n].astype(np.complex128)


def _reordered(inputs: Tensors, order: Sequence[str]) -> Tensors:
    return {n: inputs[o] for n, o in zip(inputs, order, strict=True)}


def _changed(inputs: Tensors, name: str, change: Callable[[np.ndarray], np.ndarray]) -> Tensors:
    return {**inputs, name: change(inputs[name])}


def _in_layout(array: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """The elements in another order of axes, under the old shape."""
    return np.reshape(np.transpose(array, axes), array.shape)


def _relaid(array: np.ndarray) -> Iterator[tuple[Kind, str, Callable[[np.ndarray], np.ndarray]]]:
    """The ways in which a receiver may take an array otherwise: (kind, words, what to feed instead)."""
    if array.ndim >= 3:
        last = array.ndim - 1
        orders = {"as NCHW instead of NHWC": [0, last, *range(1, last)], "as NHWC instead of NCHW": [0, *range(2, last + 1), 1]}
        for words, axes in orders.items():
            yield "layout", words, partial(_in_layout, axes=axes)
        if array.shape[1] == array.shape[2]:
            yield "transposed", "with its axes 1 and 2 exchanged", lambda a: np.swapaxes(a, 1, 2)
    if array.ndim == 2 and array.shape[0] == array.shape[1]:
        yield "transposed", "with its axes exchanged", np.transpose
    if array.ndim >= 2 and array.shape[-1] > 1:
        yield "permuted", "with its last axis reversed (as BGR instead of RGB)", lambda a: np.flip(a, -1)
