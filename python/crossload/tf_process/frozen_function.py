"""A frozen graph as a function inside a new model: its constants stay constants, layers built on it are trained. Needs TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from crossload.errors import ModelError
from crossload.support.reach import reached
from crossload.support.text import near
from crossload.tf_process import sessions


def frozen_function(
    path: str | os.PathLike[str], inputs: str | Sequence[str], outputs: str | Sequence[str] | Mapping[str, str]
) -> Callable[..., Any]:
    """The graph in a .pb or .pbtxt from the tensors `inputs` to the tensors `outputs` (`operation`, or `operation:index`), any inner ones.

    It takes a tensor for each of `inputs`, in their order, and returns the one of `outputs`, a list, or a dict under its names; in
    the datatypes and shapes of the graph. It runs eagerly, in a tf.function, in a tf.Module and, inside a keras.layers.Lambda, in
    a Keras model; gradients flow through it to its inputs.
    Raises ModelError for an unknown tensor, with near matches, for outputs that need another input, and for a file that
    is not a frozen graph.
    """
    graph_def = sessions.read_frozen(Path(path))
    imported = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph_def, name=""), [])
    taken = [_tensor(imported.graph, path, name) for name in _listed(inputs)]
    given = {name: _tensor(imported.graph, path, name) for name in (outputs.values() if isinstance(outputs, Mapping) else _listed(outputs))}
    if needed := _left_open(given.values(), taken):
        raise ModelError(f"{Path(path)} needs {', '.join(needed)} for {', '.join(given)}, too; add it to the inputs, or cut behind it")
    pruned = imported.prune(taken, list(given.values()))

    def call(*tensors: Any) -> Any:
        if len(tensors) != len(taken):
            raise TypeError(f"{len(tensors)} tensors were given, but the graph takes {len(taken)}: {', '.join(t.name for t in taken)}")
        results = dict(zip(given, pruned(*(tf.cast(t, w.dtype) for t, w in zip(tensors, taken, strict=True))), strict=True))
        if isinstance(outputs, Mapping):
            return {name: results[tensor] for name, tensor in outputs.items()}
        return results[outputs] if isinstance(outputs, str) else [results[name] for name in outputs]

    return call


def _listed(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _tensor(graph: Any, path: str | os.PathLike[str], name: str) -> Any:
    try:
        return graph.get_tensor_by_name(name if ":" in name else f"{name}:0")
    except (KeyError, ValueError):
        operations = {op.name: len(op.outputs) for op in graph.get_operations()}
        operation = name.partition(":")[0]
        if there := operations.get(operation):
            raise ModelError(f"{Path(path)} has no tensor {name!r}: the outputs of {operation} go from :0 to :{there - 1}") from None
        raise ModelError(
            f"{Path(path)} has no tensor {name!r}{near(operation, (n for n, outputs in operations.items() if outputs))}"
        ) from None


def _left_open(outputs: Iterable[Any], inputs: Iterable[Any]) -> list[str]:
    """The placeholders that the outputs depend on and that the inputs do not replace."""
    given = {t.ref() for t in inputs}

    def producers(tensors: Iterable[Any]) -> list[Any]:
        return [t.op for t in tensors if t.ref() not in given]

    operations = reached(producers(outputs), lambda op: producers(op.inputs))
    return sorted(f"{op.name}:0" for op in operations if op.type in ("Placeholder", "PlaceholderV2"))
