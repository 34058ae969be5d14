"""A quantised .tflite: measured against the float model by stated bounds, and compared with its own recorded answers in steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from crossload.compare import quality
from crossload.compare.quality import Bounds
from crossload.contract.bundle import Bundle
from crossload.contract.manifest import Artifact, Manifest, Model, Quality
from crossload.contract.signatures import Signature
from crossload.contract.vectors import Vector
from crossload.errors import ConversionRefused
from crossload.report.results import Report
from crossload.runtimes import environments, registry
from crossload.runtimes.supervisor import ModelSource, Supervisor
from crossload.verbs.verify.prove import Recorded, one_by_one
from crossload.verbs.verify.quality import QualityTerms, Rows, measured, own_signatures, recorded_requests, rows_of
from crossload.verbs.verify.record import record, references

Measured = Callable[[Artifact], list[Quality]]
_WAYS_OUT = (
    "give --representative and --data real inputs of the whole range, keep the layers that lose most in float (int8: --keep-float auto "
    "finds them), take "
    "--quantize 16x8 or dynamic, or state the bound that you accept: --bound {bound}; --no-verify writes it anyway and records that"
)


def proved(source: Recorded, made: Artifact, wanted: QualityTerms) -> tuple[Artifact, Report, dict[str, Signature]]:
    """The artifact with its quality against the recorded source, the report of its own answers, and its own signatures.

    Raises ConversionRefused where a bound is not met, or LiteRT does not repeat what its reference kernels answer.
    """
    with ExitStack() as stack:
        own = own_signatures(Path(made.path), made.bindings)
        alive, rows = _litert(stack, source), _rows(source, own, wanted)
        found = _quality(source, made, own, alive[_judge()], rows)
        file = Path(made.path).name
        refuse_beyond(wanted.bounds, found, file)
        report = _own_answers(source, made, own, alive, rows)
    made = made.model_copy(update={"quality": found})
    if report.exit_status:
        raise ConversionRefused(
            f"{file} was not written: LiteRT does not repeat the answers of its own reference kernels: {report.first_failure}; "
            "--no-verify writes it anyway and records that"
        )
    return made, report, own


def measuring(stack: ExitStack, source: Recorded, made: Artifact, wanted: QualityTerms) -> Measured:
    """What measures the quality of an artifact, and of others with the same signatures, until `stack` ends."""
    alive, rows = _litert(stack, source), _rows(source, own_signatures(Path(made.path), made.bindings), wanted)

    def measure(other: Artifact) -> list[Quality]:
        return _quality(source, other, own_signatures(Path(other.path), other.bindings), alive[_judge()], rows)

    return measure


def _judge() -> str:
    return registry.shortest_name(references("tflite")[0])


def _litert(stack: ExitStack, source: Recorded) -> dict[str, Supervisor]:
    """The living workers, LiteRT among them."""
    name, terms = _judge(), source.terms
    if name in source.alive:
        return {**source.alive}
    launch = environments.prepare(references("tflite")[0].source, terms.progress)
    return {**source.alive, name: stack.enter_context(Supervisor(name, launch, terms.limits))}


def _rows(source: Recorded, own: Mapping[str, Signature], wanted: QualityTerms) -> dict[str, Rows]:
    given = source.terms.options.get("representative")
    return rows_of(source.manifest.signatures, wanted, Path(given) if given else None, source.terms.requests, own)


def refuse_beyond(bounds: Bounds, found: Sequence[Quality], file: str, ways: str = _WAYS_OUT) -> None:
    """Raise ConversionRefused, with the figures and the `ways` out, where an output does not meet a bound."""
    unmet = [sentence for q in found for sentence in bounds.unmet(q)]
    if unmet:
        table = [*quality.lines(found), bounds.said()]
        raise ConversionRefused(f"{file} was not written: {'; '.join(unmet)}; {ways.format(bound=bounds.met_by(found))}", table)


def _quality(source: Recorded, made: Artifact, own: Mapping[str, Signature], litert: Supervisor, rows: Mapping[str, Rows]) -> list[Quality]:
    terms = source.terms
    tags = None if source.source.tags is None else tuple(source.source.tags)
    entry = source.source
    keep = any(v.state for v in source.manifest.vectors)
    float_model = ModelSource(Path(entry.path), entry.format, entry.bindings, tags, terms.load_options, source.manifest.signatures, keep)
    recorder = source.alive[registry.shortest_name(source.recorder)]
    result = ModelSource(Path(made.path), "tflite", made.bindings, signatures=own)
    return measured((recorder, float_model), (litert, result, made), rows, terms.progress)


def _own_answers(
    source: Recorded, made: Artifact, own: Mapping[str, Signature], alive: Mapping[str, Supervisor], rows: Mapping[str, Rows]
) -> Report:
    """Record the artifact's answers with LiteRT's reference kernels, and compare those of LiteRT as it runs by default."""
    terms = source.terms
    judge = references("tflite")[0]
    kept: dict[str, list[Vector]] = {}
    entries = []
    for name, signature in own.items():
        one = made.model_copy(update={"bindings": {name: made.bindings[name]}})
        requests = recorded_requests(signature, terms.requests, rows[name])
        running = {judge.title: alive[registry.shortest_name(judge)]}
        entries += record(
            source.room, one, own, requests, terms.limits, terms.progress, [judge], alive=running, options=terms.load_options, kept=kept
        )[0]
    manifest = Manifest(
        model=Model(name="conversion"), signatures=dict(own), artifacts=[made], vectors=entries, tolerance=dict(terms.tolerance)
    )
    return one_by_one(Bundle(source.room, manifest, recorded=kept), made, [judge], replace(terms, alive=alive))
