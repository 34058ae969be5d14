"""The frame: uint64 length, JSON header, tensor bytes (bindings/contract/README.md, section Frame)."""

from __future__ import annotations

import json
import math
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from crossload.contract.datatypes import DATATYPES
from crossload.errors import FrameError

MAX_HEADER = 64 << 20
MAX_RANK = 254  # TensorShape::MaxDimensions in tensorflow/core/framework/tensor_shape.h; computing a longer shape's size takes too long
Buffer = bytes | bytearray | memoryview


@dataclass
class Frame:
    """One message: its header, and the tensors' bytes by position: `inputs` first, then `outputs`, only those with bytes."""

    header: dict[str, Any]
    buffers: list[Buffer] = field(default_factory=list)

    def tensors(self, key: str) -> dict[str, tuple[str, tuple[int, ...], Buffer]]:
        """`inputs` or `outputs` by name: (datatype, shape, bytes)."""
        at = 0 if key == "inputs" else len(_with_bytes(self.header.get("inputs")))
        entries = _with_bytes(self.header.get(key))
        return {e["name"]: (e["datatype"], tuple(e["shape"]), b) for e, b in zip(entries, self.buffers[at:], strict=False)}


def pack(header: dict[str, Any]) -> bytes:
    """The frame's first bytes: length and header; the tensors' bytes follow."""
    text = _ENCODER.encode(header).encode("ascii")  # any str survives, even a lone surrogate
    return struct.pack("<Q", len(text)) + text


def tensor_entry(name: str, datatype: str, shape: Sequence[int], size: int) -> dict[str, Any]:
    """The header's entry for a tensor of `size` bytes."""
    return {"name": name, "datatype": datatype, "shape": list(shape), "parameters": {"binary_data_size": size}}


def rounding(header: dict[str, Any]) -> dict[str, float]:
    """The rounding of a recorded answer, by output (section Vectors file); raises FrameError for one that is not a distance."""
    found = {e["name"]: e["parameters"]["rounding"] for e in header.get("outputs") or () if "rounding" in e.get("parameters", {})}
    for name, value in found.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
            raise FrameError(f"tensor {name!r}: rounding {value!r} is not a distance")
    return found


def steps(header: dict[str, Any]) -> dict[str, tuple[float, int]]:
    """The scale of a recorded answer that is quantised, and the steps of it that are close, by output (section Vectors file).

    Raises FrameError for a scale that is not above 0, and for steps that are not a count.
    """
    parameters = {e["name"]: e["parameters"] for e in header.get("outputs") or () if "scale" in e.get("parameters", {})}
    found = {name: (entry["scale"], entry.get("steps")) for name, entry in parameters.items()}
    for name, (scale, allowed) in found.items():
        if not isinstance(scale, int | float) or isinstance(scale, bool) or not 0 < scale < math.inf:
            raise FrameError(f"tensor {name!r}: scale {scale!r} is not a distance above 0")
        if not isinstance(allowed, int) or isinstance(allowed, bool) or not 0 <= allowed < 1 << 31:
            raise FrameError(f"tensor {name!r}: steps {allowed!r} is not a count")
    return found


def write(stream: BinaryIO, frame: Frame) -> None:
    """Write one frame whole."""
    stream.write(pack(frame.header))
    for buffer in frame.buffers:
        stream.write(buffer)


def read(exactly: Callable[[int], Buffer], shared: Callable[[int, int], Buffer] | None = None) -> Frame | None:
    """The next frame, or None at a clean end.

    `exactly(n)` returns n bytes, or fewer only where the stream ends; `shared(offset, n)` those of a tensor in shared memory, where there
    is such. Raises FrameError for bytes that are not a frame.
    """
    prefix = exactly(8)
    if not prefix:
        return None
    if len(prefix) < 8:
        raise FrameError(f"the stream ends inside a frame: {len(prefix)} of 8 length bytes")
    (length,) = struct.unpack("<Q", prefix)
    if not 0 < length <= MAX_HEADER:
        raise FrameError(f"a frame's header of {length} bytes: allowed are 1 to {MAX_HEADER} (is something else printing to this stream?)")
    header = _parse_header(_whole(exactly, length, "header"))
    buffers = []
    for entry in [*_with_bytes(header.get("inputs")), *_with_bytes(header.get("outputs"))]:
        buffers.append(_whole(_source(entry, exactly, shared), sized(entry), f"tensor {entry['name']!r}"))
    return Frame(header, buffers)


