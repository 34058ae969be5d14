"""Promises of both walls: whatever a model tries, it reaches nothing, the attempt is told, and the run goes on."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from crossload.contract.manifest import Binding
from crossload.errors import WorkerFailure
from crossload.runtimes.environments import Command, Confined, prepare
from crossload.runtimes.process import Launch
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from crossload.runtimes.walls import bubblewrap
from crossload.runtimes.walls.limits import BOUNDS

WORKER = Path(__file__).parents[2] / "fakes" / "escaping_worker.py"
Walled = Callable[..., Launch]

pytestmark = pytest.mark.slow


def _bubblewrap(*arguments: str) -> Launch:
    return prepare(Confined(Command((sys.executable, str(WORKER), *arguments)), "bubblewrap", "escaping"))


@pytest.fixture(params=["bubblewrap", "docker"])
def walled(request: pytest.FixtureRequest) -> Walled:
    """How a worker that makes an attempt starts behind a wall."""
    if request.param == "docker":
        escaping: Walled = request.getfixturevalue("escaping_image")
        return escaping
    if problem := bubblewrap.problem():
        pytest.skip("; ".join(problem))
    return _bubblewrap


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """An artifact with a secret beside it."""
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "vectors.oip").write_bytes(b"the recorded answers")
    (tmp_path / "bundle" / "model.tflite").write_bytes(b"a model")
    return tmp_path / "bundle" / "model.tflite"


def _tried(launch: Launch, artifact: Path, seconds: float = 60) -> WorkerFailure:
    """What the worker answers to a request; it is asked once more afterwards, and must still answer then."""
    with Supervisor("escaping", launch, Limits(run=seconds)) as worker:
        worker.load(ModelSource(artifact, "tflite", {"s": Binding(inputs={"x": 0}, outputs={"y": 0})}))
        with pytest.raises(WorkerFailure) as caught:
            worker.infer("s", {"x": np.zeros(1, np.float32)}, ["y"])
        assert worker.identity().runtime == "escaping"
    return caught.value


def test_no_file_of_the_host_is_read(walled: Walled, artifact: Path) -> None:
    hosts = ["/etc/shadow", __file__, str(artifact), str(artifact.parent / "vectors.oip")]
    secrets = [*(f"@{path}" for path in hosts), "{folder}/vectors.oip", "{folder}/../crossload.json", "/proc/1/root/etc/shadow"]
    said = _tried(walled("reads", *secrets), artifact).message
    assert "ESCAPED" not in said, said
    assert said.count("CONFINED") == 7


def test_the_artifact_is_read_and_lies_alone(walled: Walled, artifact: Path) -> None:
    assert "ESCAPED" in _tried(walled("reads", "{artifact}"), artifact).message
    assert "['model.tflite']" in _tried(walled("lists", "{folder}"), artifact).message


def test_no_file_is_written(walled: Walled, artifact: Path) -> None:
    said = _tried(walled("writes", "{artifact}", "{folder}/new", "@/usr/bin/new", "@/new", f"@{artifact}"), artifact).message
    assert "ESCAPED" not in said, said
    assert artifact.read_bytes() == b"a model"


def test_no_socket_reaches_the_host(walled: Walled, artifact: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = _tried(walled("connects", str(server.getsockname()[1])), artifact).message
    assert "CONFINED" in said, said


def test_no_process_of_the_host_is_seen(walled: Walled, artifact: Path) -> None:
    assert "CONFINED: No such process" in _tried(walled("kills", str(os.getpid())), artifact).message


def test_system_calls_that_change_namespaces_are_denied(walled: Walled, artifact: Path) -> None:
    said = _tried(walled("mounts"), artifact).message
    assert said.count("CONFINED") == 3, said


def test_a_file_has_a_bounded_size(walled: Walled, artifact: Path) -> None:
    failure = _tried(walled("fills", "@/tmp/large"), artifact)
    assert "CONFINED" in failure.message or "SIGXFSZ" in failure.message, failure.message


def test_a_fork_bomb_is_stopped_and_told(walled: Walled, artifact: Path) -> None:
    failure = _tried(walled("forks"), artifact, seconds=10)
    assert failure.outcome in ("crash", "timeout")
    assert f"processes, the limit is {BOUNDS.processes}" in failure.message


def test_one_that_eats_memory_is_one_crash_and_told(walled: Walled, artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launch = walled("eats")
    with Supervisor("escaping", launch, Limits(memory=512 << 20)) as worker:
        worker.load(ModelSource(artifact, "tflite", {"s": Binding(inputs={"x": 0}, outputs={"y": 0})}))
        with pytest.raises(WorkerFailure) as caught:
            worker.infer("s", {"x": np.zeros(1, np.float32)}, ["y"])
    assert caught.value.outcome == "crash"
    assert "512 MiB" in f"{caught.value.message} {caught.value.stderr}"


def test_endless_standard_error_is_cut_and_ends_with_the_time_limit(walled: Walled, artifact: Path) -> None:
    failure = _tried(walled("floods"), artifact, seconds=5)
    assert failure.outcome == "timeout"
    assert len(failure.stderr) < 1 << 20


def test_an_answer_of_a_terabyte_is_a_protocol_error(walled: Walled, artifact: Path) -> None:
    assert _tried(walled("announces"), artifact).outcome == "protocol_error"


@pytest.fixture(autouse=True)
def _nothing_stays(tmp_path: Path) -> Iterator[None]:
    """No process of a wall outlives its test."""
    import psutil

    yield
    left = [p for p in psutil.Process().children(recursive=True) if str(WORKER) in " ".join(p.cmdline())]
    assert not left
