"""A .tflite at other input shapes: what shapes its tensors have then, as LiteRT infers them, and what proves the result.

The reference of a file whose batch is open is the source, which LiteRT resizes. A file that was written for one batch may mix its rows
when it is resized, and cannot be where a Reshape holds the batch (that constant is changed, too). There the reference is the source at its
own batch: its rows, put together, are what the result must answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from crossload.artifacts.tflite import inner, shapes
from crossload.artifacts.tflite.inner import Inner
from crossload.contract import datatypes, vectors
from crossload.contract.datatypes import DATATYPES
from crossload.contract.manifest import Artifact, Binding, Vectors
from crossload.contract.signatures import Signature, TensorSpec
from crossload.contract.vectors import Vector
from crossload.edits import tflite_parts
from crossload.errors import ConversionRefused, CrossloadError, WorkerFailure
from crossload.runtimes import environments
from crossload.runtimes.supervisor import ModelSource, Supervisor
from crossload.support import files, temporary
from crossload.verbs.verify.prove import Recorded, Terms, answering

Shape = tuple[int, ...]
_KEY = "inner"
# A row's answers are asked for at most so often.
_MOST_RUNS = 256


@dataclass(frozen=True)
class Resized:
    """The new shapes of the first subgraph's tensors by index; empty where nothing is resized.

    `bindings` say by which names. `reshapes` are constants of Reshapes, by the operator's position. `batches` are the old and the new
    batch, where rows are put together.
    """

    shapes: Mapping[int, Shape] = field(default_factory=dict)
    bindings: Mapping[str, Binding] = field(default_factory=dict)
    reshapes: Mapping[int, Shape] = field(default_factory=dict)
    batches: tuple[int, int] | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The options of the edge that writes them (edits.tflite_edits)."""
        return {"tensor_shapes": dict(self.shapes), "reshapes": dict(self.reshapes)} if self.shapes else {}

    def signatures(self, source: Mapping[str, Signature]) -> dict[str, Signature]:
        """The signatures at the new shapes."""

        def each(specs: Sequence[TensorSpec], tensors: Mapping[str, str | int]) -> tuple[TensorSpec, ...]:
            return tuple(replace(t, shape=self.shapes.get(int(tensors[t.name]), t.shape)) for t in specs)

        return {
            key: replace(s, inputs=each(s.inputs, self.bindings[key].inputs), outputs=each(s.outputs, self.bindings[key].outputs))
            for key, s in (source if self.shapes else {}).items()
        } or dict(source)

    def terms(self, terms: Terms) -> Terms:
        """The terms on which the source is asked: for enough rows, at its own batch, where rows are put together."""
        if self.batches is None:
            return terms
        several = _several(*self.batches)
        requests = replace(terms.requests, shapes={}, count=several * max(1, min(terms.requests.count, _MOST_RUNS // several)))
        return replace(terms, requests=requests)

    def of_answers(self, source: Recorded) -> Recorded:
        """The requests and answers at the new batch, by those at the old one. Raises ConversionRefused for an output without a batch."""
        if self.batches is None:
            return source
        manifest, room = source.manifest, source.room / "rows"
        entries = [self._joined(entry, source.room, room) for entry in manifest.vectors]
        own = manifest.model_copy(update={"signatures": self.signatures(manifest.signatures), "vectors": entries})
        return replace(source, manifest=own, room=room)

    def _joined(self, entry: Vectors, source: Path, target: Path) -> Vectors:
        assert self.batches
        old, new = self.batches
        several = _several(old, new)
        if entry.state:
            raise ConversionRefused(
                f"{entry.signature}: {entry.state}, so its answers at a batch of {new} cannot be put together from rows"
            )
        there, made = vectors.read(source / entry.path, entry.count), list[Vector]()
        starts = [*range(0, len(there) - several + 1, several)]
        for at in starts if len(there) % several == 0 else [*starts, len(there) - several]:  # the last are the user's own
            group = there[at : at + several]
            if strange := next((n for n, a in group[0].outputs.items() if a.shape[:1] != (old,)), None):
                raise ConversionRefused(
                    f"the output {strange!r} has no batch of {old}, so a batch of {new} cannot be proved row by row; convert the "
                    "model that the file was made from, with --shape"
                )
            rounding = {n: max(v.rounding.get(n, 0.0) for v in group) for n in group[0].rounding}
            inputs, outputs = _together([v.inputs for v in group]), _together([v.outputs for v in group])
            for start in range(0, several * old, new):
                rows = [{n: a[start : start + new] for n, a in side.items()} for side in (inputs, outputs)]
                made.append(Vector(f"rows_{len(made)}", rows[0], rows[1], rounding, group[0].steps))
        vectors.write(target / entry.path, entry.signature, made)
        return entry.model_copy(update={"count": len(made), "sha256": files.sha256(target / entry.path)})


def _several(old: int, new: int) -> int:
    """How many requests of the old batch make whole ones of the new."""
    return math.lcm(old, new) // old


def _together(sides: Sequence[vectors.Tensors]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([side[name] for side in sides]) for name in sides[0]}


def planned(source: Path, entry: Artifact, signatures: Mapping[str, Signature], target: str, terms: Terms) -> Resized:
    """What `terms.options["shapes"]` make of a .tflite that stays one. Raises CrossloadError for shapes that it cannot have."""
    specs = {t.name: t for s in signatures.values() for t in s.inputs}
    shapes_of = {name: tuple(shape) for name, shape in terms.options.get("shapes", {}).items() if -1 not in shape}
    wanted = {name: shape for name, shape in shapes_of.items() if name in specs and specs[name].shape != shape}
    if entry.format != "tflite" or target != "tflite":
        return Resized()
    _check_open(source, terms.options.get("shapes", {}), specs)
    if not wanted:
        return Resized()
    graph = inner.read(Path(entry.path))
    _check(source, graph, entry, specs, wanted)
    # Signatures of one subgraph have the same inputs, under names of their own.
    binding = next((b for b in entry.bindings.values() if all(name in b.inputs for name in wanted)), None)
    if binding is None:
        raise CrossloadError(f"{source}: give --shape by the names of one signature: {', '.join(entry.bindings)}")
    taken = {name: int(tensor) for name, tensor in binding.inputs.items()}
    _fill(source, {name: specs[name] for name in taken}, wanted)
    before = {name: graph.tensors[at].shape for name, at in taken.items()}
    old = {before[name][0] for name, shape in wanted.items() if before[name] and before[name][1:] == shape[1:]}
    _check_state(source, graph, {before[name][0] for name, shape in wanted.items() if shape and before[name][:1] != shape[:1]})
    runtime = answering("tflite", terms.load_with, terms.load_options)
    terms.progress(f"inferring the shapes in {runtime.title}")
    zeros = {name: _zeros(wanted.get(name, before[name]), specs[name].datatype) for name in taken}
    with Supervisor(runtime.title, environments.prepare(runtime.source, terms.progress), terms.limits) as supervisor:
        found, freed = _inferred(source, supervisor, graph, taken, zeros, old, wanted)
    new = {**{taken[name]: shape for name, shape in wanted.items()}, **found}
    reshapes = {at: found[made] for at in freed if (made := graph.operators[at].outputs[0]) in found}
    fixed = {name for name in wanted if before[name][:1] != wanted[name][:1] and graph.tensors[taken[name]].free[:1] != (-1,)}
    return Resized(new, entry.bindings, reshapes, _batches(source, taken, before, wanted) if freed or fixed else None)


def _batches(source: Path, taken: Mapping[str, int], before: Mapping[str, Shape], wanted: Mapping[str, Shape]) -> tuple[int, int]:
    """The old and the new batch of all inputs; raises CrossloadError where it is not one, or rows cannot be put together."""
    pairs = {(before[name][0], shape[0]) for name, shape in wanted.items() if before[name][1:] == shape[1:]}
    if len(pairs) == 1 and set(wanted) == set(taken):
        (old, new) = min(pairs)
        if old and _several(old, new) <= _MOST_RUNS:
            return old, new
    raise CrossloadError(
        f"{source} was written for one batch, so the result is proved row by row: give --shape for every input, with one batch"
    )


def _check_open(source: Path, asked: Mapping[str, Sequence[int]], specs: Mapping[str, TensorSpec]) -> None:
    """Raise CrossloadError for a dimension that is to be left open, and that the file fixes."""
    for name, shape in asked.items():
        own = specs[name].shape if name in specs else None
        if own is not None and len(own) == len(shape) and any(new == -1 != d for d, new in zip(own, shape, strict=True)):
            raise CrossloadError(f"--shape {name}: {source} takes {list(own)}, and {list(shape)} leaves open what it fixes; give numbers")


def _check(source: Path, graph: Inner, entry: Artifact, specs: Mapping[str, TensorSpec], wanted: Mapping[str, Shape]) -> None:
    for name, shape in wanted.items():
        own = specs[name].shape
        if any(d < 1 for d in shape):
            raise CrossloadError(f"--shape {name}: {list(shape)} has a dimension that is not positive; a .tflite's batch is 1 or more")
        if own is not None and len(own) != len(shape):
            raise CrossloadError(f"--shape {name}: {list(shape)} has {len(shape)} dimensions, and {source} takes {list(own)}")
        if own is not None and any(d not in (-1, new) for d, new in zip(own[1:], shape[1:], strict=True)):
            raise CrossloadError(
                f"--shape {name}: {source} takes {list(own)}, of which the batch and open dimensions (-1) can change, not to {list(shape)}"
            )
    if other := next((b.key for b in entry.bindings.values() if b.key is not None and b.key not in graph.keys), None):
        raise CrossloadError(f"{source}: the signature {other!r} is in another subgraph; crossload changes shapes of the first one alone")
    if loop := next((o for o in graph.operators if o.calls and o.op != "CALL_ONCE"), None):
        raise CrossloadError(
            f"{source} has a {loop.op}, whose inner shapes crossload cannot change; convert the model it was made from, with --shape"
        )


def _check_state(source: Path, graph: Inner, batches: set[int]) -> None:
    """Raise CrossloadError for state that has one of these batches, which change."""
    read = {i for o in graph.operators if o.op == "READ_VARIABLE" for i in o.outputs}
    if state := next((t for t in graph.tensors if (t.variable or t.index in read) and t.shape and t.shape[0] in batches), None):
        raise CrossloadError(
            f"{source} keeps state for a batch of {state.shape[0]} ({state.name!r}, {list(state.shape)}), which crossload cannot change; "
            "convert the model it was made from, with --shape"
        )


def _zeros(shape: Shape, datatype: str) -> np.ndarray:
    return np.full(shape, b"", object) if datatype == "BYTES" else np.zeros(shape, datatypes.numpy_dtype(datatype))


def _fill(source: Path, specs: Mapping[str, TensorSpec], wanted: dict[str, Shape]) -> None:
    """Give inputs of a free batch the batch that all wanted shapes share."""
    batches = {shape[0] for shape in wanted.values() if shape}
    for name, spec in specs.items():
        if name in wanted or spec.shape is None or -1 not in spec.shape:
            continue
        if -1 in spec.shape[1:] or len(batches) != 1:
            raise CrossloadError(f"{source}: the input {name!r} has free dimensions, {list(spec.shape)}; also give --shape {name}=…")
        wanted[name] = (*batches, *spec.shape[1:])


def _inferred(
    source: Path,
    supervisor: Supervisor,
    graph: Inner,
    taken: Mapping[str, int],
    zeros: Mapping[str, np.ndarray],
    old: set[int],
    wanted: Mapping[str, Shape],
) -> tuple[dict[int, Shape], list[int]]:
    """The shapes of computed tensors, and the Reshapes whose constant had to leave the batch open for that.

    Shapes that depend on values (of the positions of non-zero elements) are left out.
    """
    data, freed = bytearray(graph.data), list[int]()
    made = [i for o in graph.operators for i in o.outputs if i >= 0 and graph.tensors[i].datatype in DATATYPES]
    if not any(-1 in graph.tensors[i].free for i in taken.values()):  # what is free then depends on values
        made = [i for i in made if -1 not in graph.tensors[i].free]
    outputs = {str(i): i for i in dict.fromkeys(made) if graph.tensors[i].datatype not in ("INT4", "UINT4")}
    more = [i for i in outputs.values() if i not in graph.outputs]
    random = np.random.default_rng(0)
    others = {n: random.integers(-3, 4, a.shape).astype(a.dtype) if a.dtype.kind in "fi" else a for n, a in zeros.items()}
    with temporary.scratch() as room:
        while True:
            file = room / f"{len(freed)}.tflite"
            file.write_bytes(tflite_parts.with_more_outputs(replace(graph, data=bytes(data)), more))
            binding = Binding(inputs={**taken}, outputs={**outputs})
            try:
                supervisor.load(ModelSource(file, "tflite", {_KEY: binding}))
                one = supervisor.infer(_KEY, zeros, list(outputs)).outputs
                break
            except WorkerFailure as failure:
                at = shapes.failed(graph, failure.message)
                if at is None or at in freed or not _free(graph, data, at, old):
                    asked = ", ".join(f"{name} {list(shape)}" for name, shape in wanted.items())
                    raise CrossloadError(f"{source} cannot take {asked}: {failure.message}") from failure
                shape = graph.tensors[graph.operators[at].inputs[1]].extent
                freed += [
                    n
                    for n, o in enumerate(graph.operators)
                    if o.op == "RESHAPE" and len(o.inputs) > 1 and graph.tensors[o.inputs[1]].extent == shape
                ]
        try:
            other = supervisor.infer(_KEY, others, list(outputs)).outputs
        except WorkerFailure:  # a table or a gathering that these numbers do not fit
            other = one
    return {outputs[name]: one[name].shape for name in outputs if one[name].shape == other[name].shape}, freed


def _free(graph: Inner, data: bytearray, at: int, old: set[int]) -> bool:
    """Whether an operator is a Reshape to a constant that begins with the old batch, which is left open in the data."""
    operator = graph.operators[at]
    if operator.op != "RESHAPE" or len(operator.inputs) < 2:
        return False
    constant = graph.tensors[operator.inputs[1]]
    value = graph.value(constant)
    if value is None or constant.datatype != "INT32" or not value.size or -1 in value or int(value.flat[0]) not in old:
        return False
    assert constant.extent
    data[constant.extent[0] : constant.extent[0] + 4] = (-1).to_bytes(4, "little", signed=True)
    return True
