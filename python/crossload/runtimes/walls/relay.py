"""A container as a process: `python -m crossload.runtimes.walls.relay SPECIFICATION` starts it, and is its streams and its exit status.

The streams are three FIFOs that the container has mounted: the kernel moves the bytes, and the engine sees none of them. A stream of
the engine's own costs 0.2 ms a call, four times the time of a large tensor, and its log of standard error would fill the host's disk.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from crossload.errors import EnvironmentProblem
from crossload.runtimes.process import MEMORY
from crossload.runtimes.walls import engine
from crossload.support import temporary

_CHUNK = 1 << 20
_STREAMS = "/crossload"
_WRAPPER = f'exec "$@" <{_STREAMS}/in >{_STREAMS}/out 2>{_STREAMS}/err'

_NO_PROGRAM = (
    "the image's /bin/sh did not start: it is of another platform than this kernel runs; "
    "install qemu-user-static and binfmt-support, or build the image on this machine"
)


def run(specification: dict[str, Any]) -> int:
    """Create the container, move bytes until it ends, remove it; returns its exit status."""
    client = engine.connect()
    with temporary.scratch() as room:
        room.chmod(0o755)
        for name in ("in", "out", "err"):
            os.mkfifo(room / name)
            (room / name).chmod(0o666)
        return _run(client, room, specification)


def _run(client: Any, room: Path, specification: dict[str, Any]) -> int:
    options = dict(specification["options"])
    options["mem_limit"] = options["memswap_limit"] = int(os.environ.get(MEMORY) or options["mem_limit"])
    options["mounts"] = [*options["mounts"], engine.mount(room, _STREAMS)]
    if cpuinfo := specification.get("cpuinfo"):
        (room / "cpuinfo").write_text(cpuinfo, encoding="ascii")
        options["mounts"].append(engine.mount(room / "cpuinfo", "/proc/cpuinfo"))
    # Open for reading and writing, which never waits for the container: closing it is the end of the worker's standard input.
    requests = os.open(room / "in", os.O_RDWR)
    answers, words = (os.open(room / name, os.O_RDONLY | os.O_NONBLOCK) for name in ("out", "err"))
    with engine.told("starting the container"):
        command = ["-c", _WRAPPER, "sh", *specification["command"]]
        container = client.containers.create(specification["image"], command, entrypoint="/bin/sh", **options)
    signal.signal(signal.SIGTERM, lambda *_: _remove(container))
    try:
        with engine.told("starting the container"):
            container.start()
        threading.Thread(target=_move, args=(0, requests, True), daemon=True).start()
        moving = [threading.Thread(target=_move, args=pair, daemon=True) for pair in ((answers, 1), (words, 2))]
        for thread in moving:
            thread.start()
        with engine.told("waiting for the container"):
            status = int(container.wait()["StatusCode"])
            container.reload()
        for thread in moving:  # both ends are closed now, unless the container never opened them
            thread.join(5.0)
        if moving[1].is_alive():
            print(_NO_PROGRAM, file=sys.stderr)
        if container.attrs["State"].get("OOMKilled"):
            print(f"killed by the kernel: it needed more than {options['mem_limit'] >> 20} MiB of memory", file=sys.stderr)
        return status
    finally:
        _remove(container)


def _move(source: int, target: int, input_ends: bool = False) -> None:
    """Move bytes until the source ends; the end of the worker's input is the end of the core's, or of the core."""
    os.set_blocking(source, True)
    if not input_ends:
        select.select([source], [], [])  # a FIFO that nobody has opened yet is at its end
    with suppress(OSError):
        while os.splice(source, target, _CHUNK):
            pass
    if input_ends:
        os.close(target)


def _remove(container: Any) -> None:
    with suppress(Exception):  # it may be gone, or the engine may
        container.remove(force=True)


if __name__ == "__main__":
    try:
        ended = run(json.loads(sys.argv[1]))
    except EnvironmentProblem as problem:
        print(problem, file=sys.stderr)
        ended = 1
    os._exit(ended)  # a thread may still wait for the core
