"""What is wrong inside a .tflite that parses: what interpreters refuse, die of, or compute nonsense from without a word."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from crossload.artifacts.tflite.inner import Inner, Tensor
from crossload.contract.datatypes import DATATYPES
from crossload.support.reach import endless

_MOST_ELEMENTS = (1 << 31) - 1


def defects(graphs: Sequence[Inner]) -> list[str]:
    """A sentence for each defect, in the file's order; `graphs` are all subgraphs (inner.read_all).

    Measured: TensorFlow Lite Micro runs a file whose weights are shorter than their shapes and answers from what lies behind them, and dies
    of a subgraph that runs itself; LiteRT 2.3 and tflite-runtime 2.14 refuse both.
    """
    found = [s for graph in graphs for s in (*_tensors(graph), *_order(graph))]
    return [*found, *_calls(graphs)]


def _tensors(graph: Inner) -> Iterator[str]:
    for tensor in graph.tensors:
        name = _name(graph, tensor)
        if any(d < 0 for d in tensor.shape):
            yield f"{name} has a negative dimension: {list(tensor.shape)}"
        elif math.prod(tensor.shape) > _MOST_ELEMENTS:
            yield f"{name} has the shape {list(tensor.shape)}, more elements than an interpreter can count (2^31 - 1)"
        elif tensor.extent and tensor.datatype in DATATYPES and tensor.datatype != "BYTES":
            needed = tensor.shape_bytes or 0
            if tensor.extent[1] < needed and not tensor.sparse:
                yield f"{name} needs {needed:,} bytes for its shape {list(tensor.shape)}, and the file holds {tensor.extent[1]:,}"
        if tensor.scale and not all(math.isfinite(s) and s > 0 for s in tensor.scale):
            yield f"{name} has a scale that is 0, negative or not finite"


def _order(graph: Inner) -> Iterator[str]:
    """Operators run in the file's order: what one reads must be there before."""
    there = {*graph.inputs, *(t.index for t in graph.tensors if t.extent or t.variable)}
    empty = {t.index for t in graph.tensors if 0 in t.shape}  # a constant without elements needs no bytes
    for at, operator in enumerate(graph.operators):
        for index in operator.inputs:
            if index >= 0 and index not in there | empty and graph.tensors[index].datatype in DATATYPES:
                yield f"operator #{at} {operator.op} reads {_name(graph, graph.tensors[index])}, which nothing before it makes"
        there.update(operator.outputs)
    yield from (f"the output {_name(graph, graph.tensors[i])} is made by nothing" for i in graph.outputs if i not in there | empty)


def _calls(graphs: Sequence[Inner]) -> Iterator[str]:
    """Control flow: subgraphs that are not there, or that run themselves."""
    for graph in graphs:
        for at, operator in enumerate(graph.operators):
            if strange := [c for c in operator.calls if not 0 <= c < len(graphs)]:
                where = f"operator #{at} {operator.op} of subgraph {graph.subgraph}"
                yield f"{where} runs subgraph {strange[0]}, and the file has {len(graphs)}"
    if found := endless({g.subgraph: [c for o in g.operators for c in o.calls] for g in graphs}):
        yield f"subgraph {min(found)} runs itself, or one that does, without an end"


def _name(graph: Inner, tensor: Tensor) -> str:
    where = f" of subgraph {graph.subgraph}" if graph.subgraph else ""
    return f"tensor {tensor.index} ({tensor.name!r}){where}"
