"""DenseBincount and RaggedBincount by the ops of TensorFlow 1: StringSplit, TextVectorization and the lookup layers count with them.

Bincount counts a flat vector of int32 alone. Here each row of the input gets `size` bins of its own in one long vector. That is exact
below 2**31 bins in all; a float32 counts exactly to 2**24 in either op.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crossload.edits.repairs.body import Body, set_inputs

_FLOAT, _DOUBLE, _INT32, _INT64 = 1, 2, 3, 9  # types.proto
_FLOATING = (_FLOAT, _DOUBLE)


def from_dense(node: Any, body: Body) -> bool:
    """DenseBincount(input, size, weights) counts a vector, or each row of a matrix (ops/math_ops.cc)."""
    values, size, weights, *waits = node.input
    graph = _Nodes(body, node.name, values)
    counted = _counted(node, graph, weights)
    if counted is None:
        return False
    kind = node.attr["Tidx"].type
    shape = graph.add("shape", "Shape", values, T=kind, out_type=_INT32)
    lead = graph.all_but_last(shape)
    rows = graph.add("rows", "Prod", lead, graph.vector(0), T=_INT32, Tidx=_INT32)
    flat = graph.add("flat", "Reshape", values, graph.vector(-1), T=kind, Tshape=_INT32)
    total = graph.add("total", "Size", flat, T=kind, out_type=_INT32)
    columns = graph.quotient(total, rows)
    row_of = graph.quotient(graph.add("range", "Range", graph.scalar(0), total, graph.scalar(1), Tidx=_INT32), columns)
    _replace(node, graph, flat, row_of, rows, lead, size, counted, list(waits))
    return True


def from_ragged(node: Any, body: Body) -> bool:
    """RaggedBincount(splits, values, size, weights) counts each row of a ragged matrix (ops/math_ops.cc)."""
    splits, values, size, weights, *waits = node.input
    graph = _Nodes(body, node.name, values)
    counted = _counted(node, graph, weights)
    if counted is None:
        return False
    kind = node.attr["Tidx"].type
    rows = graph.subtract(graph.add("splits", "Size", splits, T=_INT64, out_type=_INT32), graph.scalar(1))
    total = graph.add("total", "Size", values, T=kind, out_type=_INT64)
    every = graph.add("range", "Range", graph.scalar(0, _INT64), total, graph.scalar(1, _INT64), Tidx=_INT64)
    sought = [graph.add("row", "ExpandDims", at, graph.scalar(0), T=_INT64, Tdim=_INT32) for at in (splits, every)]
    after = graph.add("after", "UpperBound", *sought, T=_INT64, out_type=_INT32)  # how many rows begin at a value or before it
    row_of = graph.subtract(graph.add("flat", "Reshape", after, graph.vector(-1), T=_INT32, Tshape=_INT32), graph.scalar(1))
    lead = graph.add("lead", "ExpandDims", rows, graph.scalar(0), T=_INT32, Tdim=_INT32)
    _replace(node, graph, values, row_of, rows, lead, size, counted, list(waits))
    return True


@dataclass
class _Nodes:
    """New nodes of a body, named after the one that they replace. `near` is a tensor that it reads."""

    body: Body
    stem: str
    near: str

    def add(self, name: str, op: str, *inputs: str, **types: int) -> str:
        node, made = self.body.add(f"{self.stem}/{name}", op, inputs)
        for attribute, number in types.items():
            node.attr[attribute].type = number
        return made

    def constant(self, kind: int, elements: Sequence[int], shape: Sequence[int]) -> str:
        """A constant in the frame of `near`: a loop of TensorFlow 1 takes no inputs from outside (core/common_runtime/executor.cc)."""
        source = self.body.maker(self.near)
        node, made = self.body.add(f"{self.stem}/constant", "Const", [f"^{source.name}"] if source is not None else [])
        node.attr["dtype"].type = kind
        tensor = node.attr["value"].tensor
        tensor.dtype = kind
        tensor.tensor_shape.SetInParent()
        for extent in shape:
            tensor.tensor_shape.dim.add(size=extent)
        field = {_FLOAT: tensor.float_val, _DOUBLE: tensor.double_val, _INT32: tensor.int_val, _INT64: tensor.int64_val}[kind]
        field.extend(elements)
        return made

    def scalar(self, value: int, kind: int = _INT32) -> str:
        return self.constant(kind, [value], [])

    def vector(self, *values: int) -> str:
        return self.constant(_INT32, values, [len(values)])

    def subtract(self, one: str, other: str) -> str:
        return self.add("less", "Sub", one, other, T=_INT32)

    def quotient(self, one: str, other: str) -> str:
        """`one // other`, without a division by 0 where there are no elements."""
        return self.add("quotient", "FloorDiv", one, self.add("divisor", "Maximum", other, self.scalar(1), T=_INT32), T=_INT32)

    def all_but_last(self, shape: str) -> str:
        """shape[:-1]."""
        node, made = self.body.add(f"{self.stem}/lead", "StridedSlice", [shape, self.vector(0), self.vector(-1), self.vector(1)])
        node.attr["T"].type, node.attr["Index"].type = _INT32, _INT32
        node.attr["begin_mask"].i = 1
        return made


def _counted(node: Any, graph: _Nodes, weights: str) -> str | None:
    """What Bincount adds up, as a vector: the weights, or nothing where each value counts as 1. None if the sum is not exact: Bincount
    adds floating weights in another order (kernels/bincount_op.cc)."""
    kind = node.attr["T"].type
    made_by = graph.body.maker(weights)
    empty = made_by is not None and made_by.op == "Const" and any(d.size == 0 for d in made_by.attr["value"].tensor.tensor_shape.dim)
    if node.attr["binary_output"].b or empty:
        return graph.constant(kind, [], [0])
    if kind in _FLOATING:
        return None
    return graph.add("weights", "Reshape", weights, graph.vector(-1), T=kind, Tshape=_INT32)


def _replace(node: Any, graph: _Nodes, flat: str, row_of: str, rows: str, lead: str, size: str, counted: str, waits: Sequence[str]) -> None:
    """Make the node a Reshape of the counts to `[*lead, size]`. `row_of` is the row of each element of `flat`, one of `rows`."""
    wide, kind = node.attr["Tidx"].type, node.attr["T"].type
    if wide != _INT32:
        # What is outside of all bins stays there: beyond the last one, or negative, which Bincount refuses.
        bounded = graph.add("most", "Minimum", flat, size, T=wide)
        bounded = graph.add("least", "Maximum", bounded, graph.scalar(-1, wide), T=wide)
        flat = graph.add("values", "Cast", bounded, SrcT=wide, DstT=_INT32)
        size = graph.add("size", "Cast", size, SrcT=wide, DstT=_INT32)
    bins = graph.add("bins", "Mul", rows, size, T=_INT32)
    place = graph.add("place", "AddV2", graph.add("first", "Mul", row_of, size, T=_INT32), flat, T=_INT32)
    beyond = graph.add("beyond", "AddV2", graph.add("zeros", "ZerosLike", flat, T=_INT32), bins, T=_INT32)
    place = graph.add("within", "Select", graph.add("is_within", "Less", flat, size, T=_INT32), place, beyond, T=_INT32)
    place = graph.add("refused", "Select", graph.add("is_negative", "Less", flat, graph.scalar(0), T=_INT32), flat, place, T=_INT32)
    counts = graph.add("counts", "Bincount", place, bins, counted, T=kind)
    if node.attr["binary_output"].b:
        counts = graph.add("binary", "Minimum", counts, graph.scalar(1, kind), T=kind)
    last = graph.add("last", "ExpandDims", size, graph.scalar(0), T=_INT32, Tdim=_INT32)
    joined, shape = graph.body.add(f"{graph.stem}/joined", "ConcatV2", [lead, last, graph.scalar(0)])
    joined.attr["N"].i, joined.attr["T"].type, joined.attr["Tidx"].type = 2, _INT32, _INT32
    node.op = "Reshape"
    node.attr.clear()
    node.attr["T"].type, node.attr["Tshape"].type = kind, _INT32
    set_inputs(node, [counts, shape, *waits])
