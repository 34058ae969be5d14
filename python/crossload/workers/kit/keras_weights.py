"""Matches the weights in a Keras file with a model's layers, by name or in order.

There are two layouts. The older one (HDF5 of Keras 1 to 3, attributes `layer_names` and `weight_names`) lists each layer's weights.
The newer one (`.weights.h5`, also inside .keras) is a tree of objects, `layers/<class>_<n>/…/vars/<n>`; there the model's own tree,
written to a scratch file, is filled from the file's. Imports NumPy, h5py and what lies beside it.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from . import keras_configs, keras_migration
from .errors import KitError

_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
# What a model has beside its layers: how it was trained and measured.
_OTHERS = ("optimizer", "metrics", "compile_metrics", "compile_loss", "_metrics", "_loss_tracker", "vars")


class CannotMatch(KitError):
    """A file whose weights cannot be told apart; the sentence goes on after its name."""


@dataclass(frozen=True)
class Report:
    """What was done: names of layers; for `misfits`, what the model has and what the file has."""

    loaded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # layers of the model that the file has no weights for
    unused: list[str] = field(default_factory=list)  # layers of the file that the model does not have
    misfits: list[str] = field(default_factory=list)

    def problems(self) -> str:
        """All that does not fit, as a part of a sentence; empty where all fits."""
        kinds = {"not in the file": self.missing, "not in the model": self.unused, "of other shapes": self.misfits}
        return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in kinds.items() if names)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The HDF5 file with the weights: the path itself, or the one inside a .keras file."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryFile() as copy:
            with archive.open("model.weights.h5") as stream:
                shutil.copyfileobj(stream, copy, 1 << 20)
            with h5py.File(copy, "r") as file:
                yield file
    else:
        with h5py.File(path, "r") as file:
            yield file


def matched(model: Any, file: Any, by_name: bool) -> tuple[Callable[[], None], Report]:
    """What fits, as a function that puts it into the model, and the report. Raises CannotMatch."""
    group = file.get("model_weights", file)
    if "layer_names" in group.attrs or "layer_names0" in group.attrs:
        return _matched_lists(model, group, by_name)
    if any(isinstance(file.get(key), h5py.Group) for key in ("vars", *_CONTAINERS)):
        return _matched_trees(model, file, by_name)
    raise CannotMatch("holds no weights of Keras: neither the attribute layer_names nor a group of layers")


def names(group: Any, key: str) -> list[str]:
    """A list of names in an attribute, or in several where it is too long for one (`layer_names0`, `layer_names1`, …)."""
    if key in group.attrs:
        found = list(group.attrs[key])
    else:
        found, at = [], 0
        while f"{key}{at}" in group.attrs:
            found += list(group.attrs[f"{key}{at}"])
            at += 1
    return [text(n) or "" for n in found]


def text(value: Any) -> str | None:
    """An attribute's text, whether HDF5 holds it as bytes or as a string."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None if value is None else str(value)


def _matched_lists(model: Any, group: Any, by_name: bool) -> tuple[Callable[[], None], Report]:
    held = {n: [np.asarray(group[n][w]) for w in names(group[n], "weight_names")] for n in names(group, "layer_names")}
    held = {n: arrays for n, arrays in held.items() if arrays}
    first = keras_configs.generation(text(group.attrs.get("keras_version"))) == 1
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    pairs, report = _pairs(list(layers), list(held), by_name)
    chosen: list[tuple[Any, np.ndarray]] = []
    for name, source in pairs:
        layer, arrays = layers[name], held[source]
        if first:
            node = {"class_name": type(layer).__name__, "config": layer.get_config()}
            arrays = keras_migration.weights_to_keras_2(node, arrays, text(group.attrs.get("backend")))
        variables = layer.trainable_weights + layer.non_trainable_weights  # this layout's order
        if _fits(name, [tuple(v.shape) for v in variables], [a.shape for a in arrays], report):
            chosen += zip(variables, arrays, strict=True)

    def put() -> None:
        for variable, array in chosen:
            variable.assign(array)

    return put, report


