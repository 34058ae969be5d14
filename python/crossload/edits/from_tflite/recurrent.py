"""Recurrent operators as loops over the steps (kernels/unidirectional_sequence_lstm.cc for the inputs' order and the equations)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from crossload.edits.from_tflite.graph_builder import GraphBuilder, Value
from crossload.edits.from_tflite.operation import RELU, RELU6, TANH, Operation, Rewrite, Unsupported

# The inputs of an LSTM, four gates each: input, forget, cell, output.
_WEIGHTS, _RECURRENT, _BIASES = 1, 5, 12
_UNSUPPORTED_LSTM = {9: "peephole connections", 10: "peephole connections", 16: "a projection", 20: "layer normalisation"}
_ACTIVATIONS = {0: "Identity", RELU: "Relu", RELU6: "Relu6", TANH: "Tanh"}
_SIGMOID = 6  # schema.fbs has no such member; the kernels of LSTM take it (builtin_op_data.h, kTfLiteActSigmoid)
Step = Callable[[GraphBuilder, Value, list[Value]], "tuple[Value, list[Value]]"]


def _joined(o: Operation, at: Sequence[int]) -> np.ndarray:
    held = [o.constant(n) for n in at]
    if any(h is None for h in held):
        raise Unsupported("has weights that are computed")
    return np.concatenate([h for h in held if h is not None])


def _activation(o: Operation) -> str:
    if o.options["fused"] not in _ACTIVATIONS:
        raise Unsupported(f"has the fused activation {o.options['fused']}")
    return _ACTIVATIONS[o.options["fused"]]


def _lstm(o: Operation) -> Value:
    if strange := next((what for at, what in _UNSUPPORTED_LSTM.items() if o.has(at)), None):
        raise Unsupported(f"has {strange}")
    if o.options["cell_clip"] or o.options["proj_clip"]:
        raise Unsupported("clips its cell")
    coupled = not o.has(_WEIGHTS)
    gates = range(1 if coupled else 0, 4)
    weights, recurrent, biases = (_joined(o, [first + g for g in gates]) for first in (_WEIGHTS, _RECURRENT, _BIASES))
    activation, units = _activation(o), recurrent.shape[1]

    def step(graph: GraphBuilder, taken: Value, state: list[Value]) -> tuple[Value, list[Value]]:
        before, cell = state
        summed = graph.add("AddV2", taken, graph.add("MatMul", before, np.ascontiguousarray(recurrent.T)))
        parts = graph.outputs("Split", 1, summed, num_split=len(gates))
        forget, new, out = (parts[n] for n in (-3, -2, -1))
        forget, out = graph.add("Sigmoid", forget), graph.add("Sigmoid", out)
        let_in = graph.add("Sub", 1.0, forget) if coupled else graph.add("Sigmoid", parts[0])
        cell = graph.add("AddV2", graph.add("Mul", forget, cell), graph.add("Mul", let_in, graph.add(activation, new)))
        made = graph.add("Mul", out, graph.add(activation, cell))
        return made, [made, cell]

    return _over_time(o, _projected(o, weights, biases), [units, units], units, step)


def _rnn(o: Operation) -> Value:
    weights, recurrent, bias = (_joined(o, [at]) for at in (1, 2, 3))
    activation = _activation(o)

    def step(graph: GraphBuilder, taken: Value, state: list[Value]) -> tuple[Value, list[Value]]:
        summed = graph.add("AddV2", taken, graph.add("MatMul", state[0], np.ascontiguousarray(recurrent.T)))
        made = graph.add(activation, summed)
        return made, [made]

    units = recurrent.shape[0]
    return _over_time(o, _projected(o, weights, bias), [units], units, step)


def _projected(o: Operation, weights: np.ndarray, biases: np.ndarray) -> Value:
    """What the inputs of all steps add to the gates, [time, batch, gates]."""
    taken = o[0] if o.options["time_major"] else o.add("Transpose", o[0], [1, 0, 2])
    return o.add("AddV2", o.add("BatchMatMulV2", taken, np.ascontiguousarray(weights.T)), biases)


def _over_time(o: Operation, taken: Value, states: Sequence[int], units: int, step: Step) -> Value:
    """The outputs of all steps; every state of `states` units begins with zeros, as after a reset of the interpreter."""
    shape = o.add("Shape", taken)
    times, batch = (o.add("StridedSlice", shape, [n], [n + 1], [1], shrink_axis_mask=1) for n in (0, 1))
    zeros = [o.add("Fill", o.add("Pack", [batch, o.graph.constant(n, "INT32")]), 0.0) for n in states]
    made = o.add("TensorListReserve", [-1, units], times, element_dtype="FP32")
    arguments = [o.graph.constant(0, "INT32"), times, taken, made, *zeros]
    functions = {"cond": _condition(o.graph, arguments), "body": _body(o.graph, arguments, step)}
    loop = o.graph.outputs("StatelessWhile", arguments, **functions)
    whole = o.add("TensorListStack", loop[3], [-1, units], element_dtype="FP32")
    return whole if o.options["time_major"] else o.add("Transpose", whole, [1, 0, 2])


def _inner(graph: GraphBuilder, arguments: Sequence[Value]) -> tuple[GraphBuilder, list[Value]]:
    inner = GraphBuilder(graph.library)
    return inner, [inner.placeholder(f"x{n}", a.datatype, None) for n, a in enumerate(arguments)]


def _condition(graph: GraphBuilder, arguments: Sequence[Value]) -> str:
    inner, given = _inner(graph, arguments)
    return inner.function("steps_left", given, [inner.add("Less", given[0], given[1])])


def _body(graph: GraphBuilder, arguments: Sequence[Value], step: Step) -> str:
    inner, given = _inner(graph, arguments)
    at, times, taken, made, *state = given
    value, state = step(inner, inner.add("GatherV2", taken, at, 0), state)
    made = inner.add("TensorListSetItem", made, at, value)
    return inner.function("step", given, [inner.add("AddV2", at, 1), times, taken, made, *state])


OPERATORS: dict[str, Rewrite] = {"UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm, "UNIDIRECTIONAL_SEQUENCE_RNN": _rnn}
