"""Untrusted flatbuffers: no offset outside the data is followed, and memory stays bounded."""

from __future__ import annotations

import struct

import pytest

from crossload.artifacts.tflite.flatbuffer import Field, FlatbufferError, decode


def table(inline: int, field: int, rest: bytes) -> bytes:
    """A root table with one field: offset of the root, vtable, padding, the table."""
    return struct.pack("<IHHHHi", 12, 6, inline, field, 0, 8) + rest


def test_a_number_a_string_and_a_vector_are_read() -> None:
    assert decode(table(8, 4, struct.pack("<i", -7)), {"a": Field(0, "i")}) == {"a": -7}
    assert decode(table(8, 4, struct.pack("<II", 4, 2) + b"hi\0"), {"a": Field(0, "string")}) == {"a": "hi"}
    assert decode(table(8, 4, struct.pack("<IIhh", 4, 2, 5, -5)), {"a": Field(0, "h", vector=True)}) == {"a": [5, -5]}


def test_absent_fields_have_their_defaults() -> None:
    fields = {"b": Field(1, "i", default=3), "c": Field(2, "string"), "d": Field(3, "i", vector=True), "e": Field(4, {})}
    assert decode(table(8, 4, bytes(4)), fields) == {"b": 3, "c": None, "d": [], "e": None}


def test_a_table_that_ends_beyond_the_data_is_refused_even_without_fields_there() -> None:
    assert decode(table(8, 4, bytes(4)), {}) == {}
    with pytest.raises(FlatbufferError, match="9 bytes at 12"):
        decode(table(9, 4, bytes(4)), {})


@pytest.mark.parametrize(
    ("rest", "kind"),
    [
        (struct.pack("<II", 4, 2) + b"hi", "string"),  # its NUL is cut off
        (struct.pack("<II", 4, 3) + b"hi", "bytes"),
        (struct.pack("<I", 0xFFFFFFFF), "bytes"),
        (struct.pack("<I", 4), {}),
        (b"\1", "i"),
    ],
)
def test_offsets_outside_the_data_are_refused(rest: bytes, kind: str) -> None:
    with pytest.raises(FlatbufferError, match="it refers to"):
        decode(table(8, 4, rest) if len(rest) > 1 else table(5, 4, rest), {"a": Field(0, kind)})


def test_more_numbers_than_any_model_has_are_refused_before_they_are_read() -> None:
    count = (1 << 23) + 1
    data = table(8, 4, struct.pack("<II", 4, count) + bytes(count))
    assert decode(data, {"a": Field(0, "bytes")}) == {"a": (24, count)}
    with pytest.raises(FlatbufferError, match="more tables and numbers than any model"):
        decode(data, {"a": Field(0, "b", vector=True)})
