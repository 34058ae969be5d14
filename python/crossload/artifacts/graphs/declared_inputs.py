"""Inputs that a signature declares otherwise than the graph's placeholders take them: no request fits both."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from crossload.artifacts.graphs.graph import operation_of
from crossload.contract.datatypes import for_people, from_enum
from crossload.contract.signatures import Signature, TensorSpec, may_be_one_shape
from crossload.support.text import printable

_PLACEHOLDERS = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")


@dataclass(frozen=True)
class Disagreement:
    """An input as its signature declares it, and as the graph takes it."""

    signature: Signature
    declared: TensorSpec
    taken: TensorSpec

    @property
    def of_datatypes(self) -> bool:
        """Whether the datatypes differ, not only the shapes: no runtime takes the declared one then."""
        return self.taken.datatype != self.declared.datatype

    @property
    def sentence(self) -> str:
        """What differs, and the options that name the tensors instead."""
        named = [f"--input-tensor {shlex.quote(f'{t.name}={t.tensor}')}" for t in self.signature.inputs]
        named += [f"--output-tensor {shlex.quote(f'{t.name}={t.tensor}')}" for t in self.signature.outputs]
        return printable(
            f"the signature {self.signature.key!r} declares the input {self.declared.name!r} as {_told(self.declared)}, "
            f"but the graph takes {_told(self.taken)}; `run` and `convert` take the graph's own tensors with {' '.join(named)}"
        )


def disagreement(nodes: dict[str, Any], signature: Signature) -> Disagreement | None:
    """The first such input, None if there is none; `nodes` are the graph's own, by name, and the signature's tensors are its."""
    for spec in signature.inputs:
        taken = _as_taken(nodes.get(operation_of(str(spec.tensor))), spec.name)
        if taken is not None and (taken.datatype != spec.datatype or not may_be_one_shape(taken.shape, spec.shape)):
            return Disagreement(signature, spec, taken)
    return None


def _as_taken(node: Any, name: str) -> TensorSpec | None:
    """The tensor that a placeholder takes (array_ops.cc: its `dtype` and `shape`); None for any other node."""
    if node is None or node.op not in _PLACEHOLDERS or not node.attr["dtype"].type:
        return None
    return TensorSpec(name, from_enum(node.attr["dtype"].type), _shape(node))


def _shape(node: Any) -> tuple[int, ...] | None:
    if "shape" not in node.attr or node.attr["shape"].shape.unknown_rank:
        return None
    shape = tuple(d.size for d in node.attr["shape"].shape.dim)
    return shape or (None if node.op == "Placeholder" else ())  # before version 24 of GraphDef, an empty shape meant an unknown rank


def _told(spec: TensorSpec) -> str:
    return f"{for_people(spec.datatype)} of {'any shape' if spec.shape is None else f'shape {list(spec.shape)}'}"
