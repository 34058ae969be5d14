"""The functions of a GraphDef's library that its nodes call (function.proto)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crossload.artifacts.graphs.functions import functions_named
from crossload.support.reach import reached


def drop_unused_functions(graph: Any) -> None:
    """Keep the functions that the nodes call, directly or through others: a SavedModel's library has those of saving and restoring, too."""
    library = {f.signature.name: f for f in graph.library.function}
    gradients = {g.function_name: g.gradient_func for g in graph.library.gradient}

    def called(nodes: Iterable[Any]) -> set[str]:
        return {name for node in nodes for name in (*functions_named(node), gradients.get(node.op, ""))} & library.keys()

    used = reached(called(graph.node), lambda name: called(library[name].node_def))
    kept = [f for name, f in library.items() if name in used]
    del graph.library.function[:]
    graph.library.function.extend(kept)
