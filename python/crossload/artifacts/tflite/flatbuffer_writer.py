"""Writes flatbuffers: a table is a dict by its fields' numbers in the schema, so that no field is too new for a library.

A value is a pair of a `struct` code with a number, or with a list of them; text; bytes (a vector, aligned as weights are); a table; a list
of tables; bytes that stand in the table itself (`Inline`); or a vector of elements of another width, as bytes (`Packed`).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_KINDS = {"b": "Int8", "B": "Uint8", "?": "Bool", "i": "Int32", "I": "Uint32", "q": "Int64", "Q": "Uint64", "f": "Float32"}
IDENTIFIER = b"TFL3"
_WEIGHTS = 16  # schema.fbs, table Buffer: force_align


class TooLarge(ValueError):
    """What would be more than the 2 GiB of a flatbuffer."""


@dataclass(frozen=True)
class Inline:
    """A number in the table itself, as its bytes; padding after it may be among them."""

    data: bytes

    @property
    def width(self) -> int:
        """An alignment that is enough for any number in these bytes."""
        return min(8, 1 << (len(self.data).bit_length() - 1))


@dataclass(frozen=True)
class Packed:
    """A vector of `data`, in elements of `width` bytes; its first one is aligned."""

    data: bytes
    width: int
    alignment: int = 4


Table = Mapping[int, Any]


def model(content: Table) -> bytes:
    """A .tflite whose root is this table. Raises TooLarge."""
    import flatbuffers
    from flatbuffers.builder import BuilderSizeError

    builder = flatbuffers.Builder(1024)
    try:
        builder.Finish(table(builder, content), file_identifier=IDENTIFIER)
    except BuilderSizeError as error:
        raise TooLarge(str(error)) from error
    return bytes(memoryview(builder.Bytes)[builder.Head() :])


def table(builder: Any, fields: Table) -> int:
    """Write a table; its offset in flatbuffers' builder."""
    offsets = {n: _child(builder, value) for n, value in fields.items() if not _is_inline(value)}
    builder.StartObject(max(fields, default=-1) + 1)
    # The widest first, as flatc does it, so that there is the least padding.
    for number, value in sorted(fields.items(), key=lambda item: -_width(item[1])):
        if number in offsets:
            builder.PrependUOffsetTRelativeSlot(number, offsets[number], 0)
        elif isinstance(value, Inline):
            builder.Prep(value.width, len(value.data))
            _place(builder, value.data)
            builder.Slot(number)
        else:
            # Every field is written: the default is one that no number equals.
            getattr(builder, f"Prepend{_KINDS[value[0]]}Slot")(number, value[1], None)
    return int(builder.EndObject())


def vector(builder: Any, offsets: Sequence[int]) -> int:
    """Write a vector of tables or strings that are written already; its offset in flatbuffers' builder."""
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _is_inline(value: Any) -> bool:
    return isinstance(value, Inline) or (isinstance(value, tuple) and not isinstance(value[1], list))


def _width(value: Any) -> int:
    if isinstance(value, Inline):
        return value.width
    return struct.calcsize(f"<{value[0]}") if _is_inline(value) else 4


def _child(builder: Any, value: Any) -> int:
    if isinstance(value, str):
        return int(builder.CreateString(value, errors="surrogateescape"))
    if isinstance(value, (bytes, memoryview)):
        return _bytes(builder, value, 1, _WEIGHTS)
    if isinstance(value, Packed):
        return _bytes(builder, value.data, value.width, max(value.alignment, value.width))
    if isinstance(value, Mapping):
        return table(builder, value)
    if isinstance(value, tuple):
        code, numbers = value
        width = struct.calcsize(f"<{code}")
        return _bytes(builder, struct.pack(f"<{len(numbers)}{code}", *numbers), width, width)
    return vector(builder, [table(builder, item) for item in value])


def _bytes(builder: Any, data: bytes | memoryview, width: int, alignment: int) -> int:
    if width == 1:  # a string ends with a NUL that its length does not count
        builder.Prep(alignment, len(data) + 1)
        _place(builder, b"\0")
    builder.StartVector(width, len(data) // width, alignment)
    _place(builder, data)
    return int(builder.EndVector())


def _place(builder: Any, data: bytes | memoryview) -> None:
    """Put bytes in front of what is written, in room that the builder has made."""
    builder.head -= len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data
