"""Arrays by input from .npz files; pickled arrays are refused, because they are code."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crossload.errors import CrossloadError


def from_npz(path: Path) -> dict[str, np.ndarray]:
    """A user's inputs by name. Raises CrossloadError for a file that is not an .npz of plain arrays."""
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            raise CrossloadError(f"{path} is one array; write named inputs with numpy.savez({path.stem!r}, NAME=array)")
        with found:
            arrays = dict(found)
        if others := [name for name, value in arrays.items() if not isinstance(value, np.ndarray)]:
            raise ValueError(f"its member {others[0]!r} is not an array")
    except CrossloadError:
        raise
    except Exception as error:  # a damaged file makes numpy.load raise a dozen kinds of errors
        raise CrossloadError(f"{path} cannot be read as .npz: {reason(error)}; write it again with numpy.savez") from error
    return arrays


def reason(error: Exception) -> str:
    """Why numpy.load failed; a damaged header may announce an array of any size."""
    damaged = "; its header is damaged, or it needs a larger machine" if isinstance(error, MemoryError) else ""
    return f"{str(error) or type(error).__name__}{damaged}"


def files_of(path: Path) -> list[Path]:
    """An .npz, or those of a folder; raises CrossloadError for a folder without one."""
    files = sorted(path.glob("*.npz")) if path.is_dir() else [path]
    if not files:
        raise CrossloadError(f"the folder {path} has no .npz with representative inputs; write one with numpy.savez")
    return files


def check_samples(path: Path) -> None:
    """Raise CrossloadError if rows of inputs (an .npz, or a folder of them) cannot be read, or have NaN, which no range holds."""
    for file in files_of(path):
        for name, array in from_npz(file).items():
            if array.dtype.kind == "f" and np.isnan(array).any():
                raise CrossloadError(f"{file}: {name!r} has NaN, which no range holds; leave those rows out")
