"""Frames: written frames are read back, other bytes are refused in one sentence, and every language reads the same files."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crossload.contract import datatypes, frames, vectors
from crossload.errors import FrameError
from tests import CONTRACT

EXAMPLES = CONTRACT / "frames"
INDEX: list[dict[str, Any]] = json.loads((EXAMPLES / "index.json").read_text())
GOOD = [e for e in INDEX if e["valid"]]
MALFORMED = [e for e in INDEX if not e["valid"]]


def read(content: bytes) -> list[frames.Frame]:
    return list(frames.read_all(io.BytesIO(content)))


def written(*several: frames.Frame) -> bytes:
    stream = io.BytesIO()
    for frame in several:
        frames.write(stream, frame)
    return stream.getvalue()


def by_file(entries: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("entry", entries, ids=[e["file"] for e in entries])


@by_file(GOOD)
def test_a_good_example_frame_is_read_exactly(entry: dict[str, Any]) -> None:
    (frame,) = read((EXAMPLES / entry["file"]).read_bytes())
    assert frame.header == entry["header"]
    tensors = [t for side in ("inputs", "outputs") for t in described(frame, side)]
    assert tensors == [{k: v for k, v in t.items() if k != "error"} for t in entry["tensors"]]


def described(frame: frames.Frame, side: str) -> list[dict[str, Any]]:
    return [{"name": n, "datatype": d, "shape": list(s), "hex": bytes(b).hex()} for n, (d, s, b) in frame.tensors(side).items()]


@by_file([e for e in GOOD if e["tensors"]])
def test_tensors_of_an_example_frame_decode_or_give_the_reason(entry: dict[str, Any]) -> None:
    for tensor in entry["tensors"]:
        data, shape = bytes.fromhex(tensor["hex"]), tuple(tensor["shape"])
        if "error" in tensor:
            with pytest.raises(FrameError, match=tensor["error"]):
                datatypes.decode(tensor["datatype"], shape, data)
        else:
            assert bytes(datatypes.encode(datatypes.decode(tensor["datatype"], shape, data))) == data


@by_file(MALFORMED)
def test_a_malformed_example_frame_is_refused_with_its_reason(entry: dict[str, Any]) -> None:
    with pytest.raises(FrameError) as refusal:
        read((EXAMPLES / entry["file"]).read_bytes())
    assert entry["error"] in str(refusal.value)
    assert str(refusal.value).isprintable()


def test_the_examples_match_make_frames(tmp_path: Path) -> None:
    script = tmp_path / "make_frames.py"
    script.write_text((EXAMPLES / "make_frames.py").read_text())
    subprocess.run([sys.executable, script], check=True)
    for made in tmp_path.glob("*"):
        assert made.read_bytes() == (EXAMPLES / made.name).read_bytes(), made.name
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in EXAMPLES.iterdir() if p.is_file()}


def test_a_stream_without_bytes_is_a_clean_end() -> None:
    assert read(b"") == []


def test_a_stream_cut_anywhere_inside_a_frame_is_refused() -> None:
    whole = (EXAMPLES / "both_sides.frame").read_bytes()
    for length in range(1, len(whole)):
        with pytest.raises(FrameError, match="ends inside"):
            read(whole[:length])


# A short alphabet: ASCII, NUL, characters that JSON escapes, two to four bytes of UTF-8, a lone surrogate.
names = st.text('ab/:\0"\\\né€😀\ud800', max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def tensors(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    known = datatypes.DATATYPES[draw(st.sampled_from(sorted(datatypes.DATATYPES)))]
    shape = draw(st.lists(st.integers(0, 3), max_size=6))
    count = 1
    for dimension in shape:
        count *= dimension
    size = draw(st.integers(0, 40)) if known.name == "BYTES" else count * known.size
    data = draw(st.binary(min_size=size, max_size=size))
    return frames.tensor_entry(draw(names), known.name, shape, size), data


@st.composite
def some_frames(draw: st.DrawFn) -> frames.Frame:
    header = draw(st.dictionaries(names.filter(lambda n: n not in ("inputs", "outputs")), json_values, max_size=4))
    buffers: list[frames.Buffer] = []
    for side in draw(st.sampled_from([(), ("inputs",), ("outputs",), ("inputs", "outputs")])):
        drawn = draw(st.lists(tensors(), max_size=4, unique_by=lambda t: t[0]["name"]))
        header[side] = [entry for entry, _ in drawn]
        buffers += [data for _, data in drawn]
    return frames.Frame(header, buffers)


@given(st.lists(some_frames(), max_size=3))
def test_written_frames_are_read_back(several: list[frames.Frame]) -> None:
    assert read(written(*several)) == several


@given(st.binary(max_size=64))
@example(b"\x08\0\0\0\0\0\0\0" + b"[1,2,3]\n")
def test_any_bytes_give_frames_or_a_frame_error(content: bytes) -> None:
    refused_in_one_sentence(content)


@given(st.dictionaries(st.sampled_from(["inputs", "outputs", "id"]), json_values), st.binary(max_size=16))
def test_any_json_header_gives_a_frame_or_a_frame_error(header: dict[str, Any], tail: bytes) -> None:
    refused_in_one_sentence(frames.pack(header) + tail)


wild = st.one_of(json_values, st.integers(-2, 1 << 70))


@given(
    st.dictionaries(st.sampled_from(["name", "datatype", "shape", "parameters"]), wild),
    st.lists(wild, max_size=3),
    wild,
    st.sampled_from(sorted(datatypes.DATATYPES)),
)
@example({"shape": "\n"}, [], 4, "FP32")
@example({"datatype": "\x1b[31m"}, [1], 4, "FP32")
@example({"name": "a\nb", "shape": ["\u202e"]}, [1], 4, "FP32")
def test_any_tensor_entry_gives_a_frame_or_a_frame_error(changes: dict[str, Any], shape: list[Any], size: Any, datatype: str) -> None:
    entry = {"name": "x", "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}} | changes
    refused_in_one_sentence(frames.pack({"inputs": [entry]}) + bytes(16))


@given(some_frames(), st.data())
def test_a_frame_with_one_changed_byte_gives_a_frame_or_a_frame_error(frame: frames.Frame, data: st.DataObject) -> None:
    content = bytearray(written(frame))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    refused_in_one_sentence(bytes(content))


def refused_in_one_sentence(content: bytes) -> None:
    """Reading gives frames whose tensors decode, or a FrameError; any other exception fails the test."""
    try:
        for frame in read(content):
            for side in ("inputs", "outputs"):
                vectors.arrays(frame, side)
    except FrameError as refusal:
        assert str(refusal).isprintable()


_READ_ONE = """
from crossload.contract import frames
from crossload.errors import FrameError
try:
    with open({file!r}, "rb") as stream:
        frames.read(stream.read)
except FrameError:
    print("refused")
"""


@pytest.mark.parametrize(
    "header",
    [
        {"outputs": [{"name": "y", "datatype": "FP32", "shape": [9] * 1_000_000, "parameters": {"binary_data_size": 4}}]},
        {"outputs": [{"name": str(n)} for n in range(100_000)] + [{"name": "99999"}]},
    ],
)
def test_a_header_built_to_stall_its_reader_is_refused_at_once(header: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "busy.frame"
    file.write_bytes(frames.pack(header))
    read_it = f"import resource; resource.setrlimit(resource.RLIMIT_CPU, (5, 5)); {_READ_ONE.format(file=str(file))}"
    done = subprocess.run([sys.executable, "-c", read_it], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "refused" in done.stdout
