"""Load and run any artifact in any runtime through callables, NumPy in and out; the model lives in a worker process."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload.artifacts import DEFAULT_KEY, left_out, read, select
from crossload.artifacts.content import in_list, in_words
from crossload.artifacts.entries import artifacts_of
from crossload.contract.bundle import is_bundle, open_bundle
from crossload.contract.manifest import Artifact
from crossload.contract.signatures import Signature
from crossload.errors import CrossloadError, RunFailed, WorkerFailure
from crossload.runtimes import environments, registry
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Answer, Limits, ModelSource, Supervisor
from crossload.support.text import near

if TYPE_CHECKING:
    import numpy as np

    from crossload.artifacts.graphs.composites import Composite
    from crossload.inputs.domains import Feature


@dataclass(frozen=True)
class SignatureFunction:
    """A callable signature: named arrays in, a dict of named arrays out."""

    name: str
    signature: Signature
    _model: Model

    def __call__(self, /, **inputs: Any) -> dict[str, np.ndarray]:
        """Run it. Omitted inputs take their default. Raises CrossloadError for inputs that do not fit, RunFailed if the runtime fails."""
        return self.answer(inputs).outputs

    def answer(self, inputs: Mapping[str, Any]) -> Answer:
        """The outputs with the runtime's own time and note.

        A .tflite takes another batch than it was written with: interpreters resize it, or say which operator cannot be.
        """
        from crossload.inputs.requests import complete

        bound = self._model.bound(self.name)
        taken = complete(_with_free_batch(bound) if self._model.artifact.format == "tflite" else bound, inputs)
        answer = self._model.infer(self.name, taken)
        written = {t.name: t.shape for t in bound.inputs}
        for name, array in taken.items():
            if (shape := written[name]) and shape[0] not in (-1, *array.shape[:1]):
                resized = f"the file's {name!r} has the shape {list(shape)}, and was resized to {list(array.shape)}"
                answer.note = "; ".join(filter(None, (answer.note, resized)))
        return answer


def _with_free_batch(signature: Signature) -> Signature:
    return replace(signature, inputs=tuple(replace(t, shape=(-1, *t.shape[1:])) if t.shape else t for t in signature.inputs))


class Model:
    """A loaded artifact. Close it, or use it as a context manager, to end its worker."""

    def __init__(
        self,
        artifact: Artifact,
        signatures: Mapping[str, Signature],
        source: ModelSource,
        runtime: Runtime,
        limits: Limits | None,
        others: Sequence[Runtime] = (),
    ) -> None:
        """`others` are tried in their order if the runtime does not load the model."""
        self.artifact, self.runtime, self._others = artifact, runtime, list(others)
        self.note: str | None = None
        self._source, self._limits = source, limits
        self._supervisor: Supervisor | None = None
        self._loaded = False
        self.signatures = {name: SignatureFunction(name, signatures[name], self) for name in artifact.bindings}

    def signature(self, name: str | None = None) -> SignatureFunction:
        """The signature of this name, or the only one; raises CrossloadError listing the existing ones.

        A Keras export has the same one twice, as `serve` and as `serving_default`.
        """
        there = ", ".join(self.signatures)
        if name is None:
            if len(self.signatures) == 1:
                return next(iter(self.signatures.values()))
            if self.signatures.keys() == {"serve", DEFAULT_KEY} and _alike(*(f.signature for f in self.signatures.values())):
                return self.signatures[DEFAULT_KEY]
            raise CrossloadError(f"the artifact has several signatures, name one: {there}")
        if name not in self.signatures:
            if reason := left_out(read(self._source.path)).get(name):
                raise CrossloadError(reason)
            raise CrossloadError(f"there is no signature {name!r}{near(name, self.signatures)}; there are: {there}")
        return self.signatures[name]

    def features(self, signature: str) -> Mapping[str, Sequence[Feature]]:
        """By input, the features that the graph parses from its tf.Examples."""
        if self._source.format == "tflite":  # which has no op that parses them
            return {}
        from crossload.inputs import domains

        bound = {signature: self.bound(signature)}
        return domains.of_artifact(self._source.path, self._source.format, self._source.tags, bound)[signature].examples

    def bound(self, signature: str) -> Signature:
        """The signature with its tensors in this artifact."""
        binding = self.artifact.bindings[signature]
        return self.signatures[signature].signature.bound(binding.inputs, binding.outputs)

    def disagreement(self, signature: str) -> str | None:
        """A sentence about an input that the signature declares otherwise than its graph takes it, and what to type instead."""
        if self.artifact.format != "saved_model":
            return None
        from crossload import artifacts
        from crossload.artifacts.graphs import declared_inputs

        graph = artifacts.graph_of(self._source.path, self._source.tags)
        found = declared_inputs.disagreement(graph.nodes, replace(self.bound(signature), key=signature))
        return None if found is None else found.sentence

    def composites(self, signature: str) -> Sequence[Composite]:
        """The sparse and ragged tensors whose parts are inputs of the signature."""
        from crossload.artifacts.graphs import composites
        from crossload.inputs import domains

        binding = self.artifact.bindings[signature]
        bound = {signature: replace(self.bound(signature), key=binding.key or signature)}
        if self._source.format == "tflite":  # whose inputs' names alone tell
            return composites.by_name(bound[signature])
        return domains.of_artifact(self._source.path, self._source.format, self._source.tags, bound)[signature].composites

    def _unparsed(self, signature: str, failure: WorkerFailure) -> str | None:
        """What to type instead of strings that the graph does not parse as tf.Examples (core/util/example_proto_fast_parsing.cc)."""
        if not re.search("[Ee]xample|Feature: ", failure.message):
            return None
        from crossload.inputs import tf_example

        return next(
            (
                f"the input takes tf.Examples: --input-examples {shlex.quote(f'{name}={json.dumps([tf_example.sample(features)])}')}"
                for name, features in self.features(signature).items()
            ),
            None,
        )

    def begin(self) -> None:
        """Start the worker's process without waiting for it, if its environment is made: its start takes longer than reading inputs."""
        if self._supervisor is None and environments.missing(self.runtime.source) is None:
            self._supervisor = self._supervised()
            self._supervisor.begin()

    def start(self) -> None:
        """Start the worker and load the model if necessary; raises RunFailed if the runtime does not load it."""
        if self._loaded:
            return
        self._supervisor = supervisor = self._supervisor or self._supervised()
        try:
            self.note = supervisor.load(self._source)
            self._loaded = True
        except WorkerFailure as failure:
            from crossload.verbs.check.failures import explained

            self.close()
            if self._others:
                first, self.runtime = self.runtime, self._others.pop(0)
                self.start()
                self.note = "; ".join(filter(None, (f"{first.title} does not load it ({failure})", self.note)))
                return
            said = explained(failure, self.runtime, self._source)
            raise RunFailed(
                failure.outcome, f"{self.runtime.title} cannot load {self._source.path} ({failure.outcome}): {said}"
            ) from failure
        except BaseException:
            self.close()
            raise

    def _supervised(self) -> Supervisor:
        return Supervisor(self.runtime.name, environments.prepare(self.runtime.source), self._limits)

    def infer(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Answer:
        """Run a signature on complete inputs."""
        self.start()
        assert self._supervisor
        try:
            return self._supervisor.infer(signature, inputs, [t.name for t in self.signatures[signature].signature.outputs])
        except WorkerFailure as failure:
            from crossload.verbs.check.failures import explained

            said = explained(failure, self.runtime, self._source, signature)
            if failure.outcome == "run_error" and (more := self.disagreement(signature) or self._unparsed(signature, failure)):
                said = f"{said}; {more}"
            raise RunFailed(failure.outcome, f"{self.runtime.title} ({failure.outcome}): {said}") from failure

    def close(self) -> str | None:
        """End the worker; returns how it died if it did not exit cleanly."""
        supervisor, self._supervisor, self._loaded = self._supervisor, None, False
        return supervisor.close() if supervisor else None

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _alike(one: Signature, other: Signature) -> bool:
    """Whether two signatures take and give the same."""

    def sides(signature: Signature) -> list[set[tuple[str, str, tuple[int, ...] | None]]]:
        return [{(t.name, t.datatype, t.shape) for t in side} for side in (signature.inputs, signature.outputs)]

    return sides(one) == sides(other)


def load(
    path: str | Path,
    runtime: str | None = None,
    *,
    tags: Sequence[str] | None = None,
    artifact: str | None = None,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    options: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
) -> Model:
    """Load a bundle's artifact or a bare one in a runtime.

    By default in the first default runtime that takes the format; a .tflite in LiteRT, or the first other default interpreter that
    loads it. `tags` chooses a MetaGraph of a SavedModel, `artifact` one of a
    bundle. `inputs` and `outputs` name tensors of a graph (`name=operation:index`, `operation`) as its signature.
    `options` are those that a Keras file may need (`custom_objects`, a .py with its classes, and `allow_code` for Lambda layers), and the
    `loader` of a SavedModel in `tensorflow+python`: "function", "session" or "keras"; no other is taken in its place.
    Raises CrossloadError for input that cannot be used, RunFailed if the runtime does not load it.
    """
    model = choose(path, runtime, tags=tags, artifact=artifact, inputs=inputs, outputs=outputs, options=options, limits=limits)
    model.start()
    return model


def run(
    path: str | Path,
    inputs: Mapping[str, Any],
    runtime: str | None = None,
    *,
    signature: str | None = None,
    tags: Sequence[str] | None = None,
    artifact: str | None = None,
    options: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
) -> dict[str, np.ndarray]:
    """Load the artifact, call a signature once (the only one, unless named), end the worker; returns the outputs.

    Raises as `load` does, CrossloadError for inputs that do not fit, and RunFailed if the runtime does not answer.
    """
    with load(path, runtime, tags=tags, artifact=artifact, options=options, limits=limits) as model:
        return model.signature(signature).answer(inputs).outputs


def choose(
    path: str | Path,
    runtime: str | None = None,
    *,
    tags: Sequence[str] | None = None,
    artifact: str | None = None,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    options: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
) -> Model:
    """The model that `load` would load, before loading: its signatures are known, and mistakes show before the slow start."""
    path = Path(path)
    if is_bundle(path):
        bundle = open_bundle(path)
        root, entries, signatures = path, bundle.manifest.artifacts, bundle.manifest.signatures
    elif inputs or outputs:
        entry, signatures = select.choose(path, tags, None, inputs, outputs)
        root, entries = path.parent, [entry]
    else:
        entries, signatures = artifacts_of(path, path.name, tags)
        root = path.parent
    left = select.select(path, entries, tags, artifact)
    # LiteRT is the newest interpreter, so it is asked first.
    runtimes = [registry.one(runtime)] if runtime else sorted(registry.find(), key=lambda r: r.name != "litert")
    entry, chosen = _choose(path, left, runtimes, options)
    others = [r for r in runtimes if entry.format == "tflite" in r.formats and r != chosen]
    source = ModelSource(
        root / entry.path,
        entry.format,
        entry.bindings,
        None if entry.tags is None else tuple(entry.tags),
        dict(options or {}),
        signatures,
    )
    return Model(entry, signatures, source, chosen, limits, others)


def _choose(
    path: Path, left: Sequence[Artifact], runtimes: Sequence[Runtime], options: Mapping[str, Any] | None
) -> tuple[Artifact, Runtime]:
    for entry in left:
        for runtime in runtimes:
            if able := registry.able(runtime, entry.format, options):
                return entry, able
    taken = in_list(tuple(dict.fromkeys(f for r in runtimes for f in r.formats)))
    kinds = list(dict.fromkeys(e.format for e in left))
    convertible = "SavedModel" in taken and set(kinds) <= {"meta_graph", "checkpoint", "keras", "keras_h5"}
    step = f"; `crossload convert {shlex.quote(str(path))} DESTINATION` makes a SavedModel of it" if convertible else ""
    raise CrossloadError(f"{', '.join(r.name for r in runtimes)} takes {taken}; {path} is {', '.join(map(in_words, kinds))}{step}")
