"""Recording: write the reference's answers, from a fresh process on the reloaded artifact, as the bundle's vectors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from crossload import artifacts
from crossload.artifacts.entries import artifacts_of, unknown_signature
from crossload.contract import vectors
from crossload.contract.bundle import Bundle
from crossload.contract.manifest import Artifact, LeftOut, Manifest, Model, Reference, Strength, Vectors
from crossload.contract.signatures import Signature
from crossload.errors import CrossloadError, EnvironmentProblem, NoReference, WorkerFailure
from crossload.inputs.domains import of_artifact as domains_of
from crossload.inputs.requests import Requests, check_requests
from crossload.runtimes import environments, registry
from crossload.runtimes.environments import Wall
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from crossload.support import files
from crossload.support.text import printable
from crossload.verbs.verify import conditions, sufficiency

if TYPE_CHECKING:
    from crossload.verbs.verify.strength import Seeding

Progress = Callable[[str], None]


# Options without which a model does not load at all, in the reference either. A loader is a matter of the runtime that is compared.
_NEEDED = ("custom_objects", "allow_code", "op_libraries")


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
    from crossload.verbs.verify import answers, rounding, steps

    entries: list[Vectors] = []
    tags = None if artifact.tags is None else tuple(artifact.tags)
    plain = ModelSource(root / artifact.path, artifact.format, artifact.bindings, tags, options or {}, signatures)
    source = conditions.pinned(supervisor, plain)
    by_steps = steps.of_artifact(root / artifact.path, artifact)
    if by_steps is not None:
        source = conditions.by_reference_kernels(supervisor, source)
    supervisor.load(source)
    reference = conditions.reference(supervisor, artifact.id, source)
    bound = {n: signatures[n].bound(b.inputs, b.outputs) for n, b in artifact.bindings.items()}
    domains = domains_of(root / artifact.path, artifact.format, tags, bound)
    extra = seeding is not None and seeding.faults > 0
    hidden = hidden_state.of_artifact(root / artifact.path, artifact.format, tags, artifact.bindings)
    found: dict[str, answers.Answers] = {}
    for name in artifact.bindings:
        afresh = any(h.changing for h in hidden.values()) or any(r.state for r in found.values())
        found[name] = answers.repeatable(supervisor, source, name, requests, domains[name], hidden[name], afresh=afresh, extra=extra)
        if (failure := found[name].failure) and failure.outcome == "run_error":
            from crossload.verbs.verify.advice import advice

            own = replace(bound[name], key=name)
            failure.advice = advice(supervisor, source.path, artifact.format, tags, own, requests, domains[name])
    failures = [r.failure for r in found.values() if r.failure]
    if failures and len(failures) == len(found):
        raise failures[0]
    learnt = {name: answers.completed(signatures[name], r.vectors) for name, r in found.items()}
    steady = {name: r.vectors for name, r in found.items() if r.vectors and not r.state}
    sequences = {name: r.vectors for name, r in found.items() if r.vectors and r.state}
    roundings = rounding.measure(supervisor, source, learnt, steady)
    roundings |= rounding.measure(supervisor, replace(source, keep_state=True), learnt, sequences)
    by_steps = steps.carried(supervisor, source, by_steps, {n: r.vectors for n, r in found.items()}, sequences) if by_steps else {}
    for name, by_output in by_steps.items():  # beside a scale, the rounding of floats has no part in an answer's judgement
        found[name].vectors = [replace(v, steps=by_output, rounding=_without(v.rounding, by_output)) for v in found[name].vectors]
        roundings[name] = _without(roundings.get(name, {}), by_output)
    strengths: dict[str, Strength] = {}
    if seeding is not None and extra:
        from crossload.verbs.verify import strength

        strengths = strength.measure(supervisor, root / artifact.path, artifact, learnt, steady, seeding)
    for name, one in found.items():
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
