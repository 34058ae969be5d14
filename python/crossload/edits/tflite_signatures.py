"""Adds or replaces the SignatureDefs of a .tflite by an edit of the file's first bytes, without TensorFlow.

A new root table is put before the old file, and its fields refer to the old file: tensors, operators, weights and metadata keep their
bytes, including additions of a newer schema (tensorflow/compiler/mlir/lite/schema/schema.fbs, table Model).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crossload.artifacts.content import content
from crossload.artifacts.tflite import flatbuffer, flatbuffer_writer, packed, tflite_file
from crossload.artifacts.tflite.flatbuffer import Field, Fields
from crossload.artifacts.tflite.inner import damage
from crossload.artifacts.tflite.tflite_file import Subgraph
from crossload.edits.tflite_tree import Tree
from crossload.errors import ArtifactError, CrossloadError

# Flatbuffers have at most 2 GB; the new beginning is a multiple of a cache line, so aligned data (buffers: force_align 16) stays aligned.
_MOST_BYTES, _ALIGNMENT = (1 << 31) - 1, 64
_VERSION, _SIGNATURE_DEFS, _LAST_FIELD = 0, 7, 9
# Fields that the reader does not keep: the subgraph of a signature; weights and options after the flatbuffer, which are addressed by
# their offset from the file's beginning.
_MODEL: Fields = {
    "subgraphs": Field(2, {"operators": Field(3, {"large_custom_options_offset": Field(9, "Q")}, vector=True)}, vector=True),
    "buffers": Field(4, {"offset": Field(1, "Q")}, vector=True),
    "signature_defs": Field(7, {"key": Field(2, "string"), "subgraph_index": Field(4, "I")}, vector=True),
}


def inject_signatures(source: Path | bytes, signatures: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The .tflite `source` with exactly these signatures: `{key: {"inputs": {name: tensor index}, "outputs": {...}}}`.

    Signatures belong to the first subgraph, or to the subgraph of the file's signature `"key"`, if given. Raises ArtifactError for
    bytes that are not a .tflite, and CrossloadError for a signature that omits an input or names a tensor that is not an input or
    output of the subgraph, and for files with weights after the flatbuffer.
    """
    data, path = (source, Path("the .tflite")) if isinstance(source, bytes) else (content(source), source)
    return b"".join(_edited(path, data, signatures))


