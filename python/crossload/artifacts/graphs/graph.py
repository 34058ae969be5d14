"""A graph's nodes by name: its tensors, their dependencies, signatures by tensor names (graph.proto, node_def.proto)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from crossload.artifacts.graphs import op_types, protos
from crossload.artifacts.graphs.op_types import FEED_OPS, INPUT_OPS
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import ArtifactError
from crossload.support.text import is_pattern, near

# Before this version a placeholder's shape [] could also mean an unknown shape (array_ops.cc, op Placeholder).
_SCALAR_SHAPES_SINCE = 22
_MOST_DEFAULTS = 1024
_NO_OUTPUT_OPS = {"Assert", "AssignVariableOp", "ControlTrigger", "NoOp", "SaveV2"}


@dataclass(frozen=True)
class Node:
    """A node in a list: `outputs` are (datatype, shape), as far as the node states them; `function` is the function that contains it."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[tuple[str, tuple[int, ...] | None], ...]
    device: str = ""
    function: str | None = None

    def to_json(self) -> dict[str, Any]:
        """An element of `nodes` in `show --nodes --json`."""
        outputs = [{"datatype": d, "shape": None if s is None else list(s)} for d, s in self.outputs]
        found = {"name": self.name, "op": self.op, "inputs": list(self.inputs), "outputs": outputs}
        more = {"device": self.device or None, "function": self.function}
        return found | {k: v for k, v in more.items() if v is not None}


