"""A bundle on disk: the manifest, the artifacts and vectors it names, every file checked against its hash before use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crossload.contract import manifest as manifests
from crossload.contract import vectors
from crossload.contract.manifest import Artifact, Manifest
from crossload.errors import ManifestError
from crossload.support import files


@dataclass
class Bundle:
    """A folder whose manifest has been read and whose files have been checked; `cautions` are sentences for whoever compares it.

    `recorded` are vectors by signature that are not in files: those of a bare artifact, which are gone after the run.
    """

    root: Path
    manifest: Manifest
    cautions: tuple[str, ...] = ()
    recorded: Mapping[str, list[vectors.Vector]] = field(default_factory=dict)

    def path(self, artifact: Artifact) -> Path:
        """The path of an artifact."""
        return self.root / artifact.path

    def vectors(self, signature: str) -> list[vectors.Vector]:
        """The recorded vectors of a signature (an empty list if none exist); raises ManifestError for a vector that does not fit it."""
        found: list[vectors.Vector] = []
        for entry in (v for v in self.manifest.vectors if v.signature == signature):
            file = self.root / entry.path
            for vector in self.recorded[signature] if signature in self.recorded else vectors.read(file, entry.count):
                problem = vectors.misfit(vector, self.manifest.signatures[signature])
                if vector.id in {v.id for v in found}:
                    problem = f"there are two vectors {vector.id!r}"
                if problem:
                    raise ManifestError(f"{file}, vector {vector.id!r} of the signature {signature!r}: {problem}; export the bundle again")
                found.append(vector)
        return found


def is_bundle(path: Path) -> bool:
    """Whether this folder has a manifest; one that a killed writer had set aside is put back first."""
    if not path.exists():
        files.restore(path)
    return (path / manifests.FILE_NAME).is_file()


def open_bundle(path: Path) -> Bundle:
    """Read the manifest and check that every file is there and unchanged.

    Raises ManifestError naming the first file that is missing, is outside the bundle or no longer matches its hash.
    """
    file = path / manifests.FILE_NAME
    try:
        text = file.read_bytes()
    except OSError as error:
        raise ManifestError(f"{file} cannot be read: {error.strerror}") from error
    manifest = manifests.parse(text, file)
    entries: list[tuple[str, str]] = [(a.path, a.sha256) for a in manifest.artifacts] + [(v.path, v.sha256) for v in manifest.vectors]
    for relative, expected in entries:
        target = inside(path, relative)
        if not target.exists():
            raise ManifestError(f"{file} names {relative}, which is missing; copy the whole bundle, or export it again")
        for inner in (target, *target.rglob("*")) if target.is_dir() else (target,):
            _check_kind(path, inner)
        if files.sha256(target) != expected:
            raise ManifestError(
                f"{target} is not the file that was exported (its sha256 differs from the manifest's); export the bundle again"
            )
    return Bundle(path, manifest)


def inside(root: Path, relative: str) -> Path:
    """A path in the manifest, which must be inside the bundle."""
    try:
        target = (root / relative).resolve()
    except (ValueError, OSError, RuntimeError) as error:  # a NUL in the path, a loop of links (RuntimeError up to Python 3.12)
        raise ManifestError(f"{root / manifests.FILE_NAME} names {relative!r}, which is not a usable path ({error})") from error
    if not target.is_relative_to(root.resolve()):
        raise ManifestError(f"{root / manifests.FILE_NAME} names {relative!r}, which lies outside the bundle")
    return target


def _check_kind(root: Path, path: Path) -> None:
    """A hash covers plain files only: refuse special files, and links to folders."""
    if path.is_symlink() and path.is_dir():
        raise ManifestError(f"{path} is a symbolic link to a folder, whose files have no hash; copy the bundle with its links followed")
    if not path.is_file() and not path.is_dir():
        raise ManifestError(f"{path} is neither a file nor a folder; export the bundle again")
    if path.is_symlink():
        inside(root, str(path.relative_to(root.resolve())))
