"""What a file does once, before its first run (CALL_ONCE): it fills tables and variables with constants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from crossload.artifacts.tflite.inner import Inner, Tensor
from crossload.edits.from_tflite.options import Options
from crossload.edits.from_tflite.tensors import Constants

_HANDLES = ("HASHTABLE", "VAR_HANDLE")
_FILLS = ("HASHTABLE_IMPORT", "ASSIGN_VARIABLE")
Constant = tuple[Tensor, np.ndarray]


@dataclass
class Filled:
    """The `contents` of tables (keys, values) and variables (one value), by `handle_of`; `others` are a subgraph's other operators.

    `changing` are the variables that the model assigns as it runs, by `handle_of`.

    `initialisers` has the node that fills a table of the graph, by the table's tensor there.
    """

    contents: dict[tuple[str, str], list[Constant]] = field(default_factory=dict)
    others: dict[int, list[str]] = field(default_factory=dict)
    changing: set[tuple[str, str]] = field(default_factory=set)
    initialisers: dict[str, str] = field(default_factory=dict)


def filled(graphs: Sequence[Inner], used: Sequence[Inner]) -> Filled:
    """What the subgraphs fill that the used ones run once."""
    found = Filled()
    once = {c for g in used for o in g.operators if o.op == "CALL_ONCE" for c in o.calls}
    for at in once:
        found.contents.update(_contents(graphs[at]))
        found.others[at] = sorted({o.op for o in graphs[at].operators} - {*_HANDLES, *_FILLS})
    found.changing = {handle for g in used if g.subgraph not in once for handle in _assigned(g)}
    return found


def handle_of(options: Options) -> tuple[str, str]:
    """What names the table or the variable of an operator that makes its handle."""
    op = options.operator.op
    return op, str(options["table_id"]) if op == "HASHTABLE" else f"{options['container']}/{options['shared_name']}"


def _handles(graph: Inner) -> dict[int, tuple[str, str]]:
    return {o.outputs[0]: handle_of(Options(graph.data, o)) for o in graph.operators if o.op in _HANDLES}


def _assigned(graph: Inner) -> Iterator[tuple[str, str]]:
    handles = _handles(graph)
    yield from (handles[o.inputs[0]] for o in graph.operators if o.op == "ASSIGN_VARIABLE" and o.inputs[0] in handles)


def _contents(graph: Inner) -> Iterator[tuple[tuple[str, str], list[Constant]]]:
    constants = Constants(graph)
    handles = _handles(graph)
    for operator in graph.operators:
        given = operator.inputs[1:]
        if operator.op in _FILLS and operator.inputs[0] in handles and all(at in constants for at in given):
            yield handles[operator.inputs[0]], [(graph.tensors[at], constants[at]) for at in given]
