"""Artifacts opened in a session, as in TensorFlow 1: their graph with the saved variables and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import variable_pb2
from tensorflow.python.ops import ref_variable, resource_variable_ops

from crossload.artifacts.graphs import unset
from crossload.errors import ModelError
from crossload.workers.kit import checkpoint_files, restore


@contextmanager
def saved_model(source: Path, tags: list[str]) -> Iterator[Any]:
    """A session with the MetaGraph of these tags; its MetaGraphDef is `session.meta_graph`."""
    with _session() as session:
        session.meta_graph = tf.compat.v1.saved_model.loader.load(session, tags, str(source), clear_devices=True)
        yield session


@contextmanager
def meta_graph(source: Path, bindings: Mapping[str, Any] | None = None) -> Iterator[Any]:
    """A session with a .meta's graph, as far as `bindings` need it, and its checkpoint's values (`workers.kit.restore`)."""
    found, checkpoint = checkpoint_files.meta_graph_of(source, tf.compat.v1.MetaGraphDef)
    with _session() as session:
        if note := restore.restore(session, found, checkpoint, checkpoint_files.operations(bindings or {})):
            print(note, flush=True)
        session.meta_graph = found
        yield session


@contextmanager
def graph_def(source: Path) -> Iterator[Any]:
    """A session with a frozen graph; raises ModelError as `read_frozen` does."""
    graph = read_frozen(source)
    with _session() as session:
        tf.import_graph_def(graph, name="")
        session.meta_graph = None
        yield session


def read_frozen(source: Path) -> Any:
    """A GraphDef, binary or text, without devices. Raises ModelError for one with variables without a value: a .pb has no others."""
    try:
        graph = checkpoint_files.parsed(source, tf.compat.v1.GraphDef)
    except checkpoint_files.CannotRestore as error:
        raise ModelError(str(error)) from error
    if variables := unset.valueless(graph):
        raise ModelError(
            f"{source} is not frozen: it holds {len(variables)} variables ({', '.join(variables[:3])}), whose values a GraphDef cannot "
            "carry; convert the SavedModel, or the .meta with its checkpoint, instead"
        )
    checkpoint_files.clear_devices(graph)
    return graph


def collect_variables(session: Any) -> list[Any]:
    """The session's variables that have a value, all in the graph's collections: savers and builders know no others.

    Graphs of TensorFlow 2, and .meta files whose collections are lost, have variable operations that no collection names; those
    that are float count as trainable. Ones without a value are taken off: Keras 3 leaves some that no signature needs.
    """
    keys = tf.compat.v1.GraphKeys
    graph = session.graph
    known = {v.op.name for key in (keys.GLOBAL_VARIABLES, keys.LOCAL_VARIABLES) for v in graph.get_collection(key)}
    with graph.as_default(), graph.control_dependencies(None):
        for op in [o for o in graph.get_operations() if o.type in ("VarHandleOp", "VariableV2", "Variable") and o.name not in known]:
            variable = _variable_of(op)
            graph.add_to_collection(keys.GLOBAL_VARIABLES, variable)
            if variable.dtype.base_dtype.is_floating:
                graph.add_to_collection(keys.TRAINABLE_VARIABLES, variable)
        variables = list(
            {v.op.name: v for key in (keys.GLOBAL_VARIABLES, keys.LOCAL_VARIABLES) for v in graph.get_collection(key)}.values()
        )
        empty = {n.decode() for n in session.run(tf.compat.v1.report_uninitialized_variables(variables))} if variables else set()
    for key in (keys.GLOBAL_VARIABLES, keys.LOCAL_VARIABLES, keys.TRAINABLE_VARIABLES, keys.MODEL_VARIABLES) if empty else ():
        kept = [v for v in graph.get_collection(key) if v.op.name not in empty]
        graph.clear_collection(key)
        for variable in kept:
            graph.add_to_collection(key, variable)
    return [v for v in variables if v.op.name not in empty]


def _variable_of(op: Any) -> Any:
    """The Python object of a variable operation that has lost it (VariableDef, core/framework/variable.proto)."""
    definition = variable_pb2.VariableDef(variable_name=op.outputs[0].name)
    shape = tf.TensorShape(op.get_attr("shape"))
    if op.type == "VarHandleOp":
        read = tf.raw_ops.ReadVariableOp(resource=op.outputs[0], dtype=op.get_attr("dtype"))
        initial = tf.zeros(shape, read.dtype) if shape.is_fully_defined() and read.dtype != tf.string else read
        assign = tf.raw_ops.AssignVariableOp(resource=op.outputs[0], value=initial)
        definition.is_resource = True
    else:
        read = tf.identity(op.outputs[0])
        initial = tf.zeros(shape, read.dtype) if shape.is_fully_defined() and read.dtype != tf.string else read
        assign = tf.raw_ops.Assign(ref=op.outputs[0], value=initial).op
    definition.initial_value_name, definition.initializer_name, definition.snapshot_name = initial.name, assign.name, read.name
    kind = resource_variable_ops.ResourceVariable if definition.is_resource else ref_variable.RefVariable
    return kind.from_proto(definition)


@contextmanager
def _session() -> Iterator[Any]:
    config = tf.compat.v1.ConfigProto(allow_soft_placement=True)
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph, config=config) as session:
        yield session
