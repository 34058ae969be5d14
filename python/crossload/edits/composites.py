"""Replaces sparse and ragged tensors in a SavedModel's signatures by their parts, as separate inputs and outputs.

TensorFlow Java (0.4 and later) refuses a SavedModel if any of its signatures has a composite tensor.
A part that is passed through (the indices of `2 * sparse`) gets its own node: outside Python a fed tensor cannot be fetched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crossload.artifacts.graphs import protos, tensor_info
from crossload.artifacts.recognition import saved_model_file
from crossload.contract.datatypes import DATATYPES, from_enum
from crossload.edits.messages import write

_SCOPE = "crossload_parts/"


def flatten(folder: Path) -> list[str]:
    """Edit the SavedModel in place; returns the names of the former composites. The parts keep the names that `show` gives them."""
    file = saved_model_file(folder)
    proto = protos.parse(file, protos.SavedModelProto, "SavedModel")
    flattened = [
        name
        for meta_graph in proto.meta_graphs
        for definition in meta_graph.signature_def.values()
        for infos in (definition.inputs, definition.outputs)
        for name in of(infos)
        if _is_plain(infos, name) and expand(infos, name)
    ]
    if flattened:
        for meta_graph in proto.meta_graphs:
            _set_apart(meta_graph)
        write(file, proto)
    return list(dict.fromkeys(flattened))


def of(infos: Any) -> list[str]:
    """The names of the composite tensors among a SignatureDef's inputs or outputs."""
    return [name for name in sorted(infos) if infos[name].WhichOneof("encoding") in ("coo_sparse", "composite_tensor")]


def expand(infos: Any, name: str) -> list[str]:
    """Put the parts of a composite tensor in its place; their names."""
    parts = list(tensor_info.parts(name, infos[name]))
    del infos[name]
    for part in parts:
        info = infos[part.name]
        info.name, info.dtype = part.tensor, part.datatype
        info.tensor_shape.unknown_rank = part.shape is None
        for size in part.shape or ():
            info.tensor_shape.dim.add(size=size)
    return [part.name for part in parts]


def _is_plain(infos: Any, name: str) -> bool:
    """Whether every part is a tensor on the wire with a name that is free."""
    return all(p.tensor and from_enum(p.datatype) in DATATYPES and p.name not in infos for p in tensor_info.parts(name, infos[name]))


def _set_apart(meta_graph: Any) -> None:
    """Put an Identity after every output that is also an input of the same signature."""
    there = {node.name for node in meta_graph.graph_def.node}
    for definition in meta_graph.signature_def.values():
        fed = {info.name for info in definition.inputs.values()}
        for info in definition.outputs.values():
            if info.name not in fed:
                continue
            operation, _, index = info.name.partition(":")
            name = f"{_SCOPE}{operation}/{index or 0}"
            if name not in there:
                there.add(name)
                node = meta_graph.graph_def.node.add(name=name, op="Identity", input=[info.name.removesuffix(":0")])
                node.attr["T"].type = info.dtype
            info.name = f"{name}:0"
