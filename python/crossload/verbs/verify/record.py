"""Recording: write the reference's answers, from a fresh process on the reloaded artifact, as the bundle's vectors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from crossload import artifacts
from crossload.artifacts.entries import artifacts_of, unknown_signature
from crossload.contract import datatypes, vectors
from crossload.contract.bundle import Bundle
from crossload.contract.manifest import Artifact, Binding, LeftOut, Manifest, Model, Reference, Strength, Vectors
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import CrossloadError, EnvironmentProblem, NoReference, WorkerFailure
from crossload.inputs.domains import Domain
from crossload.inputs.domains import of_artifact as domains_of
from crossload.inputs.requests import Requests, check_requests, draw, of_ranks
from crossload.inputs.requests import extra as more
from crossload.runtimes import environments, registry
from crossload.runtimes.environments import Wall
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from crossload.support import files
from crossload.support.text import printable
from crossload.verbs.verify import conditions, sufficiency

if TYPE_CHECKING:
    from crossload.artifacts.graphs.hidden_state import Hidden
    from crossload.verbs.verify.strength import Seeding

Progress = Callable[[str], None]


# Options without which a model does not load at all, in the reference either. A loader is a matter of the runtime that is compared.
_NEEDED = ("custom_objects", "allow_code", "op_libraries")
# The requests with which a rank is tried: a batch of one, and of several.
_PROBES = 2


def needed_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a user's load options without which a model does not load."""
    return {name: value for name, value in options.items() if name in _NEEDED}


def references(kind: str, others: Sequence[Runtime] = (), wall: Wall | None = None) -> list[Runtime]:
    """The runtimes that may record, the reference first: TensorFlow (then its Python), or LiteRT for a .tflite.

    `others` follow for models that crash the reference itself, or that it cannot carry.
    """
    usual = [r for r in registry.BUILT_IN if r.default and r.name in ("tensorflow", "litert")]
    candidates = [*usual, *(registry.one(r.fallback) for r in usual if r.fallback), *others]
    if wall:
        candidates = [registry.behind(r, wall) for r in candidates]
    return list(dict.fromkeys(able for r in candidates if (able := registry.able(r, kind))))


def record(
    root: Path,
    artifact: Artifact,
    signatures: Mapping[str, Signature],
    requests: Requests,
    limits: Limits,
    progress: Progress,
    candidates: Sequence[Runtime] = (),
    alive: Mapping[str, Supervisor] | None = None,
    options: Mapping[str, Any] | None = None,
    kept: dict[str, list[vectors.Vector]] | None = None,
    seeding: Seeding | None = None,
) -> tuple[list[Vectors], dict[str, Signature]]:
    """Write `vectors/` under `root` for one artifact's signatures, with the answers of the first capable candidate.

    `alive` are workers, by the runtime's title, that already run; `options` are the user's, to load the model. With `kept` the vectors
    go there, by signature, and no file is written. `seeding` measures their strength and chooses among them.
    Returns the manifest's entries, and the signatures completed from the answers (datatypes and shapes of outputs that the artifact does
    not state). A request that the reference cannot answer is left out and listed. Raises NoReference if no candidate loads the model and
    answers a request of any signature.
    """
    failures = []
    for runtime in candidates or references(artifact.format):
        try:
            living = (alive or {}).get(runtime.title)
            with (
                nullcontext(living)
                if living
                else Supervisor(runtime.name, environments.prepare(runtime.source, progress), limits) as supervisor
            ):
                progress(f"recording the answers of {artifact.id} with {runtime.title}")
                return record_with(supervisor, root, artifact, signatures, requests, options, kept, seeding)
        except WorkerFailure as failure:
            progress(f"{runtime.title} cannot be the reference ({failure.outcome}: {failure})")
            failures.append((runtime.title, failure))
        except EnvironmentProblem as problem:
            if not failures:
                raise
            progress(f"{runtime.title} is not asked for a reference: {problem}")
    raise NoReference(root / artifact.path, failures)


