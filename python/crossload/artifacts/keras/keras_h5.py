"""Keras models and weights in HDF5: whole models (keras/src/legacy/saving/legacy_h5_format.py), weights in both layouts (saving_lib.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from crossload.artifacts.keras import hdf5, keras_file
from crossload.artifacts.keras.keras_file import Keras
from crossload.errors import ArtifactError
from crossload.workers.kit import keras_configs

_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")


def parse(path: Path, digests: bool = False) -> tuple[str, hdf5.Contents]:
    """The format's word, `keras_h5` or `keras_weights`, and the file's contents; raises ArtifactError for other HDF5 files."""
    contents = hdf5.read(path, attributes=keras_file.ATTRIBUTES, digests=digests)
    if contents.text("", "model_config") is not None:
        return "keras_h5", contents
    if contents.names("", "layer_names") is not None or any(g.split("/", 1)[0] in (*_CONTAINERS, "vars") for g in contents.attributes):
        return "keras_weights", contents
    there = ", ".join([*(g for g in contents.attributes if g and "/" not in g), *(d for d in contents.datasets if "/" not in d)][:8])
    raise ArtifactError(
        f"{path} is an HDF5 file but not a Keras model: it has neither model_config nor layer_names nor layers, "
        f"but {there or 'nothing at all'}; give a file that model.save or model.save_weights wrote"
    )


def read(path: Path, digests: bool = False) -> Keras:
    """Read a whole model or weights (with `digests`, also values); raises ArtifactError as `parse` does, and for an incomplete file."""
    return of(path, parse(path, digests)[1])


def of(path: Path, contents: hdf5.Contents) -> Keras:
    """The description of an HDF5 file from its contents, which `parse` has read."""
    groups = ("", "model_weights")
    version, backend = (next((t for g in groups if (t := contents.text(g, key))), None) for key in ("keras_version", "backend"))
    text = contents.text("", "model_config")
    if text is not None:
        return keras_file.described(path, "keras_h5", text, contents, version, _training(contents), backend)
    generation = keras_configs.generation(version)
    if contents.names("", "layer_names") is None:
        # Only Keras 3 records the names of layers in this layout.
        generation = 3 if any(contents.text(g, "name") for g in contents.attributes) else 2
    found = tuple(keras_file.weights(path, contents))
    return Keras(path, "keras_weights", generation, version, backend, weights=found, external=tuple(contents.external))


def _training(contents: hdf5.Contents) -> dict[str, Any] | None:
    try:
        found = json.loads(contents.text("", "training_config") or "null")
    except (ValueError, RecursionError):
        return None  # the model does not need it
    return found if isinstance(found, dict) else None
