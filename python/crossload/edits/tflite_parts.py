"""Parts of a .tflite made visible: inner tensors as outputs, or one operator alone; edits of the file's bytes, without TensorFlow.

One subgraph is edited (tensorflow/compiler/mlir/lite/schema/schema.fbs, table SubGraph): a new vector is appended to the file, and the
table's field, an offset that counts forwards, is pointed at it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from crossload.artifacts.tflite import flatbuffer
from crossload.artifacts.tflite.inner import Inner
from crossload.edits.tflite_signatures import inject_signatures
from crossload.errors import CrossloadError

_SUBGRAPHS, _INPUTS, _OUTPUTS, _OPERATORS = 2, 1, 2, 3
_OFFSET = struct.Struct("<I")
# What an offset can reach, with room for the vector.
_MOST_BYTES = (1 << 32) - (1 << 24)


def with_outputs(there: Inner, key: str, inputs: dict[str, int], outputs: dict[str, int]) -> bytes:
    """The file with the one signature `key`, whose outputs are these tensors, inner ones too. Raises as inject_signatures."""
    edited = bytearray(there.data)
    _set_vector(edited, there.subgraph, _OUTPUTS, list(outputs.values()))
    return inject_signatures(bytes(edited), {key: {"key": there.key, "inputs": inputs, "outputs": outputs}})


def with_more_outputs(there: Inner, tensors: Sequence[int]) -> bytes:
    """The file with these inner tensors as further outputs, after its own."""
    edited = bytearray(there.data)
    _set_vector(edited, there.subgraph, _OUTPUTS, [*there.outputs, *tensors])
    return bytes(edited)


def one_operator(there: Inner, key: str, at: int, inputs: dict[str, int], outputs: dict[str, int]) -> bytes:
    """The file with the operator number `at` alone, its signature taking and giving these tensors."""
    edited = bytearray(there.data)
    start, _ = flatbuffer.vector(edited, _fields(edited, there.subgraph)[_OPERATORS])
    place = start + 4 * at
    target = place + _OFFSET.unpack_from(edited, place)[0]
    _OFFSET.pack_into(edited, start, target - start)
    _OFFSET.pack_into(edited, start - 4, 1)
    _set_vector(edited, there.subgraph, _INPUTS, list(inputs.values()))
    _set_vector(edited, there.subgraph, _OUTPUTS, list(outputs.values()))
    return inject_signatures(bytes(edited), {key: {"key": there.key, "inputs": inputs, "outputs": outputs}})


def _fields(data: bytearray, subgraph: int) -> dict[int, int]:
    """The positions of a subgraph's fields."""
    start, _ = flatbuffer.vector(data, flatbuffer.root_fields(data)[_SUBGRAPHS])
    table = flatbuffer.follow(data, start + 4 * subgraph)
    vtable = table - struct.unpack_from("<i", data, table)[0]
    count = (struct.unpack_from("<H", data, vtable)[0] - 4) // 2
    offsets = struct.unpack_from(f"<{count}H", data, vtable + 4)
    return {number: table + offset for number, offset in enumerate(offsets) if offset}


def _set_vector(data: bytearray, subgraph: int, field: int, values: Sequence[int]) -> None:
    if len(data) >= _MOST_BYTES:
        raise CrossloadError("the .tflite has more than 4 GB with the weights behind its flatbuffer: its inner tensors cannot be outputs")
    at = _fields(data, subgraph).get(field)
    if at is None:
        raise CrossloadError("the .tflite states no inputs or no outputs at all, so none can be added; convert the model again")
    data.extend(bytes(-len(data) % 4))
    _OFFSET.pack_into(data, at, len(data) - at)
    data.extend(struct.pack(f"<I{len(values)}i", len(values), *values))
