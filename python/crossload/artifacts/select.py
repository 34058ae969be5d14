"""Selects a part of an artifact: one of its MetaGraphs, some of its signatures, or tensors of its graph that the user names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crossload import artifacts
from crossload.artifacts.entries import artifacts_of, binding_of, unknown_signature
from crossload.contract.manifest import Artifact
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import CrossloadError
from crossload.support.reach import reached

if TYPE_CHECKING:
    from crossload.artifacts.graphs.graph import Graph
    from crossload.artifacts.tflite.tflite_file import TFLite


def choose(
    source: Path,
    tags: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
) -> tuple[Artifact, dict[str, Signature]]:
    """The source as a manifest would describe it, with the chosen MetaGraph, signatures, and tensors of a graph.

    `inputs` and `outputs` are `name=operation:index` or `operation:index`. Raises CrossloadError listing the available names.
    """
    entries, signatures = artifacts_of(source, str(source.resolve()), tags, unnamed=bool(inputs or outputs))
    entry = select(source, entries, tags, None)[0]
    if inputs or outputs:
        if unknown := [n for n in names or () if n != artifacts.DEFAULT_KEY]:
            raise CrossloadError(
                f"--signature {unknown[0]}: tensors that are named make one signature, {artifacts.DEFAULT_KEY}; leave out --signature, "
                f"or rename it: --signature {unknown[0]}={artifacts.DEFAULT_KEY}"
            )
        if entry.format == "tflite":
            found: TFLite = artifacts.read(source)  # type: ignore[assignment]  # the entry says so
            signature = found.named(dict(map(named_tensor, inputs or ())), dict(map(named_tensor, outputs or ())))
        else:
            signature = by_tensors(artifacts.graph_of(source, entry.tags), inputs, outputs)
        return entry.model_copy(update={"bindings": {artifacts.DEFAULT_KEY: binding_of(signature)}}), {artifacts.DEFAULT_KEY: signature}
    if unknown := [n for n in names or () if n not in entry.bindings]:
        raise CrossloadError(unknown_signature(source, unknown[0], entry.bindings))
    bindings = {n: b for n, b in entry.bindings.items() if not names or n in names}
    return entry.model_copy(update={"bindings": bindings}), {n: signatures[n] for n in bindings}


def by_tensors(graph: Graph, inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> Signature:
    """A graph's signature by tensors; without `inputs`, those that the outputs depend on.

    Raises ArtifactError for a tensor that is not in the graph, with near matches.
    """
    named = [named_tensor(text) for text in outputs or ()]
    found = graph.signature([tensor for _, tensor in named] or None)
    given = tuple(replace(t, name=name) for t, (name, _) in zip(found.outputs, named, strict=True)) if named else found.outputs
    taken = found.inputs
    if inputs:
        taken = tuple(replace(graph.tensor(tensor), name=name) for name, tensor in map(named_tensor, inputs))
        if unfed := _unfed(graph, given, taken):
            raise CrossloadError(
                f"the outputs also need {', '.join(unfed)}: also name the tensors that feed {'it' if len(unfed) == 1 else 'them'} as inputs"
            )
    for side in (taken, given):
        _no_name_twice(side)
    return Signature(taken, given)


def _unfed(graph: Graph, outputs: Sequence[TensorSpec], inputs: Sequence[TensorSpec]) -> list[str]:
    """The placeholders that the outputs depend on and that these inputs do not feed."""
    from crossload.artifacts.graphs.graph import operation_of

    fed = {operation_of(str(t.tensor)) for t in inputs}

    def taken(name: str) -> list[str]:
        return [] if name in fed else [operation_of(at) for at in graph.nodes[name].input]

    needed = reached((operation_of(str(t.tensor)) for t in outputs), taken) - fed
    return sorted(name for name in needed if graph.nodes[name].op == "Placeholder")


def named_tensor(text: str) -> tuple[str, str]:
    """`name=operation:index` split in two; without a name, the operation's name in characters that every language allows in names."""
    name, equals, tensor = text.partition("=")
    if not equals:
        name, tensor = re.sub(r"\W+", "_", text.removesuffix(":0").rpartition("/")[2]), text
    if not name or not tensor:
        raise CrossloadError(f"{text!r}: write name=operation:index, or operation:index")
    return name, tensor


def _no_name_twice(tensors: Sequence[TensorSpec]) -> None:
    names = [t.name for t in tensors]
    if twice := next((n for n in names if names.count(n) > 1), None):
        raise CrossloadError(f"two tensors are called {twice!r}; give them names: name=operation:index")


def select(path: Path, entries: Sequence[Artifact], tags: Sequence[str] | None, wanted: str | None) -> list[Artifact]:
    """The artifacts with this id and these tags (None: any), at least one; raises CrossloadError listing the available ones."""
    left = list(entries)
    if wanted is not None:
        left = [e for e in left if e.id == wanted]
        if not left:
            raise CrossloadError(f"{path} has no artifact {wanted!r}; it has: {', '.join(e.id for e in entries)}")
    if tags is not None:
        left = [e for e in left if e.tags is not None and set(e.tags) == set(tags)]
        if not left:
            there = "; ".join(", ".join(e.tags) or "(none)" for e in entries if e.tags is not None)
            raise CrossloadError(
                f"{path} has no MetaGraph with the tags {', '.join(tags) or '(none)'}; its tag sets are: {there or 'none'}"
            )
    return left
