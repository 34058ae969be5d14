"""Backporting: the lightest repair of an artifact that makes it run in given runtimes, verified there. Imports no TensorFlow itself."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

from crossload import artifacts
from crossload.contract.bundle import Bundle, is_bundle, open_bundle
from crossload.contract.manifest import FILE_NAME, Artifact, LeftOut, Made
from crossload.contract.signatures import Signature, TensorSpec
from crossload.edits import bundle_bridges
from crossload.edits.repairs import artifact_files
from crossload.edits.repairs.graphs import Obstacle
from crossload.errors import ConversionRefused, CrossloadError
from crossload.report.results import Report
from crossload.runtimes import registry
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, Supervisor
from crossload.support import files
from crossload.verbs import destinations
from crossload.verbs.check.prediction import release_of
from crossload.verbs.convert.edges import Edge, way
from crossload.verbs.convert.walk import made, walk
from crossload.verbs.destinations import only_writer
from crossload.verbs.verify.prove import Recorded, Terms, one_by_one, recorded, without

FORMATS = ("saved_model", "graph_def")
_SUFFIX = "-backported"


@dataclass(frozen=True)
class Attempt:
    """One path to the target, walked and edited: what was done, and what still stops a release."""

    artifact: Artifact
    way: tuple[str, ...]
    repairs: list[str]
    obstacles: list[Obstacle]


def runtimes_of(names: Sequence[str], target: str) -> list[Runtime]:
    """The runtimes of these names and patterns; raises CrossloadError if one is not a target for backports."""
    found = registry.find(list(names))
    if target not in FORMATS:
        raise CrossloadError(
            f"--runtime makes only {' and '.join(FORMATS)}, the formats that TensorFlow's runtimes load, not {target}; leave out --runtime"
        )
    for runtime in found:
        if target not in runtime.formats:
            raise CrossloadError(
                f"{runtime.title} takes {', '.join(runtime.formats)}, but --runtime makes {target}: leave out --runtime, then run "
                f"crossload verify DESTINATION --runtime {registry.shortest_name(runtime)}"
            )
        release_of(runtime)
    return found


def attempts(
    entry: Artifact,
    target: str,
    room: Path,
    destination: Path,
    signatures: Mapping[str, Signature],
    options: Mapping[str, Any],
    runtimes: Sequence[Runtime],
    terms: Terms,
) -> Iterator[Attempt]:
    """The ways to make `target` from the artifact, lightest first: edit it, then freeze it and inline its functions."""
    direct = [] if entry.format == target == "graph_def" else way(entry.format, target)
    frozen = way(entry.format, "graph_def") + (way("graph_def", target) if target != "graph_def" else [])
    for number, path in enumerate([direct, frozen] if frozen != direct else [direct]):
        if number:
            terms.progress(f"path: {' → '.join([entry.format, *(e.target for e in path)])}")
        here, bound = _walked(entry, path, room / f"way-{number}", destination, options, terms)
        repairs, left = artifact_files.edit(here, bound or {}, [release_of(r) for r in runtimes])
        result = made(target, here, bound)
        bundle_bridges.build(here.parent, [result], signatures)
        yield Attempt(result, tuple(e.target for e in path), repairs.sentences(), left)


def _walked(
    entry: Artifact, path: Sequence[Edge], room: Path, destination: Path, options: Mapping[str, Any], terms: Terms
) -> tuple[Path, dict[str, Any] | None]:
    """The artifact that the edges make, and its bindings; without edges, a copy."""
    if path:
        return walk(entry, path, room, destination, options, terms.load_with, terms.progress)
    room.mkdir(parents=True)
    artifact_files.copy_graph(Path(entry.path), room / destination.name)
    return room / destination.name, {name: {**b.model_dump(), "key": None} for name, b in entry.bindings.items()}


def backport(
    entry: Artifact,
    signatures: dict[str, Signature],
    target: str,
    room: Path,
    destination: Path,
    options: Mapping[str, Any],
    runtimes: Sequence[Runtime],
    terms: Terms,
    *,
    verified: bool,
) -> tuple[Artifact, dict[str, Signature], Report | None]:
    """Make a `target` that runs in all of these runtimes from the artifact, below `room`; the result's `made` says how.

    Also returns its signatures, possibly with corrected datatypes, and the verification report. Raises ConversionRefused if no
    repair is enough, naming the obstacle.
    """

    def proved(entry: Artifact, room: Path, source: Recorded | None) -> tuple[Artifact, dict[str, Signature], Report | None]:
        refusal = ""
        for attempt in attempts(entry, target, room, destination, signatures, options, runtimes, terms):
            if attempt.obstacles:
                refusal = _obstructed(attempt.obstacles)
                continue
            corrected, report = _corrected(signatures, attempt.artifact), None
            if verified:
                source = source or stack.enter_context(recorded(entry, corrected, room, terms))
                if left_out := source.without_answers().keys() & entry.bindings:
                    return proved(without(entry, left_out), room / "again", source)
                report, corrected = source.compare(attempt.artifact, runtimes), source.manifest.signatures
                if report.exit_status:
                    refusal = report.first_failure
                    continue
            return _described(entry, attempt, runtimes, terms, verified=verified), corrected, report
        raise ConversionRefused(f"{destination.name} was not written: {refusal}")

    with ExitStack() as stack:
        return proved(entry, room, None)


def backport_bundle(
    source: str | Path,
    destination: str | Path,
    names: Sequence[str],
    *,
    overwrite: bool = False,
    limits: Limits | None = None,
    load_with: str = "tensorflow",
    alive: Mapping[str, Supervisor] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Bundle, list[Artifact]]:
    """Write a bundle with the contents of `source`, plus a backport of each graph that these runtimes do not run.

    `names` are runtimes, or patterns of them. The bundle keeps the source's recorded answers; each backport, returned with the bundle,
    has reproduced them in all of the runtimes. The manifest lists artifacts without a backport (`left_out`). Raises CrossloadError for
    input that cannot be used, ConversionRefused if no artifact could be backported.
    """
    source, destination = Path(source), Path(destination)
    runtimes = runtimes_of(names, "saved_model")
    terms = Terms(limits=limits or Limits(), load_with=load_with, alive=alive or {}, progress=progress)
    original = open_bundle(source)
    destinations.check(destination, "bundle", is_bundle, overwrite=overwrite, source=source, itself=True)
    added: list[Artifact] = []
    left_out: list[LeftOut] = []
    with only_writer(destination, "conversion"), files.folder_written_whole(destination) as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        for artifact in original.manifest.artifacts:
            if artifact.format in FORMATS and artifact.bindings:
                try:
                    added += _beside(Bundle(folder, original.manifest), artifact, runtimes, terms)
                except ConversionRefused as refusal:
                    progress(f"left out: {refusal}")
                    left_out.append(LeftOut(id=f"{artifact.id}{_SUFFIX}", reason=str(refusal)))
        if left_out and not added:
            raise ConversionRefused(f"{destination} was not written: {left_out[0].reason}")
        described = {"artifacts": [*original.manifest.artifacts, *added], "left_out": [*original.manifest.left_out, *left_out]}
        bundle = Bundle(destination, original.manifest.model_copy(update=described))
        files.write_text(folder / FILE_NAME, bundle.manifest.to_json())
    return bundle, added


def _beside(bundle: Bundle, artifact: Artifact, runtimes: Sequence[Runtime], terms: Terms) -> list[Artifact]:
    """The backport of one of the bundle's artifacts, put into its folder; none if the runtimes run the artifact as it is."""

    def report_of(one: Artifact) -> Report:
        asked = Bundle(bundle.root, bundle.manifest.model_copy(update={"artifacts": [one]}))
        return one_by_one(asked, one, runtimes, terms)

    if not report_of(artifact).exit_status:
        terms.progress(f"{artifact.id} needs no repair")
        return []
    taken = {a.id for a in bundle.manifest.artifacts}
    suffix = next(s for s in chain([_SUFFIX], (f"{_SUFFIX}-{n}" for n in count(2))) if f"{artifact.id}{s}" not in taken)
    place = Path(artifact.path).with_name(f"{Path(artifact.path).stem}{suffix}{Path(artifact.path).suffix}")
    entry = artifact.model_copy(update={"path": str(bundle.path(artifact))})
    refusal = ""
    with tempfile.TemporaryDirectory(prefix=".backport-", dir=bundle.root) as room:
        for attempt in attempts(entry, artifact.format, Path(room), bundle.root / place, bundle.manifest.signatures, {}, runtimes, terms):
            if attempt.obstacles:
                refusal = _obstructed(attempt.obstacles)
                continue
            target = bundle.root / place
            shutil.move(attempt.artifact.path, target)
            made = _described(entry, attempt, runtimes, terms, verified=True)
            made = made.model_copy(update={"id": f"{artifact.id}{suffix}", "path": place.as_posix(), "sha256": files.sha256(target)})
            report = report_of(made)
            if not report.exit_status:
                return [made]
            refusal = report.first_failure
            shutil.rmtree(target) if target.is_dir() else target.unlink()
    raise ConversionRefused(f"{artifact.id}: {refusal}")


