"""Where a .tflite has a batch written into it, and which operator an interpreter's error about shapes is about."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from crossload.artifacts.tflite import inner
from crossload.artifacts.tflite.inner import Inner, Operator, Tensor
from crossload.errors import ArtifactError

# As the interpreters' kernels name the operator that failed (tensorflow/lite/core/subgraph.cc, "Node number %d (%s) failed to ...").
_NODE = re.compile(r"Node number (\d+) \(([A-Za-z0-9_]+)\)")
# Operators of two or more values that must have one batch, or 1.
_TOGETHER = frozenset(
    ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "POW", "SQUARED_DIFFERENCE", "FLOOR_DIV", "FLOOR_MOD", "SELECT", "SELECT_V2",
     "EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "LOGICAL_AND", "LOGICAL_OR", "CONCATENATION")
)  # fmt: skip


@dataclass(frozen=True)
class FixedBatch:
    """An operator that takes a free batch and fails for any but `batch` rows; `sentence` says why, and what to change in the model."""

    at: int
    op: str
    tensor: str
    batch: int
    sentence: str


def fixed_batches(graph: Inner) -> list[FixedBatch]:
    """The operators that read a value with a free batch (-1 in axis 0) and make one without, in the order of execution.

    The first is the one at which a request with another batch fails. Only the shapes in the file are read.
    """
    found = []
    for at, operator in enumerate(graph.operators):
        taken = [graph.tensors[i] for i in operator.inputs if i >= 0 and graph.tensors[i].free[:1] == (-1,)]
        if taken and (one := _fixed(graph, at, operator, taken[0])):
            found.append(one)
    return found


def about(path: Path, key: str | None, error: str) -> str:
    """What an interpreter's error is about: the operator by the name of its value, and what to change if it is known.

    Empty where the error names no operator of the signature's subgraph. `path` is a .tflite, `key` its signature.
    """
    try:
        graph = inner.read(path, key)
    except ArtifactError:
        return ""
    if (at := failed(graph, error)) is None:
        return ""
    if known := next((f for f in fixed_batches(graph) if f.at == at), None):
        return known.sentence
    operator = graph.operators[at]
    made = next((graph.tensors[i] for i in operator.outputs if i >= 0), None)
    if made is None:
        return ""
    if operator.op == "RESHAPE" and len(operator.inputs) > 1 and (target := graph.value(graph.tensors[operator.inputs[1]])) is not None:
        shape = [int(d) for d in target.reshape(-1)]
        if -1 not in shape:
            return _reshape(at, made, shape)
    return f"operator #{at} {operator.op} makes {made.name!r}, which the file has as {list(made.free or made.shape)}"


def failed(graph: Inner, error: str) -> int | None:
    """The position of the operator that an interpreter's error names; None where it names none of this subgraph."""
    if not (named := _NODE.search(error)):
        return None
    at = int(named[1])
    return at if at < len(graph.operators) and graph.operators[at].op == named[2] else None


def _fixed(graph: Inner, at: int, operator: Operator, taken: Tensor) -> FixedBatch | None:
    made = next((graph.tensors[i] for i in operator.outputs if i >= 0), None)
    if made is None or not made.shape or -1 in made.free:
        return None
    batch = made.shape[0]
    if operator.op == "RESHAPE":
        row = math.prod(taken.shape[1:])
        batch = math.prod(made.shape) // row if row else batch
        sentence = _reshape(at, made, list(made.shape))
    elif operator.op == "BROADCAST_TO":
        sentence = (
            f"operator #{at} BROADCAST_TO ({made.name!r}) has the fixed shape {list(made.shape)}: take the batch from tf.shape(x)[0] "
            "in the model, and convert it again"
        )
    elif operator.op in _TOGETHER and len(made.shape) == len(taken.shape):
        fitting = "tf.shape(x)[0] rows" if operator.op == "CONCATENATION" else "one row, or tf.shape(x)[0] rows,"
        sentence = (
            f"operator #{at} {operator.op} ({made.name!r}) joins the batch with a value of the fixed batch {batch}: "
            f"give that {fitting} in the model, and convert it again"
        )
    else:
        return None
    return FixedBatch(at, operator.op, made.name, batch, sentence)


def _reshape(at: int, made: Tensor, shape: list[int]) -> str:
    free = [-1, *shape[1:]]
    return (
        f"operator #{at} RESHAPE ({made.name!r}) has the fixed shape {shape}: write -1 for the batch in the model "
        f"(tf.reshape(x, {free})), and convert it again"
    )
