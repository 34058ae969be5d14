"""The answers of one artifact in one runtime, kept until all its cases are judged, so that causes of mismatches can be found in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossload.contract.vectors import Vector
from crossload.report.results import Result

if TYPE_CHECKING:
    import numpy as np

_MOST_BYTES = 256 << 20


@dataclass
class Asked:
    """A vector, what the runtime answered, and the judgement."""

    vector: Vector
    answer: Mapping[str, np.ndarray]
    result: Result


class Kept:
    """The answers by signature, until they have too many bytes: those after that are not kept."""

    def __init__(self) -> None:
        self._by_signature: dict[str, list[Asked]] = {}
        self._bytes = 0

    def add(self, signature: str, vector: Vector, answer: Mapping[str, np.ndarray], result: Result) -> None:
        """Keep an answer."""
        self._bytes += sum(a.nbytes for a in answer.values())
        if self._bytes <= _MOST_BYTES:
            self._by_signature.setdefault(signature, []).append(Asked(vector, answer, result))

    def mismatched(self) -> Iterator[tuple[str, list[Asked]]]:
        """The signatures with a mismatch, and all their answers."""
        return ((name, asked) for name, asked in self._by_signature.items() if any(a.result.outcome == "mismatch" for a in asked))
