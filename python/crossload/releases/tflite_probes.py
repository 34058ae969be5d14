"""The files that interpreters are asked with: one operator each, in one combination of datatypes (`tflite_forms`), written by hand."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossload.releases.tflite_forms import CYCLE, EXTERNAL, FORMS, HAZARDS, OUTPUT_QUANTISATION, Form
from crossload.releases.tflite_kernels import TYPES, key_of

_CUSTOM, _MOST_DEPRECATED = 32, 127
_LETTERS = {"i": "int32", "f": "float32", "b": "bool", "l": "int64", "v": "float32"}
_STRUCT = {
    "float32": "f", "float16": "e", "float64": "d", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I",
    "int64": "q", "uint64": "Q", "bool": "?", "complex64": "ff", "complex128": "dd", "bfloat16": "H",
}  # fmt: skip


@dataclass(frozen=True)
class Probe:
    """A question: the key under which the data keep the answer, the operator, and the file."""

    op: str
    key: str
    file: bytes


def probes(codes: Mapping[str, int], unions: Mapping[str, int]) -> Iterator[Probe]:
    """A file for each combination of each form; `codes` are the numbers of BuiltinOperator, `unions` those of each operator's options."""
    for op, form in FORMS.items():
        for combination in form.combinations:
            yield probe(op, form, combination, codes, unions)
    for hazard, (op, form) in HAZARDS.items():
        for combination in form.combinations:
            found = probe(op, form, combination, codes, unions)
            yield Probe(op, f"{found.key} with {hazard}", found.file)


def registration(code: int, version: int) -> bytes:
    """A file that names an operator and does not use it: an interpreter that does not register it refuses the file."""
    return _model([(code, "", version)], [_tensor("x", (1,), "float32", 0)], [0], [0], [])


def used(code: int, custom: str = "") -> bytes:
    """A file that uses an operator, a custom one by its name, on one vector."""
    tensors = [_tensor(name, (1, 4), "float32", 0) for name in "xy"]
    return _model([(code, custom, 1)], tensors, [0], [1], [{0: ("I", 0), 1: ("i", [0]), 2: ("i", [1])}])


def carried(datatype: str) -> bytes:
    """A file whose output is its input."""
    return _model([], [_tensor("x", (1, 4), datatype, 0)], [0], [0], [])


def special(codes: Mapping[str, int]) -> Iterator[Probe]:
    """A file for each oddity that concerns a file as a whole."""
    import tflite

    # A loop whose body is the subgraph that it is in.
    options = {3: ("B", tflite.BuiltinOptions.WhileOptions), 4: {0: ("i", 1), 1: ("i", 0)}}
    loop = {0: ("I", 0), 1: ("i", [0]), 2: ("i", [1]), **options}
    tensors = [_tensor("x", (1, 4), "float32", 0), _tensor("y", (1, 4), "float32", 0)]
    condition = _subgraph([tensors[0], _tensor("c", (1,), "bool", 1)], [0], [1], [])
    yield Probe("", CYCLE, _model([(codes["WHILE"], "", 1)], tensors, [0], [1], [loop], (b"", b"\0"), [condition]))
    tensors = [_tensor("x", (1, 4), "float32", 0), _tensor("w", (1, 4), "float32", 1), _tensor("y", (1, 4), "float32", 0)]
    add = {0: ("I", 0), 1: ("i", [0, 1]), 2: ("i", [2])}

    def written(offset: int) -> bytes:
        return _model([(codes["ADD"], "", 1)], tensors, [0], [2], [add], ({}, {1: ("Q", offset), 2: ("Q", 16)}))

    size = len(written(1 << 10))
    offset = (size + 15) // 16 * 16
    yield Probe("", EXTERNAL, written(offset).ljust(offset, b"\0") + struct.pack("<4f", 1, 2, 3, 4))


def probe(op: str, form: Form, combination: str, codes: Mapping[str, int], unions: Mapping[str, int], version: int = 1) -> Probe:
    """The file for an operator of this version in one of the combinations of a form; `codes` and `unions` as for `probes`."""
    chosen = dict(zip("ABCD", combination.split(), strict=False))
    buffers: list[bytes | Mapping[int, Any]] = [b""]
    tensors: list[dict[int, Any]] = []
    indices: list[list[int]] = [[], []]
    types: list[list[str]] = [[], []]
    inputs = []
    for side, text in enumerate(form.tensors.split(" -> ")):
        for token in text.split():
            letter, shape, values = _parsed(token)
            datatype = chosen.get(letter) or _LETTERS.get(letter, "-")
            if datatype == "~":
                continue
            if datatype == "-":
                indices[side].append(-1)
                types[side].append("-")
                continue
            at = len(tensors)
            buffer = 0
            if values and (data := _constant(datatype, shape, values)) is not None:
                buffers.append(data)
                buffer = len(buffers) - 1
            elif side == 0 and letter != "v":
                inputs.append(at)
            scale = OUTPUT_QUANTISATION.get((op, datatype)) if side else None
            tensors.append(_tensor(f"t{at}", shape, datatype, buffer, scale, variable=letter == "v"))
            indices[side].append(at)
            types[side].append(datatype)
    operator: dict[int, Any] = {0: ("I", 0), 1: ("i", indices[0]), 2: ("i", indices[1])}
    if form.options:
        operator |= {3: ("B", unions[op]), 4: {n: (code, _option(value, chosen)) for n, (code, value) in form.options.items()}}
    file = _model([(codes[op], "", version)], tensors, inputs, indices[1], [operator], buffers)
    return Probe(op, key_of(types[0], types[1]), file)


