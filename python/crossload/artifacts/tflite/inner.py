"""The inside of a .tflite: its subgraphs' tensors and operators, and the values of its constants (schema.fbs)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload.artifacts.content import content
from crossload.artifacts.tflite import flatbuffer, operator_names, tflite_file
from crossload.artifacts.tflite.flatbuffer import Field, FlatbufferError
from crossload.artifacts.tflite.tflite_file import DATATYPE_NAMES
from crossload.contract import datatypes
from crossload.contract.datatypes import DATATYPES
from crossload.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np

_MODEL: flatbuffer.Fields = {
    "operator_codes": Field(
        1,
        {"deprecated_code": Field(0, "b"), "custom_code": Field(1, "string"), "version": Field(2, "i", default=1), "code": Field(3, "i")},
        vector=True,
    ),
    "subgraphs": Field(
        2,
        {
            "tensors": Field(
                0,
                {
                    "shape": Field(0, "i", vector=True),
                    "type": Field(1, "b"),
                    "buffer": Field(2, "I"),
                    "name": Field(3, "string"),
                    "quantization": Field(
                        4, {"scale": Field(2, "f", vector=True), "zero_point": Field(3, "q", vector=True), "axis": Field(6, "i")}
                    ),
                    "is_variable": Field(5, "?"),
                    "sparsity": Field(6, "table"),
                    "shape_signature": Field(7, "i", vector=True),
                },
                vector=True,
            ),
            "inputs": Field(1, "i", vector=True),
            "outputs": Field(2, "i", vector=True),
            "operators": Field(
                3,
                {
                    "code": Field(0, "I"),
                    "inputs": Field(1, "i", vector=True),
                    "outputs": Field(2, "i", vector=True),
                    "options": Field(4, "slots"),
                    "custom_options": Field(5, "bytes"),
                },
                vector=True,
            ),
            "name": Field(4, "string"),
        },
        vector=True,
    ),
    "buffers": Field(4, {"data": Field(0, "bytes"), "offset": Field(1, "Q"), "size": Field(2, "Q")}, vector=True),
    "signature_defs": Field(7, {"key": Field(2, "string"), "subgraph_index": Field(4, "I")}, vector=True),
}
# The fields of these ops' options that are the numbers of subgraphs (schema.fbs: CallOptions, CallOnceOptions, IfOptions, WhileOptions).
_CALLS = {"CALL": (0,), "CALL_ONCE": (0,), "IF": (0, 1), "WHILE": (0, 1)}
_BITS = {"INT4": 4, "UINT4": 4}


@dataclass(frozen=True)
class Tensor:
    """A tensor; `extent` is where the file holds its values (first byte, length), None for one that is computed.

    `scale` and `zero_point` have one element, or one a channel of `axis`; none for plain numbers. `free` is the shape with -1 for the
    dimensions that a caller chooses, where the file says so; `shape` has 1 there. A `variable` keeps its value between calls.
    """

    index: int
    name: str
    datatype: str
    shape: tuple[int, ...]
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    extent: tuple[int, int] | None
    axis: int = 0
    free: tuple[int, ...] = ()
    variable: bool = False
    sparse: bool = False

    @property
    def size_bytes(self) -> int | None:
        """The bytes in memory, a free dimension counted as the file counts it (1); None for strings, resources and absurd shapes."""
        return self.extent[1] if self.extent is not None else self.shape_bytes

    @property
    def shape_bytes(self) -> int | None:
        """The bytes that the shape needs, whatever the file holds; None as for `size_bytes`."""
        if self.datatype not in DATATYPES or self.datatype == "BYTES" or any(d < 0 for d in self.shape):
            return None
        bits = _BITS.get(self.datatype) or 8 * datatypes.numpy_dtype(self.datatype).itemsize
        return (math.prod(self.shape) * bits + 7) // 8

    @property
    def quantised(self) -> bool:
        """Whether its integers stand for real numbers."""
        return bool(self.scale)


@dataclass(frozen=True)
class Operator:
    """An operator, and the tensors that it reads (-1 for an optional one that is absent) and makes; `calls` are subgraphs that it runs.

    `kind` is builtin, flex or custom. `options` are the extents of its options' fields by number; a flex or a custom operator has its own
    bytes at `custom_options` instead (first byte, length).
    """

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    version: int = 1
    calls: tuple[int, ...] = ()
    kind: str = "builtin"
    options: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    custom_options: tuple[int, int] | None = None


@dataclass(frozen=True)
class Inner:
    """A subgraph, number `subgraph` of the file, its operators in the order of execution.

    `key` is that of the signature it was asked for by, or of its first one; `keys` are those of all its signatures.
    """

    data: bytes
    key: str | None
    subgraph: int
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    name: str = ""
    keys: tuple[str, ...] = ()

    def value(self, tensor: Tensor) -> np.ndarray | None:
        """A constant's value; None for a tensor that is computed, that is no array of numbers, or whose bytes do not fit its shape."""
        import numpy as np

        if not self.data or tensor.extent is None or tensor.datatype not in DATATYPES or tensor.datatype in ("BYTES", "INT4"):
            return None
        start, length = tensor.extent
        dtype = datatypes.numpy_dtype(tensor.datatype)
        if math.prod(tensor.shape) * dtype.itemsize != length:
            return None
        return np.frombuffer(self.data, dtype, math.prod(tensor.shape), start).reshape(tensor.shape)


