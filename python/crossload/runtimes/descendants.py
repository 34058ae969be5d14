"""The processes that a worker started: killed with it, also those that outlive it, left its process group or became daemons.

A process group reaches children, unless they call setsid. On Linux every descendant also carries a mark in its environment, which /proc
shows; elsewhere, the process group is all there is.
"""

from __future__ import annotations

import contextlib
import os
import signal

_VARIABLE = "CROSSLOAD_WORKER"
_MOST_ROUNDS = 20  # for descendants that start others while they are looked for


class Descendants:
    """Those of one process, which is started with `environment`, and may be the leader of a group."""

    def __init__(self) -> None:
        self.environment = {_VARIABLE: os.urandom(12).hex()}
        self._mark = f"{_VARIABLE}={self.environment[_VARIABLE]}".encode()

    def kill(self, group: int | None = None) -> None:
        """Kill the process group, and all that carry the mark."""
        if group is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        for _ in range(_MOST_ROUNDS):
            if not (found := self._living()):
                break
            for pid in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)

    def _living(self) -> list[int]:
        try:
            pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - a list of names is what is needed
        except OSError:
            return []
        return [pid for pid in pids if self._mark in _environment(pid).split(b"\0")]


def _environment(pid: int) -> bytes:
    """What a process was started with; nothing for another user's, and for one that has ended."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as stream:  # noqa: PTH123 - for each process of the machine
            return stream.read()
    except OSError:
        return b""
