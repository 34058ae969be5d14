"""The two sides of a diagnosis: an artifact in a runtime whose inner tensors can be asked for by name."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crossload.artifacts.graphs.graph import Graph, operation_of, tensor_of
from crossload.artifacts.tflite import inner
from crossload.artifacts.tflite.inner import Inner
from crossload.contract.manifest import Binding
from crossload.contract.vectors import Tensors
from crossload.edits import tflite_parts
from crossload.edits.float64 import NotWidened, widened
from crossload.errors import CrossloadError, WorkerFailure
from crossload.releases.registrations import releases
from crossload.runtimes import environments
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from crossload.verbs.verify import inner_graph

_COMPARED = ("FP32", "FP64", "FP16", "BF16", "INT32", "INT64", "INT8", "UINT8", "INT16", "BOOL")
SIGNATURE = "inner"


@dataclass(frozen=True)
class Step:
    """An operation of a side, in the order of execution: the tensors that it reads, and the one that it makes."""

    tensor: str
    op: str
    names: tuple[str, ...]
    inputs: tuple[str, ...]


@dataclass
class Side:
    """An artifact's inner tensors in a runtime; `fetch` asks for them. `content` is the GraphDef, or the inside of the .tflite."""

    title: str
    content: Any
    steps: list[Step]
    runtime: Runtime
    inputs: Mapping[str, Any]
    ask: Callable[[Tensors, Sequence[str]], Mapping[str, np.ndarray]]
    source: ModelSource
    refused: dict[str, str] = field(default_factory=dict)

    def fetch(self, request: Tensors, tensors: Sequence[str]) -> dict[str, np.ndarray]:
        """The values of these tensors; one that the runtime refuses is left out, and kept in `refused`."""
        wanted = [t for t in dict.fromkeys(tensors) if t not in self.refused]
        if not wanted:
            return {}
        try:
            return dict(self.ask(request, wanted))
        except WorkerFailure as failure:
            if len(wanted) == 1:
                self.refused[wanted[0]] = str(failure)
                return {}
        half = len(wanted) // 2
        return {**self.fetch(request, wanted[:half]), **self.fetch(request, wanted[half:])}


def graph_side(stack: ExitStack, source: ModelSource, graph: Any, signature: str, runtime: Runtime, limits: Limits, title: str) -> Side:
    """The side of a graph, which runs as a GraphDef. Raises CrossloadError for a runtime that takes none, or that does not load it."""
    if "graph_def" not in runtime.formats:
        raise CrossloadError(
            f"{runtime.title} takes no GraphDef, so it gives no inner tensors of {source.path}; diagnose in tensorflow or tensorflow-java"
        )
    binding = source.bindings[signature]
    steps = _steps(Graph(source.path, graph), [str(t) for t in binding.outputs.values()])
    tensors = [s.tensor for s in steps]
    file = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crossload-")), "graph.pb")
    file.write_bytes(graph.SerializeToString())
    bound = Binding(inputs=dict(binding.inputs), outputs={t: t for t in tensors})
    own = ModelSource(file, "graph_def", {SIGNATURE: bound}, options=source.options)
    supervisor = _running(stack, own, runtime, limits, source.path)

    def ask(request: Tensors, wanted: Sequence[str]) -> Mapping[str, np.ndarray]:
        return supervisor.infer(SIGNATURE, request, list(wanted)).outputs

    return Side(title, graph, steps, runtime, binding.inputs, ask, source)


def exact(stack: ExitStack, side: Side, signature: str, limits: Limits) -> Side | None:
    """The same graph in float64, which tells how far rounding alone moves each tensor; None where it cannot be computed so."""
    try:
        wide, _ = widened(side.content, releases()[-1])
        return graph_side(stack, side.source, wide, signature, side.runtime, limits, "float64")
    except (NotWidened, CrossloadError, LookupError, ValueError):
        return None


def tflite_side(stack: ExitStack, source: ModelSource, signature: str, runtime: Runtime, limits: Limits, title: str) -> Side:
    """The side of a .tflite, its inner tensors made outputs. Raises CrossloadError for a runtime that does not load it so."""
    binding = source.bindings[signature]
    there = inner.read(source.path, binding.key)
    inputs: dict[str, int] = {name: int(index) for name, index in binding.inputs.items()}
    made = {i for o in there.operators for i in o.outputs}
    chosen = [i for i in sorted(made) if there.tensors[i].datatype in _COMPARED]
    outputs = {str(i): i for i in chosen}
    file = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crossload-")), "inner.tflite")
    file.write_bytes(tflite_parts.with_outputs(there, SIGNATURE, inputs, outputs))
    own = ModelSource(file, "tflite", {SIGNATURE: Binding(key=SIGNATURE, inputs={**inputs}, outputs={**outputs})})
    supervisor = _running(stack, own, runtime, limits, source.path)

    def ask(request: Tensors, wanted: Sequence[str]) -> Mapping[str, np.ndarray]:
        return supervisor.infer(SIGNATURE, request, list(wanted)).outputs

    steps = [
        Step(str(i), o.op, tuple(there.tensors[i].name.split(";")), tuple(str(n) for n in o.inputs if n >= 0))
        for o in there.operators
        for i in o.outputs
        if i in chosen
    ]
    return Side(title, there, steps, runtime, inputs, ask, source)


def frozen(source: ModelSource) -> Any:
    """The graph of a SavedModel or a GraphDef; raises CrossloadError with the next step for anything else."""
    try:
        return inner_graph.of(source)
    except CrossloadError as error:
        raise CrossloadError(
            f"the inner tensors of {source.path} cannot be asked for: {error}; convert it to a frozen graph first "
            "(crossload convert SOURCE frozen.pb) and diagnose that"
        ) from error


def tensor_name(side: Side, tensor: str) -> str:
    """A tensor's name for people."""
    if isinstance(side.content, Inner):
        return f"{side.content.tensors[int(tensor)].name} (tensor {tensor})"
    return tensor


def _running(stack: ExitStack, source: ModelSource, runtime: Runtime, limits: Limits, path: Path) -> Supervisor:
    supervisor = stack.enter_context(Supervisor(runtime.title, environments.prepare(runtime.source), limits))
    try:
        supervisor.load(source)
    except WorkerFailure as failure:
        raise CrossloadError(
            f"{runtime.title} does not load the inner tensors of {path} ({failure.outcome}: {failure}); diagnose it in another runtime "
            "that takes the format (crossload runtimes)"
        ) from failure
    return supervisor


def _steps(graph: Graph, outputs: Sequence[str]) -> list[Step]:
    """The tensors that the outputs need, each after those that it depends on (but for loops), constants included."""
    order: list[str] = []
    seen: set[str] = set()
    for output in outputs:
        waiting = [(operation_of(output), False)]
        while waiting:
            name, done = waiting.pop()
            if done:
                order.append(name)
            elif name not in seen and name in graph.nodes:
                seen.add(name)
                waiting.append((name, True))
                waiting += [(operation_of(at), False) for at in reversed(graph.wires[name]) if not at.startswith("^")]
    steps = []
    for name in order:
        node = graph.nodes[name]
        if node.op.startswith("Placeholder"):
            continue
        wires = tuple(tensor_of(at) for at in node.input if not at.startswith("^"))
        steps += [Step(str(t.tensor), node.op, (name,), wires) for t in graph.tensors(node) if t.datatype in _COMPARED]
    return steps
