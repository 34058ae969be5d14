"""Verify: every vector of a bundle through every runtime that takes its artifacts, side by side, judged here."""

from __future__ import annotations

import queue
import shlex
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crossload.compare.judge import at_least, judge
from crossload.compare.tolerance import Tolerances
from crossload.contract.bundle import Bundle, is_bundle, open_bundle
from crossload.contract.manifest import Artifact, Tolerance
from crossload.contract.vectors import Vector
from crossload.errors import CrossloadError
from crossload.recording import NoReference, bundle_of
from crossload.report.results import Case, Report, Result
from crossload.requests import Wishes
from crossload.runtimes import environments, registry
from crossload.runtimes.environments import EnvironmentProblem
from crossload.runtimes.process import WorkerFailure
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor

# A model that kills its worker again and again proves nothing more by the fourth time; the rest is `not_run`, which fails visibly.
DEATHS_IN_A_ROW = 3


@dataclass(frozen=True)
class Plan:
    """What to verify and how strictly. None for artifacts, signatures or vectors means all of them."""

    artifacts: tuple[str, ...] | None = None
    signatures: tuple[str, ...] | None = None
    vectors: tuple[str, ...] | None = None
    tolerance: dict[str, Tolerance] = field(default_factory=dict)
    agreement: str = "close"
    nan: str = "same"
    limits: Limits = field(default_factory=Limits)
    wishes: Wishes = field(default_factory=Wishes)
    options: tuple[str, ...] = ()  # of the command line, repeated in the commands that reproduce


@dataclass
class Listener:
    """Called as things happen, all from one thread."""

    progress: Callable[[str], None] = lambda _: None
    result: Callable[[Result], None] = lambda _: None


def verify(
    path: str | Path, runtimes: Sequence[str] | None = None, *, plan: Plan | None = None, listener: Listener | None = None
) -> Report:
    """Verify a bundle, or a bare artifact whose reference answers are recorded first.

    `runtimes` are names (`tensorflow`, `tensorflow-java@1.1.0`); without any, the default ones.
    Raises CrossloadError for input that cannot be used; whatever a runtime does is an outcome in the report.
    On KeyboardInterrupt the workers are killed and the report says so, with what there is (`interrupted`).
    """
    plan, listener = plan or Plan(), listener or Listener()
    chosen = registry.find(list(runtimes or ()))
    try:
        return _verify(Path(path), chosen, plan, listener)
    except NoReference as error:
        return _without_reference(str(path), chosen, error)


def _verify(path: Path, chosen: list[Runtime], plan: Plan, listener: Listener) -> Report:
    with _opened(path, chosen, plan, listener) as bundle:
        jobs = [_Job(runtime, cases) for runtime in chosen if (cases := _cases(bundle, runtime, plan))]
        rows = [a.id for a in bundle.manifest.artifacts if plan.artifacts is None or a.id in plan.artifacts]
        report = Report(str(path), rows, [r.name for r in chosen], cautions=_cautions(bundle, plan))
        _run(jobs, report, plan, listener, Tolerances({**bundle.manifest.tolerance, **plan.tolerance}), str(path))
    return report


def _without_reference(path: str, chosen: list[Runtime], error: NoReference) -> Report:
    """A model that no runtime answers has outcomes, too: what each runtime did with it."""
    tried = {runtime.name: failure for runtime, failure in error.failures}
    report = Report(
        path, ["artifact"], [r.name for r in chosen], cautions=[f"there is no reference answer: nothing was compared{error.advice}"]
    )
    report.results = [_failed(Case("artifact", r.name, "-", "-"), tried[r.name]) for r in chosen if r.name in tried]
    return report


@dataclass
class _Cases:
    """The vectors of one artifact's signatures, for one runtime."""

    artifact: Artifact
    source: ModelSource
    vectors: list[tuple[str, list[str], Vector]]


@dataclass
class _Job:
    """One runtime's share of the run, in a thread of its own."""

    runtime: Runtime
    cases: list[_Cases]
    supervisor: Supervisor | None = None

    def all(self) -> list[Case]:
        return [Case(c.artifact.id, self.runtime.name, signature, vector.id) for c in self.cases for signature, _, vector in c.vectors]


@contextmanager
def _opened(path: Path, chosen: list[Runtime], plan: Plan, listener: Listener) -> Iterator[Bundle]:
    if is_bundle(path):
        yield open_bundle(path)
        return
    with tempfile.TemporaryDirectory(prefix="crossload-") as folder:
        yield bundle_of(path, Path(folder), plan.wishes, plan.limits, listener.progress, chosen, plan.signatures)


def _cases(bundle: Bundle, runtime: Runtime, plan: Plan) -> list[_Cases]:
    known = {
        "artifact": ({a.id for a in bundle.manifest.artifacts}, plan.artifacts),
        "signature": (set(bundle.manifest.signatures), plan.signatures),
    }
    for what, (there, wanted) in known.items():
        if unknown := set(wanted or ()) - there:
            raise CrossloadError(f"there is no {what} {sorted(unknown)[0]!r} in the bundle; there are: {', '.join(sorted(there))}")
    found = []
    for artifact in bundle.manifest.artifacts:
        if artifact.format not in runtime.formats or not (plan.artifacts is None or artifact.id in plan.artifacts):
            continue
        chosen = []
        for name in artifact.bindings:
            if plan.signatures is not None and name not in plan.signatures:
                continue
            outputs = [t.name for t in bundle.manifest.signatures[name].outputs]
            vectors = [v for v in bundle.vectors(name) if plan.vectors is None or v.id in plan.vectors]
            chosen += [(name, outputs, vector) for vector in vectors]
        tags = None if artifact.tags is None else tuple(artifact.tags)
        if chosen:
            found.append(_Cases(artifact, ModelSource(bundle.path(artifact), artifact.format, artifact.bindings, tags), chosen))
    return found


