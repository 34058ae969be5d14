"""One worker process and its protocol: a request, its answer, a time limit, and the true cause of its end.

A stream that owes an answer is never used again, so that an answer cannot be off by one: every failure here ends the process.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload.contract import frames
from crossload.contract.outcomes import Outcome, Phase
from crossload.errors import FrameError, WorkerFailure
from crossload.runtimes.descendants import Descendants
from crossload.runtimes.shared_memory import EXTENSION, SharedMemory, room
from crossload.support import temporary

if TYPE_CHECKING:
    from crossload.runtimes.walls.stage import Stage

_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031  # fcntl.h of Linux; a bigger pipe halves the system calls of a large tensor
_MEMORY_CHECK_SECONDS = 0.1
_EXIT_SECONDS = 10.0
_AWAKE_SECONDS = 0.0005  # sleeping and waking costs as much as a small model's answer, so busy-wait this long first
_STDERR_BYTES = 64 << 10  # the size of the kept tail, with or without line breaks
_LONGEST_WAIT_SECONDS = 60.0
FILTER = "{filter}"
MEMORY = "CROSSLOAD_MEMORY_LIMIT"  # for a process that stands for a container, whose memory the core does not see


@dataclass(frozen=True)
class Launch:
    """How to start a worker; one behind a wall sees the artifacts of its `stage` alone.

    The word FILTER of `argv` becomes the descriptor from which the process reads `filter`. `ends` is called
    before the process is killed: it ends what runs elsewhere, first, because a fork bomb there slows down all else; it says what it met.
    `memory` (bytes) and `processes` are what it and its children may have, where the kernel does not count them itself.
    `about` is what the worker cannot know of itself, and its identity says.
    A worker that must be of a `release` and says another is not the one that was asked for: `mend` is the next step.
    """

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    stage: Stage | None = None
    filter: bytes | None = None
    ends: Callable[[], str] | None = None
    memory: int | None = None
    processes: int | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    release: str = ""
    mend: str = ""


class Worker:
    """A live process that speaks the worker protocol."""

    def __init__(self, launch: Launch, memory_limit: int | None = None) -> None:
        """Start the process; raises WorkerFailure (`crash`, phase `start`) if it cannot be started."""
        self._memory_limit = memory_limit or launch.memory
        self._process_limit = launch.processes
        self._ends = launch.ends
        self._next_id = 0
        self._cancelled = False
        self._stream_ended = False
        self._memory_checked = 0.0
        self._awake_until = 0.0
        self._shared: SharedMemory | None = None
        self._shares = False
        self._descendants = Descendants()
        self._held = contextlib.ExitStack()
        # Its own $TMPDIR: a library deletes its temporary files at the end, which a killed process does not reach.
        own = dict(self._descendants.environment)
        with contextlib.suppress(OSError):
            own["TMPDIR"] = str(self._held.enter_context(temporary.scratch()))
        with contextlib.suppress(OSError, AttributeError):
            self._shared = SharedMemory()
        handed = [_in_memory(launch.filter)] if launch.filter else []
        try:
            self._process = subprocess.Popen(
                [str(handed[0]) if word == FILTER else word for word in launch.argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env={
                    **os.environ,
                    **own,
                    **launch.environment,
                    **({MEMORY: str(memory_limit)} if memory_limit else {}),
                    **(self._shared.environment if self._shared else {}),
                },
                cwd=launch.cwd,
                pass_fds=(*handed, *(self._shared.descriptors if self._shared else ())),
                start_new_session=True,  # Ctrl-C reaches the core alone, and killpg reaches the worker's own children
            )
        except (OSError, ValueError) as error:
            self._held.close()
            if self._shared:
                self._shared.close()
            reason = getattr(error, "strerror", None) or error
            raise WorkerFailure("crash", "start", f"the worker cannot be started: {launch.argv[0]}: {reason}") from error
        finally:
            for descriptor in handed:
                os.close(descriptor)
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        for descriptor in (self._in, self._out):
            os.set_blocking(descriptor, False)
            _enlarge(descriptor)
        self._stderr = b""
        self._drain = threading.Thread(target=self._collect_stderr, daemon=True)
        self._drain.start()

    def request(self, header: dict[str, Any], buffers: Sequence[frames.Buffer] = (), *, phase: Phase, limit: float) -> frames.Frame:
        """Send one request and wait at most `limit` seconds for its answer.

        Raises WorkerFailure: `timeout`, `crash`, `protocol_error` (the process is killed), or, when the worker answers with an
        error, `unsupported`, `refused`, `load_error` or `run_error` (it lives on).
        """
        deadline = time.monotonic() + limit
        self._awake_until = deadline - limit + _AWAKE_SECONDS
        self._next_id += 1
        sent_id = str(self._next_id)
        elsewhere = None
        try:
            if self._shared and self._shares:
                header, buffers = self._shared.put(header, buffers)
                elsewhere = self._shared.get
            pending = [memoryview(b) for b in (frames.pack({"id": sent_id, **header}), *buffers) if len(b)]
            if self._readable_now():
                raise FrameError("it wrote to the protocol's stream without a request")
            frame = frames.read(lambda count: self._exactly(count, pending, deadline), elsewhere)
            if frame is None:
                raise FrameError("it closed its standard output without an answer")
            if frame.header.get("id") != sent_id:
                raise FrameError(f"it answered request {frame.header.get('id')!r} where request {sent_id!r} was due")
            if pending:
                raise FrameError("it answered before it had read the whole request")
            _check(frame.header)
        except TimeoutError:
            known = self.kill()
            said = "; ".join(filter(None, (f"no answer within {limit:g} s ({phase})", "the worker was killed", known)))
            raise WorkerFailure("timeout", phase, said, self.stderr()) from None
        except FrameError as error:
            raise self._broken(phase, error) from error
        except BaseException:  # Ctrl-C: the stream owes an answer
            self.kill()
            raise
        if header["rpc"] == "ServerMetadata":
            self._shares = EXTENSION in (frame.header.get("extensions") or ())
        if "error" in frame.header:
            raise _declined(frame.header, phase, self.stderr())
        return frame

    def stderr(self) -> str:
        """The tail of what the process wrote to standard error."""
        return self._stderr.decode("utf-8", "replace").rstrip("\n")

    def close(self) -> str | None:
        """End standard input and wait for the exit; returns how the process died, or None for a clean end."""
        with contextlib.suppress(OSError):
            assert self._process.stdin
            self._process.stdin.close()
        try:
            status = self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return f"did not exit within {_EXIT_SECONDS:g} s of the end of its standard input and was killed"
        self._descendants.kill(self._process.pid)
        self._tidy()
        return None if status == 0 else f"died at exit, {describe_exit(status)}"

    def kill(self, *, cancel: bool = False) -> str:
        """Kill the process and its descendants; `cancel` marks the death as intended (Ctrl-C). Returns what else is known of its end."""
        self._cancelled |= cancel
        known = self._ends() if self._ends else ""
        self._descendants.kill(self._process.pid)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_EXIT_SECONDS)
        if not cancel:  # another thread may still be reading: it sees the end of the stream and tidies up itself
            self._tidy()
        return known

    def _broken(self, phase: Phase, cause: FrameError) -> WorkerFailure:
        """Tell a crash from a protocol error after the conversation broke off."""
        if self._stream_ended:  # a dying process closes its streams just before its status can be read
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
        status = self._process.poll()
        self.kill()
        if self._cancelled:
            return WorkerFailure("not_run", phase, "interrupted")
        if status:
            why = f": {last}" if phase == "start" and (last := _last_words(self.stderr())) else ""
            return WorkerFailure("crash", phase, f"the worker died ({phase}): {describe_exit(status)}{why}", self.stderr())
        return WorkerFailure("protocol_error", phase, f"the worker broke the protocol ({phase}): {cause}", self.stderr())

    def _readable_now(self) -> bool:
        return self._out in self._poll(writing=False, seconds=0) and self._process.poll() is None

    def _exactly(self, count: int, pending: list[memoryview], deadline: float) -> frames.Buffer:
        """`count` bytes of the answer, while writing the pending rest of the request; fewer only at the stream's end."""
        data = room(count)
        got = 0
        while got < count:
            if pending:
                self._write(pending)
            try:
                read = os.readv(self._out, [data[got:]])
            except BlockingIOError:
                if time.monotonic() >= self._awake_until:
                    self._wait(bool(pending), deadline)
                continue
            if read == 0:
                self._stream_ended = True
                return data[:got]
            got += read
            self._check_limits(deadline)  # a trickle of bytes does not extend the time limit
        return data

    def _write(self, pending: list[memoryview]) -> None:
        try:
            written = os.writev(self._in, pending[:64])
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            pending.clear()  # it died or closed its input; its last output and its status tell which
            return
        while written:
            step = min(written, len(pending[0]))
            pending[0] = pending[0][step:]
            written -= step
            if not pending[0]:
                pending.pop(0)

    def _wait(self, writing: bool, deadline: float) -> None:
        """Wait until there is something to read, or room to write."""
        longest = _MEMORY_CHECK_SECONDS if self._memory_limit else _LONGEST_WAIT_SECONDS
        while not self._poll(writing, min(self._check_limits(deadline), longest)):
            pass

    def _check_limits(self, deadline: float) -> float:
        """The seconds left; raises TimeoutError if there are none, WorkerFailure if the worker holds too much memory."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self._memory_limit:
            self._check_memory()
        return left

    def _poll(self, writing: bool, seconds: float) -> dict[int, int]:
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        if writing:
            poll.register(self._in, select.POLLOUT)
        return dict(poll.poll(seconds * 1000))

    def resident(self) -> int:
        """The bytes that the process itself holds; 0 if it has ended."""
        import psutil

        try:
            return int(psutil.Process(self._process.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def peak(self) -> int:
        """The most bytes that the process itself has held (VmHWM, proc_pid_status(5)); 0 where the kernel does not tell."""
        with contextlib.suppress(OSError, ValueError, StopIteration):
            status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii", errors="replace")
            return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) << 10
        return 0

    def _check_memory(self) -> None:
        assert self._memory_limit
        if time.monotonic() - self._memory_checked < _MEMORY_CHECK_SECONDS:
            return
        import psutil

        self._memory_checked = time.monotonic()
        used = 0
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self._process.pid)
            family = (process, *process.children(recursive=True))
            if self._process_limit and len(family) > self._process_limit:
                self.kill()
                said = f"the worker was killed: it had {len(family)} processes, the limit is {self._process_limit}"
                raise WorkerFailure("crash", "memory", said, self.stderr())
            used = sum(p.memory_info().rss for p in family)
        if used > self._memory_limit:
            self.kill()
            raise WorkerFailure(
                "crash",
                "memory",
                f"the worker was killed: it used {used >> 20} MiB, the limit is {self._memory_limit >> 20} MiB",
                self.stderr(),
            )

    def _collect_stderr(self) -> None:
        # Only the thread closes its stream: a child that the worker left behind may keep the other end open forever.
        assert self._process.stderr
        with self._process.stderr as stream, contextlib.suppress(OSError):
            while chunk := os.read(stream.fileno(), 1 << 16):
                self._stderr = (self._stderr + chunk)[-_STDERR_BYTES:]

    def _tidy(self) -> None:
        self._drain.join(1.0)
        self._held.close()
        if self._shared:
            self._shared.close()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError, ValueError):
                if stream:
                    stream.close()


def describe_exit(status: int) -> str:
    """An exit status for people: the signal's name where a signal ended the process, also by way of a shell or ssh (128 + n)."""
    number = -status if status < 0 else status - 128 if status > 128 else 0
    if number:
        with contextlib.suppress(ValueError):
            name = signal.Signals(number).name
            return f"killed by {name}" if status < 0 else f"exit status {status} (128 + {name})"
    return f"exit status {status}"


