"""Repairs of a MetaGraph's signatures and init op for TensorFlow Java's own classes, without TensorFlow.

Native TensorFlow and Python load these MetaGraphs anyway; only the Java classes above native TensorFlow refuse them, from TensorFlow
Java 0.4 on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crossload.artifacts.graphs.saved_model import init_ops
from crossload.contract.datatypes import DATATYPES, for_people, from_enum
from crossload.edits.repairs.graphs import Repairs, reachable
from crossload.releases.nodes import output_datatypes
from crossload.releases.registrations import releases

# tensorflow/cc/saved_model/constants.h, tensorflow/python/framework/ops.py (GraphKeys)
_OPERATIONS = ("__saved_model_init_op", "__saved_model_train_op")
_MAIN_OPS, _TABLES = ("saved_model_main_op", "legacy_init_op"), "table_initializer"
_INT64 = 9


def mend(meta_graph: Any) -> Repairs:
    """Edit a MetaGraphDef in place; returns the repairs."""
    repairs = Repairs()
    newest = releases()[-1]
    ops = ((node, newest.op(node.op)) for node in meta_graph.graph_def.node)
    types = {node.name: output_datatypes(node, op) for node, op in ops if op is not None}
    for key, signature in meta_graph.signature_def.items():
        if key in _OPERATIONS:
            continue
        for side in (signature.inputs, signature.outputs):
            _take_apart(side, key, repairs)
            for name, info in side.items():
                _correct_datatype(info, f"{key}/{name}", types, repairs)
    _mend_init_op(meta_graph, repairs)
    return repairs


def _take_apart(side: Any, key: str, repairs: Repairs) -> None:
    """Replace composite tensors by their components, under the names of artifacts.graphs.saved_model."""
    for name in [n for n, info in side.items() if info.WhichOneof("encoding") in ("coo_sparse", "composite_tensor")]:
        parts = list(_components(name, side[name]))
        del side[name]
        for part, info in parts:
            side[part].CopyFrom(info)
        repairs.note(f"made {key}/{name} {len(parts)} plain tensors: {', '.join(part for part, _ in parts)}")


def _components(name: str, info: Any) -> Iterator[tuple[str, Any]]:
    """The plain TensorInfos of a composite one (core/protobuf/meta_graph.proto, TensorInfo)."""
    encoding = info.WhichOneof("encoding")
    if encoding == "composite_tensor":
        for at, part in enumerate(info.composite_tensor.components):
            yield from _components(f"{name}/{at}", part)
    elif encoding == "coo_sparse":
        rank = -1 if info.tensor_shape.unknown_rank else len(info.tensor_shape.dim)
        sparse = info.coo_sparse
        yield f"{name}/values", _plain(info, sparse.values_tensor_name, info.dtype, (-1,))
        yield f"{name}/indices", _plain(info, sparse.indices_tensor_name, _INT64, (-1, rank))
        yield f"{name}/dense_shape", _plain(info, sparse.dense_shape_tensor_name, _INT64, (rank,))
    else:
        yield name, info


def _plain(like: Any, tensor: str, datatype: int, shape: tuple[int, ...]) -> Any:
    info = type(like)(name=tensor, dtype=datatype)
    for size in shape:
        info.tensor_shape.dim.add(size=size)
    return info


def _correct_datatype(info: Any, about: str, types: dict[str, list[str]], repairs: Repairs) -> None:
    """Correct a datatype in a signature that differs from its tensor's: callers feed and fetch the tensor."""
    operation, _, index = info.name.partition(":")
    found = types.get(operation, [])
    at = int(index) if index.isdecimal() else 0
    said = from_enum(info.dtype)
    if at < len(found) and said in DATATYPES and found[at] in DATATYPES and found[at] != said:
        info.dtype = DATATYPES[found[at]].enum
        repairs.note(f"corrected {about}: it said {for_people(said)}, but its tensor is {for_people(found[at])}")


def _mend_init_op(meta_graph: Any, repairs: Repairs) -> None:
    """Name the init op without `:0`, and remove table initialisers that it already runs.

    TensorFlow Java 0.5 and later runs the collection of table initialisers again before the first request, without feeding the assets'
    paths, and the paths of the exporter's machine do not exist here (SavedModelBundle.fromHandle, Session.initialize).
    """
    found = init_ops(meta_graph)
    for stated in [*(i for k in _OPERATIONS if k in meta_graph.signature_def for i in meta_graph.signature_def[k].outputs.values())]:
        if ":" in stated.name:
            stated.name = stated.name.split(":")[0]
            repairs.note("removed :0 from the names of {n} init ops")
    for name in _MAIN_OPS:
        for at, value in enumerate(meta_graph.collection_def[name].node_list.value if name in meta_graph.collection_def else ()):
            if ":" in value:
                meta_graph.collection_def[name].node_list.value[at] = value.split(":")[0]
                repairs.note("removed :0 from the names of {n} init ops")
    if found and _TABLES in meta_graph.collection_def:
        run, _ = reachable(meta_graph.graph_def, [name.split(":")[0] for name in found.values()])
        listed = meta_graph.collection_def[_TABLES].node_list.value
        again = [name for name in listed if name.split(":")[0] in run]
        left = [name for name in listed if name not in again]
        if again:
            repairs.note("removed {n} table initialisers from the collection: the init op runs them, with the assets' paths", len(again))
        if left:
            listed[:] = left
        else:
            del meta_graph.collection_def[_TABLES]
