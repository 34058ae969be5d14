"""The text of `show` for a .tflite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crossload.artifacts.tflite import arena
from crossload.artifacts.tflite.defects import defects
from crossload.artifacts.tflite.shapes import fixed_batches
from crossload.cli.pages.page import Page, columns, datatype, shape, strong, warning
from crossload.support.text import printable
from crossload.verbs.show.tflite_details import Details, details, operator_counts

if TYPE_CHECKING:
    from crossload.artifacts.tflite.arena import Arena
    from crossload.artifacts.tflite.inner import Inner, Tensor
    from crossload.artifacts.tflite.tflite_file import TFLite


def lines(found: TFLite, page: Page) -> Iterator[str]:
    """The page's lines."""
    inside = details(found.path)
    yield from page.heading("TFLite", found)
    outside = f", {found.external_bytes:,} bytes of them outside the flatbuffer" if found.external_bytes else ""
    yield f"  schema version {found.version}, {found.buffers} buffers{outside}"
    if found.description:
        yield f"  description: {printable(found.description)}"
    for entry in found.metadata:
        yield f"  metadata: {printable(entry.name)} = {printable(entry.text) if entry.text else f'({entry.size_bytes:,} bytes)'}"
    yield from _written(inside)
    yield from _packed(inside, page)
    yield ""
    for key, signature in found.signatures.items():
        yield from page.signature(key, signature)
    if not found.signatures:
        yield strong("Tensors") + "  the file has no signature; these names are made of its tensors'; `crossload convert` writes them in"
        signature = found.signature()
        yield from page.tensors(signature.inputs, signature.outputs)
    counts = operator_counts(inside.graphs, found.ops)
    yield from page.ops("builtin ops", counts["builtin"])
    for kind, need in (("flex", "need TensorFlow's kernels, which no plain interpreter has"), ("custom", "need kernels of their own")):
        if counts[kind]:
            yield warning(f"  {kind.capitalize()} ops {need}:")
            yield from page.ops(f"{kind} ops", counts[kind])
    found_defects = defects(inside.graphs)
    for sentence in found_defects if page.everything else found_defects[:5]:
        yield warning(f"  defect: {printable(sentence)}")
    if len(found_defects) > 5 and not page.everything:
        yield warning(f"  {len(found_defects) - 5} more defects; --all lists them")
    for graph, plan in zip(inside.graphs, inside.arenas, strict=True):
        yield from _subgraph(graph, plan, page, alone=len(inside.graphs) == 1)


def _written(inside: Details) -> Iterator[str]:
    """What the author wrote about the model."""
    if inside.metadata is None:
        return
    for name, text in inside.metadata.facts.items():
        yield f"  {name}: {printable(text)}"
    for side, notes in (("input", inside.metadata.inputs), ("output", inside.metadata.outputs)):
        for note in notes:
            spans, files = [f"values {note.range}"] if note.range else [], [f"files {', '.join(note.files)}"] if note.files else []
            told = "; ".join([*filter(None, [note.description]), *spans, *note.steps, *files])
            yield f"  {side} {printable(note.name)}: {printable(told) or 'nothing said'}"


def _packed(inside: Details, page: Page) -> Iterator[str]:
    if inside.damage:
        yield warning(f"  {printable(inside.damage)}")
    if inside.packed_files:
        listed = page.some(f"{p.name} ({p.size_bytes:,} bytes)" for p in inside.packed_files)
        yield f"  packed files, which --extract FOLDER writes: {listed}"


def _subgraph(graph: Inner, plan: Arena, page: Page, *, alone: bool) -> Iterator[str]:
    """Sizes: what the file holds, and what an interpreter must find room for."""
    held = sum(t.extent is not None for t in graph.tensors)
    if not alone:
        by = f", signature {printable(graph.key)}" if graph.key else ""
        yield f"  {strong('subgraph')} {printable(graph.name) or '(without a name)'}{by}: {len(graph.operators)} operators"
    more = "" if page.everything else "; --all lists them, --graph draws them"
    yield f"  tensors: {len(graph.tensors)}, of them {held} constants of {arena.constants(graph):,} bytes{more}"
    free = ", a free dimension counted as 1" if any(-1 in t.free for t in graph.tensors) else ""
    unknown = f", without {plan.unknown} tensors of unknown size" if plan.unknown else ""
    size = f"at least {plan.most_bytes:,}" if plan.size_bytes is None else f"about {plan.size_bytes:,}"
    yield f"  arena: {size} bytes; an estimate without the kernels' scratch buffers and the interpreter's own structures{free}{unknown}"
    if plan.at is not None:
        yield f"  most in use at once: {plan.most_bytes:,} bytes at #{plan.at} {graph.operators[plan.at].op}"
    for found in fixed_batches(graph)[: None if page.everything else 1]:
        yield warning(f"  a request with another batch than {found.batch} fails: {printable(found.sentence)}")
    if page.everything:
        yield from columns([_tensor(t, page) for t in graph.tensors]) if graph.tensors else ()


def _tensor(tensor: Tensor, page: Page) -> tuple[str, ...]:
    size = "unknown size" if tensor.size_bytes is None else f"{tensor.size_bytes:,} bytes"
    notes = (["constant"] if tensor.extent else []) + (["variable"] if tensor.variable else [])
    if tensor.scale:
        zero_point = tensor.zero_point or (0,) * len(tensor.scale)
        notes.append(page.quantisation({"scale": tensor.scale, "zero_point": zero_point, "axis": tensor.axis}))
    dimensions = shape(tensor.free or tensor.shape)
    return str(tensor.index), datatype(tensor.datatype or "DT_0"), dimensions, size, printable(tensor.name), ", ".join(notes)
