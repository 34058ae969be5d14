"""Which layers of an int8 .tflite to leave in float: each is left alone, ranked by the noise that goes with it, and the fewest are kept."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from crossload.artifacts.tflite import quantised
from crossload.artifacts.tflite.layers import layers
from crossload.compare.quality import Bounds
from crossload.contract.manifest import Artifact, Quality
from crossload.errors import CrossloadError
from crossload.verbs.convert.quantised import measuring
from crossload.verbs.verify.prove import Recorded
from crossload.verbs.verify.quality import QualityTerms

# The value of the option keep_float that asks for the search.
AUTO = "auto"
# Each layer costs a conversion, so of a deep model those with most work are tried.
_MOST_LAYERS = 64
_Make = Callable[[Sequence[str], Path], Artifact]
# A model with some layers in float, and its quality.
Attempt = tuple[Artifact, list[Quality]]


@dataclass(frozen=True)
class LayerNoise:
    """A layer, its operator, and the quality of the outputs when it alone stays in float; `noise` is the share of the signal."""

    layer: str
    op: str
    noise: float
    quality: list[Quality]


@dataclass(frozen=True)
class Search:
    """What was found: the layers to leave in float (none, if the bounds are met without), and all layers, the noisiest first.

    `noise` is that of the model with all layers in int8.
    """

    kept: list[str]
    noise: float
    ranked: list[LayerNoise]


def search(source: Recorded, made: Artifact, make: _Make, wanted: QualityTerms, room: Path) -> tuple[Artifact, Search]:
    """The artifact with the fewest layers in float that meets the bounds, as far as this finds it, and the ranking.

    `made` has none in float; `make(layers, folder)` converts anew. Layers are added in the order of their noise until the bounds are met,
    then each is left out again if it is not needed. If none of that meets the bounds, the artifact with all of them in float is returned.
    """
    progress, bounds = source.terms.progress, wanted.bounds
    quiet = replace(source, terms=replace(source.terms, progress=lambda _: None))
    with ExitStack() as stack:
        measure = measuring(stack, quiet, made, wanted)

        @cache
        def attempt(*kept: str) -> Attempt:
            other = make(kept, room / hashlib.sha256(repr(kept).encode()).hexdigest())
            return other, measure(other)

        whole = measure(made)
        progress(f"all layers in int8: {_said(whole)}")
        ranked: list[LayerNoise] = []
        candidates = _candidates(made, progress)
        for at, (layer, op) in enumerate(candidates):
            try:
                _, found = attempt(layer)
            except CrossloadError as refused:
                progress(f"{at + 1} of {len(candidates)}: {layer} cannot stay in float: {refused}")
                continue
            progress(f"{at + 1} of {len(candidates)}: with {layer} in float: {_said(found)}")
            ranked.append(LayerNoise(layer, op, noise(found), found))
        ranked.sort(key=lambda found: found.noise)
        result, kept = made, list[str]()
        if _misses(bounds, whole):
            result, kept = fewest(made, [r.layer for r in ranked], attempt, bounds, progress)
    return result, Search(kept, noise(whole), ranked)


def fewest(
    made: Artifact, ranked: Sequence[str], attempt: Callable[..., Attempt], bounds: Bounds, progress: Callable[[str], None]
) -> tuple[Artifact, list[str]]:
    """The artifact with the first of the `ranked` layers in float that meets the bounds, without those it does not need; and its layers.

    `attempt(*layers)` converts with these in float.
    """
    result, kept = made, list[str]()
    for layer in ranked:
        kept = [*kept, layer]
        result, found = attempt(*kept)
        progress(f"the first {len(kept)} in float: {_said(found)}")
        if not _misses(bounds, found):
            break
    else:
        progress("even with all of them in float the bounds are missed")
        return result, kept
    for layer in kept[:-1]:  # without the last one, the bounds were missed
        fewer = [k for k in kept if k != layer]
        other, found = attempt(*fewer)
        if not _misses(bounds, found):
            progress(f"{layer} can be int8 after all")
            result, kept = other, fewer
    return result, kept


def noise(found: Sequence[Quality]) -> float:
    """The noise of the worst output, as a share of the signal's power; infinite for one that has collapsed."""
    shares = [
        float("inf") if q.collapsed else 10 ** (-q.sqnr / 10) if q.sqnr is not None else 0.0 if q.max_abs == 0 else 1.0 for q in found
    ]
    return max(shares, default=0.0)


def _misses(bounds: Bounds, found: Sequence[Quality]) -> bool:
    return any(sentence for q in found for sentence in bounds.unmet(q))


def _candidates(made: Artifact, progress: Callable[[str], None]) -> list[tuple[str, str]]:
    """The layers that compute, named by the scope of their first op: those whose operators only move integers bring no noise."""
    found: dict[str, tuple[str, int]] = {}
    for key in dict.fromkeys(b.key for b in made.bindings.values()):
        for layer in layers(Path(made.path), key):
            if layer.op not in quantised.EXACT and layer.name:
                found.setdefault(name_of(layer.name), (layer.op, layer.macs))
    names = list(found)
    if len(names) > _MOST_LAYERS:
        progress(f"of {len(names)} layers, the {_MOST_LAYERS} with most multiplications are tried")
        heaviest = set(sorted(names, key=lambda n: -found[n][1])[:_MOST_LAYERS])
        names = [n for n in names if n in heaviest]
    return [(n, found[n][0]) for n in names]


def name_of(tensor: str) -> str:
    """The layer of a tensor's name (`digits/conv/Relu;digits/conv/BiasAdd`): its scope, or the name itself if it has none."""
    first = re.split(";", tensor)[0]
    return first.rpartition("/")[0] or first


def _said(found: Sequence[Quality]) -> str:
    worst = min((q.sqnr for q in found if q.sqnr is not None), default=None)
    kept = min((q.decisions for q in found if q.decisions is not None), default=None)
    told = [f"SQNR {worst:.1f} dB" if worst is not None else "no noise", *([f"decisions {100 * kept:.1f} %"] if kept is not None else [])]
    return ", ".join(told)
