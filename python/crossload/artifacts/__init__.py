"""Artifacts, one module a format: recognised by content and read without TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crossload.artifacts.recognition import examine, recognise
from crossload.errors import ArtifactError

if TYPE_CHECKING:
    from crossload.artifacts.graph_def import GraphDef
    from crossload.artifacts.saved_model import SavedModel
    from crossload.artifacts.tflite import TFLite

__all__ = ["read", "recognise"]


def read(path: Path) -> SavedModel | GraphDef | TFLite:
    """The artifact at `path`, by parsing only: nothing of it is executed.

    Raises ArtifactError, in one sentence, for what `recognise` refuses, for damaged artifacts and for formats that are not read yet.
    """
    # Each reader brings its own libraries, so only the one that is needed is imported.
    kind, message = examine(path)
    if kind == "saved_model":
        from crossload.artifacts import saved_model

        return saved_model.read(path)
    if kind == "graph_def":
        from crossload.artifacts import graph_def

        return graph_def.of(path, message)
    if kind == "tflite":
        from crossload.artifacts import tflite

        return tflite.read(path)
    raise ArtifactError(
        f"{path} is recognised ({kind}), but this format is not read yet; "
        "give a SavedModel folder, a GraphDef (.pb, .pbtxt) or a .tflite, or make one with `crossload export`"
    )
