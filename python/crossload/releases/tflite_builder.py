"""Small .tflite files written by hand: tables by their fields' numbers (schema.fbs), so that no option is too new for a library."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from crossload.artifacts.tflite import flatbuffer_writer
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
    return flatbuffer_writer.model(content)


def subgraph(
    tensors: Sequence[dict[int, Any]], inputs: Sequence[int], outputs: Sequence[int], operators: Sequence[dict[int, Any]]
) -> dict[int, Any]:
    """A subgraph of the file."""
    return {0: list(tensors), 1: ("i", list(inputs)), 2: ("i", list(outputs)), 3: list(operators), 4: "main"}
