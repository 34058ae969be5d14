"""The supervisor's promises, proved with workers that lie, crash, hang and answer late."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from crossload.contract.manifest import Binding
from crossload.errors import WorkerFailure
from crossload.runtimes import supervisor as module
from crossload.runtimes.process import Launch, Worker
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from crossload.support.text import MOST_SENTENCE
from tests import fakes

SOURCE = ModelSource(Path("a.tflite"), "tflite", {"double": Binding(key="double")})
OTHER = ModelSource(Path("b.tflite"), "tflite", {"double": Binding(key="double")})
X = {"x": np.array([1, 2, 3], dtype=np.float32)}
QUICK = Limits(start=5, load=5, run=1)


def supervisor(behaviour: str, state: Path | None = None, limits: Limits = QUICK, **environment: str) -> Supervisor:
    return Supervisor("fake", fakes.launch(behaviour, state, **environment), limits)


def ask(subject: Supervisor) -> list[float]:
    return [float(v) for v in subject.infer("double", X, ["y"]).outputs["y"]]


def failure(subject: Supervisor) -> WorkerFailure:
    with pytest.raises(WorkerFailure) as caught:
        subject.load(SOURCE)
        ask(subject)
    subject.close()
    return caught.value


def test_an_honest_worker_answers() -> None:
    with supervisor("honest") as subject:
        subject.load(SOURCE)
        assert ask(subject) == [2, 4, 6]
        assert subject.identity().version == "1.0"
    assert subject.deaths == []


def test_a_worker_that_has_begun_answers_the_first_request() -> None:
    with supervisor("honest") as subject:
        subject.begin()
        begun = subject.resident()
        subject.load(SOURCE)
        assert begun > 0
        assert ask(subject) == [2, 4, 6]


def test_a_worker_that_has_begun_and_cannot_start_is_a_failure_of_the_first_request() -> None:
    absent = Supervisor("fake", Launch(["/no/such/worker"]), QUICK)
    absent.begin()
    assert "cannot be started" in failure(absent).message
    dead = supervisor("die:import")
    dead.begin()
    assert (failure(dead).outcome, failure(dead).phase) == ("crash", "start")


def test_a_worker_that_nobody_waited_for_is_killed() -> None:
    subject = supervisor("hang:import")
    subject.begin()
    assert subject.close() is None
    assert subject.deaths == []
    assert subject.resident() == 0


@pytest.mark.parametrize("phase", ["start", "load", "run"])
def test_a_hang_is_a_timeout_of_its_phase(phase: str) -> None:
    found = failure(supervisor(f"hang:{phase}", limits=Limits(start=1, load=1, run=1)))
    assert (found.outcome, found.phase) == ("timeout", phase)


@pytest.mark.parametrize("phase", ["import", "start", "load", "run"])
def test_a_death_by_signal_is_a_crash_that_keeps_the_signal_and_stderr(phase: str) -> None:
    found = failure(supervisor(f"die:{phase}"))
    assert (found.outcome, found.phase) == ("crash", "start" if phase == "import" else phase)
    assert "SIGSEGV" in found.message
    assert "about to die" in found.stderr


def test_an_exit_status_is_a_crash_and_is_named() -> None:
    found = failure(supervisor("exit:run"))
    assert found.outcome == "crash"
    assert "exit status 7" in found.message


def test_a_clean_exit_that_owes_an_answer_is_a_protocol_error() -> None:
    assert failure(supervisor("leave:run")).outcome == "protocol_error"


@pytest.mark.parametrize("lie", ["garbage", "wrong-id", "truncated", "huge", "wrong-size", "no-version"])
def test_a_lie_on_the_stream_is_a_protocol_error(lie: str) -> None:
    phase = "start" if lie == "no-version" else "run"
    found = failure(supervisor(f"{lie}:{phase}"))
    assert (found.outcome, found.phase) == ("protocol_error", phase)


def test_an_answer_is_never_off_by_one_after_a_late_one(tmp_path: Path) -> None:
    """The late answer of the first request must not become the second's."""
    with supervisor("late:run", tmp_path / "once") as subject:
        subject.load(SOURCE)
        with pytest.raises(WorkerFailure) as caught:
            subject.infer("double", {"x": np.array([100], dtype=np.float32)}, ["y"])
        assert caught.value.outcome == "timeout"
        assert ask(subject) == [2, 4, 6]


