"""Loads Keras files of any generation (.keras, HDF5) with the installed Keras; runs in TensorFlow's process and its workers.

A file of an older Keras is rewritten in a temporary copy; the error for a file that cannot be loaded names the Keras that wrote it
and a runtime with that Keras. Code in a file (a Lambda layer's bytecode) runs only with the user's permission.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import keras
import numpy as np

from . import keras_configs, keras_migration, keras_weights
from .errors import KitError

KERAS = keras_configs.generation(keras.__version__)
_OPERATIONS = ("nn", "numpy", "math", "core", "image", "linalg", "einops")
Report = keras_weights.Report


class CannotLoad(KitError):
    """A file that cannot be loaded: one sentence with the cause and the fix."""


def load(path: str | Path, *, custom_objects: str | Path | None = None, allow_code: bool = False) -> Any:
    """The model in a .keras file or a whole-model HDF5 file, not compiled.

    `custom_objects` is a Python file whose classes and functions replace the model's own, by name. Raises CannotLoad, before anything
    is built, for bytecode without `allow_code`, for missing classes, and for links out of the file.
    """
    path = Path(path)
    found = _Source(path)
    bytecode = [c.layer for c in keras_configs.code(found.config) if c.kind == "bytecode"]
    if bytecode and not allow_code:
        raise CannotLoad(
            f"{path} holds Python bytecode, which runs when the model is loaded and called (in {', '.join(bytecode)}); "
            "if you trust whoever made it, allow it with --allow-code"
        )
    brought = _custom_objects(Path(custom_objects), found.config) if custom_objects else {}
    absent = [name for name in keras_configs.custom_classes(found.config) if not _is_there(name, brought)]
    if absent:
        raise CannotLoad(
            f"{path} needs classes or functions that are not Keras' own: {', '.join(absent)}; "
            "give a Python file that defines them with --custom-objects FILE.py"
        )
    if found.generation > KERAS:
        raise CannotLoad(found.written_by("needs a runtime with Keras 3: tensorflow@2.21.0"))
    if found.generation < 3 <= KERAS and (gone := keras_configs.gone_in_3(found.config)):
        raise CannotLoad(found.written_by(f"Keras {keras.__version__} has no layer for {', '.join(gone)}{_elsewhere(found)}"))
    with tempfile.TemporaryDirectory(prefix="crossload-") as scratch:
        try:
            file = found.prepared(Path(scratch))
        except keras_migration.CannotMigrate as error:
            raise CannotLoad(f"{path} {error}; rebuild the model from its source and load the weights of the rest by name") from error
        try:
            with keras.utils.custom_object_scope(brought | _own_objects()):
                return keras.models.load_model(str(file), compile=False, safe_mode=not allow_code)
        except Exception as error:
            raise CannotLoad(found.written_by(f"Keras {keras.__version__} does not load it ({_line(error)}){_elsewhere(found)}")) from error


def load_weights(model: Any, path: str | Path, *, by_name: bool = False) -> Report:
    """Put the weights of a weights-only or whole-model file into a model; with `by_name` only into the layers of the same names.

    Without `by_name` all weights must fit, in the model's order. Raises CannotLoad, before any weight is changed, listing by name all
    misfits; with `by_name` the report lists them, fitting layers are loaded, and only a file without any is an error.
    """
    path = Path(path)
    try:
        with keras_weights.opened(path) as file:
            _check_links(path, file)
            target, report = keras_weights.matched(model, file, by_name)
            problems = report.problems()
            if problems and not by_name:
                raise CannotLoad(
                    f"the weights in {path} do not fit the model {model.name!r}: {problems}; load them by name to take what fits"
                )
            if not report.loaded:
                raise CannotLoad(f"no layer of the model {model.name!r} has fitting weights in {path}: {problems or 'it has none'}")
            target()
            return report
    except (keras_weights.CannotMatch, keras_migration.CannotMigrate) as error:
        raise CannotLoad(f"{path} {error}") from error
    except (OSError, KeyError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise CannotLoad(f"{path} cannot be read as a file of Keras weights: {_line(error)}; copy it again") from error


class _Source:
    """A whole-model file: its config, who wrote it, and a copy of it that this Keras loads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.zipped = zipfile.is_zipfile(path)
        self.backend: str | None = None
        try:
            text, version = self._zip_config() if self.zipped else self._h5_config()
            self.config = keras_configs.parse(text)
        except keras_configs.ConfigError as error:
            raise CannotLoad(f"{path} is not a Keras model: {error}") from error
        except (OSError, KeyError, ValueError, zipfile.BadZipFile, RuntimeError) as error:
            raise CannotLoad(f"{path} cannot be read as a Keras file: {_line(error)}; copy it again") from error
        self.version = version
        self.generation = keras_configs.generation(version)

    def written_by(self, rest: str) -> str:
        """A sentence that begins with who wrote the file."""
        return f"{self.path} was written by Keras {self.version or '1'}; {rest}"

    def prepared(self, scratch: Path) -> Path:
        """The file with the suffix that Keras expects, rewritten if this Keras does not load it as it is."""
        file = scratch / ("model.keras" if self.zipped else "model.h5")
        config = self.config
        if self.generation == 1:
            config = keras_migration.to_keras_2(config)
        config = keras_migration.modern_sequential(config)
        if KERAS == 3 and self.generation < 3:
            config = keras_migration.to_keras_3(config)
        elif KERAS < 3:
            config = keras_migration.to_keras_2_15(config)
        if KERAS == 3 and not self.zipped:
            config = _with_modules(config)
        if config == self.config:
            file.symlink_to(self.path.resolve())
        elif self.zipped:
            self._rezipped(file, config)
        else:
            self._rewritten(file, config)
        return file

    def _zip_config(self) -> tuple[str, str | None]:
        with zipfile.ZipFile(self.path) as archive:
            metadata = json.loads(archive.read("metadata.json"))
            return archive.read("config.json").decode(), metadata.get("keras_version") if isinstance(metadata, dict) else None

    def _h5_config(self) -> tuple[str, str | None]:
        with h5py.File(self.path, "r") as file:
            _check_links(self.path, file)
            text = file.attrs.get("model_config")
            if text is None:
                raise CannotLoad(
                    f"{self.path} holds no model, only weights at most; name the source that builds the model (FILE.py:function) "
                    "and give this file as its --weights"
                )
            weights = file["model_weights"].attrs if "model_weights" in file else {}
            version, backend = (keras_weights.text(file.attrs.get(k, weights.get(k))) for k in ("keras_version", "backend"))
            self.backend = backend
            return keras_weights.text(text) or "", version

    def _rezipped(self, file: Path, config: dict[str, Any]) -> None:
        with zipfile.ZipFile(self.path) as old, zipfile.ZipFile(file, "w") as new:
            for name in old.namelist():
                if name == "config.json":
                    new.writestr(name, json.dumps(config))
                elif not name.endswith("/"):
                    with old.open(name) as stream, new.open(zipfile.ZipInfo(name), "w", force_zip64=True) as target:
                        shutil.copyfileobj(stream, target, 1 << 20)

    def _rewritten(self, file: Path, config: dict[str, Any]) -> None:
        shutil.copyfile(self.path, file)
        file.chmod(0o600)
        with h5py.File(file, "r+") as copy:
            copy.attrs["model_config"] = json.dumps(config)
            group = copy["model_weights"]
            if self.generation == 1:
                _rewrite_weights(config, group, self.backend)
            for place in (copy, group):
                place.attrs["keras_version"] = f"{KERAS}.0.0"


