"""New requests for a bundle: the reference answers them now, so that a worker that replays the recorded answers does not pass."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from crossload.contract.bundle import Bundle
from crossload.contract.manifest import Artifact
from crossload.contract.vectors import Vector
from crossload.errors import CrossloadError
from crossload.inputs.requests import Requests
from crossload.runtimes import registry
from crossload.runtimes.registry import Runtime
from crossload.verbs.verify.plan import Plan
from crossload.verbs.verify.record import record, references

_SEEDS = 1 << 31


def seeded(requests: Requests) -> Requests:
    """The requests with a seed that nobody knew before; one that was given stays."""
    return requests if requests.seed else replace(requests, seed=1 + secrets.randbelow(_SEEDS - 1))


def draw(bundle: Bundle, plan: Plan, options: Mapping[str, Any], progress: Callable[[str], None]) -> dict[str, list[Vector]]:
    """By signature, the plan's number of new vectors with the reference's answers; their ids are `fresh_…`.

    The reference is the runtime that recorded the bundle, on the same artifact if the bundle has it. Raises CrossloadError if the bundle
    has no artifact that a reference runs, and as `record` does.
    """
    found: dict[str, list[Vector]] = {}
    by_artifact: dict[str, tuple[Artifact, list[Runtime], list[str]]] = {}
    for entry in bundle.manifest.vectors:
        artifact = _asked(bundle, entry.signature, entry.reference.artifact)
        candidates = [r for r in registry.all_runtimes() if r.name == entry.reference.runtime and registry.able(r, artifact.format) == r]
        by_artifact.setdefault(artifact.id, (artifact, candidates, []))[2].append(entry.signature)
    for artifact, candidates, names in by_artifact.values():
        chosen = artifact.model_copy(update={"bindings": {n: artifact.bindings[n] for n in names}})
        kept: dict[str, list[Vector]] = {}
        requests = Requests(count=plan.fresh, seed=plan.requests.seed)
        asked = [registry.behind(r, plan.wall) if plan.wall else r for r in candidates[-1:]]
        signatures = bundle.manifest.signatures
        record(bundle.root, chosen, signatures, requests, plan.limits, progress, asked, options=options, kept=kept)
        found.update({name: [replace(v, id=f"fresh_{v.id}") for v in vectors] for name, vectors in kept.items()})
    return found


def _asked(bundle: Bundle, signature: str, recorded: str) -> Artifact:
    """The artifact that answers a signature: the one that was recorded, else the first that a reference runs."""
    there = [a for a in bundle.manifest.artifacts if signature in a.bindings and references(a.format)]
    if not there:
        raise CrossloadError(f"{bundle.root} has no artifact whose {signature} a reference could answer anew; verify without --fresh")
    return next((a for a in there if a.id == recorded), there[0])
