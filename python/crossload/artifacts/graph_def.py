"""GraphDef files (.pb, .pbtxt): likely inputs and outputs, and ops (graph.proto, node_def.proto)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from crossload.artifacts import op_types, protos
from crossload.artifacts.content import facts
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import ArtifactError

_INPUT_OPS = ("_Arg", "Placeholder", "PlaceholderV2", "PlaceholderWithDefault")
# Their results are no answers: constants, state, and what is run for its effect.
_NO_ANSWER_OPS = {
    "Assert", "Const", "HashTable", "HashTableV2", "MakeIterator", "MergeV2Checkpoints", "MutableHashTable", "MutableHashTableV2",
    "NoOp", "Print", "PrintV2", "ReadVariableOp", "Restore", "RestoreSlice", "RestoreV2", "Save", "SaveSlices", "SaveV2",
    "ShardedFilename", "VarHandleOp", "VarIsInitializedOp", "Variable", "VariableV2",
}  # fmt: skip
_HEAD_OPS = {"Softmax", "LogSoftmax", "Sigmoid", "Identity", "IdentityN"}
_EFFECTS = ("Assign", "InitializeTable", "LookupTableImport")
_HEAD_NAMES = (
    "softmax",
    "sigmoid",
    "logits",
    "prediction",
    "probabilit",
    "scores",
    "classes",
    "detection_",
    "output",
    "result",
)
# Before this version a placeholder's shape [] could not be told from an unknown one (array_ops.cc, op Placeholder).
_SCALAR_SHAPES_SINCE = 22
_MOST_DEFAULTS = 1024


@dataclass(frozen=True)
class GraphDef:
    """A graph without signatures: `inputs` and `outputs` are candidates, the likeliest first.

    `ops` counts nodes by op, those inside functions included; `versions` are producer, min_consumer (versions.proto).
    """

    path: Path
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ops: Counter[str]
    functions: tuple[str, ...] = ()
    versions: dict[str, int] = field(default_factory=dict)
    format: Literal["graph_def"] = "graph_def"
    _proto: Any = field(default=None, repr=False, compare=False)

    @property
    def producer(self) -> dict[str, str]:
        """The versions that wrote it: a GraphDef knows the graph version only."""
        return {"graph_def": str(self.versions["producer"])} if self.versions else {}

    def signature(self, outputs: Sequence[str] | None = None) -> Signature:
        """The inputs that these outputs depend on, and the outputs: names of operations or tensors, all candidates if None.

        Raises ArtifactError for an output that is not in the graph, and where there is none.
        """
        graph = _Graph(self.path, self._proto)
        chosen = self.outputs if outputs is None else tuple(graph.tensor(name, self.outputs) for name in outputs)
        if not chosen:
            raise ArtifactError(f"{self.path} has no operation that looks like an output; name one that should be computed")
        needed = graph.needed_for(str(t.tensor).rpartition(":")[0] for t in chosen)
        return Signature(tuple(t for t in self.inputs if t.name in needed), chosen)

    def to_json(self) -> dict[str, Any]:
        """The object of `show --json`."""
        return {
            **facts(self),
            "versions": self.versions,
            "inputs": [t.to_json() for t in self.inputs],
            "outputs": [t.to_json() for t in self.outputs],
            "ops": dict(self.ops),
            "functions": list(self.functions),
        }


def parse(path: Path) -> Any:
    """The file's GraphDef message; raises ArtifactError where it is none, truncated or corrupt."""
    graph = protos.parse(path, protos.GraphDefProto, "GraphDef")
    if not graph.node or not all(node.name and node.op for node in graph.node):
        raise ArtifactError(f"{path} is no GraphDef, or a corrupt one: it has no nodes, or nodes without name or op; export it again")
    names = {node.name for node in graph.node}
    for node in graph.node:
        for at in node.input:
            # Every prefix that ends between two nodes is a message, too, but its nodes refer to those that were cut off.
            if _operation(at) not in names:
                raise ArtifactError(
                    f"{path} is truncated or corrupt: node {node.name!r} takes {at!r}, which is not in the graph; export it again"
                )
    return graph


def read(path: Path) -> GraphDef:
    """Read a GraphDef file; raises ArtifactError as `parse` does."""
    return of(path, parse(path))