def _matched_trees(model: Any, file: Any, by_name: bool) -> tuple[Callable[[], None], Report]:
    room = tempfile.TemporaryDirectory(prefix="crossload-")
    own = Path(room.name) / "model.weights.h5"
    model.save_weights(str(own))
    with h5py.File(own, "r+") as tree:
        mine, theirs = _units(tree), _units(file)
        titles = [{_title(u): path for path, u in side.items()} for side in (mine, theirs)]
        if by_name and not all(u["vars"].attrs.get("name") for side in (mine, theirs) for u in side.values() if "vars" in u):
            raise CannotMatch(
                "cannot be loaded by name: Keras 2 writes this layout without the names of layers, and the file or the model is Keras 2's; "
                "save the weights in the older layout (.h5) for this"
            )
        if by_name:
            pairs, report = _pairs(list(titles[0]), list(titles[1]), True)
            paths = [(titles[0][a], titles[1][b]) for a, b in pairs]
        else:
            paths = [(path, path) for path in mine if path in theirs]
            report = Report(
                missing=[_title(u) for p, u in mine.items() if p not in theirs],
                unused=[_title(u) for p, u in theirs.items() if p not in mine],
            )
        for a, b in paths:
            wanted, given = _arrays(mine[a]), _arrays(theirs[b])
            if sorted(wanted) != sorted(given):
                report.misfits.append(f"{_title(mine[a])} (the model has {', '.join(sorted(wanted))}, the file {', '.join(sorted(given))})")
            elif _fits(_title(mine[a]), *([side[k].shape for k in sorted(side)] for side in (wanted, given)), report):
                for key in wanted:
                    wanted[key][...] = given[key][...]

    def put() -> None:
        with room:
            model.load_weights(str(own))

    return put, report


def _pairs(mine: list[str], theirs: list[str], by_name: bool) -> tuple[list[tuple[str, str]], Report]:
    """Which of the file's layers belongs to which of the model's."""
    if by_name:
        report = Report(missing=[n for n in mine if n not in theirs], unused=[n for n in theirs if n not in mine])
        return [(n, n) for n in mine if n in theirs], report
    if len(mine) == len(theirs):
        return list(zip(mine, theirs, strict=True)), Report()
    pairs, report = _pairs(mine, theirs, True)
    if not report.problems():  # names say nothing here: one of them occurs twice
        report.misfits.append(f"all ({len(mine)} layers of the model, {len(theirs)} of the file)")
    return pairs, report


def _fits(name: str, wanted: list[Any], given: list[Any], report: Report) -> bool:
    if wanted == given:
        report.loaded.append(name)
        return True
    report.misfits.append(f"{name} (the model has {_shapes(wanted)}, the file {_shapes(given)})")
    return False


def _shapes(shapes: list[Any]) -> str:
    return " and ".join(str(list(s)) for s in shapes) or "nothing"


def _units(file: Any) -> dict[str, Any]:
    """The parts of a tree that hold weights, by path: layers (a nested model is one), and what a subclassed model calls its own."""
    found = {f"{c}/{k}": file[c][k] for c in _CONTAINERS if c in file for k in file[c]}
    found |= {k: file[k] for k in file if k not in (*_CONTAINERS, *_OTHERS)}
    return {path: group for path, group in found.items() if isinstance(group, h5py.Group) and _arrays(group)}


def _title(unit: Any) -> str:
    """A layer's name where the tree has it (Keras 3), else its place."""
    return (text(unit["vars"].attrs.get("name")) if "vars" in unit else None) or str(unit.name).rpartition("/")[2]


def _arrays(unit: Any) -> dict[str, Any]:
    """The weights below a group, by path; the states of random generators are not weights.

    Keras 2 names parts by private attributes that Keras 3 names without the underscore (`_key_dense` in MultiHeadAttention).
    """
    found: dict[str, Any] = {}

    def visit(path: str, member: Any) -> None:
        if isinstance(member, h5py.Dataset) and "seed_generator" not in path:
            found["/".join(part.lstrip("_") for part in path.split("/"))] = member

    unit.visititems(visit)
    return found
