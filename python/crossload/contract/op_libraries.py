"""The libraries of custom ops that a model needs, as a manifest records them: in `producer`, each by its file's name and SHA-256.

Nothing loads a library because a manifest names it: `--op-library` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crossload.contract.manifest import OP_LIBRARY
from crossload.support import files


def recorded(paths: Sequence[str | Path]) -> dict[str, str]:
    """The part of `producer` for these libraries."""
    return {f"{OP_LIBRARY}{Path(path).name}": files.sha256(Path(path)) for path in paths}
