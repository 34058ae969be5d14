"""Replaces sparse and ragged tensors in a SavedModel's signatures by their parts, as separate inputs and outputs.

TensorFlow Java (0.4 and later) refuses a SavedModel if any of its signatures has a composite tensor.
A part that is passed through (the indices of `2 * sparse`) gets its own node: outside Python a fed tensor cannot be fetched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crossload.artifacts.graphs import protos, saved_model
from crossload.artifacts.recognition import saved_model_file
from crossload.contract.datatypes import DATATYPES
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
        for name in sorted(infos)
        if infos[name].WhichOneof("encoding") in ("coo_sparse", "composite_tensor") and _flatten(infos, name)
    ]
    if flattened:
        for meta_graph in proto.meta_graphs:
            _set_apart(meta_graph)
        write(file, proto)
    return list(dict.fromkeys(flattened))


def _flatten(infos: Any, name: str) -> bool:
    """Replace a composite by its parts; False if a part is not a tensor."""
    parts = saved_model.tensors(name, infos[name])
    if any(part.datatype not in DATATYPES or part.tensor is None or part.name in infos for part in parts):
        return False
    del infos[name]
    for part in parts:
        info = infos[part.name]
        info.name, info.dtype = str(part.tensor), DATATYPES[part.datatype].enum
        info.tensor_shape.unknown_rank = part.shape is None
        for size in part.shape or ():
            info.tensor_shape.dim.add(size=size)
    return True


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
