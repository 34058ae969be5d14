"""GraphDef files (.pb, .pbtxt): likely inputs and outputs, and ops (graph.proto, node_def.proto)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from crossload.artifacts.content import facts
from crossload.artifacts.graphs import protos
from crossload.artifacts.graphs.graph import Graph, Node, operation_of
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import ArtifactError


@dataclass(frozen=True)
class GraphDef:
    """A graph without signatures: `inputs` and `outputs` are candidates, the likeliest first.

    `graph.reasons` gives, by tensor name, the reason for each. `ops` counts nodes by op, including those inside functions; `versions`
    are producer, min_consumer (versions.proto).
    """

    path: Path
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ops: Counter[str]
    functions: tuple[str, ...] = ()
    versions: dict[str, int] = field(default_factory=dict)
    format: Literal["graph_def"] = "graph_def"
    graph: Graph = field(default_factory=lambda: Graph(Path(), protos.GraphDefProto()), repr=False, compare=False)

    @property
    def producer(self) -> dict[str, str]:
        """The versions that wrote it: a GraphDef records only the graph version."""
        return {"graph_def": str(self.versions["producer"])} if self.versions else {}

    def signature(self, outputs: Sequence[str] | None = None) -> Signature:
        """The inputs that these outputs depend on, and the outputs: names of operations or tensors, all candidates if None.

        Raises ArtifactError for an output that is not in the graph, and for a graph without outputs.
        """
        return self.graph.signature(outputs)

    def tensor(self, name: str) -> TensorSpec:
        """The tensor `operation` or `operation:index`; raises ArtifactError, with near names, if the graph lacks it."""
        return self.graph.tensor(name)

    def nodes(self, pattern: str = "*") -> list[Node]:
        """The nodes whose name or op matches; raises ArtifactError, with near names, if none matches."""
        return self.graph.listed(pattern)

    def to_json(self) -> dict[str, Any]:
        """The object of `show --json`."""
        return {
            **facts(self),
            "versions": self.versions,
            **self.graph.candidates_to_json(),
            "ops": dict(self.ops),
            "functions": list(self.functions),
        }


def parse(path: Path) -> Any:
    """The file's GraphDef message; raises ArtifactError for another kind of file, and for a truncated or corrupt one."""
    graph = protos.parse(path, protos.GraphDefProto, "GraphDef")
    if not graph.node or not all(node.name and node.op for node in graph.node):
        raise ArtifactError(f"{path} is not a GraphDef, or is corrupt: it has no nodes, or nodes without name or op; export it again")
    check_whole(path, graph)
    return graph


def check_whole(path: Path, graph: Any) -> None:
    """Raises ArtifactError where a node takes an input that is not in the graph, or where its name looks like a tensor's."""
    names = {node.name for node in graph.node}
    taken = {operation_of(at) for node in graph.node for at in node.input}
    if taken <= names and not any(":" in name or name.startswith("^") for name in names):
        return
    for node in graph.node:
        if ":" in node.name or node.name.startswith("^"):
            raise ArtifactError(f"{path} is corrupt: {node.name!r} is not a valid node name; export it again")
        for at in node.input:
            # A file cut off between two nodes still parses, but its nodes refer to the missing ones.
            if operation_of(at) not in names:
                raise ArtifactError(
                    f"{path} is truncated or corrupt: node {node.name!r} takes {at!r}, which is not in the graph; export it again"
                )


def read(path: Path) -> GraphDef:
    """Read a GraphDef file; raises ArtifactError as `parse` does."""
    return of(path, parse(path))


def of(path: Path, proto: Any) -> GraphDef:
    """The GraphDef of a message parsed from `path`."""
    graph = Graph(path, proto)
    versions = {"producer": proto.versions.producer, "min_consumer": proto.versions.min_consumer} if proto.HasField("versions") else {}
    return GraphDef(
        path=path,
        inputs=graph.inputs,
        outputs=graph.outputs,
        ops=protos.count_ops(proto),
        functions=tuple(f.signature.name for f in proto.library.function),
        versions=versions,
        graph=graph,
    )
