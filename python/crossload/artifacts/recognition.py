"""What kind of artifact a path is, by its content; names and suffixes do not count."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crossload.artifacts.content import described, head, is_text, tail
from crossload.errors import ArtifactError

SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")
# tensorflow/python/checkpoint/checkpoint_management.py: where TensorFlow records the latest checkpoint of a folder.
STATE_FILE = "checkpoint"
_HDF5 = b"\x89HDF\r\n\x1a\n"
# leveldb's table format, of V2 checkpoints' indexes and of V1 checkpoints, ends with this number (table/format.h, kTableMagicNumber).
_TABLE = bytes.fromhex("57fb808b247547db")
# The tags that a GraphDef or a MetaGraphDef can begin with (graph.proto, meta_graph.proto): fields 1 to 7, as varint or as bytes.
_PROTOBUF = bytes(number << 3 | wire for number in range(1, 8) for wire in (0, 2))


def recognise(path: Path) -> str:
    """The format's word: saved_model, graph_def, tflite, keras, keras_h5, keras_weights, checkpoint or meta_graph.

    A format with a magic number is recognised by it, and the file may still prove damaged when read; a GraphDef has none, so it is
    parsed. Raises ArtifactError for a missing path, a folder or a file that is not an artifact, and a truncated or corrupt GraphDef.
    """
    return examine(path)[0]


def examine(path: Path) -> tuple[str, Any]:
    """The format's word, and the message of a GraphDef or a MetaGraphDef, which is parsed to recognise it (else None)."""
    try:
        if path.is_dir():
            return _folder(path), None
        if not path.exists():
            if path.name and (index_of(path).is_file() or v1_files(unsharded(path))):
                return "checkpoint", None
            raise ArtifactError(f"{path} does not exist{_beside(path)}")
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not path.is_file():
        raise ArtifactError(f"{path} is neither a file nor a folder; give a SavedModel folder, a GraphDef (.pb, .pbtxt) or a .tflite")
    return _file(path)


def index_of(prefix: Path) -> Path:
    """The file that lists the variables of the checkpoint whose files' names begin with `prefix` (tensor_bundle/naming.h)."""
    return prefix.with_name(f"{prefix.name}.index")


def unsharded(path: Path) -> Path:
    """The prefix of a V1 checkpoint, from the name of a shard or from the pattern in state files: `prefix-?????-of-00003`."""
    sharded = re.fullmatch(r"(.+)-(?:[0-9]{5}|\?{5})-of-[0-9]{5}", path.name, re.DOTALL)
    return path.with_name(sharded[1]) if sharded else path


def v1_files(prefix: Path) -> tuple[Path, ...]:
    """The existing files of a V1 checkpoint: the one of this name, its shards `prefix-00000-of-00003` (saver.py), or both."""
    shards = (p for p in sorted(prefix.parent.glob(f"{glob.escape(prefix.name)}-*-of-*")) if unsharded(p) == prefix)
    return tuple(p for p in (prefix, *shards) if p.is_file() and is_table(p))


def is_table(path: Path) -> bool:
    """Whether this file is a checkpoint's index, or a V1 checkpoint."""
    return tail(path, len(_TABLE)) == _TABLE


def has_state(folder: Path) -> bool:
    """Whether a state file in this folder names the latest checkpoint."""
    try:
        return (folder / STATE_FILE).is_file() and b"model_checkpoint_path" in head(folder / STATE_FILE)
    except ArtifactError:
        return False


def saved_model_file(folder: Path) -> Path:
    """The saved_model file of a SavedModel folder: binary, else text; the binary file's name if the folder has neither."""
    return next((folder / name for name in SAVED_MODEL_FILES if (folder / name).is_file()), folder / SAVED_MODEL_FILES[0])