def _last_words(stderr: str) -> str:
    """The line of a dead process's output that gives the reason: the last one outside a stack trace."""
    lines = [line.rstrip() for line in stderr.splitlines() if line.strip() and not line[0].isspace()]
    return lines[-1][:500] if lines else ""


def _check(header: dict[str, Any]) -> None:
    """Raise FrameError if a part of an answer does not have the JSON type that bindings/contract/README.md specifies."""
    about = header.get("parameters", {})
    if not isinstance(about, dict):
        raise FrameError("its answer's parameters are not an object")
    nanoseconds = about.get("nanoseconds", 0)
    if not isinstance(nanoseconds, int) or isinstance(nanoseconds, bool) or nanoseconds < 0:
        raise FrameError(f"nanoseconds is {nanoseconds!r}, which is not a count")
    for part, value in (("note", about.get("note", "")), ("error", header.get("error", "")), ("code", header.get("code", ""))):
        if not isinstance(value, str):
            raise FrameError(f"{part} is {value!r}, which is not a string")


_DECLINED: dict[str, Outcome] = {"UNIMPLEMENTED": "unsupported", "FAILED_PRECONDITION": "refused", "PERMISSION_DENIED": "refused"}


def _declined(header: dict[str, Any], phase: Phase, stderr: str) -> WorkerFailure:
    """The outcome of an error reported by the worker itself (bindings/contract/README.md, table of codes)."""
    outcome = _DECLINED.get(header.get("code", ""), "run_error" if phase == "run" else "load_error")
    return WorkerFailure(outcome, phase, header["error"], "" if outcome == "unsupported" else stderr)


def _in_memory(data: bytes) -> int:
    """A descriptor from which a child reads these bytes."""
    descriptor = os.memfd_create("crossload-filter")
    os.write(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _enlarge(descriptor: int) -> None:
    import fcntl

    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, _F_SETPIPE_SZ, _PIPE_BYTES)