def _edited(path: Path, data: flatbuffer.Buffer, signatures: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    """The parts of the edited file."""
    definitions, same = _checked(path, data, signatures)
    if same:
        return [data]
    with damage(path):
        content = flatbuffer.decode(data, _MODEL)
        fields = flatbuffer.root_fields(data)
        places = {n: at if n == _VERSION else flatbuffer.follow(data, at) for n, at in fields.items() if n <= _LAST_FIELD}
    _refuse_what_cannot_move(path, content, fields)
    beginning = _beginning(data, places, definitions)
    if len(beginning) + len(data) > _MOST_BYTES:
        raise CrossloadError(f"{path} has {len(data):,} bytes: signatures would exceed the {_MOST_BYTES:,} of a flatbuffer")
    archive = packed.archive(data)
    if archive is None:
        return [beginning, memoryview(data)]
    return [beginning, memoryview(data)[: archive.start], packed.moved(data, archive, len(beginning) + archive.start)]


def in_tree(path: Path, data: flatbuffer.Buffer, tree: Tree, signatures: Mapping[str, Mapping[str, Any]]) -> None:
    """Give the tree of a file (tflite_tree) exactly these signatures; weights may be after the flatbuffer. Raises CrossloadError."""
    tree["signature_defs"] = [definition(*one) for one in _checked(path, data, signatures)[0]]


def definition(key: str, subgraph: int, signature: Mapping[str, Any]) -> Tree:
    """A signature in a tree."""
    sides = {side: [{"name": n, "tensor_index": int(at)} for n, at in signature[side].items()] for side in ("inputs", "outputs")}
    return {**sides, "key": key, "subgraph_index": subgraph}


def _checked(
    path: Path, data: flatbuffer.Buffer, signatures: Mapping[str, Mapping[str, Any]]
) -> tuple[list[tuple[str, int, Mapping[str, Any]]], bool]:
    """The signatures with their subgraphs, and whether the file has exactly them. Raises CrossloadError for one that does not fit."""
    found = tflite_file.of(path, data, ops=False)
    with damage(path):
        homes = {d["key"] or "": int(d["subgraph_index"]) for d in flatbuffer.decode(data, _MODEL)["signature_defs"]}
    definitions = []
    for key, signature in signatures.items():
        at = homes.get(signature.get("key") or key, 0)
        if at >= len(found.subgraphs):
            raise ArtifactError(f"{path} is a corrupt .tflite: its signature {key!r} refers to a missing subgraph; convert it again")
        _check(path, key, signature, found.subgraphs[at])
        definitions.append((key, at, signature))
    held = {key: [{t.name: t.tensor for t in side} for side in (s.inputs, s.outputs)] for key, s in found.signatures.items()}
    return definitions, held == {key: [s["inputs"], s["outputs"]] for key, s in signatures.items()}


def _refuse_what_cannot_move(path: Path, content: Mapping[str, Any], fields: Mapping[int, int]) -> None:
    options = (o["large_custom_options_offset"] for s in content["subgraphs"] for o in s["operators"])
    if any(b["offset"] > 1 for b in content["buffers"]) or any(offset > 1 for offset in options):
        raise CrossloadError(f"{path} has weights after its flatbuffer, as in files above 2 GB: crossload cannot add signatures")
    if unknown := [n for n in fields if n > _LAST_FIELD]:
        raise CrossloadError(f"{path} is of a newer schema (unknown field {unknown[0]} of its Model): crossload cannot add signatures")


def _check(path: Path, key: str, signature: Mapping[str, Any], subgraph: Subgraph) -> None:
    for side, there in (("input", subgraph.inputs), ("output", subgraph.outputs)):
        named = signature[f"{side}s"]
        if strange := next((n for n, index in named.items() if index not in there), None):
            raise CrossloadError(
                f"{path}: the {side} {strange!r} of the signature {key!r} is the tensor {named[strange]}, not an {side} of the graph; "
                f"its {side}s are the tensors {', '.join(map(str, there)) or 'none'}"
            )
        if len(set(named.values())) < len(named):
            raise CrossloadError(f"{path}: the signature {key!r} has one {side} under two names; choose one")
    if left_out := sorted(set(subgraph.inputs) - set(signature["inputs"].values())):
        raise CrossloadError(f"{path}: the signature {key!r} has no name for the input tensor {left_out[0]}; name all inputs")
    if not signature["outputs"]:
        raise CrossloadError(f"{path}: the signature {key!r} has no output; name at least one")


def _beginning(data: flatbuffer.Buffer, places: Mapping[int, int], definitions: Sequence[tuple[str, int, Mapping[str, Any]]]) -> bytes:
    """The new beginning: offset of the root, identifier, signatures, and a root table whose other fields refer to the old file."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 12)
    builder.Prep(_ALIGNMENT, 0)
    vector = flatbuffer_writer.vector(builder, [flatbuffer_writer.table(builder, _definition(*one)) for one in definitions])
    builder.StartObject(_LAST_FIELD + 1)
    for number, at in places.items():
        if number == _VERSION:
            builder.PrependUint32Slot(number, struct.unpack_from("<I", data, at)[0], 0)
        elif number != _SIGNATURE_DEFS:
            # The builder counts from its end, where the old file begins: positions in the old file have a negative distance.
            builder.PrependUOffsetTRelativeSlot(number, -at, 0)
    builder.PrependUOffsetTRelativeSlot(_SIGNATURE_DEFS, vector, 0)
    builder.Finish(builder.EndObject(), file_identifier=flatbuffer_writer.IDENTIFIER)
    return bytes(builder.Output())


def _definition(key: str, subgraph: int, signature: Mapping[str, Any]) -> flatbuffer_writer.Table:
    """Table SignatureDef: inputs (0), outputs (1), signature_key (2), subgraph_index (4); table TensorMap: name (0), tensor_index (1)."""
    sides = [[{0: name, 1: ("I", index)} for name, index in signature[side].items()] for side in ("inputs", "outputs")]
    return {0: sides[0], 1: sides[1], 2: key, 4: ("I", subgraph)}
