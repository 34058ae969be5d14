"""Export: from a model to a bundle that has been verified, written whole or not at all. Imports no TensorFlow itself."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import filelock

from crossload import artifacts, files
from crossload.contract.bundle import Bundle, is_bundle
from crossload.contract.manifest import FILE_NAME, Artifact, Binding, LeftOut, Manifest, Model, Tolerance, Vectors
from crossload.contract.signatures import Signature
from crossload.errors import CrossloadError
from crossload.recording import artifacts_of, record
from crossload.report.results import Report
from crossload.requests import Wishes, check_wishes, from_npz
from crossload.runtimes import environments, registry
from crossload.runtimes.environments import Script
from crossload.runtimes.supervisor import Limits
from crossload.text import printable
from crossload.verification import Plan, verify

FORMATS = ("saved_model", "graph_def", "tflite")
_FILES = {"saved_model": "saved_model", "graph_def": "frozen_graph.pb", "tflite": "model.tflite"}
_PROVING_RUNTIMES = ("tensorflow", "litert")


class ExportRefused(CrossloadError):
    """A bundle that was not written because what was converted does not answer as the reference does."""

    exit_status = 1


@dataclass(frozen=True)
class Source:
    """What to export: a path, and the function to call when the path is a Python file."""

    path: Path
    function: str | None = None

    @classmethod
    def parse(cls, text: str) -> Source:
        """`file.py:function`, or a path; raises CrossloadError when it is not there."""
        match = re.fullmatch(r"(.+\.py):([A-Za-z_]\w*)", text)
        source = cls(Path(match[1]), match[2]) if match else cls(Path(text))
        if not source.path.exists():
            raise CrossloadError(f"{source.path} is not there")
        if source.path.suffix == ".py" and not source.function:
            raise CrossloadError(f"{text}: name the function that returns the model: {text}:FUNCTION")
        return source


def export(
    model: Any,
    destination: str | Path,
    *,
    formats: Sequence[str] | None = None,
    vectors: int = 8,
    seed: int = 0,
    inputs: Sequence[Mapping[str, Any]] = (),
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    tolerance: Mapping[str, Tolerance] | None = None,
    name: str | None = None,
    overwrite: bool = False,
    limits: Limits | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Write a bundle of `model` into the folder `destination`: artifacts, manifest, recorded answers, all verified.

    `model` is a Keras model or a tf.Module (then TensorFlow is imported already), or as text a SavedModel, a .keras file, a
    `file.py:function`, or a .pb or .tflite, which is bundled as it is. Formats that were not asked for by name and cannot hold
    the model are left out and noted in the manifest. `inputs` are named arrays recorded besides the generated requests;
    `shapes` gives inputs a shape where the model leaves it open.

    Raises CrossloadError for input that cannot be used, ExportRefused when an artifact disagrees with the reference.
    """
    destination = Path(destination)
    unknown = set(formats or ()) - set(FORMATS)
    if unknown:
        raise CrossloadError(f"there is no export format {sorted(unknown)[0]!r}; there are: {', '.join(FORMATS)}")
    wishes = Wishes(vectors, seed, dict(shapes or {}), tuple(inputs))
    with _only_writer(destination, overwrite), files.folder_written_whole(destination) as folder:
        name = printable(name or destination.resolve().name)
        producer, examples = _save(model, folder, progress)
        if examples:
            wishes = replace(wishes, inputs=(*wishes.inputs, examples))
        bundle = _fill(
            folder, name, producer, tuple(formats) if formats else None, wishes, dict(tolerance or {}), limits or Limits(), progress
        )
    return replace(bundle, root=destination)


