"""Graphs of TensorFlow 1 with their variables restored: a .meta file (MetaGraphDef) and the checkpoint of the same name.

from .errors import KitError

"""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf import text_format
from google.protobuf.message import DecodeError

from .errors import KitError

# A file of a V1 checkpoint in several (tensorflow/core/util/tensor_slice_util.cc), or the pattern of all of them.
_SHARD = re.compile(r"-([0-9]{5}|\?{5})-of-[0-9]{5}$")


class CannotRestore(KitError):
    """The reason why a graph or its variables cannot be restored, and the fix."""


def meta_graph_of(path: Path) -> tuple[Any, Path | None]:
    """The MetaGraphDef, and the prefix of the checkpoint that belongs to it (None where there is none).

    `path` is a .meta file, a checkpoint's prefix, one of its files, or a folder, whose state file names the latest. Raises CannotRestore.
    """
    prefix = prefix_of(path)
    file = path if prefix is None else prefix.with_name(f"{_unsharded(prefix.name)}.meta")
    if not file.is_file():
        raise CannotRestore(
            f"{prefix} is a checkpoint without a graph: there is no {file.name}; give the source that builds the graph (file.py:function) "
            "and the checkpoint as its --weights"
        )
    return parsed(file, tf.compat.v1.MetaGraphDef), prefix or _beside(file)


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


def restore(session: Any, meta_graph: Any, checkpoint: Path | None) -> str | None:
    """Import the graph into the session's, and its variables' values; returns a note if TensorFlow's own way failed.

    A .meta whose version TensorFlow refuses, or whose collections name no variables, is restored through its GraphDef and its
    saver's restore operation. Tables are initialised. Raises CannotRestore where values are missing.
    """
    note = None
    with session.graph.as_default():
        try:
            saver = tf.compat.v1.train.import_meta_graph(_without_devices(meta_graph))
        except Exception as error:  # noqa: BLE001 - whatever it refuses, the GraphDef inside may still be good
            note = f"import_meta_graph refused it ({(str(error).splitlines() or [type(error).__name__])[0][:200]}); imported as a GraphDef"
            tf.import_graph_def(_without_devices(meta_graph).graph_def, name="")
            saver = None
        if checkpoint is not None:
            how = _restore_values(session, meta_graph, saver, checkpoint)
            note = "; ".join(filter(None, (note, how)))
        elif empty := sorted(op.name for op in session.graph.get_operations() if op.type in ("VarHandleOp", "VariableV2", "Variable")):
            raise CannotRestore(
                f"the graph has {len(empty)} variables ({', '.join(empty[:3])} …) and there is no checkpoint beside it; "
                "put the checkpoint's files beside the .meta, under the same name"
            )
        for initializer in session.graph.get_collection(tf.compat.v1.GraphKeys.TABLE_INITIALIZERS):
            session.run(initializer)
    return note or None


def _restore_values(session: Any, meta_graph: Any, saver: Any, checkpoint: Path) -> str | None:
    """By the saver; else by the restore operation that the saver_def names; else variable by variable."""
    if saver is not None:
        saver.restore(session, str(checkpoint))
        return None
    definition = meta_graph.saver_def
    if definition.restore_op_name:
        session.run(definition.restore_op_name, {definition.filename_tensor_name: str(checkpoint)})
        return f"its variables were restored by {definition.restore_op_name}"
    reader = tf.train.load_checkpoint(str(checkpoint))
    held = reader.get_variable_to_shape_map()
    missing = []
    for op in session.graph.get_operations():
        if op.type not in ("VarHandleOp", "VariableV2", "Variable"):
            continue
        if op.name not in held:
            missing.append(op.name)
            continue
        value = tf.constant(reader.get_tensor(op.name))
        if op.type == "VarHandleOp":
            session.run(tf.raw_ops.AssignVariableOp(resource=op.outputs[0], value=value))
        else:
            session.run(tf.raw_ops.Assign(ref=op.outputs[0], value=value))
    if missing:
        raise CannotRestore(f"{checkpoint} has no value for {', '.join(sorted(missing)[:5])}; it has: {', '.join(sorted(held)[:10])}")
    return "its variables were restored by their names: it has no saver"


def _without_devices(meta_graph: Any) -> Any:
    """A copy whose nodes are free to run anywhere."""
    copy = tf.compat.v1.MetaGraphDef()
    copy.CopyFrom(meta_graph)
    clear_devices(copy.graph_def)
    return copy


def prefix_of(path: Path) -> Path | None:
    """The checkpoint's prefix that a path means, None for a .meta file.

    A V1 checkpoint in several files has the pattern of their names as its prefix, which is what TensorFlow takes.
    """
    if path.is_dir():
        latest = tf.train.latest_checkpoint(str(path))
        if latest is None:
            found = sorted(p.name for p in path.glob("*.index"))
            if len(found) != 1:
                raise CannotRestore(
                    f"{path} has no state file that names a checkpoint; name one of: {', '.join(found) or '(there is none)'}"
                )
            return path / found[0].removesuffix(".index")
        return Path(latest)
    if path.suffix == ".index" and path.is_file():
        return path.with_suffix("")
    return None if path.is_file() and not _is_table(path) else _as_pattern(path)


def _unsharded(name: str) -> str:
    return _SHARD.sub("", name)


def _as_pattern(prefix: Path) -> Path:
    shards = sorted(prefix.parent.glob(f"{glob.escape(_unsharded(prefix.name))}-?????-of-?????"))
    if not shards or (prefix == prefix.with_name(_unsharded(prefix.name)) and tf.compat.v1.train.checkpoint_exists(str(prefix))):
        return prefix
    return prefix.with_name(f"{_unsharded(prefix.name)}-?????-of-{shards[0].name[-5:]}")


def _is_table(path: Path) -> bool:
    """Whether this file is a V1 checkpoint (leveldb's table/format.h, kTableMagicNumber), which TensorFlow takes any file for."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 8))
        return stream.read() == bytes.fromhex("57fb808b247547db")


def _beside(file: Path) -> Path | None:
    prefix = _as_pattern(file.with_name(file.name.removesuffix(".meta")))
    return prefix if prefix != file and tf.compat.v1.train.checkpoint_exists(str(prefix)) else None