def read(path: Path, key: str | None = None) -> Inner:
    """The subgraph of the signature `key`, else the first; raises ArtifactError for a file that is no .tflite, or that is damaged."""
    data = content(path)
    model = _decoded(path, data)
    at = next((d["subgraph_index"] for d in model["signature_defs"] if d["key"] == key), 0)
    with damage(path):
        return _subgraph(data, model, key, at)


def read_all(path: Path, *, weights: bool = False) -> list[Inner]:
    """Every subgraph, in the file's order, each with its signature's key if it has one; raises ArtifactError as `read` does.

    Without `weights`, those of a large file are not read: `data` is empty, and `value` answers nothing.
    """
    if weights:
        return _subgraphs(path, content(path))
    with tflite_file.mapped(path) as data:
        graphs = _subgraphs(path, data)
    return [replace(graph, data=b"") for graph in graphs]


def _subgraphs(path: Path, data: flatbuffer.Buffer) -> list[Inner]:
    model = _decoded(path, data)
    keys = {d["subgraph_index"]: d["key"] for d in reversed(model["signature_defs"])}
    with damage(path):
        return [_subgraph(data, model, keys.get(at), at) for at in range(len(model["subgraphs"]))]


def decoded(data: flatbuffer.Buffer) -> dict[str, Any]:
    """The tables behind subgraphs, tensors and operators; raises FlatbufferError."""
    return flatbuffer.decode(data, _MODEL)


def _decoded(path: Path, data: flatbuffer.Buffer) -> dict[str, Any]:
    tflite_file.of(path, data, ops=False)
    with damage(path):
        return decoded(data)


@contextmanager
def damage(path: Path) -> Iterator[None]:
    """Say of a .tflite that turns out to be damaged what to do: ArtifactError."""
    try:
        yield
    except (FlatbufferError, IndexError) as error:
        raise ArtifactError(f"{path} is a truncated or corrupt .tflite: {error}; copy or convert it again") from error


def _subgraph(data: flatbuffer.Buffer, model: dict[str, Any], key: str | None, at: int) -> Inner:
    graph = model["subgraphs"][at]
    # Weights of large files are after the flatbuffer, at an offset from the file's beginning.
    buffers = [b["data"] or ((b["offset"], b["size"]) if b["offset"] > 1 else None) for b in model["buffers"]]
    codes = [(*operator_names.op_of(code), int(code["version"])) for code in model["operator_codes"]]
    tensors = tuple(
        Tensor(
            index,
            t["name"] or "",
            DATATYPE_NAMES[t["type"]] if 0 <= t["type"] < len(DATATYPE_NAMES) else "",
            tuple(t["shape"]),
            tuple((t["quantization"] or {}).get("scale") or ()),
            tuple((t["quantization"] or {}).get("zero_point") or ()),
            buffers[t["buffer"]] if buffers[t["buffer"]] and buffers[t["buffer"]][1] else None,
            (t["quantization"] or {}).get("axis") or 0,
            tuple(t["shape_signature"]),
            bool(t["is_variable"]),
            t["sparsity"] is not None,
        )
        for index, t in enumerate(graph["tensors"])
    )
    operators = tuple(
        Operator(op, tuple(o["inputs"]), tuple(o["outputs"]), version, calls(data, op, o), kind, o["options"] or {}, o["custom_options"])
        for o in graph["operators"]
        for kind, op, version in [codes[o["code"]]]
    )
    keys = tuple(d["key"] or "" for d in model["signature_defs"] if d["subgraph_index"] == at)
    if strange := next((i for o in operators for i in (*o.inputs, *o.outputs) if not -1 <= i < len(tensors)), None):
        raise FlatbufferError(f"an operator refers to tensor {strange} of {len(tensors)}")
    return Inner(data, key, at, tensors, operators, tuple(graph["inputs"]), tuple(graph["outputs"]), graph["name"] or "", keys)


def calls(data: flatbuffer.Buffer, op: str, operator: dict[str, Any]) -> tuple[int, ...]:
    """The subgraphs that an operator of control flow runs; a field that the file leaves out is 0."""
    places = operator["options"] or {}
    starts = [places[n][0] if n in places else None for n in _CALLS.get(op, ())]
    return tuple(0 if at is None else int.from_bytes(data[at : at + 4], "little", signed=True) for at in starts)
