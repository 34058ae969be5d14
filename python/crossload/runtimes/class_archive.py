"""The archive of a Java worker's classes (JEP 350, AppCDS), made on first use: the JVM maps it instead of loading classes one by one.

An archive fits one JVM and one class path; for any other the JVM ignores it, and the worker starts as slowly as without.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from crossload.contract import frames
from crossload.support import temporary
from crossload.support.cache import locked

_SECONDS = 120  # a worker that has not answered by then is killed, and starts without an archive
_KEPT = 4  # of an environment, for checkouts and JVMs that share it
_GRAPH = """
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
node { name: "y" op: "Identity" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
"""


def options(command: Sequence[str], jar: Path, folder: Path, progress: Callable[[str], None] = lambda _: None) -> tuple[str, ...]:
    """The JVM's options for the archive of this command in the environment's folder; made first if there is none. () if it cannot be made.

    Two processes wait for each other; a JVM that fails or hangs leaves an empty file, so that no other start tries again.
    """
    about = jar.stat()
    jvm = Path(command[0]).resolve()
    name = hashlib.sha256(repr((command, str(jvm), about.st_size, about.st_mtime_ns)).encode()).hexdigest()[:12]
    archive = folder / f"classes-{name}.jsa"
    if not archive.is_file() and os.access(folder, os.W_OK):
        with locked(folder / "classes.lock"):
            if not archive.is_file():  # another process made it meanwhile
                progress(f"archiving the classes of {jar.stem} (once, for faster starts)")
                _make(command, archive)
    return (f"-XX:SharedArchiveFile={archive}",) if archive.is_file() and archive.stat().st_size else ()


def _make(command: Sequence[str], archive: Path) -> None:
    """Let the worker answer one request of each kind; the JVM writes the classes that it loaded when it ends."""
    there = sorted(archive.parent.glob("classes-*.jsa"), key=lambda file: file.stat().st_mtime)
    for old in there[: -_KEPT + 1]:
        old.unlink()
    with temporary.folder_in(archive.parent, "classes-") as room:
        graph, partial = room / "graph.pbtxt", room / "classes.jsa"
        graph.write_text(_GRAPH, encoding="ascii")
        training = [command[0], f"-XX:ArchiveClassesAtExit={partial}", *command[1:]]
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(training, input=_requests(graph), capture_output=True, timeout=_SECONDS, check=False)
        if partial.is_file():
            partial.replace(archive)
        else:
            archive.touch()


def _requests(graph: Path) -> bytes:
    bound = {"serving_default": {"key": None, "inputs": {"x": "x:0"}, "outputs": {"y": "y:0"}}}
    numbers = frames.tensor_entry("x", "FP32", [2], 8)
    load = {"path": str(graph), "format": "graph_def", "signatures": bound}
    requests: list[tuple[dict[str, Any], bytes]] = [
        ({"rpc": "ServerMetadata"}, b""),
        ({"rpc": "Echo", "inputs": [numbers, frames.tensor_entry("s", "BYTES", [1], 5)]}, b"\0" * 8 + b"\1\0\0\0s"),
        ({"rpc": "RepositoryModelLoad", "model_name": "m", "parameters": load}, b""),
        ({"rpc": "ModelInfer", "model_name": "m", "parameters": {"signature_name": "serving_default"}, "inputs": [numbers]}, b"\0" * 8),
    ]
    stream = io.BytesIO()
    for number, (header, data) in enumerate(requests):
        frames.write(stream, frames.Frame({"id": str(number), **header}, [data]))
    return stream.getvalue()
