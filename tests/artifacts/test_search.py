"""Which artifacts words mean: paths, patterns, folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossload.artifacts import search
from crossload.errors import CrossloadError
from tests.corpus import handmade


def test_a_folder_means_the_artifacts_in_it_and_a_saved_model_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    handmade.saved_model(tmp_path / "zoo" / "deep" / "m", handmade.meta_graph("serve"))
    handmade.write_graph(tmp_path / "zoo" / "g.pb", handmade.graph())
    Path("zoo/notes.txt").write_text("no artifact")
    assert search.expanded(["zoo"]) == ["zoo/deep/m", "zoo/g.pb"]
    assert search.expanded(["zoo/*.pb", "zoo", "zoo/none.pb"]) == ["zoo/g.pb", "zoo/deep/m", "zoo/none.pb"]
    assert not search.is_one(Path("zoo")) and search.is_one(Path("zoo/deep/m"))


def test_a_link_to_a_folder_above_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("zoo").mkdir()
    handmade.write_graph(tmp_path / "zoo" / "g.pb", handmade.graph())
    Path("zoo/again").symlink_to(tmp_path / "zoo")
    assert search.expanded(["zoo"]) == ["zoo/g.pb"]


def test_a_saved_model_in_chunks_is_one_artifact(tmp_path: Path) -> None:
    for name in ("saved_model.cpb", "fingerprint.pb"):
        (tmp_path / name).write_bytes(b"x")
    assert search.expanded([str(tmp_path)]) == [str(tmp_path)]


@pytest.mark.parametrize("word", ["empty", "*.keras"])
def test_a_word_without_artifacts_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    with pytest.raises(CrossloadError, match="holds no artifacts"):
        search.expanded([word])
