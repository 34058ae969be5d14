"""Operators that draw at random, from the file's seeds.

TensorFlow draws what LiteRT draws, uniform and normal numbers in the first call only: it skips more numbers between calls
(util/guarded_philox_random.h)."""

from __future__ import annotations

from crossload.edits.from_tflite.graph_builder import Operand, Value
from crossload.edits.from_tflite.operation import Operation, Rewrite


def _drawn(o: Operation, op: str, *inputs: Operand, **attributes: str) -> Value:
    return o.add(op, *inputs, seed=o.options["seed"], seed2=o.options["seed2"], **attributes)


OPERATORS: dict[str, Rewrite] = {
    "RANDOM_UNIFORM": lambda o: _drawn(o, "RandomUniform", o[0], dtype="FP32"),
    "RANDOM_STANDARD_NORMAL": lambda o: _drawn(o, "RandomStandardNormal", o[0], dtype="FP32"),
    "MULTINOMIAL": lambda o: _drawn(o, "Multinomial", o[0], o.scalar(1), output_dtype=o.outputs[0].datatype),
}
