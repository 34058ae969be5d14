"""Recurrent operators: a loop over the steps, or one step, and the state that they keep between calls.

Inputs' order and equations: kernels/lstm.cc, kernels/lstm_eval.cc, kernels/basic_rnn.cc and their sequence and bidirectional variants,
kernels/svdf.cc.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from crossload.edits.from_tflite.graph_builder import GraphBuilder, Value
from crossload.edits.from_tflite.operation import RELU, RELU6, TANH, Operation, Rewrite, Unsupported, clipped
from crossload.edits.from_tflite.quantised import rounded
from crossload.edits.from_tflite.tensors import is_real

_INPUT, _FORGET, _CELL, _OUTPUT = range(4)  # the gates of an LSTM in the order of its inputs
_PEEPHOLES = (_INPUT, _FORGET, _OUTPUT)
_ACTIVATIONS = {0: "Identity", RELU: "Relu", RELU6: "Relu6", TANH: "Tanh"}
_LEAST_VARIANCE = 1e-8  # kernels/internal/portable_tensor_utils.cc, kNormalizationConstant
_BASIC = 1  # schema.fbs, enum LSTMKernelType
Step = Callable[[GraphBuilder, Value, list[Value]], "tuple[Value, list[Value]]"]


@dataclass(frozen=True)
class Cell:
    """One direction of a recurrent operator: its `weights` [gates × units, inputs] and `biases` for what it takes, and its step.

    `step` gets what the inputs add to the gates [batch, gates × units] and the states; it makes an output [batch, units] and new states.
    `states` are the operator's inputs that hold these.
    """

    weights: np.ndarray
    biases: np.ndarray | None
    states: tuple[int, ...]
    units: int
    step: Step


@dataclass(frozen=True)
class _Places:
    """The first of an LSTM's inputs of each kind; of `norms` some operators have none."""

    weights: int
    recurrent: int
    peepholes: int
    biases: int
    projection: int
    states: tuple[int, int]
    norms: int | None = None


_ONE_WAY = _Places(1, 5, 9, 12, 16, (18, 19), norms=20)
_FORWARD, _BACKWARD = _Places(1, 5, 9, 12, 16, (35, 36)), _Places(18, 22, 26, 29, 33, (37, 38))
_AUXILIARY = {"BIDIRECTIONAL_SEQUENCE_LSTM": 39, "BIDIRECTIONAL_SEQUENCE_RNN": 9}


def _held(o: Operation, at: int) -> np.ndarray:
    if (value := o.constant(at)) is None:
        raise Unsupported("has weights that are computed" if o.has(at) else f"lacks its input {at}")
    return value


def _if_held(o: Operation, at: int) -> np.ndarray | None:
    return _held(o, at) if o.has(at) else None


def _some(o: Operation, first: int | None, gates: Iterable[int]) -> dict[int, np.ndarray]:
    """The vectors that some gates have, from the input `first` on, by gate."""
    return {} if first is None else {g: _held(o, first + n) for n, g in enumerate(gates) if o.has(first + n)}


