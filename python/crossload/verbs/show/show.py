"""Show: an artifact as its format's reader gives it, or a bundle's summary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload import artifacts
from crossload.contract.names import MANIFEST

if TYPE_CHECKING:
    from crossload.verbs.show.bundle_summary import BundleSummary


def show(path: str | Path) -> BundleSummary | Any:
    """The description of `path` that `crossload show` prints: an object with `format`, `path` and `to_json()`.

    For a bundle, a BundleSummary; for an artifact, its reader's result (artifacts.read): signatures, ops, variables, layers. The file is
    parsed, never executed, and TensorFlow is not needed. Raises ArtifactError for a path that is not an artifact or cannot be
    read, and ManifestError for a manifest that cannot be read.
    """
    path = Path(path)
    if (path / MANIFEST).is_file():
        from crossload.verbs.show.bundle_summary import summary

        return summary(path)
    return artifacts.read(path)