def test_an_answer_given_twice_is_noticed_before_the_next_request() -> None:
    with supervisor("twice:run") as subject:
        subject.load(SOURCE)
        assert ask(subject) == [2, 4, 6]
        time.sleep(0.1)
        with pytest.raises(WorkerFailure) as caught:
            ask(subject)
        assert caught.value.outcome == "protocol_error"
        assert "without a request" in caught.value.message


@pytest.mark.parametrize("behaviour", ["die:run", "hang:run", "garbage:run"])
def test_after_a_death_a_fresh_worker_has_the_model_loaded_again(behaviour: str, tmp_path: Path) -> None:
    with supervisor(behaviour, tmp_path / "once") as subject:
        subject.load(SOURCE)
        with pytest.raises(WorkerFailure):
            ask(subject)
        assert ask(subject) == [2, 4, 6]


@pytest.mark.parametrize(
    ("phase", "code", "outcome"),
    [
        ("load", "UNIMPLEMENTED", "unsupported"),
        ("run", "UNIMPLEMENTED", "unsupported"),
        ("load", "FAILED_PRECONDITION", "refused"),
        ("run", "PERMISSION_DENIED", "refused"),
        ("load", "INTERNAL", "load_error"),
        ("run", "INVALID_ARGUMENT", "run_error"),
        ("start", "UNIMPLEMENTED", "protocol_error"),
    ],
)
def test_an_error_that_the_worker_reports_becomes_the_outcome_of_its_code(phase: str, code: str, outcome: str) -> None:
    found = failure(supervisor(f"error:{phase}", FAKE_CODE=code))
    assert (found.outcome, found.phase, found.message) == (outcome, phase, "the fake declines")


def test_a_worker_lives_on_after_an_error_it_reported(tmp_path: Path) -> None:
    with supervisor("error:run", tmp_path / "once") as subject:
        subject.load(SOURCE)
        pid = subject._worker._process.pid  # type: ignore[union-attr]
        with pytest.raises(WorkerFailure):
            ask(subject)
        assert ask(subject) == [2, 4, 6]
        assert subject._worker._process.pid == pid  # type: ignore[union-attr]


def test_a_worker_lives_across_artifacts() -> None:
    with supervisor("honest") as subject:
        subject.load(SOURCE)
        pid = subject._worker._process.pid  # type: ignore[union-attr]
        subject.load(OTHER)
        assert subject._worker._process.pid == pid  # type: ignore[union-attr]


def test_a_model_that_crashes_after_another_model_is_tried_in_a_fresh_worker() -> None:
    with supervisor("poisoned") as subject:
        subject.load(SOURCE)
        ask(subject)
        subject.load(OTHER)
        assert ask(subject) == [2, 4, 6]
        assert "had served another model" in subject.deaths[0]


def test_noise_on_stderr_is_not_a_failure() -> None:
    with supervisor("noise:run", limits=Limits(run=20)) as subject:
        subject.load(SOURCE)
        assert ask(subject) == [2, 4, 6]


def test_a_death_at_exit_keeps_the_answer_and_is_reported() -> None:
    subject = supervisor("die-at-exit")
    subject.load(SOURCE)
    assert ask(subject) == [2, 4, 6]
    assert "SIGABRT" in str(subject.close())


def test_a_worker_above_its_memory_limit_is_killed_and_the_message_names_the_limit() -> None:
    found = failure(supervisor("memory:run", limits=Limits(run=30, memory=300 << 20)))
    assert found.outcome == "crash"
    assert "the limit is 300 MiB" in found.message


def test_a_nonexistent_command_is_a_crash_at_start() -> None:
    found = failure(Supervisor("fake", Launch(("no-such-command",)), QUICK))
    assert (found.outcome, found.phase) == ("crash", "start")


def test_a_large_tensor_passes_unchanged() -> None:
    sent = np.random.default_rng(0).standard_normal(5_000_000).astype(np.float32)
    with supervisor("honest", limits=Limits(run=60)) as subject:
        back = subject.call({"rpc": "Echo"}, {"x": sent}, 60)
    assert back["x"].tobytes() == sent.tobytes()


