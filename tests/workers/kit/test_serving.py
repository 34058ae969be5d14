"""Every Python worker's promises on its pipes, tested on the real serving.py with a worker that needs no runtime."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from crossload.contract import datatypes
from crossload.runtimes.process import Launch
from crossload.runtimes.registry import WORKERS
from tests.corpus.arrays import SHAPES, array_of, same_bytes
from tests.workers.conversation import Conversation

TOY = Path(__file__).parent / "toy_worker.py"
SIGNATURE = {"key": None, "inputs": {"x": 0}, "outputs": {"y": 1}}


def _toy() -> Iterator[Conversation]:
    conversation = Conversation(Launch((sys.executable, str(TOY), str(WORKERS))))
    yield conversation
    conversation.process.kill()
    conversation.process.wait()


toy = pytest.fixture(_toy)
lasting_toy = pytest.fixture(_toy, scope="module")


def load(toy: Conversation, path: Path = TOY, format: str = "tflite") -> object:
    signatures = dict.fromkeys(("ok", "fails", "memory"), SIGNATURE)
    return toy.ask("RepositoryModelLoad", model_name="m", parameters={"path": str(path), "format": format, "signatures": signatures})


ONES = np.ones((2, 3), np.float32)


def test_anything_printed_on_standard_output_goes_to_standard_error(toy: Conversation) -> None:
    load(toy)
    assert np.array_equal(toy.infer("ok", x=ONES).outputs["y"], ONES + 1)
    assert toy.end() == 0
    said = toy.stderr()
    assert "a dependency greets" in said and "a child greets" in said and "a kernel traces" in said


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("datatype", [d.tensorflow for d in datatypes.DATATYPES.values()])
def test_echo_returns_every_datatype_and_shape_bit_for_bit(lasting_toy: Conversation, datatype: str, shape: tuple[int, ...]) -> None:
    sent = array_of(datatype, shape)
    assert same_bytes(lasting_toy.ask("Echo", {"a": sent}).outputs["a"], sent)


def test_int4_is_sent_sign_extended(toy: Conversation) -> None:
    assert toy.process.stdin and toy.process.stdout
    header = {"id": "1", "rpc": "Echo", "inputs": [{"name": "a", "datatype": "INT4", "shape": [2], "parameters": {"binary_data_size": 2}}]}
    text = json.dumps(header).encode()
    toy.process.stdin.write(struct.pack("<Q", len(text)) + text + b"\xf8\x07")
    toy.process.stdin.flush()
    toy.process.stdout.read(struct.unpack("<Q", toy.process.stdout.read(8))[0])
    assert toy.process.stdout.read(2) == b"\xf8\x07"


def test_a_large_tensor_comes_back_whole(toy: Conversation) -> None:
    sent = np.random.default_rng(1).integers(0, 255, 20_000_003, np.uint8)  # not a multiple of any buffer
    assert np.array_equal(toy.ask("Echo", {"a": sent, "b": sent[:1]}).outputs["a"], sent)


def test_metadata_identify_the_worker(toy: Conversation) -> None:
    header = toy.ask("ServerMetadata").header
    assert (header["name"], header["version"], header["formats"]) == ("toy", "1", ["tflite"])
    assert {"language", "os", "arch", "threads"} <= set(header["parameters"])


def test_an_answer_has_the_runtimes_own_time_and_a_load_its_note(toy: Conversation) -> None:
    assert load(toy).note == "it adds one"
    assert toy.infer("ok", x=ONES).header["parameters"]["nanoseconds"] > 0


@pytest.mark.parametrize(
    ("signature", "inputs", "outputs", "code", "words"),
    [
        ("other", {"x": ONES}, (), "NOT_FOUND", "'other'; it has: ok, fails, memory"),
        ("ok", {}, (), "INVALID_ARGUMENT", "leaves out: x"),
        ("ok", {"x": ONES, "z": ONES}, (), "INVALID_ARGUMENT", "no input z"),
        ("ok", {"x": ONES}, ("z",), "INVALID_ARGUMENT", "no output z"),
        (
            "ok",
            {"x": ONES.astype(np.float64)},
            (),
            "INVALID_ARGUMENT",
            "takes float32 of shape [-1, 3]; the request has float64 of shape [2, 3]",
        ),
        ("ok", {"x": ONES[0]}, (), "INVALID_ARGUMENT", "the request has float32 of shape [3]"),
        ("ok", {"x": ONES[:, :2]}, (), "INVALID_ARGUMENT", "the request has float32 of shape [2, 2]"),
        ("fails", {"x": ONES}, (), "INTERNAL", "the first line"),
        ("memory", {"x": ONES}, (), "RESOURCE_EXHAUSTED", "no room for 7 GB"),
    ],
)
def test_a_failed_request_is_answered_and_the_worker_lives_on(
    toy: Conversation, signature: str, inputs: dict[str, np.ndarray], outputs: tuple[str, ...], code: str, words: str
) -> None:
    load(toy)
    failed = toy.infer(signature, outputs, **inputs)
    assert failed.code == code and words in failed.error and "\n" not in failed.error
    assert toy.infer("ok", x=ONES).code is None


def test_a_traceback_goes_to_standard_error(toy: Conversation) -> None:
    load(toy)
    toy.infer("fails", x=ONES)
    assert "the second line" in toy.stderr() and "Traceback" in toy.stderr()


def test_a_model_that_cannot_be_loaded_is_an_error(toy: Conversation, tmp_path: Path) -> None:
    assert load(toy, tmp_path / "absent").code == "NOT_FOUND"
    (tmp_path / "refused").touch()
    assert load(toy, tmp_path / "refused").code == "FAILED_PRECONDITION"
    assert load(toy, format="saved_model").code == "UNIMPLEMENTED"
    assert toy.infer("ok", x=ONES).code == "NOT_FOUND", "what was asked for last did not load, so nothing answers in its place"


def test_an_unloaded_model_is_gone(toy: Conversation) -> None:
    load(toy)
    assert toy.ask("RepositoryModelUnload", model_name="m").code is None
    assert toy.ask("RepositoryModelUnload", model_name="m").code == "NOT_FOUND"
    assert toy.infer("ok", x=ONES).code == "NOT_FOUND"


@pytest.mark.parametrize("rpc", ["RegisteredOps", "Nonsense"])
def test_an_unknown_request_is_unimplemented(toy: Conversation, rpc: str) -> None:
    assert toy.ask(rpc).code == "UNIMPLEMENTED"


def test_the_end_of_standard_input_ends_it_cleanly(toy: Conversation) -> None:
    assert toy.end() == 0


def frame(header: object, tail: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tail


def tensor(**fields: object) -> dict[str, object]:
    entry = {"name": "a", "datatype": "FP32", "shape": [1], "parameters": {"binary_data_size": 4}} | fields
    return {"id": "1", "rpc": "Echo", "inputs": [entry]}


@pytest.mark.parametrize(
    "sent",
    {
        "inside the length": b"\1\0\0",
        "a length of zero": bytes(8),
        "a length of 2^63": struct.pack("<Q", 1 << 63),
        "inside the header": struct.pack("<Q", 10) + b"{}",
        "no JSON": struct.pack("<Q", 3) + b"abc",
        "no object": frame([1]),
        "inside a tensor": frame(tensor(), b"\0"),
        "another size": frame(tensor(parameters={"binary_data_size": 5}), bytes(5)),
        "a negative dimension": frame(tensor(shape=[-1]), bytes(4)),
        "an unknown datatype": frame(tensor(datatype="FP99"), bytes(4)),
    }.items(),
    ids=lambda item: item[0],
)
def test_a_malformed_stream_ends_it_with_a_sentence(toy: Conversation, sent: tuple[str, bytes]) -> None:
    assert toy.process.stdin
    toy.process.stdin.write(sent[1])
    assert toy.end() == 1
    assert "toy worker: " in toy.stderr() and "cannot be read on" in toy.stderr()
