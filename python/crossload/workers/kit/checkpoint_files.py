"""The files of checkpoints and of graphs, found and parsed without TensorFlow: which checkpoint a path means, and its .meta."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError
from google.protobuf.text_encoding import CUnescape

from .errors import KitError

# A file of a V1 checkpoint in several (tensorflow/core/util/tensor_slice_util.cc), or the pattern of all of them.
_SHARD = re.compile(r"-([0-9]{5}|\?{5})-of-[0-9]{5}$")
# tensorflow/python/training/checkpoint_state.proto, in text format
_LATEST = re.compile(r'^\s*model_checkpoint_path\s*:\s*"((?:[^"\\\n]|\\.)*)"', re.MULTILINE)
VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
_DT_STRING = 7  # types.proto
# The last bytes of a V1 checkpoint (leveldb's table/format.h, kTableMagicNumber).
_TABLE = bytes.fromhex("57fb808b247547db")


class CannotRestore(KitError):
    """The reason why a graph or its variables cannot be restored, and the fix."""


def meta_graph_of(path: Path, message: Any) -> tuple[Any, Path | None]:
    """The MetaGraphDef (of the class `message`), and the prefix of the checkpoint that belongs to it (None where there is none).

    `path` is a .meta file, a checkpoint's prefix, one of its files, or a folder, whose state file names the latest. Raises CannotRestore.
    """
    prefix = prefix_of(path)
    file = path if prefix is None else prefix.with_name(f"{_unsharded(prefix.name)}.meta")
    if not file.is_file():
        raise CannotRestore(
            f"{prefix} is a checkpoint without a graph: there is no {file.name}; give the source that builds the graph (file.py:function) "
            "and the checkpoint as its --weights"
        )
    return parsed(file, message), prefix or _beside(file)


def parsed(file: Path, message: Any) -> Any:
    """A file's message of this class, binary or text by its content: many a .pb holds text. Raises CannotRestore."""
    data = file.read_bytes()
    try:
        return message.FromString(data)
    except DecodeError:
        try:
            return text_format.Parse(data.decode(), message())
        except (UnicodeDecodeError, text_format.ParseError) as error:
            raise CannotRestore(f"{file} is no {message.DESCRIPTOR.name}, neither binary nor text ({error})") from error


def clear_devices(graph: Any) -> None:
    """Free all nodes of a GraphDef, those of its functions included, from devices."""
    for nodes in (graph.node, *(f.node_def for f in graph.library.function)):
        for node in nodes:
            node.device = ""


def add_saver(graph_def: Any) -> tuple[list[str], str]:
    """Nodes that restore each variable of a GraphDef by its own name, as tf.train.Saver's do: the operations to run, the file name's.

    The checkpoint may be of either version: RestoreV2 reads both.
    """
    variables = [node for node in graph_def.node if node.op in VARIABLES]
    scope = "crossload_restore"
    for name, values in (("names", [v.name for v in variables]), ("slices", [""] * len(variables))):
        node = graph_def.node.add(name=f"{scope}/{name}", op="Const")
        node.attr["dtype"].type = node.attr["value"].tensor.dtype = _DT_STRING
        node.attr["value"].tensor.tensor_shape.dim.add(size=len(values))
        node.attr["value"].tensor.string_val.extend(value.encode() for value in values)
    graph_def.node.add(name=f"{scope}/file", op="Placeholder").attr["dtype"].type = _DT_STRING
    restore = graph_def.node.add(name=f"{scope}/values", op="RestoreV2", input=[f"{scope}/{n}" for n in ("file", "names", "slices")])
    for at, variable in enumerate(variables):
        resource = variable.op == "VarHandleOp"
        restore.attr["dtypes"].list.type.append(variable.attr["dtype"].type)
        assign = graph_def.node.add(name=f"{scope}/assign_{at}", op="AssignVariableOp" if resource else "Assign")
        assign.input.extend([variable.name, f"{restore.name}:{at}"])
        assign.attr["dtype" if resource else "T"].type = variable.attr["dtype"].type
    return [f"{scope}/assign_{at}" for at in range(len(variables))], f"{scope}/file"


def prefix_of(path: Path) -> Path | None:
    """The checkpoint's prefix that a path means, None for a .meta file.

    A V1 checkpoint in several files has the pattern of their names as its prefix, which is what TensorFlow takes. Raises CannotRestore.
    """
    if path.is_dir():
        latest = _latest(path)
        if latest is None:
            found = sorted(p.name for p in path.glob("*.index"))
            if len(found) != 1:
                raise CannotRestore(
                    f"{path} has no state file that names a checkpoint; name one of: {', '.join(found) or '(there is none)'}"
                )
            return path / found[0].removesuffix(".index")
        return latest
    if path.suffix == ".index" and path.is_file():
        return path.with_suffix("")
    return None if path.is_file() and not _is_table(path) else _as_pattern(path)


def _latest(folder: Path) -> Path | None:
    """The prefix that the folder's state file names, None if there is no such checkpoint."""
    try:
        found = _LATEST.search((folder / "checkpoint").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    prefix = folder / CUnescape(found[1]).decode("utf-8", "surrogateescape") if found else None
    return prefix if prefix is not None and _exists(prefix) else None


def _exists(prefix: Path) -> bool:
    """Whether a checkpoint of this prefix is there, of either version; the prefix may be a pattern."""
    return prefix.with_name(f"{prefix.name}.index").is_file() or prefix.is_file() or any(prefix.parent.glob(prefix.name))


def _unsharded(name: str) -> str:
    return _SHARD.sub("", name)


def _as_pattern(prefix: Path) -> Path:
    shards = sorted(prefix.parent.glob(f"{glob.escape(_unsharded(prefix.name))}-?????-of-?????"))
    if not shards or (prefix == prefix.with_name(_unsharded(prefix.name)) and _exists(prefix)):
        return prefix
    return prefix.with_name(f"{_unsharded(prefix.name)}-?????-of-{shards[0].name[-5:]}")


def _is_table(path: Path) -> bool:
    """Whether this file is a V1 checkpoint, which TensorFlow takes any file for."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - len(_TABLE)))
        return stream.read() == _TABLE


def _beside(file: Path) -> Path | None:
    prefix = _as_pattern(file.with_name(file.name.removesuffix(".meta")))
    return prefix if prefix != file and _exists(prefix) else None
