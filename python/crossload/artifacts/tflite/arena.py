"""An estimate of the memory that a .tflite's computed tensors need: a plan over their lifetimes, as interpreters make it.

It has no scratch buffers of kernels, and none of an interpreter's own structures, which only the interpreter knows.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from itertools import accumulate

from crossload.artifacts.tflite.inner import Inner

# TensorFlow Lite Micro aligns to 16 bytes (memory_arena_threshold, MicroArenaBufferAlignment), the interpreters of phones to 64.
ALIGNMENT = 16


# The plan takes time with the square of the number of tensors; beyond this, only what is in use at once is told.
MOST_PLANNED = 4000


@dataclass(frozen=True)
class Arena:
    """The plan of one subgraph.

    `size_bytes` is the end of the last tensor in the plan, None for more than MOST_PLANNED tensors. `most_bytes` are in use at once, while
    the operator number `at` runs (None without operators): no plan can be smaller. `unknown` counts tensors whose size is not in the file.
    """

    size_bytes: int | None
    most_bytes: int
    at: int | None
    unknown: int = 0


def plan(graph: Inner) -> Arena:
    """The plan for the shapes in the file, a free dimension counted as 1: the largest tensor first, each in the first gap that fits."""
    lives = lifetimes(graph)
    sizes = {t.index: _aligned(t.size_bytes) for t in graph.tensors if t.index in lives and t.size_bytes is not None}
    most, at = _most(lives, sizes, len(graph.operators))
    size = _planned(lives, sizes) if len(sizes) <= MOST_PLANNED else None
    return Arena(size, most, at, len(lives) - len(sizes))


def _planned(lives: dict[int, tuple[int, int]], sizes: dict[int, int]) -> int:
    placed: list[tuple[int, int, int, int]] = []  # start, end, first and last operator
    for index in sorted(sizes, key=lambda i: (-sizes[i], lives[i], i)):
        first, last = lives[index]
        at = 0
        for start, end, born, dead in placed:
            if born <= last and first <= dead:
                if at + sizes[index] <= start:
                    break
                at = max(at, end)
        insort(placed, (at, at + sizes[index], first, last))
    return max((end for _, end, _, _ in placed), default=0)


def _most(lives: dict[int, tuple[int, int]], sizes: dict[int, int], operators: int) -> tuple[int, int | None]:
    """The most bytes in use at once, and the first operator at which they are."""
    if not operators:
        return sum(sizes.values()), None
    changes = [0] * (operators + 1)
    for index, size in sizes.items():
        changes[lives[index][0]] += size
        changes[lives[index][1] + 1] -= size
    alive = list(accumulate(changes[:-1]))
    return max(alive), alive.index(max(alive))


def lifetimes(graph: Inner) -> dict[int, tuple[int, int]]:
    """The first and the last operator that each computed tensor must exist for; inputs exist from the first on, outputs to the last."""
    last = max(0, len(graph.operators) - 1)
    found: dict[int, tuple[int, int]] = {}

    def at(index: int, n: int) -> None:
        if index >= 0 and graph.tensors[index].extent is None:
            first, until = found.get(index, (n, n))
            found[index] = min(first, n), max(until, n)

    for index in graph.inputs:
        at(index, 0)
    for n, operator in enumerate(graph.operators):
        for index in (*operator.inputs, *operator.outputs):
            at(index, n)
    for index in graph.outputs:
        at(index, last)
    return {i: (0, last) if graph.tensors[i].variable else life for i, life in found.items()}


def constants(graph: Inner) -> int:
    """The bytes of the values in the file; tensors that share them count once."""
    return sum(size for _, size in {t.extent for t in graph.tensors if t.extent})


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
