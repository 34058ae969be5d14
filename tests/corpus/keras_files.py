"""Keras files made with h5py and zipfile, without Keras."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Config = dict[str, Any]


def layer(kind: str, name: str, module: str | None = "keras.layers", **config: Any) -> Config:
    node = {
        "class_name": kind,
        "config": {"name": name, "trainable": True, "dtype": "float32", **config},
        "name": name,
        "inbound_nodes": [],
    }
    return node if module == "" else node | {"module": module, "registered_name": None}


def entry(name: str, shape: list[int | None], dtype: Any = "float32", **more: Any) -> Config:
    return {"class_name": "InputLayer", "config": {"name": name, "batch_shape": shape, "dtype": dtype, **more}, "name": name}


def functional(*layers: Config, inputs: Any, outputs: Any) -> Config:
    return {
        "class_name": "Functional",
        "config": {"name": "model", "layers": list(layers), "input_layers": inputs, "output_layers": outputs},
    }


SMALL = functional(entry("x", [None, 4]), layer("Dense", "head"), inputs=["x", 0, 0], outputs=["head", 0, 0])


def whole_h5(path: Path, config: Any = SMALL, version: str | None = "2.15.0", **attributes: str) -> Path:
    """A whole model in HDF5, as Keras lays it out: one Dense layer's weights."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = config if isinstance(config, str) else json.dumps(config)
        for key, value in attributes.items():
            file.attrs[key] = value
        if version:
            file.attrs["keras_version"] = version
            file.attrs["backend"] = "tensorflow"
        lists(file.create_group("model_weights"))
    return path


def lists(group: Any) -> None:
    group.attrs["layer_names"] = np.array(["head"], "S")
    head = group.create_group("head")
    head.attrs["weight_names"] = np.array(["head/kernel:0", "head/bias:0"], "S")
    head.create_dataset("head/kernel:0", data=np.zeros((4, 2), np.float32))
    head.create_dataset("head/bias:0", data=np.zeros(2, np.float16))


def tree(path: Path, named: bool = True) -> Path:
    with h5py.File(path, "w") as file:
        place = file.create_group("layers/dense/vars")
        place["0"], place["1"] = np.zeros((4, 2), np.float32), np.zeros(2, np.float32)
        file["optimizer/vars/0"] = np.int64(7)
        if named:
            place.attrs["name"] = "head"
            file["optimizer/vars"].attrs["name"] = "adam"
    return path


def zipped(path: Path, config: Any = SMALL, version: str = "3.15.1", compression: int = zipfile.ZIP_STORED, **more: bytes) -> Path:
    weights = tree(path.with_suffix(".tree")).read_bytes()
    parts = {"config.json": json.dumps(config).encode(), "metadata.json": json.dumps({"keras_version": version}).encode()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in {**parts, "model.weights.h5": weights, **{k.replace("_", ".", 1): v for k, v in more.items()}}.items():
            archive.writestr(name, data)
    return path
