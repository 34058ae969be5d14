"""Export: from a model to a verified bundle, written whole or not at all. Imports no TensorFlow itself."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crossload import artifacts
from crossload.artifacts.content import in_words
from crossload.artifacts.entries import artifacts_of
from crossload.contract import op_libraries
from crossload.contract.bundle import Bundle, is_bundle
from crossload.contract.manifest import FILE_NAME, Artifact, LeftOut, Manifest, Model, Tolerance, Vectors
from crossload.contract.signatures import Signature
from crossload.edits import bundle_bridges, composites, warmup
from crossload.errors import CrossloadError, ExportRefused, NoReference
from crossload.inputs import example_inputs
from crossload.inputs.requests import Requests, check_requests
from crossload.runtimes import environments, registry, tf_process
from crossload.runtimes.supervisor import Limits, Supervisor
from crossload.runtimes.tf_process import Step
from crossload.support import files
from crossload.support.text import printable
from crossload.verbs import destinations
from crossload.verbs.convert import prepare
from crossload.verbs.destinations import only_writer
from crossload.verbs.export import variants
from crossload.verbs.export.conversions import FILES, FORMATS, converted, step_name
from crossload.verbs.verify import sufficiency
from crossload.verbs.verify.quality import QualityTerms
from crossload.verbs.verify.record import left_out_requests, needed_options, record, record_each, references
from crossload.verbs.verify.strength import Seeding
from crossload.verbs.verify.verify import verify

NAMED = (*FORMATS, *variants.FORMATS)
_HAVE_VALUES = ("checkpoint", "keras", "keras_h5", "keras_weights")
_PROVING_RUNTIMES = ("tensorflow", "litert")


@dataclass(frozen=True)
class Source:
    """What to export: a path, and the function to call if the path is a Python file."""

    path: Path
    function: str | None = None

    @classmethod
    def parse(cls, text: str) -> Source:
        """`file.py:function`, or a path; raises CrossloadError if it does not exist."""
        match = re.fullmatch(r"(.+\.py):([A-Za-z_]\w*)", text)
        source = cls(Path(match[1]), match[2]) if match else cls(Path(text))
        if source.function and not source.path.exists():
            raise CrossloadError(f"{source.path} does not exist; check the path")
        if source.path.suffix == ".py" and not source.function:
            raise CrossloadError(f"{text}: name the function that returns the model: {text}:FUNCTION")
        return source


def export(
    model: Any,
    destination: str | Path,
    *,
    formats: Sequence[str] | None = None,
    requests: Requests | None = None,
    tolerance: Mapping[str, Tolerance] | None = None,
    name: str | None = None,
    overwrite: bool = False,
    warm_up: bool = False,
    weights: str | Path | None = None,
    by_name: bool = False,
    pinned: Mapping[str, Any] | None = None,
    load_options: Mapping[str, Any] | None = None,
    load_with: str = "tensorflow",
    limits: Limits | None = None,
    accept_unproved: bool = False,
    representative: str | Path | None = None,
    quality: QualityTerms | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Write a bundle of `model` into the folder `destination`: artifacts, manifest, recorded answers, all verified.

    `model` is a Keras model or a tf.Module (TensorFlow is then imported already), or the text of a path: a SavedModel, a Keras file, a
    `file.py:function`, or a .pb or .tflite, which is bundled as it is. Formats that cannot hold the model are left out and noted in
    the manifest, unless they were named. `requests` says what is recorded. `warm_up` adds the recorded requests to the
    SavedModel as TensorFlow Serving's warm-up file. `weights` is a checkpoint or a Keras file with values for the model: a live
    model (it keeps them), a Keras file, or one that a function builds; `by_name` matches a Keras file's layers by name.
    `pinned` are inputs of its graph that become constants, with their values.
    `load_options` are what a Keras file may need, as for `load`; `load_with` is the TensorFlow that loads the source. A signature of
    whose requests the reference answers none is left out and noted in the manifest, if another is answered. `accept_unproved` keeps it,
    and writes a bundle with signatures whose answers do not repeat, or of whose requests the reference answers fewer than half.

    A format `tflite:int8` (`float16`, `dynamic`, `16x8`) is a quantised variant, whose signatures have a name of their own
    (`serving_default@int8`): its ranges are measured on `representative` (an .npz, or a folder of them; else the source's example inputs),
    and the terms `quality` alone refuse it, as `convert` describes.

    Raises CrossloadError for input that cannot be used, ExportRefused if an artifact disagrees with the reference.
    """
    destination = Path(destination)
    unknown = set(formats or ()) - set(NAMED)
    if unknown:
        raise CrossloadError(f"there is no export format {sorted(unknown)[0]!r}; there are: {', '.join(NAMED)}")
    made_with = variants.VariantTerms(Path(representative) if representative else None, quality=quality or QualityTerms())
    variants.check(tuple(formats or ()), made_with, examples=isinstance(model, str | os.PathLike) and ".py:" in os.fspath(model))
    requests = requests or Requests()
    tf_process.loader(load_with)
    values = {**_values(model, weights, by_name), **(load_options or {})}
    with only_writer(destination, "export"), tf_process.kept(), ExitStack() as stack:
        destinations.check(destination, "bundle", is_bundle, overwrite=overwrite)
        with files.folder_written_whole(destination) as folder:
            name = printable(name or destination.resolve().name)
            saved = _save(model, folder, values, load_with, progress)
            if saved.examples:
                requests = replace(requests, inputs=(*requests.inputs, saved.examples))
            _pin(folder, pinned or {})
            kinds = tuple(formats) if formats else None
            proof = _Proof(requests, dict(tolerance or {}), limits or Limits(), needed_options(load_options or {}), accept_unproved)
            made_with = stack.enter_context(variants.with_examples(made_with, saved.examples))
            try:
                bundle = _fill(folder, name, saved, kinds, proof, warm_up, made_with, stack, progress)
            except NoReference as error:  # which names a path below the folder, and that is gone
                source = Path(model) if isinstance(model, str | os.PathLike) else destination
                raise NoReference(source, error.failures) from error
    return replace(bundle, root=destination)


