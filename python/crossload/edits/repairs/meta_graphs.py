"""Repairs of a MetaGraph's signatures and init op for TensorFlow Java's own classes, without TensorFlow.

Native TensorFlow and Python load these MetaGraphs anyway; only the Java classes above native TensorFlow refuse them, from TensorFlow
Java 0.4 on.
"""

from __future__ import annotations

from typing import Any

from crossload.artifacts.graphs.saved_model import init_ops
from crossload.artifacts.graphs.saved_model_keys import MAIN_OP_COLLECTIONS, OPERATIONS, TABLE_INITIALIZERS
from crossload.contract.datatypes import DATATYPES, for_people, from_enum
from crossload.edits import composites
from crossload.edits.repairs.graphs import Repairs, reachable
from crossload.releases.nodes import output_datatypes
from crossload.releases.registrations import releases


def mend(meta_graph: Any) -> Repairs:
    """Edit a MetaGraphDef in place; returns the repairs."""
    repairs = Repairs()
    newest = releases()[-1]
    ops = ((node, newest.op(node.op)) for node in meta_graph.graph_def.node)
    types = {node.name: output_datatypes(node, op) for node, op in ops if op is not None}
    for key, signature in meta_graph.signature_def.items():
        if key in OPERATIONS:
            continue
        for side in (signature.inputs, signature.outputs):
            _take_apart(side, key, repairs)
            for name, info in side.items():
                _correct_datatype(info, f"{key}/{name}", types, repairs)
    _mend_init_op(meta_graph, repairs)
    return repairs


def _take_apart(side: Any, key: str, repairs: Repairs) -> None:
    """Composite tensors as their components, under the names that `crossload show` gives them."""
    for name in composites.of(side):
        parts = composites.expand(side, name)
        repairs.note(f"made {key}/{name} {len(parts)} plain tensors: {', '.join(parts)}")


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
    for stated in [*(i for k in OPERATIONS if k in meta_graph.signature_def for i in meta_graph.signature_def[k].outputs.values())]:
        if ":" in stated.name:
            stated.name = stated.name.split(":")[0]
            repairs.note("removed :0 from the names of {n} init ops")
    for name in MAIN_OP_COLLECTIONS:
        for at, value in enumerate(meta_graph.collection_def[name].node_list.value if name in meta_graph.collection_def else ()):
            if ":" in value:
                meta_graph.collection_def[name].node_list.value[at] = value.split(":")[0]
                repairs.note("removed :0 from the names of {n} init ops")
    if found and TABLE_INITIALIZERS in meta_graph.collection_def:
        run, _ = reachable(meta_graph.graph_def, [name.split(":")[0] for name in found.values()])
        listed = meta_graph.collection_def[TABLE_INITIALIZERS].node_list.value
        again = [name for name in listed if name.split(":")[0] in run]
        left = [name for name in listed if name not in again]
        if again:
            repairs.note("removed {n} table initialisers from the collection: the init op runs them, with the assets' paths", len(again))
        if left:
            listed[:] = left
        else:
            del meta_graph.collection_def[TABLE_INITIALIZERS]
