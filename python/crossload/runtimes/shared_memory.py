"""Memory that the core shares with one worker, for tensors larger than a pipe (bindings/contract/README.md, section Shared memory)."""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Sequence
from typing import Any

from crossload.contract.frames import Buffer

LARGE = 1 << 20  # the size of the pipe: anything smaller is there with one system call
EXTENSION = "shared_memory"
_VARIABLE = "CROSSLOAD_SHARED_MEMORY"
_ALIGNMENT = 64


class SharedMemory:
    """Two files in memory: `requests`, which the core writes, and `answers`, which the worker writes.

    Nobody can shorten them (F_SEAL_SHRINK): a mapped page that is gone would end the core with SIGBUS.
    """

    def __init__(self) -> None:
        """Raises OSError or AttributeError where the system has no sealed files in memory (anything but Linux)."""
        self.requests, self.answers = _File("crossload-requests"), _File("crossload-answers")

    @property
    def descriptors(self) -> tuple[int, int]:
        """What the worker inherits."""
        return self.requests.descriptor, self.answers.descriptor

    @property
    def environment(self) -> dict[str, str]:
        """How the worker learns of them."""
        return {_VARIABLE: f"{self.requests.descriptor},{self.answers.descriptor}"}

    def put(self, header: dict[str, Any], buffers: Sequence[Buffer]) -> tuple[dict[str, Any], Sequence[Buffer]]:
        """Write the large inputs of a request; returns the header that says where they are, and the buffers that go by the pipe."""
        if all(len(buffer) < LARGE for buffer in buffers):
            return header, buffers
        entries, rest, offset = [], [], 0
        self.requests.grow(sum(_aligned(len(buffer)) for buffer in buffers))
        for entry, buffer in zip(header["inputs"], buffers, strict=True):
            if len(buffer) < LARGE:
                entries.append(entry)
                rest.append(buffer)
                continue
            self.requests.memory()[offset : offset + len(buffer)] = buffer
            entries.append({**entry, "parameters": {**entry["parameters"], "shared_memory_offset": offset}})
            offset += _aligned(len(buffer))
        return {**header, "inputs": entries}, rest

    def get(self, offset: int, size: int) -> Buffer:
        """A copy of an answer's bytes, which the worker cannot change any more; fewer where the file ends."""
        there = self.answers.memory()[offset : offset + size]
        copy = room(len(there))
        copy[:] = there
        return copy

    def close(self) -> None:
        """Free the memory, once the worker has ended too."""
        self.requests.close()
        self.answers.close()


class _File:
    """A file in memory, mapped as far as it goes."""

    def __init__(self, name: str) -> None:
        import fcntl

        self.descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
        self._memory = memoryview(b"")

    def grow(self, size: int) -> None:
        """Make the file at least this long; raises OSError."""
        if size > os.fstat(self.descriptor).st_size:
            os.ftruncate(self.descriptor, size)

    def memory(self) -> memoryview:
        """All of it."""
        size = os.fstat(self.descriptor).st_size
        if size > len(self._memory):
            self._memory = memoryview(mmap.mmap(self.descriptor, size))
        return self._memory

    def close(self) -> None:
        self._memory = memoryview(b"")
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


def room(size: int) -> memoryview:
    """Memory for `size` bytes, of which the system gives a page when it is written: an announced size costs nothing.

    In large pages where the system has them, which makes a copy of 64 MiB three times faster. Raises MemoryError.
    """
    if size < LARGE:
        return memoryview(bytearray(size))
    try:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, OverflowError, ValueError) as error:
        raise MemoryError(f"{size} bytes") from error
    with contextlib.suppress(OSError, AttributeError):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(memory)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
