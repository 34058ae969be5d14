"""How far rounding alone puts the reference's answers from exact ones: the same requests, answered by the same graph in float64."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from crossload.artifacts.graphs import protos, saved_model
from crossload.compare.tolerance import BOUND, EPSILON
from crossload.contract import datatypes
from crossload.contract.manifest import Artifact, Binding, Rounding
from crossload.contract.signatures import Signature
from crossload.contract.vectors import Vector
from crossload.edits.float64 import MOST_BYTES, NotWidened, widened
from crossload.edits.freezing.freeze import freeze
from crossload.edits.freezing.refusal import NeedsTensorFlow
from crossload.errors import ArtifactError, WorkerFailure
from crossload.releases.registrations import releases
from crossload.runtimes.supervisor import ModelSource, Supervisor
from crossload.support import files

_NARROW = ("FP32", "FP16", "BF16")
# An answer that rounding moves by more than this share of it could not be told from another one at the bound.
_MOST = 1 / (4 * BOUND)


def measure(
    supervisor: Supervisor, path: Path, artifact: Artifact, signatures: Mapping[str, Signature], recorded: Mapping[str, list[Vector]]
) -> dict[str, dict[str, Rounding]]:
    """Put the rounding beside the recorded answers, in place; returns, by signature and output, where it comes from.

    Nothing for a graph that cannot be computed in float64 (edits.float64), or that TensorFlow alone can freeze. The supervisor has another
    model loaded afterwards.
    """
    narrow = {n: [t.name for t in s.outputs if t.datatype in _NARROW] for n, s in signatures.items() if n in recorded}
    if not any(narrow.values()) or "graph_def" not in supervisor.identity().formats:
        return {}
    if artifact.format not in ("graph_def", "saved_model") or files.size_bytes(path) > MOST_BYTES:  # before its values are read
        return {}
    try:
        graph = widened(_frozen(path, artifact), releases()[-1])
    except (NotWidened, NeedsTensorFlow, ArtifactError, LookupError, ValueError):
        return {}
    bindings = {n: Binding(inputs=artifact.bindings[n].inputs, outputs=artifact.bindings[n].outputs) for n in recorded}
    with tempfile.TemporaryDirectory(prefix="crossload-") as folder:
        file = Path(folder, "float64.pb")
        file.write_bytes(graph.SerializeToString())
        try:
            supervisor.load(ModelSource(file, "graph_def", bindings))
            return {name: _beside(supervisor, name, narrow[name], vectors) for name, vectors in recorded.items() if narrow[name]}
        except WorkerFailure:
            return {}


def _frozen(path: Path, artifact: Artifact) -> Any:
    bindings = {name: b.model_dump() for name, b in artifact.bindings.items()}
    if artifact.format == "graph_def":
        return protos.parse(path, protos.GraphDefProto, "GraphDef")
    return freeze(saved_model.read(path).meta_graph(artifact.tags).proto, path / "variables" / "variables", bindings)


def _beside(supervisor: Supervisor, signature: str, outputs: Sequence[str], vectors: list[Vector]) -> dict[str, Rounding]:
    largest = dict.fromkeys(outputs, 0.0)
    for at, vector in enumerate(vectors):
        exact = supervisor.infer(signature, vector.inputs, list(outputs)).outputs
        found = {name: distance(vector.outputs[name], exact[name]) for name in outputs if name in vector.outputs}
        vectors[at] = replace(vector, rounding={name: value for name, value in found.items() if value is not None})
        largest |= {name: max(largest[name], value or 0.0) for name, value in found.items()}
    return {name: Rounding(origin="float64", largest=value) for name, value in largest.items()}


def distance(answer: np.ndarray, exact: np.ndarray) -> float | None:
    """The absolute rounding of an answer: the greatest distance to the exact one beyond an element's own last place.

    At least half a unit in the last place of the largest element, and at most the share of it that still tells answers apart. None where
    no element is finite in both.
    """
    epsilon = EPSILON[datatypes.of_array(answer)]
    narrow, wide = answer.astype(np.float64), exact.astype(np.float64)
    if narrow.shape != wide.shape:
        return None
    finite = np.isfinite(narrow) & np.isfinite(wide)
    if not finite.any():
        return None
    narrow, wide = narrow[finite], wide[finite]
    scale = float(np.abs(narrow).max())
    apart = float(np.maximum(np.abs(narrow - wide) - epsilon * np.abs(narrow), 0).max())
    return min(max(apart, epsilon / 2 * scale), _MOST * scale) if math.isfinite(scale) else None
