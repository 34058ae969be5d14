"""The text of `show` for a SavedModel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crossload.cli.pages.page import Page, strong, warning
from crossload.support.text import printable

if TYPE_CHECKING:
    from crossload.artifacts.graphs.saved_model import MetaGraph, SavedModel
    from crossload.contract.signatures import Signature


def lines(found: SavedModel, page: Page) -> Iterator[str]:
    """The page's lines."""
    yield from page.heading("SavedModel", found)
    if found.missing_files:
        yield warning(f"  incomplete: {page.some(found.missing_files)} missing; copy the whole folder again")
    elif found.damage:
        yield warning(f"  {printable(found.damage)}")
    if found.unread_assets:
        yield warning(f"  {page.some(found.unread_assets)} missing, but no operation reads it: every TensorFlow loads the model without")
    yield f"  variables: {page.some(found.variables) or 'none'}"
    yield f"  assets: {page.some(found.assets) or 'none'}"
    for meta_graph in found.meta_graphs:
        yield ""
        yield f"{strong('MetaGraph')}  tags: {page.some(meta_graph.tags) or '(none: the empty tag set)'}"
        yield from _meta_graph(meta_graph, page)


def _meta_graph(found: MetaGraph, page: Page) -> Iterator[str]:
    version = f"TensorFlow {found.tensorflow_version or '(not stated)'}"
    git = f" ({found.tensorflow_git_version})" if found.tensorflow_git_version else ""
    stripped = ", attributes at their defaults left out" if found.stripped_default_attrs else ""
    yield f"  {printable(version + git)}, graph version {found.graph_producer}{stripped}"
    from crossload.artifacts.graphs import declared_inputs

    for key, signature in found.signatures.items():
        yield from page.signature(key, signature, _parts(found, signature))
        yield from _features(found, signature)
        if wrong := declared_inputs.disagreement(found.graph.nodes, signature):
            yield warning(f"    {printable(wrong.sentence)}")
    if not found.signatures:
        yield "  no signatures that can be called"
        from crossload.artifacts.graphs import object_graph

        if said := object_graph.unsigned(found.proto, found.file.parent):
            yield f"  {printable(said)}"
    from crossload.artifacts.graphs import unset

    for sentence in unset.of_meta_graph(found):
        yield warning(f"  {printable(sentence)}")
    for key, operation in found.init_ops.items():
        yield f"  operation to run, not to call: {printable(key)} = {printable(operation) or '(none)'}"
    yield from page.ops("ops", found.ops, f" in the graph and its {found.functions} functions" if found.functions else "")
    if found.collections:
        yield f"  collections: {page.some(f'{name} ({count})' for name, count in found.collections.items())}"


def _parts(found: MetaGraph, signature: Signature) -> dict[str, str]:
    """By tensor, which part it is of a sparse or ragged input, whose parts a caller gives together."""
    if len(signature.inputs) < 2:
        return {}
    from crossload.artifacts.graphs import composites

    tensors = {t.name: str(t.tensor) for t in signature.inputs}
    said = {}
    for one in composites.of_meta_graph(found.proto, signature):
        for name, role in zip(one.parts, one.roles, strict=True):
            said[tensors[name]] = f"{role} of one {one.kind} tensor: {', '.join(one.parts)}"
    return said


def _features(found: MetaGraph, signature: Signature) -> Iterator[str]:
    """The features of the tf.Examples that a signature takes, as the graph's own parser states them."""
    if not any(op in found.ops for op in ("ParseExample", "ParseExampleV2", "ParseSingleExample")):
        return
    from crossload.inputs import domains, tf_example

    for name, features in domains.of_graph(found.proto.graph_def, signature).examples.items():
        yield f"    features of the tf.Examples in {printable(name)} (`crossload run --input-examples`)"
        yield from (f"      {printable(f.name)}  {printable(tf_example.described(f))}" for f in features)
