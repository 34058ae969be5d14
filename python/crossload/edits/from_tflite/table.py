"""Every operator of TFLite that becomes ops of TensorFlow, with the function that writes them; a Flex operator is one already."""

from __future__ import annotations

from crossload.artifacts.tflite.inner import Operator
from crossload.edits.from_tflite import (
    arithmetic,
    control_flow,
    convolutions,
    flex,
    quantised,
    random_numbers,
    recurrent,
    reductions,
    shapes,
    tables,
)
from crossload.edits.from_tflite.operation import Rewrite
from crossload.releases.registrations import releases

FAMILIES: dict[str, dict[str, Rewrite]] = {
    "arithmetic": arithmetic.OPERATORS,
    "convolutions": convolutions.OPERATORS,
    "shapes": shapes.OPERATORS,
    "reductions": reductions.OPERATORS,
    "quantised": quantised.OPERATORS,
    "control flow": control_flow.OPERATORS,
    "recurrent": recurrent.OPERATORS,
    "random numbers": random_numbers.OPERATORS,
    "tables and variables": tables.OPERATORS,
}
OPERATORS: dict[str, Rewrite] = {op: rewrite for family in FAMILIES.values() for op, rewrite in family.items()}


def rewrite_of(operator: Operator) -> Rewrite | None:
    """The function that writes an operator; None for one without a counterpart."""
    if operator.kind == "flex":
        return flex.rewrite if releases()[-1].op(operator.op.removeprefix("Flex")) is not None else None
    return OPERATORS.get(operator.op) if operator.kind == "builtin" else None
