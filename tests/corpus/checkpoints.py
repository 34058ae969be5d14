"""V2 checkpoints made byte by byte: tables, index entries, shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest

from crossload import artifacts
from crossload.artifacts.checkpoints import checkpoint, leveldb_table, slices
from crossload.artifacts.checkpoints.checkpoint_protos import messages
from crossload.errors import ArtifactError

FLOAT, STRING, INT32 = 1, 7, 3

WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3)


def varint(number: int) -> bytes:
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80]) + varint(number >> 7)


def block(entries: dict[bytes, bytes], kind: int = 0, more: bytes = b"") -> bytes:
    """A block with keys in full, its type and its checksum."""
    body = b"".join(b"\0" + varint(len(k)) + varint(len(v)) + k + v for k, v in entries.items())
    data = body + more + (0).to_bytes(4, "little") + (1).to_bytes(4, "little")
    # Snappy's literal: the length, and a tag that repeats the length.
    data = (varint(len(data)) + b"\xfc" + (len(data) - 1).to_bytes(4, "little") + data if kind == 1 else data) + bytes([kind])
    return data + leveldb_table.masked(google_crc32c.value(data)).to_bytes(4, "little")


def index(entries: dict[bytes, bytes], kind: int = 0, more: bytes = b"") -> bytes:
    """A table of one block."""
    data = block(entries, kind, more)
    top = block({b"\xff": b"\0" + varint(len(data) - 5)})
    handles = b"\0\0" + varint(len(data)) + varint(len(top) - 5)
    return data + top + handles.ljust(40, b"\0") + leveldb_table.MAGIC


def header(**fields: Any) -> bytes:
    data: bytes = messages()["BundleHeaderProto"](**{"num_shards": 1, **fields}).SerializeToString()
    return data


def entry(data: bytes, dtype: int, shape: tuple[int, ...], offset: int = 0, size: int | None = None, parts: tuple[Any, ...] = ()) -> bytes:
    made = messages()["BundleEntryProto"](dtype=dtype, offset=offset, size=len(data) if size is None else size)
    made.crc32c = leveldb_table.masked(google_crc32c.value(data))
    made.shape.SetInParent()
    for dimension in shape:
        made.shape.dim.add(size=dimension)
    for part in parts:
        added = made.slices.add()
        for start, length in part:
            added.extent.add(start=start, length=length)
    written: bytes = made.SerializeToString()
    return written


def write(prefix: Path, entries: dict[bytes, bytes], data: bytes = WEIGHTS.tobytes(), **fields: Any) -> Path:
    prefix.with_name(f"{prefix.name}.index").write_bytes(index({b"": header(**fields), **entries}))
    prefix.with_name(f"{prefix.name}.data-00000-of-00001").write_bytes(data)
    return prefix


def small(folder: Path) -> Path:
    return write(folder / "ckpt", {b"dense/kernel": entry(WEIGHTS.tobytes(), FLOAT, (4, 3))})


def refusal(path: Path, tensor: str | None = None) -> str:
    with pytest.raises(ArtifactError) as caught:
        found = artifacts.read(path)
        assert isinstance(found, checkpoint.Checkpoint)
        if tensor is not None:
            found.tensor(tensor)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def varied(folder: Path) -> tuple[Path, bytes]:
    """A checkpoint with a string tensor and a partitioned variable."""
    lengths = b"\2\0\1"
    crc = google_crc32c.value(b"".join(n.to_bytes(4, "little") for n in lengths))
    stored = leveldb_table.masked(crc).to_bytes(4, "little")
    texts = lengths + stored + b"abc"
    part = ((0, 4), (0, 3))
    over = b"".join(n.to_bytes(4, "little") for n in lengths) + stored + b"abc"
    entries = {
        slices.part_key(b"v", part): entry(WEIGHTS.tobytes(), FLOAT, (4, 3)),
        b"s": entry(over, STRING, (3,), offset=48, size=len(texts)),
        b"v": entry(b"", FLOAT, (4, 3), parts=(part,)),
    }
    prefix = write(folder / "ckpt", entries, WEIGHTS.tobytes() + texts)
    return prefix, prefix.with_name("ckpt.index").read_bytes()
