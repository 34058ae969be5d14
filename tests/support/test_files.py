"""Files are written whole or not at all, and their digests are the contract's."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from crossload.support import files


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "f.json"
    files.write_text(target, "old")
    with pytest.raises(RuntimeError), files.written_whole(target) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    for text in ("one", "two"):
        with files.folder_written_whole(target) as partial:
            assert not target.exists() or (target / "a").read_text() == "one"
            (partial / "a").write_text(text)
    assert (target / "a").read_text() == "two"
    assert list(tmp_path.iterdir()) == [target]


def test_an_interrupted_folder_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    with files.folder_written_whole(target) as partial:
        (partial / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), files.folder_written_whole(target) as partial:
        (partial / "a").write_text("half")
        raise KeyboardInterrupt
    assert (target / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folders_digest_covers_its_files_in_byte_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name, text in (("b/x", "1"), ("a", "2"), ("B", "3")):
        (tmp_path / name).write_text(text)
    lines = "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in (("B", "3"), ("a", "2"), ("b/x", "1")))
    assert files.sha256(tmp_path) == hashlib.sha256(lines.encode()).hexdigest()
    assert files.size_bytes(tmp_path) == 3


def test_a_file_name_that_is_not_utf8_has_a_digest(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff")).write_text("1")
    line = hashlib.sha256(b"1").hexdigest().encode() + b"  \xff\n"
    assert files.sha256(tmp_path) == hashlib.sha256(line).hexdigest()


def test_a_special_file_is_written_directly_and_kept(tmp_path: Path) -> None:
    read, write = os.pipe()
    link = tmp_path / "stdout"
    link.symlink_to(f"/proc/self/fd/{write}")
    files.write_text(link, "text")
    os.close(write)
    with os.fdopen(read) as stream:
        assert stream.read() == "text"
    assert link.is_symlink()


def test_a_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    files.write_text(tmp_path / "link", "new")
    assert (tmp_path / "real").read_text() == "new"
    assert (tmp_path / "link").is_symlink()


def test_the_current_folder_can_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with files.folder_written_whole(Path()) as partial:
        (partial / "a").write_text("text")
    assert (tmp_path / "here" / "a").read_text() == "text"
    assert list(tmp_path.iterdir()) == [tmp_path / "here"]


def test_an_interrupt_between_the_old_folder_and_the_new_one_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "bundle"
    with files.folder_written_whole(target) as partial:
        (partial / "a").write_text("old")
    rename, renames = Path.rename, 0

    def interrupted(self: Path, to: Path) -> Path:
        nonlocal renames
        renames += 1
        if renames == 2:
            raise KeyboardInterrupt
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), files.folder_written_whole(target) as partial:
        (partial / "a").write_text("new")
    assert (target / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_name_that_is_not_utf8_round_trips_through_json(tmp_path: Path) -> None:
    files.write_text(tmp_path / "f.json", json.dumps({"name": "a\udcff"}, ensure_ascii=False))
    assert json.loads((tmp_path / "f.json").read_text()) == {"name": "a\udcff"}