def _rewrite_weights(config: dict[str, Any], group: Any, backend: str | None) -> None:
    """Keras 1's weights in Keras 2's order and shapes, in place."""
    nodes = {keras_configs.name_of(n): n for n in keras_configs.inner(config)}
    for name in keras_weights.names(group, "layer_names"):
        layer = group[name]
        old = [np.asarray(layer[n]) for n in keras_weights.names(layer, "weight_names")]
        if not old or name not in nodes:
            continue
        new = keras_migration.weights_to_keras_2(nodes[name], old, backend)
        for key in list(layer):
            del layer[key]
        names = [f"{name}_{at}" for at in range(len(new))]
        for key, array in zip(names, new, strict=True):
            layer.create_dataset(key, data=array)
        layer.attrs["weight_names"] = np.array(names, "S")


def _with_modules(config: dict[str, Any]) -> dict[str, Any]:
    """Operations of keras.ops with their modules: HDF5 leaves these out, and Keras 3 then takes them for layers of the same names."""
    wanted = keras_configs.operations(config)
    if not wanted:
        return config
    from keras.src import ops

    homes = {n: f"keras.src.ops.{m}" for m in reversed(_OPERATIONS) for n in wanted if hasattr(getattr(ops, m, None), n)}

    def visit(node: Any) -> Any:
        if isinstance(node, list):
            return [visit(n) for n in node]
        if not isinstance(node, dict):
            return node
        made = {k: visit(v) for k, v in node.items()}
        if made.get("class_name") in homes and isinstance(made.get("config"), dict) and set(made["config"]) == {"name"}:
            made |= {"module": homes[made["class_name"]], "registered_name": made["class_name"]}
        return made

    made: dict[str, Any] = visit(config)
    return made


