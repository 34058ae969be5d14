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
from crossload.artifacts.tflite import flatbuffer, tflite_file
from crossload.artifacts.tflite.flatbuffer import Field, Fields, FlatbufferError
from crossload.artifacts.tflite.tflite_file import Subgraph
from crossload.errors import ArtifactError, CrossloadError

Bindings = dict[str, Any]
_IDENTIFIER = b"TFL3"
# Flatbuffers have at most 2 GB; the new beginning is a multiple of a cache line, so aligned data (buffers: force_align 16) stays aligned.
_MOST_BYTES, _ALIGNMENT = (1 << 31) - 1, 64
_VERSION, _SIGNATURE_DEFS, _LAST_FIELD = 0, 7, 9
_END, _ENTRY, _MOST_TAIL = struct.Struct("<4s4H2IH"), struct.Struct("<4s6H3I5H2I"), (1 << 16) + 22
# Fields that the reader does not keep: the subgraph of a signature; weights and options after the flatbuffer, which are addressed by
# their offset from the file's beginning.
_MODEL: Fields = {
    "subgraphs": Field(2, {"operators": Field(3, {"large_custom_options_offset": Field(9, "Q")}, vector=True)}, vector=True),
    "buffers": Field(4, {"offset": Field(1, "Q")}, vector=True),
    "signature_defs": Field(7, {"key": Field(2, "string"), "subgraph_index": Field(4, "I")}, vector=True),
}


def tflite_to_tflite(source: Path, target: Path, bindings: Bindings, options: dict[str, Any]) -> Bindings:
    """The same .tflite with exactly the signatures of `bindings`, under their names; an edge of the planner that runs in the core.

    Raises CrossloadError as `inject_signatures` does. It has no options.
    """
    target.write_bytes(inject_signatures(source, bindings))
    return {name: {**b, "key": name} for name, b in bindings.items()}


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
    found = tflite_file.of(path, data, ops=False)
    try:
        content = flatbuffer.decode(data, _MODEL)
        fields = flatbuffer.root_fields(data)
        places = {n: at if n == _VERSION else flatbuffer.follow(data, at) for n, at in fields.items() if n <= _LAST_FIELD}
    except FlatbufferError as error:
        raise ArtifactError(f"{path} is a truncated or corrupt .tflite: {error}; copy or convert it again") from error
    _refuse_what_cannot_move(path, content, fields)
    homes = {d["key"] or "": int(d["subgraph_index"]) for d in content["signature_defs"]}
    definitions = []
    for key, signature in signatures.items():
        at = homes.get(signature.get("key") or key, 0)
        if at >= len(found.subgraphs):
            raise ArtifactError(f"{path} is a corrupt .tflite: its signature {key!r} refers to a missing subgraph; convert it again")
        _check(path, key, signature, found.subgraphs[at])
        definitions.append((key, at, signature))
    held = {key: [{t.name: t.tensor for t in side} for side in (s.inputs, s.outputs)] for key, s in found.signatures.items()}
    if held == {key: [s["inputs"], s["outputs"]] for key, s in signatures.items()}:
        return [data]
    beginning = _beginning(data, places, definitions)
    if len(beginning) + len(data) > _MOST_BYTES:
        raise CrossloadError(f"{path} has {len(data):,} bytes: signatures would exceed the {_MOST_BYTES:,} of a flatbuffer")
    return [beginning, *_archive_moved(data, len(beginning))]


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
    vector = _vector(builder, [_definition(builder, key, subgraph, signature) for key, subgraph, signature in definitions])
    builder.StartObject(_LAST_FIELD + 1)
    for number, at in places.items():
        if number == _VERSION:
            builder.PrependUint32Slot(number, struct.unpack_from("<I", data, at)[0], 0)
        elif number != _SIGNATURE_DEFS:
            # The builder counts from its end, where the old file begins: positions in the old file have a negative distance.
            builder.PrependUOffsetTRelativeSlot(number, -at, 0)
    builder.PrependUOffsetTRelativeSlot(_SIGNATURE_DEFS, vector, 0)
    builder.Finish(builder.EndObject(), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def _definition(builder: Any, key: str, subgraph: int, signature: Mapping[str, Any]) -> int:
    """Table SignatureDef: inputs (0), outputs (1), signature_key (2), subgraph_index (4)."""
    sides = [_vector(builder, [_tensor_map(builder, *item) for item in signature[side].items()]) for side in ("inputs", "outputs")]
    name = builder.CreateString(key, errors="surrogateescape")
    builder.StartObject(5)
    for number, offset in ((0, sides[0]), (1, sides[1]), (2, name)):
        builder.PrependUOffsetTRelativeSlot(number, offset, 0)
    builder.PrependUint32Slot(4, subgraph, 0)
    return int(builder.EndObject())


def _tensor_map(builder: Any, name: str, index: int) -> int:
    """Table TensorMap: name (0), tensor_index (1)."""
    text = builder.CreateString(name, errors="surrogateescape")
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, text, 0)
    builder.PrependUint32Slot(1, index, 0)
    return int(builder.EndObject())


def _vector(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _archive_moved(data: flatbuffer.Buffer, by: int) -> list[Any]:
    """The old file, with corrected offsets in the zip archive that TFLite's metadata appends to the flatbuffer (labels and the like).

    APPNOTE.TXT of the zip format: end of central directory (4.3.16) and its entries (4.3.12) count from the file's beginning.
    """
    end = data.rfind(b"PK\5\6", max(0, len(data) - _MOST_TAIL))
    if not 0 <= end <= len(data) - _END.size:
        return [memoryview(data)]
    _, _, _, _, count, size, start, _ = _END.unpack_from(data, end)
    if start + size != end or not start:
        return [memoryview(data)]
    tail = bytearray(data[start:])
    at = 0
    for _ in range(count):
        if tail[at : at + 4] != b"PK\1\2" or at + _ENTRY.size > size:
            return [memoryview(data)]
        *_, name, extra, comment, _, _, _, place = _ENTRY.unpack_from(tail, at)
        if place + by >= 1 << 32:
            return [memoryview(data)]
        struct.pack_into("<I", tail, at + _ENTRY.size - 4, place + by)
        at += _ENTRY.size + name + extra + comment
    struct.pack_into("<I", tail, end - start + 16, start + by)
    return [memoryview(data)[:start], tail]
