"""The operators of a .tflite as a TensorFlow Lite Micro resolver registers them.

Source: tensorflow/lite/micro/micro_mutable_op_resolver.h, whose functions are named after the operators, and of 2020
tensorflow/lite/micro/kernels/micro_ops.h, where `Register_CONV_2D` is the kernel of CONV_2D.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from crossload.artifacts.tflite.nodes import Graph

_UNLIKE_THE_RULE = {
    "BATCH_MATMUL": "BatchMatMul",
    "CUMSUM": "CumSum",
    "PADV2": "PadV2",
    "TFLite_Detection_PostProcess": "DetectionPostprocess",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}


@dataclass(frozen=True)
class Registered:
    """An operator to register: its name in the file, `CONV_2D` or a custom op's, and the method without `Add`, `Conv2D`."""

    op: str
    method: str
    is_custom: bool


def registered(graph: Graph) -> tuple[Registered, ...]:
    """Each operator that a subgraph uses, once, in the order of the file."""
    used = dict.fromkeys((n.code.op, n.code.kind == "custom") for subgraph in graph.subgraphs for n in subgraph)
    return tuple(Registered(op, method(op), custom) for op, custom in used)


def method(op: str) -> str:
    """`Conv2D` for CONV_2D, `Rfft` for SignalRfft, an op of the signal library."""
    if op in _UNLIKE_THE_RULE:
        return _UNLIKE_THE_RULE[op]
    if op.startswith("Signal"):
        return op.removeprefix("Signal")
    return "".join(_capitalised(op.split("_")))


def _capitalised(words: Iterable[str]) -> Iterable[str]:
    return (w if w[:1].isdigit() else w.capitalize() for w in words)
