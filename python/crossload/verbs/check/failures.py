"""A runtime's failure with the reason that `check` has for it: what the runtime lacks, which ones would run the model, the next step."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crossload.errors import CrossloadError, WorkerFailure
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import ModelSource
from crossload.verbs.check.prediction import Prediction, bindings_of, predict, release_of, would_do

# TensorFlow's words for a table or a variable without a value.
_UNSET = re.compile(r"not initialized|uninitialized|Error while reading resource variable", re.IGNORECASE)


def explained(failure: WorkerFailure, runtime: Runtime, source: ModelSource, signature: str | None = None) -> str:
    """A failure's message; if `check` predicts the failure, also the reason, the releases that would run it, and the next step.

    Adds nothing if `check` predicts that the model loads (or runs, for a failed run of a .tflite or of what has no value), or does not
    know the runtime or the format, or if a user's library failed. `signature` is the one that failed, None at loading.
    """
    if "tflite" in runtime.formats:
        return _of_tflite(failure, runtime, source, signature)
    of_library = any(library in failure.message for library in source.options.get("op_libraries", ()))
    if failure.phase == "run" and failure.outcome == "run_error" and _UNSET.search(failure.message):
        return _of_run(failure, runtime, source)
    if failure.phase != "load" or failure.outcome not in ("load_error", "unsupported") or of_library:
        return failure.message
    try:
        title = release_of(runtime).title
        every = would_do(source.path, tags=source.tags, bindings=source.bindings)
    except CrossloadError:
        return failure.message
    own = next((p for p in every if p.runtime == title), None) or predict(source.path, title, tags=source.tags, bindings=source.bindings)
    return failure.message if own.loads else _said(failure, own, [p.runtime for p in every if p.outcome == "ok"])


def _of_run(failure: WorkerFailure, runtime: Runtime, source: ModelSource) -> str:
    """The message of a run that read a table or a variable without values, with what `check` says of it."""
    try:
        found = predict(source.path, runtime, tags=source.tags, bindings=source.bindings).findings
    except CrossloadError:
        return failure.message
    said = [f.sentence for f in found if f.beyond_repair]
    return f"{failure.message.rstrip('.')}: {said[0]}" if said else failure.message


def _of_tflite(failure: WorkerFailure, runtime: Runtime, source: ModelSource, signature: str | None) -> str:
    """The message of an interpreter, with the operator, version or datatype that it does not have; its own words may name none."""
    from crossload.verbs.check import tflite_prediction

    try:
        title = tflite_prediction.interpreter_of(runtime).title
        every = tflite_prediction.would_do(source.path, bindings=source.bindings or bindings_of(source.path))
    except CrossloadError:
        return failure.message
    own = next(p for p in every if p.runtime == title).about(signature)
    if not own.findings or own.findings[0].outcome != failure.outcome:
        return failure.message
    return _said(failure, own, [p.runtime for p in every if p.about(signature).outcome == "ok"])


def _said(failure: WorkerFailure, own: Prediction, running: Sequence[str]) -> str:
    would = ", ".join(running) or "no release known here"
    said = f"{failure.message.rstrip('.!')}. {own.explanation()}; would run in: {would}"
    return f"{said}; or: {own.remedy}" if own.remedy else said
