"""Platforms side by side: how far a runtime's answers on another platform are from its answers here, in roundings and in integer steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from crossload.compare.judge import Judgement, judge
from crossload.compare.tolerance import Tolerances
from crossload.contract.vectors import Vector
from crossload.runtimes import registry
from crossload.runtimes.registry import Runtime

if TYPE_CHECKING:
    import numpy as np

# The answers of one runtime, by artifact, signature and vector.
Answers = dict[tuple[str, str, str], Mapping[str, "np.ndarray"]]
# The metrics of compare.judge that tell a distance, the most telling first, in words.
_UNITS = {"steps": "{:.3g} quantisation step(s)", "rounding": "{:.2g} × rounding", "max_ulp": "{:.0f} ULP", "max_abs": "{:.2g}"}


def pairs(chosen: Mapping[str, Runtime]) -> dict[str, str]:
    """By the name of a runtime of another platform, the name of the same release here, where both were chosen."""
    here = {_release(runtime): name for name, runtime in chosen.items() if not runtime.platform}
    return {name: here[_release(r)] for name, r in chosen.items() if r.platform and _release(r) in here}


def _release(runtime: Runtime) -> tuple[str, str]:
    return registry.unwalled(runtime).name.removesuffix(f"/{runtime.platform}"), runtime.version


def differences(paired: Mapping[str, str], answers: Mapping[str, Answers], recorded: Mapping[str, Sequence[Vector]]) -> Iterator[str]:
    """A sentence for each artifact that both runtimes of a pair answered; `recorded` are the vectors by signature."""
    vectors = {(signature, vector.id): vector for signature, found in recorded.items() for vector in found}
    for there, here in paired.items():
        one, other = answers.get(here, {}), answers.get(there, {})
        for artifact in dict.fromkeys(key[0] for key in one):
            both = [key for key in one if key[0] == artifact and key in other]
            judged = [_judged(vectors[k[1:]], one[k], other[k]) for k in both]
            if both:
                integers = {name for k in both for name, array in one[k].items() if array.dtype.kind in "iu" and array.dtype.itemsize < 4}
                yield f"{there} against {here} on {artifact}: {_said(judged, integers)}"


def _judged(vector: Vector, one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> dict[str, Judgement]:
    return judge(one, other, Tolerances(), rounding=vector.rounding, steps=vector.steps)[1]


def _said(judged: Sequence[Mapping[str, Judgement]], integers: set[str]) -> str:
    same = sum(all(j.agreement == "identical" for j in outputs.values()) for outputs in judged)
    if same == len(judged):
        return f"the same bits in all {same} answers"
    distances = "; ".join(dict.fromkeys(_furthest(judged, integers)))
    return f"the same bits in {same} of {len(judged)} answers, in the others up to {distances}"


def _furthest(judged: Sequence[Mapping[str, Judgement]], integers: set[str]) -> Iterator[str]:
    """The greatest distance in each unit; a step of a narrow integer is 1."""
    found: dict[str, float] = {}
    for name, judgement in ((n, j) for outputs in judged for n, j in outputs.items() if j.agreement != "identical"):
        metrics = judgement.metrics
        if name in integers and "max_abs" in metrics:
            metrics = {"steps": metrics["max_abs"]}
        unit = next((unit for unit in _UNITS if metrics.get(unit) is not None), None)
        if unit is None:
            yield judgement.reason
        else:
            found[unit] = max(found.get(unit, 0.0), metrics[unit])
    yield from (_UNITS[unit].format(value) for unit, value in found.items())
