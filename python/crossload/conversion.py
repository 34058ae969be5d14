"""Convert: any artifact to any format there is a way to, source and result proved on the same vectors. Imports no TensorFlow itself."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from crossload import artifacts, checkpoints, files
from crossload.artifacts.recognition import has_state, index_of, v1_files
from crossload.contract.bundle import Bundle, is_bundle
from crossload.contract.manifest import Artifact, Made, Manifest, Model, Tolerance
from crossload.contract.sidecar import sidecar_of
from crossload.contract.signatures import Signature
from crossload.converters import launch
from crossload.converters.edges import TARGETS, Edge, way
from crossload.converters.launch import Step
from crossload.errors import CrossloadError
from crossload.locks import only_writer
from crossload.recording import NoReference, bindings_in, record_with, references
from crossload.report.results import Report
from crossload.requests import Wishes, check_wishes
from crossload.runtimes import environments, registry
from crossload.runtimes.process import WorkerFailure
from crossload.runtimes.supervisor import Limits, Supervisor
from crossload.selection import choose
from crossload.text import printable
from crossload.verification import Plan, verify

_SUFFIXES = {
    ".pb": "graph_def", ".pbtxt": "graph_def", ".tflite": "tflite", ".keras": "keras", ".h5": "keras_h5", ".hdf5": "keras_h5",
}  # fmt: skip
_FILES = ("custom_objects", "weights", "representative")
_FOLDERS = ("saved_model", "checkpoint", "tensorboard")
# protobuf's and flatbuffers' greatest size of one message.
_MOST_BYTES = (1 << 31) - 1
_ONE_MESSAGE = ("graph_def", "tflite")


class ConversionRefused(CrossloadError):
    """A conversion that was not handed over because its result does not answer as its source does."""

    exit_status = 1


@dataclass(frozen=True)
class Wanted:
    """What of the source is converted, and how; None means what the source itself says.

    `inputs` and `outputs` are `name=operation:index` or `operation:index`, for graphs without a signature of their own.
    `options` go to the edges: `optimize`, `quantize`, `representative`, `allow_flex`, `keep_variables`, `custom_objects`,
    `allow_code`, `weights`, `by_name`, `to_tags`, and the Saver's.
    """

    tags: tuple[str, ...] | None = None
    signatures: tuple[str, ...] | None = None
    inputs: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Converted:
    """What was made: its path and format, the formats on the way, and the report of the comparison (None: not verified)."""

    path: Path
    format: str
    way: tuple[str, ...]
    artifact: Artifact
    report: Report | None


def convert(
    source: str | Path,
    destination: str | Path,
    to: str | None = None,
    *,
    wanted: Wanted | None = None,
    verified: bool = True,
    warm_up: bool = False,
    overwrite: bool = False,
    runtime: str = "tensorflow",
    wishes: Wishes | None = None,
    tolerance: Mapping[str, Tolerance] | None = None,
    limits: Limits | None = None,
    alive: Mapping[str, Supervisor] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Converted:
    """Make `destination` of the artifact `source`, in the format `to` or the one its suffix means, and a manifest beside it.

    `runtime` is the TensorFlow that loads the source. Source and result answer the same vectors (`wishes`); a result that does not
    agree within `tolerance` is not handed over. `warm_up` puts the compared requests into a SavedModel, for Serving. `alive` are
    workers that have been started already, as for `verify`. Raises CrossloadError for input that cannot be used, ConversionRefused
    for a result that disagrees.
    """
    source, destination, wanted = Path(source), Path(destination), wanted or Wanted()
    if is_bundle(source):
        raise CrossloadError(f"{source} is a bundle; name one of its artifacts")
    target = _format(destination, to)
    if warm_up and (target != "saved_model" or not verified):
        raise CrossloadError("--warm-up writes the requests that were compared into a SavedModel: convert to one, without --no-verify")
    if verified and (wanted.options.get("keep_variables") or wanted.options.get("without_graph")):
        raise CrossloadError("kept variables, and a checkpoint without its graph, cannot answer by themselves: that needs --no-verify")
    entry, signatures = choose(source, wanted.tags, wanted.signatures, wanted.inputs, wanted.outputs)
    path = way(entry.format, target)
    progress(f"the way: {' → '.join([entry.format, *(e.target for e in path)])}")
    _check_size(source, path)
    wishes = wishes or Wishes()
    check_wishes(wishes, signatures)
    with only_writer(destination, "conversion"):
        _check_destination(source, destination, target, overwrite)
        with tempfile.TemporaryDirectory(prefix=f".{destination.name}.partial-", dir=_parent(destination)) as scratch:
            room = Path(scratch)
            result, bound = _walk(entry, path, room, destination, wanted, runtime, progress)
            made = _made(path, result, bound, wanted.options)
            report = None
            if verified and target not in ("tensorboard",):
                options = {k: v for k, v in _edge_options(wanted).items() if k in ("custom_objects", "allow_code")}
                report, signatures = _compare(
                    entry, made, result, signatures, room, wishes, dict(tolerance or {}), options, limits, runtime, alive or {}, progress
                )
            made = made.model_copy(update={"made": Made(source=entry.format, way=[e.target for e in path], verified=report is not None)})
            if target == "checkpoint" and wanted.options.get("absolute_paths"):
                checkpoints.respell(result, absolute_in=destination)
            if warm_up:
                _warm_up(result, made, room, destination.stem)
            _hand_over(result, destination, target)
        if made.bindings:
            described = _handed_over(made, destination)
            manifest = Manifest(
                model=Model(name=printable(destination.stem)),
                signatures={n: s for n, s in signatures.items() if n in made.bindings},
                artifacts=[described],
                tolerance=dict(tolerance or {}),
            )
            files.write_text(sidecar_of(destination), manifest.to_json())
            made = described
        else:
            sidecar_of(destination).unlink(missing_ok=True)  # what was here before is what it described
    return Converted(destination, target, tuple(e.target for e in path), made, report)


def next_version(folder: Path) -> Path:
    """The next free integer version below a model's folder, as Serving lays models out."""
    taken = [int(p.name) for p in folder.iterdir() if p.name.isdecimal()] if folder.is_dir() else []
    return folder / str(max(taken, default=0) + 1)


