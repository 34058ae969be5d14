"""Diagnose: ask an artifact and its reference for their inner tensors, and find the first that differs beyond rounding."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crossload.compare.judge import at_least, judge
from crossload.compare.tolerance import BOUND, EPSILON, Tolerances
from crossload.contract import datatypes
from crossload.contract.bundle import Bundle, is_bundle, open_bundle
from crossload.contract.manifest import Artifact
from crossload.contract.vectors import Vector
from crossload.errors import CrossloadError, WorkerFailure
from crossload.inputs.requests import complete
from crossload.runtimes import environments, registry
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from crossload.support.text import near
from crossload.verbs.diagnose import reproducer as reproducers
from crossload.verbs.diagnose import sides
from crossload.verbs.diagnose.sides import Side, Step
from crossload.verbs.verify import differing
from crossload.verbs.verify.record import references
from crossload.verbs.verify.rounding import distance

_AT_ONCE = 48
# Where float64 is not known: the rounding of a sum of so many terms.
_SUMMED = 16
_USUAL = "serving_default"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Divergence:
    """The first tensor that differs, `tensor` None if none does. `inputs` are those of its operation, and whether each agrees.

    `against` is the reference's tensor; `apart` the difference in roundings; `compared` the number of tensors that agree before it.
    `distances` are those of each compared tensor, up to the first that differs: the difference in roundings, None where it is not finite.
    """

    artifact: str
    runtime: str
    reference: str
    signature: str
    vector: str
    compared: int
    left_out: int
    tensor: str | None = None
    against: str | None = None
    op: str | None = None
    layer: str | None = None
    apart: float | None = None
    detail: str | None = None
    why: str | None = None
    inputs: tuple[tuple[str, bool | None], ...] = ()
    reproducer: str | None = None
    distances: Mapping[str, float | None] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The object of `diagnose --json`."""
        return {k: v for k, v in asdict(self).items() if v is not None} | {"inputs": [{"name": n, "agrees": a} for n, a in self.inputs]}


def diagnose(
    path: str | Path,
    *,
    runtime: str,
    artifact: str | None = None,
    against: str | None = None,
    signature: str | None = None,
    vector: str | None = None,
    reproducer: str | Path | None = None,
    overwrite: bool = False,
    limits: Limits | None = None,
    progress: Progress = lambda _: None,
) -> Divergence:
    """The first inner tensor of an artifact in a runtime that differs beyond rounding from the reference's.

    `path` is a bundle. `artifact` may be omitted if the runtime takes one alone. `against` is another artifact of the bundle (a SavedModel
    or a frozen graph, in the runtime that records), or another runtime for the same artifact; by default the artifact whose answers
    were recorded. `vector` is the request, by default the first that differs. `reproducer` is a folder for the operation alone: its
    graph, its inputs, both answers. Raises CrossloadError for two sides that cannot be compared, saying why and what to do.
    """
    if not is_bundle(Path(path)):
        raise CrossloadError(f"{path} is not a bundle; write one with `crossload export MODEL -o BUNDLE` and diagnose that")
    bundle, limits = open_bundle(Path(path)), limits or Limits()
    own = registry.one(runtime)
    entry = _artifact(bundle, artifact, own)
    name = _signature(entry, signature)
    there, reference = _other(bundle, entry, name, against)
    if reproducer is not None:
        reproducers.check(Path(reproducer), bundle.root, overwrite=overwrite)
    with ExitStack() as stack:
        chosen = _differing_vector(bundle, entry, name, own, vector, limits, progress)
        request = complete(bundle.manifest.signatures[name], chosen.inputs)
        subject = _side(stack, bundle, entry, name, own, limits)
        other = _side(stack, bundle, there, name, reference, limits)
        progress(f"comparing the inner tensors of {subject.title} with those of {other.title}")
        exact = None if other.source.format == "tflite" else sides.exact(stack, other, name, limits)
        return _Walk(subject, other, exact, request, entry, name, chosen.id).run(reproducer)


