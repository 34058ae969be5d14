"""The same quantised .tflite with its rounding moved: each layer's bias by a random part of half a step of its output (schema.fbs)."""

from __future__ import annotations

from typing import Any

import numpy as np

from crossload.artifacts.tflite.inner import Inner, Tensor

# The operators whose third input is a bias of int32 or int64, added before the sum is rescaled to the output's scale.
_BIASED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
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


def _moved(data: bytes | bytearray, bias: Tensor, step: float, random: np.random.Generator) -> bytes:
    values = np.frombuffer(data, _BIASES[bias.datatype])
    half = step / 2 / np.asarray(bias.scale if len(bias.scale) in (1, values.size) else bias.scale[:1], np.float64)
    moved: np.ndarray = values + np.rint(random.uniform(-1, 1, values.shape) * half).astype(values.dtype)
    return moved.tobytes()