def of(path: Path, proto: Any) -> GraphDef:
    """The GraphDef of a message that has been parsed from `path`."""
    graph = _Graph(path, proto)
    versions = {"producer": proto.versions.producer, "min_consumer": proto.versions.min_consumer} if proto.HasField("versions") else {}
    outputs = graph.outputs()
    return GraphDef(
        path=path,
        inputs=graph.inputs(graph.needed_for(str(t.tensor).rpartition(":")[0] for t in outputs)),
        outputs=outputs,
        ops=protos.count_ops(proto),
        functions=tuple(f.signature.name for f in proto.library.function),
        versions=versions,
        _proto=proto,
    )


class _Graph:
    """A message with its nodes by name."""

    def __init__(self, path: Path, proto: Any) -> None:
        self.path = path
        self.proto = proto
        self.nodes = {node.name: node for node in proto.node}
        self.functions = {f.signature.name: f.signature for f in proto.library.function}

    def needed_for(self, names: Iterable[str]) -> set[str]:
        """The operations that these depend on, themselves included."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += [_operation(at) for at in self.nodes[name].input]
        return found

    def inputs(self, needed: set[str]) -> tuple[TensorSpec, ...]:
        """Placeholders and arguments in the graph's order (arguments in their own), those that an output depends on first."""
        found = [node for node in self.proto.node if node.op in _INPUT_OPS and op_types.output_datatypes(node, self.functions)]
        found.sort(key=lambda node: (node.name not in needed, node.attr["index"].i if node.op == "_Arg" else 0))
        return tuple(
            TensorSpec(n.name, op_types.output_datatypes(n, self.functions)[0], self._input_shape(n), f"{n.name}:0", self._default(n))
            for n in found
        )

    def _default(self, node: Any) -> dict[str, Any] | None:
        """The constant that a PlaceholderWithDefault has when it is not fed."""
        source = self.nodes[_operation(node.input[0])] if node.op == "PlaceholderWithDefault" and node.input else None
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

    def outputs(self) -> tuple[TensorSpec, ...]:
        """Return values if there are any, else the operations whose results nothing takes, likely heads first."""
        returned = [node for node in self.proto.node if node.op == "_Retval"]
        if returned:
            returned.sort(key=lambda node: node.attr["index"].i)
            return tuple(self._returned(node) for node in returned)
        taken = {_operation(at) for node in self.proto.node for at in node.input if not at.startswith("^")}
        sinks = [node for node in self.proto.node if node.name not in taken and self._answers(node)]
        sinks.sort(key=lambda node: not _is_head(node))
        return tuple(t for node in sinks for t in self._tensors(node))

    def _answers(self, node: Any) -> bool:
        # An unused input, an assignment and a summary are sinks, too.
        quiet = node.op in _NO_ANSWER_OPS or node.op in _INPUT_OPS or node.op.startswith(_EFFECTS)
        return not quiet and not node.op.endswith("Summary") and bool(op_types.output_datatypes(node, self.functions))

    def _returned(self, node: Any) -> TensorSpec:
        """A `_Retval` is named as it is, but its tensor is what it takes."""
        source = next((at for at in node.input if not at.startswith("^")), node.name)
        tensor = source if ":" in source else f"{source}:0"
        origin, at = tensor.rpartition(":")[0], tensor.rpartition(":")[2]
        shape = self._output_shape(self.nodes[origin], int(at)) if at.isdecimal() and len(at) < 6 else None
        return TensorSpec(node.name, op_types.attribute(node, "T"), shape, tensor)

    def _tensors(self, node: Any) -> list[TensorSpec]:
        return [
            TensorSpec(f"{node.name}:{at}" if at else node.name, datatype, self._output_shape(node, at), f"{node.name}:{at}")
            for at, datatype in enumerate(op_types.output_datatypes(node, self.functions))
        ]

    def tensor(self, name: str, candidates: tuple[TensorSpec, ...]) -> TensorSpec:
        """The tensor `operation` or `operation:index`; raises ArtifactError, listing the candidates, where there is none."""
        for candidate in candidates:
            if name in (candidate.name, candidate.tensor):
                return candidate
        operation, _, at = name.partition(":")
        if operation in self.nodes and (not at or at.isdecimal()):
            for spec in self._tensors(self.nodes[operation]):
                if spec.tensor == f"{operation}:{int(at or 0)}":
                    return spec
        there = ", ".join(t.name for t in candidates[:8]) or "none"
        raise ArtifactError(f"{self.path} has no tensor {name!r}; its likely outputs are: {there}")


def _operation(at: str) -> str:
    """The operation of a node's input: `name`, `name:index`, or `^name` for a control input."""
    return at.removeprefix("^").partition(":")[0]


def _is_head(node: Any) -> bool:
    last = node.name.rpartition("/")[2].lower()
    return node.op in _HEAD_OPS or any(word in last for word in _HEAD_NAMES)
