"""What `show` tells of a .tflite beyond its signatures: operators, tensors, the estimated arena, packed files."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from crossload.artifacts.tflite import arena, inner, model_metadata, packed
from crossload.artifacts.tflite.arena import Arena
from crossload.artifacts.tflite.inner import Inner, Operator, Tensor
from crossload.artifacts.tflite.model_metadata import ModelMetadata
from crossload.artifacts.tflite.packed import PackedFile
from crossload.errors import ArtifactError


@dataclass(frozen=True)
class Details:
    """The inside of a .tflite; `damage` says why the graphs, the author's metadata or the packed files cannot be listed."""

    graphs: list[Inner]
    packed_files: tuple[PackedFile, ...] = ()
    metadata: ModelMetadata | None = None
    damage: str | None = None

    @cached_property
    def arenas(self) -> list[Arena]:
        """The plan of each subgraph."""
        return [arena.plan(graph) for graph in self.graphs]

    def to_json(self) -> dict[str, Any]:
        """The keys that `show --json` adds: `graphs`, `packed_files`, and `model_metadata` if an author wrote any."""
        return {
            "graphs": [_graph(graph, plan) for graph, plan in zip(self.graphs, self.arenas, strict=True)],
            "packed_files": [p.to_json() for p in self.packed_files],
            **({"model_metadata": self.metadata.to_json()} if self.metadata else {}),
            **({"damage": self.damage} if self.damage else {}),
        }


def details(path: Path) -> Details:
    """The inside of the .tflite at `path`, as far as it is not damaged."""
    graphs: list[Inner] = []
    try:
        graphs = inner.read_all(path)
        with inner.damage(path):
            metadata = model_metadata.read(path)
        return Details(graphs, packed.packed_files(path), metadata)
    except ArtifactError as error:
        return Details(graphs, damage=str(error))


def operator_counts(graphs: Sequence[Inner], ops: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """`ops` (counts by kind and name) with the operators' versions in their names: `CONV_2D v3`, and the bare name for version 1."""
    counts = Counter((o.op, o.version) for graph in graphs for o in graph.operators)
    named = {op: {f"{op} v{v}" if v > 1 else op: n for (name, v), n in sorted(counts.items()) if name == op} for op, _ in counts}
    return {kind: {name: n for op, n in by_name.items() for name, n in named.get(op, {op: n}).items()} for kind, by_name in ops.items()}


def _graph(graph: Inner, plan: Arena) -> dict[str, Any]:
    return {
        "name": graph.name,
        "operators": [_operator(o) for o in graph.operators],
        "tensors": [_tensor(t) for t in graph.tensors],
        "constant_bytes": arena.constants(graph),
        "estimated_arena": vars(plan),
    }


def _operator(operator: Operator) -> dict[str, Any]:
    calls = {"subgraphs": list(operator.calls)} if operator.calls else {}
    return {
        "op": operator.op,
        "version": operator.version,
        "inputs": list(operator.inputs),
        "outputs": list(operator.outputs),
        **calls,
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    content = {
        "index": tensor.index,
        "name": tensor.name,
        "datatype": tensor.datatype,
        "shape": list(tensor.free or tensor.shape),
        "size_bytes": tensor.size_bytes,
        "constant": tensor.extent is not None,
    }
    if tensor.scale:
        content |= {"scale": [s if math.isfinite(s) else str(s) for s in tensor.scale]}
        content |= {"zero_point": list(tensor.zero_point) or [0] * len(tensor.scale), "axis": tensor.axis}
    return content | ({"variable": True} if tensor.variable else {})
