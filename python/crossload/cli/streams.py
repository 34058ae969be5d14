"""Standard streams that may be closed or go away: the command goes on, writes its files, and ends with its own exit status."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, TextIO

_GONE = (errno.EPIPE, errno.EIO, errno.EBADF, errno.ECONNRESET)  # the reader has what it wanted, or the terminal was closed
failures: list[str] = []  # why something that was printed did not arrive: a full disk, not a reader that went away


def protect() -> None:
    """Open the standard streams that are closed, and make sys.stdout and sys.stderr streams to which a write never fails."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # `>&-`; the lowest free number is this one, which another file would get, and what is printed
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - it lives as long as the process
    sys.stdout, sys.stderr = _lasting(sys.stdout, 1), _lasting(sys.stderr, 2)


class _Lasting(io.FileIO):
    """A descriptor that is the null device once a write to it has failed, also for what libraries and child processes print."""

    def write(self, data: Any) -> Any:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _GONE:
                failures.append(f"standard {'output' if self.fileno() == 1 else 'error'}: {error.strerror}")
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self.fileno())
            os.close(nothing)
            return len(data)


def _lasting(stream: TextIO | None, descriptor: int) -> TextIO:
    raw = _Lasting(descriptor, "wb", closefd=False)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    # A terminal that cannot show a character prints its escape.
    buffer = io.BufferedWriter(raw)
    return io.TextIOWrapper(buffer, encoding, "backslashreplace", line_buffering=descriptor == 2 or raw.isatty())
