"""Bytes of files of unknown content: read with clear errors, distinguished from text, described in a few words."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

from crossload.errors import ArtifactError
from crossload.support import files

HEAD = 4096
_LFS = b"version https://git-lfs"


def head(path: Path) -> bytes:
    """The file's first bytes; raises ArtifactError where it cannot be read, is empty, or is only a Git LFS pointer."""
    return _read(path, HEAD)


def content(path: Path) -> bytes:
    """All of the file's bytes; raises ArtifactError as `head` does."""
    return _read(path, -1)


def is_pointer(path: Path) -> bool:
    """Whether a file is only a Git LFS pointer, which a clone without Git LFS has in the place of the file."""
    with path.open("rb") as stream:
        return stream.read(len(_LFS)) == _LFS


def tail(path: Path, count: int) -> bytes:
    """The file's last bytes."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - count))
        return stream.read()


def is_text(data: bytes) -> bool:
    """Whether this begins like text: UTF-8 without control characters; a binary protobuf soon contains one."""
    beginning = data[:HEAD]
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(beginning, final=len(data) <= HEAD)
    except UnicodeDecodeError:
        return False
    return all(c >= " " or c in "\t\n\r\f" for c in text)


def described(data: bytes) -> str:
    """How the content begins, for an error message."""
    return f"it begins with {data[:8].hex(' ')}"


def facts(artifact: Any) -> dict[str, Any]:
    """The keys that `show --json` prints for every artifact, before those of its format."""
    return {
        "format": artifact.format,
        "path": str(artifact.path),
        "size_bytes": files.size_bytes(artifact.path),
        "sha256": files.sha256(artifact.path),
        "producer": artifact.producer,
    }


def _read(path: Path, count: int) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(count)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error
    if not data:
        raise ArtifactError(f"{path} is empty; copy or export it again")
    if data[:64].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise ArtifactError(f"{path} is an HTML page, not a model: download the file itself, not the page that shows it")
    if data.startswith(_LFS):
        raise ArtifactError(f"{path} is only a Git LFS pointer; fetch the file itself with `git lfs pull`")
    return data


# Formats as sentences name them.
_NAMES = {
    "saved_model": "a SavedModel",
    "graph_def": "a GraphDef",
    "checkpoint": "a checkpoint",
    "meta_graph": "a .meta file",
    "keras": "a .keras file",
    "keras_h5": "a Keras model in HDF5",
    "keras_weights": "a file of Keras weights",
    "tflite": "a .tflite file",
    "tensorboard": "a log folder of TensorBoard",
}


def in_words(format: str) -> str:
    """The format with its article, as in `x is a .tflite file`; a word that is no format stays."""
    return _NAMES.get(format, f"a {format}")


def in_list(formats: tuple[str, ...]) -> str:
    """Formats in a list: `SavedModel, .meta file`."""
    return ", ".join(in_words(f).removeprefix("a ") for f in formats)
