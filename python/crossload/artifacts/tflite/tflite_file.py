"""TFLite files: signatures, tensors by index, ops, quantisation, metadata (tensorflow/compiler/mlir/lite/schema/schema.fbs)."""

from __future__ import annotations

import math
import mmap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from crossload.artifacts.content import described, facts, head
from crossload.artifacts.tflite import flatbuffer
from crossload.artifacts.tflite.flatbuffer import Field, Fields, FlatbufferError
from crossload.artifacts.tflite.operator_names import op_of
from crossload.artifacts.tflite.tensor_names import readable
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import ArtifactError
from crossload.support.text import near

_IDENTIFIER = b"TFL3"
# enum TensorType, in its order: the contract's names; resource and variant have no tensors on the wire (types.proto's 20 and 21).
DATATYPE_NAMES = (
    "FP32", "FP16", "INT32", "UINT8", "INT64", "BYTES", "BOOL", "INT16", "COMPLEX64", "INT8", "FP64", "COMPLEX128", "UINT64", "DT_20",
    "DT_21", "UINT32", "UINT16", "INT4", "BF16", "DT_31", "UINT4",
)  # fmt: skip
_RANDOM = ("RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL", "MULTINOMIAL")
_ASSIGNING = "ASSIGN_VARIABLE"
_MOST_TEXT = 256
_MOST_CONVERSION = 1 << 16