def _handed_over(made: Artifact, destination: Path) -> Artifact:
    """The manifest's entry of what has been handed over."""
    return made.model_copy(update={"path": destination.name, "sha256": files.sha256(destination)})


def _format(destination: Path, to: str | None) -> str:
    meant = _SUFFIXES.get(destination.suffix.lower())
    if to is None:
        return meant or "saved_model"
    if to not in TARGETS:
        raise CrossloadError(f"there is no format {to!r} to convert to; there are: {', '.join(TARGETS)}")
    if meant and meant != to:
        raise CrossloadError(f"{destination.name} is a name for {meant}, and --to says {to}; change one of them")
    return to


def _parent(destination: Path) -> Path:
    parent = destination.resolve().parent
    parent.mkdir(parents=True, exist_ok=True)
    return parent


def _check_size(source: Path, path: Sequence[Edge]) -> None:
    """Say before the work starts that one protobuf or flatbuffer cannot hold the model's variables."""
    bound = next((e.target for e in path if e.target in _ONE_MESSAGE), None)
    size = artifacts.weight_bytes(source)
    if bound and size > _MOST_BYTES:
        raise CrossloadError(
            f"the variables of {source} are {size:,} bytes, and a {bound} is one message of at most {_MOST_BYTES:,}; "
            "a SavedModel holds them beside its graph: --to saved_model"
        )


def _check_destination(source: Path, destination: Path, target: str, overwrite: bool) -> None:
    if source.is_dir() and source.resolve() in destination.resolve().parents:
        raise CrossloadError(f"{destination} lies inside {source}, which would be no longer what it was; name another folder")
    if not destination.exists() or (destination.is_dir() and not any(destination.iterdir())):
        return
    if target == "checkpoint" and has_state(destination):  # another one is added
        return
    if not overwrite:
        raise CrossloadError(f"{destination} is there already; --overwrite replaces it, or name another")
    kind = "folder" if target in _FOLDERS else "file"
    if destination.is_dir() != (kind == "folder"):
        raise CrossloadError(f"{destination} is there and is no {kind}, which a {target} is; name another")
    if destination.is_dir():
        try:
            artifacts.recognise(destination)
        except CrossloadError as error:
            raise CrossloadError(
                f"{destination} is there already and holds no artifact that --overwrite could replace; name another"
            ) from error


def _walk(
    entry: Artifact, path: Sequence[Edge], room: Path, destination: Path, wanted: Wanted, runtime: str, progress: Callable[[str], None]
) -> tuple[Path, dict[str, Any] | None]:
    """Go over the edges; the last artifact and its bindings as the last edge gives them."""
    bindings: dict[str, Any] | None = {name: b.model_dump() for name, b in entry.bindings.items()}
    options = _edge_options(wanted)
    here, tags, steps = Path(entry.path), entry.tags, list[Step]()

    def in_tensorflow() -> dict[str, Any] | None:
        """Do the steps that have gathered, in one process."""
        python = launch.python_with_tensorflow(runtime=runtime, progress=progress)
        made = launch.run(steps, python, f"{entry.path} cannot be converted", progress)
        steps.clear()
        return made.bindings[-1]

    for at, edge in enumerate(path):
        target = room / str(at) / (destination.name if at == len(path) - 1 else edge.target)
        target.parent.mkdir()
        if edge.target == "checkpoint" and destination.is_dir():
            shutil.copytree(destination, target, copy_function=os.link)
            checkpoints.respell(target)
        elif edge.target in _FOLDERS:
            target.mkdir()
        if edge.light:
            bindings = in_tensorflow() if steps else bindings
            progress(f"making the {edge.target}")
            bindings = _light(edge.call, here, target, bindings, {**options, "tags": tags})
        else:
            given = None if steps else bindings
            steps.append(Step(edge.call, here, target, f"making the {edge.target}", given, {**options, "tags": tags}))
        here, tags = target, ["serve"]
    bindings = in_tensorflow() if steps else bindings
    if path[-1].target == "saved_model" and wanted.options.get("to_tags"):
        retagged = room / "tagged" / destination.name
        call = way("saved_model", "saved_model")[0].call
        bindings = _light(call, here, retagged, bindings, {"tags": tags, "to_tags": wanted.options["to_tags"]})
        here = retagged
    return here, bindings


