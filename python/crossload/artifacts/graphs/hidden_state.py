"""What an answer depends on beside the request: ops that draw at random, and ops that change a variable, as a graph states them.

Sources of the names: tensorflow/core/ops (random_ops.cc, stateful_random_ops.cc, candidate_sampling_ops.cc, nn_ops.cc, logging_ops.cc;
state_ops.cc, resource_variable_ops.cc, training_ops.cc, lookup_ops.cc, data_flow_ops.cc).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossload.artifacts.graphs.functions import functions_named
from crossload.contract.manifest import Binding
from crossload.support.reach import reached

_RANDOM = re.compile(
    r"RandomUniform(Int)?|RandomStandardNormal|(Parameterized)?TruncatedNormal|RandomShuffle|Multinomial|RandomGamma|RandomPoisson(V2)?"
    r"|SampleDistortedBoundingBox(V2)?|\w+CandidateSampler|Fractional(Avg|Max)Pool|AnonymousSeedGenerator|Timestamp"
)
_CHANGING = re.compile(
    r"Assign(Add|Sub)?(VariableOp)?|Scatter(Nd)?(Add|Sub|Mul|Div|Min|Max|Update)|ResourceScatter\w+|(Resource)?StridedSliceAssign"
    r"|(Resource)?(Sparse)?Apply[A-Z]\w+|(Resource)?CountUpTo|LookupTable(Insert|Remove)(V2)?|Queue\w*(Enqueue|Dequeue)\w*"
    r"|Stateful(Uniform|StandardNormal|TruncatedNormal|RandomBinomial)\w*|RngSkip|RngReadAndSkip|IteratorGetNext(Sync)?"
)
_CLOCK = "Timestamp"
_SEEDED_BY_INPUT = "AnonymousSeedGenerator"
_ASSIGNED = ("Assign", "AssignVariableOp")
_VARIABLES = ("VarHandleOp", "Variable", "VariableV2")


@dataclass(frozen=True)
class Hidden:
    """A signature's ops of these two kinds, each as `Op 'node'`; `at_load` are random values that loading gives to variables.

    `unseeded`: a random op has no seed, so that it starts at another place after every load.
    """

    random: tuple[str, ...] = ()
    changing: tuple[str, ...] = ()
    at_load: tuple[str, ...] = ()
    unseeded: bool = False

    @property
    def reads_clock(self) -> bool:
        """Whether one of the random ops is the clock, whose values are always near each other."""
        return any(op.partition(" ")[0] == _CLOCK for op in self.random)

    def __bool__(self) -> bool:
        return bool(self.random or self.changing or self.at_load)


def of_artifact(path: Path, kind: str, tags: Iterable[str] | None, bindings: Mapping[str, Binding]) -> dict[str, Hidden]:
    """By signature, what the artifact at `path` states; nothing for a format without a graph. Raises ArtifactError."""
    if kind == "tflite":
        from crossload.artifacts.tflite import tflite_file

        file = tflite_file.read(path)
        return dict.fromkeys(bindings, Hidden(file.random, file.changing))
    if kind not in ("saved_model", "graph_def", "checkpoint", "meta_graph"):
        return dict.fromkeys(bindings, Hidden())
    from crossload import artifacts
    from crossload.artifacts.graphs import graph_def, saved_model

    init: list[str] = []
    if kind == "saved_model":
        proto = saved_model.read(path).meta_graph(tags).proto
        graph, init = proto.graph_def, list(saved_model.init_ops(proto).values())
    else:
        graph = graph_def.read(path).graph.proto if kind == "graph_def" else artifacts.graph_of(path, tags).proto
    bodies = Bodies(graph)
    at_load = tuple(bodies.drawn_by(init))
    return {name: bodies.hidden(map(str, b.inputs.values()), map(str, b.outputs.values()), at_load) for name, b in bindings.items()}


class Bodies:
    """A GraphDef's nodes and those of its functions."""

    def __init__(self, graph: Any) -> None:
        self._nodes = {node.name: node for node in graph.node}
        self._functions = {f.signature.name: f for f in graph.library.function}

    def hidden(self, inputs: Iterable[str], outputs: Iterable[str], at_load: tuple[str, ...] = ()) -> Hidden:
        """What the answers in `outputs` depend on beside the fed `inputs`; `at_load` counts where they depend on any variable."""
        needed = self._needed(outputs, inputs)
        bodies = self._bodies(needed)
        reads = any(node.op in _VARIABLES for node in needed)
        drawing = _matching(_RANDOM, needed, bodies)
        unseeded = any(node.op != _SEEDED_BY_INPUT and not (node.attr["seed"].i or node.attr["seed2"].i) for node in drawing)
        return Hidden(_names(drawing), _names(_matching(_CHANGING, needed, bodies)), at_load if reads else (), unseeded)

    def drawn_by(self, init: Iterable[str]) -> list[str]:
        """The variables to which these operations give random values, each with the op that draws them."""
        found = []
        for node in self._needed(init):
            if node.op in _ASSIGNED and len(node.input) > 1:
                drawn = _names(_matching(_RANDOM, self._needed([node.input[1]]), []))
                found += [f"{_operation(node.input[0])!r} by {op}" for op in drawn[:1]]
        return found

    def _needed(self, names: Iterable[str], fed: Iterable[str] = ()) -> list[Any]:
        behind = {_operation(name) for name in fed}

        def inside(sources: Iterable[str]) -> list[str]:
            return [at for at in map(_operation, sources) if at in self._nodes and at not in behind]

        return [self._nodes[name] for name in sorted(reached(inside(names), lambda name: inside(self._nodes[name].input)))]

    def _bodies(self, nodes: Iterable[Any]) -> list[Any]:
        """The functions that these nodes name, and those that these call in turn."""

        def named(ones: Iterable[Any]) -> list[str]:
            return [name for node in ones for name in functions_named(node) if name in self._functions]

        return [self._functions[name] for name in sorted(reached(named(nodes), lambda name: named(self._functions[name].node_def)))]


def _matching(pattern: re.Pattern[str], nodes: Iterable[Any], bodies: Iterable[Any]) -> list[Any]:
    return [node for node in (*nodes, *(n for body in bodies for n in body.node_def)) if pattern.fullmatch(node.op)]


def _names(nodes: Iterable[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{node.op} {node.name!r}" for node in nodes))


def _operation(source: str) -> str:
    return source.removeprefix("^").partition(":")[0]
