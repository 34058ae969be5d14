"""Protobuf messages that `artifacts.messages` does not have, declared from a table of their fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossload.artifacts import messages as declared

# descriptor.proto, FieldDescriptorProto.Type and .Label. The declarations are written as bytes on the wire: importing
# google.protobuf.descriptor_pb2 for them would take longer than reading a checkpoint's index.
_TYPES = {"double": 1, "float": 2, "int64": 3, "int32": 5, "fixed32": 7, "string": 9, "bytes": 12}
_MESSAGE, _OPTIONAL, _REPEATED = 11, 1, 3

# A field's name, its number and what it holds: one value, [many], or {"string": value} for a map with text as keys. A value is a
# scalar's name, the name of a message in the same table, or the class of a message from elsewhere.
Field = tuple[str, int, Any]


def declare(
    package: str, messages: Mapping[str, Sequence[Field]], oneofs: Mapping[str, str] | None = None, syntax: str = "proto3"
) -> dict[str, Any]:
    """The classes of these messages, by name; `oneofs` names, by message, a oneof of all its fields.

    `package` is crossload's own: TensorFlow's names are those of `artifacts.messages`.
    """
    files: dict[str, None] = {}
    bodies = [
        _field(4, _message(f".{package}", name, fields, files, (oneofs or {}).get(name)))  # message_type
        for name, fields in messages.items()
    ]
    head = _field(1, f"{package.replace('.', '/')}.proto") + _field(2, package)
    declared.declare(b"".join((head, *(_field(3, file) for file in files), *bodies, _field(12, syntax))))
    return {name: declared.message_class(f"{package}.{name}") for name in messages}


def _message(package: str, name: str, fields: Sequence[Field], files: dict[str, None], oneof: str | None = None) -> bytes:
    """A DescriptorProto; `files` gets the files that it depends on."""
    made = _field(1, name)
    for field_name, number, holds in fields:
        of, label = holds, _OPTIONAL
        if isinstance(holds, dict):
            # A map is a repeated message of key and value, named after the field (descriptor.proto, MessageOptions.map_entry).
            entry = "".join(part.capitalize() for part in field_name.split("_")) + "Entry"
            ((key, value),) = holds.items()
            made += _field(3, _message(package, entry, [("key", 1, key), ("value", 2, value)], files) + _field(7, _field(7, 1)))
            of, label = f"{name}.{entry}", _REPEATED
        elif isinstance(holds, list):
            of, label = holds[0], _REPEATED
        field = _field(1, field_name) + _field(3, number) + _field(4, label)
        if isinstance(of, str):
            field += _field(5, _TYPES[of]) if of in _TYPES else _field(5, _MESSAGE) + _field(6, f"{package}.{of}")
        else:
            files[of.DESCRIPTOR.file.name] = None
            field += _field(5, _MESSAGE) + _field(6, f".{of.DESCRIPTOR.full_name}")
        made += _field(2, field + (_field(9, 0) if oneof else b""))
    return made + (_field(8, _field(1, oneof)) if oneof else b"")


def _field(number: int, value: int | str | bytes) -> bytes:
    """A field on protobuf's wire: a number, text or a message."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)
