"""One output's answers beside the reference's, over all vectors of a case: what detectors of causes (compare.causes) ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossload.compare.tolerance import Tolerances
from crossload.contract import datatypes
from crossload.contract.manifest import Tolerance

# By vector: the reference's outputs, the answer's, and the rounding of the reference.
Answers = Sequence[tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray], Mapping[str, float]]]


@dataclass(frozen=True)
class Output:
    """An output: (reference, answer, tolerance) by vector, of one datatype."""

    name: str
    pairs: Sequence[tuple[np.ndarray, np.ndarray, Tolerance]]

    @classmethod
    def of(cls, name: str, answers: Answers, tolerances: Tolerances) -> Output | None:
        """The output of this name in all vectors."""
        found = []
        for reference, answer, rounding in answers:
            ref = reference[name]
            found.append((ref, answer[name], tolerances.of(name, datatypes.of_array(ref), rounding.get(name))))
        return cls(name, found) if found else None

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def kind(self) -> str:
        """NumPy's letter of the datatype; f for the narrow floats, too."""
        return "f" if self.floating else self.pairs[0][0].dtype.kind

    @property
    def floating(self) -> bool:
        """Whether the elements are real floats."""
        return datatypes.of_array(self.pairs[0][0]) in ("FP64", "FP32", "FP16", "BF16")

    @property
    def rank(self) -> int:
        """The number of axes that all have; -1 if they differ."""
        ranks = {a.ndim for ref, got, _ in self.pairs for a in (ref, got)}
        return ranks.pop() if len(ranks) == 1 else -1

    def arrays(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(reference, answer) of every vector."""
        return ((ref, got) for ref, got, _ in self.pairs)

    def numbers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """(reference, answer) as float64, where the shapes are the same; none of strings."""
        if self.kind == "O":
            return []
        return [(wide(ref), wide(got)) for ref, got, _ in self.pairs if ref.shape == got.shape]

    def agrees(self) -> bool:
        """Whether every answer agrees as it is."""
        return all(agree(*pair) for pair in self.pairs)

    def agrees_with(self, other: Output) -> bool:
        """Whether the other output's answers are this one's references."""
        if other.name == self.name:
            return False
        return all(agree(ref, got, tolerance) for (ref, _, tolerance), (_, got, _) in zip(self.pairs, other.pairs, strict=True))

    def explained(self, change: Callable[[np.ndarray], np.ndarray]) -> bool:
        """Whether the answers agree once they are changed so; first asked of one that differs, because most changes fail there."""
        return agree_changed(self.first_different(), change) and all(agree_changed(pair, change) for pair in self.pairs)

    def first_different(self) -> tuple[np.ndarray, np.ndarray, Tolerance]:
        """The first vector that does not agree."""
        return next((p for p in self.pairs if not agree(*p)), self.pairs[0])

    def values(self) -> int:
        """The number of different values in the references, up to a hundred."""
        found: set[Any] = set()
        for ref, _, _ in self.pairs:
            found.update(np.ravel(ref)[:4096].tolist())
            if len(found) > 100:
                break
        return min(len(found), 100)

    def rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """All references and answers as rows of the last axis, and what is allowed absolutely in each row; None for other sizes."""
        if self.kind not in "fiu" or any(ref.shape != got.shape or ref.ndim < 1 for ref, got, _ in self.pairs):
            return None
        sizes = {ref.shape[-1] for ref, _, _ in self.pairs}
        if len(sizes) != 1 or not (size := sizes.pop()):
            return None
        ref = np.concatenate([wide(r).reshape(-1, size) for r, _, _ in self.pairs])
        got = np.concatenate([wide(g).reshape(-1, size) for _, g, _ in self.pairs])
        if not (np.isfinite(ref).all() and np.isfinite(got).all()):
            return None
        return ref, got, np.concatenate([np.full((r.size // size, 1), t.atol) for r, _, t in self.pairs])

    def masks(self) -> list[np.ndarray] | None:
        """Where each answer is not close; None for other shapes."""
        if any(ref.shape != got.shape for ref, got, _ in self.pairs):
            return None
        return [~_close(*pair) for pair in self.pairs]

    def excess(self) -> float | None:
        """The greatest difference in units of what is allowed; None for other shapes, or where nothing is allowed."""
        found = self.excesses()
        return None if found is None else max((float(one.max(initial=0)) for one in found), default=0.0)

    def excesses(self) -> list[np.ndarray] | None:
        """Each answer's differences in units of what is allowed, 0 where one is not finite; None as for `excess`."""
        found = []
        for ref, got, tolerance in self.pairs:
            if ref.shape != got.shape or self.kind != "f":
                return None
            one, other = wide(ref), wide(got)
            finite = np.isfinite(one) & np.isfinite(other)
            allowed = np.where(finite, tolerance.atol + tolerance.rtol * np.abs(one), 1)
            apart = np.abs(np.subtract(one, other, out=np.zeros(one.shape), where=finite))
            if (allowed[apart > 0] <= 0).any():
                return None
            found.append(apart / np.maximum(allowed, 1e-300))
        return found

    def mapping(self) -> dict[Any, Any] | None:
        """Which value of the answers stands for which of the references, one to one; None if there is no such mapping of three or more."""
        there: dict[Any, Any] = {}
        for ref, got, _ in self.pairs:
            if ref.shape != got.shape:
                return None
            for a, b in zip(np.ravel(ref).tolist(), np.ravel(got).tolist(), strict=True):
                if there.setdefault(a, b) != b:
                    return None
        seen = sum(ref.size for ref, _, _ in self.pairs)
        distinct = len(set(there.values())) == len(there)
        return there if distinct and len(there) > 2 and seen >= 3 * len(there) else None


def wide(array: np.ndarray) -> np.ndarray:
    """float64; complex numbers as their parts along a new last axis."""
    if array.dtype.kind == "c":
        array = np.stack([array.real, array.imag], axis=-1)
    return array.astype(np.float64)


def agree(ref: np.ndarray, got: np.ndarray, tolerance: Tolerance) -> bool:
    """Whether an answer is close to the reference: same shape, every element within the tolerance, NaN where the reference has it."""
    return ref.shape == got.shape and bool(_close(ref, got, tolerance).all())


def agree_changed(pair: tuple[np.ndarray, np.ndarray, Tolerance], change: Callable[[np.ndarray], np.ndarray]) -> bool:
    """Whether the answer agrees once it is changed so."""
    ref, got, tolerance = pair
    try:
        with np.errstate(all="ignore"):
            return agree(ref, change(got), tolerance)
    except ValueError:  # axes or a shape that the answer does not have
        return False


def _close(ref: np.ndarray, got: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    same: np.ndarray = ref == got
    if ref.dtype.kind in "Ob" or same.all():
        return same
    one, other = wide(ref), wide(got)
    with np.errstate(invalid="ignore", over="ignore"):
        near: np.ndarray = (
            (np.abs(one - other) <= tolerance.atol + tolerance.rtol * np.abs(one)) | (np.isnan(one) & np.isnan(other)) | (one == other)
        )
    return np.asarray(near.all(axis=-1)) if ref.dtype.kind == "c" else near
