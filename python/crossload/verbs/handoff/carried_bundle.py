"""The bundle inside a handoff: one artifact that the receiver's runtime loads, its signatures, their vectors, and their manifest."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crossload.contract import manifest as manifests
from crossload.contract.bundle import Bundle, is_bundle, open_bundle
from crossload.contract.manifest import Artifact, LeftOut, Manifest
from crossload.errors import CrossloadError, ManifestError
from crossload.runtimes.registry import Runtime, shortest_name
from crossload.support import files
from crossload.support.text import near
from crossload.verbs.check import tflite_prediction
from crossload.verbs.check.prediction import PREDICTED, Prediction, predict


def opened(path: Path) -> Bundle:
    """The bundle, every file checked; raises ManifestError for a path that is not a bundle or holds no recorded answers."""
    if not path.exists():
        raise ManifestError(f"{path} does not exist; name a bundle that `crossload export` wrote")
    if not is_bundle(path):
        raise ManifestError(f"{path} is not a bundle (it has no {manifests.FILE_NAME}); make one: crossload export {path} -o BUNDLE")
    bundle = open_bundle(path)
    if not sum(v.count for v in bundle.manifest.vectors):
        raise ManifestError(f"{path} holds no recorded answers, so the project could not test itself; record some: crossload export")
    return bundle


@dataclass(frozen=True)
class Choice:
    """The artifact to hand over, those of its signatures that the runtime answers, and why it does not answer the others."""

    artifact: Artifact
    signatures: tuple[str, ...]
    left_out: dict[str, str]


def chosen(bundle: Bundle, runtime: Runtime, wanted: str | None) -> Choice:
    """The artifact `wanted`, else the first whose signatures the runtime answers all, else the first of which it answers some.

    `check` predicts it: nothing is loaded. Raises CrossloadError if there is none, with the reason for each and the next step.
    """
    candidates = [_named(bundle, wanted)] if wanted is not None else bundle.manifest.artifacts
    loadable = [a for a in candidates if a.format in runtime.formats]
    if not loadable:
        raise CrossloadError(
            f"{shortest_name(runtime)} loads only {' and '.join(runtime.formats)}, not {_listed(a.format for a in candidates)}; "
            f"export {bundle.root} again with one of them: crossload export … --formats {','.join(runtime.formats)}"
        )
    choices, reasons, refused = [], [], []
    for artifact in loadable:
        recorded = [v.signature for v in bundle.manifest.vectors if v.count and v.signature in artifact.bindings]
        prediction = _predicted(bundle, artifact, runtime)
        if prediction is None:
            return Choice(artifact, tuple(recorded), {n: "no answers are recorded" for n in artifact.bindings if n not in recorded})
        answered = tuple(name for name in recorded if prediction.signatures.get(name) == "ok")
        why = {name: _reason(prediction, name) for name in artifact.bindings if name not in answered}
        if len(answered) == len(bundle.manifest.signatures):
            return Choice(artifact, answered, {})
        if answered:
            choices.append(Choice(artifact, answered, why))
        reasons.append(f"{artifact.id}: {_obstacles(prediction) or 'its signatures have no recorded answers'}")
        refused.append(prediction)
    if choices:
        return max(choices, key=lambda c: len(c.signatures))
    remedy = next((r for r in (p.remedy for p in refused) if r.startswith("crossload convert ")), "")
    step = (
        f"Convert it, then export the result: {remedy}, then crossload export DESTINATION -o BUNDLE"
        if remedy
        else f"crossload check {bundle.path(loadable[0])} says which runtimes run it; change the model, then convert and export it again"
    )
    raise CrossloadError(f"{runtime.title} would not run {bundle.root}: {'; '.join(reasons)}. {step}")


def _predicted(bundle: Bundle, artifact: Artifact, runtime: Runtime) -> Prediction | None:
    """None where `check` does not predict this format."""
    path = bundle.path(artifact)
    if artifact.format == "tflite":
        return tflite_prediction.would_do(path, [runtime], bindings=artifact.bindings)[0]
    return predict(path, runtime, tags=artifact.tags, bindings=artifact.bindings) if artifact.format in PREDICTED else None


def _obstacles(prediction: Prediction) -> str:
    """What stops a .tflite, once for each operator, for no conversion mends it; of a graph the first obstacle."""
    if prediction.tensorflow:
        return prediction.explanation()
    found = {f.op or f.sentence: f.sentence for f in reversed(prediction.findings)}
    return ", ".join(s.removeprefix(f"{prediction.runtime} ") for s in reversed(found.values()))


def _named(bundle: Bundle, wanted: str) -> Artifact:
    for artifact in bundle.manifest.artifacts:
        if artifact.id == wanted:
            return artifact
    ids = [a.id for a in bundle.manifest.artifacts]
    raise CrossloadError(f"{bundle.root} has no artifact {wanted!r}{near(wanted, ids)}; it has: {', '.join(ids)}")


def _reason(prediction: Prediction, signature: str) -> str:
    own = [f for f in prediction.findings if f.signature in (None, signature)]
    return own[0].sentence if own else "it has no recorded answers"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words)) or "nothing"


def carried(choice: Choice, client: str, obstacle: Callable[[str], str | None], path: Path) -> Choice:
    """The choice without the signatures for which `obstacle` states why the client cannot call them.

    Raises CrossloadError if none is left, with each reason; `path` is the bundle's.
    """
    why = {name: reason for name in choice.signatures if (reason := obstacle(name))}
    left = tuple(name for name in choice.signatures if name not in why)
    if not left:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in why.items())
        raise CrossloadError(f"the {client} client carries no signature of {path}: {reasons}")
    return replace(choice, signatures=left, left_out=choice.left_out | why)


def explained(source: Bundle, choice: Choice, interpreter: str) -> str:
    """Why `check` expects an interpreter not to run the chosen .tflite; empty if it expects no obstacle."""
    bindings = {name: choice.artifact.bindings[name] for name in choice.signatures}
    (found,) = tflite_prediction.would_do(source.path(choice.artifact), [interpreter], bindings=bindings)
    return found.explanation() or ""


def reduced(manifest: Manifest, choice: Choice) -> Manifest:
    """The manifest of a bundle with this artifact alone: the signatures to hand over, their vectors and tolerances."""
    signatures = {name: s for name, s in manifest.signatures.items() if name in choice.signatures}
    bindings = {name: b for name, b in choice.artifact.bindings.items() if name in choice.signatures}
    outputs = {t.name for s in signatures.values() for t in s.outputs}
    everywhere = {t.name for s in manifest.signatures.values() for t in s.outputs}
    return manifest.model_copy(
        update={
            "signatures": signatures,
            "artifacts": [choice.artifact.model_copy(update={"bindings": bindings})],
            "left_out": [LeftOut(id=name, reason=why) for name, why in choice.left_out.items()],
            "vectors": [v for v in manifest.vectors if v.signature in signatures],
            "tolerance": {name: t for name, t in manifest.tolerance.items() if name in outputs or name not in everywhere},
        }
    )


def without_vectors(bundle: Bundle, manifest: Manifest) -> Manifest:
    """The reduced manifest without recorded answers; raises CrossloadError where it notes beside them that the model keeps state.

    The Java library warms up no model that keeps state, and has that note from nowhere else.
    """
    for recorded in manifest.vectors:
        if recorded.state:
            raise CrossloadError(
                f"{bundle.root} can only be handed over with its recorded answers, because beside them the manifest notes that "
                f"{recorded.signature} depends on earlier calls ({recorded.state}); leave out --without-vectors"
            )
    return manifest.model_copy(update={"vectors": []})


def write(bundle: Bundle, manifest: Manifest, folder: Path, placed: Manifest | None = None) -> None:
    """Write the bundle of this reduced manifest into a folder; `placed` is the same manifest with the paths that the files get there."""
    placed = placed or manifest
    folder.mkdir(parents=True, exist_ok=True)
    for path, new in zip(_paths(manifest), _paths(placed), strict=True):
        source, target = bundle.root / path, folder / new
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
    files.write_text(folder / manifests.FILE_NAME, placed.to_json())
    open_bundle(folder)


def _paths(manifest: Manifest) -> list[str]:
    return [a.path for a in manifest.artifacts] + [v.path for v in manifest.vectors]


def file_names(source: Bundle, artifact: Artifact, signatures: Sequence[str]) -> dict[str, dict[str, str]]:
    """A .tflite's names of each signature's tensors, by the manifest's; raises CrossloadError for a file without signatures."""
    from crossload.artifacts.tflite import tflite_file

    path = source.path(artifact)
    read = tflite_file.read(path)
    found = {}
    for name in signatures:
        binding = artifact.bindings[name]
        if binding.key is None:
            raise CrossloadError(
                f"{path} has no SignatureDef, by which the client calls it; export the model again with one: "
                "crossload export MODEL --formats tflite"
            )
        own = read.signature(binding.key)
        tensors = {str(t.tensor): t.name for t in (*own.inputs, *own.outputs)}
        found[name] = {n: tensors.get(str(t), n) for n, t in (*binding.inputs.items(), *binding.outputs.items())}
    return found
