"""The run: one thread per runtime sends every case to its worker; each answer is judged here, and every event becomes a result."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crossload.compare.judge import Judgement, at_least, judge
from crossload.compare.tolerance import Tolerances
from crossload.contract.manifest import Artifact
from crossload.contract.vectors import Vector
from crossload.errors import EnvironmentProblem, WorkerFailure
from crossload.report.results import Case, Report, Result
from crossload.runtimes import environments
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Answer, ModelSource, Supervisor
from crossload.verbs.verify import conditions
from crossload.verbs.verify.handed_out import HandedOut
from crossload.verbs.verify.plan import Plan
from crossload.verbs.verify.suggestion import Suggestion

# After this many worker deaths in a row on one artifact, its other cases are `not_run`, which fails visibly.
DEATHS_IN_A_ROW = 3
NONE = "-"  # in place of a result's artifact, signature or vector if it has none
_GRACE_SECONDS = 5.0
_MOST_KEPT = 256 << 20  # bytes of answers
if TYPE_CHECKING:
    import numpy as np

    from crossload.contract.causes import Cause
    from crossload.verbs.verify.platforms import Answers

Progress = Callable[[str], None]
OnResult = Callable[[Result], None]


@dataclass(frozen=True)
class Asked:
    """A vector to run; `reported`: its answer is compared. `load`: load the model afresh first, `keep`: keep its state from then on."""

    signature: str
    outputs: list[str]
    vector: Vector
    reported: bool = True
    load: bool = False
    keep: bool = False


@dataclass
class Answered:
    """A vector, what the runtime answered, and the judgement."""

    vector: Vector
    answer: Mapping[str, np.ndarray]
    result: Result


class Kept:
    """The answers by signature, until they have too many bytes: those after that are not kept."""

    def __init__(self) -> None:
        self._by_signature: dict[str, list[Answered]] = {}
        self._bytes = 0

    def add(self, signature: str, vector: Vector, answer: Mapping[str, np.ndarray], result: Result) -> None:
        """Keep an answer."""
        self._bytes += sum(a.nbytes for a in answer.values())
        if self._bytes <= _MOST_KEPT:
            self._by_signature.setdefault(signature, []).append(Answered(vector, answer, result))

    def mismatched(self) -> Iterator[tuple[str, list[Answered]]]:
        """The signatures with a mismatch, and all their answers."""
        return ((name, answered) for name, answered in self._by_signature.items() if any(a.result.outcome == "mismatch" for a in answered))


@dataclass
class Cases:
    """The vectors of one artifact's signatures, for one runtime; `without` says, by signature, why it is not proved.

    `contradicted` says, by signature, how the artifact contradicts the manifest: it is not run, because nobody else would call it so.
    `others` are the bundle's other artifacts.
    """

    artifact: Artifact
    source: ModelSource
    vectors: list[Asked]
    without: Mapping[str, str]
    contradicted: Mapping[str, Cause]
    others: Sequence[ModelSource] = ()

    def of(self, runtime: str) -> list[Case]:
        """The cases of this artifact in a runtime."""
        return [self.case(runtime, asked) for asked in self.vectors if asked.reported]

    def case(self, runtime: str, asked: Asked) -> Case:
        """The case of one of the vectors."""
        return Case(self.artifact.id, runtime, asked.signature, asked.vector.id)


@dataclass
class Job:
    """One runtime's share of the run, in a thread of its own."""

    name: str
    runtime: Runtime
    cases: list[Cases]
    supervisor: Supervisor | None = None
    given: HandedOut | None = None
    cancelled: bool = False
    answers: Answers | None = None  # filled, if it is there

    def all(self) -> list[Case]:
        """Every case of the runtime."""
        return [case for cases in self.cases for case in cases.of(self.name)]

    def supervise(self, supervisor: Supervisor) -> None:
        """Take on the supervisor of this runtime's worker."""
        self.supervisor = supervisor
        if self.cancelled:
            supervisor.cancel()

    def cancel(self) -> None:
        """Kill the worker, or prevent its start."""
        self.cancelled = True
        if self.supervisor:
            self.supervisor.cancel()


