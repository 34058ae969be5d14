"""The other formats of a bundle, made from the SavedModel on disk; a signature that a format cannot hold does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from crossload.artifacts.content import in_words
from crossload.artifacts.entries import bindings_in
from crossload.contract.manifest import Artifact, LeftOut
from crossload.errors import ExportRefused
from crossload.runtimes import tf_process
from crossload.runtimes.tf_process import Step, StepName
from crossload.support import files
from crossload.verbs.convert.edges import way
from crossload.verbs.convert.walk import without_tensorflow
from crossload.verbs.export import variants

FORMATS = ("saved_model", "graph_def", "tflite")
FILES = {"saved_model": "saved_model", "graph_def": "frozen_graph.pb", "tflite": "model.tflite"}


def step_name(source: str, target: str) -> StepName:
    """The step of TensorFlow's process that begins the path from one format to the other."""
    by = way(source, target)[0].by
    assert not callable(by)
    return by


def converted(
    folder: Path,
    entry: Artifact,
    formats: tuple[str, ...] | None,
    needed: dict[str, Any],
    made_with: variants.VariantTerms,
    python: Path | None,
    progress: Callable[[str], None],
) -> tuple[list[Artifact], list[LeftOut], dict[str, str]]:
    """Make the other formats from the SavedModel on disk; from another artifact nothing."""
    kinds = [f for f in formats or FORMATS if f != "saved_model"] if entry.format == "saved_model" else []
    bindings = {name: b.model_dump() for name, b in entry.bindings.items()}
    source, options = folder / entry.path, {**needed, "tags": entry.tags}
    bound: dict[str, Any] = {}
    targets = {kind: folder / (variants.file_of(kind) if variants.quantization_of(kind) else FILES[kind]) for kind in kinds}
    own_options = {kind: {**options, **variants.options_of(kind, made_with)} for kind in kinds}
    for kind in kinds:
        (edge,) = way("saved_model", kind.partition(":")[0])
        bound[kind] = without_tensorflow(edge, source, targets[kind], bindings, own_options[kind], progress)
    left = [kind for kind in kinds if bound[kind] is None]
    left_out: list[LeftOut] = []
    reasons: dict[str, str | None] = {}
    producer: dict[str, str] = {}
    if left:
        python = python or tf_process.python_with_tensorflow(progress=progress)

        def run(steps: Sequence[Step]) -> tf_process.Made:
            return tf_process.run(steps, python, "the model cannot be exported", progress)

        steps = [
            Step(
                *(step_name("saved_model", k.partition(":")[0]), source, targets[k]),
                f"converting to {k}",
                bindings,
                own_options[k],
                optional=True,
            )
            for k in left
        ]
        done = run(steps)
        producer = done.producer
        for step, kind, own, reason in zip(steps, left, done.bindings, done.errors, strict=True):
            bound[kind], reasons[kind] = own, reason
            if reason is not None and len(bindings) > 1:
                rest, without = _of_the_others(step, run)
                if rest is not None:
                    bound[kind], reasons[kind] = rest, None
                    left_out += [LeftOut(id=f"{kind}: signature {name}", reason=why) for name, why in without.items()]
    made = []
    for kind in kinds:
        file, reason = targets[kind], reasons.get(kind)
        if reason is None:
            own = bindings_in(file, bound[kind])
            made.append(Artifact(id=kind, format=kind.partition(":")[0], path=file.name, sha256=files.sha256(file), bindings=own))
            continue
        if formats:
            raise ExportRefused(f"the model cannot become {in_words(kind)}: {reason}")
        file.unlink(missing_ok=True)
        left_out.append(LeftOut(id=kind, reason=reason))
    for one in left_out:
        progress(f"left out: {one.id}: {one.reason}")
    return made, left_out, producer


def _of_the_others(step: Step, run: Callable[[Sequence[Step]], tf_process.Made]) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """A failed step once more with the signatures that do not stop it: the artifact's bindings, None where it stays impossible, and
    the reason of each signature that is left out. Each is tried alone, because the converter's message does not name the signature."""
    assert step.bindings is not None
    says = f"{step.says}: the signature "
    alone = run([replace(step, bindings={name: own}, says=says + name) for name, own in step.bindings.items()])
    without = {name: error for name, error in zip(step.bindings, alone.errors, strict=True) if error is not None}
    able = {name: own for name, own in step.bindings.items() if name not in without}
    if not able or not without:
        return None, {}
    done = run([replace(step, bindings=able, says=f"{step.says}: {', '.join(able)}")])
    return (None, {}) if done.errors[0] is not None else (done.bindings[0], without)
