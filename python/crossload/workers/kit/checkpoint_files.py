"""The files of checkpoints and of graphs, found and parsed without TensorFlow: which checkpoint a path means, and its .meta."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable, Mapping
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


def operations(bindings: Mapping[str, Any]) -> list[str]:
    """The operations that these bindings (the contract's, by signature) name."""
    return [_operation(str(t)) for b in bindings.values() for side in ("inputs", "outputs") for t in b[side].values()]


def prune(meta_graph: Any, needed: Iterable[str], is_registered: Callable[[str], bool]) -> list[str]:
    """Remove, in place, nodes of unregistered ops (and what uses them) that neither these operations nor the saver need; their ops.

    Nothing is removed if one of them is needed: the import then says which op is not registered.
    """
    nodes = {n.name: n for n in meta_graph.graph_def.node}
    functions = {f.signature.name for f in meta_graph.graph_def.library.function}
    unknown = {n.name for n in nodes.values() if n.op not in functions and not is_registered(n.op)}
    if not unknown:
        return []
    saver = meta_graph.saver_def
    kept, waiting = (
        set[str](),
        [*needed, *(_operation(t) for t in (saver.restore_op_name, saver.filename_tensor_name, saver.save_tensor_name))],
    )
    while waiting:
        if (name := waiting.pop()) in nodes and name not in kept:
            kept.add(name)
            waiting += map(_operation, nodes[name].input)
    users: dict[str, list[str]] = {}
    for node in nodes.values():
        for at in node.input:
            users.setdefault(_operation(at), []).append(node.name)
    gone, waiting = set[str](), [*unknown]
    while waiting:
        if (name := waiting.pop()) not in gone:
            gone.add(name)
            waiting += users.get(name, ())
    if gone & kept:
        return []
    left = [n for n in meta_graph.graph_def.node if n.name not in gone]
    del meta_graph.graph_def.node[:]
    meta_graph.graph_def.node.extend(left)
    for collection in meta_graph.collection_def.values():
        if collection.WhichOneof("kind") == "node_list":
            names = [n for n in collection.node_list.value if _operation(n) not in gone]
            collection.node_list.value[:] = names
    return sorted({nodes[name].op for name in unknown})


def said_of(ops: Iterable[str]) -> str:
    """The note for nodes of these ops that `prune` removed."""
    return f"left out nodes that no output needs, of ops that this TensorFlow does not have: {', '.join(ops)}"


def _operation(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


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
    if found is None:
        return None
    prefix = folder / CUnescape(found[1]).decode("utf-8", "surrogateescape")
    # A folder that was moved as a whole: its state file may hold absolute paths.
    return next((p for p in (prefix, folder / prefix.name) if _exists(p)), None)


def moved(path: Path) -> str | None:
    """What to say of a folder whose state file names a path that is gone, while the checkpoint of that name lies in it; else None."""
    if not path.is_dir() or (latest := _latest(path)) is None:
        return None
    named = _LATEST.search((path / "checkpoint").read_text(encoding="utf-8"))
    gone = CUnescape(named[1]).decode("utf-8", "surrogateescape") if named else ""
    if latest == path / gone:
        return None
    return f"the state file points to {gone!r}, which does not exist; {latest.name} in {path} is used"


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
