"""The frozen graph of a graph-like artifact, without TensorFlow, and its nodes' differences from another's by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossload.artifacts.content import in_words
from crossload.artifacts.graphs import protos, saved_model
from crossload.artifacts.graphs.graph import operation_of, tensor_of
from crossload.contract import datatypes
from crossload.edits.float64 import MOST_BYTES
from crossload.edits.freezing.freeze import freeze
from crossload.edits.freezing.refusal import NeedsTensorFlow
from crossload.errors import CrossloadError
from crossload.runtimes.supervisor import ModelSource
from crossload.support import files

GRAPHS = ("saved_model", "graph_def")
_FEW = 4
# Nodes that pass their input on, and attributes that change nothing: conversions add and remove both.
_PASSING = ("Identity", "NoOp", "StopGradient", "Snapshot", "PreventGradient")
_UNTELLING = ("_output_shapes", "_class", "_cloned", "_grappler:ArithmeticOptimizer:MinBCastReduce", "_XlaMustCompile", "value")


def of(source: ModelSource) -> Any:
    """The GraphDef of a SavedModel (its variables as constants) or of a graph; raises CrossloadError where it needs TensorFlow."""
    if source.format not in GRAPHS:
        raise CrossloadError(f"{source.path} is {in_words(source.format)}, which holds no graph of TensorFlow's nodes")
    if files.size_bytes(source.path) > MOST_BYTES:
        raise CrossloadError(f"{source.path} has more than {MOST_BYTES:,} bytes, too many to compare its weights")
    if source.format == "graph_def":
        return protos.parse(source.path, protos.GraphDefProto, "GraphDef")
    message = saved_model.read(source.path).meta_graph(source.tags).proto
    try:
        return freeze(message, source.path / "variables" / "variables", {n: b.model_dump() for n, b in source.bindings.items()})
    except (NeedsTensorFlow, LookupError, ValueError) as error:
        raise CrossloadError(f"{source.path} cannot be frozen without TensorFlow ({error})") from error


@dataclass(frozen=True)
class Difference:
    """A node that both graphs have and that is not the same; `values` are a constant's (other, own)."""

    name: str
    what: str
    values: tuple[np.ndarray, np.ndarray] | None = None


def differences(other: Any, own: Any) -> list[Difference] | None:
    """The nodes of `own` that differ from those of the same name in `other`; None if too few have the same names to compare."""
    there, here = ({n.name: n for n in graph.node} for graph in (other, own))
    common = [n for n in here if n in there]
    most = max(sum(n.op not in _PASSING for n in nodes.values()) for nodes in (there, here))
    same = sum(not {here[n].op, there[n].op} <= {*_PASSING} for n in common)
    if not same or most - same > max(_FEW, most // 5):
        return None
    return [d for name in common if (d := _difference(name, there, here))]


def _difference(name: str, others: Mapping[str, Any], owns: Mapping[str, Any]) -> Difference | None:
    other, own = others[name], owns[name]
    if other.op.startswith("Placeholder") and own.op.startswith("Placeholder"):
        return None  # a default does not change what a fed input gives
    if other.op != own.op:
        return Difference(name, f"is {own.op}, {other.op} in the other")
    wires = [[_source(at, nodes) for at in nodes[name].input if not at.startswith("^")] for nodes in (others, owns)]
    if wires[0] != wires[1]:
        exchanged = " (its inputs are exchanged)" if sorted(wires[0]) == sorted(wires[1]) else ""
        return Difference(name, f"({own.op}) reads {', '.join(wires[1])}, in the other {', '.join(wires[0])}{exchanged}")
    for key in sorted({*other.attr, *own.attr} - set(_UNTELLING)):
        if key in other.attr and key in own.attr and other.attr[key] != own.attr[key]:
            return Difference(name, f"({own.op}) has another {key!r}")
    if own.op != "Const":
        return None
    values = constant(other), constant(own)
    if values[0] is None or values[1] is None:
        return None if other.attr["value"] == own.attr["value"] else Difference(own.name, "holds another value")
    if values[0].shape == values[1].shape and values[0].tobytes() == values[1].tobytes():
        return None
    return Difference(own.name, "holds other values", (values[0], values[1]))


def _source(at: str, nodes: Mapping[str, Any]) -> str:
    """The tensor that an input reads, behind nodes that pass it on: which of them there are depends on who froze the graph."""
    seen: set[str] = set()
    while (node := nodes.get(operation_of(at))) is not None and node.op in _PASSING and node.name not in seen and node.input:
        seen.add(node.name)
        at = node.input[0]
    return tensor_of(at)


def constant(node: Any) -> np.ndarray | None:
    """A Const's value; None for a datatype that NumPy does not have, and for strings."""
    proto = node.attr["value"].tensor
    datatype, shape = datatypes.from_enum(proto.dtype), protos.shape(proto.tensor_shape)
    if datatype not in datatypes.DATATYPES or datatype == "BYTES" or shape is None or -1 in shape:
        return None
    stored = protos.packed(proto, datatype)
    if stored is None:
        return None
    dtype, count = datatypes.numpy_dtype(datatype), int(np.prod(shape, dtype=np.int64))
    if dtype.itemsize != stored[1] or len(stored[0]) % stored[1] or len(stored[0]) // stored[1] > max(count, 1) or count > MOST_BYTES:
        return None
    found = np.frombuffer(stored[0], dtype)[:count]
    return np.concatenate([found, np.repeat(found[-1:], count - found.size)]).reshape(shape) if count else np.zeros(shape, dtype)


def weights(graph: Any) -> Iterator[tuple[str, np.ndarray]]:
    """The constants of floats with more than one element, by name."""
    for node in graph.node:
        if (
            node.op == "Const"
            and (value := constant(node)) is not None
            and value.size > 1
            and datatypes.of_array(value).startswith(("FP", "BF"))
        ):
            yield node.name, value
