"""The C worker of bindings/c is a runtime like any other: certified, identical to `tensorflow`, and alive after whatever it was asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto.graph_pb2 import GraphDef

from crossload.contract import frames
from crossload.runtimes import registry, selftest
from crossload.runtimes.environments import Command
from crossload.runtimes.process import Launch
from crossload.runtimes.supervisor import Limits
from tests import environment
from tests.contract.test_frames import json_values
from tests.docs import blocks
from tests.workers.conversation import Conversation

pytestmark = pytest.mark.slow

GRAPH = """
node {
  name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "shape" value { shape { dim { size: -1 } } } }
}
node { name: "s" op: "Placeholder" attr { key: "dtype" value { type: DT_STRING } } }
node { name: "v" op: "Placeholder" attr { key: "dtype" value { type: DT_VARIANT } } }
node { name: "y" op: "Neg" input: "x" attr { key: "T" value { type: DT_FLOAT } } device: "/job:elsewhere/device:GPU:7" }
node { name: "z" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
node { name: "t" op: "Identity" input: "s" attr { key: "T" value { type: DT_STRING } } }
node { name: "w" op: "Identity" input: "v" attr { key: "T" value { type: DT_VARIANT } } }
node {
  name: "n" op: "Const" attr { key: "dtype" value { type: DT_INT32 } }
  attr { key: "value" value { tensor { dtype: DT_INT32 tensor_shape {} int_val: -1 } } }
}
node {
  name: "l" op: "EmptyTensorList" input: "n" input: "n" attr { key: "element_dtype" value { type: DT_FLOAT } }
  attr { key: "shape_type" value { type: DT_INT32 } }
}
"""
SIGNATURES = {
    "negate": {"key": None, "inputs": {"x": "x:0"}, "outputs": {"y": "y:0"}},
    "copy": {"key": None, "inputs": {"s": "s"}, "outputs": {"t": "t"}},
    "variant": {"key": None, "inputs": {"v": "v"}, "outputs": {"w": "w"}},
    "any": {"key": None, "inputs": {"a": "z"}, "outputs": {"a": "z"}},
    "list": {"key": None, "inputs": {}, "outputs": {"l": "l"}},
}


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Launch:
    return environment.launch_of_c(tmp_path_factory)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "graph é.pb"
    path.write_bytes(text_format.Parse(GRAPH, GraphDef()).SerializeToString())
    return path


@pytest.fixture(scope="module")
def worker(launch: Launch, graph: Path) -> Iterator[Conversation]:
    """A worker with the graph; the sanitizers end it with another status at the first fault or leak."""
    conversation = Conversation(launch)
    yield conversation
    assert conversation.end() == 0, conversation.stderr()


@pytest.fixture
def loaded(worker: Conversation, graph: Path) -> Conversation:
    assert load(worker, graph).code is None
    return worker


def load(worker: Conversation, path: Path, /, **changed: Any) -> Any:
    parameters = {"path": str(path), "format": "graph_def", "signatures": SIGNATURES, **changed}
    return worker.ask("RepositoryModelLoad", model_name="m", parameters=parameters)


def test_it_is_certified_for_every_datatype(launch: Launch) -> None:
    runtime = registry.Runtime("tensorflow-c", ("saved_model", "graph_def"), Command(tuple(launch.argv)))
    identity, not_carried = selftest.certify(runtime, Limits())
    assert identity.startswith("tensorflow-c 2.21.0, C (") and not_carried == []


def test_built_and_named_as_its_readme_says_it_answers_the_demo_as_tensorflow_does(launch: Launch, demo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    shutil.copytree(environment.C, folder)
    shutil.copytree(demo, folder / "digits")
    (folder / "wheel").mkdir()
    (folder / "wheel" / "tensorflow").symlink_to(launch.argv[1])
    for block in blocks.blocks_of(environment.C / "README.md"):
        if block.runs:
            done = blocks.run(block, folder)
            assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    report = json.loads((folder / "report.json").read_text())
    found = [(r["outcome"], r["agreement"]) for r in report["results"] if r["runtime"] == "tensorflow-c"]
    assert set(found) == {("ok", "identical")} and 2 * len(found) == len(report["results"])


@pytest.mark.parametrize(
    ("signature", "inputs", "outputs", "code", "words"),
    [
        ("other", {}, [], "NOT_FOUND", "no signature 'other'"),
        ("negate", {}, [], "INVALID_ARGUMENT", "needs inputs that the request leaves out: x"),
        ("negate", {"x": np.float32([1]), "z": np.float32([1])}, [], "INVALID_ARGUMENT", "has no input 'z'"),
        ("negate", {"x": np.float32([1])}, ["z"], "INVALID_ARGUMENT", "has no output 'z'"),
        ("negate", {"x": np.float64([1])}, [], "INVALID_ARGUMENT", "takes float32 of shape [-1]; the request has float64 of shape [1]"),
        (
            "negate",
            {"x": np.float32([[1]])},
            [],
            "INVALID_ARGUMENT",
            "takes float32 of shape [-1]; the request has float32 of shape [1, 1]",
        ),
        ("negate", {"x": np.array([b"1"], object)}, [], "INVALID_ARGUMENT", "the request has string of shape [1]"),
        (
            "variant",
            {"v": np.float32(1)},
            [],
            "UNIMPLEMENTED",
            "'v' has the DataType 21, which cannot be fed; the runtime tensorflow+python",
        ),
        ("list", {}, [], "UNIMPLEMENTED", "'l' has the DataType 21, which has no bytes; the runtime tensorflow+python"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_in_one_sentence(
    loaded: Conversation, signature: str, inputs: dict[str, np.ndarray], outputs: list[str], code: str, words: str
) -> None:
    answer = loaded.infer(signature, outputs, **inputs)
    assert answer.code == code and words in answer.error
    assert loaded.infer("negate", x=np.float32([1])).outputs["y"].tolist() == [-1]


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"path": "/nowhere.pb"}, "NOT_FOUND", "/nowhere.pb cannot be read: No such file"),
        ({"path": "/"}, "INVALID_ARGUMENT", "/ cannot be read: Is a directory"),
        ({"path": "a\0b"}, "INVALID_ARGUMENT", "names no path"),
        ({"path": None}, "INVALID_ARGUMENT", "names no path"),
        ({"format": "checkpoint"}, "UNIMPLEMENTED", "loads saved_model, graph_def, not checkpoint"),
        ({"format": "saved_model", "tags": ["serve", 1]}, "INVALID_ARGUMENT", "a tag is not a string"),
        ({"signatures": {"s": {"inputs": {"a": 1}}}}, "INVALID_ARGUMENT", "'a' is bound to no tensor's name"),
        ({"signatures": {"s": {"inputs": {"a": "x:9999999999"}}}}, "NOT_FOUND", "which is not in the graph"),
        ({"signatures": {"s": {"inputs": {"a": "x:-1"}}}}, "NOT_FOUND", "which is not in the graph"),
        ({"signatures": {"s": {"key": "s"}}}, "NOT_FOUND", "has no signature s; it has: none"),
    ],
)
def test_a_load_that_is_wrong_is_refused_in_one_sentence(
    worker: Conversation, graph: Path, changed: dict[str, Any], code: str, words: str
) -> None:
    answer = load(worker, graph, **changed)
    assert answer.code == code and words in answer.error
    assert worker.infer("negate", x=np.float32([1])).code == "NOT_FOUND"  # whatever was loaded before is gone


def test_a_text_graph_is_refused_with_the_command_that_makes_it_binary(worker: Conversation, tmp_path: Path) -> None:
    (tmp_path / "graph.pbtxt").write_text(GRAPH)
    answer = load(worker, tmp_path / "graph.pbtxt")
    assert answer.code == "UNIMPLEMENTED" and answer.error.endswith(f"crossload convert {tmp_path}/graph.pbtxt graph.pb")


def test_a_model_is_unloaded_once(loaded: Conversation) -> None:
    assert loaded.ask("RepositoryModelUnload", model_name="m").code is None
    assert loaded.ask("RepositoryModelUnload", model_name="m").code == "NOT_FOUND"


def test_a_path_may_have_bytes_that_are_no_text(worker: Conversation, graph: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xff\x80\xc3.pb")
    odd.write_bytes(graph.read_bytes())
    assert load(worker, odd).code is None


@pytest.mark.parametrize(
    ("signature", "name", "datatype", "shape", "data"),
    [
        ("copy", "s", "BYTES", [2], b"\1\0\0\0a"),
        ("copy", "s", "BYTES", [1], b"\1\0\0\0ab"),
        ("copy", "s", "BYTES", [1], b"\xff\xff\xff\xffa"),
        ("copy", "s", "BYTES", [1 << 40, 1 << 40], b""),
        # TensorFlow ends the process where the dimensions overflow, be they those of an empty tensor.
        ("copy", "s", "BYTES", [1 << 40, 1 << 40, 0], b""),
        ("any", "a", "FP32", [1 << 40, 1 << 40, 0], b""),
    ],
)
def test_a_tensor_that_does_not_fill_its_shape_is_refused(
    loaded: Conversation, signature: str, name: str, datatype: str, shape: list[int], data: bytes
) -> None:
    entry = frames.tensor_entry(name, datatype, shape, len(data))
    header = {"rpc": "ModelInfer", "model_name": "m", "parameters": {"signature_name": signature}, "inputs": [entry]}
    answer = exchange(loaded, frames.Frame(header, [data]))
    assert answer["code"] == "INVALID_ARGUMENT" and "does not hold the elements of its shape" in answer["error"]


def exchange(worker: Conversation, frame: frames.Frame) -> dict[str, Any]:
    """Send any frame; the header of its answer."""
    assert worker.process.stdin and worker.process.stdout
    frames.write(worker.process.stdin, frame)
    worker.process.stdin.flush()
    answer = frames.read(worker.process.stdout.read)
    assert answer is not None, worker.stderr()
    return answer.header


@st.composite
def odd_requests(draw: st.DrawFn, path: str, signatures: Mapping[str, Any] = SIGNATURES) -> dict[str, Any]:
    """A request in which anything may be something else."""

    def odd(value: Any) -> Any:
        if draw(st.integers(0, 9)) == 0:
            return draw(json_values)
        if isinstance(value, dict):
            return {k: odd(v) for k, v in value.items()}
        return [odd(v) for v in value] if isinstance(value, list) else value

    signature = draw(st.sampled_from([*signatures, "other"]))
    load = {"rpc": "RepositoryModelLoad", "parameters": {"path": path, "format": "graph_def", "signatures": signatures}}
    infer = {"rpc": "ModelInfer", "parameters": {"signature_name": signature}}
    other = {"rpc": draw(st.sampled_from(["RepositoryModelUnload", "ServerMetadata", "Echo", "Bake"]))}
    header = odd({"id": "1", "model_name": "m"} | draw(st.sampled_from([load, infer, other])))
    return header if isinstance(header, dict) else {}


@settings(max_examples=300)
@given(data=st.data())
def test_whatever_a_request_says_it_is_answered_and_the_worker_lives(worker: Conversation, graph: Path, data: st.DataObject) -> None:
    header = exchange(worker, frames.Frame(data.draw(odd_requests(str(graph)))))
    assert isinstance(header["id"], str)
    assert ("error" in header) == ("code" in header)


def test_without_tensorflow_it_ends_with_a_sentence(tmp_path: Path, launch: Launch) -> None:
    def ended(*arguments: str) -> tuple[int, str]:
        done = subprocess.run([launch.argv[0], *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.stdout == ""
        return done.returncode, done.stderr

    assert ended() == (2, "usage: tensorflow_worker FOLDER, the folder tensorflow of TensorFlow's wheel (site-packages/tensorflow)\n")
    status, told = ended(str(tmp_path))
    assert status == 1 and "TensorFlow's C library cannot be opened" in told and "libtensorflow_framework" in told
    for name in ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2"):
        (tmp_path / name).symlink_to("/lib/x86_64-linux-gnu/libm.so.6")
    status, told = ended(str(tmp_path))
    assert status == 1 and "holds a C API without TF_Version" in told
    assert told.count("\n") == 1
