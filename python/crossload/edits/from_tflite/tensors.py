"""A subgraph's tensors: which ones the graph carries as real numbers, their names, and the values of constants."""

from __future__ import annotations

import itertools
import re
import struct
from math import prod

import numpy as np

from crossload.artifacts.tflite.flatbuffer import FlatbufferError
from crossload.artifacts.tflite.inner import Inner, Tensor

REAL = "FP32"
QUANTISED = ("INT8", "UINT8", "INT16")
_NIBBLES = ("INT4", "UINT4")


def is_real(tensor: Tensor) -> bool:
    """Whether the graph carries this tensor as real numbers: its integers have a scale."""
    return bool(tensor.scale) and (tensor.datatype in QUANTISED or (tensor.extent is not None and "INT" in tensor.datatype))


def datatype_of(tensor: Tensor) -> str:
    """The datatype of this tensor in the graph."""
    return REAL if is_real(tensor) else tensor.datatype


def same_steps(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same steps: what moves the elements of one to the other needs no rounding."""
    return (one.datatype, one.scale, one.zero_point) == (other.datatype, other.scale, other.zero_point)


def name_of(tensor: Tensor) -> str:
    """The name of a tensor's operation: its own, or the first one of those that the converter fused."""
    return re.sub(r":\d+$", "", tensor.name.split(";")[0]) or f"tensor_{tensor.index}"


class Constants:
    """The constants of a subgraph by tensor, each read when it is first asked for."""

    def __init__(self, graph: Inner) -> None:
        self._graph = graph
        self._read: dict[int, np.ndarray] = {}
        made = {at for o in graph.operators for at in o.outputs} | set(graph.inputs)
        self._held = {t.index for t in graph.tensors if t.index not in made and not t.variable and (t.extent or 0 in t.shape)}

    def __contains__(self, at: int) -> bool:
        return at in self._held

    def __getitem__(self, at: int) -> np.ndarray:
        """The value, of a quantised tensor its real numbers; raises FlatbufferError where the file's bytes do not fit the shape."""
        if at not in self._read:
            try:
                self._read[at] = _value(self._graph, self._graph.tensors[at])
            except (LookupError, ValueError, struct.error) as error:
                raise FlatbufferError(f"the constant {self._graph.tensors[at].name!r} is damaged ({error})") from error
        return self._read[at]

    def add(self, at: int, value: np.ndarray) -> None:
        """Make a tensor a constant."""
        self._held.add(at)
        self._read[at] = value


def _value(graph: Inner, tensor: Tensor) -> np.ndarray:
    if 0 in tensor.shape:
        return np.zeros(tensor.shape, object if tensor.datatype == "BYTES" else np.float32)
    by_datatype = {"BYTES": _strings, **dict.fromkeys(_NIBBLES, _nibbles)}
    value = by_datatype[tensor.datatype](graph, tensor) if tensor.datatype in by_datatype else graph.value(tensor)
    if value is None:
        raise FlatbufferError(f"the constant {tensor.name!r} has other bytes than {list(tensor.shape)} of {tensor.datatype} take")
    return _real(tensor, value) if is_real(tensor) else value


def _real(tensor: Tensor, value: np.ndarray) -> np.ndarray:
    """The real numbers of a quantised constant, with a scale for all or for each channel."""
    scale, zero = (np.asarray(p, np.float64) for p in (tensor.scale, tensor.zero_point or [0] * len(tensor.scale)))
    along = [1] * len(tensor.shape)
    if len(scale) > 1:
        along[tensor.axis] = len(scale)
        if value.shape[tensor.axis] != len(scale):
            raise FlatbufferError(f"the constant {tensor.name!r} has {len(scale)} scales for {value.shape[tensor.axis]} channels")
    scale, zero = scale.reshape(along), np.broadcast_to(zero, len(scale)).reshape(along)
    return np.asarray((value.astype(np.float64) - zero) * scale, np.float32)


def _nibbles(graph: Inner, tensor: Tensor) -> np.ndarray | None:
    """Two elements a byte, the lower half first (kernels/internal/portable_tensor_utils.cc, UnpackDenseInt4IntoInt8)."""
    start, length = tensor.extent or (0, 0)
    count = prod(tensor.shape)
    if length != (count + 1) // 2:
        return None
    packed = np.frombuffer(graph.data, np.uint8, length, start)
    both = np.stack([packed & 15, packed >> 4], axis=-1).reshape(-1)[:count].astype(np.int8)
    return np.where((both > 7) & (tensor.datatype == "INT4"), both - 16, both).reshape(tensor.shape)


def _strings(graph: Inner, tensor: Tensor) -> np.ndarray | None:
    """A count, the places of the strings and of their end, the strings (lite/string_util.h)."""
    start, length = tensor.extent or (0, 0)
    data = graph.data[start : start + length]
    count = prod(tensor.shape)
    if length < 4 * (count + 2) or struct.unpack_from("<i", data)[0] != count:
        return None
    places = struct.unpack_from(f"<{count + 1}i", data, 4)
    found = np.empty(count, object)
    found[:] = [data[a:b] for a, b in itertools.pairwise(places)]
    return found.reshape(tensor.shape)
