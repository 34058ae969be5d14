"""Names for a signature's inputs and outputs, made from the converter's names of tensors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

# TensorFlow's names for results of functions and copies, which say nothing about the value.
_MEANINGLESS = re.compile(r"(Stateful)?PartitionedCall(_\d+)?(:\d+)?|Identity(_\d+)?(:\d+)?|(#\d+)?")


def readable(tensors: Sequence[str], side: str, given: Sequence[str | None] | None = None) -> list[str]:
    """A distinct name for each tensor that is a valid variable name in every language; `given` names stay unchanged.

    `serving_default_pixels:0` becomes `pixels`, `model/dense/Softmax` becomes `Softmax`, or `model_dense_Softmax` if another
    tensor has that name; TensorFlow's own names (StatefulPartitionedCall:1) become `side`, or `side_1` by position.
    """
    found = list(given or [None] * len(tensors))
    numbered = [f"{side}_{at}" for at in range(len(tensors))]
    last = [t.removesuffix(":0").rpartition("/")[2].removeprefix("serving_default_") for t in tensors]
    short = [side if _MEANINGLESS.fullmatch(name) else _as_word(name) for name in last]
    long = [number if s == side else _as_word(t.removesuffix(":0")) for s, t, number in zip(short, tensors, numbered, strict=True)]
    for names in (short, long, numbered):
        times = Counter([*(n for n in found if n), *names])
        found = [f or (n if times[n] == 1 and n.isidentifier() else None) for f, n in zip(found, names, strict=True)]
    return _distinct(found, numbered)


def _as_word(name: str) -> str:
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")


def _distinct(found: Sequence[str | None], fallback: Sequence[str]) -> list[str]:
    taken = {n for n in found if n}
    names = []
    for name, other in zip(found, fallback, strict=True):
        made = name or other
        while name is None and made in taken:
            made += "_"
        taken.add(made)
        names.append(made)
    return names
