"""The text of `show` for a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crossload.cli.pages.page import Page, columns, datatype, shape, strong, warning
from crossload.text import printable

if TYPE_CHECKING:
    from crossload.artifacts.checkpoint import Checkpoint, Variable

_MOST_VARIABLES = 40


def lines(found: Checkpoint, page: Page) -> Iterator[str]:
    """The page's lines."""
    yield f"{strong('Checkpoint')}  {printable(str(found.prefix))}"
    yield f"  {found.size_bytes:,} bytes in the index and {len(found.shards)} of data"
    yield from page.canonical_hash()
    if found.missing_files:
        yield warning(f"  incomplete: {page.some(found.missing_files)} missing; copy all files of the checkpoint")
    if found.object_graph:
        yield f"  with the graph of the Python objects that were saved, {found.object_graph.size:,} bytes"
    yield ""
    yield f"{strong('Variables')}  {len(found.variables):,}, {sum(v.size for v in found.variables):,} bytes"
    shown = found.variables if page.everything else found.variables[:_MOST_VARIABLES]
    yield from columns([_variable(v) for v in shown])
    if len(shown) < len(found.variables):
        yield f"    … {len(found.variables) - len(shown)} more, --all shows them"


def _variable(found: Variable) -> tuple[str, ...]:
    parts = f"in {len(found.slices)} parts" if found.slices else ""
    return printable(found.name), datatype(found.datatype), shape(found.shape), f"{found.size:,} bytes", parts
