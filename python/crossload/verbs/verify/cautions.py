"""What a report warns of, beside its results."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

import numpy as np

from crossload.compare.tolerance import Tolerances
from crossload.contract.bundle import Bundle
from crossload.contract.manifest import Artifact, Strength, Vectors
from crossload.contract.vectors import Vector
from crossload.runtimes import registry
from crossload.runtimes.registry import Runtime
from crossload.verbs.verify.plan import Plan
from crossload.verbs.verify.record import left_out_requests, references

ENOUGH = 80  # per cent of the seeded faults; below, a report warns
_SHOWN = 3


def of(bundle: Bundle, recorded: Mapping[str, list[Vector]], plan: Plan, chosen: Mapping[str, Runtime]) -> list[str]:
    """The sentences for a report: what was loosened, left out, or proves less than it seems to."""
    outputs = [(t.name, t.datatype) for s in bundle.manifest.signatures.values() for t in s.outputs]
    said = _replaced(chosen) + Tolerances({**bundle.manifest.tolerance, **plan.tolerance}).raised(outputs)
    # Where no answer is kept, the results of that signature say so, unless that is accepted.
    said += left_out_requests([v for v in bundle.manifest.vectors if v.count or plan.accept_unproved])
    usual = {a.id: references(a.format) for a in bundle.manifest.artifacts}
    for reference in dict.fromkeys((v.reference.artifact, v.reference.runtime) for v in bundle.manifest.vectors):
        artifact, runtime = reference
        if runtime in [r.name for r in registry.BUILT_IN] and usual.get(artifact) and usual[artifact][0].name != runtime:
            said.append(f"the reference of {artifact} is {runtime}: {usual[artifact][0].name} did not answer")
    for name, vectors in recorded.items():
        if constant := _constant_outputs(vectors):
            said.append(f"every vector of {name} has the same answer in {', '.join(constant)}: agreement on it proves little")
        said += [f"{name}: {sentence}" for sentence in _without_content(vectors)]
    said += of_strength(bundle.manifest.vectors)
    said += [sentence for a in bundle.manifest.artifacts if plan.takes(a.id) and a.quality for sentence in _of_quality(a)]
    if not bundle.recorded:
        own = ", ".join(name for name, runtime in chosen.items() if runtime.own_path)
        said += [
            f"{own} loads from the bundle's folder, where the recorded answers lie (own_path); --fresh N asks what is not there"
        ] * bool(own)
    said += bundle.cautions
    if (needed := bundle.manifest.op_libraries) and not plan.load_options.get("op_libraries"):
        said.append(f"the model was made with the op library {', '.join(needed)}: name it with --op-library FILE.so")
    if plan.nan != "same":
        said.append(f"NaN policy: {plan.nan}")
    return said


def _of_quality(artifact: Artifact) -> Iterator[str]:
    """How far a quantised artifact is from the float model, a sentence for each output."""
    from crossload.compare import quality  # loaded where there is one

    return (f"{artifact.id} against the float model: {quality.sentence(found)}" for found in artifact.quality)


def of_strength(vectors: Sequence[Vectors]) -> list[str]:
    """What the vectors of a bundle are worth, in one sentence; and those of a signature that detect few of the seeded faults."""
    measured = [(v.signature, v.strength) for v in vectors if v.strength and v.strength.seeded]
    if not measured:
        return []
    whole = Strength(seeded=sum(s.seeded for _, s in measured), detected=sum(s.detected for _, s in measured))
    unseen = list(dict.fromkeys(f"{fault.node} {fault.kind}" for _, s in measured for fault in s.unseen))
    more = f" and {len(unseen) - _SHOWN} more" if len(unseen) > _SHOWN else ""
    said = f"; unseen: {', '.join(unseen[:_SHOWN])}{more}" if unseen else ""
    weak = [name for name, s in measured if _share(s) < ENOUGH]
    return [f"the vectors see {_share(whole):.0f} % of {whole.seeded} seeded faults{said}"] + [
        f"agreement on {', '.join(weak)} proves little: the vectors see fewer than {ENOUGH} % of the faults seeded there; export again "
        "with real inputs (--input-file)"
    ] * bool(weak)


def _share(strength: Strength) -> float:
    """The percentage of the seeded faults that are seen, rounded down, so that 100 is all of them."""
    return float(100 * strength.detected // strength.seeded)


def _replaced(chosen: Mapping[str, Runtime]) -> list[str]:
    """A sentence for each runtime that has a built-in's name and is another."""
    own = {r.name for r in registry.BUILT_IN}
    where = registry.configuration_file() or "an installed package"
    return [
        f"{name} is not crossload's own runtime of this name: {where} defines it"
        for name, runtime in chosen.items()
        if runtime.name in own and runtime not in registry.BUILT_IN
    ]


def _constant_outputs(vectors: list[Vector]) -> list[str]:
    """The outputs whose answers are the same for different requests: an untrained or saturated model agrees with anything."""
    if len(vectors) < 2 or not any(v.inputs for v in vectors):
        return []
    return [name for name in vectors[0].outputs if len({row for v in vectors for row in _rows(v.outputs[name])}) == 1]


def _rows(array: np.ndarray) -> list[Hashable]:
    """An answer's rows, comparable; strings by their elements."""
    return [tuple(np.ravel(row)) if array.dtype == object else row.tobytes() for row in np.atleast_1d(array)]


def _without_content(vectors: list[Vector]) -> Iterator[str]:
    """A sentence for each output in which there is nothing to compare: no element, or only NaN."""
    for name in vectors[0].outputs if vectors else ():
        answers = [v.outputs[name] for v in vectors]
        if not any(a.size for a in answers):
            yield f"{name} has no element in any vector: its agreement proves nothing"
        elif all(a.dtype.kind in "fcV" and np.isnan(a.astype(complex) if a.dtype.kind == "c" else a.astype(float)).all() for a in answers):
            yield f"{name} is NaN in every vector: its agreement proves nothing"
