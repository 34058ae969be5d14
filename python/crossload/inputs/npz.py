"""Arrays by input from .npz files; pickled arrays are refused, because they are code."""

from __future__ import annotations

import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from crossload.errors import CrossloadError


def from_npz(path: Path) -> dict[str, np.ndarray]:
    """A user's inputs by name. Raises CrossloadError for a file that is not an .npz of plain arrays."""
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            raise CrossloadError(f"{path} is one array; write named inputs with numpy.savez({path.stem!r}, NAME=array)")
        with found:
            return dict(found)
    except (OSError, ValueError, EOFError, BadZipFile, NotImplementedError, zlib.error) as error:
        raise CrossloadError(f"{path} cannot be read as .npz: {error}") from error


def check_samples(path: Path) -> None:
    """Raise CrossloadError if representative inputs (an .npz, or a folder of them) cannot be read."""
    files = sorted(path.glob("*.npz")) if path.is_dir() else [path]
    if not files:
        raise CrossloadError(f"the folder {path} has no .npz with representative inputs; write one with numpy.savez")
    for file in files:
        from_npz(file)
