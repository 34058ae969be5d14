"""A source's own example inputs, passed from the TensorFlow process to the core in an .npz that keeps bytes unchanged.

NumPy's own strings drop trailing NULs, with which a serialised tf.Example may end, and object arrays would be pickled: code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_END = b"."


def write(file: Path, inputs: Mapping[str, Any]) -> None:
    """Write named arrays; elements of strings are text or bytes. Raises ValueError for an array of neither numbers nor strings."""
    kept: dict[str, Any] = {name: _kept(name, given) for name, given in inputs.items()}
    np.savez(file, **kept)


def read(file: Path) -> dict[str, np.ndarray]:
    """The named arrays, strings as arrays of bytes objects."""
    with np.load(file, allow_pickle=False) as found:
        return {name: _given(array) for name, array in found.items()}


def _kept(name: str, given: Any) -> np.ndarray:
    array = np.asarray(given)
    if array.dtype.kind == "S":  # as objects, bytes that were not a NumPy array before keep trailing NULs
        array = np.asarray(given, object)
    if array.dtype.kind not in "OSU":
        return array
    elements = [e.encode() if isinstance(e, str) else e for e in array.reshape(-1).tolist()]
    if not all(isinstance(e, bytes) for e in elements):
        raise ValueError(f"the example input {name!r} is an array of objects that are neither text nor bytes, or its rows differ in length")
    return np.array([e + _END for e in elements], "S").reshape(array.shape)


def _given(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "S":
        return array
    objects = np.empty(array.shape, object)
    objects.reshape(-1)[:] = [e.removesuffix(_END) for e in array.reshape(-1).tolist()]
    return objects
