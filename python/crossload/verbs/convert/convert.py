"""Convert an artifact to any format that a path leads to, and compare both on the same vectors. Imports no TensorFlow itself."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from crossload import artifacts
from crossload.artifacts.checkpoints import state_file
from crossload.artifacts.content import in_words
from crossload.artifacts.recognition import has_state
from crossload.artifacts.tflite import quantised
from crossload.contract import op_libraries
from crossload.contract.bundle import is_bundle
from crossload.contract.manifest import Artifact, Made, Manifest, Model, Tolerance, Vectors
from crossload.contract.sidecar import sidecar_of
from crossload.contract.signatures import Signature
from crossload.edits import checkpoint_folders
from crossload.errors import ConversionRefused, CrossloadError
from crossload.inputs.requests import Requests, check_requests
from crossload.report.results import Report
from crossload.runtimes import tf_process
from crossload.runtimes.supervisor import Limits, Supervisor
from crossload.support import files
from crossload.support.text import printable
from crossload.verbs import destinations
from crossload.verbs.convert import cut, edit, keep_float, prepare, sign
from crossload.verbs.convert.backport import backport, runtimes_of
from crossload.verbs.convert.edges import TARGETS, Edge, way
from crossload.verbs.convert.quantised import approximates, proved, restored
from crossload.verbs.convert.walk import FOLDERS, resolved, walk
from crossload.verbs.convert.walk import made as made_of
from crossload.verbs.destinations import only_writer
from crossload.verbs.verify.prove import Recorded, Terms, recorded, without
from crossload.verbs.verify.quality import QualityTerms

__all__ = ["ConversionRefused", "Converted", "convert", "next_version"]
_SUFFIXES = {
    ".pb": "graph_def", ".pbtxt": "graph_def", ".tflite": "tflite", ".keras": "keras", ".h5": "keras_h5", ".hdf5": "keras_h5",
}  # fmt: skip
# The size limit of one protobuf message, and of one flatbuffer.
_MOST_BYTES = (1 << 31) - 1
_ONE_MESSAGE = ("graph_def", "tflite")


@dataclass(frozen=True)
class Converted:
    """The result: its path and format, the formats on the path, and the report of the comparison (None: not verified).

    `search` has the layers by the noise that they bring, where `keep_float` was "auto".
    """

    path: Path
    format: str
    way: tuple[str, ...]
    artifact: Artifact
    report: Report | None
    search: keep_float.Search | None = None


def convert(
    source: str | Path,
    destination: str | Path,
    to: str | None = None,
    *,
    tags: Sequence[str] | None = None,
    signatures: Sequence[str] | None = None,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    options: Mapping[str, Any] | None = None,
    runtimes: Sequence[str] | None = None,
    load_with: str = "tensorflow",
    verified: bool = True,
    warm_up: bool = False,
    overwrite: bool = False,
    requests: Requests | None = None,
    tolerance: Mapping[str, Tolerance] | None = None,
    limits: Limits | None = None,
    accept_unproved: bool = False,
    alive: Mapping[str, Supervisor] | None = None,
    quality: QualityTerms | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Converted:
    """Convert the artifact `source` to `destination`, in the format `to` or that of the suffix, and write a manifest beside it.

    `tags` chooses a MetaGraph, `signatures` some of its signatures (`NEW=OLD` renames one); `inputs` and `outputs` name a graph's tensors
    (`name=operation:index`, `operation`) as its signature, or cut a .tflite (`name=tensor`, by name or number). `options` has
    `pinned` (values of inputs that become constants, by name), `drop_signatures`, `add_signature` (the key of one more signature of a
    .tflite), and `sign` (functions of a SavedModel's objects that become signatures: `FUNCTION`, `KEY=FUNCTION`). `strip`, `strip_names`,
    `set_metadata` (files by name), `drop_metadata`, `description` and `shapes` (by input) edit a .tflite. The others go to the conversions
    (verbs.convert.walk.walk).
    `load_with` is the TensorFlow that loads the source. Source and result answer the same vectors (`requests`); a result that does not
    agree within `tolerance` is not written, nor one whose source answers too few of them (unless `accept_unproved`). `runtimes` are those
    that the result (a SavedModel or a GraphDef) must run in: it is repaired as far as necessary, and verified there. `warm_up` adds the
    compared requests to a SavedModel as TensorFlow Serving's warm-up. `alive` are workers that already run, as for `verify`.

    A quantised .tflite is another function than its source. Its quality is measured against the float model by the terms `quality`, and
    only their bounds refuse it; its own answers, recorded with LiteRT's reference kernels, are compared in steps of its outputs' scales.

    Raises CrossloadError for input that cannot be used, ConversionRefused for a result that disagrees.
    """
    source, destination = Path(source), Path(destination)
    tf_process.loader(load_with)
    options = resolved({**(options or {}), "name_outputs": bool(outputs)})
    if is_bundle(source):
        raise CrossloadError(f"{source} is a bundle; name one of its artifacts, or the runtimes that all of them must run in (--runtime)")
    target = _format(destination, to)
    needed = runtimes_of(runtimes, target) if runtimes else []
    searching = options.get("keep_float") == [keep_float.AUTO]
    _check_together(target, options, verified=verified, warm_up=warm_up)
    with (
        tf_process.kept() if searching else nullcontext(),
        sign.signed(source, options.pop("sign", ()), tags, load_with, progress) as signed,
        cut.exposed(signed, inputs, outputs, target, options) as exposed,
    ):
        entry, chosen, preparation = prepare.chosen(exposed.path, tags, signatures, exposed.inputs, exposed.outputs, options)
        path = way(entry.format, target)
        if entry.format == "checkpoint" and (said := state_file.moved(exposed.path)):
            progress(said)
        progress(f"path: {' → '.join([entry.format, *(e.target for e in path)])}")
        _check_size(exposed.path, path)
        terms = Terms(
            requests or Requests(),
            dict(tolerance or {}),
            limits or Limits(),
            load_with,
            alive or {},
            options,
            accept_unproved,
            named=bool(signatures),
            progress=progress,
        )
        check_requests(terms.requests, chosen)
        (quality := quality or QualityTerms()).check([t.name for s in chosen.values() for t in s.inputs])
        with only_writer(destination, "conversion"):
            _check_destination(source, destination, target, overwrite=overwrite)
            with files.folder_beside(destination) as room:
                entry, chosen = preparation.apply(entry, chosen, room, progress)
                plan = edit.planned(source, exposed, entry, chosen, target, terms)
                terms, chosen, options = plan.terms, plan.asked, dict(plan.terms.options)
                report = found = None
                if needed:
                    made, chosen, report = backport(entry, chosen, target, room, destination, options, needed, terms, verified=verified)
                else:

                    def walked(entry: Artifact, room: Path, kept: Sequence[str] = ()) -> Artifact:
                        own = {**options, "keep_float": list(kept)} if searching else options
                        result, bound = walk(entry, path, room, destination, own, load_with, (lambda _: None) if kept else progress)
                        return made_of(target, result, bound, without_graph=bool(options.get("without_graph")))

                    made = walked(entry, room)
                    edit.say_what_is_left(source, made, entry.format, options, progress)
                    if verified and target != "tensorboard":
                        made, report, chosen, found = _compare(entry, made, chosen, room, terms, walked, quality, plan)
                    chosen = plan.signatures(chosen) if report is None else chosen
                    made = made.model_copy(
                        update={"made": Made(source=entry.format, way=[e.target for e in path], verified=report is not None)}
                    )
                result = Path(made.path)
                if target == "checkpoint" and options.get("absolute_paths"):
                    checkpoint_folders.respell(result, absolute_in=destination)
                if warm_up:
                    _warm_up(result, made, room, destination.stem)
                _hand_over(result, destination, target)
            made = _described(made, destination, chosen, options, tolerance or {})
        return Converted(destination, target, tuple(made.made.way if made.made else ()), made, report, found)


def _check_together(target: str, options: Mapping[str, Any], *, verified: bool, warm_up: bool) -> None:
    """Raise CrossloadError for options that do not go together."""
    searching = options.get("keep_float") == [keep_float.AUTO]
    if searching and (options.get("quantize") != "int8" or target != "tflite" or not verified):
        raise CrossloadError("--keep-float auto searches by the quality of an int8 .tflite: add --quantize int8, without --no-verify")
    if warm_up and (target != "saved_model" or not verified):
        raise CrossloadError("--warm-up writes the compared requests into a SavedModel: convert to saved_model, without --no-verify")
    if verified and (options.get("keep_variables") or options.get("without_graph")):
        raise CrossloadError("a graph with kept variables and a checkpoint without its graph cannot be verified: add --no-verify")


def _described(
    made: Artifact, destination: Path, signatures: Mapping[str, Signature], options: Mapping[str, Any], tolerance: Mapping[str, Tolerance]
) -> Artifact:
    """The artifact as it was handed over, with its manifest beside it; without signatures it has none, and one of before goes."""
    if not made.bindings:
        sidecar_of(destination).unlink(missing_ok=True)
        return made
    described = _handed_over(made, destination)
    manifest = Manifest(
        model=Model(name=printable(destination.stem)),
        producer=op_libraries.recorded(options.get("op_libraries") or ()),
        signatures={n: s for n, s in signatures.items() if n in made.bindings},
        artifacts=[described],
        tolerance=dict(tolerance),
    )
    files.write_text(sidecar_of(destination), manifest.to_json())
    return described


def _compare(
    entry: Artifact,
    made: Artifact,
    signatures: dict[str, Signature],
    room: Path,
    terms: Terms,
    walked: Callable[..., Artifact],
    quality: QualityTerms,
    plan: edit.Plan,
) -> tuple[Artifact, Report, dict[str, Signature], keep_float.Search | None]:
    """Record the source's answers and compare the result's; the result, the report, and the signatures completed from the answers.

    With `keep_float` "auto", the result is the one with the fewest layers in float, and what the search for them found is the last.

    The result is made anew, by `walked`, without the signatures of which the source answers nothing.
    """
    name = Path(made.path).name
    if lost := set(entry.bindings) - set(made.bindings):
        raise ConversionRefused(f"{name} was not written: the conversion lost the signature {sorted(lost)[0]!r}")
    with recorded(entry, signatures, room, terms) as whole:
        if left_out := whole.without_answers():
            made = walked(without(entry, left_out), room / "again")
        source = plan.of_answers(whole, made)
        edited = entry.format == made.format == "tflite"  # the same function under other names
        if made.format == "tflite" and not edited and any(quantised.kind(Path(made.path), b.key) for b in made.bindings.values()):
            found = None
            if terms.options.get("keep_float") == [keep_float.AUTO]:
                of = without(entry, left_out)
                made, found = keep_float.search(source, made, lambda kept, there: walked(of, there, kept), quality, room / "layers")
            return *proved(source, made, quality), found
        why = None if edited else approximates(entry)
        report = restored(source, made, quality, why) if why else source.compare(made)
        stateful = next((v for v in source.manifest.vectors if v.state), None) if report.exit_status else None
        if stateful and (off := _with_state_off(source, made, stateful, signatures)):
            return made, *off, None
    if stateful:
        switch = _switch(source.manifest.signatures[stateful.signature])
        cure = "" if made.format == "saved_model" else "a SavedModel keeps it; "
        if switch:
            cure = f"if {switch[0]!r} switches it on, --pin {shlex.quote(f'{switch[0]}={json.dumps(switch[1])}')} leaves it off; "
        differs = any(r.outcome == "mismatch" for r in report.results)
        raise ConversionRefused(
            f"{name} was not written: {stateful.signature} of the source: {stateful.state}, and the result does not"
            f"{f': {report.first_failure}' if differs else ''}; {cure}"
            "--no-verify writes it anyway and records that"
        )
    if report.exit_status:
        raise ConversionRefused(f"{name} was not written: {report.first_failure}; --no-verify writes it anyway and records that")
    return made, report, source.manifest.signatures, None


def _with_state_off(
    source: Recorded, made: Artifact, stateful: Vectors, signatures: dict[str, Signature]
) -> tuple[Report, dict[str, Signature]] | None:
    """The comparison with the bool input off that may switch a state on, and the completed signatures; None if it disagrees, too.

    Only of a bool: a number with a default may change answers otherwise, and a result that is wrong there would pass.
    """
    switch = _switch(source.manifest.signatures[stateful.signature])
    if switch is None or not isinstance(switch[1], bool):
        return None
    terms = replace(source.terms, alive=source.alive, requests=replace(source.terms.requests, fixed={switch[0]: switch[1]}))
    with recorded(source.source, signatures, source.room, terms) as still:
        report = still.compare(made)
    if report.exit_status:
        return None
    alone = f"compared with {switch[0]}={json.dumps(switch[1])} alone"
    said = f"{stateful.signature} is {alone}: with another value {stateful.state}, and the result does not"
    terms.progress(said)
    report.cautions.append(said)
    return report, still.manifest.signatures


def _switch(signature: Signature) -> tuple[str, bool | int | float | str] | None:
    """The input that may switch a state on, with the value that leaves it off: a scalar with a default, or a bool."""
    for spec in signature.inputs:
        if spec.default is not None and not spec.default["shape"]:
            return spec.name, spec.default["data"][0]
        if spec.datatype == "BOOL" and not spec.shape:
            return spec.name, False
    return None


def next_version(folder: Path) -> Path:
    """The next free integer version below a model's folder, as in TensorFlow Serving's layout."""
    taken = [int(p.name) for p in folder.iterdir() if p.name.isdecimal()] if folder.is_dir() else []
    return folder / str(max(taken, default=0) + 1)


def _handed_over(made: Artifact, destination: Path) -> Artifact:
    """The manifest's entry of the written artifact."""
    return made.model_copy(update={"path": destination.name, "sha256": files.sha256(destination)})


def _format(destination: Path, to: str | None) -> str:
    meant = _SUFFIXES.get(destination.suffix.lower())
    if to is None:
        return meant or "saved_model"
    if to not in TARGETS:
        raise CrossloadError(f"there is no format {to!r} to convert to; there are: {', '.join(TARGETS)}")
    if meant and meant != to:
        raise CrossloadError(f"{destination.name} is a name for {meant}, but --to is {to}; change one of them")
    return to


def _check_size(source: Path, path: Sequence[Edge]) -> None:
    """Raise CrossloadError before the work starts if one protobuf or flatbuffer cannot hold the model's variables."""
    bound = next((e.target for e in path if e.target in _ONE_MESSAGE), None)
    size = artifacts.weight_bytes(source)
    if bound and size > _MOST_BYTES:
        raise CrossloadError(
            f"the variables of {source} are {size:,} bytes, but a {bound} is one message of at most {_MOST_BYTES:,}; "
            "a SavedModel holds them beside its graph: --to saved_model"
        )


def _check_destination(source: Path, destination: Path, target: str, *, overwrite: bool) -> None:
    if target == "checkpoint" and has_state(destination):
        return  # another checkpoint is added
    if target not in FOLDERS and destination.is_dir():
        raise CrossloadError(f"{destination} is a folder, but {in_words(target)} is one file; name a file in it")
    kind = f"folder with an artifact, but {in_words(target)} is one" if target in FOLDERS else f"file, but {in_words(target)} is one"
    destinations.check(destination, kind, partial(_is_replaceable, target), overwrite=overwrite, source=source)


def _is_replaceable(target: str, there: Path) -> bool:
    """Whether what exists is a file where the target is one, or a folder that holds an artifact where it is a folder."""
    if there.is_dir() != (target in FOLDERS):
        return False
    try:
        return not there.is_dir() or bool(artifacts.recognise(there))
    except CrossloadError:
        return False


def _warm_up(result: Path, made: Artifact, room: Path, name: str) -> None:
    from crossload.contract import vectors
    from crossload.edits import warmup

    recorded = {b.key: vectors.read(file) for n, b in made.bindings.items() if b.key and (file := room / vectors.path_of(n)).exists()}
    warmup.write_warmup(result, printable(name), recorded, tags=made.tags)


def _hand_over(result: Path, destination: Path, target: str) -> None:
    context: AbstractContextManager[Path]
    context = files.folder_written_whole(destination) if target in FOLDERS else files.written_whole(destination)
    with context as partial:
        if target in FOLDERS:
            for inner in result.iterdir():
                shutil.move(inner, partial / inner.name)
        else:
            shutil.move(result, partial)
