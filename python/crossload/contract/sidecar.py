"""The manifest of an artifact that is in no bundle: `<artifact>.crossload.json` beside it, with the same schema and no vectors."""

from __future__ import annotations

from pathlib import Path

from crossload.contract import manifest as manifests
from crossload.contract.manifest import FILE_NAME, Artifact, Manifest
from crossload.errors import ManifestError
from crossload.support import files


def sidecar_of(artifact: Path) -> Path:
    """Where the manifest of this artifact lies."""
    return artifact.with_name(f"{artifact.name}.{FILE_NAME}")


def stated(artifact: Path) -> tuple[list[Artifact], Manifest] | None:
    """What a manifest says of this artifact (one entry a tag set): the one beside it, or the bundle's whose folder it lies in.

    None where there is none, and where a folder of checkpoints has changed since: training goes on in it, `crossload checkpoint`
    deletes from it, and each .meta says its signatures itself. Raises ManifestError for a manifest that describes another file than
    the one that is there now.
    """
    for file in (sidecar_of(artifact), artifact.parent / FILE_NAME):
        if not file.is_file() or not artifact.exists():
            continue
        manifest = manifests.parse(file.read_bytes(), file)
        entries = [a for a in manifest.artifacts if a.path == artifact.name]
        if entries and files.sha256(artifact) != entries[0].sha256:
            if entries[0].format == "checkpoint" and artifact.is_dir():
                continue
            raise ManifestError(
                f"{file} describes another {artifact.name} than the one that is there (its sha256 differs); delete the manifest, or make "
                "the artifact again"
            )
        if entries:
            return entries, manifest
    return None
