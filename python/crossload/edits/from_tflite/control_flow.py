"""Branches, loops and calls: the subgraphs that they run become functions of the graph's library."""

from __future__ import annotations

from collections.abc import Sequence

from crossload.edits.from_tflite.graph_builder import GraphBuilder, Value
from crossload.edits.from_tflite.operation import Operation, Rewrite
from crossload.edits.from_tflite.tensors import datatype_of
from crossload.releases.registrations import releases


def _kind(graph: GraphBuilder, op: str, *functions: str) -> str:
    """The op's variant for functions without effects and random numbers, or the other one."""
    nodes = (node for name in functions for node in graph.library[name].node_def)
    return op if any(releases()[-1].op(node.op).is_stateful for node in nodes) else f"Stateless{op}"


def _if(o: Operation) -> Sequence[Value]:
    then, otherwise = (o.bodies(at) for at in o.calls)
    arguments = [o[at] for at in range(1, len(o.inputs))]
    made = [datatype_of(t) for t in o.outputs]
    kind = _kind(o.graph, "If", then, otherwise)
    return o.graph.outputs(kind, o.scalar(0), arguments, Tout=made, then_branch=then, else_branch=otherwise)


def _while(o: Operation) -> Sequence[Value]:
    condition, body = o.bodies(o.calls[0], condition=True), o.bodies(o.calls[1])
    return o.graph.outputs(_kind(o.graph, "While", condition, body), o.all(), cond=condition, body=body)


def _call(o: Operation) -> Sequence[Value]:
    function = o.bodies(o.calls[0])
    made = [datatype_of(t) for t in o.outputs]
    return o.graph.outputs(_kind(o.graph, "PartitionedCall", function).replace("StatelessP", "P"), o.all(), Tout=made, f=function)


OPERATORS: dict[str, Rewrite] = {"IF": _if, "WHILE": _while, "CALL": _call}
