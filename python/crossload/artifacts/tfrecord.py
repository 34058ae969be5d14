"""TFRecord files: records of bytes, each with its length and two checksums (tensorflow/core/lib/io/record_writer.cc)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from crossload.artifacts.checkpoints.leveldb_table import masked
from crossload.errors import ArtifactError


def write(stream: BinaryIO, record: bytes) -> None:
    """Append one record: uint64 length, the length's masked CRC32C, the bytes, their masked CRC32C, all little-endian."""
    length = len(record).to_bytes(8, "little")
    for part in (length, _checksum(length), record, _checksum(record)):
        stream.write(part)


def read(path: Path) -> Iterator[bytes]:
    """The file's records; raises ArtifactError, during iteration, for a record that is cut off or has a wrong checksum."""
    try:
        with path.open("rb") as stream:
            yield from _records(path, stream)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}; check its permissions and its disk") from error


def _records(path: Path, stream: BinaryIO) -> Iterator[bytes]:
    left = os.fstat(stream.fileno()).st_size
    number = 0
    while left:
        number += 1
        head = stream.read(12)
        if len(head) < 12:
            raise _damage(path, number, "its length is cut off")
        if head[8:] != _checksum(head[:8]):
            raise _damage(path, number, "the checksum of its length is wrong; decompress a compressed file first")
        length = int.from_bytes(head[:8], "little")
        left -= length + 16
        if left < 0:
            raise _damage(path, number, f"its {length} bytes are cut off")
        record, checksum = stream.read(length), stream.read(4)
        if checksum != _checksum(record):
            raise _damage(path, number, "its checksum is wrong")
        yield record


def _damage(path: Path, number: int, cause: str) -> ArtifactError:
    return ArtifactError(f"{path} is not a TFRecord file, or is truncated or corrupt (record {number}: {cause}); copy or write it again")


def _checksum(data: bytes) -> bytes:
    return masked(google_crc32c.value(data)).to_bytes(4, "little")
