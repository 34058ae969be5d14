"""Load and run: any artifact in any runtime behind callables, NumPy in and out; the model lives in a worker's process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload.contract.bundle import is_bundle, open_bundle
from crossload.contract.manifest import Artifact
from crossload.contract.signatures import Signature
from crossload.errors import CrossloadError
from crossload.recording import artifacts_of
from crossload.requests import complete
from crossload.runtimes import environments, registry
from crossload.runtimes.process import WorkerFailure
from crossload.runtimes.supervisor import Answer, Limits, ModelSource, Supervisor

if TYPE_CHECKING:
    import numpy as np


class RunFailed(CrossloadError):
    """What a runtime did with a model other than answer; `outcome` is the word of DESIGN's closed set."""

    exit_status = 1

    def __init__(self, outcome: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


@dataclass(frozen=True)
class SignatureFunction:
    """A signature as a callable: named arrays in, a dict of named arrays out."""

    name: str
    signature: Signature
    _model: Model

    def __call__(self, **inputs: Any) -> dict[str, np.ndarray]:
        """Run it. Omitted inputs take their default. Raises CrossloadError for inputs that do not fit, RunFailed for the runtime's part."""
        return self.answer(inputs).outputs

    def answer(self, inputs: Mapping[str, Any]) -> Answer:
        """The outputs with the runtime's own time and note."""
        return self._model.infer(self.name, complete(self.signature, inputs))


class Model:
    """A loaded artifact; close it, or use it as a context manager, to end its worker."""

    def __init__(self, supervisor: Supervisor, artifact: Artifact, signatures: Mapping[str, Signature], note: str | None) -> None:
        self.artifact, self.note = artifact, note
        self._supervisor = supervisor
        self.signatures = {name: SignatureFunction(name, signatures[name], self) for name in artifact.bindings}

    def signature(self, name: str | None = None) -> SignatureFunction:
        """The signature of this name, or the only one; raises CrossloadError listing those there are."""
        there = ", ".join(self.signatures)
        if name is None:
            if len(self.signatures) == 1:
                return next(iter(self.signatures.values()))
            raise CrossloadError(f"the artifact has several signatures, name one: {there}")
        if name not in self.signatures:
            near = get_close_matches(name, self.signatures, 1)
            raise CrossloadError(f"there is no signature {name!r}{f' (did you mean {near[0]}?)' if near else ''}; there are: {there}")
        return self.signatures[name]

    def infer(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Answer:
        """Run a signature on inputs that are complete already."""
        try:
            return self._supervisor.infer(signature, inputs, [t.name for t in self.signatures[signature].signature.outputs])
        except WorkerFailure as failure:
            raise RunFailed(failure.outcome, f"{self._supervisor.name} ({failure.outcome}): {failure}") from failure

    def close(self) -> str | None:
        """End the worker; how it died if it did not exit cleanly."""
        return self._supervisor.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load(
    path: str | Path,
    runtime: str | None = None,
    *,
    tags: Sequence[str] | None = None,
    artifact: str | None = None,
    limits: Limits | None = None,
) -> Model:
    """Load a bundle's artifact or a bare one in a runtime.

    Without `runtime`, the first default one that takes the format. `tags` chooses a MetaGraph of a SavedModel, `artifact` one of a
    bundle. Raises CrossloadError for input that cannot be used, RunFailed when the runtime does not load it.
    """
    path = Path(path)
    if is_bundle(path):
        bundle = open_bundle(path)
        root, entries, signatures = path, bundle.manifest.artifacts, bundle.manifest.signatures
    else:
        entries, signatures = artifacts_of(path, path.name)
        root = path.parent
    candidates = registry.find([runtime] if runtime else None)
    entry, chosen = _choose(path, entries, candidates, tags, artifact)
    source = ModelSource(root / entry.path, entry.format, entry.bindings, None if entry.tags is None else tuple(entry.tags))
    supervisor = Supervisor(chosen.name, environments.prepare(chosen.source), limits)
    try:
        note = supervisor.load(source)
    except WorkerFailure as failure:
        supervisor.close()
        raise RunFailed(failure.outcome, f"{chosen.title} cannot load {source.path} ({failure.outcome}): {failure}") from failure
    except BaseException:
        supervisor.close()
        raise
    return Model(supervisor, entry, signatures, note)


def _choose(
    path: Path, entries: Sequence[Artifact], runtimes: Sequence[registry.Runtime], tags: Sequence[str] | None, wanted: str | None
) -> tuple[Artifact, registry.Runtime]:
    left = list(entries)
    if wanted is not None:
        left = [e for e in left if e.id == wanted]
        if not left:
            raise CrossloadError(f"{path} has no artifact {wanted!r}; it has: {', '.join(e.id for e in entries)}")
    if tags is not None:
        left = [e for e in left if e.tags is not None and set(e.tags) == set(tags)]
        if not left:
            there = "; ".join(", ".join(e.tags) or "(none)" for e in entries if e.tags is not None)
            raise CrossloadError(
                f"{path} has no MetaGraph with the tags {', '.join(tags) or '(none)'}; its tag sets are: {there or 'none'}"
            )
    for entry in left:
        for runtime in runtimes:
            if entry.format in runtime.formats:
                return entry, runtime
    taken = ", ".join(dict.fromkeys(f for r in runtimes for f in r.formats))
    raise CrossloadError(f"{runtimes[0].name} takes {taken}; {path} is {', '.join(dict.fromkeys(e.format for e in left))}")
