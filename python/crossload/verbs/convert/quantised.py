"""A quantised .tflite: measured against the float model by stated bounds, and compared with its own recorded answers in steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from crossload.artifacts.tflite import quantised
from crossload.compare import quality
from crossload.compare.quality import Bounds
from crossload.contract import vectors
from crossload.contract.bundle import Bundle
from crossload.contract.manifest import Artifact, Manifest, Model, Quality, Tolerance
from crossload.contract.signatures import Signature
from crossload.contract.vectors import Vector
from crossload.errors import ConversionRefused
from crossload.report.results import Report
from crossload.runtimes import environments, registry
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import ModelSource, Supervisor
from crossload.verbs.verify.prove import Recorded, answering, one_by_one
from crossload.verbs.verify.quality import QualityTerms, Rows, measured, own_signatures, recorded_requests, rows_of
from crossload.verbs.verify.record import record, references

_WAYS_BACK = "state the bound that you accept: --bound {bound}; --no-verify writes it anyway and records that"
_APPROXIMATE: Mapping[str, str] = {
    "dynamic": "the .tflite quantises as it runs, the graph computes in float",
    # Its rescaling multiplies by 15 bits (MultiplyByQuantizedMultiplier of an int64): in the demo, 18 % of the logits are a step apart from
    # those of exact rounding, none two, and a softmax makes many steps of 1/32768 of that.
    "16x8": "LiteRT's 16-bit kernels rescale by 15 bits, the graph exactly, a step apart in each layer",
}
# The errors are those of the float answers as numbers of 64 bits; the comparison takes differences in 32, of answers that are given once
# more: those of an LSTM differed in their last place.
_MARGIN, _LAST_PLACE = 1e-6, 2.0**-23
Measured = Callable[[Artifact], list[Quality]]
_WAYS_OUT = (
    "give --representative and --data real inputs of the whole range, keep the layers that lose most in float (int8: --keep-float auto "
    f"finds them), take --quantize 16x8 or dynamic, or {_WAYS_BACK}"
)
_WAYS_OUT_OF_WEIGHTS = f"give --data real inputs of the whole range, or {_WAYS_BACK}"  # float16, dynamic: no ranges are measured


def proved(source: Recorded, made: Artifact, wanted: QualityTerms) -> tuple[Artifact, Report, dict[str, Signature]]:
    """The artifact with its quality against the recorded source, the report of its own answers, and its own signatures.

    Raises ConversionRefused where a bound is not met, or LiteRT does not repeat what its reference kernels answer.
    """
    with ExitStack() as stack:
        own = own_signatures(Path(made.path), made.bindings)
        alive, rows = _litert(stack, source), _rows(source, own, wanted)
        found = _quality(source, made, own, alive[_judge()], rows)
        file = Path(made.path).name
        refuse_beyond(wanted.bounds, found, file, _WAYS_OUT if calibrated(Path(made.path)) else _WAYS_OUT_OF_WEIGHTS)
        report = _own_answers(source, made, own, alive, rows)
    made = made.model_copy(update={"quality": found})
    if report.exit_status:
        raise ConversionRefused(
            f"{file} was not written: LiteRT does not repeat the answers of its own reference kernels: {report.first_failure}; "
            "--no-verify writes it anyway and records that"
        )
    return made, report, own


def approximates(source: Artifact) -> str | None:
    """Why a .tflite is not compared in steps with a graph made of it; None for one that is, and for another artifact."""
    kinds = {quantised.kind(Path(source.path), b.key) for b in source.bindings.values()} if source.format == "tflite" else set()
    return next((why for kind, why in _APPROXIMATE.items() if kind in kinds), None)


def restored(source: Recorded, made: Artifact, wanted: QualityTerms, why: str) -> Report:
    """The report of a graph made of a .tflite that approximates what the graph computes (`why`, see `approximates`).

    The file is measured by the bounds as if it were quantised from the graph, on the requests that both answer. Within the bounds, the
    errors that were measured are the report's tolerance. Raises ConversionRefused.
    """
    entry, terms, signatures = source.source, source.terms, source.manifest.signatures
    rows = {
        v.signature: Rows([one.inputs for one in vectors.read(source.room / v.path)], "the compared requests")
        for v in source.manifest.vectors
    }
    with ExitStack() as stack:
        recorder = answering(made.format, terms.load_with, terms.load_options)
        name, alive = registry.shortest_name(recorder), _with(stack, source, recorder)
        tags = None if made.tags is None else tuple(made.tags)
        keep = any(v.state for v in source.manifest.vectors)
        graph = ModelSource(Path(made.path), made.format, made.bindings, tags, terms.load_options, signatures, keep)
        lite = ModelSource(Path(entry.path), "tflite", entry.bindings, signatures=signatures, keep_state=keep)
        found = measured((alive[name], graph), (alive[_judge()], lite, entry), rows, terms.progress)
        refuse_beyond(wanted.bounds, found, Path(made.path).name, _WAYS_BACK)
        for line in quality.lines(found):
            terms.progress(line)
        errors = {q.output: Tolerance(rtol=_LAST_PLACE, atol=(1 + _MARGIN) * q.max_abs, ulp=0) for q in found if q.max_abs}
        manifest = source.manifest.model_copy(update={"tolerance": {**errors, **terms.tolerance}})
        report = replace(source, alive=alive, manifest=manifest).compare(made)
    report.cautions = [f"compared by the bounds of quality: {why}", *(c for c in report.cautions if not c.startswith("tolerance of "))]
    return report


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
    return _with(stack, source, references("tflite")[0])


def _with(stack: ExitStack, source: Recorded, runtime: Runtime) -> dict[str, Supervisor]:
    """The living workers, this runtime's among them; one that is started here lives until `stack` ends."""
    name, terms = registry.shortest_name(runtime), source.terms
    if name in source.alive:
        return {**source.alive}
    launch = environments.prepare(runtime.source, terms.progress)
    return {**source.alive, name: stack.enter_context(Supervisor(name, launch, terms.limits))}


def _rows(source: Recorded, own: Mapping[str, Signature], wanted: QualityTerms) -> dict[str, Rows]:
    given = source.terms.options.get("representative")
    return rows_of(source.manifest.signatures, wanted, Path(given) if given else None, source.terms.requests, own)


def calibrated(file: Path) -> bool:
    """Whether the file computes in integers, whose ranges come from representative inputs. Raises ArtifactError."""
    return quantised.kind(file) in ("int8", "16x8")


def refuse_beyond(bounds: Bounds, found: Sequence[Quality], file: str, ways: str) -> None:
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