def record_with(
    supervisor: Supervisor,
    root: Path,
    artifact: Artifact,
    signatures: Mapping[str, Signature],
    requests: Requests,
    options: Mapping[str, Any] | None = None,
    kept: dict[str, list[vectors.Vector]] | None = None,
    seeding: Seeding | None = None,
) -> tuple[list[Vectors], dict[str, Signature]]:
    """`record` with a running runtime; raises WorkerFailure if it cannot load the model or carry any request."""
    # Loaded where something is recorded, not where it is verified.
    from crossload.artifacts.graphs import hidden_state
    from crossload.verbs.verify import rounding, steps

    entries: list[Vectors] = []
    tags = None if artifact.tags is None else tuple(artifact.tags)
    plain = ModelSource(root / artifact.path, artifact.format, artifact.bindings, tags, options or {}, signatures)
    source = conditions.pinned(supervisor, plain)
    by_steps = steps.of_artifact(root / artifact.path, artifact)
    if by_steps is not None:
        source = conditions.by_reference_kernels(supervisor, source)
    supervisor.load(source)
    reference = conditions.reference(supervisor, artifact.id, source)
    domains = domains_of(root / artifact.path, artifact.format, tags, {n: _bound(signatures[n], b) for n, b in artifact.bindings.items()})
    extra = seeding is not None and seeding.faults > 0
    hidden = hidden_state.of_artifact(root / artifact.path, artifact.format, tags, artifact.bindings)
    answers: dict[str, _Recorded] = {}
    for name in artifact.bindings:
        afresh = any(h.changing for h in hidden.values()) or any(r.state for r in answers.values())
        answers[name] = _repeatable(supervisor, source, name, requests, domains[name], hidden[name], afresh=afresh, extra=extra)
    failures = [r.failure for r in answers.values() if r.failure]
    if failures and len(failures) == len(answers):
        raise failures[0]
    learnt = {name: _learn(signatures[name], r.vectors) for name, r in answers.items()}
    steady = {name: r.vectors for name, r in answers.items() if r.vectors and not r.state}
    roundings = rounding.measure(supervisor, source, learnt, steady)
    by_steps = steps.carried(supervisor, source, by_steps, {n: r.vectors for n, r in answers.items()}) if by_steps else {}
    for name, by_output in by_steps.items():  # beside a scale, the rounding of floats has no part in an answer's judgement
        answers[name].vectors = [replace(v, steps=by_output, rounding=_without(v.rounding, by_output)) for v in answers[name].vectors]
        roundings[name] = _without(roundings.get(name, {}), by_output)
    strengths: dict[str, Strength] = {}
    if seeding is not None and extra:
        from crossload.verbs.verify import strength

        strengths = strength.measure(supervisor, root / artifact.path, artifact, learnt, steady, seeding)
    for name, one in answers.items():
        recorded = one.vectors
        file = root / vectors.path_of(name)
        if kept is None:
            vectors.write(file, name, recorded)
        else:
            kept[name] = recorded
        entries.append(
            Vectors(
                signature=name,
                path=vectors.path_of(name),
                count=len(recorded),
                sha256=files.sha256(file) if kept is None else "",
                seed=requests.seed,
                reference=reference,
                left_out=one.left_out,
                state=one.state,
                rounding=roundings.get(name, {}),
                steps=by_steps.get(name, {}),
                strength=strengths.get(name),
            )
        )
    return entries, learnt


_Value = TypeVar("_Value")


def _without(found: Mapping[str, _Value], names: Collection[str]) -> dict[str, _Value]:
    return {name: value for name, value in found.items() if name not in names}


@dataclass
class _Recorded:
    """A signature's vectors, the requests without an answer, and why an answer depends on the requests before it.

    `failure` is what the first request met, if none is answered.
    """

    vectors: list[vectors.Vector]
    left_out: list[LeftOut]
    state: str | None = None
    failure: WorkerFailure | None = None


def _repeatable(
    supervisor: Supervisor, source: ModelSource, name: str, requests: Requests, domain: Domain, hidden: Hidden, *, afresh: bool, extra: bool
) -> _Recorded:
    """A signature's answers as they are given again: in any order, else as a sequence after a load; none where neither holds.

    `afresh`: another signature may have changed the model's state.
    """
    from crossload.verbs.verify import repeats

    signature = source.signatures[name]
    requests = _of_answered_rank(supervisor, name, signature, requests, domain)

    def load(*, keep: bool) -> None:
        supervisor.load(replace(source, keep_state=keep))

    def again(recorded: Sequence[vectors.Vector]) -> bool:
        outputs = [t.name for t in signature.outputs]
        try:
            return repeats.repeated(recorded, lambda vector: supervisor.infer(name, vector.inputs, outputs).outputs)
        except WorkerFailure:
            return False

    if not hidden.changing:
        if afresh:
            load(keep=False)
        recorded, left_out, failure = _answers(supervisor, name, signature, requests, domain, extra=extra)
        if failure:
            return _Recorded([], left_out, failure=failure)
        if again(recorded if hidden else recorded[:1]):
            if hidden:
                load(keep=False)
            if not hidden or again(recorded):
                return _Recorded(recorded, left_out)
    load(keep=True)
    recorded, left_out, failure = _answers(supervisor, name, signature, requests, domain, extra=False)
    if failure:
        return _Recorded([], left_out, failure=failure)
    load(keep=True)
    if again(recorded):
        return _Recorded(recorded, left_out, repeats.why_state(hidden))
    return _Recorded([], [LeftOut(id=v.id, reason=repeats.why_not(hidden)) for v in recorded] + left_out)


