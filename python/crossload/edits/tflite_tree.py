"""A whole .tflite as a tree of dicts, field by field, and back: what an edit does not touch is written as it was read (schema.fbs).

A table is a dict by its fields' names (artifacts/tflite/schema.py) with those that are there. A vector of bytes is its extent in the
source, so that weights are copied once, or new bytes; the table of a union is `Slots`. Weights and options behind the flatbuffer, and
packed files behind those, are moved along.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crossload.artifacts.tflite import flatbuffer, flatbuffer_writer, packed
from crossload.artifacts.tflite.flatbuffer import Field, Fields, FlatbufferError, UnknownField
from crossload.artifacts.tflite.flatbuffer_writer import Inline, Packed, TooLarge
from crossload.artifacts.tflite.inner import damage
from crossload.artifacts.tflite.schema import MODEL, UNIONS, Union
from crossload.errors import CrossloadError

Tree = dict[str, Any]
Slots = dict[int, Inline | Packed]
# Behind the flatbuffer; a cache line, which every datatype's alignment divides.
_ALIGNMENT = 64


def read(path: Path, data: flatbuffer.Buffer) -> Tree:
    """The file as a tree. Raises ArtifactError for a damaged one, and CrossloadError for one with fields that the schema does not have."""
    with damage(path):
        try:
            tree = flatbuffer.decode(data, MODEL, complete=True)
            _resolve(data, tree)
        except UnknownField as error:
            raise CrossloadError(
                f"{path} is of a newer schema than crossload knows ({error}), and a rewritten file would lose that; crossload can only "
                "rename its signatures, which keeps all bytes (--signature, --add-signature)"
            ) from error
        for table, at, size in _outside(tree):
            if table[at] + table.get(size, 0) > len(data):
                raise FlatbufferError(f"it refers to {table.get(size, 0)} bytes at {table[at]}, but has {len(data)} in all")
    return tree


def write(path: Path, data: flatbuffer.Buffer, tree: Tree) -> list[bytes | memoryview]:
    """The parts of the file that this tree of the file `data` makes. Raises CrossloadError for more than a flatbuffer's 2 GB."""
    outside = list(_outside(tree))
    try:
        made = flatbuffer_writer.model(_numbered(data, tree, MODEL))
        parts: list[bytes | memoryview] = []
        end = len(made)
        for table, at, size in outside:
            pad = -end % _ALIGNMENT
            parts += [bytes(pad), memoryview(data)[table[at] : table[at] + table.get(size, 0)]]
            table[at] = end + pad
            end += pad + table.get(size, 0)
        if outside:  # its offsets are known only now; all are there, so the length stays
            made = flatbuffer_writer.model(_numbered(data, tree, MODEL))
    except TooLarge as error:
        raise CrossloadError(f"{path} would exceed the 2 GB of a flatbuffer; make it smaller, or leave the metadata out") from error
    if there := packed.archive(data):
        parts.append(packed.moved(data, there, end))
    return [made, *parts]


def tables(tree: Tree, fields: Fields = MODEL) -> Iterator[tuple[Tree, str, Field]]:
    """Every field that is there, of every table below this one: the table, the field's name, its description."""
    for name, value in tree.items():
        yield tree, name, fields[name]
        kind = fields[name].kind
        if not isinstance(kind, str):
            for table in value if fields[name].vector else [value]:
                yield from tables(table, kind)


def members(union: str, kind: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The fields of a union's table that hold numbers of subgraphs, and those that hold numbers of tensors."""
    return UNIONS[union].calls.get(kind, ()), UNIONS[union].tensors.get(kind, ())


def numbers(slots: Slots, at: int) -> list[int]:
    """The 32-bit integers in a field of a union's table, one or a vector of them; none where it is absent."""
    there = slots.get(at)
    data = b"" if there is None else there.data if isinstance(there, Packed) else there.data[:4]
    return [int.from_bytes(data[n : n + 4], "little", signed=True) for n in range(0, len(data), 4)]


def set_numbers(slots: Slots, at: int, values: list[int]) -> None:
    """Set what `numbers` reads."""
    data = b"".join(v.to_bytes(4, "little", signed=True) for v in values)
    slots[at] = Packed(data, 4) if isinstance(slots.get(at), Packed) else Inline(data)


def _resolve(data: flatbuffer.Buffer, tree: Tree) -> None:
    """Give each union's table the values of its fields in place of their extents."""
    for table, name, field in list(tables(tree)):
        if field.kind == "slots":
            kind = table.get(f"{name}_type", 0)
            table[name] = _slots(data, UNIONS[name], f"{name} of the kind {kind}", kind, table[name])


def _slots(data: flatbuffer.Buffer, union: Union, what: str, kind: int, extents: Mapping[int, tuple[int, int]]) -> Slots:
    if kind > union.kinds:
        raise UnknownField(what)
    if extents and max(extents) >= union.fields.get(kind, 0):
        raise UnknownField(f"field {max(extents)} of {what}")
    vectors = union.vectors.get(kind, {})
    return {
        n: _packed(data, start, vectors[n], union.alignment) if n in vectors else Inline(bytes(data[start:end]))
        for n, (start, end) in extents.items()
    }


def _packed(data: flatbuffer.Buffer, at: int, width: int, alignment: int) -> Packed:
    start, count = flatbuffer.vector(data, at)
    if start + count * width > len(data):
        raise FlatbufferError(f"it refers to {count * width} bytes at {start}, but has {len(data)} in all")
    return Packed(bytes(data[start : start + count * width]), width, alignment)


def _outside(tree: Tree) -> Iterator[tuple[Tree, str, str]]:
    """What is behind the flatbuffer: the table that says so, and its fields for the place and the size."""
    for buffer in tree.get("buffers", ()):
        if buffer.get("offset", 0) > 1:
            yield buffer, "offset", "size"
    for subgraph in tree.get("subgraphs", ()):
        for operator in subgraph.get("operators", ()):
            if operator.get("large_custom_offset", 0) > 1:
                yield operator, "large_custom_offset", "large_custom_size"


def _numbered(data: flatbuffer.Buffer, tree: Tree, fields: Fields) -> dict[int, Any]:
    """The tree as flatbuffer_writer takes it."""
    return {fields[name].number: _value(data, value, fields[name]) for name, value in tree.items()}


def _value(data: flatbuffer.Buffer, value: Any, field: Field) -> Any:
    if field.kind == "bytes":
        return memoryview(data)[value[0] : sum(value)] if isinstance(value, tuple) else value
    if field.kind in ("string", "slots"):
        return value
    if isinstance(field.kind, str):
        return field.kind, value
    kind = field.kind
    return [_numbered(data, one, kind) for one in value] if field.vector else _numbered(data, value, kind)
