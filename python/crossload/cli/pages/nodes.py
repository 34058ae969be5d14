"""The nodes of a graph, for `show --nodes`, as text or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from crossload.artifacts.content import in_words
from crossload.cli.pages.page import columns, datatype, shape, strong
from crossload.errors import ArtifactError
from crossload.support.text import printable

if TYPE_CHECKING:
    from crossload.artifacts.graphs.graph import Graph, Node


def text(found: Any, pattern: str, as_json: bool) -> str:
    """The nodes that match: as lines, or as `{"nodes": [...]}`, each MetaGraph's with its `tags`; raises ArtifactError where none does.

    A MetaGraph without a match is left out as long as another has one.
    """
    graphs = _graphs(found)
    matching: list[tuple[tuple[str, ...] | None, list[Node]]] = []
    for at, (tags, graph) in enumerate(graphs):
        try:
            matching.append((tags, graph.listed(pattern)))
        except ArtifactError:
            if at == len(graphs) - 1 and not matching:
                raise
    if as_json:
        listed = [({"tags": list(tags)} if tags is not None else {}) | node.to_json() for tags, nodes in matching for node in nodes]
        return json.dumps({"format": found.format, "path": str(found.path), "nodes": listed}, indent=1)
    return "\n".join(line for tags, nodes in matching for line in _lines(tags, nodes))


def _graphs(found: Any) -> list[tuple[tuple[str, ...] | None, Graph]]:
    if found.format == "saved_model":
        return [(m.tags, m.graph) for m in found.meta_graphs]
    if found.format in ("graph_def", "meta_graph"):
        return [(None, found.graph)]
    raise ArtifactError(f"{found.path} is {in_words(found.format)}, and --nodes lists nodes of TensorFlow's graphs only; leave it out")


def _lines(tags: tuple[str, ...] | None, nodes: Sequence[Node]) -> Iterator[str]:
    if tags is not None:
        yield f"{strong('MetaGraph')}  tags: {printable(', '.join(tags)) or '(none: the empty tag set)'}"
    for function, members in groupby(nodes, key=lambda node: node.function):
        if function is not None:
            yield f"  {strong('function')} {printable(function)}"
        yield from columns([_row(node) for node in members])


def _row(node: Node) -> tuple[str, ...]:
    outputs = "; ".join(f"{datatype(d)} {shape(s)}" if s is not None else datatype(d) for d, s in node.outputs)
    inputs = f"<- {', '.join(node.inputs)}" if node.inputs else ""
    where = f"on {node.device}" if node.device else ""
    return printable(node.name), printable(node.op), outputs, printable("  ".join(filter(None, (inputs, where))))
