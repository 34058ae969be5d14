"""Lookup tables in a frozen graph: filled from the constants that the init op fills them from, before anybody asks them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from crossload.artifacts.graphs.graph import operation_of
from crossload.artifacts.graphs.saved_model import init_ops
from crossload.artifacts.graphs.saved_model_keys import TRAIN_OP
from crossload.edits.freezing.inlining import inline
from crossload.edits.freezing.refusal import NeedsTensorFlow
from crossload.edits.freezing.restoring import key_of

FILLERS = ("InitializeTableV2", "LookupTableImportV2")
# Ops that change no table; the handle is their first input.
OPS = ("HashTableV2", "LookupTableFindV2", "LookupTableSizeV2")


def fill(nodes: dict[str, Any], meta_graph: Any) -> None:
    """Let every user of a HashTableV2 among the nodes wait for an InitializeTableV2 that fills it, in place.

    To initialise a table a second time changes nothing (core/kernels/lookup_util.cc), so that every run may do it. Raises NeedsTensorFlow
    for a table that the init op does not fill from two constants.
    """
    tables = [node for node in nodes.values() if node.op == "HashTableV2"]
    contents = _contents(meta_graph) if tables else {}
    for table in tables:
        if len(contents[key_of(table)]) != 1:
            raise NeedsTensorFlow(f"its init op does not fill the lookup table {table.name!r} from constants")
        ((keys, values),) = contents[key_of(table)]
        made = [type(table)(name=f"{table.name}/crossload_{name}") for name in ("keys", "values", "initialize")]
        for node, constant in zip(made, (keys, values), strict=False):
            node.op = "Const"
            node.attr["dtype"].CopyFrom(constant.attr["dtype"])
            node.attr["value"].CopyFrom(constant.attr["value"])
        initialize = made[-1]
        initialize.op = "InitializeTableV2"
        initialize.input.extend([table.name, made[0].name, made[1].name])
        initialize.attr["Tkey"].CopyFrom(table.attr["key_dtype"])
        initialize.attr["Tval"].CopyFrom(table.attr["value_dtype"])
        for user in nodes.values():
            if any(operation_of(at) == table.name for at in user.input if not at.startswith("^")):
                user.input.append(f"^{initialize.name}")
        nodes.update((node.name, node) for node in made)
        for attribute in ("container", "shared_name"):  # to ask for one that is not there has made an empty one, which no session takes
            if not table.attr[attribute].s:
                del table.attr[attribute]


def _contents(meta_graph: Any) -> Mapping[tuple[bytes, bytes], list[tuple[Any, Any]]]:
    """By table, the constants (keys, values) of each op that fills it."""
    run = [operation_of(o) for key, o in init_ops(meta_graph).items() if key != TRAIN_OP and o]
    nodes = inline(meta_graph.graph_def, run, {}).nodes

    def origin(at: str) -> Any:
        node = nodes[operation_of(at)]
        while node.op == "Identity":
            node = nodes[operation_of(node.input[0])]
        return node

    found: dict[tuple[bytes, bytes], list[tuple[Any, Any]]] = defaultdict(list)
    for node in nodes.values():
        if node.op in FILLERS:
            table, keys, values = (origin(at) for at in node.input[:3])
            constant = all(n.op == "Const" and len(n.attr["value"].tensor.tensor_shape.dim) == 1 for n in (keys, values))
            if table.op == "HashTableV2" and constant:
                found[key_of(table)].append((keys, values))
    return found