def _custom_objects(file: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The classes and functions that the file defines, by their names and by those they are registered under. Raises CannotLoad."""
    spec = importlib.util.spec_from_file_location(f"crossload_custom_{file.stem}", file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise CannotLoad(f"the custom objects {file} are not a Python file (.py)")
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # code that inspects a class looks up its module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise CannotLoad(f"the custom objects {file} cannot be imported ({type(error).__name__}: {_line(error)})") from error
    found = {name: value for name, value in vars(module).items() if callable(value) and not name.startswith("_")}
    for name in keras_configs.custom_classes(config):
        if name.rpartition(">")[2] in found:
            found[name] = found[name.rpartition(">")[2]]
    return found


def _is_there(name: str, brought: dict[str, Any]) -> bool:
    return name in brought or keras.utils.get_registered_object(name, custom_objects=brought) is not None


def _own_objects() -> dict[str, Any]:
    """The older functions that migrated configs name."""

    def keras2_hard_sigmoid(x: Any) -> Any:
        return keras.activations.relu(0.2 * x + 0.5, max_value=1.0)

    return {keras_migration.HARD_SIGMOID: keras2_hard_sigmoid}


def _elsewhere(found: _Source) -> str:
    """The end of an error: the runtime that loads a file that this Keras does not."""
    if found.generation < 3 <= KERAS:
        return "; the runtime tensorflow@2.15.1 has Keras 2.15: load it there and save it as a SavedModel"
    return ""


def _line(error: Exception) -> str:
    """The part of an error's text that names the cause: Keras puts it last, after the config."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line.partition("Exception encountered:")[2].strip() for line in lines if "Exception encountered:" in line]
    return (([t for t in told if t] or lines or [type(error).__name__])[-1 if told else 0])[:300]


def _check_links(path: Path, file: Any) -> None:
    """Raise CannotLoad for what makes HDF5 open other files."""
    seen = set()
    waiting = [(file, "")]
    while waiting:
        group, name = waiting.pop()
        for key in group:
            link = group.get(key, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise CannotLoad(f"{path} links to another file ({name}/{key} to {link.filename}); it is not opened, save the model again")
            if isinstance(link, h5py.SoftLink):
                continue
            member = group[key]
            if isinstance(member, h5py.Dataset):
                if member.external or member.is_virtual:
                    raise CannotLoad(f"{path} keeps {name}/{key} in another file; it is not opened, save the model again")
            elif isinstance(member, h5py.Group):
                address = h5py.h5o.get_info(member.id).addr
                if address not in seen:
                    seen.add(address)
                    waiting.append((member, f"{name}/{key}"))
