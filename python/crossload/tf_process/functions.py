"""Functions of a GraphDef: replaces calls by the nodes of the function's body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import rewriter_config_pb2
from tensorflow.python.grappler import tf_optimizer

from crossload.edits.functions import drop_unused_functions

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def inlined(graph: Any, kept: Sequence[str]) -> Any:
    """The graph with its calls replaced by the functions' nodes (Grappler's function pass), the operations `kept` under their names.

    A graph of TensorFlow 2 is one call of a function; older releases do not know all of what such functions need, and the freezing
    of variables inside functions has gaps (ResourceGather). What cannot be inlined (bodies of If and While) stays a function.
    """
    if not any(node.op in _CALLS for node in graph.node):
        return graph
    for name in dict.fromkeys(kept):
        _keep_name(graph, name)
    meta_graph = tf.compat.v1.MetaGraphDef(graph_def=graph)
    meta_graph.collection_def["train_op"].node_list.value.extend(dict.fromkeys(kept))
    config = tf.compat.v1.ConfigProto()
    rewriting = config.graph_options.rewrite_options
    rewriting.min_graph_nodes = -1
    rewriting.optimizers.append("function")
    rewriting.function_optimization = rewriter_config_pb2.RewriterConfig.AGGRESSIVE
    made = tf_optimizer.OptimizeGraph(config, meta_graph)
    drop_unused_functions(made)
    return made


def _keep_name(graph: Any, name: str) -> None:
    """Let an identity of all results take the name of a call that is asked for by it: a call that is inlined has no name any more."""
    call = next((n for n in graph.node if n.name == name), None)
    if call is None or call.op not in _CALLS:
        return
    call.name = f"{name}/call"
    for node in graph.node:
        for at, taken in enumerate(node.input):
            operation, colon, index = taken.lstrip("^").partition(":")
            if operation == name:
                node.input[at] = f"{'^' * taken.startswith('^')}{call.name}{colon}{index}"
    types = call.attr["Tout"].list.type
    results = [call.name, *(f"{call.name}:{at}" for at in range(1, len(types)))]
    if len(types) == 1:
        graph.node.add(name=name, op="Identity", input=results).attr["T"].type = types[0]
    else:
        graph.node.add(name=name, op="IdentityN", input=results).attr["T"].list.type.extend(types)
