"""Every operator of TFLite that becomes ops of TensorFlow, with the function that writes them."""

from __future__ import annotations

from crossload.edits.from_tflite import arithmetic, control_flow, convolutions, quantised, recurrent, reductions, shapes
from crossload.edits.from_tflite.operation import Rewrite

FAMILIES: dict[str, dict[str, Rewrite]] = {
    "arithmetic": arithmetic.OPERATORS,
    "convolutions": convolutions.OPERATORS,
    "shapes": shapes.OPERATORS,
    "reductions": reductions.OPERATORS,
    "quantised": quantised.OPERATORS,
    "control flow": control_flow.OPERATORS,
    "recurrent": recurrent.OPERATORS,
}
OPERATORS: dict[str, Rewrite] = {op: rewrite for family in FAMILIES.values() for op, rewrite in family.items()}
