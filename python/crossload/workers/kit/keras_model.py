"""Keras files in the worker `tensorflow`: the model itself, called with its inputs by position."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from . import graph_defs, keras_files, tf_graphs
from .serving import Answer, Refusal, Request, nanoseconds


class KerasModel:
    """A loaded Keras model; bindings say which of its inputs and outputs a name is."""

    note: str | None = None

    def __init__(self, request: Request) -> None:
        """Raises Refusal for a file that this Keras does not load, and for bindings it does not fit."""
        try:
            self._model: Any = keras_files.load(
                request.path, custom_objects=request.options.get("custom_objects"), allow_code=bool(request.options.get("allow_code"))
            )
        except keras_files.CannotLoad as error:
            raise Refusal("INVALID_ARGUMENT", str(error)) from error
        inputs = list(getattr(self._model, "inputs", None) or [])
        if not inputs:
            raise Refusal("INVALID_ARGUMENT", f"the model {self._model.name!r} does not say its inputs; build it before it is saved")
        self._specs = [
            tf.TensorSpec(tf.TensorShape(list(t.shape)), tf.as_dtype(getattr(t.dtype, "name", t.dtype)), getattr(t, "name", None))
            for t in inputs
        ]
        self._structure = getattr(self._model, "_inputs_struct", None)
        self._takes, self._gives = {}, {}
        for name, binding in request.signatures.items():
            outputs = len(tf.nest.flatten(self._model.outputs))
            for side, bound, there in (("inputs", binding["inputs"], len(inputs)), ("outputs", binding["outputs"], outputs)):
                if absent := [n for n, at in bound.items() if not 0 <= int(at) < there]:
                    raise Refusal("NOT_FOUND", f"the model has {there} {side}, and {absent[0]!r} is bound to number {bound[absent[0]]}")
            self._takes[name] = {n: (int(at), tf_graphs.input_of(self._specs[int(at)])) for n, at in binding["inputs"].items()}
            self._gives[name] = {n: int(at) for n, at in binding["outputs"].items()}

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        """Call the model as it predicts (`training=False`)."""
        takes = self._takes[signature]
        graph_defs.check_inputs(signature, inputs, {name: taken for name, (_, taken) in takes.items()})
        flat = [tf.constant(inputs[n], dtype=s[1].spec.dtype) for n, s in sorted(takes.items(), key=lambda item: item[1][0])]
        if isinstance(self._structure, dict):
            arguments: Any = tf.nest.pack_sequence_as(self._structure, flat)
        else:
            arguments = flat[0] if len(flat) == 1 else flat
        results, took = nanoseconds(lambda: self._model(arguments, training=False))
        given = tf.nest.flatten(results)
        gives = self._gives[signature]
        return Answer({n: tf_graphs.as_array(given[gives[n]].numpy(), given[gives[n]].dtype) for n in outputs}, took)


class KerasLayer:
    """A SavedModel as Keras 3 loads it, as a layer (TFSMLayer) for each signature."""

    note: str | None = "loaded by keras.layers.TFSMLayer"

    def __init__(self, request: Request) -> None:
        """Raises Refusal for a Keras without that layer, and for a key that the SavedModel does not have."""
        import keras

        if not hasattr(keras.layers, "TFSMLayer"):
            raise Refusal("UNIMPLEMENTED", f"Keras {keras.__version__} has no TFSMLayer, by which Keras 3 loads SavedModels")
        self._endpoints = {}
        for name, binding in request.signatures.items():
            try:
                layer = keras.layers.TFSMLayer(request.path, call_endpoint=binding["key"])
            except ValueError as error:
                raise Refusal("NOT_FOUND", str(error).splitlines()[0]) from error
            taken = layer._reloaded_obj.signatures[binding["key"]].structured_input_signature[1]
            arguments = tf_graphs.arguments_of(taken, binding["inputs"])
            if arguments is None:
                raise Refusal("INVALID_ARGUMENT", f"signature {name!r} as a function has other inputs ({', '.join(sorted(taken))})")
            self._endpoints[name] = layer, {n: tf_graphs.input_of(taken[own]) for n, own in arguments.items()}, arguments

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        """Call the layer's endpoint with the signature's names."""
        layer, takes, arguments = self._endpoints[signature]
        return tf_graphs.call(layer.call_endpoint_fn, signature, takes, inputs, outputs, arguments)
