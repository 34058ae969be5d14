"""`show` and `check` of many files: a row for each, and none keeps another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from crossload.cli import main, many
from tests.corpus import handmade
from tests.corpus.checked_graphs import FLOAT, add, graph_of, saved_model


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a SavedModel that older releases do not load, a graph, a .tflite, below the working folder."""
    monkeypatch.chdir(tmp_path)
    graph = graph_of()
    add(graph, "v", "VarHandleOp", dtype=FLOAT).attr["shape"].shape.SetInParent()
    add(graph, "copy", "DisableCopyOnRead", "v")
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    (zoo / "m" / "saved_model.pb").write_bytes(saved_model(zoo / "m", graph).SerializeToString())
    handmade.write_graph(zoo / "g.pb", graph_of())
    (zoo / "l.tflite").write_bytes(handmade.Lite().build())
    return Path("zoo")


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=given)


def broken(zoo: Path) -> str:
    (zoo / "bad.pb").write_bytes(b"\n\xff\xff")
    return str(zoo / "bad.pb")


def rows(result: Result) -> dict[str, str]:
    return {line.split()[0]: line for line in result.stdout.splitlines()}


def test_show_has_a_row_for_each_file(zoo: Path) -> None:
    result = run("show", "zoo")
    assert result.exit_code == 0, result.output
    found = rows(result)
    assert list(found) == ["artifact", "zoo/g.pb", "zoo/l.tflite", "zoo/m"]
    assert [found[name].split()[1] for name in list(found)[1:]] == ["graph_def", "tflite", "saved_model"]
    assert "→" in found["zoo/g.pb"]


def test_a_file_that_cannot_be_shown_is_a_row_and_status_2(zoo: Path) -> None:
    bad = broken(zoo)
    result = run("show", "zoo", "zoo/missing.pb")
    assert result.exit_code == 2
    found = rows(result)
    assert "error: zoo/bad.pb is not a GraphDef" in found[bad] and "does not exist" in found["zoo/missing.pb"]
    assert len(found) == 6


def test_show_prints_a_line_of_json_for_each_file(zoo: Path) -> None:
    bad = broken(zoo)
    lines = [json.loads(line) for line in run("show", "zoo", "--json").stdout.splitlines()]
    assert [line["path"] for line in lines] == [bad, "zoo/g.pb", "zoo/l.tflite", "zoo/m"]
    assert "not a GraphDef" in lines[0]["error"]
    assert lines[1] == json.loads(run("show", "zoo/g.pb", "--json").stdout)


def test_show_all_prints_the_page_of_each_file(zoo: Path) -> None:
    pages = run("show", "zoo", "--all").stdout
    assert run("show", "zoo/l.tflite", "--all").stdout in pages and run("show", "zoo/m", "--all").stdout in pages


def test_the_canonical_hash_finds_the_same_model_again(zoo: Path) -> None:
    (zoo / "same.pb").write_bytes((zoo / "g.pb").read_bytes())
    found = rows(run("show", "zoo", "--hash"))
    hashes = {name: [word for word in line.split() if len(word) == 64] for name, line in found.items()}
    assert len(hashes["zoo/g.pb"]) == 1
    assert [name for name, digest in hashes.items() if digest == hashes["zoo/g.pb"]] == ["zoo/g.pb", "zoo/same.pb"]


def test_files_come_from_patterns_and_from_standard_input(zoo: Path) -> None:
    assert list(rows(run("show", "zoo/*.pb", "zoo/m")))[1:] == ["zoo/g.pb", "zoo/m"]
    assert list(rows(run("show", "-", given="zoo/m\n\nzoo/l.tflite\n")))[1:] == ["zoo/m", "zoo/l.tflite"]


def test_check_has_a_row_with_the_worst_obstacle_for_each_file(zoo: Path) -> None:
    result = run("check", "zoo", "--runtime", "tensorflow-java@0.4.2,tensorflow-java@1.1.0")
    assert result.exit_code == 1
    found = rows(result)
    assert found["zoo/m"].split()[1:4] == ["saved_model", "load_error", "ok"]
    assert "tensorflow-java@0.4.2: Op type not registered 'DisableCopyOnRead'" in found["zoo/m"]
    assert found["zoo/g.pb"].split()[1:] == ["graph_def", "ok", "ok", "none"]
    assert "not checked" in found["zoo/l.tflite"]


def test_without_runtimes_check_counts_the_releases_that_will_do(zoo: Path) -> None:
    result = run("check", "zoo")
    assert result.exit_code == 0
    assert "5 of 8" in rows(result)["zoo/m"] and "8 of 8" in rows(result)["zoo/g.pb"]


def test_a_file_that_cannot_be_checked_is_a_row_and_status_2(zoo: Path) -> None:
    bad = broken(zoo)
    result = run("check", "zoo")
    assert result.exit_code == 2
    assert "error: " in rows(result)[bad] and "8 of 8" in rows(result)["zoo/g.pb"]
    lines = [json.loads(line) for line in run("check", "zoo", "--json").stdout.splitlines()]
    assert "not a GraphDef" in lines[0]["error"]
    assert lines[1] == json.loads(run("check", "zoo/g.pb", "--json").stdout)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "-"], "list of files on standard input"),
        (["show", "zoo", "--nodes"], "--nodes shows a part of one artifact"),
        (["check", "zoo", "--all"], "--all is about one path"),
        (["check", "zoo", "--runtime", "no-such"], "check knows no release 'no-such'; it knows: "),
        (["check", "zoo/l.tflite", "zoo/l.tflite", "--runtime", "tensorflow-java"], "none of the named releases takes a file of these"),
    ],
)
def test_bad_words_are_one_sentence_and_status_2(zoo: Path, arguments: list[str], said: str) -> None:
    result = run(*arguments, given="")
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_long_run_says_how_far_it_is(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "SECONDS_BETWEEN_LINES", -1)
    assert run("show", "zoo").stderr.splitlines() == ["1 of 3 zoo/g.pb", "2 of 3 zoo/l.tflite", "3 of 3 zoo/m"]
