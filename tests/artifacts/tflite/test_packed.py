"""Files packed with a .tflite: listed and extracted; nothing leaves the folder, and nothing half-written stays."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from crossload.artifacts.tflite import packed
from crossload.artifacts.tflite.packed import PackedFile, extract, packed_files
from crossload.errors import ArtifactError, CrossloadError
from tests.corpus.handmade import Lite


def made(path: Path, files: Mapping[str, str]) -> Path:
    path.write_bytes(Lite().build())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_packed_files_are_listed_and_extracted(tmp_path: Path) -> None:
    model = made(tmp_path / "m.tflite", {"labels.txt": "cat\ndog\n", "vocabulary/en.txt": "a"})
    listed = (PackedFile("labels.txt", 8), PackedFile("vocabulary/en.txt", 1))
    assert packed_files(model) == extract(model, tmp_path / "out") == listed
    assert (tmp_path / "out" / "labels.txt").read_text() == "cat\ndog\n"
    assert (tmp_path / "out" / "vocabulary" / "en.txt").read_text() == "a"


def test_a_file_without_an_archive_has_no_packed_files(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(Lite().build())
    assert packed_files(tmp_path / "m.tflite") == ()
    with pytest.raises(CrossloadError, match="has no packed files"):
        extract(tmp_path / "m.tflite", tmp_path / "out")


@pytest.mark.parametrize("name", ["../labels.txt", "/etc/labels.txt", "a/../../b", "a\\..\\b", "C:/b"])
def test_a_name_that_leads_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    model = made(tmp_path / "m.tflite", {"labels.txt": "cat", name: "x"})
    with pytest.raises(CrossloadError, match="leads outside the folder; nothing was written"):
        extract(model, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [model]


def test_names_that_meet_each_other_are_refused(tmp_path: Path) -> None:
    model = made(tmp_path / "m.tflite", {"a": "x", "a/b": "y"})
    with pytest.raises(CrossloadError, match="two packed files 'a'"):
        extract(model, tmp_path / "out")


def test_an_existing_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(CrossloadError, match="exists; name a new folder"):
        extract(made(tmp_path / "m.tflite", {"labels.txt": "cat"}), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_bomb_is_refused_by_what_it_states_and_by_what_it_unpacks_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(tmp_path / "m.tflite", {"zeros": "\0" * 5000})
    monkeypatch.setattr(packed, "_MOST_BYTES", 4999)
    with pytest.raises(CrossloadError, match="unpack to more than 1 GiB"):
        extract(model, tmp_path / "out")
    monkeypatch.setattr(packed, "_check", lambda path, entries: None)
    with pytest.raises(CrossloadError, match="more than they state"):
        extract(model, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [model]


def test_damaged_content_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    model = made(tmp_path / "m.tflite", {"labels.txt": "cat\n" * 100})
    data = bytearray(model.read_bytes())
    at = data.index(b"labels.txt") + len("labels.txt")
    data[at : at + 4] = b"\xff\xff\xff\xff"
    model.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"'labels.txt' of .* cannot be read"):
        extract(model, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [model]


def test_a_damaged_directory_of_the_archive_is_told(tmp_path: Path) -> None:
    model = made(tmp_path / "m.tflite", {"labels.txt": "cat"})
    data = bytearray(model.read_bytes())
    at = data.rindex(b"PK\1\2")
    data[at : at + 4] = b"PK\0\0"
    model.write_bytes(data)
    with pytest.raises(ArtifactError, match="is damaged"):
        packed_files(model)
