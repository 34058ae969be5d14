"""The libraries of custom ops that a model needs, as a manifest records them: in `producer`, each by its file's name and SHA-256.

Nothing loads a library because a manifest names it: `--op-library` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from crossload.support import files

_KEY = "op_library "


def recorded(paths: Sequence[str | Path]) -> dict[str, str]:
    """The part of `producer` for these libraries."""
    return {f"{_KEY}{Path(path).name}": files.sha256(Path(path)) for path in paths}


def named(producer: Mapping[str, str]) -> dict[str, str]:
    """The SHA-256 of each library that `producer` records, by its file's name."""
    return {key.removeprefix(_KEY): sha256 for key, sha256 in producer.items() if key.startswith(_KEY)}
