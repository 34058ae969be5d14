"""Representative inputs, on which a quantised .tflite's ranges are measured: .npz files read into requests of each signature."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from crossload.errors import ModelError
from crossload.support.text import near

# A signature's inputs: NumPy's dtype and the shape, None for a free dimension (or for all of it).
Specs = Mapping[str, tuple[Any, tuple[int | None, ...] | None]]
Sample = tuple[str, dict[str, np.ndarray]]


def samples(path: Path, signatures: Mapping[str, Specs]) -> list[Sample]:
    """The requests in an .npz, or in each .npz of a folder: (signature's key, arrays by input).

    A file serves the signatures all of whose inputs it has. Arrays with more rows than the signature's batch (1 where it is free)
    are several requests. Raises ModelError for files that are invalid or do not fit, and for a signature without a request.
    """
    files = sorted(path.glob("*.npz")) if path.is_dir() else [path]
    if not files:
        raise ModelError(f"the folder {path} has no .npz with representative inputs; write one with numpy.savez")
    found: list[Sample] = []
    seen: dict[str, None] = {}
    for file in files:
        arrays = _read(file)
        seen |= dict.fromkeys(arrays)
        for key, specs in signatures.items():
            if specs.keys() <= arrays.keys():
                found += [(key, request) for request in _requests(file, {n: arrays[n] for n in specs}, specs)]
    for key in signatures.keys() - {key for key, _ in found}:
        missing = next((n for n in signatures[key] if n not in seen), None)
        lacks = f"nothing for its input {missing!r}{near(missing, seen)}" if missing else "no file with all its inputs"
        # A frozen graph names its inputs as its placeholders.
        meant = next((n for n in seen if missing and missing.endswith(n)), None)
        step = f"; name the array {missing}, or a graph's input {meant}: --input-tensor {meant}={missing}" if meant else ""
        raise ModelError(
            f"{path} has no representative inputs for the signature {key!r}: {lacks}; it holds {', '.join(seen) or 'none'}{step}"
        )
    return found


def _read(file: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            return {name: _given(archive[name]) for name in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or "it is not an .npz of plain arrays"
        raise ModelError(f"the representative inputs {file} cannot be read: {reason}; write them with numpy.savez") from error


def _given(array: np.ndarray) -> np.ndarray:
    """An array as models take it: strings as objects."""
    if array.dtype.kind == "U":
        array = np.char.encode(array, "utf-8")
    return array.astype(object) if array.dtype.kind == "S" else array


def _requests(file: Path, arrays: dict[str, np.ndarray], specs: Specs) -> list[dict[str, np.ndarray]]:
    for name, (dtype, shape) in specs.items():
        array = arrays[name]
        fits = shape is None or (array.ndim == len(shape) and all(w in (None, g) for w, g in zip(shape[1:], array.shape[1:], strict=False)))
        if array.dtype != dtype or not fits:
            wanted = "any shape" if shape is None else f"shape {[-1 if d is None else d for d in shape]}"
            raise ModelError(
                f"{file}: the input {name!r} is {array.dtype} of shape {list(array.shape)}; the model takes {np.dtype(dtype)} of {wanted}"
            )
    batches = {(shape[0] or 1, arrays[name].shape[0]) if shape else (1, 1) for name, (_, shape) in specs.items()}
    if len(batches) != 1:
        return [arrays]
    batch, rows = batches.pop()
    if any(not shape for _, shape in specs.values()):
        return [arrays]
    if rows % batch or not rows:
        raise ModelError(f"{file}: {rows} rows are not a multiple of {batch}, the model's batch size")
    return [{name: array[at : at + batch] for name, array in arrays.items()} for at in range(0, rows, batch)]
