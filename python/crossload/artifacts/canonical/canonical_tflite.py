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
from crossload.artifacts.tflite.flatbuffer import FlatbufferError
from crossload.artifacts.tflite.schema import MODEL, UNIONS
from crossload.errors import ArtifactError

_QUANTIZATION = ("min", "max", "scale", "zero_point", "details_type", "axis")
_VOLATILE = "CONVERSION_METADATA"


def digest(path: Path) -> bytes:
    """The digest of a .tflite's content; raises ArtifactError where the file is truncated or corrupt."""
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Content(data, flatbuffer.decode(data, MODEL)).digest()
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
            *(_numbers(v if isinstance(v := quantization[n], list) else [v]) for n in _QUANTIZATION if quantization.get("scale")),
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
                vectors = UNIONS[side].vectors.get(dimension[f"{side}_type"], {})
                places = [start for n, (start, _) in (dimension[side] or {}).items() if n in vectors]
                parts.append(self._vector(places[0], vectors[0]) if places else b"")
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
        vectors = UNIONS[side].vectors.get(kind, {})
        parts = []
        for number, (start, end) in sorted((slots or {}).items()):
            # Little-endian, so that neither the padding after a number nor its width counts.
            value = self._vector(start, vectors[number]) if number in vectors else bytes(self.data[start:end]).rstrip(b"\0")
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

    def _vector(self, at: int, width: int) -> bytes:
        """The digest of the vector whose offset is at `at`, of elements of this width."""
        start, count = flatbuffer.vector(self.data, at)
        return self._bytes(start, count * width)

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