def _artifact(bundle: Bundle, named: str | None, runtime: Runtime) -> Artifact:
    there = bundle.manifest.artifacts
    if named is not None:
        if found := [a for a in there if a.id == named]:
            if registry.able(runtime, found[0].format) is None:
                raise CrossloadError(f"{runtime.title} takes no {found[0].format}; `crossload runtimes` lists the formats of each runtime")
            return found[0]
        ids = [a.id for a in there]
        raise CrossloadError(f"there is no artifact {named!r} in {bundle.root}{near(named, ids)}; there are: {', '.join(ids)}")
    able = [a for a in there if a.bindings and registry.able(runtime, a.format)]
    if len(able) == 1:
        return able[0]
    takes = ", ".join(a.id for a in able) or "none"
    raise CrossloadError(f"name the artifact with --artifact; {runtime.title} takes: {takes}")


def _signature(entry: Artifact, named: str | None) -> str:
    if named is None and (len(entry.bindings) == 1 or _USUAL in entry.bindings):
        return _USUAL if _USUAL in entry.bindings else next(iter(entry.bindings))
    if named in entry.bindings:
        return str(named)
    raise CrossloadError(f"name a signature of {entry.id} with --signature; it has: {', '.join(entry.bindings) or 'none'}")


def _source(bundle: Bundle, entry: Artifact) -> ModelSource:
    tags = None if entry.tags is None else tuple(entry.tags)
    return ModelSource(bundle.path(entry), entry.format, entry.bindings, tags, {}, bundle.manifest.signatures)


def _differing_vector(
    bundle: Bundle, entry: Artifact, name: str, runtime: Runtime, named: str | None, limits: Limits, progress: Progress
) -> Vector:
    """The named vector; else the first that the runtime answers otherwise, else the first of all."""
    recorded = bundle.vectors(name)
    if not recorded:
        raise CrossloadError(f"{bundle.root} has no vectors of {name}; export the bundle again")
    if named is not None:
        if found := [v for v in recorded if v.id == named]:
            return found[0]
        raise CrossloadError(f"there is no vector {named!r}; there are: {', '.join(v.id for v in recorded)}")
    progress(f"looking for a request that {runtime.title} answers otherwise")
    tolerances = Tolerances(dict(bundle.manifest.tolerance))
    able = registry.able(runtime, entry.format) or runtime
    with Supervisor(able.title, environments.prepare(able.source), limits) as supervisor:
        try:
            supervisor.load(_source(bundle, entry))
            for vector in recorded:
                answer = supervisor.infer(name, vector.inputs, list(vector.outputs)).outputs
                whole, _ = judge(vector.outputs, answer, tolerances, rounding=vector.rounding)
                if not at_least(whole.agreement, "close"):
                    return vector
        except WorkerFailure as failure:
            raise CrossloadError(
                f"{runtime.title} does not run {entry.id} ({failure.outcome}: {failure}); `crossload verify` tells more"
            ) from failure
    return recorded[0]


def _side(stack: ExitStack, bundle: Bundle, entry: Artifact, name: str, runtime: Runtime, limits: Limits) -> Side:
    source = _source(bundle, entry)
    title = f"{entry.id} in {runtime.title}"
    if entry.format == "tflite":
        return sides.tflite_side(stack, source, name, runtime, limits, title)
    return sides.graph_side(stack, source, sides.frozen(source), name, runtime, limits, title)


def _other(bundle: Bundle, entry: Artifact, name: str, against: str | None) -> tuple[Artifact, Runtime]:
    """The other side: an artifact of the bundle in the recording runtime, or the same artifact in another runtime."""
    graphs = [a for a in bundle.manifest.artifacts if a.format in ("saved_model", "graph_def") and name in a.bindings and a.id != entry.id]
    ids = [a.id for a in graphs]
    if against is not None and against not in ids:
        try:
            return entry, registry.one(against)
        except CrossloadError as error:
            raise CrossloadError(
                f"--against names neither another graph of the bundle ({', '.join(ids) or 'it has none'}) nor a runtime: {error}"
            ) from error
    recorded = [v.reference.artifact for v in bundle.manifest.vectors if v.signature == name]
    chosen = [a for a in graphs if a.id == against] or [a for a in graphs if a.id in recorded] or graphs
    if not chosen:
        raise CrossloadError(
            f"{bundle.root} has no other SavedModel or frozen graph with {name} to compare {entry.id} with; name another runtime for the "
            "same artifact with --against RUNTIME, or export the bundle with a frozen graph (crossload export --formats)"
        )
    return chosen[0], references("graph_def")[0]


