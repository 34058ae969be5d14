"""The JSON Schema of a data class that `contract.typed` reads (draft 2020-12)."""

from __future__ import annotations

import inspect
import json
from dataclasses import MISSING, Field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}


def text(kind: type) -> str:
    """The schema's text."""
    definitions: dict[str, Any] = {}
    top = _object(kind, definitions)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": dict(sorted(definitions.items())), **top}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def _object(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    own = fields(kind)
    found = {
        "additionalProperties": False,
        "description": inspect.cleandoc(kind.__doc__),
        "properties": {f.name: _property(f, hints[f.name], definitions) for f in own},
        "required": [f.name for f in own if f.default is MISSING and f.default_factory is MISSING],
        "title": kind.__name__,
        "type": "object",
    }
    return {k: v for k, v in found.items() if v != []}


def _property(field: Field[Any], kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    found = _schema(kind, definitions) | dict(field.metadata)
    if field.default is not MISSING:
        found["default"] = field.default
    if not any(is_dataclass(k) for k in (kind, *get_args(kind))) or get_origin(kind) in (list, tuple, dict):
        found["title"] = field.name.replace("_", " ").title()
    return dict(sorted(found.items()))


def _schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return {"anyOf": [_schema(k, definitions) for k in arguments]}
    if origin is Literal:
        return {"const": arguments[0], "type": _SCALARS[type(arguments[0])]}
    if is_dataclass(kind):
        name = kind.__name__  # type: ignore[union-attr]
        if name not in definitions:
            definitions[name] = _object(kind, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if origin is dict:
        return {"additionalProperties": True if arguments[1] is Any else _schema(arguments[1], definitions), "type": "object"}
    if origin in (list, tuple):
        return {"items": _schema(arguments[0], definitions), "type": "array"}
    return {"type": _SCALARS[kind]}