def _turned(weights: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(weights.T)


def _activation(o: Operation) -> str:
    if o.options["fused"] not in _ACTIVATIONS:
        raise Unsupported(f"has the fused activation {o.options['fused']}")
    return _ACTIVATIONS[o.options["fused"]]


def _lstm(o: Operation, at: _Places) -> Cell:
    coupled = not o.has(at.weights)
    gates = range(_FORGET if coupled else _INPUT, 4)
    weights, recurrent = (np.concatenate([_held(o, first + g) for g in gates]) for first in (at.weights, at.recurrent))
    biases = _some(o, at.biases, range(4))
    peepholes, norms = _some(o, at.peepholes, _PEEPHOLES), _some(o, at.norms, range(4))
    project, project_bias = _if_held(o, at.projection), _if_held(o, at.projection + 1)
    activation, most, most_projected = _activation(o), o.options["cell_clip"], o.options["proj_clip"]

    def step(graph: GraphBuilder, taken: Value, state: list[Value]) -> tuple[Value, list[Value]]:
        before, cell = state
        summed = graph.add("AddV2", taken, graph.add("MatMul", before, _turned(recurrent)))
        parts = dict(zip(gates, graph.outputs("Split", 1, summed, num_split=len(gates)), strict=True))

        def gate(which: int, function: str, cell: Value) -> Value:
            value = parts[which]
            if which in peepholes:
                value = graph.add("AddV2", value, graph.add("Mul", cell, peepholes[which]))
            if which in norms:
                value = graph.add("AddV2", graph.add("Mul", _normalised(graph, value), norms[which]), biases[which])
            return graph.add(function, value)

        forget = gate(_FORGET, "Sigmoid", cell)
        let_in = graph.add("Sub", 1.0, forget) if coupled else gate(_INPUT, "Sigmoid", cell)
        new = graph.add("Mul", let_in, gate(_CELL, activation, cell))
        cell = _as_kept(o, at.states[1], graph, _bounded(graph, graph.add("AddV2", graph.add("Mul", forget, cell), new), most))
        made = graph.add("Mul", gate(_OUTPUT, "Sigmoid", cell), graph.add(activation, cell))
        if project is not None:
            made = graph.add("MatMul", made, _turned(project))
            made = made if project_bias is None else graph.add("AddV2", made, project_bias)
            made = _bounded(graph, made, most_projected)
        made = _as_kept(o, at.states[0], graph, made)
        return made, [made, cell]

    # What normalises the layers adds the biases behind that.
    added = None if norms else np.concatenate([biases[g] for g in gates])
    return Cell(weights, added, at.states, recurrent.shape[1], step)


def _rnn(o: Operation, first: int, state: int) -> Cell:
    weights, recurrent, bias = (_held(o, first + n) for n in range(3))
    activation = _activation(o)

    def step(graph: GraphBuilder, taken: Value, state: list[Value]) -> tuple[Value, list[Value]]:
        made = graph.add(activation, graph.add("AddV2", taken, graph.add("MatMul", state[0], _turned(recurrent))))
        return made, [made]

    return Cell(weights, bias, (state,), recurrent.shape[0], step)


def _normalised(graph: GraphBuilder, value: Value) -> Value:
    centred = graph.add("Sub", value, graph.add("Mean", value, [1], keep_dims=True))
    variance = graph.add("Mean", graph.add("Square", centred), [1], keep_dims=True)
    return graph.add("Mul", centred, graph.add("Rsqrt", graph.add("AddV2", variance, _LEAST_VARIANCE)))


def _bounded(graph: GraphBuilder, value: Value, most: float) -> Value:
    """The value clipped to ±`most`, which is 0 where nothing is clipped."""
    return clipped(graph, value, -most, most) if most > 0 else value


def _as_kept(o: Operation, at: int, graph: GraphBuilder, value: Value) -> Value:
    """A state as its tensor holds it: rounded to the steps of a quantised one."""
    return rounded(graph, value, o.tensor(at)) if is_real(o.tensor(at)) else value


def _gates(o: Operation, taken: Value, cell: Cell) -> Value:
    """What the inputs of all steps add to the gates."""
    value = o.add("BatchMatMulV2", taken, _turned(cell.weights))
    return value if cell.biases is None else o.add("AddV2", value, cell.biases)


def _one_step(o: Operation, cell: Cell) -> Value:
    made, states = cell.step(o.graph, _gates(o, o[0], cell), [o.kept(at) for at in cell.states])
    _keep(o, cell, states)
    return made


def _keep(o: Operation, cell: Cell, states: Sequence[Value]) -> None:
    for at, state in zip(cell.states, states, strict=True):
        o.keep(at, state)


def _over_time(o: Operation, cell: Cell, *, backwards: bool = False) -> Value:
    """The outputs of all steps, in the order of the inputs."""
    turn = (lambda x: o.add("ReverseV2", x, [0])) if backwards else (lambda x: x)
    taken = o[0] if o.options["time_major"] else o.add("Transpose", o[0], [1, 0, 2])
    made = turn(_loop(o, _gates(o, turn(taken), cell), cell))
    return made if o.options["time_major"] else o.add("Transpose", made, [1, 0, 2])


def _loop(o: Operation, taken: Value, cell: Cell) -> Value:
    """The outputs [time, batch, units] of all steps over what their inputs add to the gates; the last states are kept."""
    times = o.add("StridedSlice", o.add("Shape", taken), [0], [1], [1], shrink_axis_mask=1)
    element = [o.tensor(cell.states[0]).shape[0], cell.units]  # the state's tensor has the batch; TFLite's converter must know it
    made = o.add("TensorListReserve", element, times, element_dtype="FP32")
    arguments = [o.graph.constant(0, "INT32"), times, taken, made, *(o.kept(at) for at in cell.states)]
    functions = {"cond": _condition(o.graph, arguments), "body": _body(o.graph, arguments, cell.step)}
    loop = o.graph.outputs("StatelessWhile", arguments, **functions)
    _keep(o, cell, loop[4:])
    return o.add("TensorListStack", loop[3], element, element_dtype="FP32")


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


def _both_ways(o: Operation, forward: Cell, backward: Cell) -> list[Value]:
    if o.has(_AUXILIARY[o.op]):
        raise Unsupported("has an auxiliary input")
    made = [_over_time(o, forward), _over_time(o, backward, backwards=True)]
    return [o.add("ConcatV2", made, 2)] if o.options["merge"] else made


def _lstm_of_one_step(o: Operation) -> Value | list[Value]:
    return _basic_lstm(o) if o.options["kernel"] == _BASIC else _one_step(o, _lstm(o, _ONE_WAY))


def _basic_lstm(o: Operation) -> list[Value]:
    """One step with the states as inputs and outputs; the gates are the input's, the cell's, the forgetting and the output's."""
    taken = o.add("ConcatV2", [o[0], o[1]], 1)
    summed = o.add("BiasAdd", o.add("MatMul", taken, o.arranged(2, (1, 0))), o[3])
    let_in, new, forget, out = o.graph.outputs("Split", 1, summed, num_split=4)
    new = o.add("Mul", o.add("Sigmoid", let_in), o.add("Tanh", new))
    cell = o.add("AddV2", new, o.add("Mul", o.add("Sigmoid", forget), o[4]))
    return [o.add("Mul", o.add("Tanh", cell), o.add("Sigmoid", out)), cell, taken, summed]


def _svdf(o: Operation) -> Value:
    """A filter over features, then one over the last steps of its results, which the state holds [batch, filters × steps]."""
    features, times = _held(o, 1), _held(o, 2)
    filters, steps = times.shape
    newest = _as_kept(o, 4, o.graph, o.add("MatMul", o[0], _turned(features)))
    past = o.add("Slice", o.add("Reshape", o.kept(4), [-1, filters, steps]), [0, 0, 1], [-1, -1, -1])
    window = o.add("ConcatV2", [past, o.add("ExpandDims", newest, 2)], 2)
    o.keep(4, o.add("Reshape", window, [-1, filters * steps]))
    filtered = o.add("Sum", o.add("Mul", window, times), [2])
    made = o.add("Sum", o.add("Reshape", filtered, [-1, filters // o.options["rank"], o.options["rank"]]), [2])
    made = o.add("AddV2", made, _held(o, 3)) if o.has(3) else made
    # The integer kernel applies none: the range of a quantised output is that of its activation.
    return made if is_real(o.outputs[0]) else o.activated(made)


OPERATORS: dict[str, Rewrite] = {
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lambda o: _over_time(o, _lstm(o, _ONE_WAY)),
    "BIDIRECTIONAL_SEQUENCE_LSTM": lambda o: _both_ways(o, _lstm(o, _FORWARD), _lstm(o, _BACKWARD)),
    "LSTM": _lstm_of_one_step,
    "UNIDIRECTIONAL_SEQUENCE_RNN": lambda o: _over_time(o, _rnn(o, 1, 4)),
    "BIDIRECTIONAL_SEQUENCE_RNN": lambda o: _both_ways(o, _rnn(o, 1, 4), _rnn(o, 5, 8)),
    "RNN": lambda o: _one_step(o, _rnn(o, 1, 4)),
    "SVDF": _svdf,
}
