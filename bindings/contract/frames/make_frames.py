"""Writes the example frames and index.json, which every language's tests read: `python make_frames.py` (needs crossload and NumPy).

index.json is a list. `file` holds one frame. Where `valid` is true, `header` is its JSON and `tensors` are its tensors with bytes, in order
(`hex`: their bytes); a tensor with `error` is framed correctly, but its bytes cannot be decoded. Where `valid` is false, reading the
frame must fail with a message that contains `error`.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from crossload.contract import datatypes, frames, vectors

HERE = Path(__file__).parent
EXTREMES = {"i": lambda d: [np.iinfo(d).min, -1, 0, np.iinfo(d).max], "u": lambda d: [0, 1, np.iinfo(d).max - 1, np.iinfo(d).max]}


def specials(name: str) -> np.ndarray:
    """Four elements of a datatype that are easily got wrong."""
    dtype = datatypes.numpy_dtype(name)
    if name == "BYTES":
        return strings([b"", b"\x00", b"a\x00b\xff\xfe", "grün €".encode()])
    if name == "BOOL":
        return np.array([True, False, False, True])
    if name.startswith("COMPLEX"):
        return np.array([0, 1 - 2j, complex(np.inf, -0.0), complex(np.nan, 3)], dtype)
    if name in ("INT4", "UINT4"):
        info = ml_dtypes.iinfo(dtype)
        return np.array([info.min, 1, 2, info.max]).astype(dtype)
    if dtype.kind in EXTREMES:
        return np.array(EXTREMES[dtype.kind](dtype), dtype)
    return np.array([-0.0, 1.5, np.nan, ml_dtypes.finfo(dtype).smallest_subnormal]).astype(dtype)


def strings(elements: list[bytes], shape: tuple[int, ...] | None = None) -> np.ndarray:
    """A string array; NumPy's own constructor would shorten elements that end with NUL."""
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    return array if shape is None else array.reshape(shape)


def good() -> dict[str, frames.Frame]:
    """Frames that are right, by file stem."""
    request = {"id": "1", "rpc": "ModelInfer", "model_name": "m1", "parameters": {"signature_name": "serving_default"}}
    made = {f"datatype_{name.lower()}": vectors.with_tensors({"id": name}, inputs={"x": specials(name)}) for name in datatypes.DATATYPES}
    made["header_only"] = frames.Frame({"id": "1", "rpc": "ServerMetadata"})
    made["empty_object"] = frames.Frame({})
    made["error"] = frames.Frame({"id": "7", "error": "the graph has no operation 'x'", "code": "NOT_FOUND"})
    made["request"] = vectors.with_tensors(request | {"outputs": [{"name": "y"}]}, inputs={"x": np.arange(6, dtype="<f4").reshape(2, 3)})
    made["both_sides"] = vectors.with_tensors({"id": "2"}, inputs={"x": np.float32([1])}, outputs={"x": np.int64([[2], [3]])})
    made["many_tensors"] = vectors.with_tensors({"id": "3"}, inputs={f"x{i}": np.full(i, i, "uint16") for i in range(5)})
    made["scalars"] = vectors.with_tensors({"id": "4"}, inputs={"n": np.float64(0.1), "s": strings([b"scalar"], ())})
    made["no_elements"] = vectors.with_tensors({"id": "5"}, inputs={"n": np.empty((2, 0, 3), "float32"), "s": strings([], (0, 2))})
    made["rank_6"] = vectors.with_tensors({"id": "6"}, inputs={"x": np.arange(8, dtype="int32").reshape(1, 2, 1, 2, 2, 1)})
    made["names"] = vectors.with_tensors(
        {"id": "Größe/\ud83d\ude00"}, inputs={"a/b:0": np.uint8([1]), "": np.uint8([2]), "\n\"'": np.uint8([3])}
    )
    return made


def entry(**changes: Any) -> dict[str, Any]:
    """A tensor's entry of two float32, with changes."""
    return {"name": "x", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}} | changes


def with_header(text: bytes, tail: bytes = b"") -> bytes:
    """A frame with these header bytes."""
    return struct.pack("<Q", len(text)) + text + tail


def with_inputs(*entries: Any, tail: bytes = bytes(8)) -> bytes:
    """A frame with these entries and tensor bytes."""
    return with_header(json.dumps({"id": "1", "inputs": list(entries)}).encode(), tail)


def sized(size: Any, **changes: Any) -> bytes:
    """A frame whose only tensor announces this size."""
    return with_inputs(entry(parameters={"binary_data_size": size}, **changes))


