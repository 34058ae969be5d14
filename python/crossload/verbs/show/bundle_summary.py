"""A bundle's summary: its manifest's content, the size of each file, and whether the file is unchanged since the export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from crossload.compare.tolerance import DEFAULTS
from crossload.contract.bundle import inside
from crossload.contract.manifest import FILE_NAME, Artifact, Manifest, Tolerance, Vectors, parse
from crossload.errors import ManifestError
from crossload.support import files

# By the manifest's hash: a `missing` file does not exist, a `changed` one has another hash.
State = Literal["unchanged", "changed", "missing"]


_Entry = TypeVar("_Entry", Artifact, Vectors)


@dataclass(frozen=True)
class HeldFile(Generic[_Entry]):
    """An artifact or a vectors file of the bundle: its entry in the manifest, bytes (0: missing), and its state."""

    entry: _Entry
    size_bytes: int
    state: State


@dataclass(frozen=True)
class BundleSummary:
    """A bundle as `crossload show` prints it."""

    path: Path
    manifest: Manifest
    artifacts: list[HeldFile[Artifact]]
    vectors: list[HeldFile[Vectors]]
    format: Literal["bundle"] = "bundle"

    @property
    def producer(self) -> dict[str, str]:
        """The versions that made the bundle's artifacts."""
        return self.manifest.producer

    @property
    def tolerances(self) -> dict[str, Tolerance]:
        """The tolerances by output or datatype: the manifest's, and the defaults for the outputs' other datatypes."""
        datatypes = {t.datatype for s in self.manifest.signatures.values() for t in s.outputs}
        return {**{d: DEFAULTS[d] for d in DEFAULTS if d in datatypes}, **self.manifest.tolerance}

    def to_json(self) -> dict[str, Any]:
        """The object of `crossload show BUNDLE --json`."""
        content = self.manifest.model_dump(exclude_none=True)
        return {
            "format": self.format,
            "path": str(self.path),
            "size_bytes": files.size_bytes(self.path),
            "sha256": files.sha256(self.path / FILE_NAME),
            **{key: content[key] for key in ("model", "producer", "signatures")},
            "artifacts": [_json(held) for held in self.artifacts],
            "vectors": [_json(held) for held in self.vectors],
            "tolerance": {name: t.model_dump() for name, t in self.tolerances.items()},
            "left_out": content["left_out"],
        }


def summary(path: Path) -> BundleSummary:
    """The summary of the bundle in this folder; raises ManifestError for a manifest that cannot be read."""
    file = path / FILE_NAME
    try:
        text = file.read_bytes()
    except OSError as error:
        raise ManifestError(f"{file} cannot be read: {error.strerror}") from error
    manifest = parse(text, file)
    return BundleSummary(path, manifest, [_held(path, a) for a in manifest.artifacts], [_held(path, v) for v in manifest.vectors])


def _held(root: Path, entry: _Entry) -> HeldFile[_Entry]:
    path = inside(root, entry.path)
    if not path.exists():
        return HeldFile(entry, 0, "missing")
    return HeldFile(entry, files.size_bytes(path), "unchanged" if files.sha256(path) == entry.sha256 else "changed")


def _json(held: HeldFile[_Entry]) -> dict[str, Any]:
    return {**held.entry.model_dump(exclude_none=True), "size_bytes": held.size_bytes, "state": held.state}
