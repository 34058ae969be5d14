"""A graph whose runs fill its own tables and begin its own variables as a SavedModel of TensorFlow 2 that has them as objects.

TFLite's converter keeps a table and a variable only of such a model. Graphs of that kind: edits.from_tflite, and frozen ones with tables.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import tensorflow as tf

from crossload.artifacts.graphs import unset
from crossload.artifacts.graphs.graph import operation_of
from crossload.support.reach import reached
from crossload.tf_process import saved_model_builder, sessions

Bindings = dict[str, Any]
_FILLS = "InitializeTableV2"  # inputs: the table, keys, values


def has_own(graph: Any, bindings: Mapping[str, Any]) -> bool:
    """Whether a run of these signatures begins a variable of a GraphDef, or fills a table."""
    return bool(unset.begun(graph)) or any(node.op == _FILLS for node in _needed(graph, bindings.values()).values())


def to_saved_model(source: Path, target: Path, bindings: Bindings) -> Bindings:
    """Write the SavedModel of a .pb of which `has_own` is true; its signatures share variables of the same name."""
    graph = sessions.read_frozen(source)
    nodes = {node.name: node for node in graph.node}
    named = {handle: nodes[handle].attr["shared_name"].s.decode() or handle for handle in unset.begun(graph)}
    fills = {operation_of(n.input[0]): n for n in _needed(graph, bindings.values()).values() if n.op == _FILLS}
    with sessions.graph_def(source) as session:
        first = {named[handle]: session.run(f"{read}:0") for handle, read in unset.begun(graph).items()}
        contents = {table: [session.run(_tensor(at)) for at in node.input[1:3]] for table, node in fills.items()}
        specs = {name: _specs(session.graph, b["inputs"]) for name, b in bindings.items()}
    module = tf.Module()
    module.variables_kept = {name: tf.Variable(value, name=f"state_{n}") for n, (name, value) in enumerate(first.items())}
    module.tables = {table: _table(nodes[table], *content) for table, content in contents.items()}
    replaced: dict[str, Callable[[], Any]] = {name: partial(_captured, table.resource_handle) for name, table in module.tables.items()}
    for handle, read in unset.begun(graph).items():
        variable = module.variables_kept[named[handle]]
        replaced |= {handle: partial(_captured, variable.handle), read: variable.read_value}
    left_out = {node.name for node in fills.values()}
    signatures = {
        b.get("key") or name: _function(graph, b, replaced, left_out).get_concrete_function(**specs[name]) for name, b in bindings.items()
    }
    tf.saved_model.save(module, str(target), signatures=signatures)
    own = saved_model_builder.bindings_of(target)
    return {name: own[b.get("key") or name] for name, b in bindings.items()}


def _tensor(at: str) -> str:
    return at if ":" in at else f"{at}:0"


def _captured(handle: Any) -> Any:
    """An import does not capture what is outside of a function's graph."""
    return tf.compat.v1.get_default_graph().capture(handle)


def _table(node: Any, keys: Any, values: Any) -> Any:
    key_type, value_type = (tf.as_dtype(node.attr[name].type) for name in ("key_dtype", "value_dtype"))
    default = "" if value_type == tf.string else 0  # what is asked for has its own default
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values, key_type, value_type), default)


def _specs(graph: Any, inputs: Mapping[str, str]) -> dict[str, tf.TensorSpec]:
    tensors = {name: graph.get_tensor_by_name(tensor) for name, tensor in inputs.items()}
    return {name: tf.TensorSpec(t.shape, t.dtype, name=name) for name, t in tensors.items()}


def _needed(graph: Any, bindings: Collection[Mapping[str, Any]], without: Collection[str] = ()) -> dict[str, Any]:
    """The nodes behind the outputs, without some and what only these need, by name."""
    nodes = {node.name: node for node in graph.node if node.name not in without}
    roots = [operation_of(tensor) for b in bindings for tensor in b["outputs"].values()]
    kept = reached(filter(nodes.get, roots), lambda name: [at for at in map(operation_of, nodes[name].input) if at in nodes])
    return {name: nodes[name] for name in nodes if name in set(kept)}


def _function(graph: Any, binding: Mapping[str, Any], replaced: Mapping[str, Callable[[], Any]], left_out: Collection[str]) -> Any:
    """The signature as a function, in which these nodes' first outputs are tensors of the module."""
    gone = {*replaced, *left_out, *map(operation_of, binding["inputs"].values())}
    part = tf.compat.v1.GraphDef(versions=graph.versions, library=graph.library)
    for node in _needed(graph, [binding], gone).values():
        kept = [at for at in node.input if not at.startswith("^") or operation_of(at) not in gone]
        part.node.add().CopyFrom(node)
        del part.node[-1].input[:]
        part.node[-1].input.extend(kept)
    taken = {_tensor(at) for node in part.node for at in node.input}

    @tf.function(autograph=False)
    def serve(**inputs: Any) -> dict[str, Any]:
        given = {_tensor(tensor): inputs[name] for name, tensor in binding["inputs"].items()}
        given |= {f"{node}:0": make() for node, make in replaced.items() if f"{node}:0" in taken}
        mapped = {tensor: value for tensor, value in given.items() if tensor in taken}
        outputs = list(binding["outputs"].values())
        return dict(zip(binding["outputs"], tf.graph_util.import_graph_def(part, mapped, outputs, name=""), strict=True))

    return serve