_TENSOR: Fields = {
    "shape": Field(0, "i", vector=True),
    "type": Field(1, "b"),
    "buffer": Field(2, "I"),
    "name": Field(3, "string"),
    "quantization": Field(
        4,
        {
            "min": Field(0, "f", vector=True),
            "max": Field(1, "f", vector=True),
            "scale": Field(2, "f", vector=True),
            "zero_point": Field(3, "q", vector=True),
            "axis": Field(6, "i"),
        },
    ),
    "is_variable": Field(5, "?"),
    "shape_signature": Field(7, "i", vector=True),
    "has_rank": Field(8, "?"),
}
_OPERATOR: Fields = {
    "opcode_index": Field(0, "I"),
    "inputs": Field(1, "i", vector=True),
    "outputs": Field(2, "i", vector=True),
    "options": Field(4, "table"),
    "custom_options": Field(5, "bytes"),
    "options_2": Field(12, "table"),
}
_SUBGRAPH: Fields = {
    "tensors": Field(0, _TENSOR, vector=True),
    "inputs": Field(1, "i", vector=True),
    "outputs": Field(2, "i", vector=True),
    "operators": Field(3, _OPERATOR, vector=True),
    "name": Field(4, "string"),
}
_TENSOR_MAP: Fields = {"name": Field(0, "string"), "tensor_index": Field(1, "I")}
_MODEL: Fields = {
    "version": Field(0, "I"),
    "operator_codes": Field(
        1,
        {"deprecated_code": Field(0, "b"), "custom_code": Field(1, "string"), "version": Field(2, "i", default=1), "code": Field(3, "i")},
        vector=True,
    ),
    "subgraphs": Field(2, _SUBGRAPH, vector=True),
    "description": Field(3, "string"),
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
# tensorflow/compiler/mlir/lite/schema/conversion_metadata.fbs, a flatbuffer inside a buffer of the metadata.
_CONVERSION: Fields = {"environment": Field(0, {"tensorflow_version": Field(0, "string")})}


@dataclass(frozen=True)
class Subgraph:
    """The counts of one graph of the file."""

    name: str
    tensors: int
    operators: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """An element of `subgraphs` in `show --json`."""
        return vars(self) | {"inputs": list(self.inputs), "outputs": list(self.outputs)}


@dataclass(frozen=True)
class Metadata:
    """An entry of the file's metadata; `text` if it is a short text, such as min_runtime_version."""

    name: str
    size_bytes: int
    text: str | None = None

    def to_json(self) -> dict[str, Any]:
        """An element of `metadata` in `show --json`."""
        return {k: v for k, v in vars(self).items() if v is not None}


@dataclass(frozen=True)
class TFLite:
    """A .tflite file.

    `inputs` and `outputs` are those of the first subgraph, in the interpreter's order and named after their tensors; in every
    TensorSpec `tensor` is the index. `ops` counts operators of all subgraphs as {"builtin", "flex", "custom"}: Flex ops need
    TensorFlow's own kernels beside the interpreter, custom ops a library that registers them. `external_bytes` are weights after the
    flatbuffer's end. `variables` are the names of tensors that keep their values from one call to the next.
    """

    path: Path
    signatures: dict[str, Signature]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ops: dict[str, Counter[str]]
    subgraphs: tuple[Subgraph, ...] = ()
    metadata: tuple[Metadata, ...] = ()
    description: str = ""
    version: int = 3
    buffers: int = 0
    external_bytes: int = 0
    variables: tuple[str, ...] = ()
    producer: dict[str, str] = field(default_factory=dict)
    format: Literal["tflite"] = "tflite"

    @property
    def random(self) -> tuple[str, ...]:
        """The ops that draw at random."""
        return tuple(op for op in _RANDOM if op in self.ops.get("builtin", {}))

    @property
    def changing(self) -> tuple[str, ...]:
        """What makes an answer depend on the calls before it: the op that assigns variables, tensors that keep their values."""
        assigning = [_ASSIGNING] if _ASSIGNING in self.ops.get("builtin", {}) else []
        return (*assigning, *(f"the variable tensor {name!r}" for name in self.variables))

    def signature(self, key: str | None = None) -> Signature:
        """The signature with this key; for None the only one, or the first subgraph's inputs and outputs if the file has none.

        Those get readable names from their tensors. Raises ArtifactError listing the available keys.
        """
        if key is None and not self.signatures:
            return self.named({}, {})
        if key is None and len(self.signatures) == 1:
            return next(iter(self.signatures.values()))
        if key is None or key not in self.signatures:
            there = ", ".join(repr(k) for k in self.signatures) or "none, its tensors have only indices"
            asked = "more than one signature" if key is None else f"no signature {key!r}"
            raise ArtifactError(f"{self.path} has {asked}; choose one of: {there}")
        return self.signatures[key]

    def named(self, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Signature:
        """The first subgraph's inputs and outputs as a signature, under the given names; each value is a tensor's name or index.

        Tensors without a given name keep that of the file's only signature, else get a readable one; without named outputs, all are
        taken. Raises ArtifactError for a tensor that is not an input or output, with near matches.
        """
        taken, given = self._by_index("input", inputs), self._by_index("output", outputs)
        asked = [t for t in self.outputs if not given or t.tensor in given]
        return Signature(
            _renamed(self.inputs, self._named("input") | taken, "input"), _renamed(asked, self._named("output") | given, "output")
        )

    def _named(self, side: Literal["input", "output"]) -> dict[int, str]:
        """The names that the only signature gives to the tensors of the first subgraph."""
        if len(self.signatures) != 1:
            return {}
        own = next(iter(self.signatures.values()))
        specs, there = (own.inputs, self.inputs) if side == "input" else (own.outputs, self.outputs)
        held = {t.tensor for t in there}
        return {t.tensor: t.name for t in specs if isinstance(t.tensor, int) and t.tensor in held}

    def _by_index(self, side: Literal["input", "output"], named: Mapping[str, str]) -> dict[int, str]:
        found: dict[int, str] = {}
        for name, text in named.items():
            index = self.end(side, text)
            if index in found:
                raise ArtifactError(f"the {side} {text!r} of {self.path} is called {found[index]!r} and {name!r}; choose one name")
            found[index] = name
        return found

    def end(self, side: Literal["input", "output"], text: str) -> int:
        """The index of the first subgraph's input or output with this name, name in the only signature, readable name, or index.

        Raises ArtifactError for a tensor that is not one, with near matches.
        """
        there = self.inputs if side == "input" else self.outputs
        own = {name: index for index, name in self._named(side).items()}
        if text in own:
            return own[text]
        for spec, short in zip(there, _renamed(there, {}, side), strict=True):
            spelt = (spec.name, spec.name.removesuffix(":0"), short.name, str(spec.tensor), f"#{spec.tensor}")
            if text in spelt and isinstance(spec.tensor, int):
                return spec.tensor
        listed = ", ".join(f"{t.name!r} (tensor {t.tensor})" for t in there[:8])
        raise ArtifactError(f"{self.path} has no {side} {text!r}{near(text, [t.name for t in there])}; its {side}s are: {listed}")

    def to_json(self) -> dict[str, Any]:
        """The object of `show --json`."""
        return {
            **facts(self),
            "version": self.version,
            "description": self.description,
            "signatures": {key: s.to_json() for key, s in self.signatures.items()},
            "inputs": [t.to_json() for t in self.inputs],
            "outputs": [t.to_json() for t in self.outputs],
            "ops": {kind: dict(counts) for kind, counts in self.ops.items()},
            "subgraphs": [s.to_json() for s in self.subgraphs],
            "metadata": [m.to_json() for m in self.metadata],
            "buffers": self.buffers,
            "external_bytes": self.external_bytes,
            **({"variables": list(self.variables)} if self.variables else {}),
        }


def read(path: Path, *, ops: bool = True) -> TFLite:
    """Read a .tflite; raises ArtifactError where it is truncated, corrupt, or another kind of file.

    Without `ops` operators are not counted, for processes without the library that knows their names.
    """
    with mapped(path) as data:
        return of(path, data, ops=ops)


def of(path: Path, data: flatbuffer.Buffer, *, ops: bool = True) -> TFLite:
    """Like `read`, from bytes; `path` is their name in errors."""
    if data[4:8] != _IDENTIFIER:
        raise ArtifactError(f"{path} is not a .tflite: it lacks the identifier TFL3 ({described(data[:8])})")
    try:
        return _Model(path, data, flatbuffer.decode(data, _MODEL)).describe(ops)
    except FlatbufferError as error:
        raise ArtifactError(f"{path} is a truncated or corrupt .tflite: {error}; copy or convert it again") from error


class _Model:
    """A decoded file with unchecked indices."""

    def __init__(self, path: Path, data: flatbuffer.Buffer, content: dict[str, Any]) -> None:
        self.path = path
        self.data = data
        self.content = content
        self.subgraphs: list[dict[str, Any]] = content["subgraphs"]
        # Older converters write no has_rank at all: then a tensor without dimensions is a scalar.
        self.tells_rank = any(t["has_rank"] for s in self.subgraphs for t in s["tensors"])

    def describe(self, ops: bool) -> TFLite:
        if not self.subgraphs:
            raise FlatbufferError("it has no subgraph")
        metadata = tuple(self._metadata(m) for m in self.content["metadata"])
        return TFLite(
            path=self.path,
            signatures=self._signatures(),
            inputs=self._specs(0, "inputs"),
            outputs=self._specs(0, "outputs"),
            ops=self._ops() if ops else {},
            subgraphs=tuple(
                Subgraph(s["name"] or "", len(s["tensors"]), len(s["operators"]), tuple(s["inputs"]), tuple(s["outputs"]))
                for s in self.subgraphs
            ),
            metadata=metadata,
            description=self.content["description"] or "",
            version=self.content["version"],
            buffers=len(self.content["buffers"]),
            external_bytes=self._external_bytes(),
            variables=tuple(t["name"] or "" for s in self.subgraphs for t in s["tensors"] if t["is_variable"]),
            producer=self._producer(metadata),
        )

    def _signatures(self) -> dict[str, Signature]:
        found = {}
        for definition in self.content["signature_defs"]:
            at = definition["subgraph_index"]
            inputs, outputs = (
                tuple(self._spec(at, t["tensor_index"], t["name"] or "") for t in definition[side]) for side in ("inputs", "outputs")
            )
            key = definition["key"] or ""
            found[key] = Signature(inputs, outputs, key=key)
        return found

    def _specs(self, subgraph: int, side: str) -> tuple[TensorSpec, ...]:
        """The tensors by their own names; a missing or repeated name gets the tensor's index."""
        found = [self._spec(subgraph, index) for index in self.subgraphs[subgraph][side]]
        times = Counter(t.name for t in found)
        return tuple(
            t if t.name and times[t.name] == 1 else TensorSpec(f"{t.name}#{t.tensor}", t.datatype, t.shape, t.tensor, None, t.quantization)
            for t in found
        )

    def _spec(self, subgraph: int, index: int, name: str | None = None) -> TensorSpec:
        tensor = _at(_at(self.subgraphs, subgraph, "subgraph")["tensors"], index, "tensor")
        datatype = DATATYPE_NAMES[tensor["type"]] if 0 <= tensor["type"] < len(DATATYPE_NAMES) else "DT_0"
        dimensions = tensor["shape_signature"] or tensor["shape"]
        of_any_rank = self.tells_rank and not tensor["has_rank"] and not dimensions
        shape = None if of_any_rank else tuple(max(-1, d) for d in dimensions)
        return TensorSpec(
            (tensor["name"] or "") if name is None else name, datatype, shape, index, None, _quantization(tensor["quantization"])
        )

    def _ops(self) -> dict[str, Counter[str]]:
        codes = [op_of(code) for code in self.content["operator_codes"]]
        counts: Counter[tuple[str, str]] = Counter()
        for subgraph in self.subgraphs:
            counts.update(_at(codes, operator["opcode_index"], "operator code") for operator in subgraph["operators"])
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return {kind: Counter({name: n for (k, name), n in ranked if k == kind}) for kind in ("builtin", "flex", "custom")}

    def _metadata(self, entry: dict[str, Any]) -> Metadata:
        start, size = self._extent(entry["buffer"])
        return Metadata(entry["name"] or "", size, _text(self.data[start : start + size]) if size <= _MOST_TEXT else None)

    def _extent(self, buffer: int) -> tuple[int, int]:
        found = _at(self.content["buffers"], buffer, "buffer")
        extent: tuple[int, int] = found["data"] or (found["offset"], found["size"])
        return extent

    def _producer(self, metadata: tuple[Metadata, ...]) -> dict[str, str]:
        """The recorded versions: of the TensorFlow that converted it, and of the oldest interpreter that should run it."""
        found = {m.name: m.text for m in metadata if m.name == "min_runtime_version" and m.text}
        for entry in self.content["metadata"]:
            start, size = self._extent(entry["buffer"])
            if entry["name"] != "CONVERSION_METADATA" or size > _MOST_CONVERSION:
                continue
            # Nothing depends on it: a file with odd conversion metadata is still a model.
            with suppress(FlatbufferError):
                environment = flatbuffer.decode(self.data[start : start + size], _CONVERSION)["environment"] or {}
                if environment.get("tensorflow_version"):
                    found = {"tensorflow": environment["tensorflow_version"], **found}
        return found

    def _external_bytes(self) -> int:
        """The buffers of large files are after the flatbuffer, at an offset from the file's beginning (schema.fbs, table Buffer)."""
        total = 0
        for buffer in self.content["buffers"]:
            if buffer["offset"] > 1:
                if buffer["offset"] + buffer["size"] > len(self.data):
                    raise FlatbufferError(
                        f"it has a buffer of {buffer['size']} bytes at {buffer['offset']}, but {len(self.data)} bytes in all"
                    )
                total += buffer["size"]
        return total


@contextmanager
def mapped(path: Path) -> Iterator[flatbuffer.Buffer]:
    """The file's bytes without copying them: weights are not read."""
    head(path)
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def metadata_extent(data: flatbuffer.Buffer, name: str) -> tuple[int, int] | None:
    """The first byte and the length of a metadata entry's buffer; None where there is no such entry. Raises FlatbufferError."""
    model = flatbuffer.decode(data, {key: _MODEL[key] for key in ("buffers", "metadata")})
    entry = next((e for e in model["metadata"] if e["name"] == name), None)
    if entry is None:
        return None
    buffer = _at(model["buffers"], entry["buffer"], "buffer")
    return buffer["data"] or (buffer["offset"], buffer["size"])


def _renamed(tensors: Sequence[TensorSpec], given: Mapping[int, str], side: str) -> tuple[TensorSpec, ...]:
    stated = [given.get(t.tensor) if isinstance(t.tensor, int) else None for t in tensors]
    return tuple(replace(t, name=name) for t, name in zip(tensors, readable([t.name for t in tensors], side, stated), strict=True))


def _at(items: list[Any], index: int, what: str) -> Any:
    if not 0 <= index < len(items):
        raise FlatbufferError(f"it refers to {what} {index} of {len(items)}")
    return items[index]


def _quantization(parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """`{"scale": [...], "zero_point": [...], "axis": n}`, or None for a tensor of plain numbers."""
    if not parameters or not parameters["scale"]:
        return None
    scale = [s if math.isfinite(s) else str(s) for s in parameters["scale"]]
    return {"scale": scale, "zero_point": parameters["zero_point"] or [0] * len(scale), "axis": parameters["axis"]}


def _text(value: bytes) -> str | None:
    try:
        text = value.rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text and text.isprintable() else None