class Graph:
    """A GraphDef message with its nodes by name; `path` is the file to name in errors.

    `inputs` and `outputs` are candidates, the likeliest first; `reasons` gives, by tensor name, the reason for each.
    """

    def __init__(self, path: Path, proto: Any) -> None:
        self.path = path
        self.proto = proto
        self.nodes = {node.name: node for node in proto.node}
        # A message's field takes as long to read as ten of a dict's values, and a large graph is walked many times.
        self.ops = {name: node.op for name, node in self.nodes.items()}
        self.wires = {name: tuple(node.input) for name, node in self.nodes.items()}
        self.functions = {f.signature.name: f.signature for f in proto.library.function}
        self.reasons: dict[str, str] = {}

    @cached_property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Return values if the graph has any, else the ranking of artifacts.graphs.candidates."""
        from crossload.artifacts.graphs import candidates  # its patterns take longer to compile than a small artifact to read

        found = []
        for node, reason in candidates.outputs(self):
            specs = [self._returned(node)] if node.op == "_Retval" else self.tensors(node)
            found += specs
            self.reasons |= {str(t.tensor): reason for t in specs}
        return tuple(found)

    @cached_property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Placeholders, arguments, and outputs of queues and iterators that reach an output; those that an output depends on come first."""
        from crossload.artifacts.graphs import candidates

        needed = self._needed
        found = []
        for node, reason in candidates.inputs(self):
            plain = node.op in INPUT_OPS and not candidates.of_training(node.name)
            specs = [t for t in self._fed(node) if plain or self._is_needed(t, needed)]
            found += specs
            self.reasons |= {str(t.tensor): reason for t in specs}
        found.sort(key=lambda t: not self._is_needed(t, needed))
        return tuple(found)

    def candidates_to_json(self) -> dict[str, Any]:
        """`inputs` and `outputs` in `show --json`, each with the reason."""
        sides = {"inputs": self.inputs, "outputs": self.outputs}
        return {side: [t.to_json() | {"reason": self.reasons[str(t.tensor)]} for t in found] for side, found in sides.items()}

    @cached_property
    def _needed(self) -> set[str]:
        return self.needed_for(str(t.tensor) for t in self.outputs)

    @cached_property
    def _likely(self) -> Signature:
        return self._signature(self.outputs)

    def signature(self, outputs: Sequence[str] | None = None) -> Signature:
        """The inputs that these outputs depend on, and the outputs: names of operations or tensors, all candidates if None.

        Raises ArtifactError for an output that is not in the graph, and for a graph without outputs.
        """
        chosen = self.outputs if outputs is None else tuple(self.tensor(name) for name in outputs)
        if not chosen:
            raise ArtifactError(f"{self.path} has no operation that looks like an output; name the output to compute")
        return self._likely if outputs is None else self._signature(chosen)

    def _signature(self, chosen: tuple[TensorSpec, ...]) -> Signature:
        needed = self._needed if chosen is self.outputs else self.needed_for(str(t.tensor) for t in chosen)
        return Signature(tuple(t for t in self.inputs if self._is_needed(t, needed)), chosen)

    def tensor(self, name: str) -> TensorSpec:
        """The tensor `operation` or `operation:index`; raises ArtifactError, with near names and the candidates, if the graph lacks it."""
        for candidate in (*self.outputs, *self.inputs):
            if name in (candidate.name, candidate.tensor):
                return candidate
        operation, _, at = name.partition(":")
        node = self.nodes.get(operation)
        if node is not None and (not at or (at.isdecimal() and len(at) < 6)):
            specs = self._fed(node) if node.op in INPUT_OPS else self.tensors(node)
            index = int(at or 0)
            if index < len(specs):
                return specs[index]
            # For an unknown op, the graph's own references give its minimum number of outputs.
            if specs and specs[0].datatype == op_types.UNKNOWN and f"{operation}:{index}" in self._taken:
                return TensorSpec(name, op_types.UNKNOWN, self._output_shape(node, index), f"{operation}:{index}")
        likely = f"its likely outputs are: {', '.join(t.name for t in self.outputs[:8]) or 'none'}"
        if node is not None:
            count = len(self.tensors(node))
            there = f"{operation!r} is a {node.op} with {count} output{'s' * (count != 1)}; its outputs are numbered from 0"
            raise ArtifactError(f"{self.path} has no tensor {name!r}: {there}; {likely}")
        raise ArtifactError(f"{self.path} has no tensor {name!r}{near(operation, self.nodes)}; {likely}")

    def needed_for(self, names: Iterable[str]) -> set[str]:
        """The operations and the tensors (`operation:index`) that these tensors depend on, themselves included.

        Nodes behind a queue or an iterator are left out, because a caller feeds its outputs instead.
        """
        tensors = set(names)
        found: set[str] = set()
        waiting = [operation_of(tensor) for tensor in tensors]
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found.add(name)
            if self.ops[name] not in FEED_OPS:
                tensors.update(self.wires[name])
                waiting += [operation_of(at) for at in self.wires[name]]
        return found | {tensor_of(at) for at in tensors}

    def _is_needed(self, spec: TensorSpec, needed: set[str]) -> bool:
        """A placeholder must be fed even if it is only a control input."""
        name = operation_of(str(spec.tensor))
        return spec.tensor in needed or (name in needed and self.ops[name] in INPUT_OPS)

    def listed(self, pattern: str = "*") -> list[Node]:
        """The nodes, including those in functions, whose name or op matches a shell pattern or contains the text.

        Raises ArtifactError, with near names, if none matches.
        """
        found = [node for node in self._all_nodes() if _matches(pattern, node)]
        if not found:
            names = dict.fromkeys(name for node in self._all_nodes() for name in (node.name, node.op))
            raise ArtifactError(f"{self.path} has no node {pattern!r}{near(pattern.strip('*'), names)}; `--nodes` alone lists all of them")
        return found

    def tensors(self, node: Any) -> list[TensorSpec]:
        """A node's outputs, named after the operation; from the second on, with their index."""
        return [
            TensorSpec(f"{node.name}:{at}" if at else node.name, datatype, self._output_shape(node, at), f"{node.name}:{at}")
            for at, datatype in enumerate(op_types.output_datatypes(node, self.functions))
        ]

    def _all_nodes(self) -> Iterator[Node]:
        for node in self.proto.node:
            yield self._node(node, None)
        for function in self.proto.library.function:
            for node in function.node_def:
                yield self._node(node, function.signature.name)

    def _node(self, node: Any, function: str | None) -> Node:
        datatypes = () if node.op in _NO_OUTPUT_OPS else op_types.output_datatypes(node, self.functions)
        outputs = tuple((datatype, self._stated_shape(node, at)) for at, datatype in enumerate(datatypes))
        return Node(node.name, node.op, tuple(node.input), outputs, node.device, function)

    def _stated_shape(self, node: Any, at: int) -> tuple[int, ...] | None:
        if node.op in INPUT_OPS:
            return self._input_shape(node)
        return protos.shape(node.attr["value"].tensor.tensor_shape) if node.op == "Const" else self._output_shape(node, at)

    @cached_property
    def _taken(self) -> set[str]:
        return {tensor_of(at) for wires in self.wires.values() for at in wires}

    def _fed(self, node: Any) -> list[TensorSpec]:
        """The tensors of an input; its placeholder states shape and default."""
        if node.op not in INPUT_OPS:
            return self.tensors(node)
        datatypes = op_types.output_datatypes(node, self.functions)[:1]
        return [TensorSpec(node.name, datatype, self._input_shape(node), f"{node.name}:0", self._default(node)) for datatype in datatypes]

    def _default(self, node: Any) -> dict[str, Any] | None:
        """The constant value of a PlaceholderWithDefault that is not fed."""
        source = self.nodes[operation_of(node.input[0])] if node.op == "PlaceholderWithDefault" and node.input else None
        if source is None or source.op != "Const" or "value" not in source.attr:
            return None
        value = source.attr["value"].tensor
        small = math.prod(protos.shape(value.tensor_shape) or ()) <= _MOST_DEFAULTS
        return protos.default(value, self.path, node.name) if small else None

    def _input_shape(self, node: Any) -> tuple[int, ...] | None:
        if "shape" in node.attr and node.attr["shape"].HasField("shape"):
            stated = protos.shape(node.attr["shape"].shape)
            unsaid = node.op == "Placeholder" and self.proto.versions.producer < _SCALAR_SHAPES_SINCE
            if not (unsaid and stated == ()):
                return stated
        return self._output_shape(node, 0)

    def _output_shape(self, node: Any, at: int) -> tuple[int, ...] | None:
        shapes = node.attr["_output_shapes"].list.shape if "_output_shapes" in node.attr else ()
        return protos.shape(shapes[at]) if at < len(shapes) else None

    def _returned(self, node: Any) -> TensorSpec:
        """A `_Retval` keeps its own name, but its tensor is its input."""
        source = next((at for at in node.input if not at.startswith("^")), node.name)
        tensor = source if ":" in source else f"{source}:0"
        origin, at = tensor.rpartition(":")[0], tensor.rpartition(":")[2]
        shape = self._output_shape(self.nodes[origin], int(at)) if at.isdecimal() and len(at) < 6 else None
        return TensorSpec(node.name, op_types.attribute(node, "T"), shape, tensor)


def operation_of(at: str) -> str:
    """The operation of a node's input: `name`, `name:index`, or `^name` for a control input."""
    return at.removeprefix("^").partition(":")[0]


def tensor_of(at: str) -> str:
    """The tensor of a node's input, always with its index; for a control input, the operation."""
    return at[1:] if at.startswith("^") else at if ":" in at else f"{at}:0"


def _matches(pattern: str, node: Node) -> bool:
    if is_pattern(pattern):
        return fnmatchcase(node.name, pattern) or fnmatchcase(node.op, pattern)
    return pattern in node.name or pattern == node.op
