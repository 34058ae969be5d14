"""Graphs of TensorFlow 1 with their variables restored: a .meta file (MetaGraphDef) and the checkpoint of the same name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from .checkpoint_files import CannotRestore, clear_devices, prune, said_of


def restore(session: Any, meta_graph: Any, checkpoint: Path | None, needed: Iterable[str] = ()) -> str | None:
    """Import the graph into the session's, and its variables' values; returns a note if TensorFlow's own way failed.

    A .meta whose version TensorFlow refuses, or whose collections name no variables, is restored through its GraphDef and its
    saver's restore operation. Tables are initialised. If the `needed` operations are named, nodes of unregistered ops that they do not
    depend on are left out. Raises CannotRestore where values are missing.
    """
    meta_graph = _without_devices(meta_graph)
    left_out = prune(meta_graph, needed, lambda op: op_def_registry.get(op) is not None) if needed else []
    note = said_of(left_out) if left_out else None
    with session.graph.as_default():
        try:
            saver = tf.compat.v1.train.import_meta_graph(meta_graph)
        except Exception as error:  # noqa: BLE001 - whatever it refuses, the GraphDef inside may still be good
            refused = (
                f"import_meta_graph refused it ({(str(error).splitlines() or [type(error).__name__])[0][:200]}); imported as a GraphDef"
            )
            note = "; ".join(filter(None, (note, refused)))
            tf.import_graph_def(meta_graph.graph_def, name="")
            saver = None
        if checkpoint is not None:
            how = _restore_values(session, meta_graph, saver, checkpoint)
            note = "; ".join(filter(None, (note, how)))
        elif empty := sorted(op.name for op in session.graph.get_operations() if op.type in ("VarHandleOp", "VariableV2", "Variable")):
            raise CannotRestore(
                f"the graph has {len(empty)} variables ({', '.join(empty[:3])} …) and there is no checkpoint beside it; "
                "put the checkpoint's files beside the .meta, under the same name"
            )
        for initializer in session.graph.get_collection(tf.compat.v1.GraphKeys.TABLE_INITIALIZERS):
            session.run(initializer)
    return note or None


def _restore_values(session: Any, meta_graph: Any, saver: Any, checkpoint: Path) -> str | None:
    """By the saver; else by the restore operation that the saver_def names; else variable by variable."""
    if saver is not None:
        saver.restore(session, str(checkpoint))
        return None
    definition = meta_graph.saver_def
    if definition.restore_op_name:
        session.run(definition.restore_op_name, {definition.filename_tensor_name: str(checkpoint)})
        return f"its variables were restored by {definition.restore_op_name}"
    reader = tf.train.load_checkpoint(str(checkpoint))
    held = reader.get_variable_to_shape_map()
    missing = []
    for op in session.graph.get_operations():
        if op.type not in ("VarHandleOp", "VariableV2", "Variable"):
            continue
        if op.name not in held:
            missing.append(op.name)
            continue
        value = tf.constant(reader.get_tensor(op.name))
        if op.type == "VarHandleOp":
            session.run(tf.raw_ops.AssignVariableOp(resource=op.outputs[0], value=value))
        else:
            session.run(tf.raw_ops.Assign(ref=op.outputs[0], value=value))
    if missing:
        raise CannotRestore(f"{checkpoint} has no value for {', '.join(sorted(missing)[:5])}; it has: {', '.join(sorted(held)[:10])}")
    return "its variables were restored by their names: it has no saver"


def _without_devices(meta_graph: Any) -> Any:
    """A copy whose nodes are free to run anywhere."""
    copy = tf.compat.v1.MetaGraphDef()
    copy.CopyFrom(meta_graph)
    clear_devices(copy.graph_def)
    return copy