def read_all(stream: BinaryIO) -> Iterator[Frame]:
    """Every frame of a file."""
    while (frame := read(stream.read)) is not None:
        yield frame


def sized(entry: dict[str, Any]) -> int:
    """The bytes that a header's entry announces; raises FrameError where they contradict datatype and shape."""
    size, shape = entry["parameters"]["binary_data_size"], entry.get("shape")
    datatype = DATATYPES.get(str(entry.get("datatype")))
    if datatype is None:
        raise FrameError(f"tensor {entry['name']!r}: datatype {entry.get('datatype')!r} is not in the contract")
    if not isinstance(shape, list) or len(shape) > MAX_RANK or not all(_is_count(d) for d in shape):
        raise FrameError(f"tensor {entry['name']!r}: shape {repr(shape)[:200]} is not a list of dimensions")
    if not _is_count(size) or (datatype.size and size != math.prod(shape) * datatype.size):
        raise FrameError(f"tensor {entry['name']!r}: {size!r} bytes announced for {datatype.tensorflow} of shape {shape}")
    return int(size)


def _source(
    entry: dict[str, Any], exactly: Callable[[int], Buffer], shared: Callable[[int, int], Buffer] | None
) -> Callable[[int], Buffer]:
    """Where a tensor's bytes are: in the stream, or at an offset of the shared memory."""
    offset = entry["parameters"].get("shared_memory_offset")
    if offset is None:
        return exactly
    if shared is None or not _is_count(offset):
        why = "which was not agreed on" if shared is None else "which is no offset"
        raise FrameError(f"tensor {entry['name']!r} lies in shared memory at {offset!r}, {why}")
    return lambda count: shared(offset, count)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def _whole(exactly: Callable[[int], Buffer], count: int, what: str) -> Buffer:
    try:
        data = exactly(count) if count else b""
    except (MemoryError, OverflowError) as error:
        raise FrameError(f"a frame's {what} of {count} bytes does not fit in memory") from error
    if len(data) < count:
        raise FrameError(f"the stream ends inside a frame's {what}: {len(data)} of {count} bytes")
    return data


def _parse_header(data: Buffer) -> dict[str, Any]:
    try:
        # Decode explicitly: json.loads would guess UTF-16 and UTF-32 from the bytes.
        header = _DECODER.decode(str(data, "utf-8"))
    except UnicodeDecodeError as error:
        raise FrameError(f"a frame's header is not UTF-8 ({error.reason})") from error
    except (ValueError, RecursionError) as error:
        raise FrameError(f"a frame's header is not JSON ({error})") from error
    if not isinstance(header, dict):
        raise FrameError("a frame's header is JSON but no object")
    for key in ("inputs", "outputs"):
        entries = header.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(e, dict) and isinstance(e.get("name"), str) for e in entries):
            raise FrameError(f"a frame's {key} is not a list of named tensors")
        if not all(isinstance(e.get("parameters", {}), dict) for e in entries):
            raise FrameError(f"a frame's {key} has parameters that are no object")
        names = [e["name"] for e in entries]
        if len(set(names)) < len(names):
            raise FrameError(f"a frame's {key} names {Counter(names).most_common(1)[0][0]!r} twice")
    return header


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


# Made once: json.dumps and json.loads with options make one each time, which a small call feels.
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_DECODER = json.JSONDecoder(parse_constant=_no_number)


def _with_bytes(entries: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [e for e in entries or [] if "binary_data_size" in e.get("parameters", {})]