def record_each(
    root: Path, entries: Sequence[Artifact], seed: int, one: Callable[[Artifact], tuple[list[Vectors], dict[str, Signature]]]
) -> tuple[list[Vectors], dict[str, Signature]]:
    """What `one` records of every entry of an artifact (one per tag set); those that no reference answers have no vectors.

    Raises NoReference if none is answered.
    """
    recorded: list[Vectors] = []
    learnt: dict[str, Signature] = {}
    failed: list[tuple[Artifact, NoReference]] = []
    for entry in entries:
        try:
            added, own = one(entry)
        except NoReference as error:
            failed.append((entry, error))
            continue
        recorded += added
        learnt |= own
    if failed and not recorded:
        raise failed[0][1]
    for entry, unloaded in failed:
        title, failure = unloaded.failures[0]
        name, _, version = title.partition("@")
        for signature in entry.bindings:
            file = root / vectors.path_of(signature)
            vectors.write(file, signature, [])
            reference = Reference(runtime=name, version=version, artifact=entry.id)
            left_out = [LeftOut(id="load", reason=f"{failure.outcome}: {str(failure)[:300]}")]
            recorded.append(
                Vectors(
                    signature=signature,
                    path=vectors.path_of(signature),
                    count=0,
                    sha256=files.sha256(file),
                    seed=seed,
                    reference=reference,
                    left_out=left_out,
                )
            )
    return recorded, learnt


def left_out_requests(recorded: Sequence[Vectors]) -> list[str]:
    """A sentence for each signature with requests that the reference did not answer: how many, and why the first was left out."""
    return [
        f"{len(v.left_out)} of {v.count + len(v.left_out)} requests of {v.signature} are left out: {v.reference.runtime} does not answer "
        f"them ({v.left_out[0].id}: {v.left_out[0].reason}); give real inputs with --input-file"
        if v.count
        else f"no answer of {v.signature} is kept: {sufficiency.why_empty(v)}"
        for v in recorded
        if v.left_out
    ]


def bundle_of(
    path: Path,
    root: Path,
    requests: Requests,
    limits: Limits,
    progress: Progress,
    others: Sequence[Runtime] = (),
    only: Sequence[str] | None = None,
    alive: Mapping[str, Supervisor] | None = None,
    options: Mapping[str, Any] | None = None,
    wall: Wall | None = None,
) -> Bundle:
    """A bundle around a bare artifact, which `root` links to; its vectors are in memory alone. Raises as `record` does.

    `others` may be the reference if the usual one fails; `only` names the signatures to record; `alive` and `options` as in `record`.
    """
    # The files of a checkpoint lie beside each other, so link their folder.
    whole = path.resolve()
    linked = whole if path.is_dir() or artifacts.recognise(path) not in ("checkpoint", "meta_graph") else whole.parent
    link = root / (printable(linked.name) or "root")
    link.symlink_to(linked, target_is_directory=linked.is_dir())
    found = artifacts.read(path)
    entries, signatures = artifacts_of(path, link.name if linked == whole else f"{link.name}/{path.name}", found=found)
    if unknown := set(only or ()) - set(signatures):
        raise CrossloadError(unknown_signature(path, sorted(unknown)[0], signatures, found))
    check_requests(requests, signatures)
    kept: dict[str, list[vectors.Vector]] = {}
    for artifact in entries if only is not None else ():
        artifact.bindings = {name: b for name, b in artifact.bindings.items() if name in (only or ())}

    def one(artifact: Artifact) -> tuple[list[Vectors], dict[str, Signature]]:
        candidates = references(artifact.format, others, wall)
        return record(root, artifact, signatures, requests, limits, progress, candidates, alive, options, kept)

    recorded, learnt = record_each(root, [a for a in entries if a.bindings], requests.seed, one)
    signatures |= learnt
    manifest = Manifest(model=Model(name=printable(whole.stem)), signatures=signatures, artifacts=entries, vectors=recorded)
    left_out = () if only is not None else tuple(artifacts.left_out(found).values())
    return Bundle(root, manifest, left_out, kept)


