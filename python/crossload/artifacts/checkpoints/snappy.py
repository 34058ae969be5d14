"""Unpacks Snappy blocks: LevelDB's tables may use Snappy compression, though TensorFlow writes its own without it.

Source: the Snappy compressed format description (google/snappy, format_description.txt).
"""

from __future__ import annotations


def unpack(data: bytes, most: int) -> bytes:
    """The uncompressed bytes; raises ValueError for damaged data, and for a result longer than `most`."""
    size, at = _size(data)
    if size > most:
        raise ValueError(f"it would be {size} bytes")
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        kind, length = tag & 3, tag >> 2
        if kind == 0:
            if length >= 60:  # the length is in the next 1 to 4 bytes
                wide = length - 59
                length, at = _number(data, at, wide), at + wide
            length += 1
            if at + length > len(data):
                raise ValueError("a literal is cut off")
            out += data[at : at + length]
            at += length
        else:
            wide = (1, 2, 4)[kind - 1]
            offset, at = _number(data, at, wide), at + wide
            if kind == 1:
                offset, length = (tag >> 5) << 8 | offset, (length & 7) + 4
            else:
                length += 1
            if not 0 < offset <= len(out):
                raise ValueError("a copy refers to bytes before the beginning")
            # A copy may overlap its own output: its bytes then repeat.
            source = bytes(out[len(out) - offset : len(out) - offset + length])
            out += (source * (length // len(source) + 1))[:length]
        if len(out) > size:
            break
    if len(out) != size:
        raise ValueError(f"it unpacks to {len(out)} bytes and states {size}")
    return bytes(out)


def _size(data: bytes) -> tuple[int, int]:
    size = 0
    for at, byte in enumerate(data[:5]):
        size |= (byte & 0x7F) << (7 * at)
        if byte < 0x80:
            return size, at + 1
    raise ValueError("its length does not decode")


def _number(data: bytes, at: int, wide: int) -> int:
    if at + wide > len(data):
        raise ValueError("a length is cut off")
    return int.from_bytes(data[at : at + wide], "little")
