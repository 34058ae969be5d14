"""Sorted tables of keys and values on disk, in LevelDB's format, as TensorFlow writes the index of a checkpoint.

Source: tensorflow/core/lib/io/format.h, block.cc and table_builder.cc. The file is blocks, an index of blocks, and a footer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from crossload.errors import ArtifactError

MAGIC = bytes.fromhex("57fb808b247547db")
_FOOTER = 48
_TRAILER = 5
# A million variables have an index of some 60 MB. What is larger is no index, and prefixes let a small file spell out huge keys.
_MOST_BLOCK = 1 << 26
_MOST_KEYS = 1 << 27


class Damage(ValueError):
    """Bytes that do not decode; the message is the cause without the file's name."""


def masked(crc: int) -> int:
    """A CRC32C as it is stored (tensorflow/core/lib/hash/crc32c.h), so that a checksum of data with checksums in it stays useful."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """The number of at most 64 bits that begins at `at`, and where the next one begins; raises Damage at the end of the data."""
    value = shift = 0
    while shift < 64:
        if at >= len(data):
            raise Damage("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise Damage("a number is longer than 64 bits")


def read(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The table's keys and values, in the order of the keys; checksums are verified block by block.

    Raises ArtifactError, while it is read, for a file that is no table, truncated, corrupt, or compressed (TensorFlow's index never is).
    """
    try:
        with path.open("rb") as stream:
            yield from _entries(stream)
    except Damage as error:
        raise ArtifactError(f"{path} is a truncated or corrupt checkpoint index ({error}); copy the checkpoint again") from error
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}; check its permissions and its disk") from error


def _entries(stream: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    size = stream.seek(0, os.SEEK_END)
    if size < _FOOTER:
        raise Damage(f"it has {size} bytes, its footer alone has {_FOOTER}")
    stream.seek(size - _FOOTER)
    footer = stream.read(_FOOTER)
    if footer[-len(MAGIC) :] != MAGIC:
        raise Damage("its end is not that of an index")
    _, _, at = _handle(footer, 0)  # of a block that describes the others, which TensorFlow leaves empty
    index_at, index_size, _ = _handle(footer, at)
    last, end, keys = b"", 0, 0
    for _, handle in _block(stream, index_at, index_size, size):
        offset, length, _ = _handle(handle, 0)
        # Every block once, in order: otherwise a small file could name one block a million times.
        if offset < end:
            raise Damage("its blocks overlap")
        end = offset + length + _TRAILER
        for key, value in _block(stream, offset, length, size):
            if keys and key <= last:
                raise Damage("its keys are not in order")
            last = key
            keys += len(key) + 1
            if keys > _MOST_KEYS:
                raise Damage(f"its names have more than {_MOST_KEYS >> 20} MiB")
            yield key, value


def _handle(data: bytes, at: int) -> tuple[int, int, int]:
    """A block's offset and size, and what follows."""
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return offset, size, at


def _block(stream: BinaryIO, offset: int, size: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """A block's entries: keys share a prefix with the one before; behind them stand the restarts, where keys are written out."""
    if size > _MOST_BLOCK or offset + size + _TRAILER > end:
        raise Damage(f"a block of {size} bytes at {offset} does not fit into it")
    stream.seek(offset)
    data = stream.read(size + 1)
    checksum = stream.read(4)
    if len(data) != size + 1 or masked(google_crc32c.value(data)) != int.from_bytes(checksum, "little"):
        raise Damage(f"the checksum of the block at {offset} is wrong")
    if data[-1]:
        raise Damage(f"the block at {offset} is compressed (type {data[-1]}), which TensorFlow's never are")
    if size < 4:
        raise Damage(f"the block at {offset} is too short")
    limit = size - 4 - 4 * int.from_bytes(data[size - 4 : size], "little")
    if limit < 0:
        raise Damage(f"the block at {offset} has no room for its restarts")
    key, at = b"", 0
    while at < limit:
        shared, at = varint(data, at)
        own, at = varint(data, at)
        length, at = varint(data, at)
        if shared > len(key) or at + own + length > limit:
            raise Damage(f"an entry of the block at {offset} does not fit into it")
        key = key[:shared] + data[at : at + own]
        at += own + length
        yield key, data[at - length : at]
