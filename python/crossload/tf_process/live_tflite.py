"""Live models to .tflite: tf.Modules, Keras models, tf.functions and ConcreteFunctions, in the process where they live."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context

from crossload.artifacts.tflite import tensor_names
from crossload.errors import ModelError
from crossload.tf_process import live_models, saved_model_builder, tflite
from crossload.tf_process.live_models import DEFAULT_SIGNATURE

Bindings = dict[str, Any]


def live_to_tflite(
    model: Any, target: Path, signatures: Mapping[str, Any] | None = None, options: Mapping[str, Any] | None = None
) -> Bindings:
    """Write a .tflite of a live tf.Module, Keras model, tf.function or ConcreteFunction; its signatures and tensor indices.

    `signatures` maps keys to a tf.Module's functions; without it, they are those of tf_process.live_models.save. A function is
    `serving_default`, with the names of its arguments, of the dict it returns, or else of its tensors. Raises ModelError.
    """
    with tempfile.TemporaryDirectory(prefix="crossload-") as scratch, context.eager_mode():
        made = Path(scratch) / "model"
        if _is_function(model):
            module = tf.Module()
            function, module.captured = _named(model)
            tf.saved_model.save(module, str(made), signatures={DEFAULT_SIGNATURE: function})
        else:
            try:
                live_models.save(model, made, signatures)
            except ModelError as error:
                raise ModelError(str(error)) from error
        return tflite.saved_model_to_tflite(made, target, saved_model_builder.bindings_of(made), options or {})


def _is_function(model: Any) -> bool:
    return hasattr(model, "structured_outputs") or (hasattr(model, "get_concrete_function") and not isinstance(model, tf.Module))


def _named(function: Any) -> tuple[Any, list[Any]]:
    """A concrete function that takes keywords and gives a dict, as a signature has to, and the variables it needs."""
    if not hasattr(function, "structured_outputs"):
        if getattr(function, "input_signature", None) is None:
            raise ModelError("the tf.function has no input_signature; give it one, or give its get_concrete_function(…) of the shapes")
        function = function.get_concrete_function()
    taken = function.inputs[: len(function.inputs) - len(function.captured_inputs)]
    arguments = [s for s in tf.nest.flatten(function.structured_input_signature) if isinstance(s, tf.TensorSpec)]
    known = arguments if len(arguments) == len(taken) and all(s.name for s in arguments) else taken
    names = tensor_names.readable([t.name for t in known], "input")
    specs = {n: tf.TensorSpec(t.shape, t.dtype, name=n) for n, t in zip(names, taken, strict=True)}
    shape = function.structured_outputs
    by_name = isinstance(shape, Mapping) and not any(tf.nest.is_nested(value) for value in shape.values())
    outputs = [str(k) for k in sorted(shape)] if by_name else tensor_names.readable([t.name for t in function.outputs], "output")

    @tf.function(autograph=False)
    def serve(**inputs: Any) -> dict[str, Any]:
        given = function._call_flat([inputs[n] for n in names], function.captured_inputs)
        return dict(zip(outputs, tf.nest.flatten(given), strict=True))

    return serve.get_concrete_function(**specs), list(function.graph.variables)