@dataclass(frozen=True)
class _Saved:
    """What saved the first artifact: the versions that produced it, the source's own example inputs, and the Python whose process
    may convert it: one with crossload's release of TensorFlow, which the model's own code left as it was."""

    producer: dict[str, str] = field(default_factory=dict)
    examples: dict[str, Any] | None = None
    python: Path | None = None


@dataclass(frozen=True)
class _Proof:
    """What is recorded and how the artifacts are compared, as `export` describes it."""

    requests: Requests
    tolerance: dict[str, Tolerance]
    limits: Limits
    needed: dict[str, Any]
    accept_unproved: bool

    @property
    def converting(self) -> dict[str, Any]:
        """The options of the steps that make other formats."""
        return {**self.needed, "shapes_if_refused": {name: list(shape) for name, shape in self.requests.shapes.items()}}


def _fill(
    folder: Path,
    name: str,
    saved: _Saved,
    formats: tuple[str, ...] | None,
    proof: _Proof,
    warm_up: bool,
    made_with: variants.VariantTerms,
    stack: ExitStack,
    progress: Callable[[str], None],
) -> Bundle:
    """From the first artifact in `folder` to a complete, verified bundle."""
    first = _first(folder)
    if first.is_dir() and (flattened := composites.flatten(first)):
        progress(f"sparse and ragged tensors as their parts: {', '.join(flattened)}")
    found = artifacts.read(first)
    entries, signatures = artifacts_of(first, first.name, found=found)
    if entries[0].format != "saved_model" and (others := [f for f in formats or () if f != entries[0].format]):
        raise CrossloadError(
            f"{in_words(entries[0].format)} is bundled as it is and cannot become {in_words(others[0])}; export the SavedModel"
        )
    check_requests(proof.requests, signatures)
    if warm_up:
        warmup.check(folder, entries, formats)
    recorder = references(entries[0].format)[0]
    reference = stack.enter_context(Supervisor(recorder.name, environments.prepare(recorder.source, progress), proof.limits))
    # TensorFlow's process and the reference work side by side.
    pool, context = stack.enter_context(ThreadPoolExecutor(1)), copy_context()
    converting = pool.submit(context.run, converted, folder, entries[0], formats, proof.converting, made_with, saved.python, progress)
    seeding = Seeding(proof.requests.faults, proof.requests.seed, proof.tolerance, progress)

    def one(entry: Artifact) -> tuple[list[Vectors], dict[str, Signature]]:
        about = (folder, entry, signatures, proof.requests, proof.limits, progress)
        return record(*about, alive={recorder.title: reference}, options=proof.needed, seeding=seeding)

    recorded, learnt = record_each(folder, entries, proof.requests.seed, one)
    signatures |= learnt
    for sentence in (*artifacts.left_out(found).values(), *left_out_requests(recorded)):
        progress(sentence)
    made, left_out, versions = converting.result()
    if not proof.accept_unproved:
        without = sufficiency.without_answers(recorded)
        recorded = _without(folder, [*entries, *made], recorded, without)
        entries, made = ([a for a in side if a.bindings] for side in (entries, made))
        left_out += [LeftOut(id=f"signature {name}", reason=reason) for name, reason in without.items()]
    alive = variants.finish(
        folder,
        made,
        variants.FloatModel(reference, first, entries[0], signatures, proof.needed, keep_state=any(v.state for v in recorded)),
        made_with,
        proof.requests,
        proof.limits,
        {registry.shortest_name(recorder): reference},
        stack,
        progress,
        recorded,
    )
    producer = saved.producer
    if entries[0].format == "saved_model":
        producer = producer or versions or artifacts.read(first).producer
        if formats and "saved_model" not in formats:
            shutil.rmtree(first)
            entries = []
            recorded = [v for v in recorded if any(v.signature in a.bindings for a in made)]
        entries += made
    if bridged := bundle_bridges.build(folder, entries, signatures):
        progress(f"bridges for TensorFlow Java, which lacks datatypes of {', '.join(bridged)}")
    if warm_up:
        for what, why in warmup.warm_up_bundle(folder, name, entries, recorded).left_out.items():
            progress(f"not in the warm-up file: {what}: {why}")
    used = {s for a in entries for s in a.bindings}
    manifest = Manifest(
        model=Model(name=name),
        producer={**producer, **op_libraries.recorded(proof.needed.get("op_libraries", ()))},
        signatures={key: s for key, s in signatures.items() if key in used},
        artifacts=entries,
        left_out=left_out,
        vectors=recorded,
        tolerance=proof.tolerance,
    )
    files.write_text(folder / FILE_NAME, manifest.to_json())
    progress("verifying every artifact of the bundle")
    proving = tuple(r.name for r in registry.find(list(_PROVING_RUNTIMES)) if any(registry.able(r, a.format) for a in entries))
    report = verify(folder, proving, limits=proof.limits, load_options=proof.needed, alive=alive, accept_unproved=proof.accept_unproved)
    if report.interrupted:
        raise KeyboardInterrupt
    if report.exit_status and not (proof.accept_unproved and report.exit_status == 3 and not sum(v.count for v in recorded)):
        raise ExportRefused(f"the bundle was not written: {report.first_failure}")
    return Bundle(folder, manifest)


