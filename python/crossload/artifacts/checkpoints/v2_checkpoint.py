"""V2 checkpoints (tensor bundles): the index's entry of each tensor, and the values in the shards.

Sources: tensorflow/core/protobuf/tensor_bundle.proto; tensorflow/core/util/tensor_bundle/tensor_bundle.cc (strings, checksums, endianness)
and naming.h (file names).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import google_crc32c

from crossload.artifacts.checkpoints import leveldb_table, slices
from crossload.artifacts.checkpoints.checkpoint_protos import messages
from crossload.artifacts.checkpoints.slices import Slice
from crossload.artifacts.graphs import protos
from crossload.contract import datatypes
from crossload.contract.datatypes import from_enum, numpy_dtype
from crossload.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np

_VERSION = 1
_PIECE = 4 << 20
_MOST_TENSORS = 1 << 20
_MOST_PART_KEYS = 1 << 27  # bytes: every part repeats its variable's name
_MOST_SHARDS = 99_999  # five digits of a name


@dataclass(frozen=True)
class Entry:
    """The index's entry of a tensor, or of a part of one: its shape, and where its bytes are in the shards.

    `slices` are the parts of a partitioned variable; the parts' own entries have the bytes.
    """

    datatype: str
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int
    slices: tuple[Slice, ...]


@dataclass(frozen=True)
class Bundle:
    """An index: `shards` are the names of its data files, `parts` the keys of parts, which are not variables."""

    index: Path
    shards: tuple[str, ...]
    entries: dict[bytes, Entry]
    parts: frozenset[bytes]
    big_endian: bool = False

    def tensors(self) -> Iterator[tuple[str, str, tuple[int, ...], int, tuple[Slice, ...]]]:
        """Name, datatype, shape, bytes and parts of each variable, in the order of the names' bytes."""
        for key, entry in self.entries.items():
            if key not in self.parts:
                there = (self.entries.get(slices.part_key(key, part)) for part in entry.slices)
                size = sum(part.size for part in there if part) if entry.slices else entry.size
                parts = tuple(slices.extents(part, entry.shape) for part in entry.slices)
                yield key.decode("utf-8", "surrogateescape"), entry.datatype, entry.shape, size, parts

    @cached_property
    def needed_bytes(self) -> dict[str, int]:
        """The minimum length of each shard."""
        needed = dict.fromkeys(self.shards, 0)
        for entry in self.entries.values():
            shard = self.shards[entry.shard]
            needed[shard] = max(needed[shard], entry.offset + entry.size)
        return needed

    @cached_property
    def held_bytes(self) -> int:
        """The bytes of the shards that hold something."""
        return sum(_file_size(self.index.parent / self.shards[n]) for n in {entry.shard for entry in self.entries.values()})

    def tensor(self, name: str) -> np.ndarray:
        """A variable's value; raises KeyError for an unknown one, Damage or ArtifactError for damaged bytes."""
        key = name.encode("utf-8", "surrogateescape")
        whole = self.entries[key]
        if not whole.slices:
            return self._read(name, whole)
        parts = []
        for part in whole.slices:
            extents = slices.extents(part, whole.shape)
            entry = self.entries.get(slices.part_key(key, part))
            if entry is None or entry.datatype != whole.datatype or entry.shape != tuple(length for _, length in extents) or entry.slices:
                raise leveldb_table.Damage(f"its part {list(extents)} is not in the index, or has another datatype or shape")
            _check_size(entry)
            parts.append((extents, entry))
        # The parts' bytes bound the memory of the whole, unless they are counted twice.
        if sum(entry.size for _, entry in parts) > self.held_bytes:
            raise leveldb_table.Damage("its parts have more bytes than the shards")
        return slices.joined(
            whole.shape,
            numpy_dtype(whole.datatype),
            [(at, lambda entry=entry: self._read(name, entry)) for at, entry in parts],  # type: ignore[misc]
        )

    def chunks(self, name: str) -> Iterator[bytes] | None:
        """A variable's little-endian bytes in row-major order, piece by piece; the checksum is verified after the last.

        None for those that `tensor` must put together: strings, bools, parts, big-endian values. Raises as `tensor` does.
        """
        entry = self.entries[name.encode("utf-8", "surrogateescape")]
        if entry.slices or self.big_endian or entry.datatype in ("BYTES", "BOOL") or entry.datatype.startswith("DT_"):
            return None
        _check_size(entry)
        return self._verified(name, entry)

    def _verified(self, name: str, entry: Entry) -> Iterator[bytes]:
        crc = 0
        for data in self._pieces(name, entry, _PIECE):
            crc = google_crc32c.extend(crc, data)
            yield data
        self._check(name, entry, crc)

    def _read(self, name: str, entry: Entry) -> np.ndarray:
        import numpy as np

        if entry.datatype.startswith("DT_"):
            raise ArtifactError(f"{self.index}: the tensor {name!r} has no values to read: its datatype is {entry.datatype}")
        _check_size(entry)
        count = math.prod(entry.shape)
        data = b"".join(self._pieces(name, entry, max(1, entry.size)))
        # Checksums cover the bytes as stored in the file.
        texts, crc = strings(data, count, self.big_endian) if entry.datatype == "BYTES" else ([], google_crc32c.value(data))
        self._check(name, entry, crc)
        if entry.datatype == "BYTES":
            array = np.empty(count, object)
            array[:] = texts
        elif entry.datatype == "BOOL":
            # Any nonzero byte of a bool is true, as in TensorFlow.
            array = np.frombuffer(data, np.uint8).astype(bool)
        elif self.big_endian:
            dtype = numpy_dtype(entry.datatype)
            # A complex number is two numbers of half its size. ml_dtypes' types have no byte order, so the bytes are swapped.
            wide = dtype.itemsize // (2 if dtype.kind == "c" else 1)
            array = np.frombuffer(data, np.uint8).reshape(-1, wide)[:, ::-1].reshape(-1).view(dtype)
        else:
            array = np.frombuffer(data, numpy_dtype(entry.datatype))
        return array.reshape(entry.shape)

    def _check(self, name: str, entry: Entry, crc: int) -> None:
        if (computed := leveldb_table.masked(crc)) != entry.crc:
            raise ArtifactError(
                f"{self.index.parent / self.shards[entry.shard]} is corrupt: the checksum of the tensor {name!r} is wrong "
                f"({entry.crc:#010x} is stored, {computed:#010x} computed); copy the checkpoint again"
            )

    def _pieces(self, name: str, entry: Entry, most: int) -> Iterator[bytes]:
        """An entry's bytes, at most so many at a time; raises ArtifactError where the shard does not have all of them."""
        shard = self.index.parent / self.shards[entry.shard]
        try:
            with shard.open("rb") as stream:
                there = stream.seek(0, os.SEEK_END)
                if entry.offset + entry.size > there:
                    raise ArtifactError(
                        f"{shard} is too short for the tensor {name!r}, which ends at byte {entry.offset + entry.size:,}: "
                        f"the file has {there:,}; copy the checkpoint again"
                    )
                stream.seek(entry.offset)
                left = entry.size
                while left:
                    data = stream.read(min(left, most))
                    if not data:
                        raise ArtifactError(f"{shard} became shorter while the tensor {name!r} was read; copy the checkpoint again")
                    left -= len(data)
                    yield data
        except FileNotFoundError:
            raise ArtifactError(f"{shard} is missing; it holds the tensor {name!r}; copy all files of the checkpoint") from None
        except OSError as error:
            raise ArtifactError(f"{shard} cannot be read for the tensor {name!r}: {error.strerror}; check its permissions") from error


