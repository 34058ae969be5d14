"""Sorted tables of keys and values on disk, in LevelDB's format: the index of a V2 checkpoint, and a V1 checkpoint's files.

Source: tensorflow/core/lib/io/format.h, block.cc and table_builder.cc. The file is blocks, an index of blocks, and a footer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from crossload.artifacts import content
from crossload.artifacts.checkpoints import snappy
from crossload.errors import ArtifactError

MAGIC = bytes.fromhex("57fb808b247547db")
_FOOTER = 48
_TRAILER = 5
# A million variables have an index of some 60 MB. A larger one is not an index, and shared prefixes let a small file decode to huge keys.
_MOST_BLOCK = 1 << 26
_MOST_KEYS = 1 << 27
_CHUNK = 1 << 20
_PLAIN, _SNAPPY = 0, 1


class Damage(ValueError):
    """Bytes that do not decode; the message is the cause without the file's name."""


def masked(crc: int) -> int:
    """A CRC32C in its stored form (tensorflow/core/lib/hash/crc32c.h), so that a checksum over data with checksums stays useful."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """The varint of at most 64 bits at `at`, and the position after it; raises Damage at the end of the data."""
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

    Raises ArtifactError, during iteration, for a file that is not a table, truncated or corrupt.
    """
    with _opened(path) as stream:
        yield from _entries(stream)


def first(path: Path) -> tuple[bytes, bytes]:
    """The table's first key and value; the checksum of its block is verified, but only the beginning of a large block is held in memory.

    Raises ArtifactError as `read` does, and for a table without entries.
    """
    with _opened(path) as stream:
        size, index_at, index_size = _footer(stream)
        for _, handle in _block(stream, index_at, index_size, size):
            offset, length, _ = _handle(handle, 0)
            if length <= _MOST_BLOCK:
                return next(_block(stream, offset, length, size), (b"", b""))
            return _beginning(stream, offset, length, size)
        raise Damage("it has no entries")


def find(path: Path, key: bytes) -> bytes | None:
    """The value of a key; reads and verifies only its block; None if the table does not have the key.

    Raises ArtifactError as `read` does.
    """
    with _opened(path) as stream:
        size, index_at, index_size = _footer(stream)
        # The index has, for each block, a key that is at least its last key and below the first key of the next block.
        for last, handle in _block(stream, index_at, index_size, size):
            if key <= last:
                offset, length, _ = _handle(handle, 0)
                return next((v for k, v in _block(stream, offset, length, size, size) if k == key), None)
    return None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as stream:
            yield stream
    except Damage as error:
        content.head(path)  # says so where the file is empty, or only a Git LFS pointer
        raise ArtifactError(f"{path} is a truncated or corrupt table of a checkpoint ({error}); copy the checkpoint again") from error
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}; check its permissions and its disk") from error
    except MemoryError:
        raise ArtifactError(f"{path} has a block that does not fit into memory; read it on a larger machine") from None


def _footer(stream: BinaryIO) -> tuple[int, int, int]:
    """The file's size, and the offset and size of its index of blocks."""
    size = stream.seek(0, os.SEEK_END)
    if size < _FOOTER:
        raise Damage(f"it has {size} bytes, its footer alone has {_FOOTER}")
    stream.seek(size - _FOOTER)
    footer = stream.read(_FOOTER)
    if footer[-len(MAGIC) :] != MAGIC:
        raise Damage("it does not end like a table")
    _, _, at = _handle(footer, 0)  # the metaindex block, which TensorFlow leaves empty
    index_at, index_size, _ = _handle(footer, at)
    return size, index_at, index_size


def _entries(stream: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    size, index_at, index_size = _footer(stream)
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
    """A block's offset and size, and the position after them."""
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return offset, size, at


def _block(stream: BinaryIO, offset: int, size: int, end: int, most: int = _MOST_BLOCK) -> Iterator[tuple[bytes, bytes]]:
    """A block's entries: a key shares a prefix with the one before; after them come the restarts, the offsets of keys in full."""
    if size > most or offset + size + _TRAILER > end:
        raise Damage(f"a block of {size} bytes at {offset} does not fit into it")
    stream.seek(offset)
    data, kind, checksum = stream.read(size), stream.read(1), stream.read(4)
    _check(offset, google_crc32c.extend(google_crc32c.value(data), kind), checksum)
    data = _unpacked(data, kind[0], offset)
    if len(data) < 4:
        raise Damage(f"the block at {offset} is too short")
    limit = len(data) - 4 - 4 * int.from_bytes(data[-4:], "little")
    if limit < 0:
        raise Damage(f"the block at {offset} has no room for its restarts")
    key, at = b"", 0
    while at < limit:
        shared, own, length, at = _lengths(data, at)
        if shared > len(key) or at + own + length > limit:
            raise Damage(f"an entry of the block at {offset} does not fit into it")
        key = key[:shared] + data[at : at + own]
        at += own + length
        yield key, data[at - length : at]


def _beginning(stream: BinaryIO, offset: int, size: int, end: int) -> tuple[bytes, bytes]:
    """The first entry of a block that is too large for memory."""
    if offset + size + _TRAILER > end:
        raise Damage(f"a block of {size} bytes at {offset} does not fit into it")
    stream.seek(offset)
    crc, left, kind = 0, size + 1, b""
    while left and (chunk := stream.read(min(left, _CHUNK))):
        crc, left, kind = google_crc32c.extend(crc, chunk), left - len(chunk), chunk[-1:]
    _check(offset, crc, stream.read(4))
    if kind != bytes([_PLAIN]):
        raise Damage(f"the block at {offset} is compressed and has more than {_MOST_BLOCK >> 20} MiB")
    stream.seek(offset)
    shared, own, length, at = _lengths(stream.read(30), 0)
    if shared or at + own + length > min(size, _MOST_BLOCK):
        raise Damage(f"an entry of the block at {offset} does not fit into it")
    stream.seek(offset + at)
    return stream.read(own), stream.read(length)


def _lengths(data: bytes, at: int) -> tuple[int, int, int, int]:
    """The lengths of an entry: bytes shared with the key before, the key's own, the value's; and the position after them."""
    shared, at = varint(data, at)
    own, at = varint(data, at)
    length, at = varint(data, at)
    return shared, own, length, at


def _check(offset: int, crc: int, stored: bytes) -> None:
    expected, computed = int.from_bytes(stored, "little"), masked(crc)
    if len(stored) != 4 or expected != computed:
        raise Damage(f"the checksum of the block at {offset} is wrong: {expected:#010x} is stored, {computed:#010x} computed")


def _unpacked(data: bytes, kind: int, offset: int) -> bytes:
    if kind == _PLAIN:
        return data
    if kind != _SNAPPY:
        raise Damage(f"the block at {offset} has an unknown compression (type {kind})")
    try:
        return snappy.unpack(data, _MOST_BLOCK)
    except ValueError as error:
        raise Damage(f"the block at {offset} is compressed and does not unpack: {error}") from error
