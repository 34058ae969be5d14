"""Verify: run every vector of a bundle in every runtime that takes its artifacts, in parallel."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload.compare.tolerance import Tolerances
from crossload.contract.bundle import Bundle, is_bundle, open_bundle
from crossload.contract.datatypes import DATATYPES
from crossload.contract.manifest import Artifact, Tolerance
from crossload.contract.outcomes import COMPARED, Agreement
from crossload.contract.vectors import Vector
from crossload.errors import CrossloadError, NoReference
from crossload.inputs.requests import Requests
from crossload.report.results import Case, Report, Result
from crossload.runtimes import registry
from crossload.runtimes.environments import Confined, Wall
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from crossload.support import temporary
from crossload.verbs.verify import cautions, conditions, fresh_requests, sequences, sufficiency
from crossload.verbs.verify.handed_out import HandedOut
from crossload.verbs.verify.plan import Nan, Plan
from crossload.verbs.verify.record import bundle_of, needed_options
from crossload.verbs.verify.run import NONE, Asked, Cases, Job, OnResult, Progress, failed, reproduce, run

if TYPE_CHECKING:
    from crossload.contract.causes import Cause
    from crossload.verbs.verify.devices import Device

_Recorded = Mapping[str, list[Vector]]


def verify(
    path: str | Path | Bundle,
    runtimes: Sequence[str] | None = None,
    *,
    artifacts: Sequence[str] | None = None,
    signatures: Sequence[str] | None = None,
    vectors: Sequence[str] | None = None,
    requests: Requests | None = None,
    tolerance: Mapping[str, Tolerance] | None = None,
    agreement: Agreement = "close",
    nan: Nan = "same",
    limits: Limits | None = None,
    load_options: Mapping[str, Any] | None = None,
    fresh: int = 0,
    wall: Wall | None = None,
    accept_unproved: bool = False,
    devices: Sequence[str | Path] = (),
    progress: Progress = lambda _: None,
    on_result: OnResult = lambda _: None,
    alive: Mapping[str, Supervisor] | None = None,
) -> Report:
    """Verify a bundle (its folder or an open Bundle), or a bare artifact whose reference answers are recorded first.

    `runtimes` are names (`tensorflow`, `tensorflow-java@1.1.0`), by default the default runtimes. `artifacts`, `signatures` and
    `vectors` restrict the run to these names. `requests` are those for a bare artifact. `fresh` new requests for a bundle's signatures are
    answered by its reference first, with the seed of `requests` or a new one. `tolerance` is by output or datatype (FP32);
    `agreement` is the level that counts as ok. `accept_unproved` lets signatures pass whose recorded answers do not suffice: they do not
    repeat, or the reference answered fewer than half of the requests. `devices` are files of answers that devices wrote, which are
    judged here. `alive` are workers, by runtime, that already run; they are left
    running.

    Raises CrossloadError for input that cannot be used; whatever a runtime does is an outcome in the report.
    KeyboardInterrupt kills the workers; the report then holds the results so far and says so (`interrupted`).
    """

    def chosen(names: Sequence[str] | None) -> tuple[str, ...] | None:
        return None if names is None else tuple(names)

    plan = Plan(
        str(path.root if isinstance(path, Bundle) else path),
        chosen(runtimes),
        chosen(artifacts),
        chosen(signatures),
        chosen(vectors),
        requests or Requests(),
        dict(tolerance or {}),
        agreement,
        nan,
        limits or Limits(),
        dict(load_options or {}),
        os.environ.get("CROSSLOAD_CONFIG") or None,
        fresh=fresh,
        wall=wall,
        accept_unproved=accept_unproved,
        devices=tuple(map(str, devices)),
    )
    return verify_plan(plan, path if isinstance(path, Bundle) else None, progress=progress, on_result=on_result, alive=alive)


def verify_plan(
    plan: Plan,
    bundle: Bundle | None = None,
    *,
    progress: Progress = lambda _: None,
    on_result: OnResult = lambda _: None,
    alive: Mapping[str, Supervisor] | None = None,
    recorders: Mapping[str, Supervisor] | None = None,
) -> Report:
    """`verify` by a plan; `bundle` is the bundle at the plan's path, if it is open already.

    `recorders` are workers, by the runtime's title, that record the answers of a bare artifact and are left running.
    """
    chosen = {registry.shortest_name(r): r for r in plan.chosen()}
    if plan.fresh:
        plan = replace(plan, requests=fresh_requests.seeded(plan.requests))
    try:
        report = _verify(bundle, chosen, plan, progress, on_result, alive or {}, recorders or {})
    except NoReference as error:
        report = _without_reference(chosen, plan, error)
    report.arguments = plan.to_arguments()
    report.uncompared += _uncompared(report, plan, by_name=bool(plan.runtimes))
    return report


def _verify(
    bundle: Bundle | None,
    chosen: dict[str, Runtime],
    plan: Plan,
    progress: Progress,
    on_result: OnResult,
    alive: Mapping[str, Supervisor],
    recorders: Mapping[str, Supervisor],
) -> Report:
    with (
        _opened(bundle or Path(plan.path), list(chosen.values()), plan, progress, recorders) as opened,
        temporary.scratch() as room,
    ):
        recorded = {name: opened.vectors(name) for name in opened.manifest.signatures}
        if plan.fresh:
            drawn = fresh_requests.draw(opened, plan, needed_options(plan.load_options), progress)
            recorded = {name: [*vectors, *drawn.get(name, ())] for name, vectors in recorded.items()}
        _check_names(opened, recorded, plan)
        joined = _joined(opened, plan)
        chosen = _with_fallbacks(opened, chosen, plan)
        contradicted = {a.id: _contradictions(opened, a) for a in opened.manifest.artifacts if plan.takes(a.id)}
        given = {name: HandedOut(opened, Path(room, str(at))) for at, name in enumerate(chosen)}
        keeping = sequences.of(opened, plan)
        jobs = [
            Job(name, runtime, _cases(opened, recorded, name, runtime, plan, contradicted, keeping, rooms), alive.get(name), rooms)
            for (name, runtime), rooms in zip(chosen.items(), given.values(), strict=True)
        ]
        if elsewhere := any(r.platform for r in chosen.values()):
            from crossload.verbs.verify import platforms  # loaded where it is needed alone

            paired = platforms.pairs(chosen)
            for job in jobs:
                job.answers = {} if job.name in {*paired, *paired.values()} else None
        rows = [a.id for a in opened.manifest.artifacts if plan.takes(a.id)]
        report = Report(plan.path, rows, list(chosen), cautions=[*cautions.of(opened, recorded, plan, chosen), *keeping.said()])
        report.cautions += dict.fromkeys(said for rooms in given.values() for said in rooms.cautions)
        tolerances = Tolerances({**opened.manifest.tolerance, **plan.tolerance})
        run([j for j in jobs if j.cases], report, plan, tolerances, progress, on_result)
        for device, found in _answered(joined, recorded, plan, tolerances):
            report.columns.append(device.name)
            report.runtimes.append(device.identity())
            report.cautions.append(f"{device.name} answered elsewhere; {device.source} holds its answers, which are judged here")
            for result in found:
                report.results.append(result)
                on_result(result)
        report.cautions += conditions.differences([v.reference for v in opened.manifest.vectors], report.runtimes)
        report.cautions += conditions.emulations(report.runtimes)
        if elsewhere:
            report.cautions += platforms.differences(paired, {j.name: j.answers for j in jobs if j.answers}, recorded)
        _refuse_changed(report, opened, given, plan)
        if not plan.runtimes:
            report.uncompared += _with_itself(opened, report)
    return report


def _joined(bundle: Bundle, plan: Plan) -> list[Device]:
    if not plan.devices:
        return []
    from crossload.verbs.verify import devices  # loaded where it is needed alone

    return devices.found(bundle, plan)


def _answered(
    joined: list[Device], recorded: Mapping[str, Sequence[Vector]], plan: Plan, tolerances: Tolerances
) -> list[tuple[Device, list[Result]]]:
    if not joined:
        return []
    from crossload.verbs.verify import devices  # loaded where it is needed alone

    return devices.results(joined, recorded, plan, tolerances)


def _refuse_changed(report: Report, bundle: Bundle, given: Mapping[str, HandedOut], plan: Plan) -> None:
    """Nothing that came of an artifact counts if a runtime's files of it are no longer those of the bundle."""
    changed = {(name, a.id): why for name, rooms in given.items() for a in bundle.manifest.artifacts if (why := rooms.changed(a))}
    for at, result in enumerate(report.results):
        why = changed.get((result.case.runtime, result.case.artifact))
        if why and result.outcome in COMPARED:
            report.results[at] = Result(result.case, "protocol_error", error=why, reproduce=reproduce(plan, result.case))