def _described(entry: Artifact, attempt: Attempt, runtimes: Sequence[Runtime], terms: Terms, *, verified: bool) -> Artifact:
    terms.progress("repaired: " + ("; ".join(attempt.repairs) or "nothing"))
    how = Made(
        source=entry.format,
        way=list(attempt.way),
        verified=verified,
        runtimes=[r.title for r in runtimes],
        repairs=attempt.repairs,
    )
    return attempt.artifact.model_copy(update={"made": how})


def _obstructed(found: Sequence[Obstacle]) -> str:
    """The first obstacle of each op, and the number of further ones."""
    first = list({(o.release, o.op): o for o in reversed(found)}.values())[::-1]
    more = f" (and {len(first) - 3} more ops)" if len(first) > 3 else ""
    return "; ".join(map(str, first[:3])) + more


def _corrected(signatures: dict[str, Signature], made: Artifact) -> dict[str, Signature]:
    """The signatures, with wrong datatypes replaced by those of their tensors."""
    if made.format != "saved_model":
        return signatures
    own = {s.key: s for _, found in artifacts.callable_signatures(artifacts.read(Path(made.path))) for s in found.values()}

    def correct(specs: Sequence[TensorSpec], others: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
        datatypes = {t.name: t.datatype for t in others}
        return tuple(replace(t, datatype=datatypes.get(t.name, t.datatype)) for t in specs)

    corrected = {}
    for name, signature in signatures.items():
        bound = made.bindings.get(name)
        other = own.get(bound.key, signature) if bound else signature
        corrected[name] = replace(
            signature, inputs=correct(signature.inputs, other.inputs), outputs=correct(signature.outputs, other.outputs)
        )
    return corrected