def _option(value: Any, chosen: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    datatype = chosen[value].removesuffix("q")
    return TYPES.index(datatype) if datatype in TYPES else 0


def _parsed(token: str) -> tuple[str, tuple[int, ...], list[float]]:
    found = re.fullmatch(r"(\w)(?:\[([\d,]*)\])(?:=(.+))?", token)
    if not found:
        return "-", (), []
    return found[1], tuple(int(d) for d in found[2].split(",") if d), [float(v) for v in (found[3] or "").split(",") if v]


def _constant(datatype: str, shape: Sequence[int], values: Sequence[float]) -> bytes | None:
    """The values as bytes, the last one repeated; None for a datatype without plain bytes, whose tensor is an input instead."""
    plain, count = datatype.removesuffix("q"), 1
    for size in shape:
        count *= size
    if plain in ("int4", "uint4"):
        return bytes([0x11]) * ((count + 1) // 2)
    if plain not in _STRUCT:
        return None
    code = _STRUCT[plain]
    filled = [*values, *[values[-1]] * (count - len(values))]
    cast = float if code[0] in "fed" else bool if code == "?" else int
    if plain == "bfloat16":
        return b"".join(struct.pack("<f", v)[2:] for v in filled)
    return b"".join(struct.pack(f"<{code}", *(cast(v) for _ in code)) for v in filled)


def _tensor(
    name: str, shape: Sequence[int], datatype: str, buffer: int, scale: tuple[float, int] | None = None, *, variable: bool = False
) -> dict[int, Any]:
    plain = datatype.removesuffix("q")
    made: dict[int, Any] = {0: ("i", list(shape)), 1: ("b", TYPES.index(plain)), 2: ("I", buffer), 3: name, 5: ("?", variable)}
    if datatype.endswith("q"):
        size, zero = scale or (0.25 if plain in ("int32", "int64") else 0.5, 0)
        made[4] = {2: ("f", [size]), 3: ("q", [zero])}
    return made


def _model(
    codes: Sequence[tuple[int, str, int]],
    tensors: Sequence[dict[int, Any]],
    inputs: Sequence[int],
    outputs: Sequence[int],
    operators: Sequence[dict[int, Any]],
    buffers: Sequence[bytes | Mapping[int, Any]] = (b"",),
    others: Sequence[dict[int, Any]] = (),
) -> bytes:
    import flatbuffers

    written = [
        {0: ("b", min(code, _MOST_DEPRECATED)), 2: ("i", version), 3: ("i", code), **({1: custom} if custom else {})}
        for code, custom, version in codes
    ]
    subgraphs = [_subgraph(tensors, inputs, outputs, operators), *others]
    model = {
        0: ("I", 3),
        1: written,
        2: subgraphs,
        3: "crossload",
        4: [data if isinstance(data, Mapping) else {0: data} if data else {} for data in buffers],
    }
    builder = flatbuffers.Builder(1024)
    builder.Finish(_table(builder, model), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _subgraph(
    tensors: Sequence[dict[int, Any]], inputs: Sequence[int], outputs: Sequence[int], operators: Sequence[dict[int, Any]]
) -> dict[int, Any]:
    return {0: list(tensors), 1: ("i", list(inputs)), 2: ("i", list(outputs)), 3: list(operators), 4: "main"}


def _table(builder: Any, fields: Mapping[int, Any]) -> int:
    """Write a table by its fields' numbers: a struct code with a number or a list of them, text, bytes, a table, a list of tables."""
    offsets = {n: _child(builder, value) for n, value in fields.items() if not _is_scalar(value)}
    builder.StartObject(max(fields, default=-1) + 1)
    for number, value in fields.items():
        if number in offsets:
            builder.PrependUOffsetTRelativeSlot(number, offsets[number], 0)
        else:
            _slot(builder, number, *value)
    return int(builder.EndObject())


def _is_scalar(value: Any) -> bool:
    return isinstance(value, tuple) and not isinstance(value[1], list)


def _child(builder: Any, value: Any) -> int:
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, bytes):
        builder.StartVector(1, len(value), 16)
        builder.head -= len(value)
        builder.Bytes[builder.head : builder.head + len(value)] = value
        return int(builder.EndVector())
    if isinstance(value, Mapping):
        return _table(builder, value)
    if isinstance(value, tuple):
        code, numbers = value
        width = struct.calcsize(code)
        builder.StartVector(width, len(numbers), width)
        for number in reversed(numbers):
            _prepend(builder, code, number)
        return int(builder.EndVector())
    tables = [_table(builder, item) for item in value]
    builder.StartVector(4, len(tables), 4)
    for offset in reversed(tables):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


_KINDS = {"b": "Int8", "B": "Uint8", "?": "Bool", "i": "Int32", "I": "Uint32", "q": "Int64", "Q": "Uint64", "f": "Float32"}


def _prepend(builder: Any, code: str, number: Any) -> None:
    getattr(builder, f"Prepend{_KINDS[code]}")(number)


def _slot(builder: Any, at: int, code: str, number: Any) -> None:
    """The default is one that no field here has, so that every field is written."""
    getattr(builder, f"Prepend{_KINDS[code]}Slot")(at, number, None)