class _Walk:
    """Both sides, tensor by tensor in the order of execution, until one differs."""

    def __init__(
        self, own: Side, other: Side, exact: Side | None, request: Mapping[str, np.ndarray], entry: Artifact, name: str, vector: str
    ) -> None:
        self.own, self.other, self.exact, self.request = own, other, exact, request
        self.entry, self.name, self.vector = entry, name, vector
        self.distances: dict[str, float] = {}
        self.left_out = 0

    def run(self, reproducer: str | Path | None) -> Divergence:
        pairs = list(self._pairs())
        if not pairs:
            raise CrossloadError(
                f"no inner tensor of {self.own.title} has the name of one of {self.other.title}; compare the same artifact in another "
                "runtime with --against RUNTIME"
            )
        self.left_out += len(self.own.steps) - len(pairs)
        for start in range(0, len(pairs), _AT_ONCE):
            if found := self._first(pairs[start : start + _AT_ONCE]):
                return self._divergence(*found, reproducer=reproducer)
        return self._said()

    def _pairs(self) -> Iterator[tuple[Step, list[str]]]:
        """Each step of the own side with the reference's tensors that may be the same: by name, for a .tflite by parts of its names."""
        there = {s.tensor: s for s in self.other.steps}
        if (self.own.source.format == "tflite") == (self.other.source.format == "tflite"):
            yield from ((s, [s.tensor]) for s in self.own.steps if s.tensor in there)
            return
        by_end: dict[str, list[str]] = {}
        for step in self.other.steps:
            parts = step.names[0].split("/")
            for at in range(len(parts)):
                by_end.setdefault("/".join(parts[at:]), []).append(step.tensor)
        outputs = {str(t): str(self.other.source.bindings[self.name].outputs[n]) for n, t in self.entry.bindings[self.name].outputs.items()}
        for step in self.own.steps:
            named = [t for name in step.names for t in by_end.get(name.removesuffix(":0"), []) if there[t].op != "Const"]
            if step.tensor in outputs:
                named.append(outputs[step.tensor] if ":" in outputs[step.tensor] else f"{outputs[step.tensor]}:0")
            if not named:  # the converter numbers the tensors of a second signature
                ends = [name.rstrip("0123456789") for name in step.names]
                named = [t for end in ends for t in by_end.get(end, []) if there[t].op != "Const"]
            if named:
                yield step, list(dict.fromkeys(named))

    def _first(self, pairs: Sequence[tuple[Step, list[str]]]) -> tuple[Step, str, np.ndarray, np.ndarray, float] | None:
        mine = self.own.fetch(self.request, [s.tensor for s, _ in pairs])
        names = [t for _, named in pairs for t in named]
        theirs = self.other.fetch(self.request, names)
        wide = self.exact.fetch(self.request, names) if self.exact else {}
        for step, named in pairs:
            got = mine.get(step.tensor)
            known = [t for t in named if got is not None and t in theirs and theirs[t].shape == got.shape]
            if got is None or not known:
                self.left_out += 1
                continue
            distances = {t: _apart(theirs[t], got, wide.get(t)) for t in known}
            best = min(distances, key=distances.__getitem__)
            self.distances[step.tensor] = distances[best]
            if distances[best] > BOUND:
                return step, best, theirs[best], got, distances[best]
        return None

    def _said(self, **more: Any) -> Divergence:
        agree = sum(apart <= BOUND for apart in self.distances.values())
        about = (self.entry.id, self.own.runtime.title, self.other.title, self.name, self.vector)
        named = {sides.tensor_name(self.own, t): apart if math.isfinite(apart) else None for t, apart in self.distances.items()}
        return Divergence(*about, agree, self.left_out, distances=named, **more)

    def _divergence(
        self, step: Step, against: str, reference: np.ndarray, got: np.ndarray, apart: float, *, reproducer: str | Path | None
    ) -> Divergence:
        inputs = tuple((sides.tensor_name(self.own, t), self._agrees(t)) for t in step.inputs)
        found = self._said(
            tensor=sides.tensor_name(self.own, step.tensor),
            against=sides.tensor_name(self.other, against),
            op=step.op,
            layer=_layer(against if ":" in against else step.names[0]),
            apart=apart if math.isfinite(apart) else None,
            detail=_detail(reference, got, apart),
            why=self._why(step, reference, got),
            inputs=inputs,
            reproducer=None if reproducer is None else str(reproducer),
        )
        if reproducer is not None:
            reproducers.write(Path(reproducer), self.own, self.other, step, against, self.request, (reference, got), found)
        return found

    def _agrees(self, tensor: str) -> bool | None:
        if tensor in self.distances:
            return self.distances[tensor] <= BOUND
        return True if any(str(t).split(":")[0] == tensor.split(":", maxsplit=1)[0] for t in self.own.inputs.values()) else None

    def _why(self, step: Step, reference: np.ndarray, got: np.ndarray) -> str | None:
        """What the files themselves say: a constant's or a node's difference."""
        if step.op == "Const":
            return f"the constant {differing.how(reference, got)}"
        try:
            cause = differing.cause(self.own.source, [self.other.source], self.name, [])
        except CrossloadError:
            return None
        return str(cause) if cause and self.own.source.path != self.other.source.path else None


