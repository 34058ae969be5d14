"""The same quantised .tflite with its rounding moved, as if its kernels rounded another way (schema.fbs).

A layer of integers: its bias by a random part of half a step of its output. A hybrid layer, which rounds float activations to 8 bits as
it runs: its weights, by as much noise as that rounding has, since its steps are known to the kernel alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from crossload.artifacts.tflite import inner
from crossload.artifacts.tflite.inner import Inner, Operator, Tensor

# The operators whose third input is a bias of int32 or int64, added before the sum is rescaled to the output's scale.
_BIASED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
# A value that is rounded is off by up to half a step in both directions: by 1/12 of a squared step in the mean, as is a weight of which
# one in twelve moves by a whole step.
_MOVED = 1 / 12
# These look constants up in 8 bits, and round no activations.
_LOOKING_UP = ("DEQUANTIZE", "GATHER", "EMBEDDING_LOOKUP")
_BIASES: dict[str, np.dtype[Any]] = {"INT32": np.dtype("<i4"), "INT64": np.dtype("<i8")}


def tflite(graph: Inner, random: np.random.Generator) -> bytes | None:
    """The file's bytes with moved biases, as if each layer's kernel rounded another way; None where no layer has a bias of integers."""
    made, seen = bytearray(graph.data), set()
    for operator in graph.operators:
        if operator.op not in _BIASED or len(operator.inputs) < 3 or operator.inputs[2] < 0:
            continue
        bias, output = graph.tensors[operator.inputs[2]], graph.tensors[operator.outputs[0]]
        if bias.extent is None or bias.datatype not in _BIASES or not bias.scale or len(output.scale) != 1 or bias.extent in seen:
            continue
        seen.add(bias.extent)  # biases of zeros are one buffer: the first layer's steps are theirs
        start, length = bias.extent
        made[start : start + length] = _moved(made[start : start + length], bias, output.scale[0], random)
    return bytes(made) if seen else None


def hybrid(path: Path, random: np.random.Generator) -> bytes | None:
    """A .tflite's bytes with moved 8-bit weights of the layers that round float activations as they run; None where there is none.

    Raises ArtifactError for a damaged file.
    """
    graphs = inner.read_all(path)
    weights = {extent for graph in graphs for operator in graph.operators for extent in _rounding_weights(graph, operator)}
    if not weights:
        return None
    made = bytearray(path.read_bytes())
    for start, length in sorted(weights):
        values = np.frombuffer(made, np.int8, length, start)
        steps = random.choice(np.array([-1, 0, 1], np.int16), length, p=[_MOVED / 2, 1 - _MOVED, _MOVED / 2])
        made[start : start + length] = np.clip(values + steps, -127, 127).astype(np.int8).tobytes()
    return bytes(made)


def _rounding_weights(graph: Inner, operator: Operator) -> Iterator[tuple[int, int]]:
    """Where the file has the 8-bit weights of an operator of float activations."""
    if operator.op in _LOOKING_UP or any(graph.tensors[at].datatype != "FP32" for at in (*operator.inputs[:1], *operator.outputs[:1])):
        return
    for tensor in (graph.tensors[at] for at in operator.inputs if at >= 0):
        if tensor.extent is not None and tensor.scale and tensor.datatype == "INT8":
            yield tensor.extent


def _moved(data: bytes | bytearray, bias: Tensor, step: float, random: np.random.Generator) -> bytes:
    values = np.frombuffer(data, _BIASES[bias.datatype])
    half = step / 2 / np.asarray(bias.scale if len(bias.scale) in (1, values.size) else bias.scale[:1], np.float64)
    moved: np.ndarray = values + np.rint(random.uniform(-1, 1, values.shape) * half).astype(values.dtype)
    return moved.tobytes()