def _of_answered_rank(supervisor: Supervisor, name: str, signature: Signature, requests: Requests, domain: Domain) -> Requests:
    """The requests with those shapes for inputs of unknown rank of whose first requests the reference answers the most."""
    candidates = of_ranks(signature, requests)
    best, most = candidates[0], -1
    for tried in candidates if len(candidates) > 1 else ():
        probes = draw(signature, replace(tried, inputs=()), domain)[:_PROBES]
        answered = 0
        for vector in probes:
            try:
                supervisor.infer(name, vector.inputs, [t.name for t in signature.outputs])
                answered += 1
            except WorkerFailure as failure:
                if failure.outcome != "run_error":  # of no shape, or the worker's end
                    return best
        if answered > most:
            best, most = tried, answered
        if answered == len(probes):
            break
    return best


def _answers(
    supervisor: Supervisor, name: str, signature: Signature, requests: Requests, domain: Domain, *, extra: bool
) -> tuple[list[vectors.Vector], list[LeftOut], WorkerFailure | None]:
    """The answered vectors, those left out, and the first failure if none is answered.

    With `extra` also more vectors, as far as they are answered.
    """
    recorded, left_out = [], []
    first: WorkerFailure | None = None
    drawn = draw(signature, requests, domain)
    for vector in [*drawn, *(more(signature, requests, domain, drawn) if extra else ())]:
        try:
            answer = supervisor.infer(name, vector.inputs, [t.name for t in signature.outputs])
            answered = replace(vector, outputs=answer.outputs)
            if problem := vectors.misfit(answered, signature):
                raise WorkerFailure("protocol_error", "run", f"the reference's answer does not fit the signature: {problem}")
            recorded.append(answered)
        except WorkerFailure as failure:
            if not vector.extra:
                first = first or failure
                left_out.append(LeftOut(id=vector.id, reason=f"{failure.outcome}: {str(failure)[:300]}"))
    if [v for v in recorded if not v.extra]:
        if extra:
            recorded += _winners(supervisor, name, signature, requests, domain, recorded)
        return recorded, left_out, None
    assert first, "a signature has at least one request"
    sentence = f"the reference answers no request for the signature {name!r}: {first}"
    return [], left_out, WorkerFailure(first.outcome, first.phase, sentence, first.stderr)


def _winners(
    supervisor: Supervisor, name: str, signature: Signature, requests: Requests, domain: Domain, recorded: list[vectors.Vector]
) -> list[vectors.Vector]:
    """The answered vector that makes further classes win, if one is found; rows that the reference refuses end the search."""
    from crossload.verbs.verify import winners

    def ask(inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return supervisor.infer(name, inputs, [t.name for t in signature.outputs]).outputs

    try:
        found = winners.search(ask, signature, requests, domain, recorded)
        return [replace(found, outputs=ask(found.inputs))] if found else []
    except WorkerFailure as failure:
        if failure.outcome == "run_error":
            return []
        raise


def _bound(signature: Signature, binding: Binding) -> Signature:
    """The signature with the inputs' tensors in this artifact."""
    return replace(signature, inputs=tuple(replace(t, tensor=binding.inputs.get(t.name)) for t in signature.inputs))


def _learn(signature: Signature, recorded: list[vectors.Vector]) -> Signature:
    def learn(spec: TensorSpec) -> TensorSpec:
        answers = [v.outputs[spec.name] for v in recorded if spec.name in v.outputs]
        if not answers or (spec.datatype in datatypes.DATATYPES and spec.shape is not None):
            return spec
        return replace(spec, datatype=datatypes.of_array(answers[0]), shape=_common_shape(answers) if spec.shape is None else spec.shape)

    return replace(signature, outputs=tuple(learn(t) for t in signature.outputs))


def _common_shape(arrays: list[np.ndarray]) -> tuple[int, ...] | None:
    """The shape that all have in common, -1 where dimensions differ; None if the ranks differ."""
    if len({a.ndim for a in arrays}) != 1:
        return None
    return tuple(
        next(iter(sizes)) if len(sizes) == 1 else -1 for sizes in (set(dims) for dims in zip(*(a.shape for a in arrays), strict=True))
    )
