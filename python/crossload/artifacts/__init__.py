"""Artifacts, one module per format: recognised by content and read without TensorFlow."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from crossload.artifacts.content import in_words
from crossload.artifacts.recognition import examine, recognise
from crossload.contract.datatypes import DATATYPES
from crossload.contract.signatures import Signature
from crossload.errors import ArtifactError
from crossload.support import files

if TYPE_CHECKING:
    from crossload.artifacts.checkpoints.checkpoint import Checkpoint
    from crossload.artifacts.graphs.graph import Graph
    from crossload.artifacts.graphs.graph_def import GraphDef
    from crossload.artifacts.graphs.meta_graph import MetaGraph
    from crossload.artifacts.graphs.saved_model import SavedModel
    from crossload.artifacts.keras.keras_file import Keras
    from crossload.artifacts.tflite.tflite_file import TFLite

__all__ = ["callable_signatures", "left_out", "parts_of", "read", "recognise"]

# The name of the only signature of an artifact that has none of its own (tensorflow/python/saved_model/signature_constants.py).
DEFAULT_KEY = "serving_default"


def read(path: Path) -> SavedModel | GraphDef | MetaGraph | TFLite | Checkpoint | Keras:
    """The artifact at `path`, by parsing only: nothing of it is executed.

    Raises ArtifactError, in one sentence, for paths that `recognise` refuses and for damaged artifacts.
    """
    # Each reader brings its own libraries, so only the one that is needed is imported.
    kind, message = examine(path)
    if kind == "saved_model":
        from crossload.artifacts.graphs import saved_model

        return saved_model.read(path)
    if kind == "graph_def":
        from crossload.artifacts.graphs import graph_def

        return graph_def.of(path, message)
    if kind == "meta_graph":
        from crossload.artifacts.graphs import meta_graph

        return meta_graph.of(path, message)
    if kind == "tflite":
        from crossload.artifacts.tflite import tflite_file

        return tflite_file.read(path)
    if kind == "checkpoint":
        from crossload.artifacts.checkpoints import checkpoint

        return checkpoint.read(path)
    from crossload.artifacts.keras import keras_file, keras_h5

    return keras_file.read(path) if kind == "keras" else keras_h5.of(path, message)


def callable_signatures(
    artifact: SavedModel | GraphDef | MetaGraph | TFLite | Checkpoint | Keras,
) -> list[tuple[tuple[str, ...] | None, dict[str, Signature]]]:
    """The signatures that a runtime can call, by name: with the tags of each MetaGraph, or None without tags.

    A graph, a .meta, a .tflite without signatures and a Keras model have one, `serving_default`, whose `key` is None. Signatures with an
    input or output that cannot be sent as a tensor (a resource, a variant), or without outputs, are left out; an output of a graph or
    of a Keras model may be of unknown datatype (`DT_0`).
    A checkpoint has the signatures of the .meta beside it. Raises ArtifactError for an artifact that lacks a file it needs,
    and for Keras files that name no inputs: weights alone, and models of the user's own class.
    """
    if artifact.format == "checkpoint":
        _check_values(artifact)
        artifact = _graph_beside(artifact)
    elif artifact.format == "meta_graph" and artifact.checkpoint:
        from crossload.artifacts.checkpoints import checkpoint

        _check_values(checkpoint.read(artifact.checkpoint))
    if artifact.format == "saved_model":
        artifact.check_complete()
        return [(m.tags, {key: s for key, s in m.signatures.items() if _can_be_called(s)}) for m in artifact.meta_graphs]
    if artifact.format == "meta_graph":
        own = artifact.signatures or ({DEFAULT_KEY: artifact.signature()} if artifact.outputs else {})
        return [(artifact.tags, {key: s for key, s in own.items() if _can_be_called(s, "DT_0")})]
    if artifact.format == "graph_def":
        own = {DEFAULT_KEY: artifact.signature()} if artifact.outputs else {}
        return [(None, {key: s for key, s in own.items() if _can_be_called(s, "DT_0")})]
    if artifact.format == "tflite":
        own = artifact.signatures or {DEFAULT_KEY: artifact.signature()}
        return [(None, {key: s for key, s in own.items() if _can_be_called(s)})]
    own = {DEFAULT_KEY: artifact.signature()}
    return [(None, {key: s for key, s in own.items() if _can_be_called(s, "DT_0")})]


def left_out(artifact: SavedModel | GraphDef | MetaGraph | TFLite | Checkpoint | Keras) -> dict[str, str]:
    """The signatures of a SavedModel or a .meta that `callable_signatures` leaves out, each with a sentence that gives the reason."""
    if artifact.format == "saved_model":
        found = [(key, s, "") for m in artifact.meta_graphs for key, s in m.signatures.items()]
    elif artifact.format == "meta_graph":
        found = [(key, s, "DT_0") for key, s in artifact.signatures.items()]
    else:
        found = []
    return {key: f"the signature {key!r} cannot be called: {_obstacle(s)}" for key, s, unknown in found if not _can_be_called(s, unknown)}


def bridge_of(
    artifact: SavedModel | GraphDef | MetaGraph | TFLite | Checkpoint | Keras, tags: tuple[str, ...] | None, key: str
) -> Signature | None:
    """The bridge of a SavedModel's signature, in the MetaGraph with these tags; None if it has no bridge."""
    if artifact.format != "saved_model":
        return None
    return next((m.bridges.get(key) for m in artifact.meta_graphs if m.tags == tags), None)