def read(index: Path, stem: str) -> Bundle:
    """Read an index whose shards' names begin with `stem`; raises ArtifactError if it is damaged or of a newer version."""
    header, entries = None, dict[bytes, Entry]()
    parts: set[bytes] = set()
    part_keys = 0
    for key, value in leveldb_table.read(index):
        if len(entries) == _MOST_TENSORS:
            raise ArtifactError(f"{index} lists more than {_MOST_TENSORS:,} tensors; it is corrupt")
        if not key:
            header = _header(index, value)
            continue
        if header is None:
            break
        entries[key] = entry = _entry(index, key, value, header.num_shards)
        part_keys += len(entry.slices) * len(key)
        if part_keys > _MOST_PART_KEYS:
            raise _corrupt(index, "its variables have too many parts")
        parts.update(slices.part_key(key, part) for part in entry.slices)
    if header is None:
        raise ArtifactError(f"{index} is not a checkpoint index, or is corrupt: it has no header; copy the checkpoint again")
    shards = tuple(f"{stem}.data-{n:05}-of-{header.num_shards:05}" for n in range(header.num_shards))
    return Bundle(index, shards, entries, frozenset(parts), header.endianness == 1)


def _header(index: Path, value: bytes) -> Any:
    header = _parsed(index, "BundleHeaderProto", value, "its header")
    if header.version.min_consumer > _VERSION:
        raise ArtifactError(f"{index} needs bundle version {header.version.min_consumer}, newer than TensorFlow's {_VERSION}")
    if not 0 < header.num_shards <= _MOST_SHARDS:
        raise _corrupt(index, f"it has {header.num_shards} shards")
    return header


