"""A .tflite edited without TensorFlow: cut to other inputs and outputs, stripped, with other metadata, at other shapes (schema.fbs).

Names alone are edited in place (edits/tflite_signatures.py), so that all other bytes stay; any other edit writes the file anew, and so
does one of a file with weights behind its flatbuffer.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crossload.artifacts.content import content
from crossload.artifacts.tflite import tflite_file
from crossload.artifacts.tflite.inner import damage
from crossload.edits import tflite_signatures, tflite_strip, tflite_tree
from crossload.edits.tflite_signatures import inject_signatures
from crossload.edits.tflite_tree import Tree

Bindings = dict[str, Any]
# What an edit is asked for by, among the options of a conversion.
WRITING = ("cut", "strip", "strip_names", "set_metadata", "drop_metadata", "description", "tensor_shapes", "reshapes")


def tflite_to_tflite(source: Path, target: Path, bindings: Bindings, options: dict[str, Any]) -> Bindings:
    """The .tflite with exactly the signatures of `bindings`, under their names; an edge of the planner that runs in the core.

    Options: `cut` (the tensors of the first subgraph's only signature, `{key: {"inputs": {name: index}, "outputs": {…}}}`; inner ones, too,
    and what they do not need goes), `strip`, `strip_names`, `set_metadata` (files by name), `drop_metadata` (names), `description`,
    `tensor_shapes` (shapes of the first subgraph's tensors by number), `reshapes` (what its Reshapes make, by position). Raises
    ArtifactError for a damaged file, and CrossloadError for one that cannot be written anew, or as `inject_signatures` does.
    """
    wanted = {name: options[name] for name in WRITING if options.get(name) is not None}
    data = content(source)
    # What is behind the flatbuffer is addressed from the file's beginning, so that nothing can be put in front of it.
    anew = bool(wanted) or tflite_file.of(source, data, ops=False).external_bytes > 0
    with target.open("wb") as stream:
        stream.writelines(edited(source, data, bindings, **wanted) if anew else [inject_signatures(source, bindings)])
    # The numbers of tensors may have changed: the file's own signatures tell them.
    return {name: {**b, "key": name} for name, b in bindings.items()}


def edited(
    path: Path,
    data: bytes,
    signatures: Bindings | None = None,
    *,
    cut: Mapping[str, Mapping[str, Mapping[str, int]]] | None = None,
    strip: bool = False,
    strip_names: bool = False,
    set_metadata: Mapping[str, str] | None = None,
    drop_metadata: Sequence[str] = (),
    description: str | None = None,
    tensor_shapes: Mapping[int, Sequence[int]] | None = None,
    reshapes: Mapping[int, Sequence[int]] | None = None,
) -> list[bytes | memoryview]:
    """The parts of the edited file, with these signatures, or its own. Raises as `tflite_to_tflite`; `path` is its name in errors."""
    tree = tflite_tree.read(path, data)
    with damage(path):
        if cut:
            _cut(tree, cut)
        elif signatures is not None:
            tflite_signatures.in_tree(path, data, tree, signatures)
        _drop(tree, [*drop_metadata, *([tflite_strip.BY_TENSOR] if tensor_shapes else [])])
        if description is not None:
            tree["description"] = description
        for index, shape in (tensor_shapes or {}).items():
            _resize(tree["subgraphs"][0]["tensors"][index], list(shape))
        for position, shape in (reshapes or {}).items():
            _reshape_to(tree, tree["subgraphs"][0]["operators"][position], list(shape))
        if strip or cut:
            tflite_strip.strip(tree)
        for name, file in (set_metadata or {}).items():
            _set(tree, name, Path(file).read_bytes())
        if set_metadata or drop_metadata or tensor_shapes:
            tflite_strip.buffers(tree)
        if strip_names:
            tflite_strip.strip_names(tree)
    return tflite_tree.write(path, data, tree)


def _cut(tree: Tree, cut: Mapping[str, Mapping[str, Mapping[str, int]]]) -> None:
    ((key, sides),) = cut.items()
    for side, tensors in sides.items():
        tree["subgraphs"][0][side] = list(tensors.values())
    tree["signature_defs"] = [tflite_signatures.definition(key, 0, sides)]


def _drop(tree: Tree, names: Sequence[str]) -> None:
    if names:
        tree["metadata"] = [entry for entry in tree.get("metadata", []) if entry.get("name", "") not in names]


def _set(tree: Tree, name: str, value: bytes) -> None:
    """Set an entry of the metadata, in the place of one with this name."""
    buffers, metadata = tree.setdefault("buffers", [{}]), tree.setdefault("metadata", [])
    buffers.append({"data": value})
    entry = next((e for e in metadata if e.get("name") == name), None)
    if entry is None:
        metadata.append(entry := {"name": name})
    entry["buffer"] = len(buffers) - 1


def _resize(tensor: Tree, shape: list[int]) -> None:
    tensor["shape"] = shape
    tensor.pop("shape_signature", None)


def _reshape_to(tree: Tree, operator: Tree, shape: list[int]) -> None:
    """Give a RESHAPE a constant of its own, and the same shape in its options (ReshapeOptions), where old interpreters look."""
    tensors, operators = tree["subgraphs"][0]["tensors"], tree["subgraphs"][0]["operators"]
    at = operator["inputs"][1]
    own = {**tensors[at], "shape": [len(shape)], "buffer": len(tree["buffers"])}
    tree["buffers"].append({"data": struct.pack(f"<{len(shape)}i", *shape)})
    if sum(o.get("inputs", []).count(at) for o in operators) == 1:
        tensors[at] = own
    else:
        operator["inputs"][1] = len(tensors)
        tensors.append(own)
    if 0 in operator.get("options", {}):
        tflite_tree.set_numbers(operator["options"], 0, shape)
