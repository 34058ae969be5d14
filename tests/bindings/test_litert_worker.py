"""The C worker for boards, over LiteRT's C API: through a pipe, through ssh, and through a serial line."""

from __future__ import annotations

import getpass
import json
import math
import os
import shutil
import socket
import subprocess
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossload.contract import frames
from crossload.runtimes import registry, selftest
from crossload.runtimes.environments import Command
from crossload.runtimes.process import Launch
from crossload.runtimes.supervisor import Limits
from crossload.verbs.handoff.c import project
from crossload.verbs.verify.verify import verify
from tests import CORPUS, environment
from tests.bindings.test_c_worker import exchange, odd_requests
from tests.workers.conversation import Conversation

pytestmark = pytest.mark.slow
C, CLIENT = environment.C, Path(project.__file__).parent / "sources"


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = environment.litert_library()
    sources = [
        C / "litert/worker.c",
        *(C / f"{n}.c" for n in ("serving", "frames", "json", "memory")),
        CLIENT / "runner.c",
        CLIENT / "tensors.c",
    ]
    linked = (f"-L{library}", "-lLiteRt", f"-Wl,-rpath,{library}")
    program = tmp_path_factory.mktemp("worker") / "litert_worker"
    return environment.compiled(program, "-std=c11", f"-I{C}", f"-I{CLIENT}", *sources, *linked)


@pytest.fixture(scope="module")
def talking(worker: Path) -> Iterator[Conversation]:
    """A worker in which a model is loaded; the sanitizers end it with another status at the first fault or leak."""
    conversation = Conversation(Launch((str(worker),)))
    bound = {"serve": {"key": "serving_default", "inputs": {"x": 0}, "outputs": {"sum": 4}}}
    parameters = {"path": str(CORPUS / "binary" / "counter.tflite"), "signatures": bound}
    assert conversation.ask("RepositoryModelLoad", model_name="m", parameters=parameters).code is None
    yield conversation
    assert conversation.end() == 0, conversation.stderr()


