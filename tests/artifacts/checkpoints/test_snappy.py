"""Snappy: every valid encoding is unpacked, and damaged bytes are refused before they take memory."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload.artifacts.checkpoints import snappy

MOST = 1 << 16


def varint(number: int) -> bytes:
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80]) + varint(number >> 7)


def literal(data: bytes, wide: int) -> bytes:
    """A literal with its length in the tag, or in the `wide` bytes after it."""
    if not wide:
        return bytes([(len(data) - 1) << 2]) + data
    return bytes([(59 + wide) << 2]) + (len(data) - 1).to_bytes(wide, "little") + data


def copy(offset: int, length: int, kind: int) -> bytes:
    if kind == 1:
        return bytes([offset >> 8 << 5 | (length - 4) << 2 | 1, offset & 0xFF])
    return bytes([(length - 1) << 2 | kind]) + offset.to_bytes(2 * (kind - 1), "little")


@given(data=st.data())
def test_literals_and_copies_of_every_form_are_unpacked(data: st.DataObject) -> None:
    out, packed = bytearray(), b""
    for _ in range(data.draw(st.integers(1, 12))):
        if out and data.draw(st.booleans()):
            kind = data.draw(st.sampled_from([1, 2, 3]))
            offset = data.draw(st.integers(1, min(len(out), 2047)))
            length = data.draw(st.integers(4, 11) if kind == 1 else st.integers(1, 64))
            packed += copy(offset, length, kind)
            for _ in range(length):
                out.append(out[-offset])
        else:
            own = data.draw(st.binary(min_size=1, max_size=60))
            packed += literal(own, data.draw(st.integers(0, 4)))
            out += own
    assert snappy.unpack(varint(len(out)) + packed, MOST) == out


@given(st.binary(max_size=80))
def test_any_bytes_are_unpacked_or_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert len(snappy.unpack(data, MOST)) <= MOST


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (varint(MOST + 1), "65537 bytes"),
        (b"", "length does not decode"),
        (b"\x05" + literal(b"abc", 0), "unpacks to 3 bytes and states 5"),
        (b"\x02" + literal(b"abc", 0), "unpacks to 3 bytes and states 2"),
        (b"\x03" + literal(b"abc", 0)[:-1], "a literal is cut off"),
        (b"\x07" + literal(b"abc", 0) + copy(4, 4, 2), "before the beginning"),
        (b"\x07" + literal(b"abc", 0) + copy(0, 4, 2), "before the beginning"),
        (b"\x07" + literal(b"abc", 0) + b"\x0e", "a length is cut off"),
    ],
)
def test_errors_name_the_damage(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        snappy.unpack(data, MOST)
