"""Folders of checkpoints as TensorFlow leaves them."""

from __future__ import annotations

import os
from pathlib import Path

from crossload.edits import checkpoint_folders
from tests.corpus.checkpoints import FLOAT, WEIGHTS, entry, write


def saved(folder: Path, *names: str) -> Path:
    """A folder with these checkpoints, each with a .meta; their times in the order of their names here."""
    folder.mkdir(exist_ok=True)
    for at, name in enumerate(names):
        prefix = write(folder / name, {b"w": entry(WEIGHTS.tobytes(), FLOAT, (4, 3))})
        (folder / f"{name}.meta").write_bytes(b"graph")
        for file in folder.glob(f"{prefix.name}.*"):
            os.utime(file, (1000 + at, 1000 + at))
    return folder


def serving(folder: Path, served: str, *paths: str, stamps: bool = False) -> Path:
    lines = [f'model_checkpoint_path: "{served}"', *(f'all_model_checkpoint_paths: "{path}"' for path in paths)]
    lines += [f"all_model_checkpoint_timestamps: {1000.25 + n}" for n in range(len(paths)) if stamps]
    (folder / "checkpoint").write_text("\n".join([*lines, "last_preserved_timestamp: 1700000000.123456"]))
    return folder


def names(folder: Path) -> list[str]:
    return [held.name for held in checkpoint_folders.read(folder).checkpoints]


def beside(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} - {"checkpoint"}


def files_of(*names: str) -> set[str]:
    return {f"{name}{end}" for name in names for end in (".index", ".data-00000-of-00001", ".meta")}
