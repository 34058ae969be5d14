"""A signature's answers in the reference, as they are given again: in any order, or as a sequence after a load."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from crossload.artifacts.graphs.hidden_state import Hidden
from crossload.contract import datatypes, vectors
from crossload.contract.manifest import LeftOut
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import WorkerFailure
from crossload.inputs.domains import Domain
from crossload.inputs.requests import Requests, draw, of_ranks
from crossload.inputs.requests import extra as more
from crossload.runtimes.supervisor import ModelSource, Supervisor
from crossload.verbs.verify import repeats, winners

# The requests with which a rank is tried: a batch of one, and of several.
_PROBES = 2
# How often answers that a random op takes part in must come again: small ones come again by chance.
_ASKED_AGAIN = 4


@dataclass
class Answers:
    """A signature's vectors, the requests without an answer, and why an answer depends on the requests before it.

    `failure` is what the first request met, if none is answered.
    """

    vectors: list[vectors.Vector]
    left_out: list[LeftOut]
    state: str | None = None
    failure: WorkerFailure | None = None


def repeatable(
    supervisor: Supervisor, source: ModelSource, name: str, requests: Requests, domain: Domain, hidden: Hidden, *, afresh: bool, extra: bool
) -> Answers:
    """A signature's answers as they are given again: in any order, else as a sequence after a load; none where neither holds.

    `afresh`: another signature may have changed the model's state.
    """
    signature = source.signatures[name]
    requests = _of_answered_rank(supervisor, name, signature, requests, domain)

    def load(*, keep: bool) -> None:
        supervisor.load(replace(source, keep_state=keep))

    def again(recorded: Sequence[vectors.Vector], before: Callable[[], None] = lambda: None) -> bool:
        return all(once_more(recorded, before) for _ in range(_ASKED_AGAIN if hidden.random else 1))

    def once_more(recorded: Sequence[vectors.Vector], before: Callable[[], None]) -> bool:
        before()
        outputs = [t.name for t in signature.outputs]
        try:
            ask = lambda vector: supervisor.infer(name, vector.inputs, outputs).outputs  # noqa: E731
            return repeats.repeated(recorded, ask, exactly=hidden.reads_clock)
        except WorkerFailure:
            return False

    if not hidden.changing:
        if afresh:
            load(keep=False)
        recorded, left_out, failure = _answers(supervisor, name, signature, requests, domain, extra=extra)
        if failure:
            return Answers([], left_out, failure=failure)
        if again(recorded if hidden else recorded[:1]):
            if hidden:
                load(keep=False)
            if not hidden or again(recorded):
                return Answers(recorded, left_out)
    load(keep=True)
    recorded, left_out, failure = _answers(supervisor, name, signature, requests, domain, extra=False)
    if failure:
        return Answers([], left_out, failure=failure)
    if not hidden.unseeded and again(recorded, before=lambda: load(keep=True)):
        return Answers(recorded, left_out, repeats.why_state(hidden))
    return Answers([], [LeftOut(id=v.id, reason=repeats.why_not(hidden)) for v in recorded] + left_out)


def _of_answered_rank(supervisor: Supervisor, name: str, signature: Signature, requests: Requests, domain: Domain) -> Requests:
    """The requests with those shapes for inputs of unknown rank of whose first requests the reference answers the most."""
    candidates = of_ranks(signature, requests)
    best, most = candidates[0], -1
    for tried in candidates if len(candidates) > 1 else ():
        probes = draw(signature, replace(tried, inputs=()), domain)[:_PROBES]
        answered = 0
        for vector in probes:
            try:
                supervisor.infer(name, vector.inputs, [t.name for t in signature.outputs])
                answered += 1
            except WorkerFailure as failure:
                if failure.outcome != "run_error":  # of no shape, or the worker's end
                    return best
        if answered > most:
            best, most = tried, answered
        if answered == len(probes):
            break
    return best


def _answers(
    supervisor: Supervisor, name: str, signature: Signature, requests: Requests, domain: Domain, *, extra: bool
) -> tuple[list[vectors.Vector], list[LeftOut], WorkerFailure | None]:
    """The answered vectors, those left out, and the first failure if none is answered.

    With `extra` also more vectors, as far as they are answered.
    """
    recorded, left_out = [], []
    first: WorkerFailure | None = None
    drawn = draw(signature, requests, domain)
    for vector in [*drawn, *(more(signature, requests, domain, drawn) if extra else ())]:
        try:
            answer = supervisor.infer(name, vector.inputs, [t.name for t in signature.outputs])
            answered = replace(vector, outputs=answer.outputs)
            if problem := vectors.misfit(answered, signature):
                raise WorkerFailure("protocol_error", "run", f"the reference's answer does not fit the signature: {problem}")
            recorded.append(answered)
        except WorkerFailure as failure:
            if not vector.extra:
                first = first or failure
                left_out.append(LeftOut(id=vector.id, reason=f"{failure.outcome}: {str(failure)[:300]}"))
    if [v for v in recorded if not v.extra]:
        if extra:
            recorded += _winners(supervisor, name, signature, requests, domain, recorded)
        return recorded, left_out, None
    assert first, "a signature has at least one request"
    sentence = f"the reference answers no request for the signature {name!r}: {first}"
    return [], left_out, WorkerFailure(first.outcome, first.phase, sentence, first.stderr)


def _winners(
    supervisor: Supervisor, name: str, signature: Signature, requests: Requests, domain: Domain, recorded: list[vectors.Vector]
) -> list[vectors.Vector]:
    """The answered vector that makes further classes win, if one is found; rows that the reference refuses end the search."""

    def ask(inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return supervisor.infer(name, inputs, [t.name for t in signature.outputs]).outputs

    try:
        found = winners.search(ask, signature, requests, domain, recorded)
        return [replace(found, outputs=ask(found.inputs))] if found else []
    except WorkerFailure as failure:
        if failure.outcome == "run_error":
            return []
        raise


def completed(signature: Signature, recorded: list[vectors.Vector]) -> Signature:
    """The signature with the datatypes and shapes of outputs that the artifact does not state, from the answers.

    A dimension that all answers have in common is stated only if the requests had two sizes in every dimension that they may choose.
    """

    def learn(spec: TensorSpec) -> TensorSpec:
        answered = [v for v in recorded if spec.name in v.outputs]
        if not answered or (spec.datatype in datatypes.DATATYPES and spec.shape is not None):
            return spec
        answers = [v.outputs[spec.name] for v in answered]
        shape = _common_shape(answers, varied=_varied(signature, answered)) if spec.shape is None else spec.shape
        return replace(spec, datatype=datatypes.of_array(answers[0]), shape=shape)

    return replace(signature, outputs=tuple(learn(t) for t in signature.outputs))


def _varied(signature: Signature, requests: Sequence[vectors.Vector]) -> bool:
    """Whether every free dimension of the inputs has two sizes in the requests; of an input of any rank, the first one."""
    for spec in signature.inputs:
        given = [v.inputs[spec.name].shape for v in requests if spec.name in v.inputs]
        free = [0] if spec.shape is None else [at for at, size in enumerate(spec.shape) if size == -1]
        if any(len({shape[at : at + 1] for shape in given}) < 2 for at in free if any(given)):
            return False
    return True


def _common_shape(arrays: list[np.ndarray], *, varied: bool) -> tuple[int, ...] | None:
    """The shape that all have in common, -1 where dimensions differ or might; None if the ranks differ."""
    if len({a.ndim for a in arrays}) != 1:
        return None
    sizes = [set(dims) for dims in zip(*(a.shape for a in arrays), strict=True)]
    return tuple(next(iter(found)) if varied and len(found) == 1 else -1 for found in sizes)
