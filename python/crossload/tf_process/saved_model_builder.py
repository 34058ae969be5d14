"""SavedModels written from sessions by TensorFlow 1's builder: from a .meta and its checkpoint, from a GraphDef."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.saved_model import loader_impl

from crossload.artifacts.graphs.saved_model_keys import INIT_OP, MAIN_OP_COLLECTIONS
from crossload.artifacts.graphs.tensor_info import parts
from crossload.errors import ModelError
from crossload.tf_process import sessions

Bindings = dict[str, Any]
_PREDICT = "tensorflow/serving/predict"


def of_meta_graph(source: Path, target: Path, bindings: Bindings, options: dict[str, Any]) -> Bindings:
    """The SavedModel of a .meta with its checkpoint: its variables stay variables, and trainable ones stay trainable."""
    with sessions.meta_graph(source, bindings) as session:
        return _from_session(session, target, bindings)


def of_graph_def(source: Path, target: Path, bindings: Bindings, options: dict[str, Any]) -> Bindings:
    """The SavedModel of a frozen graph, with the signatures of the bindings."""
    with sessions.graph_def(source) as session:
        return _from_session(session, target, bindings)


def _from_session(session: Any, target: Path, bindings: Bindings) -> Bindings:
    signatures = {}
    stated = session.meta_graph.signature_def if session.meta_graph else {}
    for name, binding in bindings.items():
        key = binding["key"] or name
        if binding["key"] in stated:
            signatures[key] = stated[key]
            continue
        tensors = {side: {n: session.graph.get_tensor_by_name(t) for n, t in binding[side].items()} for side in ("inputs", "outputs")}
        signatures[key] = signature(tensors["inputs"], tensors["outputs"])
    write([(session, ["serve"], signatures)], target)
    own = bindings_of(target)
    return {name: own[binding["key"] or name] for name, binding in bindings.items()}


def bindings_of(saved_model: Path) -> Bindings:
    """The bindings of a SavedModel's signatures by their keys, in all of its MetaGraphs, without those that are not called (init ops)."""
    message = loader_impl.parse_saved_model(str(saved_model))
    return {
        key: {
            "key": key,
            "inputs": {p.name: p.tensor for name in sorted(found.inputs) for p in parts(name, found.inputs[name])},
            "outputs": {p.name: p.tensor for name in sorted(found.outputs) for p in parts(name, found.outputs[name])},
        }
        for meta_graph in message.meta_graphs
        for key, found in meta_graph.signature_def.items()
        if not key.startswith("__saved_model")
    }


def signature(inputs: Mapping[str, Any], outputs: Mapping[str, Any], method_name: str = _PREDICT) -> Any:
    """A SignatureDef over a graph's tensors (sparse and ragged ones keep their components)."""
    info = tf.compat.v1.saved_model.utils.build_tensor_info
    return tf.compat.v1.saved_model.signature_def_utils.build_signature_def(
        {name: info(t) for name, t in inputs.items()}, {name: info(t) for name, t in outputs.items()}, method_name
    )


def write(meta_graphs: Sequence[tuple[Any, list[str], dict[str, Any]]], target: Path, extra: Mapping[str, bytes] | None = None) -> None:
    """Write (session, tags, SignatureDefs) each as a MetaGraph; variables are the first one's, as the format has them once.

    Tables are initialised by the SavedModel's init op, assets are those of the graphs' own collections; `extra` go to
    `assets.extra/`. Raises ModelError for two MetaGraphs of the same tags.
    """
    tag_sets = [frozenset(tags) for _, tags, _ in meta_graphs]
    twice = next((tags for tags in tag_sets if tag_sets.count(tags) > 1), None)
    if twice is not None:
        raise ModelError(f"two MetaGraphs have the same tags: {', '.join(sorted(twice))}; name others")
    if target.is_dir() and not any(target.iterdir()):
        target.rmdir()  # the builder wants to make it
    builder = tf.compat.v1.saved_model.Builder(str(target))
    for at, (session, tags, signatures) in enumerate(meta_graphs):
        with session.graph.as_default():
            common = {"signature_def_map": signatures, "clear_devices": True, "strip_default_attrs": True, "main_op": _initialize(session)}
            assets = session.graph.get_collection(tf.compat.v1.GraphKeys.ASSET_FILEPATHS) or None
            if at == 0:
                sessions.collect_variables(session)
                builder.add_meta_graph_and_variables(session, tags, assets_collection=assets, **common)
            else:
                builder.add_meta_graph(tags, assets_collection=assets, **common)
    builder.save()
    for name, data in (extra or {}).items():
        file = target / "assets.extra" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _initialize(session: Any) -> Any:
    """The operation that fills the tables: the collection's initializers, or the loaded MetaGraph's init op."""
    keys = (INIT_OP, "__saved_model_main_op")
    meta_graph = getattr(session, "meta_graph", None)
    stated = [meta_graph.signature_def[k].outputs[k].name for k in keys if meta_graph and k in meta_graph.signature_def]
    if stated:
        return session.graph.as_graph_element(stated[0].split(":")[0])
    for key in MAIN_OP_COLLECTIONS:
        if found := session.graph.get_collection(key):
            session.graph.clear_collection(key)
            return found[0]
    initializers = session.graph.get_collection(tf.compat.v1.GraphKeys.TABLE_INITIALIZERS)
    return tf.group(*initializers, name="crossload_init") if initializers else None
