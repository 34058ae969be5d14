"""A .meta file made from messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crossload.artifacts.messages import message_class
from tests.corpus.handmade import FLOAT, STRING, node


def made() -> Any:
    """A .meta of TensorFlow 1's Saver: a variable, its saver, collections, and no signature."""
    found = message_class("tensorflow.MetaGraphDef")()
    found.meta_info_def.tensorflow_version, found.meta_info_def.tensorflow_git_version = "1.15.0", "v1.15"
    found.meta_info_def.tags.append("train")
    found.graph_def.versions.producer = 134
    add = found.graph_def.node
    node(add, "x", "Placeholder", shape=(-1, 4), dtype=FLOAT)
    node(add, "w/initial", "Const", dtype=FLOAT)
    node(add, "w", "VarHandleOp", shape=(4, 2), dtype=FLOAT)
    node(add, "w/Assign", "AssignVariableOp", "w", "w/initial", dtype=FLOAT)
    node(add, "w/read", "ReadVariableOp", "w", dtype=FLOAT)
    node(add, "probabilities", "MatMul", "x", "w/read", T=FLOAT)
    node(add, "save/Const", "Const", dtype=STRING)
    node(add, "save/RestoreV2", "RestoreV2", "save/Const", dtypes=[FLOAT])
    node(add, "save/AssignVariableOp", "AssignVariableOp", "w", "save/RestoreV2", dtype=FLOAT)
    node(add, "save/restore_all", "NoOp", "^save/AssignVariableOp")
    found.saver_def.restore_op_name, found.saver_def.filename_tensor_name = "save/restore_all", "save/Const:0"
    found.saver_def.save_tensor_name, found.saver_def.version, found.saver_def.max_to_keep = "save/control:0", 2, 5
    variable = message_class("tensorflow.VariableDef")(
        variable_name="w:0", initial_value_name="w/initial:0", initializer_name="w/Assign", snapshot_name="w/read:0", is_resource=True
    )
    for name in ("variables", "trainable_variables"):
        found.collection_def[name].bytes_list.value.append(variable.SerializeToString())
    found.collection_def["train_op"].node_list.value.append("w/Assign")
    return found


def write(path: Path, message: Any) -> Path:
    path.write_bytes(message.SerializeToString(deterministic=True))
    return path
