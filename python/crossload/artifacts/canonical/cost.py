"""What the canonical hash of an artifact costs, without computing it.

Every byte is read and hashed once, as for the plain sha256 (about a second for 400 MB), plus some 40 µs per node. Variables'
values also need NumPy, whose import alone would double the time of `show`. So `show --json` computes the hash up to `MOST_BYTES` and
`MOST_NODES`, the page does the same except for artifacts with variables, and `--hash` always computes it.
"""

from __future__ import annotations

from typing import Any

from crossload.support import files

FORMATS = ("saved_model", "graph_def", "meta_graph", "checkpoint", "keras", "keras_h5", "keras_weights", "tflite")
MOST_BYTES, MOST_NODES = 64 << 20, 20_000


def reads_values(artifact: Any) -> bool:
    """Whether the hash needs the variables' values."""
    return artifact.format in ("checkpoint", "keras", "keras_h5", "keras_weights") or (
        artifact.format == "saved_model" and bool(artifact.has_variables)
    )


def size_bytes(artifact: Any) -> int:
    """How many bytes the hash reads."""
    return int(artifact.size_bytes) if artifact.format == "checkpoint" else files.size_bytes(artifact.path)


def nodes(artifact: Any) -> int:
    """How many nodes the hash walks, those of functions included; 0 for a format without a graph of TensorFlow."""
    if artifact.format == "saved_model":
        return sum(sum(m.ops.values()) for m in artifact.meta_graphs)
    return sum(artifact.ops.values()) if artifact.format in ("graph_def", "meta_graph") else 0
