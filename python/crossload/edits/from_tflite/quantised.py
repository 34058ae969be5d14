"""Quantised tensors as real numbers: the rounding to their steps, and from and to the integers that a caller gives and takes."""

from __future__ import annotations

from crossload.artifacts.tflite.inner import Tensor
from crossload.contract.datatypes import INTEGER_RANGES
from crossload.edits.from_tflite.graph_builder import GraphBuilder, Value
from crossload.edits.from_tflite.operation import Operation, Rewrite, Unsupported
from crossload.edits.from_tflite.tensors import REAL

_BITS = {"INT8": 8, "UINT8": 8, "INT16": 16}


def rounded(graph: GraphBuilder, value: Value, tensor: Tensor) -> Value:
    """The value rounded to the steps of a tensor, and clipped to its range."""
    low, high = _ends(tensor)
    return graph.add("FakeQuantWithMinMaxArgs", value, min=low, max=high, num_bits=_BITS[tensor.datatype])


def of_integers(graph: GraphBuilder, integers: Value, tensor: Tensor) -> Value:
    """The real numbers of a quantised input, whose integers a caller gives."""
    shifted = graph.add("Sub", graph.add("Cast", integers, DstT=REAL), float(_zero(tensor)))
    return graph.add("Mul", shifted, _scale(tensor))


def given(graph: GraphBuilder, value: Value, tensor: Tensor) -> Value:
    """The integers of a quantised output; `value` has been rounded to its steps."""
    steps = graph.add("AddV2", graph.add("Round", graph.add("Mul", value, 1 / _scale(tensor))), float(_zero(tensor)))
    low, high = INTEGER_RANGES[tensor.datatype]
    clipped = graph.add("Minimum", graph.add("Maximum", steps, float(low)), float(high))
    return graph.add("Cast", clipped, DstT=tensor.datatype)


def _ends(tensor: Tensor) -> tuple[float, float]:
    low, high = ((end - _zero(tensor)) * _scale(tensor) for end in INTEGER_RANGES[tensor.datatype])
    return low, high


def _scale(tensor: Tensor) -> float:
    if len(tensor.scale) != 1:
        raise Unsupported("computes a tensor with a scale for each channel")
    return tensor.scale[0]


def _zero(tensor: Tensor) -> int:
    return tensor.zero_point[0] if tensor.zero_point else 0


def _dequantised(o: Operation) -> Value:
    if o[0].datatype == o.outputs[0].datatype:
        return o.add("Identity", o[0])
    return o.add("Cast", o[0], DstT=o.outputs[0].datatype)


def _fake_quant(o: Operation) -> Value:
    given = o.options
    return o.add("FakeQuantWithMinMaxArgs", o[0], min=given["min"], max=given["max"], num_bits=given["bits"], narrow_range=given["narrow"])


# What rounds to the output's steps is the same for all operators: `rounded`.
OPERATORS: dict[str, Rewrite] = {
    "QUANTIZE": lambda o: o[0],
    "DEQUANTIZE": _dequantised,
    "FAKE_QUANT": _fake_quant,
}