def _fill(
    folder: Path,
    name: str,
    producer: dict[str, str],
    formats: tuple[str, ...] | None,
    wishes: Wishes,
    tolerance: dict[str, Tolerance],
    limits: Limits,
    progress: Callable[[str], None],
) -> Bundle:
    """From the first artifact in `folder` to a complete, verified bundle."""
    first = next(folder / f for f in _FILES.values() if (folder / f).exists())
    entries, signatures = artifacts_of(first, first.name)
    if entries[0].format != "saved_model" and (others := [f for f in formats or () if f != entries[0].format]):
        raise CrossloadError(f"a {entries[0].format} is bundled as it is: it cannot become {', '.join(others)}; give the SavedModel")
    check_wishes(wishes, signatures)
    recorded: list[Vectors] = []
    for entry in entries:
        added, learnt = record(folder, entry, signatures, wishes, limits, progress)
        recorded += added
        signatures |= learnt
    left_out: list[LeftOut] = []
    if entries[0].format == "saved_model":
        made, left_out, versions = _converted(folder, entries[0], signatures, formats, progress)
        producer = producer or versions
        if formats and "saved_model" not in formats:
            shutil.rmtree(first)
            entries = []
            recorded = [v for v in recorded if any(v.signature in a.bindings for a in made)]
        entries += made
    used = {s for a in entries for s in a.bindings}
    manifest = Manifest(
        model=Model(name=name),
        producer=producer,
        signatures={key: s for key, s in signatures.items() if key in used},
        artifacts=entries,
        left_out=left_out,
        vectors=recorded,
        tolerance=tolerance,
    )
    files.write_text(folder / FILE_NAME, manifest.to_json())
    progress("verifying every artifact of the bundle")
    proving = tuple(r.name for r in registry.find(list(_PROVING_RUNTIMES)) if any(a.format in r.formats for a in entries))
    report = verify(folder, proving, plan=Plan(limits=limits))
    if report.interrupted:
        raise KeyboardInterrupt
    if report.exit_status:
        raise ExportRefused(f"the bundle was not written: {_first_failure(report)}")
    return Bundle(folder, manifest)


def _save(model: Any, folder: Path, progress: Callable[[str], None]) -> tuple[dict[str, str], dict[str, Any] | None]:
    """Put the first artifact into `folder`; the versions that produced it, and the source's own example inputs."""
    target = folder / _FILES["saved_model"]
    if not isinstance(model, str | os.PathLike):
        from crossload.exporters import saved_model

        try:
            saved_model.save(model, target)
        except saved_model.CannotExport as error:
            raise CrossloadError(str(error)) from error
        return {}, None
    source = Source.parse(os.fspath(model))
    if source.function is None:
        recognised = artifacts.recognise(source.path)
        if recognised in FORMATS:
            artifacts.read(source.path)
            progress(f"copying {source.path}")
            _copy(source.path, folder / _FILES[recognised])
            return {}, None
        if recognised not in ("keras", "keras_h5"):
            raise CrossloadError(
                f"{source.path} is a {recognised}, which export does not take; it takes a SavedModel, a .keras file or file.py:function"
            )
    examples = folder / "examples.npz"
    job = {
        "task": "save",
        "source": str(source.path.resolve()),
        "function": source.function,
        "saved_model": str(target),
        "examples": str(examples),
    }
    result = _in_tensorflow(job, source, progress)
    found = from_npz(examples) if examples.exists() else None
    examples.unlink(missing_ok=True)
    return dict(result["producer"]), found


def _converted(
    folder: Path, entry: Artifact, signatures: dict[str, Signature], formats: tuple[str, ...] | None, progress: Callable[[str], None]
) -> tuple[list[Artifact], list[LeftOut], dict[str, str]]:
    """The other formats, made from the SavedModel on disk."""
    targets = {f: str(folder / _FILES[f]) for f in formats or FORMATS if f != "saved_model"}
    if not targets:
        return [], [], {}
    tensors = [str(t) for b in entry.bindings.values() for t in (*b.inputs.values(), *b.outputs.values())]
    keys = [b.key for b in entry.bindings.values()]
    job = {
        "task": "convert",
        "saved_model": str(folder / entry.path),
        "tags": entry.tags,
        "tensors": tensors,
        "keys": keys,
        "targets": targets,
    }
    result = _in_tensorflow(job, None, progress)
    if formats and result["left_out"]:
        kind, reason = next(iter(result["left_out"].items()))
        raise ExportRefused(f"the model cannot become a {kind}: {reason}")
    made = []
    for kind in targets:
        file = folder / _FILES[kind]
        if kind not in result["left_out"]:
            made.append(Artifact(id=kind, format=kind, path=file.name, sha256=files.sha256(file), bindings=_bindings(kind, file, entry)))
    for kind, reason in result["left_out"].items():
        (folder / _FILES[kind]).unlink(missing_ok=True)
        progress(f"left out: {kind}: {reason}")
    return made, [LeftOut(id=kind, reason=reason) for kind, reason in result["left_out"].items()], dict(result["producer"])