def _folder(path: Path) -> str:
    if any((path / name).is_file() for name in SAVED_MODEL_FILES):
        return "saved_model"
    names = sorted(p.name + "/" * p.is_dir() for p in path.iterdir())
    if "crossload.json" in names:
        artifacts = [n for n in names if n not in ("crossload.json", "vectors/")]
        raise ArtifactError(f"{path} is a bundle; name one of its artifacts: {_listed(artifacts)}")
    if "saved_model.cpb" in names:
        raise ArtifactError(f"{path} is a SavedModel in chunks (saved_model.cpb), which crossload cannot read yet; save it in one piece")
    if has_state(path) or any((path / name).is_file() and is_table(path / name) for name in names):
        return "checkpoint"
    inside = [n for n in names if any((path / n / file).is_file() for file in SAVED_MODEL_FILES)]
    if inside:
        raise ArtifactError(f"{path} holds SavedModels but is not a SavedModel itself; name one of them: {_listed(inside)}")
    there = _listed(names) or "nothing at all"
    raise ArtifactError(f"{path} is not a SavedModel: it has no saved_model.pb or saved_model.pbtxt, but {there}; name an artifact")


def _file(path: Path) -> tuple[str, Any]:
    data = head(path)
    if (part := re.fullmatch(r"(.+)\.data-\d{5}-of-\d{5}", path.name, re.DOTALL)) and index_of(path.with_name(part[1])).is_file():
        raise ArtifactError(f"{path} is a part of the checkpoint {part[1]}; name that: {path.with_name(part[1])}")
    if b"model_checkpoint_path:" in data and is_text(data):
        raise ArtifactError(f"{path} is the state file of a folder of checkpoints; {_of_state(path)}")
    if data[4:8] == b"TFL3":
        return "tflite", None
    if data.startswith(_HDF5):
        from crossload.artifacts.keras import keras_h5

        return keras_h5.parse(path)
    if data.startswith(b"PK\x03\x04"):
        return _zip(path), None
    if is_table(path):
        return "checkpoint", None
    if data[0] in _PROTOBUF or is_text(data):
        return _protobuf(path)
    raise ArtifactError(
        f"{path} is not an artifact that crossload knows ({described(data)}); "
        "looked for: GraphDef (.pb, .pbtxt), TFLite, Keras (.keras, .h5), checkpoint index; a SavedModel is a folder"
    )


def _of_state(file: Path) -> str:
    from crossload.artifacts.checkpoints import state_file

    if file.name != STATE_FILE:
        return f"name the checkpoint itself, or the folder with that file as {STATE_FILE!r}"
    found = state_file.prefixes(file.parent)
    return f"name {found[0]}" if len(found) == 1 else f"name the folder {file.parent}, or one of: {state_file.listed(file.parent)}"


def _zip(path: Path) -> str:
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ArtifactError(f"{path} is a truncated or corrupt zip archive ({error}); copy or export it again") from error
    if {"config.json", "metadata.json"} <= set(names):
        return "keras"
    raise ArtifactError(
        f"{path} is a zip archive but not a .keras file: it has no config.json and metadata.json; if it contains a model, unpack it"
    )


def _protobuf(path: Path) -> tuple[str, Any]:
    from crossload.artifacts.graphs import graph_def, protos

    try:
        return "graph_def", graph_def.parse(path)
    except ArtifactError as error:
        # A part of a SavedModel given alone, or another TensorFlow message, deserves a better error message.
        for message, what in ((protos.SavedModelProto, "SavedModel"), (protos.MetaGraphProto, "MetaGraphDef")):
            try:
                found = protos.parse(path, message, what)
            except ArtifactError:
                continue
            if what == "SavedModel" and any(m.HasField("meta_info_def") or m.graph_def.node for m in found.meta_graphs):
                raise ArtifactError(f"{path} is the inner part of a SavedModel; name its folder: {path.parent}") from None
            if what == "MetaGraphDef" and found.graph_def.node and found.HasField("meta_info_def"):
                return "meta_graph", found
        raise error


def _beside(path: Path) -> str:
    """What the folder of a missing path holds instead: most such paths are misspelt."""
    folder = path.parent
    if not folder.is_dir():
        return f", nor does the folder {folder}"
    return f"; {folder} holds {_listed(sorted(p.name + '/' * p.is_dir() for p in folder.iterdir())) or 'nothing at all'}"


def _listed(names: Iterable[str], most: int = 8) -> str:
    found = list(names)
    return ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")
