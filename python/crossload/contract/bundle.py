"""A bundle on disk: the manifest, the artifacts and vectors it names, every file checked against its hash before use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crossload import files
from crossload.contract import manifest as manifests
from crossload.contract import vectors
from crossload.contract.manifest import Artifact, Manifest
from crossload.errors import ManifestError


@dataclass
class Bundle:
    """A folder whose manifest has been read and whose files have been checked."""

    root: Path
    manifest: Manifest

    def path(self, artifact: Artifact) -> Path:
        """Where an artifact lies."""
        return self.root / artifact.path

    def vectors(self, signature: str) -> list[vectors.Vector]:
        """The recorded vectors of a signature (none when nothing was recorded)."""
        found = [v for v in self.manifest.vectors if v.signature == signature]
        return [vector for v in found for vector in vectors.read(self.root / v.path, v.count)]


def is_bundle(path: Path) -> bool:
    """Whether this folder has a manifest."""
    return (path / manifests.FILE_NAME).is_file()


def open_bundle(path: Path) -> Bundle:
    """Read the manifest and check that every file is there and unchanged.

    Raises ManifestError naming the first file that is missing, lies outside the bundle or no longer matches its hash.
    """
    file = path / manifests.FILE_NAME
    try:
        text = file.read_bytes()
    except OSError as error:
        raise ManifestError(f"{file} cannot be read: {error.strerror}") from error
    manifest = manifests.parse(text, file)
    entries: list[tuple[str, str]] = [(a.path, a.sha256) for a in manifest.artifacts] + [(v.path, v.sha256) for v in manifest.vectors]
    for relative, expected in entries:
        target = _inside(path, relative)
        if not target.exists():
            raise ManifestError(f"{file} names {relative}, which is missing; copy the whole bundle, or export it again")
        if files.sha256(target) != expected:
            raise ManifestError(
                f"{target} is not the file that was exported (its sha256 differs from the manifest's); export the bundle again"
            )
    for artifact in manifest.artifacts:
        for signature in artifact.bindings:
            if signature not in manifest.signatures:
                raise ManifestError(
                    f"{file}: artifact {artifact.id!r} binds the signature {signature!r}, which the manifest does not describe"
                )
    return Bundle(path, manifest)


def _inside(root: Path, relative: str) -> Path:
    """A path of the manifest, which must stay inside the bundle."""
    target = (root / relative).resolve()
    if not target.is_relative_to(root.resolve()):
        raise ManifestError(f"{root / manifests.FILE_NAME} names {relative!r}, which lies outside the bundle")
    return target
