"""Lookup tables, which every run finds filled, and variables: a constant where nothing changes them, else a variable of the graph."""

from __future__ import annotations

from collections.abc import Sequence

from crossload.artifacts.tflite.tflite_file import DATATYPE_NAMES
from crossload.edits.from_tflite.graph_builder import RESOURCE, Operand, Unsupported, Value
from crossload.edits.from_tflite.once import handle_of
from crossload.edits.from_tflite.operation import Operation, Rewrite
from crossload.edits.from_tflite.tensors import datatype_of


def _call_once(o: Operation) -> Sequence[Value]:
    if others := o.filled.others[o.calls[0]]:
        raise Unsupported(f"runs {', '.join(others)} once, and a frozen graph has no place for that")
    return []


def _table(o: Operation) -> Value:
    if (content := o.filled.contents.get(handle_of(o.options))) is None:
        raise Unsupported("has entries that are no constants")
    key, value = (DATATYPE_NAMES[o.options[name]] for name in ("key_dtype", "value_dtype"))
    table = o.add("HashTableV2", key_dtype=key, value_dtype=value)
    # To fill a table a second time changes nothing (core/kernels/lookup_util.cc), so every run may do it.
    o.graph.outputs("InitializeTableV2", table, *(o.graph.constant(array, datatype_of(tensor)) for tensor, array in content))
    o.filled.initialisers[table.tensor] = o.graph.added()[-1].name
    return table


def _asked(o: Operation, op: str, *inputs: Operand) -> Value:
    """A node that waits until its table is filled."""
    if (initialiser := o.filled.initialisers.get(o[0].tensor)) is None:
        raise Unsupported("asks a table that another subgraph has")
    made = o.add(op, o[0], *inputs)
    o.graph.added()[-1].input.append(f"^{initialiser}")
    return made


def _variable(o: Operation) -> Value:
    """The variable's handle, or its value, if nothing changes it."""
    variable = handle_of(o.options)
    if (content := o.filled.contents.get(variable)) is None:
        raise Unsupported("is a variable without a first value")
    ((tensor, value),) = content
    if variable not in o.filled.changing:
        return o.graph.constant(value, datatype_of(tensor))
    return o.variables.variable(variable[1].strip("/"), value, datatype_of(tensor))


def _read(o: Operation) -> Value:
    return o.add("Identity", o.variables.read(o[0]) if o[0].datatype == RESOURCE else o[0])


def _assigned(o: Operation) -> Sequence[Value]:
    o.variables.assign(o[0], o[1])
    return []


def _imported(_: Operation) -> Value:
    raise Unsupported("changes a table as it runs, which a frozen graph cannot keep")


OPERATORS: dict[str, Rewrite] = {
    "CALL_ONCE": _call_once,
    "HASHTABLE": _table,
    "HASHTABLE_FIND": lambda o: _asked(o, "LookupTableFindV2", o[1], o.scalar(2)),
    "HASHTABLE_SIZE": lambda o: _asked(o, "LookupTableSizeV2"),
    "VAR_HANDLE": _variable,
    "READ_VARIABLE": _read,
    "ASSIGN_VARIABLE": _assigned,
    # Known, so that a file whose CALL_ONCE fills its tables is not refused for this.
    "HASHTABLE_IMPORT": _imported,
}
