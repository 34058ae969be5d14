"""A .tflite's content as a digest, independent of its layout, inner names and conversion metadata (schema.fbs).

What counts: per subgraph, in order, its tensors (datatype, shape, quantisation, sparsity, bytes), inputs, outputs and operators (op and
version, inputs, outputs, options); signatures; metadata except CONVERSION_METADATA; the names of the first subgraph's inputs
and outputs and the names in signatures. What does not: positions in the file, names of subgraphs (`cond_true_7010` holds a counter of
the converting process) and of inner tensors, the description.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from crossload.artifacts.canonical.canonical_graph import hashed
from crossload.artifacts.tflite import flatbuffer
from crossload.artifacts.tflite.flatbuffer import Field, Fields, FlatbufferError
from crossload.errors import ArtifactError

_NUMBERS: Fields = {"values": Field(0, "bytes")}
_SPARSITY: Fields = {
    "traversal_order": Field(0, "i", vector=True),
    "block_map": Field(1, "i", vector=True),
    "dim_metadata": Field(
        2,
        {
            "format": Field(0, "b"),
            "dense_size": Field(1, "i"),
            "segments_type": Field(2, "B"),
            "segments": Field(3, _NUMBERS),
            "indices_type": Field(4, "B"),
            "indices": Field(5, _NUMBERS),
        },
        vector=True,
    ),
}
# union SparseIndexVector: the bytes of an element.
_SPARSE_WIDTH = {1: 4, 2: 2, 3: 1}
_TENSOR: Fields = {
    "shape": Field(0, "i", vector=True),
    "type": Field(1, "b"),
    "buffer": Field(2, "I"),
    "name": Field(3, "string"),
    "quantization": Field(
        4,
        {
            "min": Field(0, "I", vector=True),  # floats, by their bits
            "max": Field(1, "I", vector=True),
            "scale": Field(2, "I", vector=True),
            "zero_point": Field(3, "q", vector=True),
            "details_type": Field(4, "B"),
            "axis": Field(6, "i"),
        },
    ),
    "is_variable": Field(5, "?"),
    "sparsity": Field(6, _SPARSITY),
    "shape_signature": Field(7, "i", vector=True),
    "has_rank": Field(8, "?"),
}
_OPERATOR: Fields = {
    "opcode_index": Field(0, "I"),
    "inputs": Field(1, "i", vector=True),
    "outputs": Field(2, "i", vector=True),
    "options_type": Field(3, "B"),
    "options": Field(4, "slots"),
    "custom_options": Field(5, "bytes"),
    "mutating": Field(7, "?", vector=True),
    "intermediates": Field(8, "i", vector=True),
    "large_custom_offset": Field(9, "Q"),
    "large_custom_size": Field(10, "Q"),
    "options_2_type": Field(11, "B"),
    "options_2": Field(12, "slots"),
}
_TENSOR_MAP: Fields = {"name": Field(0, "string"), "tensor_index": Field(1, "I")}
_MODEL: Fields = {
    "version": Field(0, "I"),
    "operator_codes": Field(
        1,
        {"deprecated_code": Field(0, "b"), "custom_code": Field(1, "string"), "version": Field(2, "i", default=1), "code": Field(3, "i")},
        vector=True,
    ),
    "subgraphs": Field(
        2,
        {
            "tensors": Field(0, _TENSOR, vector=True),
            "inputs": Field(1, "i", vector=True),
            "outputs": Field(2, "i", vector=True),
            "operators": Field(3, _OPERATOR, vector=True),
        },
        vector=True,
    ),
    "buffers": Field(4, {"data": Field(0, "bytes"), "offset": Field(1, "Q"), "size": Field(2, "Q")}, vector=True),
    "metadata": Field(6, {"name": Field(0, "string"), "buffer": Field(1, "I")}, vector=True),
    "signature_defs": Field(
        7,
        {
            "inputs": Field(0, _TENSOR_MAP, vector=True),
            "outputs": Field(1, _TENSOR_MAP, vector=True),
            "key": Field(2, "string"),
            "subgraph_index": Field(4, "I"),
        },
        vector=True,
    ),
}
# Options that are not plain numbers: by the unions' numbers, each field's number and the size of its vector's elements. A field that is
# missing here is a number in the table itself; an offset read as a number would differ from file to file.
VECTORS: dict[str, dict[int, dict[int, int]]] = {
    "options": {3: {1: 4, 2: 4}, 17: {0: 4}, 30: {0: 4}, 111: {0: 1, 1: 1}, 115: {0: 4}},
    "options_2": {
        2: {0: 8}, 3: {0: 8, 1: 8, 2: 8}, 4: {0: 8, 1: 8, 2: 8, 3: 8, 4: 1, 7: 8, 10: 8, 13: 8, 16: 4}, 5: {0: 1, 2: 1, 4: 4, 5: 1},
        6: {0: 8}, 7: {1: 8, 2: 8, 3: 8}, 9: {0: 8}, 10: {0: 8, 1: 8, 2: 8}, 12: {0: 8, 1: 8, 2: 8, 3: 8, 4: 4},
        13: {0: 8, 1: 8, 2: 8, 3: 8, 4: 8}, 16: {0: 8, 1: 8, 2: 8, 4: 8}, 17: {0: 8}, 21: {0: 1, 2: 1}, 23: {0: 4},
    },
}  # fmt: skip
_VOLATILE = "CONVERSION_METADATA"


def digest(path: Path) -> bytes:
    """The digest of a .tflite's content; raises ArtifactError where the file is truncated or corrupt."""
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Content(data, flatbuffer.decode(data, _MODEL)).digest()
    except (FlatbufferError, struct.error, ValueError) as error:
        raise ArtifactError(f"{path} is a truncated or corrupt .tflite: {error}; copy or convert it again") from error


