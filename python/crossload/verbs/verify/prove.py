"""The proof of a conversion: record the source's answers once, and compare every result's answers with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crossload.contract.bundle import Bundle
from crossload.contract.manifest import Artifact, Manifest, Model, Tolerance
from crossload.contract.signatures import Signature
from crossload.errors import NoReference, WorkerFailure
from crossload.inputs.requests import Requests
from crossload.report.results import Report
from crossload.runtimes import environments, registry
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, Supervisor
from crossload.verbs.verify import sufficiency
from crossload.verbs.verify.record import left_out_requests, needed_options, record_with, references
from crossload.verbs.verify.verify import verify


@dataclass(frozen=True)
class Terms:
    """How source and result are compared: the requests, the tolerance, the recording runtime, the workers that already run.

    `named`: the user named the signatures, so none is left out.
    """

    requests: Requests = field(default_factory=Requests)
    tolerance: dict[str, Tolerance] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    load_with: str = "tensorflow"
    alive: Mapping[str, Supervisor] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    accept_unproved: bool = False
    named: bool = False
    progress: Callable[[str], None] = lambda _: None

    @property
    def load_options(self) -> dict[str, Any]:
        """Those of `options` that a worker takes."""
        return needed_options(self.options)


@dataclass(frozen=True)
class Recorded:
    """The source with its answers; `recorder` recorded them and is among the living workers."""

    source: Artifact
    manifest: Manifest
    room: Path
    recorder: Runtime
    alive: Mapping[str, Supervisor]
    terms: Terms

    def without_answers(self) -> dict[str, str]:
        """The signatures to leave out, and why: of their requests the source answers none, but of others'."""
        return {} if self.terms.named or self.terms.accept_unproved else sufficiency.without_answers(self.manifest.vectors)

    def compare(self, result: Artifact, judges: Sequence[Runtime] = ()) -> Report:
        """Compare the result's answers in these runtimes; by default, in the one that would record them (a .tflite: in LiteRT)."""
        judges = judges or [answering(result.format, self.terms.load_with, self.terms.load_options)]
        manifest = self.manifest.model_copy(update={"artifacts": [self.source.model_copy(update={"id": "source"}), result]})
        report = one_by_one(Bundle(self.room, manifest), result, judges, replace(self.terms, alive=self.alive))
        report.cautions += [f"the signature {name} is left out: {reason}" for name, reason in self.without_answers().items()]
        return report


def without(artifact: Artifact, names: Collection[str]) -> Artifact:
    """The artifact without these signatures."""
    return artifact.model_copy(update={"bindings": {name: b for name, b in artifact.bindings.items() if name not in names}})


def one_by_one(bundle: Bundle, artifact: Artifact, judges: Sequence[Runtime], terms: Terms) -> Report:
    """Compare an artifact's answers with the bundle's, in one runtime after the other until one disagrees.

    Not in all at once: a machine that can make an artifact may lack the memory for many runtimes.
    """
    whole = Report(str(bundle.root), [artifact.id])
    for runtime in judges:
        terms.progress(f"comparing the answers of {artifact.id} in {runtime.title}")
        report = verify(
            bundle,
            [registry.shortest_name(runtime)],
            artifacts=[artifact.id],
            limits=terms.limits,
            load_options=terms.load_options,
            alive=terms.alive,
            accept_unproved=terms.accept_unproved,
        )
        if report.interrupted:
            raise KeyboardInterrupt
        whole.columns += report.columns
        whole.runtimes += report.runtimes
        whole.results += report.results
        whole.cautions += [c for c in report.cautions if c not in whole.cautions]
        whole.uncompared += report.uncompared
        if report.exit_status:
            break
    return whole


def answering(kind: str, load_with: str, options: Mapping[str, Any]) -> Runtime:
    """The runtime that answers for a format: LiteRT for a .tflite, else the TensorFlow that loads the source, or its fallback."""
    if kind == "tflite":
        return references(kind)[0]
    named = registry.one(load_with)
    return registry.able(named, kind, options) or named


@contextmanager
def recorded(source: Artifact, signatures: dict[str, Signature], room: Path, terms: Terms) -> Iterator[Recorded]:
    """Record the source's answers into `room`; its worker stays alive inside the block. Raises NoReference."""
    recorder = answering(source.format, terms.load_with, terms.load_options)
    name = registry.shortest_name(recorder)
    living = (
        nullcontext(terms.alive[name])
        if name in terms.alive
        else Supervisor(name, environments.prepare(recorder.source, terms.progress), terms.limits)
    )
    with living as supervisor:
        terms.progress(f"recording the answers of the {source.format} in {recorder.title}")
        try:
            vectors, learnt = record_with(supervisor, room, source, signatures, terms.requests, terms.load_options)
        except WorkerFailure as failure:
            raise NoReference(Path(source.path), [(recorder.title, failure)]) from failure
        for sentence in left_out_requests(vectors):
            terms.progress(sentence)
        manifest = Manifest(
            model=Model(name="conversion"),
            signatures={**signatures, **learnt},
            artifacts=[],
            vectors=vectors,
            tolerance=dict(terms.tolerance),
        )
        yield Recorded(source, manifest, room, recorder, {**terms.alive, name: supervisor}, terms)
