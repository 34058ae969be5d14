"""Keras files: the description of all their formats, and the reader of .keras (a zip archive: Keras 2.12 and later).

Written by keras/src/saving/saving_lib.py: config.json, metadata.json, model.weights.h5. Nothing in a file is executed or unmarshalled.
"""

from __future__ import annotations

import json
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from crossload.artifacts.content import facts
from crossload.artifacts.keras import hdf5
from crossload.contract.datatypes import from_tensorflow
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import ArtifactError
from crossload.support import temporary
from crossload.support.text import identifiers, not_json
from crossload.workers.kit import keras_configs, keras_migration
from crossload.workers.kit.keras_configs import Code, Layer

ATTRIBUTES = ("keras_version", "backend", "model_config", "training_config", "layer_names", "weight_names", "name")
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_MOST_CONFIG = 64 << 20
# Keras stores its parts uncompressed; an archive that somebody compressed must not fill memory or disk: deflate makes 1,000 bytes of one.
_MOST_EXPANSION = 32
_LEAST_CONFIG, _LEAST_WEIGHTS = 4 << 20, 64 << 20  # allowed for an archive of any size
_MOST_COMPRESSED = 2 << 30
_NO_TENSOR = "DT_21"
_UNKNOWN = "DT_0"  # types.proto: DT_INVALID
# Layers of Keras that answer in the datatype in which they compute. One policy of two datatypes (mixed_float16) is none.
_ANSWERS_AS_IT_COMPUTES = frozenset(
    ("Dense", "Conv1D", "Conv2D", "Conv3D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose", "LSTM", "GRU", "SimpleRNN",
     "Embedding", "BatchNormalization", "LayerNormalization", "Softmax")
)  # fmt: skip
_TRAINED = ("optimizer", "metrics", "compile_metrics", "compile_loss", "_metrics", "_loss_tracker", "optimizer_weights")


@dataclass(frozen=True)
class Weight:
    """A weight: its layer and own name, its datatype and shape, and the digest of its elements if values were read."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    sha256: str = field(default="", compare=False)

    def to_json(self) -> dict[str, Any]:
        """An element of `weights` in `show --json`."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


