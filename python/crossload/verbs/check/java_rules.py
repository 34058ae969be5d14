"""What TensorFlow Java's own layer refuses although native TensorFlow loads it, and the datatypes of its tensor types.

Seen in org.tensorflow.SavedModelBundle of each release: from 0.4 on it looks up the inputs of every signature in the graph, and runs
the operations of the collection `table_initializer` once more after native TensorFlow ran the init op.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crossload.artifacts.graphs.graph import operation_of
from crossload.artifacts.graphs.saved_model import init_ops
from crossload.contract.datatypes import for_people, from_enum
from crossload.releases.nodes import output_datatypes
from crossload.releases.registrations import Release
from crossload.verbs.check.findings import Finding
from crossload.verbs.check.graph_rules import Subject

_EVERYWHERE = frozenset({"BOOL", "BYTES", "FP32", "FP64", "INT32", "INT64", "UINT8"})
_TABLES = "table_initializer"


def carried(release: Release) -> frozenset[str] | None:
    """The datatypes that a release of TensorFlow Java has tensor types for; None for the others, which have all."""
    if not is_java(release):
        return None
    if release.title.startswith("tensorflow-java-legacy@"):
        return _EVERYWHERE
    halves = _EVERYWHERE | {"FP16", "BF16"}
    return halves | {"UINT16"} if _version(release) >= (0, 5) else halves


def findings(subject: Subject, release: Release) -> Iterator[Finding]:
    """What keeps the Java layer of this release from loading a SavedModel."""
    meta_graph = subject.meta_graph
    if meta_graph is None or not runs_table_initializers(release):
        return
    declared = {wrong.signature.key: wrong for wrong in subject.declared.values()}
    for key in sorted(meta_graph.signature_def):
        inputs = meta_graph.signature_def[key].inputs
        if key in declared and declared[key].declared.name in inputs:
            refused = f"TensorFlow Java from 0.4 on refuses the SavedModel: {declared[key].sentence}"
            yield Finding("load_error", refused, at_load=True, beyond_repair=subject.contradicted)
            continue
        for name in sorted(inputs):
            if said := _input_problem(subject, release, name, inputs[name]):
                yield Finding("load_error", f"TensorFlow Java from 0.4 on refuses the signature {key!r}: {said}", at_load=True)
    yield from _table_initializers(subject, release)


def runs_table_initializers(release: Release) -> bool:
    """Whether a release of TensorFlow Java runs the operations of the collection `table_initializer`."""
    return is_java(release) and not release.title.startswith("tensorflow-java-legacy@") and _version(release) >= (0, 4)


def is_java(release: Release) -> bool:
    """Whether a release is of TensorFlow Java."""
    return release.title.startswith("tensorflow-java")


def _version(release: Release) -> tuple[int, ...]:
    return tuple(int(n) for n in release.title.rpartition("@")[2].split("."))


def _input_problem(subject: Subject, release: Release, name: str, info: Any) -> str | None:
    """org.tensorflow.SessionFunction's constructor, which ignores outputs."""
    if not info.name:
        return f"its input {name!r} is a composite (sparse or ragged) without a tensor name of its own"
    operation, _, index = info.name.partition(":")
    node = subject.nodes.get(operation)
    if node is None:
        return f"its input {name!r} is {info.name!r}, but the graph has no such operation"
    at = int(index or 0) if (index or "0").isdecimal() else 0
    datatypes = datatypes_of(subject, node, release)
    if at >= len(datatypes):
        return f"its input {name!r} is {info.name!r}, but the operation has {len(datatypes)} outputs" if datatypes else None
    if references(node, release)[at : at + 1] == [True]:
        return f"its input {name!r} is a reference variable"
    if datatypes[at] != from_enum(info.dtype):
        return f"its input {name!r} is {for_people(from_enum(info.dtype))} in the signature but {for_people(datatypes[at])} in the graph"
    return None


def datatypes_of(subject: Subject, node: Any, release: Release) -> list[str]:
    """The datatypes of a node's outputs; none where its op is unknown."""
    op = subject.functions[node.op].signature if node.op in subject.functions else release.op(node.op)
    if op is None and node.op in ("_Arg", "_Retval"):
        return [from_enum(node.attr["T"].type)]
    return [] if op is None else output_datatypes(node, op)


def references(node: Any, release: Release) -> list[bool]:
    """Whether each output argument of a node is a reference."""
    op = release.op(node.op)
    return [] if op is None else [argument.is_ref for argument in op.output_arg]


def _table_initializers(subject: Subject, release: Release) -> Iterator[Finding]:
    collections = subject.meta_graph.collection_def
    if _TABLES not in collections:
        return
    init = next(iter(init_ops(subject.meta_graph).values()), "")
    for name in collections[_TABLES].node_list.value:
        if name not in subject.nodes:
            yield Finding(
                "load_error",
                f"TensorFlow Java from 0.4 on looks up {name!r} of the collection {_TABLES}, but no operation has that name",
                at_load=True,
            )
        elif operation_of(init) != name and not (init and _version(release) < (0, 5)):
            for file in _stale_assets(subject, name):
                yield Finding(
                    "load_error",
                    f"TensorFlow Java from {'0.5' if init else '0.4'} on runs {name!r} of the collection {_TABLES} itself, with the "
                    f"exporter's path of an asset: {file} does not exist here",
                    name,
                    op=subject.nodes[name].op,
                    at_load=True,
                )


def _stale_assets(subject: Subject, operation: str) -> Iterator[str]:
    """The missing files that an operation reads by paths of the exporter's machine."""
    needed = subject.needed([operation])
    for asset in subject.assets:
        node = subject.nodes.get(operation_of(asset.tensor_info.name))
        if node is not None and node.name in needed and node.op == "Const":
            for value in node.attr["value"].tensor.string_val:
                file = value.decode("utf-8", "surrogateescape")
                if not Path(file).exists():
                    yield file
