"""The verb `compare`: asks every artifact of a bundle for the same rows of data, and measures what each costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from crossload.artifacts.tflite import quantised
from crossload.compare.quality import Bounds
from crossload.contract.bundle import Bundle, is_bundle, open_bundle
from crossload.contract.manifest import Quality
from crossload.contract.outcomes import Outcome
from crossload.contract.signatures import Signature
from crossload.errors import CrossloadError, RunFailed, WorkerFailure
from crossload.inputs import quantization
from crossload.inputs.requests import Requests
from crossload.runtimes import environments, registry
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, Supervisor
from crossload.support import files
from crossload.verbs.profile.costs import Cost
from crossload.verbs.profile.measure import Progress, measure
from crossload.verbs.profile.targets import Target, targets
from crossload.verbs.verify.quality import Answered, QualityTerms, Rows, answered, judged, own_signatures, rows_of
from crossload.verbs.verify.record import references

_ARENA = "tflite-micro"


@dataclass
class Variant:
    """An artifact: its `kind` (float, or what a .tflite computes in), bytes, quality by output, cost in its runtime, and arena.

    `unmet` has a sentence for each bound that it misses. If its `outcome` is not ok, `error` says why there is no quality. `arena` is None
    where TensorFlow Lite Micro does not run it, and `no_arena` says why.
    """

    artifact: str
    kind: str
    size_bytes: int
    runtime: str
    outcome: Outcome = "ok"
    error: str | None = None
    quality: list[Quality] = field(default_factory=list)
    unmet: list[str] = field(default_factory=list)
    cost: Cost | None = None
    arena: int | None = None
    no_arena: str | None = None

    def to_json(self) -> dict[str, Any]:
        """An element of `variants` in the JSON of `crossload compare`."""
        own = {k: v for k, v in vars(self).items() if v is not None}
        stated = [{k: v for k, v in vars(q).items() if v is not None} for q in self.quality]
        return {**own, "quality": stated, **({"cost": self.cost.to_json()} if self.cost else {})}


@dataclass
class Comparison:
    """The variants of one signature of a bundle, compared with `reference` on `rows` rows of `data`; `noise` as in Profile."""

    path: str
    signature: str
    reference: str
    data: str
    rows: int
    bounds: Bounds
    variants: list[Variant]
    noise: float = 0.0

    @property
    def exit_status(self) -> int:
        """0 if every variant answered and meets the bounds, else 1."""
        return 0 if all(v.outcome == "ok" and not v.unmet for v in self.variants) else 1

    def to_json(self) -> dict[str, Any]:
        """The object of `compare --json`; seconds and bytes."""
        own = {k: v for k, v in vars(self).items() if k not in ("variants", "bounds")}
        return {"crossload": 1, **own, "bounds": vars(self.bounds), "variants": [v.to_json() for v in self.variants]}


def compare_variants(
    path: str | Path,
    *,
    artifacts: Sequence[str] | None = None,
    signature: str | None = None,
    quality: QualityTerms | None = None,
    runtime: str = "litert",
    seconds: float = 2.0,
    limits: Limits | None = None,
    load_options: Mapping[str, Any] | None = None,
    progress: Progress = lambda _: None,
) -> Comparison:
    """Compare a bundle's artifacts with its float model: size, accuracy or agreement, worst error, latency, arena.

    The float model is the artifact whose answers the bundle recorded. All are asked for the rows of `quality.data`, else for the bundle's
    recorded requests. `runtime` runs the .tflite files, by one thread; the others run in TensorFlow. TensorFlow Lite Micro tells the arena.

    Raises CrossloadError for input that cannot be used, RunFailed if the float model does not answer; what a variant's runtime does is an
    outcome.
    """
    terms, limits, options = quality or QualityTerms(), limits or Limits(), dict(load_options or {})
    if not is_bundle(Path(path)):
        raise CrossloadError(
            f"{path} is no bundle; `crossload export SOURCE -o BUNDLE --formats saved_model,tflite,tflite:int8 --representative FILE.npz` "
            "writes one with variants side by side, and `crossload profile` measures one artifact"
        )
    bundle = open_bundle(Path(path))
    chosen = targets(Path(path), artifacts, signature, None, Requests(1), options)
    reference = _reference(bundle, chosen, signature, options)
    name = reference.signature
    terms.check([t.name for t in bundle.manifest.signatures[name].inputs])
    interpreter = registry.one(runtime)
    if "tflite" not in interpreter.formats:
        raise CrossloadError(f"{interpreter.title} does not run .tflite files; name one that does: litert, tflite-runtime, tflite-micro")
    pairs = [(target, _runtime(target, interpreter, options)) for target in chosen]
    keep = any(v.state for v in bundle.manifest.vectors if v.signature == name)
    rows = _rows(bundle, name, terms, keep_state=keep)
    with ExitStack() as stack:
        ask = _asker(stack, limits, progress, keep_state=keep)
        try:
            expected = ask(reference, _runtime(reference, interpreter, options), rows)
        except WorkerFailure as failure:
            raise RunFailed(
                failure.outcome, f"the float model {reference.artifact} does not answer ({failure.outcome}): {failure}"
            ) from failure
        variants = [_variant(target, its_runtime, ask, expected, rows, terms.bounds) for target, its_runtime in pairs]
    noise = _cost(variants, pairs, seconds, limits, progress)
    return Comparison(str(path), name, reference.artifact, rows.data, len(rows.requests), terms.bounds, variants, noise)


_Ask = Callable[[Target, Runtime, Rows], Answered]


def _reference(bundle: Bundle, chosen: Sequence[Target], signature: str | None, options: Mapping[str, Any]) -> Target:
    """The artifact that recorded the float model's answers. Raises CrossloadError for a bundle without one."""
    wanted = {t.signature.partition("@")[0] for t in chosen}
    if len(wanted) > 1:
        raise CrossloadError(f"the artifacts have no signature in common; name one with --signature: {', '.join(sorted(wanted))}")
    recorded = next((v for v in bundle.manifest.vectors if v.signature in wanted), None)
    if recorded is None:
        raise CrossloadError(
            f"{bundle.root} has no recorded answers of {wanted.pop()!r}, which say which artifact is the float model; export it again"
        )
    return targets(bundle.root, [recorded.reference.artifact], recorded.signature, None, Requests(1), options)[0]


