"""The manifest beside an artifact: it applies only while the artifact is unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossload.contract.manifest import Artifact, Manifest, Model
from crossload.contract.sidecar import sidecar_of, stated
from crossload.errors import ManifestError
from crossload.support import files


def described(path: Path, kind: str) -> Path:
    entry = Artifact(id=kind, format=kind, path=path.name, sha256=files.sha256(path))
    files.write_text(sidecar_of(path), Manifest(model=Model(name="m"), signatures={}, artifacts=[entry]).to_json())
    return path


def test_a_changed_artifact_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.pb"
    file.write_bytes(b"one")
    found = stated(described(file, "graph_def"))
    assert found and found[0][0].format == "graph_def"
    file.write_bytes(b"two")
    with pytest.raises(ManifestError, match=r"describes a different model\.pb"):
        stated(file)


def test_the_manifest_of_a_changed_checkpoint_folder_is_ignored(tmp_path: Path) -> None:
    folder = tmp_path / "training"
    folder.mkdir()
    (folder / "checkpoint").write_text('model_checkpoint_path: "a"')
    assert stated(described(folder, "checkpoint"))
    (folder / "checkpoint").write_text('model_checkpoint_path: "b"')
    assert stated(folder) is None
