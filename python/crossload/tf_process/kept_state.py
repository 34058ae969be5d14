"""A graph that keeps state between calls (edits.from_tflite.state) as a SavedModel of TensorFlow 2, whose variables a .tflite keeps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from crossload.artifacts.graphs import unset
from crossload.artifacts.graphs.graph import operation_of
from crossload.support.reach import reached
from crossload.tf_process import saved_model_builder, sessions

Bindings = dict[str, Any]


class _Variable(NamedTuple):
    """The node of a variable, the `If` that gives its value in a run, and what names it."""

    handle: str
    read: str
    name: str


def keeps(graph: Any) -> bool:
    """Whether a GraphDef has variables with a first value."""
    return bool(unset.begun(graph))


def to_saved_model(source: Path, target: Path, bindings: Bindings) -> Bindings:
    """Write the SavedModel of a .pb whose variables all have a first value; its signatures share the variables of the same name."""
    graph = sessions.read_frozen(source)
    nodes = {node.name: node for node in graph.node}
    named = {handle: nodes[handle].attr["shared_name"].s.decode() or handle for handle in unset.begun(graph)}
    variables = [_Variable(handle, read, named[handle]) for handle, read in unset.begun(graph).items()]
    module = tf.Module()
    with sessions.graph_def(source) as session:
        values = {v.name: session.run(f"{v.read}:0") for v in variables}
        specs = {name: _specs(session.graph, b["inputs"]) for name, b in bindings.items()}
    module.kept = {name: tf.Variable(value, name=f"state_{n}") for n, (name, value) in enumerate(values.items())}
    signatures = {
        b.get("key") or name: _function(graph, b, variables, module.kept).get_concrete_function(**specs[name])
        for name, b in bindings.items()
    }
    tf.saved_model.save(module, str(target), signatures=signatures)
    own = saved_model_builder.bindings_of(target)
    return {name: own[b.get("key") or name] for name, b in bindings.items()}


def _specs(graph: Any, inputs: Mapping[str, str]) -> dict[str, tf.TensorSpec]:
    tensors = {name: graph.get_tensor_by_name(tensor) for name, tensor in inputs.items()}
    return {name: tf.TensorSpec(t.shape, t.dtype, name=name) for name, t in tensors.items()}


def _function(graph: Any, binding: Mapping[str, Any], variables: list[_Variable], kept: Mapping[str, Any]) -> Any:
    """The signature as a function that reads and assigns the module's variables."""
    replaced = {v.handle for v in variables} | {v.read for v in variables} | set(map(operation_of, binding["inputs"].values()))
    nodes = {node.name: node for node in graph.node if node.name not in replaced}
    roots = map(operation_of, binding["outputs"].values())
    needed = reached(roots, lambda name: [at for at in map(operation_of, nodes[name].input) if at in nodes])
    part = tf.compat.v1.GraphDef(versions=graph.versions, library=graph.library)
    part.node.extend(node for name, node in nodes.items() if name in needed)
    taken = {source.removesuffix(":0") for name in needed for source in nodes[name].input}

    @tf.function(autograph=False)
    def serve(**inputs: Any) -> dict[str, Any]:
        given = {tensor: inputs[name] for name, tensor in binding["inputs"].items()}
        for v in variables:
            handle = tf.compat.v1.get_default_graph().capture(kept[v.name].handle)  # an import does not capture what is outside
            given |= {f"{v.handle}:0": handle, f"{v.read}:0": kept[v.name].read_value()}
        mapped = {tensor: value for tensor, value in given.items() if tensor.removesuffix(":0") in taken}
        outputs = list(binding["outputs"].values())
        return dict(zip(binding["outputs"], tf.graph_util.import_graph_def(part, mapped, outputs, name=""), strict=True))

    return serve