def _with_fallbacks(bundle: Bundle, chosen: dict[str, Runtime], plan: Plan) -> dict[str, Runtime]:
    """The chosen runtimes, each followed by its fallback if an artifact needs it, and without those that take no artifact but by it."""
    formats = [a.format for a in bundle.manifest.artifacts if plan.takes(a.id)]
    found: dict[str, Runtime] = {}
    for name, runtime in chosen.items():
        able = [a for f in formats if (a := registry.able(runtime, f, plan.load_options))]
        if runtime in able or not able:
            found[name] = runtime
        found.update((registry.shortest_name(a), a) for a in able if a != runtime)
    return found


def _without_reference(chosen: dict[str, Runtime], plan: Plan, error: NoReference) -> Report:
    """The report for a model that no runtime answers: what each runtime did with it."""
    from crossload.verbs.check.failures import explained

    said = f"no reference answer, so nothing was compared{error.advice}"
    report = Report(plan.path, ["artifact"], list(chosen), cautions=[said])
    for title, failure in error.failures:
        runtime = registry.one(title)
        failure.message = explained(failure, runtime, ModelSource(Path(plan.path), "", {}, options=plan.load_options))
        for name in (n for n, r in chosen.items() if r == runtime):
            result = failed(Case("artifact", name, NONE, NONE), failure)
            report.results.append(replace(result, reproduce=reproduce(plan, replace(result.case, artifact=NONE))))
    if not report.results:
        raise error
    return report