def _without(folder: Path, artifacts: Sequence[Artifact], recorded: Sequence[Vectors], names: Collection[str]) -> list[Vectors]:
    """The vectors without those of these signatures; takes the signatures from the artifacts' bindings, and their files from the bundle."""
    for artifact in artifacts:
        artifact.bindings = {name: b for name, b in artifact.bindings.items() if name not in names}
    for entry in recorded:
        if entry.signature in names:
            (folder / entry.path).unlink()
    return [v for v in recorded if v.signature not in names]


def _pin(folder: Path, pinned: Mapping[str, Any]) -> None:
    """Make these inputs of the first artifact in `folder` constants."""
    if pinned:
        first = _first(folder)
        entries, signatures = artifacts_of(first, first.name)
        prepare.pin_in_place(first, entries, prepare.pinned_values(pinned, entries[0].format, signatures))


def _first(folder: Path) -> Path:
    return next(folder / f for f in FILES.values() if (folder / f).exists())


def _values(model: Any, weights: str | Path | None, by_name: bool) -> dict[str, Any]:
    """The options of a step that say where a model's values come from. Raises CrossloadError for a model with its own values."""
    if weights is None:
        if by_name:
            raise CrossloadError("--by-name needs --weights FILE: name the file, too")
        return {}
    kind = artifacts.recognise(Path(weights))
    if kind not in _HAVE_VALUES:
        raise CrossloadError(f"{weights} is {in_words(kind)}; --weights takes a checkpoint or a Keras file")
    if by_name and kind == "checkpoint":
        raise CrossloadError(
            f"--by-name is for the layers of a Keras file; {weights} is a checkpoint, whose variables always go by their names"
        )
    if isinstance(model, str | os.PathLike) and (source := Source.parse(os.fspath(model))).function is None:
        held = artifacts.recognise(source.path)
        if held not in ("keras", "keras_h5"):
            raise CrossloadError(
                f"{source.path} is {in_words(held)}, which has its own values; "
                "--weights is for a Keras file, and for a model that a function builds (FILE.py:FUNCTION)"
            )
    return {"weights": str(Path(weights).resolve()), "by_name": by_name}


def _save(model: Any, folder: Path, values: dict[str, Any], load_with: str, progress: Callable[[str], None]) -> _Saved:
    """Put the first artifact into `folder`."""
    target = folder / FILES["saved_model"]
    if not isinstance(model, str | os.PathLike):
        from crossload.tf_process import live_models

        if "weights" in values:
            live_models.load_weights(model, Path(values["weights"]), by_name=values["by_name"])
        live_models.save(model, target)
        return _Saved()
    source = Source.parse(os.fspath(model))
    if source.function is None:
        recognised = artifacts.recognise(source.path)
        if recognised in FORMATS:
            artifacts.read(source.path)
            progress(f"copying {source.path}")
            _copy(source.path, folder / FILES[recognised])
            return _Saved()
    examples = folder / "examples.npz"
    if source.function:
        options = {"function": source.function, "examples": str(examples), **values}
        step = Step("export_source", source.path.resolve(), target, f"calling {source.function}", options=options)
    else:
        step = Step(
            step_name(recognised, "saved_model"),
            source.path.resolve(),
            target,
            f"loading {source.path}",
            _bindings_of(source.path),
            values,
        )
    python = tf_process.python_with_tensorflow(source.path if source.function else None, load_with, progress)
    about = f"{source.path}{':' + source.function if source.function else ''} cannot be exported"
    made = tf_process.run([step], python, about, progress)
    found = example_inputs.read(examples) if examples.exists() else None
    examples.unlink(missing_ok=True)
    as_ours = made.is_fresh and made.producer["tensorflow"] == tf_process.loader("tensorflow").version
    return _Saved(made.producer, found, python if as_ours else None)


def _bindings_of(source: Path) -> dict[str, Any]:
    """The bindings of an artifact's first MetaGraph."""
    entries, _ = artifacts_of(source, source.name)
    return {name: b.model_dump() for name, b in entries[0].bindings.items()}


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
