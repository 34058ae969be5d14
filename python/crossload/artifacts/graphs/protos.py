"""TensorFlow's protocol buffers without TensorFlow: files to messages, tensors to plain values."""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from crossload.artifacts.content import content, described, is_text
from crossload.artifacts.messages import message_class
from crossload.contract.datatypes import DATATYPES, from_enum
from crossload.errors import ArtifactError

# The maximum size of a message in every protobuf implementation; a default value with more elements than this is corrupt.
_MOST_BYTES = 1 << 31
_MOST_ELEMENTS = 1 << 20
_STRUCT = {
    "FP32": "f", "FP64": "d", "FP16": "e", "BF16": "H", "COMPLEX64": "f", "COMPLEX128": "d", "BOOL": "?",
    "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q", "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q",
    "INT4": "b", "UINT4": "B", "FP8_E5M2": "B", "FP8_E4M3FN": "B",
}  # fmt: skip
# tensor.proto: the repeated field that holds the values of a datatype when tensor_content does not.
_FIELD = {
    "FP32": "float_val", "FP64": "double_val", "FP16": "half_val", "BF16": "half_val",
    "COMPLEX64": "scomplex_val", "COMPLEX128": "dcomplex_val", "BOOL": "bool_val", "BYTES": "string_val",
    "INT64": "int64_val", "UINT32": "uint32_val", "UINT64": "uint64_val", "FP8_E5M2": "float8_val", "FP8_E4M3FN": "float8_val",
}  # fmt: skip


SavedModelProto: Any = message_class("tensorflow.SavedModel")
GraphDefProto: Any = message_class("tensorflow.GraphDef")
MetaGraphProto: Any = message_class("tensorflow.MetaGraphDef")


def parse(path: Path, message: Any, what: str) -> Any:
    """The file's message, from binary or text, as the content shows; raises ArtifactError with the file and the cause."""
    if path.stat().st_size >= _MOST_BYTES:
        raise ArtifactError(f"{path} is larger than 2 GiB, the most a {what} can have; is it another kind of file?")
    data = content(path)
    if is_text(data):
        return _parse_text(path, data, message, what)
    try:
        return message.FromString(data)
    except (DecodeError, RuntimeError) as error:
        raise ArtifactError(f"{path} is not a {what}, or is truncated or corrupt ({described(data)}); copy or export it again") from error


def _parse_text(path: Path, data: bytes, message: Any, what: str) -> Any:
    from google.protobuf import text_format

    try:
        return text_format.Parse(data, message(), allow_unknown_field=True)
    # The parser raises ValueError for an unknown enum name, a number out of range and invalid UTF-8, RecursionError for deep nesting.
    except (text_format.ParseError, ValueError, RecursionError) as error:
        cause = " ".join(str(error).split())[:200] or type(error).__name__
        raise ArtifactError(f"{path} is text but not a {what}, or is truncated or corrupt ({cause}); copy or export it again") from error


def shape(proto: Any) -> tuple[int, ...] | None:
    """The dimensions of a TensorShapeProto, -1 for a free one; None if the rank is unknown (tensor_shape.proto)."""
    return None if proto.unknown_rank else tuple(max(-1, d.size) for d in proto.dim)


def default(proto: Any, path: Path, name: str) -> dict[str, Any]:
    """A TensorProto as `{"shape": [...], "data": [flat values]}` (tensor.proto).

    Non-finite numbers are "NaN", "Infinity" and "-Infinity", complex ones are [real, imaginary], strings are text with
    surrogate escapes. Raises ArtifactError where the values do not fit datatype and shape.
    """
    datatype, dimensions = from_enum(proto.dtype), shape(proto.tensor_shape)
    if datatype not in DATATYPES or dimensions is None or -1 in dimensions:
        raise ArtifactError(f"{path}: the value of {name!r} is not a tensor ({datatype}, shape {dimensions}); the file is corrupt")
    count = math.prod(dimensions)
    if count > _MOST_ELEMENTS:
        raise ArtifactError(f"{path}: the value of {name!r} has {count} elements, more than any default value needs; the file is corrupt")
    try:
        values = _values(proto, datatype)
    except (struct.error, ValueError) as error:
        raise ArtifactError(f"{path}: the value of {name!r} does not decode as {datatype} ({error}); the file is corrupt") from error
    if len(values) > count:
        raise ArtifactError(f"{path}: the value of {name!r} has {len(values)} elements in a shape of {count}; the file is corrupt")
    # The writer drops a tail of equal values; no values mean zeros.
    fill = values[-1] if values else _zero(datatype)
    return {"shape": list(dimensions), "data": [*values, *[fill] * (count - len(values))]}


