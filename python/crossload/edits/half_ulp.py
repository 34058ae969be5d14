"""The same model with its weights moved by a random half ULP: constants of a graph, buffers of a .tflite."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from crossload.artifacts.tflite import flatbuffer
from crossload.artifacts.tflite.flatbuffer import Field, Fields
from crossload.compare import ulp
from crossload.contract.datatypes import from_enum, numpy_dtype

# schema.fbs: the floating-point numbers of enum TensorType, by the contract's names.
_FLOATS = {0: "FP32", 1: "FP16", 10: "FP64"}
_TENSOR: Fields = {"type": Field(1, "b"), "buffer": Field(2, "I")}
_MODEL: Fields = {
    "subgraphs": Field(2, {"tensors": Field(0, _TENSOR, vector=True)}, vector=True),
    "buffers": Field(4, {"data": Field(0, "bytes"), "offset": Field(1, "Q"), "size": Field(2, "Q")}, vector=True),
}


def graph(original: Any, datatypes: Collection[str], random: np.random.Generator) -> Any:
    """A copy of a GraphDef with moved constants of these datatypes, functions included.

    A single number, which no `tensor_content` holds (tensor.proto), stays: it is a parameter of the arithmetic rather than a weight.
    """
    made = type(original)()
    made.CopyFrom(original)
    for nodes in (made.node, *(f.node_def for f in made.library.function)):
        for node in nodes:
            tensor = node.attr["value"].tensor if node.op == "Const" else None
            if tensor is not None and tensor.tensor_content and (datatype := from_enum(tensor.dtype)) in datatypes:
                tensor.tensor_content = _moved(tensor.tensor_content, datatype, random)
    return made


def tflite(data: bytes, datatypes: Collection[str], random: np.random.Generator) -> bytes:
    """The bytes of a .tflite with moved weights of these datatypes. Raises FlatbufferError for a damaged file."""
    content = flatbuffer.decode(data, _MODEL)
    made, kinds = bytearray(data), {}
    for subgraph in content["subgraphs"]:
        kinds.update({t["buffer"]: _FLOATS.get(t["type"], "") for t in subgraph["tensors"]})
    for number, datatype in kinds.items():
        if datatype in datatypes and number < len(content["buffers"]):
            buffer = content["buffers"][number]
            start, size = buffer["data"] or (buffer["offset"], buffer["size"])
            if size > numpy_dtype(datatype).itemsize and start + size <= len(data):
                made[start : start + size] = _moved(data[start : start + size], datatype, random)
    return bytes(made)


def _moved(data: bytes, datatype: str, random: np.random.Generator) -> bytes:
    dtype = numpy_dtype(datatype).newbyteorder("<") if datatype != "BF16" else numpy_dtype(datatype)
    whole = len(data) - len(data) % dtype.itemsize
    return ulp.moved(np.frombuffer(data[:whole], dtype), random).tobytes() + data[whole:]
