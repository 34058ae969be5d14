"""Verify: every vector of a bundle through every runtime that takes its artifacts, side by side, judged here."""

from __future__ import annotations

import queue
import shlex
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from crossload.compare.judge import at_least, judge
from crossload.compare.tolerance import Tolerances
from crossload.contract.bundle import Bundle, is_bundle, open_bundle
from crossload.contract.datatypes import DATATYPES
from crossload.contract.manifest import Artifact, Tolerance
from crossload.contract.vectors import Vector
from crossload.errors import CrossloadError
from crossload.inputs.requests import Wishes
from crossload.report.results import COMPARED, Case, Report, Result
from crossload.runtimes import environments, registry
from crossload.runtimes.environments import EnvironmentProblem
from crossload.runtimes.process import WorkerFailure
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from crossload.verbs.check.prediction import explained
from crossload.verbs.verify.record import NoReference, bundle_of, references

# A model that kills its worker again and again proves nothing more by the fourth time; the rest is `not_run`, which fails visibly.
DEATHS_IN_A_ROW = 3
_GRACE_SECONDS = 5.0
_NONE = "-"  # the signature or vector of a result where there is none
_Recorded = Mapping[str, list[Vector]]


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
    load_options: Mapping[str, Any] = field(default_factory=dict)  # of ModelSource
    options: tuple[str, ...] | None = None  # of the command line, repeated in the commands that reproduce; None: made from the plan


@dataclass
class Listener:
    """Called as things happen, all from one thread."""

    progress: Callable[[str], None] = lambda _: None
    result: Callable[[Result], None] = lambda _: None


def verify(
    path: str | Path | Bundle,
    runtimes: Sequence[str] | None = None,
    *,
    plan: Plan | None = None,
    listener: Listener | None = None,
    alive: Mapping[str, Supervisor] | None = None,
) -> Report:
    """Verify a bundle (its folder, or one that is open), or a bare artifact whose reference answers are recorded first.

    `runtimes` are names (`tensorflow`, `tensorflow-java@1.1.0`); without any, the default ones. `alive` are workers, by those names,
    that have been started already and go on living.
    Raises CrossloadError for input that cannot be used; whatever a runtime does is an outcome in the report.
    On KeyboardInterrupt the workers are killed and the report says so, with what there is (`interrupted`).
    """
    plan, listener = plan or Plan(), listener or Listener()
    chosen = {registry.shortest_name(r): r for r in registry.find(list(runtimes or ()))}
    try:
        report = _verify(path if isinstance(path, Bundle) else Path(path), chosen, plan, listener, alive or {})
    except NoReference as error:
        report = _without_reference(str(path), chosen, plan, error)
    report.uncompared = _uncompared(report, plan, by_name=bool(runtimes))
    return report


def _verify(path: Path | Bundle, chosen: dict[str, Runtime], plan: Plan, listener: Listener, alive: Mapping[str, Supervisor]) -> Report:
    with _opened(path, list(chosen.values()), plan, listener) as bundle:
        recorded = {name: bundle.vectors(name) for name in bundle.manifest.signatures}
        _check_names(bundle, recorded, plan)
        jobs = [_Job(name, runtime, _cases(bundle, recorded, runtime, plan), alive.get(name)) for name, runtime in chosen.items()]
        rows = [a.id for a in bundle.manifest.artifacts if plan.artifacts is None or a.id in plan.artifacts]
        name = str(bundle.root if isinstance(path, Bundle) else path)
        report = Report(name, rows, list(chosen), cautions=_cautions(bundle, recorded, plan))
        _run([j for j in jobs if j.cases], report, plan, listener, Tolerances({**bundle.manifest.tolerance, **plan.tolerance}), name)
    return report


def _without_reference(path: str, chosen: dict[str, Runtime], plan: Plan, error: NoReference) -> Report:
    """A model that no runtime answers has outcomes, too: what each runtime did with it."""
    said = f"there is no reference answer: nothing was compared{error.advice}"
    report = Report(path, ["artifact"], list(chosen), cautions=[said])
    for runtime, failure in error.failures:
        failure.message = explained(failure, runtime, ModelSource(Path(path), "", {}))
        for name in (n for n, r in chosen.items() if r == runtime):
            result = _failed(Case("artifact", name, _NONE, _NONE), failure)
            report.results.append(replace(result, reproduce=_reproduce(path, replace(result.case, artifact=_NONE), plan)))
    if not report.results:
        raise error
    return report


