"""Graphs that Python TensorFlow runs in a session, as TensorFlow 1 did: GraphDef and .meta files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from . import checkpoint_files, graph_defs, restore, tensors
from .graph_defs import Input
from .serving import Answer, Refusal, Request, nanoseconds


class SessionModel:
    """A graph in a session, run by the names of its tensors."""

    note: str | None = None  # how it was loaded, if not in the usual way

    def __init__(self, session: Any, signatures: dict[str, dict[str, Any]], results: dict[str, str] | None = None) -> None:
        """`signatures` are bindings to `operation:index`; `results` maps a `_Retval` node to the tensor it returns. Raises Refusal."""
        self._session, self._results = session, results or {}
        self._takes = {
            name: {n: input_of(self._tensor(n, bound)) for n, bound in binding["inputs"].items()} for name, binding in signatures.items()
        }
        self._gives = {name: {n: self._tensor(n, bound) for n, bound in binding["outputs"].items()} for name, binding in signatures.items()}

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        """Feed the inputs, fetch the outputs."""
        takes, gives = self._takes[signature], self._gives[signature]
        graph_defs.check_inputs(signature, inputs, takes)
        feeds = {takes[name].spec: array for name, array in inputs.items()}
        results, took = nanoseconds(lambda: self._session.run([gives[n] for n in outputs], feeds))
        return Answer({n: as_array(r, gives[n].dtype) for n, r in zip(outputs, results, strict=True)}, took)

    def _tensor(self, name: str, bound: str) -> Any:
        graph = self._session.graph

        def operation(wanted: str) -> tuple[Any, str, int] | None:
            try:
                found = graph.get_operation_by_name(wanted)
            except (KeyError, ValueError):
                return None
            return found, found.type, len(found.outputs)

        found, position = graph_defs.tensor(name, bound, self._results, operation, lambda: (op.name for op in graph.get_operations()))
        return found.outputs[position]


def new_session() -> Any:
    """A session on a graph of its own that takes nodes pinned to absent devices elsewhere."""
    return tf.compat.v1.Session(graph=tf.Graph(), config=tf.compat.v1.ConfigProto(allow_soft_placement=True))


def load_graph_def(request: Request) -> SessionModel:
    """A .pb or .pbtxt in a session, as a receiver would import it: nothing in it is run first. Raises Refusal."""
    graph_def = graph_defs.read(Path(request.path), tf.compat.v1.GraphDef)
    results = graph_defs.make_runnable(graph_def)
    session = new_session()
    with session.graph.as_default():
        tf.import_graph_def(graph_def, name="")
    return SessionModel(session, request.signatures, results)


def load_meta_graph(request: Request) -> SessionModel:
    """A .meta with the checkpoint beside it, its variables restored and its tables filled. Raises Refusal."""
    session = new_session()
    try:
        meta_graph, checkpoint = checkpoint_files.meta_graph_of(Path(request.path), tf.compat.v1.MetaGraphDef)
        note = restore.restore(session, meta_graph, checkpoint, checkpoint_files.operations(request.signatures))
    except checkpoint_files.CannotRestore as error:
        raise Refusal("INVALID_ARGUMENT", str(error)) from error
    model = SessionModel(session, request.signatures)
    model.note = "; ".join(filter(None, (checkpoint_files.moved(Path(request.path)), note))) or None
    return model


def input_of(spec: Any) -> Input:
    """What a tensor or TensorSpec takes; worked out once, at load: it takes longer than a small model's run."""
    try:
        datatype = tensors.datatype_of(spec.dtype.base_dtype.as_numpy_dtype)
    except (ValueError, TypeError):
        datatype = None
    shape = None if spec.shape.rank is None else [-1 if d is None else d for d in spec.shape.as_list()]
    return Input(spec, datatype, shape, spec.dtype.name)


def arguments_of(takes: dict[str, Any], names: Iterable[str]) -> dict[str, str] | None:
    """By name of a SignatureDef's input the function's own argument (`a_b` for `a/b`); None unless they are the same inputs.

    `takes` are the function's TensorSpecs by argument. tf.function turns what is no Python name into one, and keeps the name itself
    in the spec (sanitize_arg_name in tensorflow/core/function/polymorphism/function_type.py).
    """
    by_spec = {spec.name: argument for argument, spec in takes.items()}
    own = {name: name if name in takes else by_spec.get(name, re.sub(r"\W", "_", name)) for name in names}
    return own if set(own.values()) == set(takes) and len(own) == len(takes) else None


def call(
    function: Any,
    signature: str,
    takes: dict[str, Input],
    inputs: dict[str, np.ndarray],
    outputs: list[str],
    arguments: dict[str, str],
) -> Answer:
    """Call a signature's function by its own names of the inputs. Raises Refusal for inputs that do not fit."""
    graph_defs.check_inputs(signature, inputs, takes)
    feeds = {arguments[name]: tf.constant(array, dtype=takes[name].spec.dtype) for name, array in inputs.items()}
    results, took = nanoseconds(lambda: function(**feeds))
    return Answer({n: as_array(results[n].numpy(), results[n].dtype) for n in outputs}, took)


def as_array(value: Any, dtype: Any) -> np.ndarray:
    """A fetched value as an array; a scalar string comes as bare bytes, which NumPy would cut at its last NUL bytes."""
    if dtype.base_dtype != tf.string:
        return np.asarray(value)
    array = np.empty(np.shape(value), dtype=object)
    array[...] = value
    return array
