"""The readers of the C worker read what crossload reads, refuse what it refuses, and touch no byte beyond, whatever they are given."""

from __future__ import annotations

import io
import json
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto.graph_pb2 import GraphDef

from crossload.contract import frames
from crossload.errors import FrameError
from tests import environment
from tests.contract.test_frames import EXAMPLES, GOOD, MALFORMED, by_file, json_values, some_frames, written

Answers = Callable[[bytes], bytes]
DEEPEST = 64


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that says what the C readers make of bytes."""
    parts = [environment.C / f"{name}.c" for name in ("json", "frames", "messages", "memory")]
    return environment.c_program(tmp_path_factory, "probe", Path(__file__).with_name("probe.c"), *parts)


def answers(probe: Path, what: str) -> Iterator[Answers]:
    """One process that answers many texts."""
    with subprocess.Popen([probe, what], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout

        def ask(text: bytes) -> bytes:
            assert process.stdin and process.stdout
            process.stdin.write(struct.pack("=Q", len(text)) + text)
            process.stdin.flush()
            (length,) = struct.unpack("=Q", process.stdout.read(8))
            return process.stdout.read(length)

        yield ask
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.fixture(scope="session")
def read_json(probe: Path) -> Iterator[Answers]:
    yield from answers(probe, "json")


@pytest.fixture(scope="session")
def read_graph(probe: Path) -> Iterator[Answers]:
    yield from answers(probe, "graph")


def read_frames(probe: Path, content: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([probe, "frames"], input=content, capture_output=True, check=False)


def expected(value: Any) -> Any:
    """A JSON value as the probe tells it: it keeps integers of 64 bits, and of other numbers that they are numbers."""
    if isinstance(value, dict):
        return {k: expected(v) for k, v in value.items()}
    if isinstance(value, list):
        return [expected(v) for v in value]
    outside = isinstance(value, int) and not -(1 << 63) <= value < 1 << 63
    return "#" if isinstance(value, float) or outside else value


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def python_json(text: bytes) -> Any:
    """What Python reads, as strictly as the contract wants it; raises ValueError."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(str(text, "utf-8"), parse_constant=refuse)


texts = st.one_of(
    json_values.map(lambda v: json.dumps(v).encode()),
    json_values.map(lambda v: json.dumps(v, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")),
    st.text('[]{},:"\\u01aedD89fF-+.eE \n\x00\x1fté€😀rulsn', max_size=24).map(str.encode),
    st.binary(max_size=12),
)


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Bytes with a few changed, cut out or put in."""
    content = bytearray(draw(whole))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(content)


@given(text=damaged(texts))
@example(text=b"")
@example(text=b'"\\ud83d\\ude00 \\ud83d \\ude00\\ud83d\\u0041"')
@example(text=b'"\\ud83d\\u12')
@example(text=b'{"a": 1, "a": [2, {}]}')
@example(text=b"[9223372036854775807, -9223372036854775808, 9223372036854775808, -9223372036854775809, -0]")
@example(text=b"[01]")
@example(text=b"[1,]")
@example(text=b"nul")
@example(text=b"\xef\xbb\xbf{}")
@example(text=b"[" * DEEPEST + b"]" * DEEPEST)
@example(text=b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1))
@example(text=b"[" * 100_000)
def test_json_is_read_as_python_reads_it_or_refused_as_python_refuses_it(read_json: Answers, text: bytes) -> None:
    told = read_json(text)
    try:
        value = python_json(text)
    except (ValueError, RecursionError):
        assert told.startswith(b"-")
        return
    assert told.startswith(b"-values are nested") if depth(value) > DEEPEST else json.loads(told) == expected(value)


@by_file(GOOD)
def test_a_good_example_frame_is_read_exactly(probe: Path, entry: dict[str, Any]) -> None:
    done = read_frames(probe, (EXAMPLES / entry["file"]).read_bytes())
    assert done.returncode == 0, done.stderr
    check_frame(frames.read(io.BytesIO(done.stdout).read), (EXAMPLES / entry["file"]).read_bytes())


def check_frame(told: frames.Frame | None, content: bytes) -> None:
    """The probe's frame has the header of the original, its inputs with their bytes, and whether their strings fill them."""
    original = frames.read(io.BytesIO(content).read)
    assert told and original
    assert told.header["header"] == expected(original.header)
    inputs = [e for e in original.header.get("inputs", []) if "binary_data_size" in e.get("parameters", {})]
    assert told.header["outputs"] == [frames.tensor_entry(e["name"], e["datatype"], e["shape"], frames.sized(e)) for e in inputs]
    assert [bytes(b) for b in told.buffers] == [bytes(b) for b in original.buffers[: len(inputs)]]
    for entry, data, whole in zip(inputs, told.buffers, told.header["whole"], strict=True):
        assert whole == (entry["datatype"] != "BYTES" or is_whole(data))


def is_whole(strings: frames.Buffer) -> bool:
    at = 0
    while at + 4 <= len(strings):
        at += 4 + int(struct.unpack_from("<I", strings, at)[0])
    return at == len(strings)


@by_file(MALFORMED)
def test_a_malformed_example_frame_ends_the_process_with_its_reason(probe: Path, entry: dict[str, Any]) -> None:
    done = read_frames(probe, (EXAMPLES / entry["file"]).read_bytes())
    assert done.returncode == 1
    assert done.stdout == b""
    assert entry["error"] in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1, done.stderr


@given(content=damaged(some_frames().map(written)))
@settings(max_examples=50)
def test_a_frame_is_read_or_refused_as_crossload_does_it(probe: Path, content: bytes) -> None:
    try:
        original = list(frames.read_all(io.BytesIO(content)))
    except FrameError:
        original = None
    done = read_frames(probe, content)
    assert done.returncode == (1 if original is None else 0), done.stderr
    if original:
        check_frame(frames.read(io.BytesIO(done.stdout).read), content)


nodes = st.builds(
    lambda name, op, device, inputs: {"name": name, "op": op, "device": device, "input": inputs},
    *(st.text("ab/é", max_size=4), st.sampled_from(["Add", "_Arg"]), st.text("/:gpu0", max_size=200), st.lists(st.text("a", max_size=2))),
)
graphs = st.builds(
    lambda nodes, producer: GraphDef(node=nodes, versions={"producer": producer}), st.lists(nodes, min_size=1), st.integers(0, 9)
)


@given(graph=graphs)
def test_a_graphs_nodes_lose_their_devices_and_nothing_else(read_graph: Answers, graph: GraphDef) -> None:
    told = GraphDef.FromString(read_graph(graph.SerializeToString()))
    for node in graph.node:
        node.device = ""
    assert told == graph


@example(content=b'\n\x05\x12\x03d"\x02\x08\x01')  # a field of a node's number and another type
@given(content=damaged(graphs.map(lambda g: g.SerializeToString())))
def test_a_damaged_graph_is_refused_or_read_as_protobuf_reads_it(read_graph: Answers, content: bytes) -> None:
    told = read_graph(content)
    try:
        graph = GraphDef.FromString(content)
    except DecodeError:
        return  # protobuf also looks into fields that the C reader copies as they are
    if told != b"-":
        for node in graph.node:
            node.device = ""
        assert GraphDef.FromString(told) == graph