def _uncompared(report: Report, plan: Plan, *, by_name: bool) -> list[str]:
    """What was asked for and has neither a comparison nor a failure to show: it must not pass by being absent.

    Who names runtimes asks for each of them; who names none, or names artifacts, asks for each artifact.
    """
    settled = [r.case for r in report.results if r.failed or r.outcome in COMPARED]
    columns = report.columns if by_name else []
    rows = report.rows if plan.artifacts or not by_name else []
    met = {*(r.case.runtime for r in report.results), *(r.case.artifact for r in report.results)}
    return [
        f"nothing was compared in {name}: {'every case is unsupported' if name in met else 'it takes no chosen artifact or vector'}"
        for name in columns
        if name not in {c.runtime for c in settled}
    ] + [
        f"nothing was compared of {name}: {'every case is unsupported' if name in met else 'no chosen runtime takes it'}"
        for name in rows
        if name not in {c.artifact for c in settled}
    ]


@dataclass
class _Cases:
    """The vectors of one artifact's signatures, for one runtime; `without` are the signatures that have none."""

    artifact: Artifact
    source: ModelSource
    vectors: list[tuple[str, list[str], Vector]]
    without: list[str]

    def of(self, runtime: str) -> list[Case]:
        return [Case(self.artifact.id, runtime, signature, vector.id) for signature, _, vector in self.vectors]


@dataclass
class _Job:
    """One runtime's share of the run, in a thread of its own."""

    name: str
    runtime: Runtime
    cases: list[_Cases]
    supervisor: Supervisor | None = None
    cancelled: bool = False

    def all(self) -> list[Case]:
        return [case for cases in self.cases for case in cases.of(self.name)]

    def supervise(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        if self.cancelled:
            supervisor.cancel()

    def cancel(self) -> None:
        self.cancelled = True
        if self.supervisor:
            self.supervisor.cancel()


@contextmanager
def _opened(path: Path | Bundle, chosen: list[Runtime], plan: Plan, listener: Listener) -> Iterator[Bundle]:
    if isinstance(path, Bundle):
        yield path
        return
    if is_bundle(path):
        if plan.wishes != Wishes():
            raise CrossloadError(
                f"{path} is a bundle with recorded answers: --vectors, --seed, --inputs and --shape are for bare artifacts"
            )
        yield open_bundle(path)
        return
    with tempfile.TemporaryDirectory(prefix="crossload-") as folder:
        yield bundle_of(path, Path(folder), plan.wishes, plan.limits, listener.progress, chosen, plan.signatures)


def _check_names(bundle: Bundle, recorded: _Recorded, plan: Plan) -> None:
    """What is named must be there: a misspelt tolerance or vector would pass by never being used."""
    manifest = bundle.manifest
    outputs = [t.name for s in manifest.signatures.values() for t in s.outputs]
    for what, there, wanted in (
        ("artifact", [a.id for a in manifest.artifacts], plan.artifacts),
        ("signature", list(manifest.signatures), plan.signatures),
        ("vector", [v.id for found in recorded.values() for v in found], plan.vectors),
        ("output or datatype", [*outputs, *DATATYPES], tuple(plan.tolerance)),
    ):
        if unknown := [name for name in wanted or () if name not in there]:
            raise CrossloadError(f"there is no {what} {unknown[0]!r} in the bundle; there are: {', '.join(dict.fromkeys(there))}")


def _cases(bundle: Bundle, recorded: _Recorded, runtime: Runtime, plan: Plan) -> list[_Cases]:
    found = []
    for artifact in bundle.manifest.artifacts:
        if artifact.format not in runtime.formats or not (plan.artifacts is None or artifact.id in plan.artifacts):
            continue
        names = [name for name in artifact.bindings if plan.signatures is None or name in plan.signatures]
        chosen = []
        for name in names:
            outputs = [t.name for t in bundle.manifest.signatures[name].outputs]
            chosen += [(name, outputs, v) for v in recorded[name] if plan.vectors is None or v.id in plan.vectors]
        without = [name for name in names if not recorded[name]]
        if not artifact.bindings and plan.signatures is None:
            without = [_NONE]
        tags = None if artifact.tags is None else tuple(artifact.tags)
        if chosen or without:
            source = ModelSource(
                bundle.path(artifact), artifact.format, artifact.bindings, tags, plan.load_options, bundle.manifest.signatures
            )
            found.append(_Cases(artifact, source, chosen, without))
    return found


def _cautions(bundle: Bundle, recorded: _Recorded, plan: Plan) -> list[str]:
    outputs = [(t.name, t.datatype) for s in bundle.manifest.signatures.values() for t in s.outputs]
    said = Tolerances({**bundle.manifest.tolerance, **plan.tolerance}).raised(outputs)
    said += [f"the vector {v.signature}/{o.id} was left out at recording: {o.reason}" for v in bundle.manifest.vectors for o in v.left_out]
    usual = {a.id: references(a.format) for a in bundle.manifest.artifacts}
    for reference in dict.fromkeys((v.reference.artifact, v.reference.runtime) for v in bundle.manifest.vectors):
        artifact, runtime = reference
        if runtime in [r.name for r in registry.BUILT_IN] and usual.get(artifact) and usual[artifact][0].name != runtime:
            said.append(f"the reference of {artifact} is {runtime}: {usual[artifact][0].name} did not answer")
    for name, vectors in recorded.items():
        if constant := _constant_outputs(vectors):
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
    running = len(threads)
    try:
        for thread in threads:
            thread.start()
        while running:
            running -= _take(events.get(), report, listener)
    except KeyboardInterrupt:
        report.interrupted = True
    finally:
        if running:
            _stop(jobs, threads)
    while not events.empty():  # what was answered while the user interrupted
        _take(events.get(), report, Listener())
    seen = {r.case for r in report.results}
    for job in jobs:
        report.results += [Result(case, "not_run", error="interrupted") for case in job.all() if case not in seen]
        deaths = job.supervisor.deaths if job.supervisor else []
        report.cautions += [f"{job.name}: {death}; its answers are kept" for death in deaths]


def _take(event: object, report: Report, listener: Listener) -> bool:
    """Act on what a thread says; whether it was its last word. A fault of the core itself is raised here."""
    if isinstance(event, Result):
        report.results.append(event)
        listener.result(event)
    elif isinstance(event, dict):
        report.runtimes.append(event)
    elif isinstance(event, BaseException):
        raise event
    elif isinstance(event, str):
        listener.progress(event)
    return event is None


def _stop(jobs: list[_Job], threads: list[threading.Thread]) -> None:
    """Kill every worker; a thread that is making an environment is left to itself, and starts no worker any more."""
    for job in jobs:
        job.cancel()
    for thread in threads:
        if thread.ident:
            thread.join(_GRACE_SECONDS)


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
    for cases in job.cases:
        for signature in cases.without:
            reason = "the artifact binds no signature" if signature == _NONE else f"no vectors are recorded for {signature}"
            yield Result(Case(cases.artifact.id, job.name, signature, _NONE), "not_run", error=f"{reason}; export the bundle again")
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
            events.put(supervisor.identity().to_json())
        except WorkerFailure as failure:
            yield from (_failed(case, failure) for case in job.all())
            return
        for cases in job.cases:
            yield from _of_artifact(supervisor, job.runtime, cases, plan, tolerances)


def _of_artifact(supervisor: Supervisor, runtime: Runtime, cases: _Cases, plan: Plan, tolerances: Tolerances) -> Iterator[Result]:
    all_cases = cases.of(supervisor.name)
    try:
        note = supervisor.load(cases.source)
    except WorkerFailure as failure:
        failure.message = explained(failure, runtime, cases.source)
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
            note="; ".join(dict.fromkeys(n for n in (note, answer.note) if n)) or None,
            seconds=None if answer.nanoseconds is None else answer.nanoseconds / 1e9,
        )


