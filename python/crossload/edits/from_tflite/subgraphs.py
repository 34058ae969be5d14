"""A subgraph of a .tflite written into a graph, operator after operator; the subgraphs that operators run become functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from crossload.artifacts.tflite import quantised as steps
from crossload.artifacts.tflite.flatbuffer import FlatbufferError
from crossload.artifacts.tflite.inner import Inner, Operator, Tensor
from crossload.contract.datatypes import for_people
from crossload.edits.from_tflite import quantised
from crossload.edits.from_tflite.graph_builder import RESOURCE, GraphBuilder, Unsupported, Value
from crossload.edits.from_tflite.once import Filled
from crossload.edits.from_tflite.operation import Operation
from crossload.edits.from_tflite.options import Options
from crossload.edits.from_tflite.state import State
from crossload.edits.from_tflite.table import rewrite_of
from crossload.edits.from_tflite.tensors import REAL, datatype_of, is_real, name_of, same_steps
from crossload.edits.from_tflite.values import Values
from crossload.releases import nodes
from crossload.releases.registrations import releases

# Operators whose kernels only move integers between equal steps, and these that round.
_ROUNDING = ("QUANTIZE", "RELU", "RELU6")


class SubgraphWriter:
    """Writes subgraphs, each that operators run once, as a function; `reasons` has what none of them can become, by operator."""

    def __init__(self, graphs: Sequence[Inner], filled: Filled) -> None:
        self.graphs, self.filled = graphs, filled
        self.reasons: dict[str, str] = {}
        self._functions: dict[tuple[int, bool], str] = {}

    def write(
        self, graph: Inner, builder: GraphBuilder, inputs: Mapping[int, Value], prefix: str = "", state: State | None = None
    ) -> Values:
        """Write a subgraph's operators, given values of its inputs by tensor; returns the values of its tensors.

        `state` keeps what the operators keep between calls; without it, none may.
        """
        values = Values(graph, builder, inputs, prefix)
        for operator in graph.operators:
            self._operator(graph, builder, operator, values, prefix, state)
        return values

    def function(self, library: GraphBuilder, at: int, *, condition: bool = False) -> str:
        """The subgraph as a function of the library; that of a `condition` has a scalar as its result, as TensorFlow's loops take it."""
        if (at, condition) not in self._functions:
            graph, builder = self.graphs[at], GraphBuilder(library.library)
            arguments = {
                index: builder.placeholder(f"x{n}", datatype_of(graph.tensors[index]), None) for n, index in enumerate(graph.inputs)
            }
            values = self.write(graph, builder, arguments)
            results = [values[index] for index in graph.outputs]
            if condition:
                results = [builder.add("Reshape", r, builder.constant([], "INT32")) for r in results]
            name = re.sub(r"\W", "_", graph.name) or f"subgraph_{at}"
            self._functions[at, condition] = builder.function(name, list(arguments.values()), results)
        return self._functions[at, condition]

    def _operator(self, graph: Inner, builder: GraphBuilder, operator: Operator, values: Values, prefix: str, state: State | None) -> None:
        outputs = tuple(graph.tensors[at] for at in operator.outputs)
        name = prefix + (name_of(outputs[0]) if outputs else operator.op)
        if _folds(graph, operator, values):
            values.constants.add(outputs[0].index, values.constants[operator.inputs[0]].astype(np.float32))
            return
        with builder.scope(name):
            try:
                results = self._rewritten(graph, builder, operator, values, outputs, state)
            except Unsupported as reason:
                self.reasons.setdefault(operator.op, str(reason))
                results = [builder.placeholder(name, datatype_of(t), None) for t in outputs]
            except FlatbufferError:
                raise
            except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
                raise FlatbufferError(f"the operator {operator.op} does not fit its tensors ({error})") from error
            if len(results) == 1 and outputs[0].datatype != RESOURCE:
                results = [builder.named(results[0], name)]
        values.update({t.index: v for t, v in zip(outputs, results, strict=False)})

    def _rewritten(
        self, graph: Inner, builder: GraphBuilder, operator: Operator, values: Values, outputs: tuple[Tensor, ...], state: State | None
    ) -> list[Value]:
        inputs = tuple(graph.tensors[at] if at >= 0 else None for at in operator.inputs)
        if any(t is not None and t.sparse for t in inputs):
            raise Unsupported("has sparse weights")

        def bodies(at: int, *, condition: bool = False) -> str:
            return self.function(builder, at, condition=condition)

        options = Options(graph.data, operator)
        operation = Operation(builder, operator.op, inputs, outputs, options, operator.calls, values, bodies, self.filled, state)
        rewrite = rewrite_of(operator)
        assert rewrite  # plan.refuse_unknown has looked
        made = rewrite(operation)
        results = [made] if isinstance(made, Value) else list(made)
        results = [_as_stated(operation, t, v) for t, v in zip(outputs, results, strict=False)]
        _refuse_invalid(builder)
        return results


def _as_stated(operation: Operation, tensor: Tensor, value: Value) -> Value:
    """The value of an output, rounded to its steps if the file states steps that the operator's inputs do not have."""
    if tensor.datatype == RESOURCE:
        return value
    if value.datatype != datatype_of(tensor):
        taken = ", ".join(for_people(t.datatype) for t in operation.inputs if t)
        raise Unsupported(f"makes {for_people(tensor.datatype)} of {taken}, and TensorFlow {for_people(value.datatype)}")
    if not is_real(tensor) or operation.calls:
        return value
    moves = steps.allowed(operation.op) == 0 and operation.op not in _ROUNDING
    if moves and all(same_steps(t, tensor) for t in operation.inputs if t and is_real(t)):
        return value
    return quantised.rounded(operation.graph, value, tensor)


def _refuse_invalid(builder: GraphBuilder) -> None:
    """Raise Unsupported for a node that the newest release of TensorFlow does not load, or has no kernel for."""
    newest = releases()[-1]
    for node in builder.added():
        for problem in nodes.problems(node, newest, newest.graph_def, builder.library):
            raise Unsupported(f"becomes a node that TensorFlow refuses: {problem.sentence}")
        if sentence := nodes.kernel_problem(node, newest, builder.library):
            raise Unsupported(f"becomes a node that TensorFlow does not run: {sentence}")


def _folds(graph: Inner, operator: Operator, values: Values) -> bool:
    """Whether this makes float32 of a constant: weights that the file stores in fewer bytes."""
    if operator.op != "DEQUANTIZE" or operator.inputs[0] not in values.constants:
        return False
    return graph.tensors[operator.outputs[0]].datatype == REAL
