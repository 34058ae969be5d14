"""The text of `show` for a GraphDef."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crossload.cli.pages.page import Page, strong, warning
from crossload.support.text import printable

if TYPE_CHECKING:
    from crossload.artifacts.graphs.graph_def import GraphDef
    from crossload.artifacts.graphs.meta_graph import MetaGraph


def lines(found: GraphDef, page: Page) -> Iterator[str]:
    """The page's lines."""
    yield from page.heading("GraphDef", found)
    if found.versions.get("min_consumer"):
        yield f"  needs a TensorFlow that reads graph version {found.versions['min_consumer']}"
    yield ""
    yield from candidates(found, page)
    if found.outputs:
        from crossload.artifacts.graphs import unset

        for sentence in unset.of_graph(found.graph, (str(t.tensor) for t in found.outputs)):
            yield warning(f"  {printable(sentence)}")
    yield from page.ops("ops", found.ops, f" in the graph and its {len(found.functions)} functions" if found.functions else "")
    if found.functions:
        yield f"  functions: {page.some(found.functions)}"


def candidates(found: GraphDef | MetaGraph, page: Page) -> Iterator[str]:
    """Likely inputs and outputs of a graph that states none, each with the reason why it is one."""
    needed = {t.name for t in found.signature().inputs} if found.outputs else set()
    unused = [t for t in found.inputs if t.name not in needed]
    yield strong("Candidates") + "  it names no inputs and outputs; these are likely ones, the likeliest first"
    yield from page.tensors([t for t in found.inputs if t.name in needed], found.outputs, found.graph.reasons)
    if unused:
        yield f"  placeholders that no output depends on: {page.some(t.name for t in unused)}"
