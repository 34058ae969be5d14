"""Which tensor of a checkpoint each variable takes: read from the nodes of the graph's own restore operation (saver.proto)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from crossload.artifacts.graphs import protos
from crossload.artifacts.graphs.graph import operation_of, tensor_of
from crossload.edits.freezing.inlining import Flat, inline
from crossload.edits.freezing.refusal import NeedsTensorFlow, unreadable_as_refusal

VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
_ASSIGN = ("AssignVariableOp", "Assign")

# A variable in a session: container, and shared name, or else the node's name (core/framework/resource_mgr.h, ContainerInfo::Init).
# Nodes with the same are one variable.
Key = tuple[bytes, bytes]


class Stored(NamedTuple):
    """Where a variable's value is: the tensor's name in the checkpoint, and the part of it (`4 2 0,2:-`), empty for all of it."""

    name: str
    part: str


def key_of(variable: Any) -> Key:
    """The variable that a variable's node means."""
    return variable.attr["container"].s, variable.attr["shared_name"].s or variable.name.encode()


def stored(graph: Any, saver: Any) -> dict[Key, Stored]:
    """The tensor that the restore operation of a SaverDef assigns to each variable. Without one: each variable has its node's name.

    Variables that it restores in another way are missing. Raises NeedsTensorFlow if an assignment is ambiguous.
    """
    if not saver.restore_op_name:
        return {key_of(n): Stored(n.name, "") for n in graph.node if n.op in VARIABLES}
    flat = inline(graph, [operation_of(saver.restore_op_name)], {})
    found: dict[Key, Stored] = {}
    for node in flat.nodes.values():
        if node.op not in _ASSIGN:
            continue
        variable = flat.nodes[operation_of(node.input[0])]
        source = _assigned(flat, node, tensor_of(saver.filename_tensor_name))
        if variable.op not in VARIABLES or source is None:
            continue
        if key_of(variable) in found:
            raise NeedsTensorFlow(f"the restore operation assigns {variable.name!r} twice")
        found[key_of(variable)] = source
    return found


def _assigned(flat: Flat, assign: Any, file: str) -> Stored | None:
    """What an assignment takes from a RestoreV2 of the saver's file; None if its value comes from elsewhere."""
    operation, _, index = _origin(flat, assign.input[1]).partition(":")
    restore = flat.nodes[operation]
    if restore.op != "RestoreV2" or _origin(flat, restore.input[0]) != file:
        return None
    texts = [_texts(flat, restore.input[at]) for at in (1, 2)]
    if None in texts or any(int(index) >= len(t or ()) for t in texts):
        return None
    name, part = (str((t or [])[int(index)]) for t in texts)
    return Stored(name, part)


def _texts(flat: Flat, at: str) -> list[str] | None:
    constant = flat.nodes[operation_of(_origin(flat, at))]
    if constant.op != "Const":
        return None
    with unreadable_as_refusal():
        texts: list[str] = protos.default(constant.attr["value"].tensor, Path(), constant.name)["data"]
    return texts


def _origin(flat: Flat, at: str) -> str:
    """The tensor behind identities."""
    seen = set()
    while (node := flat.nodes[operation_of(at)]).op == "Identity" and node.name not in seen:
        seen.add(node.name)
        at = node.input[0]
    return tensor_of(at)


def unchanged_by(graph: Any, operations: list[str], variables: Mapping[Key, Any]) -> None:
    """Raise NeedsTensorFlow if these operations, which run after the variables are restored, use one of the variables."""
    for node in inline(graph, operations, {}).nodes.values():
        if node.op in VARIABLES and key_of(node) in variables:
            raise NeedsTensorFlow(f"its init operation uses the variable {node.name!r}")
