"""The text of `show` for a .meta file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crossload.cli.pages import graph_def
from crossload.cli.pages.page import Page, columns, datatype, shape, strong, warning
from crossload.support.text import printable

if TYPE_CHECKING:
    from crossload.artifacts.graphs.meta_graph import MetaGraph, Variable

_MOST_VARIABLES = 40


def lines(found: MetaGraph, page: Page) -> Iterator[str]:
    """The page's lines."""
    meta = found.meta
    yield from page.heading("MetaGraph", found)
    git = f"TensorFlow's commit {meta.tensorflow_git_version}, " if meta.tensorflow_git_version else ""
    stripped = ", attributes at their defaults left out" if meta.stripped_default_attrs else ""
    objects = ", with the graph of Python objects" if found.has_object_graph else ""
    yield f"  {printable(git)}graph version {meta.graph_producer}{stripped}{objects}"
    if meta.tags:
        yield f"  tags: {page.some(meta.tags)}"
    yield f"  checkpoint: {printable(str(found.checkpoint)) if found.checkpoint else 'none of the same name beside it'}"
    for sentence in found.diagnosis:
        yield warning(f"  ! {printable(sentence)}")
    yield ""
    for key, signature in found.signatures.items():
        yield from page.signature(key, signature)
    if not found.signatures:
        yield from graph_def.candidates(found, page)
    yield from page.ops("ops", found.ops, f" in the graph and its {meta.functions} functions" if meta.functions else "")
    if meta.collections:
        yield f"  collections: {page.some(f'{name} ({count})' for name, count in meta.collections.items())}"
    if meta.asset_files:
        yield f"  asset files: {page.some(meta.asset_files)}"
    if saver := found.saver:
        sharded = ", sharded" if saver.sharded else ""
        restore = printable(f"{saver.restore_op} restores from the prefix in {saver.filename_tensor}")
        yield f"  saver: {saver.version}{sharded}; {restore}"
    else:
        yield "  saver: none"
    yield ""
    yield f"{strong('Variables')}  {len(found.variables)} in collections, {len(found.variable_ops)} operations in the graph"
    shown = found.variables if page.everything else found.variables[:_MOST_VARIABLES]
    if shown:
        yield from columns([_row(v) for v in shown])
    if len(shown) < len(found.variables):
        yield f"    … {len(found.variables) - len(shown)} more, --all shows them"


def _row(variable: Variable) -> tuple[str, ...]:
    kind = ("trainable " if variable.trainable else "") + ("resource" if variable.resource else "reference")
    part = f", part of {variable.part_of['name']} {variable.part_of['shape']}" if variable.part_of else ""
    first = f"from {variable.initial_value}" if variable.initial_value else ""
    return printable(variable.name), datatype(variable.datatype), shape(variable.shape), kind + printable(part), printable(first)
