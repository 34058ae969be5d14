"""The recorded vectors of a C project: their bytes in one file, their shapes and bounds as C tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from crossload.compare.judge import bounds
from crossload.compare.tolerance import Tolerances
from crossload.contract import datatypes
from crossload.contract.vectors import Vector
from crossload.errors import CrossloadError
from crossload.verbs.handoff.c.client import Function
from crossload.verbs.handoff.c.names import literal

ALIGNMENT = 64


@dataclass(frozen=True)
class Table:
    """One vector: its id, and an initialiser for each input, output and bound, in the signature's order."""

    id: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    bounds: tuple[str, ...]


def written(
    stream: BinaryIO, function: Function, vectors: Sequence[Vector], tolerances: Tolerances, alignment: int = ALIGNMENT
) -> list[Table]:
    """Append the tensors of a signature's vectors to `stream`, little-endian and aligned to so many bytes; returns their tables."""
    found = []
    for vector in vectors:
        inputs = tuple(_stored(stream, f.tensor, vector.inputs[f.name], alignment) for f in function.inputs)
        outputs = tuple(_stored(stream, f.tensor, vector.outputs[f.name], alignment) for f in function.outputs)
        limits = tuple(_bound(vector, f.name, tolerances) for f in function.outputs)
        found.append(Table(vector.id, inputs, outputs, limits))
    return found


def complete(function: Function, vectors: Sequence[Vector]) -> list[Vector]:
    """The vectors that state every input and output: a .tflite has no defaults.

    Raises CrossloadError where there is none: a signature that nobody judges would pass with the others.
    """
    found = [v for v in vectors if all(f.name in v.inputs for f in function.inputs) and all(f.name in v.outputs for f in function.outputs)]
    if not found:
        raise CrossloadError(
            f"no recorded vector of {function.signature} has all of its inputs and outputs, so that its answers cannot be judged there; "
            "export the bundle again with some that have (--input-file FILE.npz)"
        )
    return found


def _stored(stream: BinaryIO, name: str, array: np.ndarray, alignment: int) -> str:
    stream.write(bytes(-stream.tell() % alignment))
    at, data = stream.tell(), bytes(datatypes.encode(array))
    stream.write(data)
    shape = ", ".join(map(str, array.shape)) or "0"
    return f"{{{literal(name)}, CROSSLOAD_{datatypes.of_array(array)}, {array.ndim}, {{{shape}}}, {at}, {len(data)}}}"


def _bound(vector: Vector, name: str, tolerances: Tolerances) -> str:
    steps = vector.steps.get(name)
    array = vector.outputs[name]
    limit, unit = bounds(name, array, tolerances, vector.rounding.get(name), steps)
    rounding = (unit.rtol, unit.atol) if unit else (0.0, 0.0)
    given = tolerances.given_for(name, datatypes.of_array(array)) is not None
    numbers = (limit.rtol, limit.atol), rounding, (steps.scale if steps else 0.0,)
    (rtol, atol), (unit_rtol, unit_atol), (step,) = ([float(n).hex() for n in some] for some in numbers)
    return f"{{{rtol}, {atol}, {limit.ulp}, {unit_rtol}, {unit_atol}, {step}, {steps.allowed if steps else 0}, {int(given)}}}"
