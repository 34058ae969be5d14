"""Flex operators: nodes of TensorFlow that the converter left as they were, each written in the operator's own bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crossload.artifacts.messages import message_class
from crossload.artifacts.tflite.flatbuffer import FlatbufferError
from crossload.edits.from_tflite.graph_builder import RESOURCE, Unsupported, Value
from crossload.edits.from_tflite.operation import Operation
from crossload.edits.from_tflite.tensors import is_real


def rewrite(o: Operation) -> Sequence[Value]:
    """Add the node with the operator's inputs; raises Unsupported for one that takes or makes a quantised tensor."""
    if any(t is not None and is_real(t) for t in (*o.inputs, *o.outputs)):
        raise Unsupported("takes the integers of a quantised tensor")
    if any(t.datatype == RESOURCE for t in o.outputs):
        raise Unsupported("keeps a resource that nothing in a frozen graph fills")
    return o.graph.copy(_node(o), o.all(), [t.datatype for t in o.outputs])


def _node(o: Operation) -> Any:
    """The NodeDef: the second string of a vector of two, a flexbuffer (tensorflow/lite/delegates/flex/kernel.cc)."""
    from flatbuffers import flexbuffers

    start, length = o.options.operator.custom_options or (0, 0)
    node = message_class("tensorflow.NodeDef")()
    try:
        node.ParseFromString(bytes(flexbuffers.GetRoot(bytearray(o.options.data[start : start + length])).AsVector[1].AsStringBytes))
    except Exception as error:  # the library checks nothing: damaged bytes end in any error
        raise FlatbufferError(f"the operator {o.op} has no node of TensorFlow in its bytes") from error
    return node