def _runtime(target: Target, interpreter: Runtime, options: Mapping[str, Any]) -> Runtime:
    return interpreter if target.source.format == "tflite" else next(iter(references(target.source.format, [interpreter])))


def _rows(bundle: Bundle, name: str, terms: QualityTerms, *, keep_state: bool) -> Rows:
    """The rows of the user's data, else the recorded requests but the extremes, which say nothing of a model's answers."""
    signatures = {name: bundle.manifest.signatures[name]}
    if terms.data:
        return rows_of(signatures, terms, None, Requests(), signatures)[name]
    recorded = [v for v in bundle.vectors(name) if v.id != "extremes"]
    own = [v for v in recorded if v.id.startswith("user_")]
    requests = [row for v in own or recorded for row in ([v.inputs] if keep_state else _single(signatures[name], v.inputs))]
    return Rows(requests, "the recorded examples" if own else "the recorded requests")


def _single(signature: Signature, inputs: Mapping[str, np.ndarray]) -> list[Mapping[str, np.ndarray]]:
    """A request as one a row where the batch of all inputs is free: a .tflite may have been written for one."""
    sizes = {array.shape[:1] for array in inputs.values()}
    if len(sizes) != 1 or not all(t.shape and t.shape[0] == -1 for t in signature.inputs):
        return [inputs]
    ((count,),) = sizes
    return [{name: array[at : at + 1] for name, array in inputs.items()} for at in range(count)]


def _asker(stack: ExitStack, limits: Limits, progress: Progress, *, keep_state: bool) -> _Ask:
    """What asks a target for rows; one worker a runtime, and each target once. `keep_state`: the rows are one sequence."""
    workers: dict[str, Supervisor] = {}
    known: dict[tuple[str, str], Answered] = {}

    def ask(target: Target, runtime: Runtime, rows: Rows) -> Answered:
        if (target.artifact, runtime.title) not in known:
            count = len(rows.requests)
            progress(f"asking {target.artifact} in {runtime.title} for {count} {'row' if count == 1 else 'rows'} of {rows.data}")
            if runtime.title not in workers:
                launch = environments.prepare(runtime.source, progress)
                workers[runtime.title] = stack.enter_context(Supervisor(runtime.name, launch, limits))
            signature = signature_in_file(target)
            requests = [quantization.inputs(signature, r) for r in rows.requests]
            source = replace(target.source, keep_state=keep_state)
            found = answered(workers[runtime.title], source, {target.signature: (requests, signature)})
            known[target.artifact, runtime.title] = found[target.signature]
        return known[target.artifact, runtime.title]

    return ask


def signature_in_file(target: Target) -> Signature:
    """The target's signature; of a .tflite as the file has it, with its quantisation."""
    stated = target.source.signatures[target.signature]
    if target.source.format != "tflite":
        return stated
    return own_signatures(target.source.path, target.source.bindings)[target.signature]


def _variant(target: Target, runtime: Runtime, ask: _Ask, expected: Answered, rows: Rows, bounds: Bounds) -> Variant:
    kind = quantised.kind(target.source.path, target.key) if target.source.format == "tflite" else None
    made = Variant(target.artifact, kind or "float", files.size_bytes(target.source.path), runtime.title)
    try:
        answers = ask(target, runtime, rows)
    except WorkerFailure as failure:
        return replace(made, outcome=failure.outcome, error=str(failure))
    made.quality = judged(target.source, target.signature, signature_in_file(target), expected, answers, rows)
    made.unmet = [sentence for q in made.quality for sentence in bounds.unmet(q)]
    return made


def _cost(
    variants: Sequence[Variant], pairs: Sequence[tuple[Target, Runtime]], seconds: float, limits: Limits, progress: Progress
) -> float:
    """Give the variants their costs and arenas; returns the machine's noise."""
    micro = registry.one(_ARENA)
    lites = [(t, micro) for t, runtime in pairs if t.source.format == "tflite" and runtime != micro]
    costs, noise = measure([*pairs, *lites], (1,), seconds, limits, progress)
    own = {(c.artifact, c.runtime): c for c in costs}
    for variant in variants:
        variant.cost = own.get((variant.artifact, variant.runtime))
        if arena := own.get((variant.artifact, micro.title)):
            variant.arena = arena.arena
            variant.no_arena = arena.error
    return noise.share()
