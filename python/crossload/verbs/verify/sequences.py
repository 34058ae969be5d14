"""Models that keep state: when a model is loaded afresh, and which vectors are run before one that is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from crossload import artifacts
from crossload.contract.bundle import Bundle
from crossload.contract.manifest import Artifact
from crossload.contract.vectors import Vector
from crossload.errors import ArtifactError
from crossload.verbs.verify.plan import Plan
from crossload.verbs.verify.run import Asked

_FRESH = "fresh_"


@dataclass(frozen=True)
class Keeping:
    """What keeps state: `signatures` whose vectors are sequences, and `artifacts` that keep state where the reference does not,
    each with the reason."""

    signatures: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)

    def asked(
        self, artifact: str, signature: str, outputs: list[str], recorded: Sequence[Vector], taken: Sequence[Vector]
    ) -> Iterator[Asked]:
        """The vectors to run for those that are taken, in order.

        A sequence begins with a fresh load and is run up to the last taken vector. Other vectors follow a fresh load where a signature
        before them, or the artifact itself, keeps state.
        """
        chosen = {v.id for v in taken}
        if signature not in self.signatures:
            for at, vector in enumerate(taken):
                yield Asked(signature, outputs, vector, load=artifact in self.artifacts or (not at and bool(self.signatures)))
            return
        for _, group in groupby(recorded, lambda v: v.id.startswith(_FRESH)):  # new requests are a sequence of their own
            sequence = list(group)
            last = max((at for at, v in enumerate(sequence) if v.id in chosen), default=-1)
            for at, vector in enumerate(sequence[: last + 1]):
                yield Asked(signature, outputs, vector, vector.id in chosen, load=not at, keep=True)

    def said(self) -> Iterator[str]:
        """The sentences for a report."""
        for name, why in self.signatures.items():
            yield f"{name}: {why}, so its vectors are one sequence, in the recorded order after a fresh load"
        for name, why in self.artifacts.items():
            yield (
                f"{name} keeps state from one call to the next ({why}) and the reference does not: it was loaded afresh before each "
                "vector, and whoever calls it must reset it before each request"
            )


def of(bundle: Bundle, plan: Plan) -> Keeping:
    """What keeps state in a bundle: its manifest says so of signatures, the files of .tflite artifacts."""
    wanted = [a for a in bundle.manifest.artifacts if plan.takes(a.id)]
    there = {name for a in wanted for name in a.bindings if plan.signatures is None or name in plan.signatures}
    signatures = {v.signature: v.state for v in bundle.manifest.vectors if v.state and v.signature in there}
    keeping = {}
    for artifact in wanted:
        steady = artifact.bindings.keys() - signatures.keys()
        if artifact.format == "tflite" and steady and (changing := _changing(bundle, artifact)):
            keeping[artifact.id] = ", ".join(changing[:3])
    return Keeping(signatures, keeping)


def _changing(bundle: Bundle, artifact: Artifact) -> tuple[str, ...]:
    """What a .tflite changes by its own account; nothing for a file that cannot be read, which its runtimes will say."""
    try:
        found = artifacts.read(bundle.path(artifact))
    except ArtifactError:
        return ()
    return found.changing if found.format == "tflite" else ()
