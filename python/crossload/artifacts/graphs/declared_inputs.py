"""Inputs that a signature declares otherwise than the graph's placeholders take them: no request fits both."""

from __future__ import annotations

from typing import Any

from crossload.artifacts.graphs.graph import operation_of
from crossload.contract.datatypes import for_people, from_enum
from crossload.contract.signatures import Signature, TensorSpec, may_be_one_shape
from crossload.support.text import printable

_PLACEHOLDERS = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")


def disagreement(nodes: dict[str, Any], signature: Signature) -> str | None:
    """A sentence about the first such input, with the options that name the tensors instead; None if there is none.

    `nodes` are the graph's own, by name; the signature's tensors are its (array_ops.cc: a placeholder's `dtype` and `shape`).
    """
    for spec in signature.inputs:
        node = nodes.get(operation_of(str(spec.tensor)))
        if node is None or node.op not in _PLACEHOLDERS or not node.attr["dtype"].type:
            continue
        taken = TensorSpec(spec.name, from_enum(node.attr["dtype"].type), _shape(node))
        if taken.datatype != spec.datatype or not may_be_one_shape(taken.shape, spec.shape):
            named = [f"--input-tensor {t.name}={t.tensor}" for t in signature.inputs]
            named += [f"--output-tensor {t.name}={t.tensor}" for t in signature.outputs]
            return printable(
                f"the signature {signature.key!r} declares the input {spec.name!r} as {_told(spec)}, but the graph takes {_told(taken)}; "
                f"`run` and `convert` take the graph's own tensors with {' '.join(named)}"
            )
    return None


def _shape(node: Any) -> tuple[int, ...] | None:
    if "shape" not in node.attr or node.attr["shape"].shape.unknown_rank:
        return None
    shape = tuple(d.size for d in node.attr["shape"].shape.dim)
    return shape or (None if node.op == "Placeholder" else ())  # before version 24 of GraphDef, an empty shape meant an unknown rank


def _told(spec: TensorSpec) -> str:
    return f"{for_people(spec.datatype)} of {'any shape' if spec.shape is None else f'shape {list(spec.shape)}'}"
