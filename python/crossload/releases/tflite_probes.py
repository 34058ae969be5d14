"""The files that interpreters are asked with: one operator each, in one combination of datatypes (`tflite_forms`), written by hand."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossload.releases import tflite_shape_forms
from crossload.releases.tflite_builder import constant, model, subgraph, tensor
from crossload.releases.tflite_forms import CYCLE, EXTERNAL, FORMS, HAZARDS, MORE, OUTPUT_QUANTISATION, Form
from crossload.releases.tflite_kernels import TYPES, key_of

_LETTERS = {"h": "int16q", "i": "int32", "f": "float32", "b": "bool", "l": "int64", "v": "float32"}

# Datatypes of the first operand of forms whose constants are asked about as computed values.
_COMPUTED_FROM = ("float32", "int8q", "int32")


@dataclass(frozen=True)
class Probe:
    """A question: the key under which the data keep the answer, the operator, and the file."""

    op: str
    key: str
    file: bytes


def probes(codes: Mapping[str, int], unions: Mapping[str, int]) -> Iterator[Probe]:
    """A file for each combination of each form; `codes` are the numbers of BuiltinOperator, `unions` those of each operator's options."""
    for op, form in (*FORMS.items(), *MORE):
        for combination in form.combinations:
            yield probe(op, form, combination, codes, unions)
    for hazard, op, form in (*HAZARDS, *tflite_shape_forms.at_ranks()):
        for combination in form.combinations:
            found = probe(op, form, combination, codes, unions)
            yield Probe(op, f"{found.key} with {hazard}", found.file)
    for op, form in FORMS.items():
        for combination in (c for c in form.combinations if c.split()[0] in _COMPUTED_FROM):
            for position in _constants(form, combination):
                found = probe(op, form, combination, codes, unions, computed=position)
                yield Probe(op, f"{found.key} with {tflite_shape_forms.computed(position)}", found.file)


def _constants(form: Form, combination: str) -> list[int]:
    """The positions of a form's constants, as the operator's inputs count."""
    chosen = dict(zip("ABCDEF", combination.split(), strict=False))
    tokens = [t for t in form.tensors.partition(" -> ")[0].split() if chosen.get(t[0]) != "~"]
    return [at for at, token in enumerate(tokens) if "=" in token and chosen.get(token[0]) != "-"]


def registration(code: int, version: int) -> bytes:
    """A file that names an operator and does not use it: an interpreter that does not register it refuses the file."""
    return model([(code, "", version)], [tensor("x", (1,), "float32", 0)], [0], [0], [])


def used(code: int, custom: str = "") -> bytes:
    """A file that uses an operator, a custom one by its name, on one vector."""
    tensors = [tensor(name, (1, 4), "float32", 0) for name in "xy"]
    return model([(code, custom, 1)], tensors, [0], [1], [{0: ("I", 0), 1: ("i", [0]), 2: ("i", [1])}])


def carried(datatype: str) -> bytes:
    """A file whose output is its input."""
    return model([], [tensor("x", (1, 4), datatype, 0)], [0], [0], [])


def special(codes: Mapping[str, int]) -> Iterator[Probe]:
    """A file for each oddity that concerns a file as a whole."""
    import tflite

    # A loop whose body is the subgraph that it is in.
    options = {3: ("B", tflite.BuiltinOptions.WhileOptions), 4: {0: ("i", 1), 1: ("i", 0)}}
    loop = {0: ("I", 0), 1: ("i", [0]), 2: ("i", [1]), **options}
    tensors = [tensor("x", (1, 4), "float32", 0), tensor("y", (1, 4), "float32", 0)]
    condition = subgraph([tensors[0], tensor("c", (1,), "bool", 1)], [0], [1], [])
    yield Probe("", CYCLE, model([(codes["WHILE"], "", 1)], tensors, [0], [1], [loop], (b"", b"\0"), [condition]))
    tensors = [tensor("x", (1, 4), "float32", 0), tensor("w", (1, 4), "float32", 1), tensor("y", (1, 4), "float32", 0)]
    add = {0: ("I", 0), 1: ("i", [0, 1]), 2: ("i", [2])}

    def written(offset: int) -> bytes:
        return model([(codes["ADD"], "", 1)], tensors, [0], [2], [add], ({}, {1: ("Q", offset), 2: ("Q", 16)}))

    size = len(written(1 << 10))
    offset = (size + 15) // 16 * 16
    yield Probe("", EXTERNAL, written(offset).ljust(offset, b"\0") + struct.pack("<4f", 1, 2, 3, 4))


