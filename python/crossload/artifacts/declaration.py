"""Protobuf messages that `artifacts.messages` does not have, declared from a table of their fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pb2

from crossload.artifacts import messages as declared

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"int64": _Field.TYPE_INT64, "float": _Field.TYPE_FLOAT, "string": _Field.TYPE_STRING, "bytes": _Field.TYPE_BYTES}

# A field's name, its number and what it holds: one value, [many], or {"string": value} for a map with text as keys. A value is a
# scalar's name, the name of a message in the same table, or the class of a message from elsewhere.
Field = tuple[str, int, Any]


def declare(package: str, messages: Mapping[str, Sequence[Field]], oneofs: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The classes of these proto3 messages, by name; `oneofs` names, by message, a oneof of all its fields.

    `package` is crossload's own, because TensorFlow's classes of the same messages may exist in the same process.
    """
    file = descriptor_pb2.FileDescriptorProto(name=f"{package.replace('.', '/')}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        if oneofs and name in oneofs:
            message.oneof_decl.add(name=oneofs[name])
        for field in fields:
            added = _add(file, message, field)
            if oneofs and name in oneofs:
                added.oneof_index = 0
    declared.declare(file.SerializeToString())
    return {name: declared.message_class(f"{package}.{name}") for name in messages}


def _add(file: Any, message: Any, field: Field) -> Any:
    name, number, holds = field
    added = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
    if isinstance(holds, dict):
        # A map is a repeated message of key and value, whose name follows from the field's (descriptor.proto, MessageOptions.map_entry).
        entry = message.nested_type.add(name="".join(part.capitalize() for part in name.split("_")) + "Entry")
        entry.options.map_entry = True
        for at, (side, kind) in enumerate(zip(("key", "value"), next(iter(holds.items())), strict=True), 1):
            _add(file, entry, (side, at, kind))
        added.type, added.type_name = _Field.TYPE_MESSAGE, f".{file.package}.{message.name}.{entry.name}"
    else:
        kind = holds[0] if isinstance(holds, list) else holds
        if kind in _SCALARS:
            added.type = _SCALARS[kind]
        elif isinstance(kind, str):
            added.type, added.type_name = _Field.TYPE_MESSAGE, f".{file.package}.{kind}"
        else:
            added.type, added.type_name = _Field.TYPE_MESSAGE, f".{kind.DESCRIPTOR.full_name}"
            if kind.DESCRIPTOR.file.name not in file.dependency:
                file.dependency.append(kind.DESCRIPTOR.file.name)
    if isinstance(holds, (dict, list)):
        added.label = _Field.LABEL_REPEATED
    return added
