"""Pin inputs of a graph: placeholders become constants (node_def.proto, tensor.proto), as keep_prob = 1 of a dropout of TensorFlow 1."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from crossload.artifacts.graphs import protos
from crossload.artifacts.graphs.graph import operation_of
from crossload.artifacts.graphs.op_types import INPUT_OPS
from crossload.artifacts.graphs.saved_model_keys import OPERATIONS
from crossload.artifacts.recognition import SAVED_MODEL_FILES, saved_model_file
from crossload.contract import datatypes
from crossload.errors import CrossloadError


def graph_def(source: Path, target: Path, values: Mapping[str, np.ndarray]) -> None:
    """Write the GraphDef of `source` with these placeholders, by operation, as constants. Raises CrossloadError."""
    graph = protos.parse(source, protos.GraphDefProto, "GraphDef")
    _pin(graph, values)
    target.write_bytes(graph.SerializeToString(deterministic=True))


def saved_model(folder: Path, tags: list[str], values: Mapping[str, np.ndarray]) -> None:
    """Pin placeholders of the MetaGraph with these tags, in place, and take them from its signatures. Raises CrossloadError.

    Its object graph is removed: the functions that Python's loader would call from it still take the inputs.
    """
    file = saved_model_file(folder)
    message = protos.parse(file, protos.SavedModelProto, "SavedModel")
    for meta_graph in message.meta_graphs:
        if set(meta_graph.meta_info_def.tags) == set(tags):
            _pin_meta_graph(meta_graph, values)
            meta_graph.ClearField("object_graph_def")
    file.unlink()
    (folder / "fingerprint.pb").unlink(missing_ok=True)  # it is the fingerprint of the original
    (folder / SAVED_MODEL_FILES[0]).write_bytes(message.SerializeToString(deterministic=True))


def meta_graph(file: Path, values: Mapping[str, np.ndarray]) -> None:
    """Pin placeholders of a .meta file, in place, and take them from its signatures. Raises CrossloadError."""
    message = protos.parse(file, protos.MetaGraphProto, "MetaGraphDef")
    _pin_meta_graph(message, values)
    file.unlink()  # it may be a link to the original
    file.write_bytes(message.SerializeToString(deterministic=True))


def _pin_meta_graph(message: Any, values: Mapping[str, np.ndarray]) -> None:
    _pin(message.graph_def, values)
    for key, signature in message.signature_def.items():
        for name in [n for n, i in signature.inputs.items() if key not in OPERATIONS and operation_of(i.name) in values]:
            del signature.inputs[name]


def _pin(graph: Any, values: Mapping[str, np.ndarray]) -> None:
    nodes = {node.name: node for node in graph.node}
    for name, array in values.items():
        node = nodes.get(name)
        if node is None or node.op not in INPUT_OPS:
            raise CrossloadError(f"--pin {name}: it is not a placeholder of the graph, so it cannot become a constant")
        number = node.attr["dtype"].type
        kept = [at for at in node.input if at.startswith("^")]
        node.op = "Const"
        node.attr.clear()
        del node.input[:]
        node.input.extend(kept)
        node.attr["dtype"].type = number
        _fill(node.attr["value"].tensor, number, array)


def _fill(tensor: Any, number: int, array: np.ndarray) -> None:
    tensor.dtype = number
    tensor.tensor_shape.SetInParent()
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    if datatypes.of_array(array) == "BYTES":
        tensor.string_val.extend(array.ravel())
    else:
        tensor.tensor_content = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
