"""A request whose rows make classes win that no other request does: a class that never wins can be wrong without being seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from crossload.compare.distances import wide
from crossload.contract import datatypes
from crossload.contract.signatures import Signature
from crossload.contract.vectors import Vector
from crossload.inputs.domains import Domain
from crossload.inputs.requests import Requests, rows

Arrays = Mapping[str, np.ndarray]

# A round asks for one batch; the search ends where so many rounds in turn found no new class.
_BATCH, _ROUNDS, _PATIENCE = 32, 24, 8
_MOST_KEPT = 64
# Of a batch: beyond it, a model is too large to be asked so often.
_MOST_BYTES = 1 << 20
_KINDS = ("batch", "wide", "faint", "positive", "negative", "pixels")
# Share of the elements of the row nearest to a class that are drawn anew.
_MUTATED = 0.2


def search(
    ask: Callable[[Arrays], Arrays], signature: Signature, requests: Requests, domain: Domain, answered: Sequence[Vector]
) -> Vector | None:
    """The vector `winners`, without outputs: rows that make further classes the largest of the signature's first output that has classes.

    That is an output of floats with the shape [batch, classes]. `ask` gives a request's answer. None where every class wins already, none
    more was reached, or requests have no batch of free size.
    """
    scored = _output_with_classes(answered)
    if scored is None or domain.composites or not signature.inputs or any((t.shape or (0,))[0] != -1 for t in signature.inputs):
        return None
    classes = answered[0].outputs[scored].shape[1]
    missing = set(range(classes)) - {c for v in answered for c in _choices(v.outputs[scored])}
    nearest: dict[int, tuple[float, Arrays]] = {}
    for vector in answered:
        _remember(nearest, missing, vector.inputs, wide(vector.outputs[scored]))
    found: list[Arrays] = []
    idle = 0
    for at in range(_ROUNDS):
        if not missing or len(found) >= _MOST_KEPT or idle >= _PATIENCE:
            break
        random = np.random.default_rng([requests.seed, 3000 + at])
        drawn = rows(signature, _KINDS[at % len(_KINDS)], random, requests, domain, _BATCH)
        if sum(a.nbytes for a in drawn.values()) > _MOST_BYTES:
            break
        batch = _towards(drawn, [nearest[c][1] for c in sorted(missing) if c in nearest], random)
        scores = wide(ask(batch)[scored])
        idle += 1
        for row, choice in enumerate(_choices(scores)):
            if choice in missing:
                missing.remove(choice)
                found.append(_row(batch, row))
                idle = 0
        _remember(nearest, missing, batch, scores)
    if not found:
        return None
    return Vector("winners", {n: np.concatenate([one[n] for one in found[:_MOST_KEPT]]) for n in found[0]})


def _output_with_classes(answered: Sequence[Vector]) -> str | None:
    """The first output of floats whose every answer has a row for each row of the request, of one number of classes."""
    for name, array in answered[0].outputs.items():
        answers = [(v.outputs[name], next(iter(v.inputs.values()), None)) for v in answered]
        if datatypes.of_array(array).startswith(("FP", "BF")) and all(
            a.ndim == 2 and i is not None and i.ndim and a.shape == (i.shape[0], array.shape[-1]) and a.shape[1] > 1 for a, i in answers
        ):
            return name
    return None


def _choices(scores: np.ndarray) -> list[int]:
    """The class of each row; a row with a NaN has chosen nothing."""
    values = wide(scores)
    chosen: list[int] = np.argmax(values, axis=1)[np.isfinite(values).all(axis=1)].tolist()
    return chosen


def _remember(nearest: dict[int, tuple[float, Arrays]], missing: set[int], batch: Arrays, scores: np.ndarray) -> None:
    """Note the row that comes nearest to each missing class."""
    for c in missing:
        with np.errstate(invalid="ignore"):
            margins = scores[:, c] - scores.max(axis=1)
        best = int(np.argmax(np.where(np.isfinite(margins), margins, -np.inf)))
        if c not in nearest or margins[best] > nearest[c][0]:
            nearest[c] = (float(margins[best]), _row(batch, best))


def _row(batch: Arrays, at: int) -> Arrays:
    return {name: array[at : at + 1] for name, array in batch.items()}


def _towards(batch: Arrays, nearest: Sequence[Arrays], random: np.random.Generator) -> Arrays:
    """Every other row becomes one of the nearest, with some elements of its own."""
    if not nearest:
        return batch
    made = {name: array.copy() for name, array in batch.items()}
    for row in range(1, _BATCH, 2):
        one = nearest[row // 2 % len(nearest)]
        for name, array in made.items():
            if one[name].shape[1:] == array.shape[1:]:
                own = array[row : row + 1]  # a slice: of one string, NumPy would make an array of no dimension
                array[row : row + 1] = np.where(random.random(own.shape) < _MUTATED, own, one[name])
    return made
