"""The text of `show` for a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crossload.cli.pages.page import Page, columns, datatype, shape, strong, warning
from crossload.support.text import printable

if TYPE_CHECKING:
    from crossload.artifacts.checkpoints.checkpoint import Checkpoint, Variable

_MOST_VARIABLES = 40


def lines(found: Checkpoint, page: Page) -> Iterator[str]:
    """The page's lines."""
    yield f"{strong('Checkpoint')}  {printable(str(found.prefix))}"
    where = f"the index and {len(found.shards)} of data" if found.index else f"{len(found.shards)} file{'s' * (len(found.shards) != 1)}"
    yield f"  {found.version.upper()}, {found.size_bytes:,} bytes in {where}"
    yield from page.canonical_hash()
    for sentence in found.diagnosis:
        yield warning(f"  ! {printable(sentence)}")
    if found.meta_graph:
        yield f"  its graph: {printable(found.meta_graph.name)}"
    if found.object_graph:
        yield f"  with the graph of the Python objects that were saved, {found.object_graph.size:,} bytes"
    yield ""
    yield f"{strong('Variables')}  {len(found.variables):,}, {sum(v.size for v in found.variables):,} bytes"
    if slots := [v for v in found.variables if v.slot_of is not None]:
        yield f"  {len(slots):,} of them belong to another, as an optimizer's slots do: {sum(v.size for v in slots):,} bytes"
    shown = found.variables if page.everything else found.variables[:_MOST_VARIABLES]
    yield from columns([_variable(v) for v in shown])
    if len(shown) < len(found.variables):
        yield f"    … {len(found.variables) - len(shown)} more, --all shows them"


def _variable(found: Variable) -> tuple[str, ...]:
    notes = [f"in {len(found.slices)} parts"] * bool(found.slices) + ["slot"] * (found.slot_of is not None)
    return printable(found.name), datatype(found.datatype), shape(found.shape), f"{found.size:,} bytes", ", ".join(notes)
