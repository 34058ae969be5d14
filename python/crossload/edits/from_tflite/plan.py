"""What of a .tflite has no counterpart in TensorFlow, all of it, before the first node is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from crossload.artifacts.tflite.inner import Inner
from crossload.edits.from_tflite.table import rewrite_of
from crossload.errors import CrossloadError
from crossload.support.reach import endless, reached


def needed(graphs: list[Inner], roots: Iterable[int]) -> list[Inner]:
    """The subgraphs that these ones run, themselves included; raises IndexError for one that does not exist."""
    return [graphs[at] for at in reached(roots, lambda at: [c for o in graphs[at].operators for c in o.calls])]


def refuse_unknown(path: Path, graphs: list[Inner], roots: Iterable[int]) -> None:
    """Raise CrossloadError with every operator and oddity that cannot become ops of TensorFlow."""
    used = needed(graphs, roots)
    if endless({g.subgraph: [c for o in g.operators for c in o.calls] for g in used}):
        raise CrossloadError(f"{path} has a subgraph that runs itself, which no interpreter runs; convert its source again")
    unknown = Counter(o.op for g in used for o in g.operators if rewrite_of(o) is None)
    refuse(path, {f"{op} (of {count})" if count > 1 else op: "has no counterpart" for op, count in unknown.items()})


def refuse(path: Path, reasons: Mapping[str, str]) -> None:
    """Raise CrossloadError if there are reasons, by operator; those with the same reason are listed together."""
    if not reasons:
        return
    by_reason: dict[str, list[str]] = {}
    for op, reason in reasons.items():
        by_reason.setdefault(reason, []).append(op)
    listed = "; ".join(f"{', '.join(sorted(ops))} {reason}" for reason, ops in by_reason.items())
    raise CrossloadError(
        f"{path} cannot become a graph: {listed}. `crossload show {path}` lists its operators; "
        "`--to tflite` needs no graph, and its source, if you have it, converts to every format"
    )