def _zero(datatype: str) -> Any:
    if datatype == "BYTES":
        return ""
    if datatype == "BOOL":
        return False
    if datatype.startswith("COMPLEX"):
        return [0.0, 0.0]
    return 0 if "INT" in datatype else 0.0


def _values(proto: Any, datatype: str) -> list[Any]:
    if proto.tensor_content and datatype != "BYTES":
        kind = struct.Struct(f"<{_STRUCT[datatype]}")
        raw: list[Any] = [value for (value,) in kind.iter_unpack(proto.tensor_content)]
    else:
        raw = list(getattr(proto, _FIELD.get(datatype, "int_val")))
        if datatype == "FP16":
            raw = [struct.unpack("<e", struct.pack("<H", bits))[0] for bits in raw]
    if datatype == "BYTES":
        return [value.decode("utf-8", "surrogateescape") for value in raw]
    if datatype == "BF16":
        raw = [struct.unpack("<f", struct.pack("<HH", 0, bits))[0] for bits in raw]
    elif datatype == "FP8_E5M2":
        raw = [struct.unpack("<e", bytes((0, bits)))[0] for bits in raw]
    elif datatype == "FP8_E4M3FN":
        raw = [_e4m3fn(bits) for bits in raw]
    values = [_finite(value) if isinstance(value, float) else value for value in raw]
    if datatype.startswith("COMPLEX"):
        return [list(pair) for pair in zip(values[::2], values[1::2], strict=True)]
    return values


def packed(proto: Any, datatype: str) -> tuple[bytes, int] | None:
    """A TensorProto's elements as stored (perhaps without a tail of equal ones), and an element's width; None if it has no such value.

    Numbers are little-endian; a string is its length and its digest, so that all have one width. No elements are given as a single zero.
    """
    if datatype == "BYTES":
        import hashlib

        digests = b"".join(hashlib.sha256(value).digest() for value in proto.string_val)
        return digests or hashlib.sha256(b"").digest(), 32
    if datatype not in _STRUCT:
        return None
    pair = 2 if datatype.startswith("COMPLEX") else 1
    width = struct.calcsize(_STRUCT[datatype]) * pair
    if proto.tensor_content:
        return proto.tensor_content, width
    code = "H" if datatype in ("FP16", "BF16") else _STRUCT[datatype]
    stored = getattr(proto, _FIELD.get(datatype, "int_val"))
    try:
        data = bytes(stored) if datatype.startswith("FP8") else struct.pack(f"<{len(stored)}{code}", *stored)
    except struct.error:
        return None
    return data or bytes(width), width


def _e4m3fn(bits: int) -> float:
    """float8_e4m3fn: 4 exponent bits of bias 7, 3 of mantissa, no infinity, NaN only if all bits except the sign are set."""
    sign, exponent, mantissa = (-1.0 if bits & 0x80 else 1.0), bits >> 3 & 0xF, bits & 7
    if bits & 0x7F == 0x7F:
        return math.nan
    return sign * (math.ldexp(mantissa, -9) if exponent == 0 else math.ldexp(8 + mantissa, exponent - 10))


def _finite(value: float) -> float | str:
    """The number for JSON, which has only finite ones."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def count_ops(graph: Any) -> Counter[str]:
    """The number of nodes of each op in a GraphDef, including those in functions; the most frequent first."""
    counts: Counter[str] = Counter()
    bodies: Iterable[Any] = (graph.node, *(function.node_def for function in graph.library.function))
    for body in bodies:
        counts.update(node.op for node in body)
    return Counter(dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))))
