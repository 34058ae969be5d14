"""What a file keeps between calls: a variable of the graph, which every run assigns at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from crossload.edits.from_tflite.graph_builder import GraphBuilder, Value
from crossload.edits.from_tflite.tensors import REAL


class State:
    """The variables of one signature by their handles in the graph, and the values that its operators leave there.

    A frozen graph has no init op: a run asks whether an earlier one assigned the variable, else it takes the first value. Within a run, an
    operator gets the value that the one before it left; only the last value is assigned. A session of TensorFlow keeps it until it ends.
    """

    def __init__(self, graph: GraphBuilder, subgraph: int) -> None:
        self._graph, self._subgraph = graph, subgraph
        self._handles: dict[str, Value] = {}
        self._first: dict[Value, tuple[np.ndarray, str]] = {}
        self._values: dict[Value, Value] = {}
        self._begun: dict[Value, Value] = {}
        self._changed: dict[Value, None] = {}

    def tensor(self, index: int, shape: Sequence[int]) -> Value:
        """The handle of a variable tensor (`is_variable` in schema.fbs), which begins with zeros (Interpreter::ResetVariableTensors)."""
        return self.variable(f"state_{self._subgraph}_{index}", np.zeros(shape, np.float32), REAL)

    def variable(self, name: str, first: np.ndarray, datatype: str) -> Value:
        """The handle of a variable with this value before the first run; signatures that name the same one share it."""
        if name not in self._handles:
            handle = self._graph.add("VarHandleOp", dtype=datatype, shape=first.shape, shared_name=name)
            self._handles[name], self._first[handle] = handle, (first, datatype)
        return self._handles[name]

    def read(self, handle: Value) -> Value:
        """The variable's value at this place of the run."""
        if handle not in self._values:
            self._values[handle] = self._begun[handle] = self._before_this_run(handle)
        return self._values[handle]

    def assign(self, handle: Value, value: Value) -> None:
        """Let the operators that follow, and the next run, find this value."""
        # An identity, because an operator's last node is renamed after the tensor that it makes.
        self._values[handle] = self._graph.add("Identity", value)
        self._changed[handle] = None

    def end(self) -> list[str]:
        """Add the nodes that assign the last values; returns their names, for which the outputs must wait."""
        made = []
        for handle in self._changed:
            self._graph.outputs("AssignVariableOp", handle, self._values[handle])
            node = self._graph.added()[-1]
            if handle in self._begun:  # whoever reads what an earlier run left does so first
                node.input.append(f"^{self._begun[handle].tensor.removesuffix(':0')}")
            made.append(node.name)
        return made

    def _before_this_run(self, handle: Value) -> Value:
        first, datatype = self._first[handle]
        assigned = self._graph.add("VarIsInitializedOp", handle)
        read, fresh = (GraphBuilder(self._graph.library) for _ in range(2))
        branches = {
            "then_branch": _function(read, "state", handle, lambda x: read.add("ReadVariableOp", x, dtype=datatype)),
            "else_branch": _function(fresh, "first_state", handle, lambda _: fresh.add("Identity", fresh.constant(first, datatype))),
        }
        return self._graph.add("If", assigned, [handle], Tout=[datatype], **branches)


def _function(inner: GraphBuilder, name: str, handle: Value, make: Callable[[Value], Value]) -> str:
    """A function of a handle with one result."""
    argument = inner.placeholder("x0", handle.datatype, None)
    return inner.function(name, [argument], [make(argument)])
