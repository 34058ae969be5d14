"""The text of `show` for Keras files of all formats."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from crossload.cli.pages.page import Page, columns, datatype, shape, strong, warning
from crossload.errors import ArtifactError
from crossload.support.text import printable

if TYPE_CHECKING:
    from crossload.artifacts.keras.keras_file import Keras

_TITLES = {"keras": "Keras model", "keras_h5": "Keras model in HDF5", "keras_weights": "Keras weights"}
_MOST_ROWS = 40


def lines(found: Keras, page: Page) -> Iterator[str]:
    """The page's lines."""
    yield from page.heading(_TITLES[found.format], found)
    yield f"  {printable(found.remedy)}"
    if found.optimizer:
        state = "with its state" if found.optimizer["state"] else "without its state"
        yield f"  optimizer: {printable(found.optimizer['class'] or 'of an unknown class')}, {state}"
    if found.dtype_policies:
        yield f"  mixed precision: {page.some(f'{name} in {count} layers' for name, count in found.dtype_policies.items())}"
    for code in found.code:
        if code.kind == "bytecode":
            yield warning(f"  Python bytecode in {printable(code.layer)}: it runs when the model is loaded and called")
        else:
            yield f"  {printable(code.layer)} calls the function {printable(code.name)}"
    if found.custom_classes:
        yield warning(f"  not Keras' own: {page.some(found.custom_classes)}")
    if found.external:
        yield warning(f"  in other files, not opened: {page.some(found.external)}")
    if found.format != "keras_weights":
        yield ""
        yield from _signature(found, page)
        yield ""
        yield f"{strong('Layers')}  {len(found.layers):,}, in a {printable(found.model)}"
        yield from _rows([(printable(n.path), printable(n.class_name), printable(n.dtype or "")) for n in found.layers], page)
    yield ""
    yield f"{strong('Weights')}  {len(found.weights):,}, {sum(math.prod(w.shape) for w in found.weights):,} values"
    yield from _rows([(printable(w.name), printable(datatype(w.datatype)), shape(w.shape)) for w in found.weights], page)


def _signature(found: Keras, page: Page) -> Iterator[str]:
    try:
        signature = found.signature()
    except ArtifactError:
        yield "  no inputs and outputs: only the model's own class knows them"
        return
    yield from page.tensors(signature.inputs, signature.outputs)


def _rows(rows: list[tuple[str, ...]], page: Page) -> Iterator[str]:
    shown = rows if page.everything else rows[:_MOST_ROWS]
    yield from columns(shown)
    if len(shown) < len(rows):
        yield f"    … {len(rows) - len(shown)} more, --all shows them"
