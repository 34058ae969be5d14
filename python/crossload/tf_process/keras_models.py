"""Keras files (.keras, HDF5) loaded with the installed Keras, and written in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crossload.tf_process import live_models, saved_model_builder, weights
from crossload.workers.kit import keras_files

Bindings = dict[str, Any]


def to_saved_model(source: Path, target: Path, bindings: Bindings, options: dict[str, Any]) -> Bindings:
    """A SavedModel with the model's own input and output names, or those that the bindings give to their positions."""
    names = next(iter(bindings.values()), None)
    model = _load(source, options)
    live_models.save(model, target, names=names, shapes=options.get("shapes"))
    live_models.remember(model, target, names)
    return saved_model_builder.bindings_of(target)


def to_keras(source: Path, target: Path, bindings: Bindings, options: dict[str, Any]) -> Bindings:
    """The model in the format of the target's suffix: .keras, or .h5 for HDF5."""
    _load(source, options).save(str(target))
    return bindings


def _load(source: Path, options: dict[str, Any]) -> Any:
    model = keras_files.load(source, custom_objects=options.get("custom_objects"), allow_code=bool(options.get("allow_code")))
    if options.get("weights"):
        weights.load(model, Path(options["weights"]), by_name=bool(options.get("by_name")))
    return model