def run(jobs: list[Job], report: Report, plan: Plan, tolerances: Tolerances, progress: Progress, on_result: OnResult) -> None:
    """Start one thread per runtime and process their events until all are done or the user interrupts."""
    events: queue.SimpleQueue[object] = queue.SimpleQueue()
    threads = [threading.Thread(target=_work, args=(job, plan, tolerances, events), daemon=True) for job in jobs]
    running = len(threads)
    try:
        for thread in threads:
            thread.start()
        while running:
            running -= _take(events.get(), report, progress, on_result)
    except KeyboardInterrupt:
        report.interrupted = True
    finally:
        if running:
            _stop(jobs, threads)
    while not events.empty():  # answers that arrived during the interrupt
        _take(events.get(), report, lambda _: None, lambda _: None)
    seen = {r.case for r in report.results}
    for job in jobs:
        report.results += [Result(case, "not_run", error="interrupted") for case in job.all() if case not in seen]
        deaths = job.supervisor.deaths if job.supervisor else []
        report.cautions += [f"{job.name}: {death}; its answers are kept" for death in deaths]
        deaths.clear()  # a worker that goes on to the next run


def _take(event: object, report: Report, progress: Progress, on_result: OnResult) -> bool:
    """Process a thread's event; returns whether it was the last one. Raises a fault of the core itself."""
    if isinstance(event, Result):
        report.results.append(event)
        on_result(event)
    elif isinstance(event, dict):
        report.runtimes.append(event)
    elif isinstance(event, BaseException):
        raise event
    elif isinstance(event, str):
        progress(event)
    return event is None


def _stop(jobs: list[Job], threads: list[threading.Thread]) -> None:
    """Kill every worker; a thread that is making an environment continues, but no longer starts a worker."""
    for job in jobs:
        job.cancel()
    for thread in threads:
        if thread.ident:
            thread.join(_GRACE_SECONDS)


def _work(job: Job, plan: Plan, tolerances: Tolerances, events: queue.SimpleQueue[object]) -> None:
    """Run one runtime from start to end; everything becomes an event."""
    try:
        for result in _results(job, plan, tolerances, events):
            if job.given:  # the user knows the bundle's paths, not those that the worker was given
                result.error, result.note, result.stderr = map(job.given.as_in_bundle, (result.error, result.note, result.stderr))
            if result.outcome != "ok":
                result.reproduce = reproduce(plan, result.case)
            events.put(result)
    except BaseException as error:  # noqa: BLE001 - a fault of the core itself must reach the user, not end a thread silently
        events.put(error)
    finally:
        events.put(None)


def _results(job: Job, plan: Plan, tolerances: Tolerances, events: queue.SimpleQueue[object]) -> Iterator[Result]:
    for cases in job.cases:
        for signature, reason in cases.without.items():
            yield Result(Case(cases.artifact.id, job.name, signature, NONE), "not_run", error=reason)
    if not job.all():
        return
    try:
        given = nullcontext(job.supervisor) if job.supervisor else None
        living = given or Supervisor(job.name, environments.prepare(job.runtime.source, events.put), plan.limits)
    except EnvironmentProblem as problem:
        yield from (Result(case, "not_run", error=f"{job.runtime.title} is not ready: {problem}") for case in job.all())
        return
    with living as supervisor:
        job.supervise(supervisor)
        try:
            events.put(conditions.identity(supervisor))
        except WorkerFailure as failure:
            yield from (failed(case, failure) for case in job.all())
            return
        for cases in job.cases:
            yield from _of_artifact(supervisor, job.runtime, cases, plan, tolerances, job.answers)


def _of_artifact(
    supervisor: Supervisor, runtime: Runtime, cases: Cases, plan: Plan, tolerances: Tolerances, answers: Answers | None
) -> Iterator[Result]:
    if not cases.vectors:
        return
    all_cases = cases.of(supervisor.name)
    bindings = {name: binding for name, binding in cases.source.bindings.items() if name not in cases.contradicted}
    source = replace(cases.source, bindings=bindings)
    try:
        # A worker may refuse a signature that is not there.
        source = conditions.pinned(supervisor, source)
        note = supervisor.load(replace(source, keep_state=cases.vectors[0].keep)) if bindings else None
    except WorkerFailure as failure:
        from crossload.verbs.check.failures import explained

        failure.message = explained(failure, runtime, source)
        yield from (_contradicted(case, cases) or failed(case, failure) for case in all_cases)
        return
    kept, suggestions = Kept(), {asked.signature: Suggestion() for asked in cases.vectors}
    for asked, case, answer in _asked(supervisor, runtime, source, cases):
        if isinstance(answer, Result):
            yield answer
            continue
        notes = "; ".join(dict.fromkeys(n for n in (note, answer.note) if n)) or None
        seconds = None if answer.nanoseconds is None else answer.nanoseconds / 1e9
        result, each = judged(case, asked.vector, answer.outputs, plan, tolerances, note=notes, seconds=seconds)
        suggestions[asked.signature].add(result, each)
        kept.add(asked.signature, asked.vector, answer.outputs, result)
        if answers is not None:
            answers[case.artifact, case.signature, case.vector] = answer.outputs
        yield result
    sequences = {asked.signature for asked in cases.vectors if asked.keep}  # another state, which no tolerance is for
    if not at_least(plan.agreement, "ulp"):
        for suggestion in (s for signature, s in suggestions.items() if signature not in sequences):
            suggestion.conclude()
    for signature, answered in kept.mismatched():
        from crossload.verbs.verify import causes  # loaded where something differs, not where all agrees

        causes.name(supervisor, source, cases.others, signature, answered, tolerances)


