"""A worker is given the artifact alone, and its answers count only if it left the artifact as it was."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from crossload.contract.bundle import open_bundle
from crossload.support.files import sha256
from crossload.verbs.verify import handed_out
from crossload.verbs.verify.handed_out import HandedOut
from crossload.verbs.verify.verify import verify
from tests import ROOT, fakes


@pytest.fixture
def meddling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runtimes `looking`, `editing`, and `far`, which loads from the bundle's folder."""
    tables = []
    for name, words in (("looking", []), ("editing", ["edit"]), ("far", [])):
        command = [sys.executable, str(ROOT / "tests/fakes/meddling_worker.py"), *words]
        environment = f'environment = {{ PYTHONPATH = "{ROOT / "python"}" }}'
        own_path = "own_path = true\n" if name == "far" else ""
        tables.append(f"[runtimes.{name}]\nformats = ['tflite']\ncommand = {json.dumps(command)}\n{environment}\n{own_path}")
    file = tmp_path / "configuration.toml"
    file.write_text("\n".join(tables))
    monkeypatch.setenv("CROSSLOAD_CONFIG", str(file))


@pytest.mark.usefixtures("meddling")
def test_no_recorded_answers_lie_beside_what_a_worker_is_given(tmp_path: Path) -> None:
    report = verify(fakes.bundle(tmp_path / "b"), ["looking"])
    assert report.exit_status == 0
    assert {r.note for r in report.results} == {"beside: model0.tflite"}


@pytest.mark.usefixtures("meddling")
def test_a_worker_on_another_machine_can_have_the_bundle_s_own_path_and_the_report_says_so(tmp_path: Path) -> None:
    report = verify(fakes.bundle(tmp_path / "b"), ["far"])
    assert {r.note for r in report.results} == {"beside: crossload.json, model0.tflite, vectors"}
    assert any(caution.startswith("far loads from the bundle's folder") for caution in report.cautions)


@pytest.mark.usefixtures("meddling")
def test_answers_of_a_worker_that_edits_its_artifact_do_not_count(tmp_path: Path) -> None:
    bundle = fakes.bundle(tmp_path / "b")
    report = verify(bundle, ["editing", "looking"])
    assert report.exit_status == 1
    assert {(r.case.runtime, r.outcome) for r in report.results} == {("editing", "protocol_error"), ("looking", "ok")}
    assert "were changed during the run" in report.first_failure
    assert open_bundle(bundle)


def test_a_folder_is_handed_out_whole_and_a_checkpoint_with_the_files_beside_it(tmp_path: Path) -> None:
    root = fakes.bundle(tmp_path / "b")
    model = root / "model"
    (model / "variables").mkdir(parents=True)
    (model / "assets").mkdir()
    (model / "saved_model.pb").write_bytes(b"graph")
    (model / "variables" / "variables.index").write_bytes(b"index")
    for name in ("m.meta", "m.index"):
        (root / name).write_bytes(name.encode())
    bundle = open_bundle(root)
    folder = bundle.manifest.artifacts[0].model_copy(update={"id": "f", "format": "saved_model", "path": "model", "sha256": sha256(model)})
    meta = folder.model_copy(update={"id": "m", "format": "meta_graph", "path": "m.meta", "sha256": sha256(root / "m.meta")})
    given = HandedOut(bundle, tmp_path / "room" / "0")
    assert sorted(p.name for p in given.path(folder).rglob("*")) == ["assets", "saved_model.pb", "variables", "variables.index"]
    assert {p.name for p in given.path(meta).parent.iterdir()} == {"m.index", "m.meta", "model"}
    assert (given.changed(folder), given.changed(meta)) == (None, None)
    (given.path(folder) / "variables" / "variables.data").write_bytes(b"more")
    assert given.changed(folder)


def test_a_path_that_goes_up_is_handed_out_inside_the_room(tmp_path: Path) -> None:
    bundle = open_bundle(fakes.bundle(tmp_path / "b"))
    artifact = bundle.manifest.artifacts[0].model_copy(update={"path": "../b/model0.tflite"})
    assert HandedOut(bundle, tmp_path / "room" / "0").path(artifact) == tmp_path / "room" / "0" / "model0.tflite"


def test_a_large_file_is_linked_or_copied_once_for_all_runtimes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = open_bundle(fakes.bundle(tmp_path / "b"))
    (artifact,) = bundle.manifest.artifacts
    monkeypatch.setattr(handed_out, "_SMALL_BYTES", 0)
    own = bundle.path(artifact).stat().st_ino
    assert HandedOut(bundle, tmp_path / "near" / "0").path(artifact).stat().st_ino == own
    link = os.link

    def other_disk(source: Path, target: Path) -> None:
        if "shared" not in str(source):
            raise OSError(18, "Invalid cross-device link")
        link(source, target)

    monkeypatch.setattr(os, "link", other_disk)
    rooms = [HandedOut(bundle, tmp_path / "far" / str(at)) for at in range(2)]
    found = {room.path(artifact).stat().st_ino for room in rooms}
    assert len(found) == 1
    assert found != {own}


def test_where_nothing_can_be_copied_the_report_says_so(tmp_path: Path) -> None:
    bundle = open_bundle(fakes.bundle(tmp_path / "b"))
    (artifact,) = bundle.manifest.artifacts
    (tmp_path / "file").write_bytes(b"")
    given = HandedOut(bundle, tmp_path / "file" / "0")
    assert given.path(artifact) == bundle.path(artifact)
    assert "see the folder of the recorded answers" in given.cautions[0]
