"""Frames on standard input and output (bindings/contract/README.md, section Frame) for workers; imports the standard library and NumPy."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import struct
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from . import shared_memory

if TYPE_CHECKING:
    import numpy as np

_MAX_HEADER = 64 << 20
_ALIGNMENT, _SMALL = 64, 4096
_F_SETPIPE_SZ = 1031  # linux/fcntl.h


Received = list[tuple[dict[str, Any], "np.ndarray"]]  # input tensors: the header's entry, and the bytes as uint8


class Malformed(Exception):
    """Bytes on standard input that are not a frame: the stream cannot be used any more."""


_ENCODER = json.JSONEncoder(separators=(",", ":"))  # json.dumps with options makes one each time, which a small call feels
_streams: tuple[io.BufferedReader, int] | None = None


def own_streams() -> tuple[io.BufferedReader, int]:
    """Take standard input and output for the protocol; all other output goes to standard error from now on."""
    global _streams  # noqa: PLW0603
    if _streams is None:
        source, target = os.dup(0), os.dup(1)
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        for descriptor in (source, target):
            _enlarge(descriptor)
        _streams = io.BufferedReader(io.FileIO(source), 1 << 16), target
    return _streams


def read(source: io.BufferedReader, itemsizes: Mapping[str, int]) -> tuple[dict[str, Any], Received] | None:
    """The next request's header and its input tensors' entries and bytes; None at the stream's end. Raises Malformed."""
    prefix = source.read(8)
    if not prefix:
        return None
    length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
    if not 0 < length <= _MAX_HEADER:
        raise Malformed(f"a frame cannot begin with {prefix!r}")
    text = source.read(length)
    if len(text) < length:
        raise Malformed("the stream ends inside a frame")
    try:
        header = json.loads(str(text, "utf-8"))  # json.loads would guess the encoding of bytes
        entries = [e for key in ("inputs", "outputs") for e in header.get(key) or [] if "binary_data_size" in e.get("parameters", {})]
        sizes = [int(e["parameters"]["binary_data_size"]) for e in entries]
        counts = [math.prod(e["shape"]) if min(e["shape"], default=0) >= 0 else -1 for e in entries]
        items = [itemsizes[e["datatype"]] for e in entries]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Malformed(f"a frame's header cannot be understood ({type(error).__name__}: {error})") from error
    received = []
    for entry, size, count, item in zip(entries, sizes, counts, items, strict=True):
        if count < 0 or size < 0 or (item and size != count * item):
            raise Malformed(f"tensor {entry.get('name')!r} of {size} bytes contradicts {entry['datatype']} {entry['shape']}")
        data = _room(size)
        if "shared_memory_offset" in entry["parameters"]:
            shared = shared_memory.get(entry["parameters"]["shared_memory_offset"], size)
            if shared is None:
                raise Malformed(f"tensor {entry.get('name')!r} is not in shared memory where its entry says")
            data.data[:] = shared  # a copy: a variable may keep the tensor, and the next request comes to the same place
        elif size and source.readinto(data.data) != size:
            raise Malformed("the stream ends inside a frame")
        received.append((entry, data))
    return header, received


def _room(size: int) -> np.ndarray:
    """Memory for a tensor, large ones aligned as TensorFlow and TensorFlow Lite want those that they shall not copy."""
    import numpy as np

    if size < _SMALL:
        return np.empty(size, dtype=np.uint8)
    room = np.empty(size + _ALIGNMENT, dtype=np.uint8)
    start = -room.__array_interface__["data"][0] % _ALIGNMENT
    return room[start : start + size]


def write(target: int, header: dict[str, Any], buffers: list[memoryview]) -> None:
    """Write one frame whole to a descriptor, the tensors' bytes without a copy."""
    text = _ENCODER.encode(header).encode()
    pending = [memoryview(struct.pack("<Q", len(text)) + text), *(b for b in buffers if len(b))]
    while pending:
        written = os.writev(target, pending[:64])
        while pending and written >= len(pending[0]):
            written -= len(pending.pop(0))
        if written:
            pending[0] = pending[0][written:]


def entry(name: str, datatype: str, shape: Iterable[int], size: int) -> dict[str, Any]:
    """The header's entry of a tensor that brings `size` bytes."""
    return {"name": name, "datatype": datatype, "shape": list(shape), "parameters": {"binary_data_size": size}}


def _enlarge(descriptor: int) -> None:
    """A pipe of 1 MiB: a sixteenth of the system calls for a large tensor (Linux; elsewhere, and for files, nothing happens)."""
    with contextlib.suppress(OSError, ImportError):
        import fcntl

        fcntl.fcntl(descriptor, _F_SETPIPE_SZ, 1 << 20)
