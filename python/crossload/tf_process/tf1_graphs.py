"""Graphs of TensorFlow 1 that a user's function built, as SavedModels: any number of MetaGraphs, signatures and method names.

A MetaGraph is a dict: `inputs` and `outputs` (names to tensors), or `signatures`, a dict of such dicts, each with an optional
`method_name`; and, where they matter, `session`, `tags` (["serve"]), `extra` ({name: bytes} for assets.extra/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from crossload.errors import ModelError
from crossload.tf_process import saved_model_builder
from crossload.tf_process import weights as values

_METHODS = {name: f"tensorflow/serving/{name}" for name in ("predict", "classify", "regress")}


def is_graph(model: Any) -> bool:
    """Whether this is a MetaGraph as described above, or a list of them."""
    first = model[0] if isinstance(model, list) and model else model
    return isinstance(first, Mapping) and ("signatures" in first or {"inputs", "outputs"} <= set(first))


def save(model: Mapping[str, Any] | Sequence[Mapping[str, Any]], path: Path, weights: Path | None = None) -> None:
    """Write the MetaGraphs as one SavedModel. The first one's variables are saved: from its session, or as the checkpoint `weights`
    has them. Raises ModelError."""
    meta_graphs = [model] if isinstance(model, Mapping) else list(model)
    session = session_of(meta_graphs[0], weights)
    written = []
    for at, meta_graph in enumerate(meta_graphs):
        here = session if at == 0 else _Graph(_graph_of(meta_graph))
        written.append((here, list(meta_graph.get("tags", ["serve"])), _signature_defs(meta_graph, here.graph)))
    saved_model_builder.write(written, path, {n: d for m in meta_graphs for n, d in m.get("extra", {}).items()})


def session_of(meta_graph: Mapping[str, Any], weights: Path | None = None) -> Any:
    """The session that a graph's variables live in: its own, or a new one where the checkpoint `weights` is restored.

    Trainable variables stay trainable. Raises ModelError if there are no values.
    """
    session = meta_graph.get("session")
    graph = session.graph if session is not None else _graph_of(meta_graph)
    session = session or tf.compat.v1.Session(graph=graph, config=tf.compat.v1.ConfigProto(allow_soft_placement=True))
    with graph.as_default():
        variables = graph.get_collection(tf.compat.v1.GraphKeys.GLOBAL_VARIABLES)
        if weights is not None:
            _restore(session, variables, weights)
        elif variables and len(session.run(tf.compat.v1.report_uninitialized_variables(variables))) == len(variables):
            raise ModelError(
                "the graph's variables have no values: return the session they were trained in as 'session', or name a checkpoint with "
                "--weights"
            )
        session.run(graph.get_collection(tf.compat.v1.GraphKeys.TABLE_INITIALIZERS))
    return session


class _Graph:
    """What `saved_models.write` needs from a MetaGraph that shares another's variables."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph


def _graph_of(meta_graph: Mapping[str, Any]) -> Any:
    if "session" in meta_graph:
        return meta_graph["session"].graph
    for signature in _signatures(meta_graph).values():
        for tensor in (*signature["outputs"].values(), *signature["inputs"].values()):
            return tensor.graph
    raise ModelError("the graph has no signature with an input or an output")


def _signatures(meta_graph: Mapping[str, Any]) -> Mapping[str, Any]:
    return meta_graph.get("signatures") or {"serving_default": meta_graph}


def _signature_defs(meta_graph: Mapping[str, Any], graph: Any) -> dict[str, Any]:
    with graph.as_default():
        found = {}
        for key, signature in _signatures(meta_graph).items():
            method = signature.get("method_name", "predict")
            found[key] = saved_model_builder.signature(signature["inputs"], signature["outputs"], _METHODS.get(method, method))
        return found


def _restore(session: Any, variables: Sequence[Any], weights: Path) -> None:
    found = values.checkpoint(weights)
    # A part of a partitioned variable is a slice of the whole one, which a Saver stored under its own name.
    parts = {v.op.name: v._get_save_slice_info() for v in variables if not found.of_objects}
    shapes = {p.full_name if (p := parts.get(v.op.name)) else v.op.name: tf.TensorShape(p.full_shape) if p else v.shape for v in variables}
    keys = found.keys_of(shapes)
    named = {keys[v.op.name]: v for v in variables} if found.of_objects else list(variables)
    tf.compat.v1.train.Saver(named).restore(session, found.prefix)
