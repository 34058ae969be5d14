"""The inside of a .tflite: one subgraph's tensors and operators, and the values of its constants (schema.fbs)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crossload.artifacts.content import content
from crossload.artifacts.tflite import flatbuffer, tflite_file
from crossload.artifacts.tflite.flatbuffer import Field, FlatbufferError
from crossload.contract.datatypes import DATATYPES
from crossload.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np

_DATATYPES = (
    "FP32", "FP16", "INT32", "UINT8", "INT64", "BYTES", "BOOL", "INT16", "COMPLEX64", "INT8", "FP64", "COMPLEX128", "UINT64", "", "",
    "UINT32", "UINT16", "INT4", "BF16",
)  # fmt: skip
_MODEL: flatbuffer.Fields = {
    "operator_codes": Field(1, {"deprecated_code": Field(0, "b"), "custom_code": Field(1, "string"), "code": Field(3, "i")}, vector=True),
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
                    "quantization": Field(4, {"scale": Field(2, "f", vector=True), "zero_point": Field(3, "q", vector=True)}),
                },
                vector=True,
            ),
            "inputs": Field(1, "i", vector=True),
            "outputs": Field(2, "i", vector=True),
            "operators": Field(
                3, {"code": Field(0, "I"), "inputs": Field(1, "i", vector=True), "outputs": Field(2, "i", vector=True)}, vector=True
            ),
        },
        vector=True,
    ),
    "buffers": Field(4, {"data": Field(0, "bytes")}, vector=True),
    "signature_defs": Field(7, {"key": Field(2, "string"), "subgraph_index": Field(4, "I")}, vector=True),
}


@dataclass(frozen=True)
class Tensor:
    """A tensor; `extent` is where the file holds its values (first byte, length), None for one that is computed.

    `scale` and `zero_point` have one element, or one a channel; none for plain numbers.
    """

    index: int
    name: str
    datatype: str
    shape: tuple[int, ...]
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    extent: tuple[int, int] | None

    @property
    def quantised(self) -> bool:
        """Whether its integers stand for real numbers."""
        return bool(self.scale)


@dataclass(frozen=True)
class Operator:
    """An operator, and the tensors that it reads (-1 for an optional one that is absent) and makes."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Inner:
    """A subgraph, number `subgraph` of the file, its operators in the order of execution; `key` is its signature's, if it has one."""

    data: bytes
    key: str | None
    subgraph: int
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def value(self, tensor: Tensor) -> np.ndarray | None:
        """A constant's value; None for a tensor that is computed, that is no array of numbers, or whose bytes do not fit its shape."""
        import numpy as np

        if tensor.extent is None or tensor.datatype not in DATATYPES or tensor.datatype in ("BYTES", "INT4"):
            return None
        from crossload.contract import datatypes

        start, length = tensor.extent
        dtype = datatypes.numpy_dtype(tensor.datatype)
        if math.prod(tensor.shape) * dtype.itemsize != length:
            return None
        return np.frombuffer(self.data, dtype, math.prod(tensor.shape), start).reshape(tensor.shape)


def read(path: Path, key: str | None = None) -> Inner:
    """The subgraph of the signature `key`, else the first; raises ArtifactError for a file that is no .tflite, or that is damaged."""
    data = content(path)
    tflite_file.of(path, data, ops=False)
    try:
        model = flatbuffer.decode(data, _MODEL)
        at = next((d["subgraph_index"] for d in model["signature_defs"] if d["key"] == key), 0)
        graph = model["subgraphs"][at]
        buffers = [b["data"] for b in model["buffers"]]
        codes = [tflite_file.op_of(code)[1] for code in model["operator_codes"]]
        tensors = tuple(
            Tensor(
                index,
                t["name"] or "",
                _DATATYPES[t["type"]] if 0 <= t["type"] < len(_DATATYPES) else "",
                tuple(t["shape"]),
                tuple((t["quantization"] or {}).get("scale") or ()),
                tuple((t["quantization"] or {}).get("zero_point") or ()),
                buffers[t["buffer"]] if buffers[t["buffer"]] and buffers[t["buffer"]][1] else None,
            )
            for index, t in enumerate(graph["tensors"])
        )
        operators = tuple(Operator(codes[o["code"]], tuple(o["inputs"]), tuple(o["outputs"])) for o in graph["operators"])
    except (FlatbufferError, IndexError) as error:
        raise ArtifactError(f"{path} is a truncated or corrupt .tflite: {error}; copy or convert it again") from error
    return Inner(data, key, at, tensors, operators, tuple(graph["inputs"]), tuple(graph["outputs"]))