def agrees(bundle: Path, command: Sequence[str | Path], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both .tflite files of the demo, in a runtime of this command."""
    words = json.dumps([str(w) for w in command])
    (folder / "crossload.toml").write_text(f"[runtimes.board]\nformats = ['tflite']\ncommand = {words}\nown_path = true\n", "utf-8")
    monkeypatch.setenv("CROSSLOAD_CONFIG", str(folder / "crossload.toml"))
    report = verify(bundle, ["board"], artifacts=["tflite", "tflite:int8"])
    assert {r.outcome for r in report.results} == {"ok"}, [r.error for r in report.results]
    assert len(report.results) == 17


def test_it_is_certified_and_answers_as_litert_does(worker: Path, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity, not_carried = selftest.certify(registry.Runtime("litert-c", ("tflite",), Command((str(worker),))), Limits())
    assert identity.startswith("litert-c 2, C (")
    assert not_carried == []
    agrees(demo, [worker], tmp_path, monkeypatch)


def test_it_refuses_what_the_file_does_not_take_and_lives(worker: Path, demo: Path) -> None:
    bound = {
        "serve": {"key": "serving_default", "inputs": {"p": 0}, "outputs": {"q": 18}},
        "none": {"key": None, "inputs": {}, "outputs": {}},
    }
    conversation = Conversation(Launch((str(worker),)))

    def asked(signature: str, output: str = "q", **inputs: np.ndarray) -> tuple[str | None, str]:
        parameters = {"signature_name": signature}
        found = conversation.ask("ModelInfer", inputs, model_name="m", parameters=parameters, outputs=[{"name": output}])
        return found.code, found.error

    missing = conversation.ask("RepositoryModelLoad", model_name="m", parameters={"path": "/nothing", "signatures": bound})
    assert (missing.code, missing.error) == ("INTERNAL", "/nothing cannot be read")
    path = str(demo / "model.tflite")
    assert conversation.ask("RepositoryModelLoad", model_name="m", parameters={"path": path, "signatures": bound}).code is None
    image = np.zeros((1, 8, 8, 1), np.float32)
    assert asked("other") == ("NOT_FOUND", "the model has no signature 'other'")
    assert asked("none") == ("UNIMPLEMENTED", "LiteRT's C API calls a file's signatures, and this file has none")
    assert asked("serve") == ("INVALID_ARGUMENT", "the input 'p' is missing")
    assert asked("serve", p=image, x=image) == ("INVALID_ARGUMENT", "the signature has no input 'x'")
    assert asked("serve", p=image.astype(np.int8)) == ("INVALID_ARGUMENT", "the input 'p' is INT8; the file takes FP32")
    assert asked("serve", p=image[..., 0]) == ("INVALID_ARGUMENT", "the input 'p' has a shape that the file does not take")
    assert asked("serve", "z", p=image) == ("INVALID_ARGUMENT", "the signature has no output 'z'")
    assert asked("serve", p=np.zeros((5, 8, 8, 1), np.float32)) == (None, "")
    assert conversation.end() == 0, conversation.stderr()


def test_a_model_with_variables_keeps_them_from_call_to_call(worker: Path) -> None:
    bound = {"serve": {"key": "serving_default", "inputs": {"x": 0}, "outputs": {"sum": 4}}}
    conversation = Conversation(Launch((str(worker),)))
    parameters = {"path": str(CORPUS / "binary" / "counter.tflite"), "signatures": bound, "keep_state": True}
    assert conversation.ask("RepositoryModelLoad", model_name="m", parameters=parameters).code is None
    one = {"x": np.ones(3, np.float32)}
    answers = [
        conversation.ask("ModelInfer", one, model_name="m", parameters={"signature_name": "serve"}, outputs=[{"name": "sum"}]).outputs[
            "sum"
        ]
        for _ in range(3)
    ]
    np.testing.assert_array_equal(np.diff(answers, axis=0), np.ones((2, 3)))
    assert conversation.end() == 0, conversation.stderr()


@settings(max_examples=150)
@given(data=st.data())
def test_whatever_a_request_says_it_is_answered_and_the_worker_lives(talking: Conversation, data: st.DataObject) -> None:
    bound = {"serve": {"key": "serving_default", "inputs": {"x": 0}, "outputs": {"sum": 4}}}
    header = data.draw(odd_requests(str(CORPUS / "binary" / "counter.tflite"), bound))
    tensors = []
    if header.get("rpc") == "ModelInfer" and data.draw(st.booleans()):
        shape = data.draw(st.lists(st.integers(0, 3), max_size=9))
        tensors = [bytes(4 * math.prod(shape))]
        entry = frames.tensor_entry(
            data.draw(st.sampled_from(["x", "sum", ""])), data.draw(st.sampled_from(["FP32", "INT32"])), shape, len(tensors[0])
        )
        header |= {"inputs": [entry], "outputs": [{"name": data.draw(st.sampled_from(["sum", "x"]))}]}
    answered = exchange(talking, frames.Frame(header, tensors))
    assert isinstance(answered["id"], str)
    assert ("error" in answered) == ("code" in answered)


@contextmanager
def sshd(folder: Path) -> Iterator[list[str]]:
    """A server of this user on this machine; yields the words of a command that runs the rest of them through it."""
    server = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
    if server is None or shutil.which("ssh") is None:
        pytest.skip("there is no sshd on this machine (Debian: apt-get install openssh-server openssh-client)")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    options = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "user.pub",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "PidFile": "none",
    }
    (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in options.items()), "utf-8")
    running = subprocess.Popen([server, "-D", "-e", "-f", folder / "sshd_config"], stderr=subprocess.DEVNULL)
    try:
        given = ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={folder / 'known'}", "-o", "BatchMode=yes", "-F", "none"]
        words = [
            "ssh",
            *given,
            "-o",
            "ConnectionAttempts=20",
            "-i",
            str(folder / "user"),
            "-p",
            str(port),
            f"{getpass.getuser()}@127.0.0.1",
        ]
        yield words
    finally:
        running.terminate()
        running.wait()


def test_it_answers_through_ssh(worker: Path, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sshd(tmp_path) as words:
        agrees(demo.resolve(), [*words, worker], tmp_path, monkeypatch)


def test_it_answers_through_a_serial_line(worker: Path, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("socat") is None:
        pytest.skip("there is no socat on this machine (Debian: apt-get install socat)")
    board, line = os.openpty()
    tty.setraw(board)
    tty.setraw(line)
    with subprocess.Popen([worker], stdin=board, stdout=board, stderr=subprocess.DEVNULL) as running:
        os.close(board)
        try:
            agrees(demo.resolve(), ["socat", "-", f"{os.ttyname(line)},raw,echo=0"], tmp_path, monkeypatch)
        finally:
            running.kill()
            os.close(line)
