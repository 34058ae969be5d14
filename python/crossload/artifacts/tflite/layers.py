"""What each layer of a .tflite costs: multiplications, and bytes of weights and of activations, computed from the file (schema.fbs)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossload.artifacts.tflite import inner
from crossload.artifacts.tflite.inner import Inner, Operator, Tensor
from crossload.contract.datatypes import DATATYPES


@dataclass(frozen=True)
class Layer:
    """An operator: its output's `name`, multiply-accumulates (0 where an operator only adds, compares or moves), and bytes.

    `weight_bytes` are those of its constants, `activation_bytes` those of the tensors that it reads and makes. Shapes are the file's own:
    a free dimension counts as it is written there, as one row.
    """

    name: str
    op: str
    macs: int
    weight_bytes: int
    activation_bytes: int

    def to_json(self) -> dict[str, Any]:
        """An element of `layers` in the JSON of `crossload profile`."""
        return dict(vars(self))


def layers(path: Path, key: str | None = None) -> list[Layer]:
    """The operators of the subgraph of the signature `key`, in the order of execution; those inside a WHILE or an IF are not among them.

    Raises ArtifactError for a file that is no .tflite, or that is damaged.
    """
    return of(inner.read(path, key))


def of(graph: Inner) -> list[Layer]:
    """`layers` of a subgraph that has been read."""
    return [_layer(graph, operator) for operator in graph.operators]


def _layer(graph: Inner, operator: Operator) -> Layer:
    taken, made = ([graph.tensors[at] for at in side if at >= 0] for side in (operator.inputs, operator.outputs))
    count = _MACS.get(operator.op)
    by_position = [graph.tensors[at] if at >= 0 else None for at in operator.inputs]
    return Layer(
        made[0].name if made else "",
        operator.op,
        count(by_position, made[0]) if count and made else 0,
        sum(t.extent[1] for t in taken if t.extent),
        sum(_bytes(t) for t in (*taken, *made) if not t.extent),
    )


def _bytes(tensor: Tensor) -> int:
    """The bytes of an activation; those of strings are not known."""
    datatype = DATATYPES.get(tensor.datatype)
    return _elements(tensor.shape) * datatype.size if datatype else 0


def _elements(shape: Sequence[int]) -> int:
    return math.prod(max(1, d) for d in shape)


_Inputs = Sequence[Tensor | None]


def _by_filter(inputs: _Inputs, output: Tensor) -> int:
    """Each output is a sum over one filter: [O, H, W, I] of CONV_2D (I of a group), [O, I] of FULLY_CONNECTED."""
    weights = inputs[1] if len(inputs) > 1 else None
    return _elements(output.shape) * _elements(weights.shape[1:]) if weights else 0


def _depthwise(inputs: _Inputs, output: Tensor) -> int:
    """The filter is [1, H, W, O]."""
    weights = inputs[1] if len(inputs) > 1 else None
    return _elements(output.shape) * _elements(weights.shape[1:3]) if weights else 0


def _in_space(inputs: _Inputs, output: Tensor) -> int:
    """The filter of CONV_3D is [D, H, W, I, O]."""
    weights = inputs[1] if len(inputs) > 1 else None
    return _elements(output.shape) * _elements(weights.shape[:4]) if weights else 0


def _transposed(inputs: _Inputs, output: Tensor) -> int:
    """TRANSPOSE_CONV takes the output's shape, the filter [O, H, W, I] and the activations, each of which meets the whole filter."""
    weights, taken = (inputs[1], inputs[2]) if len(inputs) > 2 else (None, None)
    return _elements(taken.shape) * _elements(weights.shape[:3]) if weights and taken else 0


def _matrices(inputs: _Inputs, output: Tensor) -> int:
    """A product of matrices sums over what its first one [.., M, K] has beside the output's M, whichever way it is turned."""
    first = inputs[0] if inputs else None
    if first is None or len(first.shape) < 2 or len(output.shape) < 2:
        return 0
    return _elements(output.shape) * (_elements(first.shape[-2:]) // max(1, output.shape[-2]))


def _recurrent(inputs: _Inputs, output: Tensor) -> int:
    """Every step of every row meets all matrices of weights."""
    matrices = [t for t in inputs[1:] if t and t.extent and len(t.shape) == 2]
    first = inputs[0] if inputs else None
    steps = _elements(first.shape[:-1]) if first else 0
    return steps * sum(_elements(t.shape) for t in matrices)


_MACS: dict[str, Callable[[_Inputs, Tensor], int]] = {
    "CONV_2D": _by_filter,
    "FULLY_CONNECTED": _by_filter,
    "DEPTHWISE_CONV_2D": _depthwise,
    "CONV_3D": _in_space,
    "TRANSPOSE_CONV": _transposed,
    "BATCH_MATMUL": _matrices,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _recurrent,
    "SVDF": _recurrent,
}