def graph_of(path: Path, tags: Iterable[str] | None = None) -> Graph:
    """The graph of a GraphDef, a .meta, a checkpoint's .meta, or a MetaGraph of a SavedModel; raises ArtifactError for other formats."""
    from crossload.artifacts.graphs.graph import Graph

    found = read(path)
    if found.format == "checkpoint":
        found = _graph_beside(found)
    if found.format == "saved_model":
        return Graph(path, found.meta_graph(tags).proto.graph_def)
    if found.format in ("graph_def", "meta_graph"):
        return found.graph
    raise ArtifactError(f"{path} is {in_words(found.format)}, which has no graph of named tensors; leave out the tensor names")


def meta_graph_of(found: Checkpoint | MetaGraph) -> MetaGraph:
    """The .meta of a checkpoint, or the .meta itself; raises ArtifactError for a checkpoint without one."""
    return _graph_beside(found) if found.format == "checkpoint" else found


def _check_values(checkpoint: Checkpoint) -> None:
    if checkpoint.missing_files or checkpoint.truncated_files:
        raise ArtifactError(f"{checkpoint.prefix} is {checkpoint.diagnosis[0]}")


def _graph_beside(checkpoint: Checkpoint) -> MetaGraph:
    file = checkpoint.prefix.with_name(f"{checkpoint.prefix.name}.meta")
    if not file.is_file():
        raise ArtifactError(
            f"{checkpoint.prefix} is a checkpoint without {file.name}: it has values but no graph to call; name a SavedModel, "
            "or export the source that builds the graph with this checkpoint as its --weights"
        )
    from crossload.artifacts.graphs import meta_graph

    return meta_graph.read(file)


def weight_bytes(path: Path) -> int:
    """The bytes of an artifact's variables, from their index alone; 0 where they are part of the graph (the file size includes them)."""
    from crossload.artifacts.checkpoints import checkpoint

    kind = recognise(path)
    prefix = path / "variables" / "variables" if kind == "saved_model" else path
    if kind == "checkpoint" or (kind == "saved_model" and prefix.with_name("variables.index").is_file()):
        return sum(v.size for v in checkpoint.read(prefix).variables)
    return 0


def sha256(path: Path) -> str:
    """The digest of an artifact's files; of a checkpoint given by its prefix, the digest of the lines `<sha256>  <file>\\n` of all."""
    if path.exists():
        return files.sha256(path)
    import hashlib

    digest = hashlib.sha256()
    stem = glob.escape(path.name)
    for file in sorted((*path.parent.glob(f"{stem}.*"), *path.parent.glob(f"{stem}-?????-of-?????"))):
        digest.update(f"{files.sha256(file)}  {file.name}\n".encode())
    return digest.hexdigest()


# types.proto; quantised types keep their numbers.
_WORDS = {"DT_0": "DT_INVALID", "DT_20": "resource", "DT_21": "variant"}


def _obstacle(signature: Signature) -> str:
    for side, tensors in (("input", signature.inputs), ("output", signature.outputs)):
        if strange := [t for t in tensors if t.datatype not in DATATYPES]:
            datatype = _WORDS.get(strange[0].datatype, strange[0].datatype)
            return f"its {side} {strange[0].name!r} has the datatype {datatype}, which no request carries"
    return "it has no outputs"


def _can_be_called(signature: Signature, unknown: str = "") -> bool:
    outputs = [t.datatype for t in signature.outputs]
    return bool(outputs) and all(t.datatype in DATATYPES for t in signature.inputs) and all(d in DATATYPES or d == unknown for d in outputs)


def parts_of(path: Path, format: str) -> Iterator[Path]:
    """What a runtime needs to load an artifact, in one folder: of a checkpoint and a .meta, the files that begin alike. Raises OSError."""
    if format not in ("checkpoint", "meta_graph") or path.is_dir():
        yield path
        return
    stem = path.name.removesuffix(".meta")
    for beside in sorted(path.parent.iterdir()):
        if beside.name in ("checkpoint", stem) or beside.name.startswith(f"{stem}."):
            yield beside