def _bindings(kind: str, file: Path, saved_model: Artifact) -> dict[str, Binding]:
    """Freezing keeps tensor names; a .tflite says itself where a SignatureDef's names are."""
    if kind == "graph_def":
        return {name: b.model_copy(update={"key": None}) for name, b in saved_model.bindings.items()}
    own = artifacts_of(file, file.name)[0][0].bindings
    return {name: own[b.key] for name, b in saved_model.bindings.items() if b.key in own}


def _in_tensorflow(job: dict[str, Any], source: Source | None, progress: Callable[[str], None]) -> dict[str, Any]:
    """Run exporters.process where TensorFlow is; its result. Raises CrossloadError with the reason it gives."""
    python = _python_with_tensorflow(source, progress)
    with tempfile.TemporaryDirectory(prefix="crossload-") as scratch:
        room = Path(scratch)
        # The process sees this package alone, not the libraries beside it, which belong to another environment.
        (room / "path").mkdir()
        (room / "path" / "crossload").symlink_to(Path(__file__).parent.parent, target_is_directory=True)
        job_file = room / "job.json"
        job_file.write_text(json.dumps({**job, "result": str(room / "result.json")}), encoding="utf-8")
        environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, "PYTHONPATH": str(room / "path"), "PYTHONUNBUFFERED": "1"}
        command = [str(python), "-m", "crossload.exporters.process", str(job_file)]
        with (room / "stderr").open("w+b") as stderr:
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=environment, stdin=subprocess.DEVNULL, text=True)
            try:
                assert child.stdout
                with child.stdout:
                    for line in child.stdout:
                        progress(line.rstrip("\n"))
                status = child.wait()
            finally:
                child.kill()
                child.wait()
            stderr.seek(0)
            tail = stderr.read().decode("utf-8", "replace").splitlines()[-15:]
        result_file = room / "result.json"
        result = json.loads(result_file.read_text(encoding="utf-8")) if result_file.exists() else {}
    if status == 0 and "error" not in result:
        return dict(result)
    what = f"{source.path}{':' + source.function if source.function else ''}" if source else "the model"
    if "No space left on device" in "\n".join([str(result.get("error")), *tail]):
        raise CrossloadError(f"no space is left on the disk of {Path(job['saved_model']).parent.parent}; free some and export again")
    reason = result.get("error") or f"the TensorFlow process ended with status {status}: " + " | ".join(tail[-3:])
    raise CrossloadError(f"{what} cannot be exported: {reason}")


def _python_with_tensorflow(source: Source | None, progress: Callable[[str], None]) -> Path:
    """The source's own environment (its PEP 723 header), else this one if it has TensorFlow, else the `tensorflow` runtime's."""
    if source and source.function and environments.header_of(source.path):
        return Path(environments.prepare(Script(source.path.resolve()), progress).argv[0])
    if importlib.util.find_spec("tensorflow"):
        return Path(sys.executable)
    return Path(environments.prepare(registry.find(["tensorflow"])[0].source, progress).argv[0])


class _only_writer:
    """Hold the destination against a second export; raises CrossloadError when one is under way or a bundle is there already."""

    def __init__(self, destination: Path, overwrite: bool) -> None:
        self.destination, self.overwrite = destination, overwrite
        locks = environments.cache() / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        self.lock = filelock.FileLock(locks / sha256(os.fsencode(destination.resolve())).hexdigest()[:16])

    def __enter__(self) -> None:
        try:
            self.lock.acquire(timeout=0)
        except filelock.Timeout:
            raise CrossloadError(f"another export is writing {self.destination}; wait for it, or choose another folder") from None
        there = self.destination
        if there.is_dir() and not any(there.iterdir()):
            return
        problem = None
        if there.exists() and not is_bundle(there):
            problem = f"{there} is there already and is no bundle; choose another folder"
        elif there.exists() and not self.overwrite:
            problem = f"{there} is there already; --overwrite replaces it"
        if problem:
            self.lock.release()
            raise CrossloadError(problem)

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def _first_failure(report: Report) -> str:
    failed = [r for r in report.results if r.failed]
    if not failed:
        return "; ".join(report.uncompared) or "nothing could be compared"
    case = failed[0].case
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return f"{case.artifact} on {case.runtime}, {case.signature}/{case.vector}: {failed[0].outcome}: {failed[0].error}{more}"