def probe(
    op: str,
    form: Form,
    combination: str,
    codes: Mapping[str, int],
    unions: Mapping[str, int],
    *,
    computed: int | None = None,
    version: int = 1,
) -> Probe:
    """The file for an operator of this version in one of the combinations of a form; `codes` and `unions` as for `probes`.

    The form's constant operand number `computed` is one that the file computes, to the same values.
    """
    chosen = dict(zip("ABCDEF", combination.split(), strict=False))
    buffers: list[bytes | Mapping[int, Any]] = [b""]
    tensors: list[dict[int, Any]] = []
    indices: list[list[int]] = [[], [], []]
    types: list[list[str]] = [[], [], []]
    inputs: list[int] = []
    before: list[dict[int, Any]] = []

    def added(datatype: str, shape: Sequence[int], buffer: int = 0, **more: Any) -> int:
        tensors.append(tensor(f"t{len(tensors)}", shape, datatype, buffer, **more))
        return len(tensors) - 1

    for side, text in enumerate((*form.tensors.split(" -> "), form.intermediates)):
        for token in text.split():
            letter, shape, values, is_variable, scale = _parsed(token)
            datatype = chosen.get(letter) or _LETTERS.get(letter, "-")
            if datatype == "~":
                continue
            at = -1
            if datatype != "-":
                is_variable = is_variable or letter == "v"
                given = (scale, 0) if scale else OUTPUT_QUANTISATION.get((op, datatype)) if side == 1 else None
                data = constant(datatype, shape, values) if values else None
                buffers += [data] if data is not None else []
                at = added(datatype, shape, 0 if data is None else len(buffers) - 1, scale=given, variable=is_variable)
                if side == 0 and data is not None and len(indices[0]) == computed:
                    # Whatever the input's values are, the values of the constant come out.
                    asked = added(datatype, shape)
                    inputs.append(asked)
                    between, out = added(datatype, shape), added(datatype, shape)
                    before += [
                        {0: ("I", 1), 1: ("i", [asked, at]), 2: ("i", [between])},
                        {0: ("I", 2), 1: ("i", [between, at]), 2: ("i", [out])},
                    ]
                    at = out
                elif side == 0 and data is None and not is_variable:
                    inputs.append(at)
            indices[side].append(at)
            types[side].append(datatype)
    operator: dict[int, Any] = {0: ("I", 0), 1: ("i", indices[0]), 2: ("i", indices[1])}
    if form.options:
        operator |= {3: ("B", unions[op]), 4: {n: (code, _option(value, chosen)) for n, (code, value) in form.options.items()}}
    if indices[2]:
        operator |= {8: ("i", indices[2])}
    used_codes = [(codes[op], "", version), *((codes[name], "", 1) for name in (("MAXIMUM", "MINIMUM") if before else ()))]
    file = model(used_codes, tensors, inputs, indices[1], [*before, operator], buffers)
    return Probe(op, key_of(types[0], types[1]), file)


def _option(value: Any, chosen: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    datatype = chosen[value].removesuffix("q")
    return TYPES.index(datatype) if datatype in TYPES else 0


def _parsed(token: str) -> tuple[str, tuple[int, ...], list[float], bool, float]:
    """A token's letter, shape, values, whether it is a variable, and its scale (0 for the usual one)."""
    found = re.fullmatch(r"(\w)(?:\[([\d,]*)\])(!?)(?:@(-?\d+))?(?:=(.+))?", token)
    if not found:
        return "-", (), [], False, 0.0
    shape = tuple(int(d) for d in found[2].split(",") if d)
    return found[1], shape, [float(v) for v in (found[5] or "").split(",") if v], bool(found[3]), 2.0 ** int(found[4]) if found[4] else 0.0
