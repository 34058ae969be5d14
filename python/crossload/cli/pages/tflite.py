"""The text of `show` for a .tflite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crossload.cli.pages.page import Page, strong, warning
from crossload.support.text import printable

if TYPE_CHECKING:
    from crossload.artifacts.tflite.tflite_file import TFLite


def lines(found: TFLite, page: Page) -> Iterator[str]:
    """The page's lines."""
    yield from page.heading("TFLite", found)
    outside = f", {found.external_bytes:,} bytes of them outside the flatbuffer" if found.external_bytes else ""
    yield f"  schema version {found.version}, {found.buffers} buffers{outside}"
    if found.description:
        yield f"  description: {printable(found.description)}"
    for entry in found.metadata:
        yield f"  metadata: {printable(entry.name)} = {printable(entry.text) if entry.text else f'({entry.size_bytes:,} bytes)'}"
    for graph in found.subgraphs if len(found.subgraphs) > 1 else ():
        yield f"  subgraph: {printable(graph.name) or '(without a name)'}, {graph.operators} operators, {graph.tensors} tensors"
    yield ""
    for key, signature in found.signatures.items():
        yield from page.signature(key, signature)
    if not found.signatures:
        yield strong("Tensors") + "  the file has no signature; these names are made of its tensors'; `crossload convert` writes them in"
        signature = found.signature()
        yield from page.tensors(signature.inputs, signature.outputs)
    yield from page.ops("builtin ops", found.ops["builtin"])
    for kind, need in (("flex", "need TensorFlow's kernels, which no plain interpreter has"), ("custom", "need kernels of their own")):
        if found.ops[kind]:
            yield warning(f"  {kind.capitalize()} ops {need}:")
            yield from page.ops(f"{kind} ops", found.ops[kind])
