"""Promises for an engine or an image that cannot be used: one sentence with the next step, and nothing left running."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossload.errors import EnvironmentProblem, WorkerFailure
from crossload.runtimes import registry
from crossload.runtimes.process import Launch
from crossload.runtimes.supervisor import Limits, Supervisor
from crossload.runtimes.walls import containers, engine, images
from tests.runtimes.walls.conftest import IMAGE
from tests.runtimes.walls.test_containers import SOURCE

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _nothing_stays(client: Any) -> Iterator[None]:
    yield
    assert not client.containers.list(all=True, filters={"label": engine.OWNER}, ignore_removed=True)


def _started(launch: Launch) -> WorkerFailure:
    """Why a worker does not start."""
    with Supervisor("escaping", launch, Limits(start=60)) as worker, pytest.raises(WorkerFailure) as caught:
        worker.identity()
    return caught.value


def _built(client: Any, folder: Path, tag: str, dockerfile: str, **given: Any) -> str:
    (folder / "Dockerfile").write_text(dockerfile, encoding="utf-8")
    client.images.build(path=str(folder), tag=tag, rm=True, **given)
    return tag


def test_a_user_who_may_not_use_the_socket_is_told_which_group_may(base: str) -> None:
    os.seteuid(65534)
    try:
        with pytest.raises(
            EnvironmentProblem, match=r"this user may not use the container engine at .*; add the user to the socket's group"
        ):
            engine.connect()
    finally:
        os.seteuid(0)


def test_an_engine_that_goes_away_in_the_middle_is_one_crash(
    escaping_image: Callable[..., Launch], client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, near = os.environ["DOCKER_HOST"].removeprefix("unix://"), tmp_path / "engine.sock"
    launch = escaping_image("lists", "@/")
    with _between(real, near) as cut:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{near}")
        with Supervisor("escaping", launch, Limits(run=60)) as worker:
            worker.load(SOURCE)
            cut()
            failure = _failure(worker)
            while failure.outcome == "run_error":  # it answers until its relay has noticed
                failure = _failure(worker)
    try:
        assert failure.outcome == "crash"
        assert "the engine went away" in f"{failure.message} {failure.stderr}"
    finally:
        for container in client.containers.list(all=True, filters={"label": engine.OWNER}):
            container.wait(timeout=60)  # its input has ended
            container.remove()


def _failure(worker: Supervisor) -> WorkerFailure:
    with pytest.raises(WorkerFailure) as caught:
        worker.infer("s", {"x": np.zeros(1, np.float32)}, ["y"])
    return caught.value


def test_an_image_of_another_platform_is_told_what_runs_it(client: Any, base: str, tmp_path: Path) -> None:
    # An ELF file of a machine that no kernel and no emulator knows, as an image of ARM is to a machine without binfmt.
    (tmp_path / "sh").write_bytes(
        b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little") + (0xABCD).to_bytes(2, "little") + bytes(44)
    )
    (tmp_path / "sh").chmod(0o755)
    image = _built(client, tmp_path, "crossload-test/platform:1", "FROM scratch\nCOPY sh /bin/sh\n")
    failure = _started(containers.launch(image, ["worker"]))
    assert failure.outcome == "crash"
    assert "install qemu-user-static and binfmt-support" in failure.message


def test_a_disk_that_is_full_in_a_build_is_told_with_what_frees_it(client: Any, base: str, tmp_path: Path) -> None:
    from crossload.runtimes.walls.images import Context, make

    # The memory file system of a build step has 64 MiB.
    text = f"FROM {base}\nRUN dd if=/dev/zero of=/dev/shm/file bs=1M count=100\n"
    with pytest.raises(EnvironmentProblem, match=r"cannot be built: .*docker system prune frees"):
        make("crossload-test/full:1", "full", "1", Context("full", {"Dockerfile": text.encode()}), {}, None, lambda _: None)
    assert engine.image(client, "crossload-test/full:1") is None


def test_a_folder_that_the_engine_s_host_does_not_have_is_told(escaping_image: Callable[..., Launch], base: str, tmp_path: Path) -> None:
    # The engine does not see what is mounted in a namespace of its own, as one on another host does not see this host's folders.
    script = f"""
from crossload.errors import WorkerFailure
from crossload.runtimes.supervisor import Supervisor
from crossload.runtimes.walls import containers
try:
    with Supervisor("escaping", containers.launch({IMAGE!r}, ["python3", "-u", "/opt/worker.py", "lists"])) as worker:
        worker.identity()
except WorkerFailure as failure:
    print(failure.message)
"""
    alone = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$TMPDIR" && exec "$0" "$@"', sys.executable, "-c", script]
    done = subprocess.run(alone, env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert "the engine's host does not have that folder: run crossload where the engine runs" in done.stdout, done.stdout + done.stderr


def test_an_image_whose_worker_is_not_what_its_label_says_is_told(
    escaping_image: Callable[..., Launch], client: Any, tmp_path: Path
) -> None:
    runtime = registry.one("tflite-micro")
    escaping_image("lists", "@/")
    labels = {
        images.RUNTIME: runtime.title, images.SPEAKS: images.PROTOCOL, images.CONTENT: images.context_of(runtime).digest(),
    }  # fmt: skip
    entry = json.dumps(["python3", "-u", "/opt/worker.py", "lists", "@/"])
    _built(client, tmp_path, images.name_of(runtime), f"FROM {IMAGE}\nENTRYPOINT {entry}\n", labels=labels)
    try:
        failure = _started(containers.confined(runtime))
        assert failure.outcome == "protocol_error"
        assert f"the worker says that it is escaping 1, not {runtime.version}; build it: crossload runtimes build" in failure.message
    finally:
        client.images.remove(images.name_of(runtime))


class _between:
    """A socket before an engine's, until `cut`: then nothing answers there any more."""

    def __init__(self, real: str, near: Path) -> None:
        self._real, self._open = real, []  # type: ignore[var-annotated]
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(near))
        self._server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Callable[[], None]:
        return self._cut

    def __exit__(self, *_: object) -> None:
        self._cut()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                here, there = self._server.accept()[0], socket.socket(socket.AF_UNIX)
                there.connect(self._real)
                self._open += [here, there]
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=self._move, args=pair, daemon=True).start()

    @staticmethod
    def _move(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def _cut(self) -> None:
        for each in (self._server, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
