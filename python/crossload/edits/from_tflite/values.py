"""The values of a subgraph's tensors in the graph; a constant is written when it is first used."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crossload.artifacts.tflite.inner import Inner, Tensor
from crossload.edits.from_tflite.graph_builder import GraphBuilder, Unsupported, Value
from crossload.edits.from_tflite.tensors import Constants, datatype_of, name_of


class Values(dict[int, Value]):
    """Values by tensor; `constants` are those that the file holds."""

    def __init__(self, graph: Inner, builder: GraphBuilder, inputs: Mapping[int, Value], prefix: str) -> None:
        super().__init__(inputs)
        self.constants = Constants(graph)
        self._graph, self._builder, self._prefix = graph, builder, prefix
        self._operations = {name_of(graph.tensors[at]) for o in graph.operators for at in o.outputs}

    def __missing__(self, at: int) -> Value:
        tensor = self._graph.tensors[at]
        if at not in self.constants:
            raise Unsupported(f"reads the tensor {tensor.name!r}, which nothing computes")
        self[at] = self.constant(tensor, self.constants[at])
        return self[at]

    def constant(self, tensor: Tensor, value: np.ndarray) -> Value:
        """A constant that stands for a tensor, under its name; an operation's name is the operation's."""
        name = name_of(tensor)
        name = f"{name}/value" if name in self._operations else name
        return self._builder.constant(np.asarray(value, order="C"), datatype_of(tensor), self._prefix + name)
