"""The state file `checkpoint` of a folder, which names the latest checkpoint; and the checkpoints in a folder.

Sources: tensorflow/python/training/checkpoint_state.proto; tensorflow/python/checkpoint/checkpoint_management.py (the meaning of paths).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from crossload.artifacts.checkpoints.checkpoint_protos import messages
from crossload.artifacts.content import content
from crossload.artifacts.recognition import STATE_FILE, has_state, index_of, is_table, unsharded, v1_files
from crossload.errors import ArtifactError
from crossload.support.text import printable

__all__ = ["State", "latest", "listed", "prefixes", "read", "resolve", "unsharded"]


@dataclass(frozen=True)
class State:
    """A state file: `served` is the path of the latest checkpoint, `paths` those that TensorFlow still manages, the oldest first.

    Paths are unchanged: relative ones start at the folder, those of sharded V1 checkpoints end in `-?????-of-00003`.
    `timestamps` (seconds since 1970) belong to `paths`, or are empty; `preserved` is when the last one was kept permanently, if recorded.
    """

    served: str
    paths: tuple[str, ...] = ()
    timestamps: tuple[float, ...] = ()
    preserved: float | None = None


def read(folder: Path) -> State:
    """The folder's state file; raises ArtifactError where it is missing, damaged, or names nothing."""
    from google.protobuf import text_format
    from google.protobuf.message import DecodeError

    file = folder / STATE_FILE
    try:
        found = text_format.Parse(content(file), messages()["CheckpointState"](), allow_unknown_field=True)
    except (text_format.ParseError, DecodeError, ValueError, RecursionError) as error:
        cause = " ".join(str(error).split())[:200]
        raise ArtifactError(f"{file} is not a checkpoint state file, or is corrupt ({printable(cause)}); {_mend(folder)}") from error
    if not found.model_checkpoint_path:
        raise ArtifactError(f"{file} names no checkpoint; {_mend(folder)}")
    return State(
        found.model_checkpoint_path,
        tuple(found.all_model_checkpoint_paths),
        tuple(found.all_model_checkpoint_timestamps),
        found.last_preserved_timestamp if found.HasField("last_preserved_timestamp") else None,
    )


def resolve(folder: Path, path: str) -> Path:
    """The prefix that a path in the folder's state file means."""
    return unsharded(folder / path)  # an absolute path replaces the folder


def latest(folder: Path) -> Path:
    """The prefix of the latest checkpoint according to the state file, or of the one of that name in this folder, if it was moved.

    Raises ArtifactError where neither exists.
    """
    served = read(folder).served
    prefix = resolve(folder, served)
    if not _exists(prefix):
        if _exists(folder / prefix.name):
            return folder / prefix.name
        raise ArtifactError(
            f"{folder / STATE_FILE} points to {served!r}, but neither {prefix.name}.index nor a V1 file of that name exists; "
            f"copy the checkpoint here, or {_mend(folder)}"
        )
    return prefix


def moved(folder: Path) -> str | None:
    """What to say where `latest` takes a checkpoint of this folder instead of the path that the state file names; else None."""
    if not (folder.is_dir() and has_state(folder)) or latest(folder) == resolve(folder, served := read(folder).served):
        return None
    name = latest(folder).name
    return (
        f"{folder / STATE_FILE} points to {served!r}, which does not exist; {name} in this folder is used: "
        f"`crossload checkpoint use {folder} {name}` makes the state file say so"
    )


def _exists(prefix: Path) -> bool:
    try:
        return bool(prefix.name) and (index_of(prefix).is_file() or bool(v1_files(prefix)))
    except (OSError, ValueError):  # not a valid file name
        return False


def prefixes(folder: Path) -> list[Path]:
    """The prefixes of the folder's readable checkpoints of either version, in the order of their names."""
    found = set()
    for file in folder.iterdir():
        if file.name.endswith(".index") and len(file.name) > len(".index"):
            found.add(file.with_name(file.name.removesuffix(".index")))
        elif not re.search(r"\.data-\d{5}-of-\d{5}$|\.meta$", file.name) and file.is_file() and is_table(file):
            found.add(unsharded(file))
    return sorted(found)


def listed(folder: Path) -> str:
    """The names of the folder's checkpoints, for an error message."""
    names = [p.name for p in prefixes(folder)]
    return (", ".join(names[:8]) or "the folder has none") + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _mend(folder: Path) -> str:
    if not prefixes(folder):
        return "name another folder: this one has no checkpoints"
    return f"name another (`crossload checkpoint use {folder} NAME` makes it the latest): {listed(folder)}"