def _failed(case: Case, failure: WorkerFailure) -> Result:
    return Result(case, failure.outcome, error=failure.message, stderr=failure.stderr or None)


def _reproduce(path: str, case: Case, plan: Plan) -> str:
    chosen = {"--runtimes": case.runtime, "--artifact": case.artifact, "--signature": case.signature, "--vector": case.vector}
    selection = [word for option, value in chosen.items() if value != _NONE for word in (option, value)]
    options = _options(plan) if plan.options is None else plan.options
    return shlex.join(["crossload", "verify", path, *selection, *options])


def _options(plan: Plan) -> Iterator[str]:
    """The plan as options of the command line, where it differs from the default; own inputs have no file to name."""
    default = Plan()
    for option, value, usual in (("--agreement", plan.agreement, default.agreement), ("--nan", plan.nan, default.nan)):
        yield from (option, value) if value != usual else ()
    for name, tolerance in plan.tolerance.items():
        yield from ("--tolerance", f"{name}:rtol={tolerance.rtol!r},atol={tolerance.atol!r},ulp={tolerance.ulp}")
    for phase in ("start", "load", "run"):
        if (seconds := getattr(plan.limits, phase)) != getattr(default.limits, phase):
            yield from ("--time-limit", f"{phase}={seconds:g}")
    if plan.limits.memory:
        yield from ("--memory-limit", str(plan.limits.memory))
    for option, number, usual_number in (("--vectors", plan.wishes.count, 8), ("--seed", plan.wishes.seed, 0)):
        yield from (option, str(number)) if number != usual_number else ()
    for name, shape in plan.wishes.shapes.items():
        yield from ("--shape", f"{name}={','.join(map(str, shape))}")
