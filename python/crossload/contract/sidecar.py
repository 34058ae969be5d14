"""The manifest of an artifact outside a bundle: `<artifact>.crossload.json` beside it, with the same schema and no vectors."""

from __future__ import annotations

from pathlib import Path

from crossload.contract import manifest as manifests
from crossload.contract.manifest import FILE_NAME, Artifact, Manifest
from crossload.errors import ManifestError
from crossload.support import files


def sidecar_of(artifact: Path) -> Path:
    """The path of this artifact's manifest."""
    return artifact.with_name(f"{artifact.name}.{FILE_NAME}")


def stated(artifact: Path) -> tuple[list[Artifact], Manifest] | None:
    """A manifest's entries for this artifact (one per tag set): from the manifest beside it, or from that of the bundle around it.

    None without a manifest, and for a folder of checkpoints that has changed since: training continues in it, `crossload checkpoint`
    deletes from it, and each .meta states its own signatures. Raises ManifestError for a manifest whose hash does not match the
    artifact.
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
                f"{file} describes a different {artifact.name} (the sha256 differs); delete the manifest, or make the artifact again"
            )
        if entries:
            return entries, manifest
    return None
