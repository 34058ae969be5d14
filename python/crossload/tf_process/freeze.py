"""Freezing: variables become constants, tables are filled from constants, tensor names do not change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_registry
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_from_session_graph
from tensorflow.python.tools import optimize_for_inference_lib, strip_unused_lib

from crossload.edits import bridges, frozen_graphs
from crossload.edits.functions import drop_unused_functions
from crossload.errors import ModelError
from crossload.tf_process import functions, sessions, tables
from crossload.workers.kit import checkpoint_files

__all__ = ["ModelError", "freeze", "of_graph_def", "of_meta_graph", "of_saved_model"]

Bindings = dict[str, Any]
_VARIABLES = ("VarHandleOp", "Variable", "VariableV2", "AutoReloadVariable")


def of_saved_model(source: Path, target: Path, bindings: Bindings, options: dict[str, Any]) -> Bindings:
    """A frozen graph of a SavedModel's signatures. `options`: `tags`, and those of `freeze`. Raises ModelError."""
    with sessions.saved_model(source, options.get("tags") or []) as session:
        return _write(*freeze(session, bindings, options), target, options)


def of_meta_graph(source: Path, target: Path, bindings: Bindings, options: dict[str, Any]) -> Bindings:
    """A frozen graph of a .meta with its checkpoint. `options` are those of `freeze`. Raises ModelError."""
    with sessions.meta_graph(source, bindings) as session:
        return _write(*freeze(session, bindings, options), target, options)


def of_graph_def(source: Path, target: Path, bindings: Bindings, options: dict[str, Any]) -> Bindings:
    """The part of a graph that its signatures need, with outputs under their own names. Raises ModelError."""
    with sessions.graph_def(source) as session:
        return _write(*freeze(session, bindings, options), target, options)


def freeze(session: Any, bindings: Bindings, options: Mapping[str, Any] | None = None) -> tuple[Any, Bindings]:
    """The GraphDef of a live session that holds the tensors of `bindings` (`operation:index`), its variables as constants.

    With it the bindings to it: an input that is one of several outputs of an operation is a placeholder of its own there.

    `options`: `keep_variables`, names of variables that stay variables; `optimize`, fold batch normalisations and drop training
    nodes. Devices are always cleared: the receiver does not have those of the training machine. Raises ModelError for a
    model with state that a .pb cannot carry.
    """
    options = options or {}
    graph = session.graph.as_graph_def(add_shapes=False)
    bridges.remove(graph)
    bindings = _apart(graph, session.graph, bindings)
    takes, gives = ([t for b in bindings.values() for t in b[side].values()] for side in ("inputs", "outputs"))
    inputs, outputs = ([*dict.fromkeys(t.split(":")[0] for t in side)] for side in (takes, gives))
    # Keras 3 leaves variables in the graph that nothing uses and nothing restores: only what the tensors need is converted.
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph, [*outputs, *inputs])
    drop_unused_functions(needed)
    checkpoint_files.clear_devices(needed)
    needed = functions.inlined(needed, [*outputs, *inputs])
    filled = tables.contents(session, needed)
    kept = set(options.get("keep_variables") or ())
    if unknown := kept - {n.name for n in needed.node if n.op in _VARIABLES}:
        there = sorted(n.name for n in needed.node if n.op in _VARIABLES)
        raise ModelError(f"there is no variable {sorted(unknown)[0]!r} to keep; there are: {', '.join(there[:20]) or 'none'}")
    frozen = convert_variables_to_constants_from_session_graph(session, needed, [*outputs, *inputs], variable_names_denylist=kept)
    frozen = _cut(frozen, inputs, outputs)
    tables.rebuild(frozen, filled)
    if options.get("optimize"):
        frozen = _optimized(frozen, inputs, outputs)
    if not kept:
        _refuse_state(frozen)
    return frozen, bindings


def _write(graph: Any, bindings: Bindings, target: Path, options: Mapping[str, Any]) -> Bindings:
    return frozen_graphs.write(graph, bindings, target, op_def_registry.get, name_outputs=bool(options.get("name_outputs")))


def _tensors(graph: Any, names: Sequence[str]) -> dict[str, Any]:
    """The tensors of these names, with the datatypes and shapes that TensorFlow infers."""
    with tf.Graph().as_default() as imported:
        tf.import_graph_def(graph, name="")
        return {name: imported.get_tensor_by_name(name) for name in names}


