"""SavedModel to .tflite: every signature, with its names."""

from __future__ import annotations

import re
from pathlib import Path

import tensorflow as tf


class CannotConvert(Exception):
    """Why the converter makes no .tflite of this model."""


def to_tflite(saved_model: Path, tags: list[str], signatures: list[str], destination: Path) -> None:
    """Write a .tflite with a SignatureDef for each signature, builtin operations only.

    Raises CannotConvert, naming the operations that TFLite does not have: a model with Flex (Select TF) operations would
    convert and then run in no interpreter that is a plain package.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=signatures, tags=set(tags))
    try:
        destination.write_bytes(converter.convert())
    except OSError:
        raise
    except Exception as error:  # the converter raises bare Exceptions of many classes; its text is all there is
        raise CannotConvert(_cause(str(error))) from error


def _cause(message: str) -> str:
    """The operations that stop the conversion where the converter lists them, else its first sentence."""
    listed = re.search(r"(Flex|Custom) ops: ([^\n]+)", message)
    if listed:
        which = "operations that TFLite does not have" if listed[1] == "Flex" else "custom operations"
        return f"it uses {which}: {listed[2].strip()}"
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line]
    return (errors or lines or ["the converter gave no reason"])[0][:300]
