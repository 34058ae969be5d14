"""The known edges, from one format to another, and the planner that finds the way over them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from crossload.errors import CrossloadError


@dataclass(frozen=True)
class Edge:
    """A function that makes `target` of `source`: `call` is `module:function` inside crossload.

    It is called `function(source: Path, target: Path, bindings: dict, options: dict)` and returns the bindings of what it made, by
    signature (contract.manifest.Binding as JSON), or None where the artifact says them itself. `light` edges need no TensorFlow.
    """

    source: str
    target: str
    call: str
    light: bool = False


# The shortest way wins; of two as short, the one whose first edge stands higher.
EDGES = (
    Edge("keras_h5", "saved_model", "exporters.keras_models:to_saved_model"),
    Edge("keras_h5", "keras", "exporters.keras_models:to_keras"),
    Edge("keras_h5", "keras_h5", "exporters.keras_models:to_keras"),
    Edge("keras", "saved_model", "exporters.keras_models:to_saved_model"),
    Edge("keras", "keras_h5", "exporters.keras_models:to_keras"),
    Edge("keras", "keras", "exporters.keras_models:to_keras"),
    Edge("checkpoint", "saved_model", "converters.saved_models:of_meta_graph"),
    Edge("meta_graph", "saved_model", "converters.saved_models:of_meta_graph"),
    Edge("meta_graph", "tensorboard", "converters.tensorboard:edge", light=True),
    Edge("saved_model", "graph_def", "converters.freeze:of_saved_model"),
    Edge("saved_model", "tflite", "converters.lite:saved_model_to_tflite"),
    Edge("saved_model", "checkpoint", "converters.checkpoints:of_saved_model"),
    Edge("saved_model", "saved_model", "converters.meta_graphs:of_saved_model", light=True),
    Edge("saved_model", "tensorboard", "converters.tensorboard:edge", light=True),
    Edge("graph_def", "saved_model", "converters.saved_models:of_graph_def"),
    Edge("graph_def", "tflite", "converters.lite:graph_def_to_tflite"),
    Edge("graph_def", "graph_def", "converters.freeze:of_graph_def"),
    Edge("graph_def", "tensorboard", "converters.tensorboard:edge", light=True),
    Edge("tflite", "tflite", "converters.signature_defs:tflite_to_tflite", light=True),
)
# What the edges would allow and the formats' nature does not.
_NEVER = {("graph_def", "checkpoint"): "its variables have become constants, so that a checkpoint would be empty"}
SOURCES = tuple(dict.fromkeys(e.source for e in EDGES))
TARGETS = ("saved_model", "graph_def", "tflite", "keras", "keras_h5", "checkpoint", "tensorboard")


def way(source: str, target: str) -> list[Edge]:
    """The edges from one format to the other, at least one; raises CrossloadError naming what the source can become."""
    if reason := _NEVER.get((source, target)):
        raise CrossloadError(f"a {source} cannot become a {target}: {reason}")
    waiting: deque[list[Edge]] = deque([e] for e in EDGES if e.source == source)
    seen = set()
    while waiting:
        path = waiting.popleft()
        here = path[-1].target
        if here == target:
            return path
        if here not in seen:
            seen.add(here)
            waiting.extend([*path, e] for e in EDGES if e.source == here and e.target != here)
    possible = [t for t in TARGETS if t in seen and (source, t) not in _NEVER]
    raise CrossloadError(f"a {source} cannot become a {target}; it can become: {', '.join(possible) or 'nothing'}")


def matrix() -> str:
    """The conversions as a Markdown table: the README shows it, and a test walks every cell."""
    rows = ["| from \\ to | " + " | ".join(f"`{t}`" for t in TARGETS) + " |", "|---" * (len(TARGETS) + 1) + "|"]
    for source in SOURCES:
        cells = []
        for target in TARGETS:
            try:
                path = way(source, target)
            except CrossloadError:
                cells.append("–")
                continue
            cells.append("direct" if len(path) == 1 else "over " + ", ".join(f"`{e.target}`" for e in path[:-1]))
        rows.append(f"| `{source}` | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"