def _uncompared(report: Report, plan: Plan, *, by_name: bool) -> list[str]:
    """Requested runtimes and artifacts without a comparison or a failure: they must not pass by being absent.

    If runtimes are named, each must compare something; otherwise, or if artifacts are named, each artifact must.
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


def _with_itself(bundle: Bundle, report: Report) -> list[str]:
    """A sentence if the only comparisons are of the recording runtime's release with its own answers: they prove nothing of another."""
    versions = {str(r["runtime"]): str(r["version"]) for r in report.runtimes}
    own = {
        (v.signature, v.reference.artifact, registry.shortest_name(r))
        for v in bundle.manifest.vectors
        for r in registry.all_runtimes()
        if r.name == v.reference.runtime and versions.get(registry.shortest_name(r)) == v.reference.version
    }
    compared = [r.case for r in report.results if r.outcome in COMPARED]
    if not compared or not all((c.signature, c.artifact, c.runtime) in own for c in compared):
        return []
    name = compared[0].runtime
    return [f"only {name} was compared, which recorded the answers itself; to compare it with itself, name it: --runtime {name}"]


@contextmanager
def _opened(
    path: Path | Bundle, chosen: list[Runtime], plan: Plan, progress: Progress, recorders: Mapping[str, Supervisor]
) -> Iterator[Bundle]:
    if isinstance(path, Bundle):
        yield path
        return
    if is_bundle(path):
        if plan.requests != (Requests(seed=plan.requests.seed) if plan.fresh else Requests()):
            raise CrossloadError(
                f"{path} is a bundle with recorded answers: --count, --seed, --input-file and --shape are for bare artifacts"
            )
        yield open_bundle(path)
        return
    if plan.devices:
        raise CrossloadError(f"{path} is a bare artifact, and a device answers a bundle's recorded requests: export it, and hand it over")
    if plan.fresh:
        raise CrossloadError(f"{path} is a bare artifact, whose requests are new in any case; --fresh is for bundles, --seed draws others")
    with temporary.scratch() as folder:
        options = needed_options(plan.load_options)
        yield bundle_of(path, folder, plan.requests, plan.limits, progress, chosen, plan.signatures, recorders, options, plan.wall)