def _entry(index: Path, key: bytes, value: bytes, shards: int) -> Entry:
    what = f"the entry of {key.decode('utf-8', 'surrogateescape')[:200]!r}"
    proto = _parsed(index, "BundleEntryProto", value, what)
    shape = protos.shape(proto.shape)
    if shape is None or -1 in shape or len(shape) > slices.MOST_DIMENSIONS:
        raise _corrupt(index, f"{what} has no whole shape")
    if not 0 <= proto.shard_id < shards or proto.offset < 0 or proto.size < 0:
        raise _corrupt(index, f"{what} points outside of the {shards} shards")
    parts = tuple(slices.of_proto(part) for part in proto.slices)
    if not all(slices.is_inside(part, shape) for part in parts):
        raise _corrupt(index, f"{what} has a part outside of its shape")
    return Entry(from_enum(proto.dtype), shape, proto.shard_id, proto.offset, proto.size, proto.crc32c, parts)


def _parsed(index: Path, message: str, value: bytes, what: str) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return messages()[message].FromString(value)
    except (DecodeError, RuntimeError) as error:
        raise _corrupt(index, f"{what} does not decode") from error


def _corrupt(index: Path, cause: str) -> ArtifactError:
    return ArtifactError(f"{index} is a corrupt checkpoint index ({cause}); copy the checkpoint again")


def _check_size(entry: Entry) -> None:
    """Raises Damage, before it allocates memory, where the bytes cannot fill the shape (a string has at least a byte of length)."""
    least = math.prod(entry.shape) * (datatypes.size(entry.datatype) or 1)
    if least > entry.size or (least < entry.size and entry.datatype != "BYTES"):
        raise leveldb_table.Damage(f"{entry.size} bytes do not fill the shape {list(entry.shape)}")


def _file_size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def strings(data: bytes, count: int, big_endian: bool = False) -> tuple[list[bytes], int]:
    """A string tensor's elements and its CRC32C, computed over the lengths as fixed integers, their checksum, and the strings.

    On disk: the lengths as varints, their masked checksum, the strings (tensor_bundle.cc, WriteStringTensor). Raises Damage.
    """
    if count > len(data):
        raise leveldb_table.Damage(f"{len(data)} bytes do not hold {count} strings")
    order = "big" if big_endian else "little"
    at, lengths = 0, []
    for _ in range(count):
        length, at = leveldb_table.varint(data, at)
        lengths.append(length)
    crc = google_crc32c.value(b"".join(n.to_bytes(4 if n < 1 << 32 else 8, order) for n in lengths))  # type: ignore[arg-type]
    stored, at = data[at : at + 4], at + 4
    if int.from_bytes(stored, order) != leveldb_table.masked(crc):  # type: ignore[arg-type]
        raise leveldb_table.Damage("the checksum of its strings' lengths is wrong")
    if at + sum(lengths) != len(data):
        raise leveldb_table.Damage(f"its strings do not fill its {len(data)} bytes")
    crc = google_crc32c.extend(google_crc32c.extend(crc, stored), data[at:])
    found = []
    for length in lengths:
        found.append(data[at : at + length])
        at += length
    return found, crc
