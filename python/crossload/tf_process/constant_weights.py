"""A function whose variables are constants, but for those that it assigns: its state stays. Needs TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

_ASSIGNING = re.compile(r"Assign\w*VariableOp|Resource(Scatter|StridedSlice|Apply|Sparse)\w*")


def with_constant_weights(signature: Any) -> Callable[..., Any]:
    """The signature of a loaded SavedModel, which takes its inputs by name and returns a dict, with its weights as constants.

    TensorFlow's own convert_variables_to_constants_v2 makes all variables constants, and then fails at the op that assigns one.
    """
    found = _data(signature)
    if assigned := _assigned(found.graph_def):
        found = _data(signature, variable_names_denylist=assigned)
    graph_def, converted = convert_to_constants._replace_variables_by_constants(converter_data=found)
    frozen = convert_to_constants._construct_concrete_function(signature, graph_def, converted)
    handles = {inner.name: outer for outer, inner in signature.graph.captures}
    kept = [handles[t.name] for t in frozen.inputs if t.name in handles]
    names, outputs = list(signature._arg_keywords), sorted(signature.structured_outputs)
    return lambda **inputs: dict(zip(outputs, tf.nest.flatten(frozen(*(inputs[n] for n in names), *kept)), strict=True))


def _data(signature: Any, **names: set[str]) -> Any:
    return convert_to_constants._FunctionConverterDataInEager(signature, lower_control_flow=True, aggressive_inlining=False, **names)


def _assigned(graph_def: Any) -> set[str]:
    """The inputs of a graph through which it assigns variables."""
    nodes = {node.name: node for node in graph_def.node}

    def source(name: str) -> str:
        name = name.partition(":")[0]
        return source(nodes[name].input[0]) if nodes[name].op == "Identity" else name

    return {source(node.input[0]) for node in graph_def.node if _ASSIGNING.fullmatch(node.op)}
