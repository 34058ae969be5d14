"""Small .tflite files written by hand: tables by their fields' numbers (schema.fbs), so that no option is too new for a library."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from crossload.releases.tflite_kernels import TYPES

_MOST_DEPRECATED = 127
_STRUCT = {
    "float32": "f", "float16": "e", "float64": "d", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I",
    "int64": "q", "uint64": "Q", "bool": "?", "complex64": "ff", "complex128": "dd", "bfloat16": "H",
}  # fmt: skip


def constant(datatype: str, shape: Sequence[int], values: Sequence[float]) -> bytes | None:
    """The values as bytes, the last one repeated; None for a datatype without plain bytes, whose tensor is an input instead."""
    plain, count = datatype.removesuffix("q"), 1
    for size in shape:
        count *= size
    if plain in ("int4", "uint4"):
        return bytes([0x11]) * ((count + 1) // 2)
    if plain not in _STRUCT:
        return None
    code = _STRUCT[plain]
    filled = [*values, *[values[-1]] * (count - len(values))]
    cast = float if code[0] in "fed" else bool if code == "?" else int
    if plain == "bfloat16":
        return b"".join(struct.pack("<f", v)[2:] for v in filled)
    return b"".join(struct.pack(f"<{code}", *(cast(v) for _ in code)) for v in filled)


def tensor(
    name: str, shape: Sequence[int], datatype: str, buffer: int, scale: tuple[float, int] | None = None, *, variable: bool = False
) -> dict[int, Any]:
    """A tensor; `buffer` is the number of its values' buffer, 0 for none; `scale` a quantised one's scale and zero point."""
    plain = datatype.removesuffix("q")
    made: dict[int, Any] = {0: ("i", list(shape)), 1: ("b", TYPES.index(plain)), 2: ("I", buffer), 3: name, 5: ("?", variable)}
    if datatype.endswith("q"):
        size, zero = scale or (0.25 if plain in ("int32", "int64") else 0.5, 0)
        made[4] = {2: ("f", [size]), 3: ("q", [zero])}
    return made


def model(
    codes: Sequence[tuple[int, str, int]],
    tensors: Sequence[dict[int, Any]],
    inputs: Sequence[int],
    outputs: Sequence[int],
    operators: Sequence[dict[int, Any]],
    buffers: Sequence[bytes | Mapping[int, Any]] = (b"",),
    others: Sequence[dict[int, Any]] = (),
) -> bytes:
    """A file: operators as number, custom name and version; the first subgraph's content; buffers as bytes or fields; other subgraphs."""
    import flatbuffers

    written = [
        {0: ("b", min(code, _MOST_DEPRECATED)), 2: ("i", version), 3: ("i", code), **({1: custom} if custom else {})}
        for code, custom, version in codes
    ]
    subgraphs = [subgraph(tensors, inputs, outputs, operators), *others]
    content = {
        0: ("I", 3),
        1: written,
        2: subgraphs,
        3: "crossload",
        4: [data if isinstance(data, Mapping) else {0: data} if data else {} for data in buffers],
    }
    builder = flatbuffers.Builder(1024)
    builder.Finish(_table(builder, content), file_identifier=b"TFL3")
    return bytes(builder.Output())


def subgraph(
    tensors: Sequence[dict[int, Any]], inputs: Sequence[int], outputs: Sequence[int], operators: Sequence[dict[int, Any]]
) -> dict[int, Any]:
    """A subgraph of the file."""
    return {0: list(tensors), 1: ("i", list(inputs)), 2: ("i", list(outputs)), 3: list(operators), 4: "main"}


def _table(builder: Any, fields: Mapping[int, Any]) -> int:
    """Write a table by its fields' numbers: a struct code with a number or a list of them, text, bytes, a table, a list of tables."""
    offsets = {n: _child(builder, value) for n, value in fields.items() if not _is_scalar(value)}
    builder.StartObject(max(fields, default=-1) + 1)
    for number, value in fields.items():
        if number in offsets:
            builder.PrependUOffsetTRelativeSlot(number, offsets[number], 0)
        else:
            _slot(builder, number, *value)
    return int(builder.EndObject())


def _is_scalar(value: Any) -> bool:
    return isinstance(value, tuple) and not isinstance(value[1], list)


def _child(builder: Any, value: Any) -> int:
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, bytes):
        builder.StartVector(1, len(value), 16)
        builder.head -= len(value)
        builder.Bytes[builder.head : builder.head + len(value)] = value
        return int(builder.EndVector())
    if isinstance(value, Mapping):
        return _table(builder, value)
    if isinstance(value, tuple):
        code, numbers = value
        width = struct.calcsize(code)
        builder.StartVector(width, len(numbers), width)
        for number in reversed(numbers):
            _prepend(builder, code, number)
        return int(builder.EndVector())
    tables = [_table(builder, item) for item in value]
    builder.StartVector(4, len(tables), 4)
    for offset in reversed(tables):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


_KINDS = {"b": "Int8", "B": "Uint8", "?": "Bool", "i": "Int32", "I": "Uint32", "q": "Int64", "Q": "Uint64", "f": "Float32"}


def _prepend(builder: Any, code: str, number: Any) -> None:
    getattr(builder, f"Prepend{_KINDS[code]}")(number)


def _slot(builder: Any, at: int, code: str, number: Any) -> None:
    """The default is one that no field here has, so that every field is written."""
    getattr(builder, f"Prepend{_KINDS[code]}Slot")(at, number, None)