@contextmanager
def at_most(memory: int) -> Iterator[None]:
    """The block never holds more than this much memory, of Python's or mapped."""
    tracemalloc.start()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < memory
        assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - most < memory
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [1 << 30, 100 << 30, 1 << 61, 1 << 62, -1])
def test_a_tensor_that_is_announced_and_never_comes_takes_no_memory(size: int) -> None:
    with at_most(256 << 20):
        found = failure(supervisor("announce:run", FAKE_SIZE=str(size)))
    assert found.outcome in ("timeout", "protocol_error")


def test_an_endless_trickle_of_bytes_does_not_extend_the_time_limit() -> None:
    assert failure(supervisor("trickle:run")).outcome == "timeout"


def test_endless_stderr_without_a_line_takes_no_memory_and_keeps_its_tail() -> None:
    with at_most(16 << 20), supervisor("mumble:run", limits=Limits(run=20)) as subject:
        subject.load(SOURCE)
        assert ask(subject) == [2, 4, 6]
        worker = subject._worker
    assert worker is not None
    assert worker.stderr().endswith("no end of line ")


@pytest.mark.parametrize("end", ["clean", "killed", "died"])
@pytest.mark.parametrize("child", ["child", "daemon"])
def test_what_a_worker_started_ends_with_it(tmp_path: Path, child: str, end: str) -> None:
    pid_file = tmp_path / "pid"
    with supervisor(f"{child}:load", FAKE_PID_FILE=str(pid_file)) as subject:
        subject.load(SOURCE)
        pid = int(pid_file.read_text())
        assert is_alive(pid)
        if end == "killed":
            subject.cancel()
        elif end == "died":
            os.kill(subject._worker._process.pid, signal.SIGKILL)  # type: ignore[union-attr]
            with pytest.raises(WorkerFailure):
                ask(subject)
    assert not is_alive(pid)


def test_a_worker_that_leaves_a_child_does_not_take_along_what_is_not_its_own() -> None:
    with subprocess.Popen(["sleep", "600"]) as mine:
        with supervisor("honest") as subject, supervisor("honest") as other:
            subject.load(SOURCE)
            other.load(SOURCE)
            subject.close()
            assert ask(other) == [2, 4, 6]
            assert mine.poll() is None
        mine.kill()