@dataclass(frozen=True)
class Keras:
    """A Keras file: a whole model (`keras`, `keras_h5`), or weights without a model (`keras_weights`).

    `generation` is the Keras that wrote it: 1, 2 or 3. `layers` include those of nested models. `code` are Python functions in it,
    `custom_classes` the classes that are not Keras' own. `optimizer` is `{"class", "state"}` (state: whether the file has it), None
    without a training config. `external` are parts in other files, which are not opened. `remedy` says which Keras loads it, or what
    to do.
    """

    path: Path
    format: Literal["keras", "keras_h5", "keras_weights"]
    generation: int
    version: str | None = None
    backend: str | None = None
    model: str = ""
    layers: tuple[Layer, ...] = ()
    weights: tuple[Weight, ...] = ()
    optimizer: dict[str, Any] | None = None
    code: tuple[Code, ...] = ()
    custom_classes: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    config: dict[str, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def producer(self) -> dict[str, str]:
        """The versions that wrote it; Keras 1 and weights in Keras' newer layout do not state theirs."""
        stated = {"keras": self.version or f"{self.generation} (no version stated)", "backend": self.backend}
        return {k: v for k, v in stated.items() if v}

    @property
    def dtype_policies(self) -> dict[str, int]:
        """The number of layers with each dtype policy that is not a single datatype (`mixed_float16`)."""
        names = [layer.dtype for layer in self.layers if layer.dtype and layer.dtype.startswith(("mixed_", "int8", "float8"))]
        return {name: names.count(name) for name in dict.fromkeys(names)}

    @property
    def remedy(self) -> str:
        """Which Keras loads it, and what Keras needs to load it."""
        return " ".join(_remedy(self, self.config))

    def signature(self) -> Signature:
        """The inputs and outputs of the model in its order; `tensor` is the position. A config states no output's shape, and the datatype
        of those alone that come from a layer which computes in one.

        Inputs whose names are not identifiers (`image-input`) get the name that a SavedModel of it would use: `image_input`.

        Raises ArtifactError for weights, and for a model of a custom class whose config names no inputs.
        """
        if self.config is None:
            raise ArtifactError(
                f"{self.path} holds weights without a model; name the function for it: export FILE.py:FUNCTION --weights {self.path.name}"
            )
        inputs, outputs = _inputs(self.config), _outputs(self.config)
        if not inputs or not outputs:
            raise ArtifactError(
                f"{self.path} holds a model of the class {self.config['class_name']}, whose config names no inputs and outputs; "
                "load it where its class is defined and export a SavedModel"
            )
        called = identifiers(name for name, _, _ in inputs)
        taken = [(name, datatype, shape) for name, (_, datatype, shape) in zip(called, inputs, strict=True)]
        return Signature(tuple(_numbered(taken)), tuple(_numbered(outputs)))

    def to_json(self) -> dict[str, Any]:
        """The object of `show --json`."""
        try:
            signature = self.signature().to_json()
        except ArtifactError:
            signature = None
        return {
            **facts(self),
            "generation": self.generation,
            "model": self.model,
            "layers": [{"name": layer.path, "class": layer.class_name, "dtype": layer.dtype} for layer in self.layers],
            "weights": [w.to_json() for w in self.weights],
            "optimizer": self.optimizer,
            "lambdas": [{"layer": c.layer, "kind": c.kind} | ({"function": c.name} if c.name else {}) for c in self.code],
            "custom_classes": list(self.custom_classes),
            "dtype_policies": self.dtype_policies,
            "external": list(self.external),
            "inputs": signature and signature["inputs"],
            "outputs": signature and signature["outputs"],
            "remedy": self.remedy,
        }


def read(path: Path, digests: bool = False) -> Keras:
    """Read a .keras file; with `digests`, also its weights' values.

    Raises ArtifactError if it is truncated or corrupt, or a part of it is larger than in any model.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            config, metadata = _json(path, archive, _CONFIG), _json(path, archive, _METADATA)
            contents = _contents(path, archive, digests)
    except (zipfile.BadZipFile, OSError, ValueError, KeyError, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise ArtifactError(f"{path} is a truncated or corrupt .keras file ({str(error)[:200]}); copy or save it again") from error
    version = metadata.get("keras_version")
    compiled = config.get("compile_config")
    return described(
        path,
        "keras",
        json.dumps(config),
        contents,
        str(version) if version is not None else None,
        compiled if isinstance(compiled, dict) else None,
    )


def described(
    path: Path,
    kind: Literal["keras", "keras_h5"],
    text: str,
    contents: hdf5.Contents,
    version: str | None,
    compiled: dict[str, Any] | None,
    backend: str | None = None,
) -> Keras:
    """The description of a whole model, from its config and the HDF5 file with its weights. Raises ArtifactError."""
    try:
        config = keras_configs.parse(text)
        layers, code, custom = keras_configs.layers(config), keras_configs.code(config), keras_configs.custom_classes(config)
    except keras_configs.ConfigError as error:
        raise ArtifactError(f"{path} is not a Keras model, or is corrupt: {error}; save it again") from error
    return Keras(
        path=path,
        format=kind,
        generation=keras_configs.generation(version),
        version=version,
        backend=backend,
        model=config["class_name"],
        layers=tuple(layers),
        weights=tuple(weights(path, contents)),
        optimizer=_optimizer(compiled, contents),
        code=tuple(code),
        custom_classes=tuple(custom),
        external=tuple(contents.external),
        config=config,
    )


def weights(path: Path, contents: hdf5.Contents) -> Iterator[Weight]:
    """The weights in either layout, in the file's order; raises ArtifactError if a listed weight is missing."""
    root = "model_weights" if "model_weights" in contents.attributes else ""
    listed = contents.names(root, "layer_names")
    if listed is None:
        for place, dataset in contents.datasets.items():
            if place.split("/", 1)[0] not in _TRAINED:
                yield Weight(place, dataset.datatype, dataset.shape, dataset.sha256)
        return
    for layer in listed:
        group = f"{root}/{layer}" if root else layer
        for name in contents.names(group, "weight_names") or []:
            held = contents.datasets.get(f"{group}/{name}")
            if held is None and not contents.external:
                raise ArtifactError(
                    f"{path} is incomplete: it lists the weight {name!r} of layer {layer!r} but does not contain it; copy it again"
                )
            if held is not None:
                yield Weight(name if name.startswith(f"{layer}/") else f"{layer}/{name}", held.datatype, held.shape, held.sha256)


def _optimizer(compiled: dict[str, Any] | None, contents: hdf5.Contents) -> dict[str, Any] | None:
    state = any(place.startswith(("optimizer_weights/", "optimizer/")) for place in contents.datasets)
    named = (compiled or {}).get("optimizer") or (compiled or {}).get("optimizer_config")
    if named is None and not state:
        return None
    # A .keras of Keras 3 names it only beside its state.
    name = named.get("class_name") if isinstance(named, dict) else named or contents.text("optimizer/vars", "name")
    return {"class": name if isinstance(name, str) else None, "state": state}


def _json(path: Path, archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    size = archive.getinfo(name).file_size
    if size > _MOST_CONFIG:
        raise ArtifactError(f"{path} has a {name} of {size:,} bytes, more than any model has; save it again")
    _check_expansion(path, name, size, _LEAST_CONFIG)
    with archive.open(name) as stream:
        data = stream.read(size)  # what the archive says, even if more follows
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} has a {name} that {not_json(error)}; save it again") from error
    if not isinstance(found, dict):
        raise ArtifactError(f"{path} has a {name} that is not a JSON object; save it again")
    return found


def _check_expansion(path: Path, name: str, size: int, least: int) -> None:
    held = path.stat().st_size
    if size > max(least, _MOST_EXPANSION * held):
        raise ArtifactError(
            f"{path} has {held:,} bytes, but its {name} unpacks to {size:,}, more than crossload unpacks of a file of that size; "
            "pack it again without compression"
        )


def _contents(path: Path, archive: zipfile.ZipFile, digests: bool) -> hdf5.Contents:
    if _WEIGHTS not in archive.namelist():
        raise ArtifactError(f"{path} is incomplete: it has no {_WEIGHTS}; save it again (a recent Keras may have saved it in shards)")
    member = archive.getinfo(_WEIGHTS)
    with _file_of(path, archive, member) as (file, offset):
        try:
            return hdf5.read(file, attributes=ATTRIBUTES, offset=offset, size=member.file_size, digests=digests)
        except ArtifactError as error:
            raise ArtifactError(str(error).replace(str(file), f"{path} ({_WEIGHTS} in it)")) from error


@contextmanager
def _file_of(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[tuple[Path, int]]:
    """A file with the member's bytes, and their offset in it."""
    if member.compress_type == zipfile.ZIP_STORED and not member.flag_bits & 1:
        # APPNOTE.TXT 4.3.7: the local header has 30 bytes; the last four are the lengths of the name and the extra field.
        with path.open("rb") as stream:
            stream.seek(member.header_offset + 26)
            lengths = stream.read(4)
        start = member.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
        if start + member.file_size > path.stat().st_size:
            raise ArtifactError(f"{path} is truncated: {_WEIGHTS} extends beyond its end; copy it again")
        yield path, start
        return
    if member.file_size > _MOST_COMPRESSED:
        raise ArtifactError(
            f"{path} compresses {member.file_size:,} bytes of weights, more than crossload unpacks for a look; "
            "pack it again without compression"
        )
    _check_expansion(path, _WEIGHTS, member.file_size, _LEAST_WEIGHTS)
    with temporary.scratch() as room:
        with archive.open(member) as stream, (room / "weights.h5").open("wb") as copy:
            shutil.copyfileobj(stream, copy, 1 << 20)
        yield room / "weights.h5", 0


def _remedy(found: Keras, config: dict[str, Any] | None) -> Iterator[str]:
    if config is None:
        yield "It holds weights without a model: build the model from its source (file.py:function) and give this file as its weights."
    elif found.generation == 3:
        yield "Keras 3 loads it."
    elif gone := keras_configs.gone_in_3(config):
        yield f"Keras 3 has no layer for {', '.join(gone)}; Keras 2.15 loads it (the runtime tensorflow@2.15.1)."
    elif found.generation == 2 and keras_migration.to_keras_2_15(config) != config:
        yield (
            "tf-keras loads it unchanged; for Keras 2.15 (the runtime tensorflow@2.15.1) and Keras 3, crossload rewrites its config "
            "when loading it."
        )
    elif found.generation == 2:
        yield "Keras 2.15 loads it unchanged (the runtime tensorflow@2.15.1); for Keras 3, crossload rewrites its config when loading it."
    else:
        try:
            keras_migration.to_keras_2(config)
            yield "No Keras after 1 loads it unchanged; crossload rewrites its config and weights when loading it."
        except keras_migration.CannotMigrate as error:
            yield f"It {error}: rebuild the model from its source and load the weights by name."
    if layers := [c.layer for c in found.code if c.kind == "bytecode"]:
        yield f"Bytecode in {', '.join(layers)} runs when the model is loaded: allow it with --allow-code."
    if found.custom_classes:
        yield f"It needs {', '.join(found.custom_classes)} from a Python file (--custom-objects FILE.py)."
    if found.external:
        yield f"It keeps {', '.join(found.external[:5])} in other files, which crossload does not open: save the model again in one file."


_Tensor = tuple[str, str, "tuple[int, ...] | None"]


def _inputs(config: dict[str, Any]) -> list[_Tensor]:
    """Name, datatype and shape of the inputs, in the order of the loaded model's `inputs`."""
    inside = config["config"]
    nodes = keras_configs.inner(config)
    if isinstance(inside, dict) and "input_layers" in inside:
        by_name = {keras_configs.name_of(n): n for n in nodes}
        return [_input(by_name.get(layer, {}), layer) for _, layer in _ends(inside["input_layers"])]
    if not nodes:
        return []
    first = nodes[0]
    own = first["config"] if isinstance(first["config"], dict) else {}
    if first["class_name"] == "InputLayer":
        return [_input(first, keras_configs.name_of(first))]
    if keras_configs.batch_shape(own) is None and (nested := _inputs(first)):
        return nested
    stated = inside.get("build_input_shape") if isinstance(inside, dict) else None
    shape = keras_configs.batch_shape(own) or keras_configs.batch_shape({"batch_shape": stated})
    return [_input({"config": {"batch_shape": shape, "dtype": keras_configs.input_dtype(own)}}, f"{keras_configs.name_of(first)}_input")]


def _input(node: dict[str, Any], name: str) -> _Tensor:
    config = node.get("config", {})
    shape = keras_configs.batch_shape(config)
    if config.get("sparse") or config.get("ragged"):
        return name, _NO_TENSOR, None
    try:
        datatype = from_tensorflow(keras_configs.policy_name(config.get("dtype")) or "float32")
    except KeyError:
        datatype = "FP32"
    return name, datatype, None if shape is None else tuple(-1 if d is None else d for d in shape)


def _outputs(config: dict[str, Any]) -> list[_Tensor]:
    """Names of the outputs: the keys if the model returns a dictionary, else the layers that produce them; with their datatypes."""
    inside = config["config"]
    nodes = keras_configs.inner(config)
    if isinstance(inside, dict) and "output_layers" in inside:
        by_name = {keras_configs.name_of(n): n for n in nodes}
        return [(key or layer, _computed(by_name.get(layer, {})), None) for key, layer in _ends(inside["output_layers"])]
    return [(keras_configs.name_of(nodes[-1]), _computed(nodes[-1]), None)] if nodes else []


def _computed(node: dict[str, Any]) -> str:
    """The datatype in which a layer of Keras's own computes and answers; unknown for every layer that may answer in another."""
    own = node.get("config")
    if node.get("class_name") not in _ANSWERS_AS_IT_COMPUTES or not isinstance(own, dict) or not _is_keras_own(node):
        return _UNKNOWN
    try:
        return from_tensorflow(keras_configs.policy_name(own.get("dtype")) or "")
    except KeyError:
        return _UNKNOWN


def _is_keras_own(node: dict[str, Any]) -> bool:
    return str(node.get("module") or "keras.layers").startswith(("keras.", "tf_keras."))


def _ends(structure: Any, key: str = "") -> list[tuple[str, str]]:
    """The layers in a structure of `[layer, call, output]`, each with its key if it is in a dictionary; keys are sorted."""
    if isinstance(structure, dict):
        return [end for k in sorted(structure) for end in _ends(structure[k], f"{key}/{k}" if key else k)]
    if not isinstance(structure, list):
        return []
    if len(structure) >= 3 and isinstance(structure[0], str) and isinstance(structure[1], int):
        return [(key, structure[0])]
    return [end for part in structure for end in _ends(part)]


def _numbered(tensors: Iterable[_Tensor]) -> Iterator[TensorSpec]:
    """The tensors at their positions; repeated names get a number."""
    seen: dict[str, int] = {}
    for at, (name, datatype, shape) in enumerate(tensors):
        again = seen.get(name, 0)
        seen[name] = again + 1
        yield TensorSpec(f"{name}_{again}" if again else name, datatype, shape, at)
