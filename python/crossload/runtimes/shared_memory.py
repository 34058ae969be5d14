"""Memory that the core shares with one worker, for tensors larger than a pipe (bindings/contract/README.md, section Shared memory)."""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from crossload.contract.frames import Buffer

if TYPE_CHECKING:
    from crossload.workers.kit.shared_memory import MappedFile

LARGE = 1 << 20  # the size of the pipe: anything smaller is there with one system call
EXTENSION = "shared_memory"
_VARIABLE = "CROSSLOAD_SHARED_MEMORY"


class SharedMemory:
    """Two files in memory: `requests`, which the core writes, and `answers`, which the worker writes.

    Nobody can shorten them (F_SEAL_SHRINK): a mapped page that is gone would end the core with SIGBUS.
    """

    def __init__(self) -> None:
        """Raises OSError or AttributeError where the system has no sealed files in memory (anything but Linux)."""
        self.descriptors: tuple[int, ...] = (_sealed("crossload-requests"), _sealed("crossload-answers"))

    @property
    def environment(self) -> dict[str, str]:
        """How the worker, which inherits the descriptors, learns of them."""
        return {_VARIABLE: ",".join(map(str, self.descriptors))}

    def put(self, header: dict[str, Any], buffers: Sequence[Buffer]) -> tuple[dict[str, Any], Sequence[Buffer]]:
        """Write the large inputs of a request; returns the header that says where they are, and the buffers that go by the pipe."""
        if all(len(buffer) < LARGE for buffer in buffers):
            return header, buffers
        from crossload.workers.kit import shared_memory

        entries = [{**entry, "parameters": dict(entry["parameters"])} for entry in header["inputs"]]
        rest = shared_memory.place(self._files[0], entries, buffers)
        return {**header, "inputs": entries}, rest

    def get(self, offset: int, size: int) -> Buffer:
        """A copy of an answer's bytes, which the worker cannot change any more; fewer where the file ends."""
        there = self._files[1].memory()[offset : offset + size]
        copy = room(len(there))
        copy[:] = there
        return copy

    @cached_property
    def _files(self) -> tuple[MappedFile, MappedFile]:
        from crossload.workers.kit.shared_memory import MappedFile

        return MappedFile(self.descriptors[0]), MappedFile(self.descriptors[1])

    def close(self) -> None:
        """Free the memory, once the worker has ended too; once more does nothing: the numbers may be another file's by then."""
        self.__dict__.pop("_files", None)
        descriptors, self.descriptors = self.descriptors, ()
        for descriptor in descriptors:
            os.close(descriptor)


def _sealed(name: str) -> int:
    import fcntl

    descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    return descriptor


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
