"""SavedModel to frozen GraphDef: variables become constants, tensor names stay those of the SignatureDefs."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_from_session_graph


class CannotFreeze(Exception):
    """Why no working .pb can be made of this model."""


def freeze(saved_model: Path, tags: list[str], tensors: list[str], destination: Path) -> None:
    """Write a frozen graph that holds the given tensors (`operation:index`: inputs and outputs of all signatures).

    Raises CannotFreeze for a model whose graph needs an initialisation that a .pb cannot carry: a lookup table leaves
    operations whose resource nobody fills.
    """
    operations = list(dict.fromkeys(t.split(":")[0] for t in tensors))
    with tf.Graph().as_default() as graph:
        session = tf.compat.v1.Session(graph=graph, config=tf.compat.v1.ConfigProto(allow_soft_placement=True))
        with session:
            meta_graph = tf.compat.v1.saved_model.loader.load(session, tags, str(saved_model))
            # Keras 3 leaves variables in the graph that nothing uses and nothing restores: only what the tensors need is converted.
            needed = tf.compat.v1.graph_util.extract_sub_graph(meta_graph.graph_def, operations)
            _refuse_tables(needed)
            frozen = convert_variables_to_constants_from_session_graph(session, needed, operations)
    _refuse_state(frozen)
    for node in frozen.node:
        node.device = ""  # devices of the training machine mean nothing to the receiver
    for function in frozen.library.function:
        for node in function.node_def:
            node.device = ""
    destination.write_bytes(frozen.SerializeToString(deterministic=True))


def _refuse_tables(graph: tf.compat.v1.GraphDef) -> None:
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    tables = sorted({n.op for n in nodes if "HashTable" in n.op or n.op.startswith("LookupTable")})
    if tables:
        raise CannotFreeze(
            f"it holds a lookup table ({', '.join(tables)}), which a frozen graph has no way to fill; hand over the SavedModel"
        )


def _refuse_state(graph: tf.compat.v1.GraphDef) -> None:
    """A variable or a resource that did not become a constant would make a .pb that runs nowhere."""
    state = {n.name for n in graph.node if n.op in ("VarHandleOp", "Variable", "VariableV2")}
    state |= {n.name for n in graph.node if n.op == "Placeholder" and n.attr["dtype"].type == tf.resource.as_datatype_enum}
    if state:
        raise CannotFreeze(f"it keeps state that did not become constants: {', '.join(sorted(state)[:5])}")