def _apart(reference: np.ndarray, got: np.ndarray, exact: np.ndarray | None) -> float:
    """The greatest difference in roundings; 0 for equal integers, infinite for others, and where one side alone is not finite."""
    datatype = datatypes.of_array(reference)
    if datatypes.of_array(got) != datatype or datatype not in EPSILON:
        return 0.0 if np.array_equal(reference, got) else math.inf
    one, other = reference.astype(np.float64), got.astype(np.float64)
    finite = np.isfinite(one)
    if (finite != np.isfinite(other)).any() or not np.array_equal(one[~finite], other[~finite], equal_nan=True):
        return math.inf
    one, other = one[finite], other[finite]
    if not one.size or np.array_equal(one, other):
        return 0.0
    epsilon = EPSILON[datatype]
    absolute = None if exact is None else distance(reference, exact)
    absolute = _SUMMED * epsilon * float(np.abs(one).max()) if absolute is None else absolute
    allowed = absolute + epsilon * np.abs(one)
    return float((np.abs(one - other) / np.maximum(allowed, 1e-300)).max())


def _detail(reference: np.ndarray, got: np.ndarray, apart: float) -> str:
    one, other = reference.astype(np.float64), got.astype(np.float64)
    with np.errstate(invalid="ignore"):
        difference = np.where((one == other) | (np.isnan(one) & np.isnan(other)), 0, np.abs(one - other))
    difference[np.isnan(difference)] = np.inf
    at = np.unravel_index(int(np.argmax(difference)), difference.shape) if difference.ndim else ()
    where = f"at {[int(i) for i in at]}" if difference.ndim else "the scalar"
    ratio = f", {apart:.3g} × rounding" if math.isfinite(apart) else ""
    return f"differs by up to {difference.max():.3g}{ratio}, {where}: {other[at]:g}, the reference's is {one[at]:g}"


def _layer(name: str) -> str | None:
    """The name scope without what calls of functions put before it."""
    parts = [p for p in name.partition(":")[0].split("/")[:-1] if not p.startswith(("StatefulPartitionedCall", "PartitionedCall"))]
    parts = [p for p in parts if p not in ("call", "Func")]
    return "/".join(parts) or None