def _check_names(bundle: Bundle, recorded: _Recorded, plan: Plan) -> None:
    """Every name must exist: a misspelt tolerance or vector would pass by never being used."""
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


def _contradictions(bundle: Bundle, artifact: Artifact) -> dict[str, Cause]:
    """How an artifact contradicts its bundle's manifest; a bare artifact was described from itself."""
    if bundle.recorded:
        return {}
    from crossload.verbs.verify import declared

    return declared.contradictions(bundle.path(artifact), artifact, bundle.manifest.signatures)


def _cases(
    bundle: Bundle,
    recorded: _Recorded,
    name: str,
    runtime: Runtime,
    plan: Plan,
    contradicted: Mapping[str, Mapping[str, Cause]],
    keeping: sequences.Keeping,
    given: HandedOut,
) -> list[Cases]:
    found = []
    for artifact in bundle.manifest.artifacts:
        if registry.able(runtime, artifact.format, plan.load_options) != runtime or not plan.takes(artifact.id):
            continue
        names = [key for key in artifact.bindings if plan.signatures is None or key in plan.signatures]
        chosen: list[Asked] = []
        for key in names:
            outputs = [t.name for t in bundle.manifest.signatures[key].outputs]
            taken = [v for v in recorded[key] if plan.takes_case(Case(artifact.id, name, key, v.id))]
            chosen += keeping.asked(artifact.id, key, outputs, recorded[key], taken)
        without = _unproved(bundle, recorded, names, plan)
        if not artifact.bindings and plan.signatures is None:
            without = {NONE: "the artifact has no signature; export the bundle again"}
        if chosen or without:
            others = [_source(bundle, a, plan, bundle.path(a)) for a in bundle.manifest.artifacts if a.id != artifact.id]
            # Behind a wall the worker sees its stage alone, so that nothing is handed out twice.
            own = bundle.recorded or runtime.own_path or isinstance(runtime.source, Confined)
            path = bundle.path(artifact) if own else given.path(artifact)
            source = _source(bundle, artifact, plan, path)
            found.append(Cases(artifact, source, chosen, without, contradicted[artifact.id], others))
    return found


def _source(bundle: Bundle, artifact: Artifact, plan: Plan, path: Path) -> ModelSource:
    tags = None if artifact.tags is None else tuple(artifact.tags)
    return ModelSource(path, artifact.format, artifact.bindings, tags, plan.load_options, bundle.manifest.signatures)


def _unproved(bundle: Bundle, recorded: _Recorded, names: Sequence[str], plan: Plan) -> dict[str, str]:
    """By signature, why the recorded answers do not suffice; nothing for a run of chosen vectors."""
    if plan.accept_unproved or plan.vectors is not None or plan.only is not None:
        return {}
    entries = {v.signature: v for v in bundle.manifest.vectors}
    found = {name: sufficiency.shortfall(name, entries.get(name), recorded[name]) for name in names}
    return {name: said for name, said in found.items() if said}
