"""A .tflite in which some layers stay in float while the others are quantised, by the converter's own debugger."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from crossload.errors import ModelError
from crossload.support.text import near


def converted(converter: Any, layers: Sequence[str]) -> bytes:
    """The quantised .tflite, except for the ops whose outputs' names contain one of `layers`; raises ModelError for a name of none."""
    whole = tf.lite.experimental.QuantizationDebugger(converter=converter, debug_dataset=converter.representative_dataset)
    plain = tf.lite.Interpreter(model_content=whole.get_nondebug_quantized_model())
    names = [d["name"] for d in plain.get_tensor_details()]
    kept: list[str] = []
    for layer in layers:
        found = [n for n in names if re.search(rf"(^|[/;]){re.escape(layer)}($|[/;:])", n)] or [n for n in names if layer in n]
        if not found:
            there = sorted({part for n in names for part in re.split(r"[/;]", n) if part})
            raise ModelError(f"no op of the model is named after {layer!r}{near(layer, there)}; there are: {', '.join(names[:12])}")
        kept += found
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=kept)
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=converter.representative_dataset, debug_options=options
    )
    made: bytes = debugger.get_nondebug_quantized_model()
    return made