class _Content:
    """A decoded file with unchecked indices."""

    def __init__(self, data: flatbuffer.Buffer, content: dict[str, Any]) -> None:
        self.data = data
        self.content = content
        self._buffers: dict[int, bytes] = {}

    def digest(self) -> bytes:
        subgraphs = (self._subgraph(s, named=at == 0) for at, s in enumerate(self.content["subgraphs"]))
        signatures = sorted(self._signature(s) for s in self.content["signature_defs"])
        metadata = sorted(
            hashed(_text(m["name"]), self._buffer(m["buffer"])) for m in self.content["metadata"] if m["name"] not in (_VOLATILE, None)
        )
        return hashed(b"tflite", _number(self.content["version"]), hashed(*subgraphs), hashed(*signatures), hashed(*metadata))

    def _subgraph(self, subgraph: Mapping[str, Any], named: bool) -> bytes:
        ends = {*subgraph["inputs"], *subgraph["outputs"]} if named else set()
        tensors = (self._tensor(t, at in ends) for at, t in enumerate(subgraph["tensors"]))
        operators = (self._operator(o) for o in subgraph["operators"])
        return hashed(hashed(*tensors), _numbers(subgraph["inputs"]), _numbers(subgraph["outputs"]), hashed(*operators))

    def _tensor(self, tensor: Mapping[str, Any], named: bool) -> bytes:
        plain = [tensor["type"], tensor["is_variable"], tensor["has_rank"]]
        quantization = tensor["quantization"] or {}
        return hashed(
            _numbers(plain),
            _numbers(tensor["shape"]),
            _numbers(tensor["shape_signature"]),
            _text(tensor["name"]) if named else b"",
            # Some writers express "no quantisation" as quantisation without scales.
            *(_numbers(v if isinstance(v, list) else [v]) for v in quantization.values() if quantization["scale"]),
            self._sparsity(tensor["sparsity"]),
            self._buffer(tensor["buffer"]),
        )

    def _sparsity(self, sparsity: Mapping[str, Any] | None) -> bytes:
        if not sparsity:
            return b""
        dimensions = []
        for dimension in sparsity["dim_metadata"]:
            parts = [_numbers([dimension["format"], dimension["dense_size"]])]
            for side in ("segments", "indices"):
                extent = (dimension[side] or {}).get("values")
                width = _SPARSE_WIDTH.get(dimension[f"{side}_type"], 1)
                parts.append(self._bytes(extent[0], extent[1] * width) if extent else b"")
            dimensions.append(hashed(*parts))
        return hashed(_numbers(sparsity["traversal_order"]), _numbers(sparsity["block_map"]), *dimensions)

    def _operator(self, operator: Mapping[str, Any]) -> bytes:
        code = _at(self.content["operator_codes"], operator["opcode_index"], "operator code")
        # The builtin's number is in either field (PLACEHOLDER_FOR_GREATER_OP_CODES).
        number = code["code"] if code["deprecated_code"] == 127 else max(code["code"], code["deprecated_code"])
        custom = operator["custom_options"] or (operator["large_custom_offset"], operator["large_custom_size"])
        return hashed(
            _numbers([number, code["version"]]),
            _text(code["custom_code"]),
            *(_numbers(operator[side]) for side in ("inputs", "outputs", "mutating", "intermediates")),
            *(self._options(operator, side) for side in ("options", "options_2")),
            self._bytes(*custom) if custom[1] else b"",
        )

    def _options(self, operator: Mapping[str, Any], side: str) -> bytes:
        kind, slots = operator[f"{side}_type"], operator[side]
        vectors = VECTORS[side].get(kind, {})
        parts = []
        for number, (start, end) in sorted((slots or {}).items()):
            if number in vectors:
                begin, count = flatbuffer.vector(self.data, start)
                value = self._bytes(begin, count * vectors[number])
            else:
                # Little-endian, so that neither the padding after a number nor its width counts.
                value = bytes(self.data[start:end]).rstrip(b"\0")
            parts.append(hashed(_number(number), value))
        return hashed(_number(kind), *parts)

    def _signature(self, signature: Mapping[str, Any]) -> bytes:
        sides = (
            hashed(*sorted(hashed(_text(t["name"]), _number(t["tensor_index"])) for t in signature[side])) for side in ("inputs", "outputs")
        )
        return hashed(_text(signature["key"]), _number(signature["subgraph_index"]), *sides)

    def _buffer(self, index: int) -> bytes:
        if index not in self._buffers:
            buffer = _at(self.content["buffers"], index, "buffer")
            start, size = buffer["data"] or (buffer["offset"], buffer["size"])
            self._buffers[index] = self._bytes(start, size) if size else b""
        return self._buffers[index]

    def _bytes(self, start: int, size: int) -> bytes:
        """The digest of bytes of the file."""
        if not 0 <= start <= len(self.data) - size:
            raise FlatbufferError(f"it refers to {size} bytes at {start}, but has {len(self.data)} in all")
        with memoryview(self.data) as view:
            return hashlib.sha256(view[start : start + size]).digest()


def _at(items: Sequence[Any], index: int, what: str) -> Any:
    if not 0 <= index < len(items):
        raise FlatbufferError(f"it refers to {what} {index} of {len(items)}")
    return items[index]


def _text(text: str | None) -> bytes:
    return (text or "").encode("utf-8", "surrogateescape")


def _number(number: int) -> bytes:
    return str(int(number)).encode()


def _numbers(numbers: Iterable[int]) -> bytes:
    return b",".join(map(_number, numbers)) + b";"