def _apart(graph: Any, of: Any, bindings: Bindings) -> Bindings:
    """Replace inputs that are one of several outputs of an operation (an iterator's features) by placeholders; returns their bindings."""
    taken = {n.name for n in graph.node}
    moved: dict[str, str] = {}
    for tensor in dict.fromkeys(t for b in bindings.values() for t in b["inputs"].values()):
        found = of.get_tensor_by_name(tensor)
        if len(found.op.outputs) > 1:
            names = (f"{found.op.name}_{found.value_index}{'_' * more}" for more in count())
            name = next(n for n in names if n not in taken)
            node = graph.node.add(name=name, op="Placeholder")
            node.attr["dtype"].type = found.dtype.as_datatype_enum
            node.attr["shape"].shape.CopyFrom(found.shape.as_proto())
            taken.add(name)
            moved[tensor] = name
    for node in graph.node if moved else ():
        for at, source in enumerate(node.input):
            node.input[at] = moved.get(source if ":" in source else f"{source}:0", source)
    sides = ("inputs", "outputs")
    return {k: {**b, **{s: {n: f"{moved[t]}:0" if t in moved else t for n, t in b[s].items()} for s in sides}} for k, b in bindings.items()}


def _cut(graph: Any, inputs: list[str], outputs: list[str]) -> Any:
    """Turn an input in the middle of the graph into a placeholder, and drop the nodes before it."""
    nodes = {n.name: n for n in graph.node}
    middle = [name for name in inputs if nodes[name].op not in ("Placeholder", "PlaceholderWithDefault", "PlaceholderV2")]
    if not middle:
        return graph
    fed = _tensors(graph, [f"{name}:0" for name in middle])
    cut = strip_unused_lib.strip_unused(graph, middle, [*outputs, *(i for i in inputs if i not in middle)], 1)
    for node in cut.node:
        if node.name in middle:
            tensor = fed[f"{node.name}:0"]
            node.attr["dtype"].type = tensor.dtype.base_dtype.as_datatype_enum
            node.attr["shape"].shape.CopyFrom(tensor.shape.as_proto())
    return cut


def _optimized(graph: Any, inputs: list[str], outputs: list[str]) -> Any:
    nodes = {n.name: n for n in graph.node}
    types = [nodes[name].attr["dtype"].type for name in inputs]
    optimized = optimize_for_inference_lib.optimize_for_inference(graph, inputs, outputs, types)
    return tf.compat.v1.graph_util.remove_training_nodes(optimized, protected_nodes=[*inputs, *outputs])


def _refuse_state(graph: Any) -> None:
    """Raise ModelError for a variable or a resource that did not become a constant, and for one that did and is still assigned.

    Such a .pb runs nowhere.
    """
    state = {n.name for n in graph.node if n.op in _VARIABLES}
    state |= {n.name for n in graph.node if n.op == "Placeholder" and n.attr["dtype"].type == tf.resource.as_datatype_enum}
    if state:
        raise ModelError(f"it keeps state that did not become constants: {', '.join(sorted(state)[:5])}")
    assigning = _without_resource(graph.node, {})
    for function in graph.library.function:
        assigning += _without_resource(function.node_def, {a.name: a.type for a in function.signature.input_arg})
    if assigning:
        node = assigning[0]
        changing = f"{node.op} {node.name!r} changes a variable"
        raise ModelError(f"it keeps state: {changing}, and a frozen graph has only constants; a SavedModel holds it")


def _without_resource(nodes: Iterable[Any], arguments: Mapping[str, int]) -> list[Any]:
    """The nodes of one body whose op takes a resource first, and that get a constant or an argument of another datatype."""
    here = {node.name: node for node in nodes}
    found = []
    for node in here.values():
        op = op_def_registry.get(node.op)
        if op is None or not node.input or not op.input_arg or op.input_arg[0].type != tf.resource.as_datatype_enum:
            continue
        source = node.input[0].partition(":")[0]
        while source in here and here[source].op == "Identity":
            source = here[source].input[0].partition(":")[0]
        constant = source in here and here[source].op == "Const"
        if constant or arguments.get(source, tf.resource.as_datatype_enum) != tf.resource.as_datatype_enum:
            found.append(node)
    return found