def _cautions(bundle: Bundle, plan: Plan) -> list[str]:
    outputs = {t.name: t.datatype for s in bundle.manifest.signatures.values() for t in s.outputs}
    said = Tolerances({**bundle.manifest.tolerance, **plan.tolerance}).raised(outputs)
    said += [f"the vector {v.signature}/{o.id} was left out at recording: {o.reason}" for v in bundle.manifest.vectors for o in v.left_out]
    for name in bundle.manifest.signatures:
        if constant := _constant_outputs(bundle.vectors(name)):
            said.append(f"every vector of {name} has the same answer in {', '.join(constant)}: agreeing on it proves little")
    if plan.nan != "same":
        said.append(f"NaN policy: {plan.nan}")
    return said


def _constant_outputs(vectors: list[Vector]) -> list[str]:
    """The outputs whose answers, of different requests, never change: an untrained or saturated model agrees with anything."""
    if len(vectors) < 2 or not any(v.inputs for v in vectors):
        return []
    numbers = [name for name, array in vectors[0].outputs.items() if array.dtype != object]
    return [name for name in numbers if len({row.tobytes() for v in vectors for row in np.atleast_1d(v.outputs[name])}) == 1]


def _run(jobs: list[_Job], report: Report, plan: Plan, listener: Listener, tolerances: Tolerances, path: str) -> None:
    """Start a thread a runtime and take in what they say until all are done, or the user has had enough."""
    events: queue.SimpleQueue[object] = queue.SimpleQueue()
    threads = [threading.Thread(target=_work, args=(job, plan, tolerances, path, events), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            event = events.get()
            if isinstance(event, Result):
                report.results.append(event)
                listener.result(event)
            elif isinstance(event, dict):
                report.runtimes.append(event)
            elif isinstance(event, BaseException):
                raise event
            elif isinstance(event, str):
                listener.progress(event)
            else:
                running -= 1
    except KeyboardInterrupt:
        report.interrupted = True
    finally:
        for job in jobs:
            if job.supervisor and running:
                job.supervisor.cancel()
    seen = {r.case for r in report.results}
    for job in jobs:
        report.results += [Result(case, "not_run", error="interrupted") for case in job.all() if case not in seen]
        deaths = job.supervisor.deaths if job.supervisor else []
        report.cautions += [f"{job.runtime.name}: {death}; its answers are kept" for death in deaths]


def _work(job: _Job, plan: Plan, tolerances: Tolerances, path: str, events: queue.SimpleQueue[object]) -> None:
    """One runtime from start to end; whatever happens becomes an event."""
    try:
        for result in _results(job, plan, tolerances, events):
            if result.outcome != "ok":
                result.reproduce = _reproduce(path, result.case, plan)
            events.put(result)
    except BaseException as error:  # noqa: BLE001 - a fault of the core itself must reach the user, not end a thread silently
        events.put(error)
    finally:
        events.put(None)


def _results(job: _Job, plan: Plan, tolerances: Tolerances, events: queue.SimpleQueue[object]) -> Iterator[Result]:
    name = job.runtime.name
    try:
        launch = environments.prepare(job.runtime.source, events.put)
    except EnvironmentProblem as problem:
        yield from (Result(case, "not_run", error=f"{job.runtime.title} is not ready: {problem}") for case in job.all())
        return
    with Supervisor(name, launch, plan.limits) as supervisor:
        job.supervisor = supervisor
        try:
            events.put(supervisor.identity().to_json())
        except WorkerFailure as failure:
            yield from (_failed(case, failure) for case in job.all())
            return
        for cases in job.cases:
            yield from _of_artifact(supervisor, cases, plan, tolerances)


def _of_artifact(supervisor: Supervisor, cases: _Cases, plan: Plan, tolerances: Tolerances) -> Iterator[Result]:
    all_cases = [Case(cases.artifact.id, supervisor.name, signature, vector.id) for signature, _, vector in cases.vectors]
    try:
        note = supervisor.load(cases.source)
    except WorkerFailure as failure:
        yield from (_failed(case, failure) for case in all_cases)
        return
    deaths = 0
    for case, (signature, outputs, vector) in zip(all_cases, cases.vectors, strict=True):
        if deaths >= DEATHS_IN_A_ROW:
            yield Result(case, "not_run", error=f"the worker died {deaths} times in a row on this artifact")
            continue
        try:
            answer = supervisor.infer(signature, vector.inputs, outputs)
        except WorkerFailure as failure:
            deaths = deaths + 1 if failure.outcome in ("crash", "timeout", "protocol_error") else 0
            yield _failed(case, failure)
            continue
        deaths = 0
        whole, each = judge(vector.outputs, answer.outputs, tolerances, nan=plan.nan)
        ok = at_least(whole.agreement, plan.agreement)
        reason = whole.reason or f"the agreement is {whole.agreement}, {plan.agreement} was asked for"
        yield Result(
            case,
            "ok" if ok else "mismatch",
            whole.agreement,
            whole.metrics,
            {output: j.agreement for output, j in each.items()},
            None if ok else reason,
            note=answer.note or note,
            seconds=None if answer.nanoseconds is None else answer.nanoseconds / 1e9,
        )


def _failed(case: Case, failure: WorkerFailure) -> Result:
    return Result(case, failure.outcome, error=failure.message, stderr=failure.stderr or None)


def _reproduce(path: str, case: Case, plan: Plan) -> str:
    selection = ["--runtimes", case.runtime, "--artifact", case.artifact, "--signature", case.signature, "--vector", case.vector]
    return shlex.join(["crossload", "verify", path, *selection, *plan.options])
