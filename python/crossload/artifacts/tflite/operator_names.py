"""The operators of a .tflite by name: numbers of the enum BuiltinOperator, Flex and custom operators (schema.fbs, OperatorCode)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

# OperatorCode: codes above this are in builtin_code, because deprecated_builtin_code is one byte (PLACEHOLDER_FOR_GREATER_OP_CODES).
_MOST_DEPRECATED_CODE = 127
_CUSTOM = 32
_FLEX = "Flex"


def op_of(code: dict[str, Any]) -> tuple[str, str]:
    """The kind and the name of an operator code."""
    number = code["code"] if code["deprecated_code"] == _MOST_DEPRECATED_CODE else max(code["code"], code["deprecated_code"])
    if number == _CUSTOM:
        name = code["custom_code"] or "(without a name)"
        return ("flex", name) if name.startswith(_FLEX) else ("custom", name)
    return "builtin", _builtin_names().get(number, f"BUILTIN_{number}")


_NAMES: dict[int, str] = {}


def builtin_codes() -> dict[str, int]:
    """The numbers of the schema's enum BuiltinOperator by their names."""
    return {name: number for number, name in sorted(_builtin_names().items())}


def _builtin_names() -> dict[int, str]:
    """Names by number, from the schema's enum BuiltinOperator; that module alone, because its package imports 170 others."""
    if not _NAMES:
        package = importlib.util.find_spec("tflite")
        assert package and package.origin
        spec = importlib.util.spec_from_file_location("tflite_builtin_operator", Path(package.origin).with_name("BuiltinOperator.py"))
        assert spec and spec.loader
        spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
        _NAMES.update({number: name for name, number in vars(module.BuiltinOperator).items() if name.isupper()})
    return _NAMES
