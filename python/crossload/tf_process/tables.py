"""Lookup tables of a frozen graph: their entries become constants, and every consumer waits until its table is filled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from crossload.errors import ModelError

_TABLES = (
    "HashTable", "HashTableV2", "MutableHashTable", "MutableHashTableV2", "MutableDenseHashTable", "MutableDenseHashTableV2",
)  # fmt: skip
# Tables without a name of their own, whose values are tensors, or that a kernel of its own makes: no graph can fill them from constants.
_UNFILLABLE = ("AnonymousHashTable", "AnonymousMutableHashTable", "MutableHashTableOfTensors", "MutableHashTableOfTensorsV2")
_DENSE = ("MutableDenseHashTable", "MutableDenseHashTableV2")
_CHANGES = ("LookupTableInsert", "LookupTableRemove", "LookupTableImport", "InitializeTable")


class Table(NamedTuple):
    """A table's entries: `keys` and `values` have one dimension, of the same length."""

    keys: np.ndarray
    values: np.ndarray


def contents(session: Any, graph: Any) -> dict[str, Table]:
    """The entries of a GraphDef's tables in a session that has initialised them, by the names of their nodes.

    Raises ModelError for a table that the graph itself changes, that is not filled, or that cannot be rebuilt.
    """
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    if strange := sorted({n.op for n in nodes if n.op in _UNFILLABLE}):
        raise ModelError(f"it holds a lookup table that cannot be rebuilt from constants ({', '.join(strange)}); hand over the SavedModel")
    if changing := sorted({n.op for n in nodes if n.op.startswith(_CHANGES)}):
        raise ModelError(
            f"it changes a lookup table while it runs ({', '.join(changing)}), which a frozen graph cannot do; hand over the SavedModel"
        )
    inside = sorted({n.op for f in graph.library.function for n in f.node_def if n.op in _TABLES})
    if inside:
        raise ModelError(f"one of its functions makes a lookup table of its own ({', '.join(inside)}); hand over the SavedModel")
    return {node.name: _content(session, node) for node in graph.node if node.op in _TABLES}


def rebuild(frozen: Any, tables: Mapping[str, Table]) -> None:
    """Fill each table inside a frozen GraphDef, in place: constants and an InitializeTableV2, which every consumer waits for.

    To initialise a table a second time with as many entries changes nothing (core/kernels/lookup_util.cc,
    InitializableLookupTable::Initialize), so that every run may do it.
    """
    nodes = {n.name: n for n in frozen.node}
    for name, table in tables.items():
        if name not in nodes:
            continue
        node, first = nodes[name], f"{name}/crossload_initialize"
        consumers = [n for n in frozen.node if any(_operation(at) == name for at in n.input if not at.startswith("^"))]
        _make_static(node)
        for consumer in consumers:
            consumer.input.append(f"^{first}")
        frozen.node.append(_constant(f"{name}/crossload_keys", table.keys))
        frozen.node.append(_constant(f"{name}/crossload_values", table.values))
        initialize = frozen.node.add(name=first, op="InitializeTableV2")
        initialize.input.extend([name, f"{name}/crossload_keys", f"{name}/crossload_values"])
        initialize.attr["Tkey"].CopyFrom(node.attr["key_dtype"])
        initialize.attr["Tval"].CopyFrom(node.attr["value_dtype"])


def _content(session: Any, node: Any) -> Table:
    handle = session.graph.get_tensor_by_name(f"{node.name}:0")
    key, value = (tf.as_dtype(node.attr[a].type) for a in ("key_dtype", "value_dtype"))
    with session.graph.as_default(), session.graph.control_dependencies(None):
        export = tf.raw_ops.LookupTableExportV2 if handle.dtype == tf.resource else tf.raw_ops.LookupTableExport
        exported = export(table_handle=handle, Tkeys=key, Tvalues=value)
    try:
        keys, values = session.run(exported)
    except tf.errors.OpError as error:
        raise ModelError(f"its lookup table {node.name} holds nothing to freeze: {error.message.splitlines()[0]}") from error
    if node.op in _DENSE:
        keys, values = _filled(session, node, keys, values)
    if not len(keys):
        raise ModelError(
            f"its lookup table {node.name} is empty, and graphs cannot make empty ones; fill it in an init op or hand over the SavedModel"
        )
    if values.ndim != 1 or keys.ndim != 1:
        raise ModelError(
            f"the lookup table {node.name} has tensors as keys or values, and a frozen graph cannot fill it; hand over the SavedModel"
        )
    order = np.argsort(keys, kind="stable")  # a hash table gives its entries in no order
    return Table(keys[order], values[order])


def _filled(session: Any, node: Any, keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The entries among all the buckets that a dense table exports (core/kernels/lookup_table_op.cc, MutableDenseHashTable)."""
    unused = session.run([session.graph.get_tensor_by_name(at if ":" in at else f"{at}:0") for at in node.input[:2]])
    taken = np.ones(len(keys), bool)
    for key in unused:
        taken &= (keys != np.reshape(key, (1, -1))).any(axis=1)
    keys, values = keys[taken], values[taken]
    scalar = not np.ndim(unused[0]), not node.attr["value_shape"].shape.dim
    return (keys[:, 0] if scalar[0] else keys), (values[:, 0] if scalar[1] and values.ndim == 2 else values)


def _make_static(node: Any) -> None:
    """A table that only answers: found by its node's name, so that a second graph in the process has its own."""
    types = {a: node.attr[a].type for a in ("key_dtype", "value_dtype")}
    node.op = "HashTableV2"
    del node.input[:]
    node.attr.clear()
    for attribute, number in types.items():
        node.attr[attribute].type = number
    node.attr["use_node_name_sharing"].b = True


def _constant(name: str, array: np.ndarray) -> Any:
    tensor = tf.make_tensor_proto(array)
    node = tf.compat.v1.NodeDef(name=name, op="Const")
    node.attr["dtype"].type = tensor.dtype
    node.attr["value"].tensor.CopyFrom(tensor)
    return node


def _operation(at: str) -> str:
    return at.lstrip("^").split(":")[0]