def judged(
    case: Case,
    recorded: Vector,
    answer: Mapping[str, np.ndarray],
    plan: Plan,
    tolerances: Tolerances,
    *,
    note: str | None = None,
    seconds: float | None = None,
) -> tuple[Result, dict[str, Judgement]]:
    """The result of a case whose answer is there, and the judgement of each output."""
    whole, each = judge(recorded.outputs, answer, tolerances, nan=plan.nan, rounding=recorded.rounding, steps=recorded.steps)
    ok = at_least(whole.agreement, plan.agreement)
    reason = whole.reason or f"the agreement is {whole.agreement}, but {plan.agreement} is required"
    levels = {output: j.agreement for output, j in each.items()}
    error = None if ok else reason
    return Result(case, "ok" if ok else "mismatch", whole.agreement, whole.metrics, levels, error, note=note, seconds=seconds), each


def _asked(supervisor: Supervisor, runtime: Runtime, source: ModelSource, cases: Cases) -> Iterator[tuple[Asked, Case, Answer | Result]]:
    """Every reported vector with the runtime's answer, or with its result where there is none."""
    deaths = 0
    said: dict[tuple[str, str], str] = {}  # vectors of one signature mostly fail alike
    ended: WorkerFailure | None = None  # what ended the sequence of vectors since the last load
    for at, asked in enumerate(cases.vectors):
        case = cases.case(supervisor.name, asked)
        answer: Answer | Result | None = _contradicted(case, cases)
        if deaths >= DEATHS_IN_A_ROW:
            answer = Result(case, "not_run", error=f"the worker died {deaths} times in a row on this artifact")
        if answer is None:
            ended = ended if asked.keep and not asked.load else None
            try:
                if ended:
                    raise ended
                if asked.load and at:
                    supervisor.load(replace(source, keep_state=asked.keep))
                answer = supervisor.infer(asked.signature, asked.vector.inputs, asked.outputs)
                deaths = 0
            except WorkerFailure as failure:
                deaths = deaths + 1 if failure.outcome in ("crash", "timeout", "protocol_error") and not ended else 0
                if not ended:
                    failed_as = asked.signature, failure.message
                    failure.message = said.get(failed_as) or said.setdefault(failed_as, _explained(failure, runtime, source, asked))
                answer = failed(case, failure)
                if asked.keep and not ended:
                    ended = _ended(asked.vector, failure)
        if asked.reported:
            yield asked, case, answer


def _explained(failure: WorkerFailure, runtime: Runtime, source: ModelSource, asked: Asked) -> str:
    from crossload.verbs.check.failures import explained  # loaded where something fails

    return explained(failure, runtime, source, asked.signature)


def _contradicted(case: Case, cases: Cases) -> Result | None:
    """The result of a case whose signature in the artifact contradicts the manifest."""
    cause = cases.contradicted.get(case.signature)
    return Result(case, "mismatch", error=cause.text, cause=cause) if cause else None


def _ended(vector: Vector, failure: WorkerFailure) -> WorkerFailure:
    """The outcome of the vectors after one that failed, in a signature that keeps state: nobody is blamed for their answers."""
    sentence = f"its answer depends on the vector {vector.id} before it, which has the outcome {failure.outcome}: {failure.message}"
    return WorkerFailure("unsupported" if failure.outcome == "unsupported" else "not_run", "run", sentence)


def failed(case: Case, failure: WorkerFailure) -> Result:
    """A worker's failure as the case's result."""
    return Result(case, failure.outcome, error=failure.message, stderr=failure.stderr or None)


def reproduce(plan: Plan, case: Case) -> str:
    """The command that repeats one case of the plan."""
    chosen = {"runtimes": case.runtime, "artifacts": case.artifact, "signatures": case.signature, "vectors": case.vector}
    return replace(plan, only=None, **{what: (name,) for what, name in chosen.items() if name != NONE}).to_command()  # type: ignore[arg-type]