MALFORMED: dict[str, tuple[bytes, str]] = {
    "truncated_length": (bytes(5), "5 of 8 length bytes"),
    "truncated_header": (struct.pack("<Q", 20) + b'{"id":"1"', "ends inside a frame's header: 9 of 20 bytes"),
    "truncated_tensor": (with_inputs(entry(), tail=bytes(7)), "ends inside a frame's tensor 'x': 7 of 8 bytes"),
    "truncated_before_tensor": (with_inputs(entry(), tail=b""), "ends inside a frame's tensor 'x': 0 of 8 bytes"),
    "length_0": (struct.pack("<Q", 0), "a frame's header of 0 bytes"),
    "length_over_64_mib": (struct.pack("<Q", (64 << 20) + 1), "a frame's header of 67108865 bytes"),
    "length_2_63": (struct.pack("<Q", 1 << 63), "a frame's header of 9223372036854775808 bytes"),
    "printed_text": (b"Hello, world!\n", "is something else printing to this stream?"),
    "not_json": (with_header(b"{'id': 1}"), "not JSON"),
    "two_values": (with_header(b"{}{}"), "not JSON"),
    "nan_in_header": (with_header(b'{"id":NaN}'), "not JSON"),
    "deeply_nested": (with_header(b"[" * 20_000), "not JSON"),
    "invalid_utf8": (with_header(b'{"id":"\xff\xfe"}'), "not UTF-8"),
    "utf16": (with_header('{"id":"1"}'.encode("utf-16-be")), "a frame's header is"),
    "byte_order_mark": (with_header(b'\xef\xbb\xbf{"id":"1"}'), "not JSON"),
    "list": (with_header(b"[]"), "no object"),
    "null": (with_header(b"null"), "no object"),
    "inputs_null": (with_header(b'{"inputs":null}'), "not a list of named tensors"),
    "inputs_object": (with_header(b'{"inputs":{"x":[1]}}'), "not a list of named tensors"),
    "entry_no_object": (with_inputs(3), "not a list of named tensors"),
    "name_missing": (with_inputs({"datatype": "FP32"}), "not a list of named tensors"),
    "name_number": (with_inputs(entry(name=1)), "not a list of named tensors"),
    "name_twice": (with_inputs(entry(), entry(), tail=bytes(16)), "names"),
    "parameters_list": (with_inputs(entry(parameters=[])), "parameters that are no object"),
    "datatype_unknown": (with_inputs(entry(datatype="FP31")), "not in the contract"),
    "datatype_in_tensorflows_words": (with_inputs(entry(datatype="float32")), "not in the contract"),
    "datatype_missing": (with_inputs({k: v for k, v in entry().items() if k != "datatype"}), "not in the contract"),
    "shape_missing": (with_inputs({k: v for k, v in entry().items() if k != "shape"}), "not a list of dimensions"),
    "shape_negative": (with_inputs(entry(shape=[-2])), "not a list of dimensions"),
    "shape_of_rank_255": (with_inputs(entry(shape=[1] * 255)), "not a list of dimensions"),
    "shape_two_negatives": (with_inputs(entry(shape=[-1, -2])), "not a list of dimensions"),
    "shape_fraction": (with_inputs(entry(shape=[2.0])), "not a list of dimensions"),
    "shape_text": (with_inputs(entry(shape="2")), "not a list of dimensions"),
    "shape_bool": (with_inputs(entry(shape=[2, True])), "not a list of dimensions"),
    "shape_2_64": (with_inputs(entry(shape=[1 << 64])), "not a list of dimensions"),
    "shape_overflow": (sized(0, shape=[1 << 32, 1 << 32]), "0 bytes announced"),
    "shape_overflow_to_8": (sized(8, shape=[(1 << 61) + 1, 2]), "8 bytes announced"),
    "size_too_small": (sized(4), "4 bytes announced"),
    "size_too_large": (sized(12), "12 bytes announced"),
    "size_negative": (sized(-8), "-8 bytes announced"),
    "size_null": (sized(None), "bytes announced"),
    "size_text": (sized("8"), "bytes announced"),
    "size_larger_than_memory": (sized(1 << 60, datatype="UINT8", shape=[1 << 60]), "tensor 'x'"),
    "bytes_size_negative": (sized(-1, datatype="BYTES"), "-1 bytes announced"),
}
UNDECODABLE: dict[str, tuple[bytes, str]] = {
    "bytes_length_outside": (struct.pack("<I", 5) + b"abcd", "ends inside an element"),
    "bytes_length_2_32": (b"\xff\xff\xff\xff" + b"abcd", "ends inside an element"),
    "bytes_length_truncated": (struct.pack("<I", 1) + b"a" + b"\x01\x00", "ends inside an element's length"),
}


def main() -> None:
    """Write every file anew."""
    for old in HERE.glob("*.frame"):
        old.unlink()
    index: list[dict[str, Any]] = []
    for stem, frame in good().items():
        content = frames.pack(frame.header) + b"".join(frame.buffers)
        entries = [t for side in ("inputs", "outputs") for t in frame.header.get(side, []) if "parameters" in t]
        tensors = [
            {k: t[k] for k in ("name", "datatype", "shape")} | {"hex": bytes(b).hex()} for t, b in zip(entries, frame.buffers, strict=True)
        ]
        index.append(write(stem, content, valid=True, header=frame.header, tensors=tensors))
    for stem, (data, error) in UNDECODABLE.items():
        described = {"name": "s", "datatype": "BYTES", "shape": [1]}
        header = {"id": stem, "inputs": [described | {"parameters": {"binary_data_size": len(data)}}]}
        tensors = [described | {"hex": data.hex(), "error": error}]
        index.append(write(stem, frames.pack(header) + data, valid=True, header=header, tensors=tensors))
    for stem, (content, error) in MALFORMED.items():
        index.append(write(stem, content, valid=False, error=error))
    (HERE / "index.json").write_text("[\n" + ",\n".join(json.dumps(e) for e in index) + "\n]\n")


def write(stem: str, content: bytes, **described: Any) -> dict[str, Any]:
    """Write one file; its entry of the index."""
    (HERE / f"{stem}.frame").write_bytes(content)
    return {"file": f"{stem}.frame"} | described


if __name__ == "__main__":
    main()
