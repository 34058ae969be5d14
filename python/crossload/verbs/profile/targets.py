"""What is profiled: for each artifact, the signature that is called and the one request that it gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload.artifacts import DEFAULT_KEY, select
from crossload.artifacts.entries import artifacts_of
from crossload.artifacts.tflite import tflite_file
from crossload.contract.bundle import Bundle, is_bundle, open_bundle
from crossload.contract.manifest import Artifact
from crossload.contract.signatures import Signature
from crossload.errors import CrossloadError
from crossload.inputs import domains, quantization
from crossload.inputs.requests import Requests, check_requests, draw
from crossload.runtimes.supervisor import ModelSource
from crossload.support.text import near

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Target:
    """An artifact to load, the signature to call, and the request: `inputs`, whose name is `vector`."""

    artifact: str
    source: ModelSource
    signature: str
    outputs: tuple[str, ...]
    inputs: Mapping[str, np.ndarray]
    vector: str

    @property
    def key(self) -> str | None:
        """The signature's key in the file."""
        return self.source.bindings[self.signature].key


def targets(
    path: Path,
    artifacts: Sequence[str] | None,
    signature: str | None,
    tags: Sequence[str] | None,
    requests: Requests,
    options: Mapping[str, Any],
) -> list[Target]:
    """The chosen artifacts of a bundle, or a bare one; a bundle's recorded requests, unless the user gives own ones or shapes.

    Raises CrossloadError for names that do not exist and for inputs that do not fit.
    """
    bundle = open_bundle(path) if is_bundle(path) else None
    if bundle:
        entries, signatures = bundle.manifest.artifacts, bundle.manifest.signatures
    else:
        entries, signatures = artifacts_of(path, str(path.resolve()), tags)
    chosen = select.select(path, entries, tags, None)
    if artifacts:
        chosen = [select.select(path, chosen, None, name)[0] for name in dict.fromkeys(artifacts)]
    named = [(entry, signature_of(entry, signature)) for entry in chosen]
    check_requests(replace(requests, inputs=()), {name: signatures[name] for _, name in named})
    return [_target(bundle, path, entry, name, signatures, requests, options) for entry, name in named]


def signature_of(entry: Artifact, wanted: str | None) -> str:
    """The artifact's signature of this name, or a quantised variant's own one (`wanted@int8`); else its only or its default one.

    Raises CrossloadError where neither is there.
    """
    plain = {name.partition("@")[0]: name for name in reversed(entry.bindings)}
    if wanted is not None:
        if wanted not in entry.bindings and wanted.partition("@")[0] not in plain:
            raise CrossloadError(
                f"{entry.id} has no signature {wanted!r}{near(wanted, entry.bindings)}; it has: {', '.join(entry.bindings) or 'none'}"
            )
        return wanted if wanted in entry.bindings else plain[wanted.partition("@")[0]]
    if len(plain) == 1 or DEFAULT_KEY in plain:
        return plain.get(DEFAULT_KEY) or next(iter(plain.values()))
    raise CrossloadError(f"{entry.id} has several signatures, name one with --signature: {', '.join(entry.bindings) or 'none'}")


def _target(
    bundle: Bundle | None,
    path: Path,
    entry: Artifact,
    name: str,
    signatures: Mapping[str, Signature],
    requests: Requests,
    options: Mapping[str, Any],
) -> Target:
    file = bundle.path(entry) if bundle else path
    tags = None if entry.tags is None else tuple(entry.tags)
    source = ModelSource(file, entry.format, entry.bindings, tags, options, signatures)
    inputs, vector = _request(bundle, source, name, requests)
    return Target(entry.id, source, name, tuple(t.name for t in signatures[name].outputs), inputs, vector)


def _request(bundle: Bundle | None, source: ModelSource, name: str, requests: Requests) -> tuple[Mapping[str, np.ndarray], str]:
    own = bool(requests.inputs or requests.shapes)
    if bundle and not own and (recorded := bundle.vectors(name)):
        return recorded[0].inputs, recorded[0].id
    binding = source.bindings[name]
    bound = source.signatures[name].bound(binding.inputs, binding.outputs)
    domain = None
    if source.format == "tflite":
        file = tflite_file.read(source.path, ops=False).signature(binding.key)
        stored = tuple(_stored(file, given) for given in requests.own())
        requests = replace(requests, inputs=stored)
    else:
        domain = domains.of_artifact(source.path, source.format, source.tags, {name: bound})[name]
    check_requests(replace(requests, shapes={}), {name: bound})
    drawn = draw(bound, replace(requests, count=1), domain)
    return drawn[-1].inputs, drawn[-1].id


def _stored(signature: Signature, given: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """The user's real values as a quantised input stores them; integers are taken as they are."""
    return {**given, **quantization.inputs(signature, {n: a for n, a in given.items() if a.dtype.kind == "f"})}
