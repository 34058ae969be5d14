"""The known edges from one format to another, and the planner that finds a path over them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossload.artifacts.content import in_words
from crossload.edits import meta_graphs, tensorboard, tflite_edits
from crossload.edits.freezing import freeze
from crossload.edits.from_tflite import edge
from crossload.errors import CrossloadError
from crossload.runtimes.tf_process import StepName

Edit = Callable[[Path, Path, dict[str, Any], dict[str, Any]], "dict[str, Any] | None"]


@dataclass(frozen=True)
class Edge:
    """What makes `target` from `source`: a step of TensorFlow's process, or an edit that needs no TensorFlow.

    Both take `(source: Path, target: Path, bindings: dict, options: dict)` and return the result's bindings by signature
    (contract.manifest.Binding as JSON), or None if the artifact states them itself. `edit` is tried before a step; it raises
    NeedsTensorFlow for a model that it does not cover.
    """

    source: str
    target: str
    by: StepName | Edit
    edit: Edit | None = None


# The shortest path wins; among equally short ones, the path whose first edge stands higher.
EDGES = (
    Edge("keras_h5", "saved_model", "export_keras"),
    Edge("keras_h5", "keras", "save_keras"),
    Edge("keras_h5", "keras_h5", "save_keras"),
    Edge("keras", "saved_model", "export_keras"),
    Edge("keras", "keras_h5", "save_keras"),
    Edge("keras", "keras", "save_keras"),
    Edge("checkpoint", "saved_model", "build_from_meta_graph"),
    Edge("checkpoint", "graph_def", "freeze_meta_graph", freeze.of_meta_graph),
    Edge("meta_graph", "saved_model", "build_from_meta_graph"),
    Edge("meta_graph", "graph_def", "freeze_meta_graph", freeze.of_meta_graph),
    Edge("meta_graph", "tensorboard", tensorboard.edge),
    Edge("saved_model", "graph_def", "freeze_saved_model", freeze.of_saved_model),
    Edge("saved_model", "tflite", "convert_saved_model"),
    Edge("saved_model", "checkpoint", "save_checkpoint"),
    Edge("saved_model", "saved_model", meta_graphs.of_saved_model),
    Edge("saved_model", "tensorboard", tensorboard.edge),
    Edge("graph_def", "saved_model", "build_from_graph_def"),
    Edge("graph_def", "tflite", "convert_graph_def"),
    Edge("graph_def", "graph_def", "freeze_graph_def", freeze.of_graph_def),
    Edge("graph_def", "tensorboard", tensorboard.edge),
    Edge("tflite", "tflite", tflite_edits.tflite_to_tflite),
    Edge("tflite", "graph_def", edge.tflite_to_graph_def),
)
# Pairs that the edges would allow, but that the formats do not.
_NEVER = {
    ("graph_def", "checkpoint"): "its variables have become constants, so a checkpoint would be empty",
    ("tflite", "checkpoint"): "its weights are constants, so a checkpoint would be empty",
}
SOURCES = tuple(dict.fromkeys(e.source for e in EDGES))
TARGETS = ("saved_model", "graph_def", "tflite", "keras", "keras_h5", "checkpoint", "tensorboard")


def way(source: str, target: str) -> list[Edge]:
    """The edges from one format to the other, at least one; raises CrossloadError listing the formats that the source can become."""
    if reason := _NEVER.get((source, target)):
        raise CrossloadError(f"{in_words(source)} cannot become {in_words(target)}: {reason}")
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
    raise CrossloadError(f"{in_words(source)} cannot become {in_words(target)}; it can become: {', '.join(possible) or 'nothing'}")


def matrix() -> str:
    """The conversions as a Markdown table: docs/guides/convert.md shows it, and a test walks every cell."""
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