def is_alive(pid: int) -> bool:
    """Whether a process runs; a dead one may wait for its parent to ask for its status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_worker_has_a_temporary_folder_that_is_removed_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for behaviour in ("honest", "hang:run"):
        with supervisor(behaviour) as subject:
            subject.load(SOURCE)
            assert len(list(tmp_path.iterdir())) == 1
            if behaviour == "hang:run":
                assert failure(subject).outcome == "timeout"
        assert not list(tmp_path.iterdir())


def test_a_long_error_is_shortened_and_keeps_its_beginning_and_its_end() -> None:
    found = failure(supervisor("error:run", FAKE_ERROR="the first word" + "e" * 100_000 + "the cause"))
    assert found.message.startswith("the first word")
    assert found.message.endswith("the cause")
    assert "characters left out" in found.message
    assert len(found.message) < 2 * MOST_SENTENCE


@pytest.mark.parametrize("phase", ["start", "load", "run"])
@pytest.mark.parametrize(
    "header",
    [
        {"parameters": []},
        {"parameters": "text"},
        {"parameters": {"note": ["a", "list"]}},
        {"parameters": {"nanoseconds": "soon"}},
        {"parameters": {"nanoseconds": -1}},
        {"parameters": {"nanoseconds": True}},
        {"error": {"not": "a sentence"}},
        {"outputs": None},
        {"outputs": [{"name": "y", "parameters": None}]},
    ],
)
def test_an_answer_with_a_part_of_another_json_type_is_a_protocol_error(phase: str, header: dict[str, object]) -> None:
    found = failure(supervisor(f"header:{phase}", FAKE_HEADER=json.dumps(header)))
    assert (found.outcome, found.phase) == ("protocol_error", phase)


@pytest.mark.parametrize(
    "header",
    [
        {"version": None},
        {"version": {}},
        {"formats": "tflite"},
        {"formats": 5},
        {"formats": [1]},
        {"formats": None},
        {"parameters": {}},
        {"parameters": {"language": 1, "os": "linux", "arch": "x86_64"}},
    ],
)
def test_an_identity_that_the_contract_does_not_allow_is_a_protocol_error(header: dict[str, object]) -> None:
    found = failure(supervisor("header:start", FAKE_HEADER=json.dumps(header)))
    assert (found.outcome, found.phase) == ("protocol_error", "start")
    assert "identity" in found.message


def test_a_worker_cannot_take_another_runtimes_name() -> None:
    about = {"language": "x", "os": "x", "arch": "x", "runtime": "tensorflow", "version": "2.21.0"}
    with supervisor("header:start", FAKE_HEADER=json.dumps({"parameters": about})) as subject:
        said = subject.identity().to_json()
    assert (said["runtime"], said["version"]) == ("fake", "1.0")


def test_an_echo_that_is_not_a_tensor_is_a_protocol_error() -> None:
    lie = {"outputs": [{"name": "x", "datatype": "BOOL", "shape": [1], "parameters": {"binary_data_size": 1}}]}
    with supervisor("header:Echo", FAKE_HEADER=json.dumps(lie)) as subject, pytest.raises(WorkerFailure) as caught:
        subject.call({"rpc": "Echo"}, {"x": np.array([7], np.uint8)}, 5)
    assert caught.value.outcome == "protocol_error"


def test_an_interrupted_request_leaves_no_worker_that_owes_an_answer(tmp_path: Path) -> None:
    with supervisor("hang:run", tmp_path / "once", Limits(run=60)) as subject:
        subject.load(SOURCE)
        pid = subject._worker._process.pid  # type: ignore[union-attr]
        before = signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        try:
            with pytest.raises(KeyboardInterrupt):
                ask(subject)
        finally:
            signal.signal(signal.SIGALRM, before)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert ask(subject) == [2, 4, 6]


def test_a_worker_that_is_just_starting_when_the_user_interrupts_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = supervisor("hang:start", limits=Limits(start=60))

    class Interrupted(Worker):
        def __init__(self, launch: Launch, memory_limit: int | None = None) -> None:
            super().__init__(launch, memory_limit)
            subject.cancel()

    monkeypatch.setattr(module, "Worker", Interrupted)
    assert failure(subject).outcome == "not_run"


def test_a_process_with_more_than_a_thousand_open_files_can_use_workers() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2048), hard))
    opened = []
    try:
        opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
        with supervisor("honest") as subject:
            subject.load(SOURCE)
            assert ask(subject) == [2, 4, 6]
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("behaviour", ["honest", "die:run", "die:start", "garbage:run", "hang:run"])
def test_no_file_descriptor_is_left_open(behaviour: str) -> None:
    def descriptors() -> set[str]:
        return {str(p) for p in Path("/proc/self/fd").iterdir()}

    before = descriptors()
    subject = supervisor(behaviour)
    try:
        subject.load(SOURCE)
        ask(subject)
    except WorkerFailure:
        pass
    subject.close()
    assert len(descriptors()) <= len(before)


def test_a_time_limit_of_years_is_a_time_limit() -> None:
    with supervisor("honest", limits=Limits(start=1e12, load=1e12, run=1e12)) as subject:
        subject.load(SOURCE)
        assert ask(subject) == [2, 4, 6]


def test_a_worker_whose_command_cannot_be_started_is_a_crash_at_start() -> None:
    found = failure(Supervisor("fake", Launch(("python", "a\0b")), QUICK))
    assert (found.outcome, found.phase) == ("crash", "start")


def test_a_crash_in_a_fresh_worker_is_the_models_own_and_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    original = module.Worker
    monkeypatch.setattr(module, "Worker", lambda *arguments: started.append(arguments) or original(*arguments))
    with supervisor("die:load") as subject:
        for source in (SOURCE, OTHER):
            with pytest.raises(WorkerFailure):
                subject.load(source)
    assert len(started) == 2
