"""The memory that the core shares with a worker (bindings/contract/README.md, section Shared memory); needs the standard library alone."""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
from collections.abc import Sequence
from typing import Any, TypeVar

_Buffer = TypeVar("_Buffer", bytes, bytearray, memoryview, "bytes | bytearray | memoryview")
EXTENSION = "shared_memory"
LARGE = 1 << 20  # bytes of a tensor from which on it goes through shared memory
_ALIGNMENT = 64


class MappedFile:
    """A file in memory, mapped as far as it goes; the core uses it, too."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._memory = descriptor, memoryview(b"")

    def memory(self, size: int = 0) -> memoryview:
        """All of it, and at least `size` bytes; raises OSError."""
        there = os.fstat(self._descriptor).st_size
        if size > there:
            os.ftruncate(self._descriptor, size)
        if max(size, there) > len(self._memory):
            self._memory = memoryview(mmap.mmap(self._descriptor, max(size, there)))
        return self._memory


@functools.cache
def _files() -> tuple[MappedFile, MappedFile] | None:
    """The core's requests and answers, if it passed them on: a worker behind ssh or in a container does not have them."""
    with contextlib.suppress(OSError, ValueError):
        requests, answers = map(int, os.environ.get("CROSSLOAD_SHARED_MEMORY", "").split(","))
        named = [os.readlink(f"/proc/self/fd/{descriptor}").partition(" ")[0] for descriptor in (requests, answers)]  # noqa: PTH115
        if named == ["/memfd:crossload-requests", "/memfd:crossload-answers"]:  # the numbers may be another file's by now
            return MappedFile(requests), MappedFile(answers)
    return None


def extensions() -> list[str]:
    """The extensions of the protocol that this module adds to a worker's."""
    return [EXTENSION] if _files() else []


def get(offset: Any, size: int) -> memoryview | None:
    """A tensor of a request; None where there is no such place."""
    files = _files()
    if files is None or type(offset) is not int or offset < 0:
        return None
    found = files[0].memory()[offset : offset + size]
    return found if len(found) == size else None


def put(entries: list[dict[str, Any]], buffers: list[memoryview]) -> list[memoryview]:
    """Write large tensors of an answer, where the core shares memory, and say so in their entries; returns those for the stream."""
    files = _files()
    return place(files[1], entries, buffers) if files else buffers


def place(file: MappedFile, entries: Sequence[dict[str, Any]], buffers: Sequence[_Buffer]) -> list[_Buffer]:
    """Write large tensors into a file of shared memory and say so in their entries; returns those for the stream."""
    large = [len(buffer) for buffer in buffers if len(buffer) >= LARGE]
    if not large:
        return list(buffers)
    memory = file.memory(sum(map(_aligned, large)))
    rest, offset = [], 0
    for entry, buffer in zip(entries, buffers, strict=True):
        if len(buffer) < LARGE:
            rest.append(buffer)
            continue
        memory[offset : offset + len(buffer)] = buffer
        entry["parameters"]["shared_memory_offset"] = offset
        offset += _aligned(len(buffer))
    return rest


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