def _light(call: str, source: Path, target: Path, bindings: dict[str, Any] | None, options: dict[str, Any]) -> dict[str, Any] | None:
    module, _, function = call.partition(":")
    made: dict[str, Any] | None = getattr(import_module(f"crossload.{module}"), function)(source, target, bindings or {}, options)
    return made


def _edge_options(wanted: Wanted) -> dict[str, Any]:
    """The options as the edges get them: files by their absolute paths, for the edges run elsewhere."""
    files_named = {k: str(Path(wanted.options[k]).resolve()) for k in _FILES if wanted.options.get(k)}
    for name, file in files_named.items():
        if not Path(file).exists() and not index_of(Path(file)).is_file() and not v1_files(Path(file)):
            raise CrossloadError(f"{file} (--{name.replace('_', '-')}) is not there")
    # What is made here is moved once more: where it will be, only the core knows.
    return (
        {k: v for k, v in wanted.options.items() if k not in ("to_tags", "absolute_paths")}
        | files_named
        | {"name_outputs": bool(wanted.outputs)}
    )


def _made(path: Sequence[Edge], result: Path, bound: dict[str, Any] | None, options: Mapping[str, Any]) -> Artifact:
    target = path[-1].target
    tags = None
    bindings = {}
    if target != "tensorboard" and not options.get("without_graph"):
        bindings = bindings_in(result, bound)
    if target == "saved_model":
        tags = list(artifacts.callable_signatures(artifacts.read(result))[0][0] or ())
    return Artifact(id=target, format=target, path=str(result), tags=tags, sha256="", bindings=bindings)


def _compare(
    source: Artifact,
    result: Artifact,
    path: Path,
    signatures: dict[str, Signature],
    room: Path,
    wishes: Wishes,
    tolerance: dict[str, Tolerance],
    options: Mapping[str, Any],
    limits: Limits | None,
    runtime: str,
    alive: Mapping[str, Supervisor],
    progress: Callable[[str], None],
) -> tuple[Report, dict[str, Signature]]:
    """Record the source's answers and ask the result for the same; the report, and the signatures with what the answers told."""
    if lost := set(source.bindings) - set(result.bindings):
        raise ConversionRefused(f"{path.name} was not written: the signature {sorted(lost)[0]!r} was lost on the way")
    recorder = registry.one(runtime) if source.format != "tflite" else references("tflite")[0]
    judge = references("tflite")[0] if result.format == "tflite" else recorder
    limits = limits or Limits()
    name = registry.shortest_name(recorder)
    living = nullcontext(alive[name]) if name in alive else Supervisor(name, environments.prepare(recorder.source, progress), limits)
    with living as supervisor:
        progress(f"recording the answers of the {source.format} in {recorder.title}")
        try:
            recorded, learnt = record_with(supervisor, room, source, signatures, wishes, options)
        except WorkerFailure as failure:
            raise NoReference(Path(source.path), [(recorder, failure)]) from failure
        signatures = {**signatures, **learnt}
        manifest = Manifest(
            model=Model(name="conversion"),
            signatures=signatures,
            artifacts=[source.model_copy(update={"id": "source"}), result],
            vectors=recorded,
            tolerance=tolerance,
        )
        progress(f"comparing the answers of the {result.format} in {judge.title}")
        alive = {**alive, name: supervisor}
        plan = Plan(artifacts=(result.id,), limits=limits, load_options=options)
        report = verify(Bundle(room, manifest), [registry.shortest_name(judge)], plan=plan, alive=alive)
    if report.interrupted:
        raise KeyboardInterrupt
    if report.exit_status:
        raise ConversionRefused(f"{path.name} was not written: {report.first_failure}; --no-verify writes it all the same, and says so")
    return report, signatures


def _warm_up(result: Path, made: Artifact, room: Path, name: str) -> None:
    from crossload.contract import vectors
    from crossload.exporters import warmup

    recorded = {b.key: vectors.read(file) for n, b in made.bindings.items() if b.key and (file := room / vectors.path_of(n)).exists()}
    warmup.write_warmup(result, printable(name), recorded, tags=made.tags)


def _hand_over(result: Path, destination: Path, target: str) -> None:
    context: AbstractContextManager[Path]
    context = files.folder_written_whole(destination) if target in _FOLDERS else files.written_whole(destination)
    with context as partial:
        if target in _FOLDERS:
            for inner in result.iterdir():
                shutil.move(inner, partial / inner.name)
        else:
            shutil.move(result, partial)
