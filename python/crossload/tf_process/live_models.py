"""Live model to SavedModel: Keras models and tf.Modules, with the author's names of inputs and outputs."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from crossload.errors import ModelError
from crossload.inputs import example_inputs
from crossload.support.text import identifiers, near
from crossload.tf_process import estimators, tf1_graphs
from crossload.tf_process.keras_kinds import is_keras, is_keras_2
from crossload.tf_process.weights import load as load_weights

__all__ = ["load_weights", "of_python", "save"]
DEFAULT_SIGNATURE = "serving_default"
# The SavedModel that this process wrote last, and how to write its model again, traced at other shapes (by input): path and shapes.
SAVED_HERE: dict[Path, Callable[[Path, Mapping[str, Sequence[int]]], None]] = {}


def of_python(source: Path, target: Path, bindings: dict[str, Any], options: dict[str, Any]) -> None:
    """The SavedModel of the result of a function in the user's file: a model, or a model and a dict of example inputs.

    The function may also return the path of a SavedModel that it wrote, a graph of TensorFlow 1 (tf_process.tf1_graphs), or an Estimator,
    its serving_input_receiver_fn and, where there are any, example inputs. `options` are `function`; `examples`, the file to write
    the example inputs to (inputs.example_inputs); `weights`, a checkpoint or a Keras file whose values the model takes, and
    `by_name`. Raises ModelError.
    """
    made = _call(source, options["function"])
    weights = Path(options["weights"]) if options.get("weights") else None
    model, *rest = made if isinstance(made, tuple) and made else (made,)
    if estimators.is_estimator(model):
        estimators.save(model, rest.pop(0) if rest else None, target, weights)
    elif isinstance(model, bytes | str | os.PathLike):
        if weights:
            raise ModelError(f"{options['function']} returns the path of a SavedModel, which has its own values: leave out --weights")
        shutil.copytree(os.fsdecode(model), target)
    elif tf1_graphs.is_graph(model):
        tf1_graphs.save(model, target, weights)
    else:
        if weights:
            load_weights(model, weights, by_name=bool(options.get("by_name")))
        save(model, target)
        if is_keras(model):
            remember(model, target)
    if len(rest) > 1:
        raise ModelError(
            f"{options['function']} returns {len(rest) + 1} things; return the model, or the model and a dict of example inputs"
        )
    if rest and rest[0] is not None:
        example_inputs.write(options["examples"], rest[0])


def remember(model: Any, saved: Path, names: Mapping[str, Mapping[str, int]] | None = None) -> None:
    """Keep a Keras model that was just saved, to be traced again at other shapes."""
    SAVED_HERE.clear()
    SAVED_HERE[saved] = lambda path, shapes: save(model, path, names=names, shapes=shapes)


def _call(file: Path, function: str) -> Any:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ModelError(f"{file} is not a Python file")
    sys.path.insert(0, str(file.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
        if callable(getattr(module, function, None)):
            return getattr(module, function)()
    except Exception as error:
        if better := estimators.explain(error):
            raise better from error
        raise
    there = sorted(n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == file.stem)
    raise ModelError(f"{file} has no function {function!r}; it has: {', '.join(there) or 'none'}")


def save(
    model: Any,
    path: Path,
    signatures: Mapping[str, Any] | None = None,
    names: Mapping[str, Mapping[str, int]] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> None:
    """Write `model` as a SavedModel.

    `signatures` maps keys to tf.functions; without it a Keras model gets `serving_default` with its input and output names, and a
    tf.Module one signature for each of its tf.functions that has an input_signature (`__call__`, or the only one, is
    `serving_default`). `names` gives a Keras model's `inputs` and `outputs` other names, by position; `shapes`, by input (-1: free), are
    those at which it is traced. Raises ModelError.
    """
    if signatures is None:
        if is_keras(model):
            _save_keras(model, path, names or {}, shapes or {})
            return
        if not isinstance(model, tf.Module | tf.__internal__.tracking.Trackable):
            raise ModelError(f"a {type(model).__name__} is neither a Keras model nor a tf.Module")
        signatures = _module_signatures(model)
    tf.saved_model.save(model, str(path), signatures=dict(signatures))


def _save_keras(model: Any, path: Path, given: Mapping[str, Mapping[str, int]], shapes: Mapping[str, Sequence[int]]) -> None:
    function, concrete = _keras_function(model, given, shapes)
    if is_keras_2(model):
        tf.saved_model.save(model, str(path), signatures={DEFAULT_SIGNATURE: concrete})
        return
    # tf.saved_model.save alone writes copies of Keras 3's variables that the signature does not use: what restores them by
    # tensor name (TensorFlow Java, every v1 loader) finds the signature's own variables empty.
    from keras.export import ExportArchive

    archive = ExportArchive()
    archive.track(model)
    archive.add_endpoint(DEFAULT_SIGNATURE, function)
    archive.write_out(str(path), verbose=False)


def _traced_shape(name: str, stated: Sequence[int | None], shapes: Mapping[str, Sequence[int]]) -> list[int | None]:
    """The shape at which an input is traced. A batch that all given shapes share is that of the other inputs, too."""
    if name in shapes:
        wished = [None if d < 0 else d for d in shapes[name]]
        if not tf.TensorShape(stated).is_compatible_with(wished):
            raise ModelError(f"the input {name!r} has the shape {tf.TensorShape(stated)}, so it cannot become {tf.TensorShape(wished)}")
        return wished
    batches = {shape[0] for shape in shapes.values() if len(shape)}
    batch = batches.pop() if len(batches) == 1 else -1
    return [batch if stated[0] is None and batch > 0 else stated[0], *stated[1:]] if len(stated) else []


def _keras_function(model: Any, given: Mapping[str, Mapping[str, int]], shapes: Mapping[str, Sequence[int]]) -> tuple[Any, Any]:
    """A traced function with the model's own input and output names, and its concrete function.

    Keras 3's own `export` names inputs after the call's arguments and outputs `output_0`, so that two inputs can be swapped unseen.
    """
    if not getattr(model, "inputs", None):
        raise ModelError(f"the Keras model {model.name!r} does not know its inputs; call it once on data, or build it with Input layers")
    names = identifiers(getattr(t, "name", f"input_{at}").split(":")[0] for at, t in enumerate(model.inputs))
    for name, at in given.get("inputs", {}).items():
        names[at] = name
    specs = {
        name: tf.TensorSpec(_traced_shape(name, list(t.shape), shapes), tf.as_dtype(getattr(t.dtype, "name", t.dtype)), name=name)
        for name, t in zip(names, model.inputs, strict=True)
    }
    if unknown := next((n for n in shapes if n not in specs), None):
        raise ModelError(f"there is no input {unknown!r} for --shape{near(unknown, specs)}; the inputs are: {', '.join(specs)}")
    structure = getattr(model, "_inputs_struct", None)
    output_names = list(getattr(model, "output_names", []) or [])
    for name, at in given.get("outputs", {}).items():
        output_names[at:] = [name, *output_names[at + 1 :]]

    @tf.function(autograph=False)
    def serve(**inputs: Any) -> dict[str, Any]:
        flat = [inputs[name] for name in names]
        if isinstance(structure, dict):
            arguments: Any = tf.nest.pack_sequence_as(structure, flat)
        else:
            arguments = flat[0] if len(flat) == 1 else flat
        outputs = model(arguments, training=False)
        if isinstance(outputs, dict):
            return outputs
        flat_outputs = tf.nest.flatten(outputs)
        called = output_names if len(output_names) == len(flat_outputs) else [f"output_{at}" for at in range(len(flat_outputs))]
        return dict(zip(called, flat_outputs, strict=True))

    return serve, serve.get_concrete_function(**specs)


def _module_signatures(module: Any) -> dict[str, Any]:
    if getattr(module, "signatures", None):  # what tf.saved_model.load returned
        return dict(module.signatures)
    functions = {}
    for name in dir(type(module)) + list(vars(module)):
        function = getattr(module, name, None)
        if hasattr(function, "get_concrete_function") and getattr(function, "input_signature", None) is not None:
            functions[name] = function
    if not functions:
        raise ModelError(
            f"the tf.Module {type(module).__name__} has no tf.function with an input_signature; decorate one: "
            "@tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name='x')])"
        )
    if "__call__" in functions:
        functions[DEFAULT_SIGNATURE] = functions.pop("__call__")
    elif len(functions) == 1 and DEFAULT_SIGNATURE not in functions:
        functions = {DEFAULT_SIGNATURE: next(iter(functions.values()))}
    return functions
