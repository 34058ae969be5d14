"""An operator of a .tflite as it is rewritten: its tensors as values of the graph, its options, and the nodes that it adds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossload.artifacts.tflite.inner import Tensor
from crossload.edits.from_tflite.graph_builder import GraphBuilder, Operand, Unsupported, Value
from crossload.edits.from_tflite.once import Filled
from crossload.edits.from_tflite.options import Options
from crossload.edits.from_tflite.state import State
from crossload.edits.from_tflite.tensors import datatype_of
from crossload.edits.from_tflite.values import Values

__all__ = ["Operation", "Rewrite", "Unsupported", "clipped"]

RELU, RELU_N1_TO_1, RELU6, TANH = 1, 2, 3, 4  # schema.fbs, enum ActivationFunctionType
_PADDINGS = ("SAME", "VALID")
_ACTIVATIONS = {RELU: "Relu", RELU6: "Relu6", TANH: "Tanh"}


@dataclass(frozen=True)
class Operation:
    """An operator: `inputs` (None: absent) and `outputs` are the file's tensors. Quantised ones are real numbers here, in float32.

    `bodies(subgraph, condition=False)` writes a subgraph as a function, that of a condition with a scalar result, and returns its name.
    `filled` are the tables and variables that the file fills before its first run; `state` is None in a subgraph that operators run.
    """

    graph: GraphBuilder
    op: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Options
    calls: tuple[int, ...]
    values: Values
    bodies: Callable[..., str]
    filled: Filled
    state: State | None

    def __getitem__(self, at: int) -> Value:
        """The value of an input; raises Unsupported for an absent one."""
        return self.values[self.tensor(at).index]

    def tensor(self, at: int) -> Tensor:
        """An input's tensor; raises Unsupported for an absent one."""
        found = self.inputs[at] if at < len(self.inputs) else None
        if found is None:
            raise Unsupported(f"lacks its input {at}")
        return found

    def has(self, at: int) -> bool:
        """Whether the operator has this input."""
        return at < len(self.inputs) and self.inputs[at] is not None

    def constant(self, at: int) -> np.ndarray | None:
        """An input's value if the file holds it."""
        tensor = self.inputs[at] if at < len(self.inputs) else None
        return self.values.constants[tensor.index] if tensor is not None and tensor.index in self.values.constants else None

    def kept(self, at: int) -> Value:
        """The value of an input that the operator keeps between calls; raises Unsupported for one that is no variable."""
        return self.variables.read(self._variable(at))

    def keep(self, at: int, value: Value) -> None:
        """Let the next call find this value in an input that the operator keeps."""
        self.variables.assign(self._variable(at), value)

    def _variable(self, at: int) -> Value:
        tensor = self.tensor(at)
        if not tensor.variable:
            raise Unsupported("has a state that is no variable")
        return self.variables.tensor(tensor.index, tensor.shape)

    @property
    def variables(self) -> State:
        """What the operators of this subgraph keep between calls; raises Unsupported for a subgraph that operators run."""
        if self.state is None:
            raise Unsupported("keeps a state inside a branch, a loop or a call, which a graph's function cannot")
        return self.state

    def rank(self, at: int = 0) -> int:
        """The number of dimensions of an input."""
        return len(self.tensor(at).shape)

    def all(self) -> list[Value]:
        """The values of all inputs."""
        return [self[at] for at in range(len(self.inputs))]

    def add(self, op: str, *inputs: Operand, **attributes: Any) -> Value:
        """Add a node, see `GraphBuilder.outputs`; its first output."""
        return self.graph.add(op, *inputs, **attributes)

    def scalar(self, at: int) -> Value:
        """An input of one element without its dimensions, as TensorFlow demands it where TFLite does not."""
        if (held := self.constant(at)) is not None and held.size == 1:
            return self.graph.constant(held.reshape(()), datatype_of(self.tensor(at)))
        return self[at] if self.rank(at) == 0 else self.add("Reshape", self[at], self.graph.constant([], "INT32"))

    def arranged(self, at: int, order: Sequence[int]) -> Value:
        """An input with its dimensions in another order; a constant is stored so."""
        if (value := self.constant(at)) is not None:
            return self.values.constant(self.tensor(at), value.transpose(order))
        return self.add("Transpose", self[at], list(order))

    def activated(self, value: Value) -> Value:
        """The value behind the operator's fused activation."""
        kind = self.options["fused"]
        if kind == 0:
            return value
        if kind == RELU_N1_TO_1:
            return clipped(self.graph, value, -1.0, 1.0)
        if kind not in _ACTIVATIONS:
            raise Unsupported(f"has the fused activation {kind}")
        return self.add(_ACTIVATIONS[kind], value)

    @property
    def padding(self) -> str:
        """The option `padding` as TensorFlow writes it."""
        number = self.options["padding"]
        if not 0 <= number < len(_PADDINGS):
            raise Unsupported(f"has the padding {number}")
        return _PADDINGS[number]


Rewrite = Callable[[Operation], "Value | Sequence[Value]"]


def clipped(graph: GraphBuilder, value: Value, low: float, high: float) -> Value:
    """The value within two bounds."""
    return graph.add("Minimum", graph.add("Maximum", value, low), high)
