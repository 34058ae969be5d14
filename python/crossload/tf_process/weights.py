"""Values for a model built by source code: from a checkpoint (V1, V2, object-based), or from a Keras file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

from crossload.errors import ModelError
from crossload.workers.kit import checkpoint_files

# tensorflow/python/trackable/base.py: where a checkpoint of objects has their graph.
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_KERAS_FILES = (".keras", ".h5", ".hdf5")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's keys by the names of the variables that were saved, and its shapes by keys."""

    prefix: str
    keys: Mapping[str, str]
    shapes: Mapping[str, Sequence[int]]

    @property
    def of_objects(self) -> bool:
        """Whether tf.train.Checkpoint wrote it, by the attributes that lead to a variable, and not a Saver, by names."""
        return _OBJECT_GRAPH in self.shapes

    def keys_of(self, wanted: Mapping[str, Any]) -> dict[str, str]:
        """The keys of the variables of these names; raises ModelError unless each exists in its shape (a tf.TensorShape)."""
        missing = sorted(name for name in wanted if name not in self.keys)
        if missing:
            raise ModelError(
                f"the checkpoint {self.prefix} has no value for {len(missing)} of {len(wanted)} variables: {_listed(missing)}; "
                f"it has: {_listed(self.keys)}"
            )
        found = {name: self.keys[name] for name in wanted}
        misfits = [
            f"{name} is {shape.as_list()}, but {list(self.shapes[found[name]])} in the checkpoint"
            for name, shape in wanted.items()
            if not shape.is_compatible_with(self.shapes[found[name]])
        ]
        if misfits:
            raise ModelError(f"the checkpoint {self.prefix} has other shapes: {'; '.join(misfits[:5])}")
        return found


def checkpoint(path: Path) -> Checkpoint:
    """The checkpoint of this prefix, or the latest of this folder. Raises ModelError."""
    try:
        prefix = checkpoint_files.prefix_of(path)
        shapes = dict(tf.train.list_variables(str(prefix))) if prefix else None
    except checkpoint_files.CannotRestore as error:
        raise ModelError(str(error)) from error
    except (tf.errors.OpError, ValueError) as error:
        raise ModelError(f"the checkpoint {path} cannot be read: {str(error).splitlines()[0][:300]}") from error
    if shapes is None:
        raise ModelError(f"{path} is not a checkpoint; only a Keras model takes values from other files")
    if _OBJECT_GRAPH in shapes:
        return Checkpoint(str(prefix), _names_of_objects(str(prefix)), shapes)
    return Checkpoint(str(prefix), {name: name for name in shapes}, shapes)


def load(model: Any, path: Path, *, by_name: bool = False) -> None:
    """Give a Keras model or a tf.Module the values of a Keras file (by its layers' order, or `by_name`), or of a checkpoint.

    A checkpoint of objects fits by its objects, any other by the variables' names. Raises ModelError listing what does not fit.
    """
    from crossload.tf_process.keras_kinds import is_keras

    if is_keras(model) and path.is_file() and path.suffix.lower() in _KERAS_FILES:
        from crossload.workers.kit import keras_files

        report = keras_files.load_weights(model, path, by_name=by_name)
        left = report.problems()
        print(f"{path}: loaded {', '.join(report.loaded)}{f'; {left}' if left else ''}", flush=True)
        return
    if by_name:
        raise ModelError(f"--by-name is for a Keras model and a Keras file: leave it out for {path}")
    found = checkpoint(path)
    variables = _variables(model)
    if found.of_objects and _restore_objects(model, found):
        return
    names = Counter(name for name, _ in variables)
    if twice := [name for name, count in names.items() if count > 1]:
        raise ModelError(
            f"{names[twice[0]]} variables of the {type(model).__name__} are called {twice[0]!r}, so the values in {found.prefix} are "
            "ambiguous; give them names, or save the model as a tf.train.Checkpoint"
        )
    try:
        keys = found.keys_of({name: tf.TensorShape(v.shape) for name, v in variables})
    except ModelError as error:
        if not found.of_objects:
            raise
        raise ModelError(f"the checkpoint's objects do not match the model's, and by names {error}") from error
    for name, variable in variables:
        variable.assign(tf.train.load_variable(found.prefix, keys[name]))


def _variables(model: Any) -> list[tuple[str, Any]]:
    """The model's variables with their names in a checkpoint, at least one. Raises ModelError."""
    # Keras 3 tells a variable from others by its path; its random generators' states no older Keras saved.
    named = [(getattr(v, "path", v.name).split(":")[0], v) for v in model.variables]
    named = [(name, v) for name, v in named if not name.endswith("seed_generator_state")]
    if not named:
        raise ModelError(f"the {type(model).__name__} has no variables yet; call it once on data first")
    return named


def _names_of_objects(prefix: str) -> dict[str, str]:
    """A checkpoint's keys by the names that its objects had, but for names that two had (core/protobuf/trackable_object_graph.proto)."""
    objects = trackable_object_graph_pb2.TrackableObjectGraph.FromString(tf.train.load_variable(prefix, _OBJECT_GRAPH))
    named = {(a.full_name, a.checkpoint_key) for node in objects.nodes for a in node.attributes if a.full_name}
    names = Counter(name for name, _ in named)
    return {name: key for name, key in named if names[name] == 1}


def _restore_objects(model: Any, found: Checkpoint) -> bool:
    """Restore by objects, below whatever name the training loop gave the model in its Checkpoint; False where they do not fit."""
    roots = dict.fromkeys(key.split("/")[0] for key in found.shapes if "/.ATTRIBUTES/" in key and not key.startswith("save_counter/"))
    for wrapped in (*(tf.train.Checkpoint(**{root: model}) for root in roots), tf.train.Checkpoint(model)):
        try:
            wrapped.read(found.prefix).assert_existing_objects_matched().expect_partial()
        except (AssertionError, ValueError, tf.errors.OpError):
            continue
        return True
    return False


def _listed(names: Any, most: int = 20) -> str:
    found = sorted(names)
    return (", ".join(found[:most]) or "nothing") + (f" and {len(found) - most} more" if len(found) > most else "")
