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
    """The operations that stop the conversion where the converter names them, else its first error."""
    listed = re.search(r"Custom ops: ([^\n]+)", message)
    flex = re.search(r"Flex ops: ([^\n]+)", message)
    named = [*(_names(flex) if flex else ()), *(_names(listed) if listed else ())]
    if not named:
        named = re.findall(r"'tf\.(\w+)' op is neither a custom op nor a flex op", message)
    if named:
        return f"TFLite does not have its operation{'s' if len(set(named)) > 1 else ''} {', '.join(dict.fromkeys(named))}"
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return (lines or ["the converter gave no reason"])[0][:300]


def _names(listed: re.Match[str]) -> list[str]:
    return [name.strip() for name in listed[1].split(",")]
