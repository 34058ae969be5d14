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

    def called(at: int) -> list[int]:
        if not 0 <= at < len(graphs):
            raise IndexError(f"it runs subgraph {at} of {len(graphs)}")
        return [c for o in graphs[at].operators for c in o.calls]

    return [graphs[at] for at in reached(roots, called)]


def refuse_unknown(path: Path, graphs: list[Inner], roots: Iterable[int]) -> None:
    """Raise CrossloadError with every operator and oddity that cannot become ops of TensorFlow."""
    used = needed(graphs, roots)
    if endless({g.subgraph: [c for o in g.operators for c in o.calls] for g in used}):
        raise CrossloadError(f"{path} has a subgraph that runs itself, which no interpreter runs; convert its source again")
    unknown = Counter(o.op for g in used for o in g.operators if rewrite_of(o) is None)
    if unknown:
        listed = ", ".join(f"{op} ({count} of them)" if count > 1 else op for op, count in sorted(unknown.items()))
        raise refusal(path, f"{listed} {'has' if len(unknown) == 1 else 'have'} no counterpart in TensorFlow")


def refuse(path: Path, reasons: Mapping[str, str]) -> None:
    """Raise CrossloadError with the reasons, if there are any, by operator."""
    if reasons:
        raise refusal(path, "; ".join(f"{op} {reason}" for op, reason in sorted(reasons.items())))


def refusal(path: Path, why: str) -> CrossloadError:
    """The error for a file that cannot become a graph, and what to do."""
    cure = f"convert the model that it was made from, or see which interpreters run it: crossload check {path}"
    return CrossloadError(f"{path} cannot become a graph: {why}; {cure}")
