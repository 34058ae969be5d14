"""Operators that compute element by element: arithmetic, activations, comparisons, choices, casts."""

from __future__ import annotations

import math
from collections.abc import Callable

from crossload.contract.datatypes import DATATYPES
from crossload.edits.from_tflite.graph_builder import Value
from crossload.edits.from_tflite.operation import Operation, Rewrite, Unsupported, clipped
from crossload.edits.from_tflite.quantised import given, of_integers
from crossload.edits.from_tflite.tensors import is_real

_LEAST_NORM = 1e-6  # l2normalization.h: the epsilon below which a norm is not divided by


def _same(op: str) -> Rewrite:
    """An operator that is an op of TensorFlow with the same inputs."""
    return lambda o: o.add(op, *o.all())


def _fused(op: str) -> Rewrite:
    return lambda o: o.activated(o.add(op, o[0], o[1]))


def _divided(o: Operation) -> Value:
    is_real = o[0].datatype.startswith(("FP", "BF"))
    return o.activated(o.add("RealDiv" if is_real else "TruncateDiv", o[0], o[1]))


def _clipped(low: float, high: float) -> Callable[[Operation], Value]:
    return lambda o: clipped(o.graph, o[0], low, high)


def _hard_swish(o: Operation) -> Value:
    return o.add("Mul", o[0], o.add("Mul", o.add("Relu6", o.add("AddV2", o[0], 3.0)), 1 / 6))


def _gelu(o: Operation) -> Value:
    x = o[0]
    if o.options["approximate"]:
        cubic = o.add("Mul", 0.044715, o.add("Mul", x, o.add("Square", x)))
        inner = o.add("Tanh", o.add("Mul", math.sqrt(2 / math.pi), o.add("AddV2", x, cubic)))
        return o.add("Mul", o.add("Mul", 0.5, x), o.add("AddV2", 1.0, inner))
    # As tf.nn.gelu writes it: TFLite's converter knows this pattern, and no operator for Erf or Erfc alone.
    return o.add("Mul", o.add("Mul", 0.5, x), o.add("AddV2", 1.0, o.add("Erf", o.add("RealDiv", x, math.sqrt(2)))))


def _prelu(o: Operation) -> Value:
    return o.add("AddV2", o.add("Relu", o[0]), o.add("Mul", o[1], o.add("Minimum", o[0], 0.0)))


def _softmax(o: Operation) -> Value:
    beta = o.options["beta"]
    return o.add("Softmax", o[0] if beta == 1 else o.add("Mul", o[0], beta))


def _l2_normalized(o: Operation) -> Value:
    norm = o.add("Sqrt", o.add("Sum", o.add("Square", o[0]), [-1], keep_dims=True))
    return o.activated(o.add("RealDiv", o[0], o.add("Maximum", norm, _LEAST_NORM)))


def _cast(o: Operation) -> Value:
    """The integers of a quantised tensor are cast, not the numbers that they stand for."""
    taken, made = o.tensor(0), o.outputs[0]
    value = o.add("Cast", given(o.graph, o[0], taken) if is_real(taken) else o[0], DstT=made.datatype)
    return of_integers(o.graph, value, made) if is_real(made) else value


def _bitcast(o: Operation) -> Value:
    wanted = o.outputs[0].datatype
    if wanted not in DATATYPES or o.tensor(0).quantised:
        raise Unsupported("takes the integers of a quantised tensor")
    return o.add("Bitcast", o[0], type=wanted)


def _added(o: Operation) -> Value:
    return o.add("AddN", o.all())


def _bucketized(o: Operation) -> Value:
    return o.add("Bucketize", o[0], boundaries=o.options["boundaries"])


OPERATORS: dict[str, Rewrite] = {
    **{op.upper(): _same(op) for op in ("Abs", "Ceil", "Cos", "Elu", "Exp", "Floor", "Imag", "Log", "Neg", "Relu", "Relu6", "Real", "Round",
                                        "Rsqrt", "Sign", "Sin", "Sqrt", "Square", "Tanh", "Maximum", "Minimum", "Pow", "Equal", "Less",
                                        "Greater", "Atan2")},
    "COMPLEX_ABS": _same("ComplexAbs"), "LOGISTIC": _same("Sigmoid"), "LOGICAL_NOT": _same("LogicalNot"),
    "LOG_SOFTMAX": _same("LogSoftmax"), "ZEROS_LIKE": _same("ZerosLike"), "FLOOR_DIV": _same("FloorDiv"), "FLOOR_MOD": _same("FloorMod"),
    "SQUARED_DIFFERENCE": _same("SquaredDifference"), "LOGICAL_AND": _same("LogicalAnd"), "LOGICAL_OR": _same("LogicalOr"),
    "BITWISE_XOR": _same("BitwiseXor"), "RIGHT_SHIFT": _same("RightShift"), "NOT_EQUAL": _same("NotEqual"),
    "LESS_EQUAL": _same("LessEqual"), "GREATER_EQUAL": _same("GreaterEqual"), "SELECT": _same("Select"), "SELECT_V2": _same("SelectV2"),
    "ADD": _fused("AddV2"), "SUB": _fused("Sub"), "MUL": _fused("Mul"), "DIV": _divided, "ADD_N": _added,
    "RELU_N1_TO_1": _clipped(-1.0, 1.0), "RELU_0_TO_1": _clipped(0.0, 1.0), "HARD_SWISH": _hard_swish, "GELU": _gelu, "PRELU": _prelu,
    "LEAKY_RELU": lambda o: o.add("LeakyRelu", o[0], alpha=o.options["alpha"]),
    "SOFTMAX": _softmax, "L2_NORMALIZATION": _l2_normalized, "CAST": _cast, "BITCAST": _bitcast, "BUCKETIZE": _bucketized,
}  # fmt: skip
