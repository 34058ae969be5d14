"""Signatures: named inputs and outputs of an artifact, in the manifest's form (SignatureDef of meta_graph.proto)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class TensorSpec:
    """One input or output.

    `shape` has -1 for a free dimension and is None if even the rank is unknown. `tensor` is this artifact's own
    name for it: `operation:index` in graphs, a tensor index in a .tflite. `default` (inputs only) is
    `{"shape": [...], "data": [flat values]}`, as in SignatureDef.defaults. `quantization` is a .tflite's
    `{"scale": [...], "zero_point": [...], "axis": n}`.
    """

    name: str
    datatype: str
    shape: tuple[int, ...] | None
    tensor: str | int | None = None
    default: dict[str, Any] | None = None
    quantization: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The manifest's form, with `tensor`, `default` and `quantization` if set."""
        extra = {"tensor": self.tensor, "default": self.default, "quantization": self.quantization}
        shape = None if self.shape is None else list(self.shape)
        return {"name": self.name, "datatype": self.datatype, "shape": shape} | {k: v for k, v in extra.items() if v is not None}


def may_be_one_shape(one: Sequence[int] | None, other: Sequence[int] | None) -> bool:
    """Whether two shapes may be the same: -1 is any size, None any rank."""
    if one is None or other is None:
        return True
    return len(one) == len(other) and all(a == b or -1 in (a, b) for a, b in zip(one, other, strict=True))


@dataclass(frozen=True)
class Signature:
    """Named inputs and outputs, in the artifact's order."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    method_name: str = ""
    key: str | None = field(default=None, compare=False)

    def bound(self, inputs: Mapping[str, str | int], outputs: Mapping[str, str | int]) -> Signature:
        """The signature with its tensors in an artifact, which a binding states by name; None for one that it leaves out."""

        def each(specs: tuple[TensorSpec, ...], tensors: Mapping[str, str | int]) -> tuple[TensorSpec, ...]:
            return tuple(replace(t, tensor=tensors.get(t.name)) for t in specs)

        return replace(self, inputs=each(self.inputs, inputs), outputs=each(self.outputs, outputs))

    def to_json(self) -> dict[str, Any]:
        """The manifest's form."""
        return {
            "method_name": self.method_name,
            "inputs": [t.to_json() for t in self.inputs],
            "outputs": [t.to_json() for t in self.outputs],
        }
