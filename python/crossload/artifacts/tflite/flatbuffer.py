"""Flatbuffers from untrusted files: every offset and length is checked before use.

The library `flatbuffers` does not verify: a hostile length makes it loop, and it returns a truncated string shortened.
This module decodes a whole table, by a description of its fields, into a dict; bytes that are read twice (vectors may overlap) count
twice, so that a small file cannot expand to a large structure. Layout: "FlatBuffer Internals" of flatbuffers' documentation.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

Buffer = Any  # bytes, or an mmap of a file too large to copy
_coder = cache(struct.Struct)
_U16, _I32, _U32, _VTABLE = struct.Struct("<H"), struct.Struct("<i"), struct.Struct("<I"), struct.Struct("<HH")
# Real files share vtables, and sometimes a string or a vector, but do not decode to many times their size.
_SHARING = 8
# The limit of decoded numbers: the largest real models have some hundred thousand. A table costs as much memory as several numbers.
_MOST_NUMBERS = 1 << 23
_TABLE_NUMBERS = 16


class FlatbufferError(ValueError):
    """Bytes that are not a flatbuffer of the described form."""


class UnknownField(FlatbufferError):
    """A field that the description of its table does not have, in a file of a newer schema."""


@dataclass(frozen=True)
class Field:
    """A field of a table: its number in the schema and its kind.

    `kind` is a `struct` code for a number, `"string"`, `"bytes"` (only its extent, as (offset, length)), `"slots"` (a table of any
    kind, as in a union: the extents of its fields by their numbers), `"table"` (a table that is not read), or a description of a
    table's fields. `vector`: many of them.
    """

    number: int
    kind: str | Mapping[str, Field]
    vector: bool = False
    default: Any = 0


Fields = Mapping[str, Field]


def decode(data: Buffer, fields: Fields, *, complete: bool = False) -> dict[str, Any]:
    """The root table as a dict with an entry for every field; an absent field has its default, or None, or is empty.

    `complete`: the description has every field of every table; the dict has only those that are there, and one that is not described is
    an UnknownField. Raises FlatbufferError where an offset or a length points outside the data.
    """
    reader = _Reader(data, complete)
    return reader.table(reader.follow(0), fields)


def root_fields(data: Buffer) -> dict[int, int]:
    """The positions of the root table's fields in the data, by their numbers in the schema, without absent ones.

    Raises FlatbufferError where an offset points outside the data.
    """
    reader = _Reader(data)
    table = reader.follow(0)
    vtable = table - int(reader.number(_I32, table))
    count = (int(reader.number(_U16, vtable)) - 4) // 2
    offsets = {n: int(reader.number(_U16, vtable + 4 + 2 * n)) for n in range(count)}
    return {n: reader.span(table + offset, 4) for n, offset in offsets.items() if offset}


def follow(data: Buffer, at: int) -> int:
    """The target of the offset at `at`; raises FlatbufferError if it is outside the data."""
    reader = _Reader(data)
    return reader.span(reader.follow(at), 4)


def vector(data: Buffer, at: int) -> tuple[int, int]:
    """The first byte and the length of the vector or string whose offset is at `at`; raises FlatbufferError as `follow` does."""
    return _Reader(data).items(at, 1)


def numbers(data: Buffer, at: int, kind: str) -> list[Any]:
    """The vector of numbers of the `struct` code `kind` whose offset is at `at`; raises FlatbufferError as `follow` does."""
    found: list[Any] = _Reader(data).field(at, Field(0, kind, vector=True))
    return found


class _Reader:
    """The data, and the remaining budget for reading."""

    def __init__(self, data: Buffer, complete: bool = False) -> None:
        self.data = data
        self.complete = complete
        self.size = len(data)
        self.allowance = _SHARING * self.size + 1024
        self.numbers = _MOST_NUMBERS

    def span(self, at: int, count: int) -> int:
        """`at`, after a check that the next `count` bytes exist."""
        if not 0 <= at <= self.size - count:
            raise FlatbufferError(f"it refers to {count} bytes at {at}, but has {self.size} in all")
        self.allowance -= count
        if self.allowance < 0:
            raise FlatbufferError("it refers to the same bytes too often")
        return at

    def spend(self, numbers: int) -> None:
        self.numbers -= numbers
        if self.numbers < 0:
            raise FlatbufferError("it holds more tables and numbers than any model")

    def number(self, kind: struct.Struct, at: int) -> Any:
        return kind.unpack_from(self.data, self.span(at, kind.size))[0]

    def follow(self, at: int) -> int:
        """The target of the offset at `at`."""
        return at + int(self.number(_U32, at))

    def items(self, at: int, width: int) -> tuple[int, int]:
        """The first byte and the length of the vector whose offset is at `at`."""
        start = self.follow(at)
        count = int(self.number(_U32, start))
        return self.span(start + 4, count * width), count

    def table(self, at: int, fields: Fields) -> dict[str, Any]:
        self.spend(_TABLE_NUMBERS)
        vtable = at - int(self.number(_I32, at))
        length, size = _VTABLE.unpack_from(self.data, self.span(vtable, 4))
        self.span(at, size)
        slots = max(0, (length - 4) // 2)
        offsets = _coder(f"<{slots}H").unpack_from(self.data, self.span(vtable + 4, 2 * slots))
        if self.complete and any(offsets[len(fields) :]):
            unknown = next(n for n, offset in enumerate(offsets) if offset and n >= len(fields))
            raise UnknownField(f"field {unknown} of the table with {', '.join(fields)}")
        found = {}
        for name, field in fields.items():
            offset = offsets[field.number] if field.number < slots else 0
            if offset or not self.complete:
                found[name] = self.field(at + offset, field) if offset else _absent(field)
        return found

    def slots(self, at: int) -> dict[int, tuple[int, int]]:
        """Where the fields of a table begin and end; a field's padding counts as part of it."""
        self.spend(_TABLE_NUMBERS)
        vtable = at - int(self.number(_I32, at))
        count = (int(self.number(_U16, vtable)) - 4) // 2
        size = int(self.number(_U16, vtable + 2))
        self.span(at, size)
        self.spend(max(0, count))
        offsets = {n: int(self.number(_U16, vtable + 4 + 2 * n)) for n in range(count)}
        edges = sorted({*offsets.values(), size})
        if edges[-1] > size:
            raise FlatbufferError("a table has a field beyond its end")
        return {n: (at + offset, at + edges[edges.index(offset) + 1]) for n, offset in offsets.items() if 0 < offset < size}

    def field(self, at: int, field: Field) -> Any:
        if isinstance(field.kind, str) and len(field.kind) == 1:
            kind = _coder(f"<{field.kind}")
            if not field.vector:
                return self.number(kind, at)
            start, count = self.items(at, kind.size)
            self.spend(count)
            return list(struct.unpack_from(f"<{count}{field.kind}", self.data, start))
        if not field.vector:
            return self.value(at, field.kind)
        start, count = self.items(at, 4)
        self.spend(count)
        return [self.value(start + 4 * n, field.kind) for n in range(count)]

    def value(self, at: int, kind: str | Fields) -> Any:
        if kind == "string":
            start, count = self.items(at, 1)
            # A string ends with a NUL that its length does not count.
            self.span(start + count, 1)
            return self.data[start : start + count].decode("utf-8", "surrogateescape")
        if kind == "bytes":
            return self.items(at, 1)
        if kind == "slots":
            return self.slots(self.follow(at))
        if isinstance(kind, str):
            return self.table(self.follow(at), {})
        return self.table(self.follow(at), kind)


def _absent(field: Field) -> Any:
    if field.vector:
        return []
    return field.default if isinstance(field.kind, str) and len(field.kind) == 1 else None
