"""Many conversions in one run: every source has an outcome and a name of its own, and a later run goes on."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from crossload.cli import main
from crossload.contract.sidecar import sidecar_of
from crossload.errors import CrossloadError
from crossload.runtimes import tf_process
from crossload.verbs.convert import many
from tests import CORPUS
from tests.corpus import handmade


def run(*arguments: str | Path, given: str | None = None) -> Result:
    return CliRunner().invoke(main, ["convert", *map(str, arguments)], input=given)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands of all TensorFlow processes that start."""
    commands: list[list[str]] = []
    real = subprocess.Popen

    class Counted(real):  # type: ignore[type-arg, misc, valid-type]
        def __init__(self, command: Any, *arguments: Any, **options: Any) -> None:
            if "crossload.tf_process" in command:
                commands.append(command)
            super().__init__(command, *arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", Counted)
    return commands


@pytest.mark.parametrize(
    ("sources", "made"),
    [
        (["a/m.h5", "b.pb"], ["m.tflite", "b.tflite"]),
        (["a/m.h5", "b/m.h5"], ["a-m.tflite", "b-m.tflite"]),
        (["x/a/m.h5", "y/a/m.h5"], ["x-a-m.tflite", "y-a-m.tflite"]),
        (["a/m.h5", "a/m.keras"], ["m-h5.tflite", "m-keras.tflite"]),
        (["a/M.h5", "b/m.h5"], ["a-M.tflite", "b-m.tflite"]),
        (["digits/1", "letters/2"], ["digits-1.tflite", "letters-2.tflite"]),
        (["a/model.ckpt-100"], ["model.ckpt-100.tflite"]),
    ],
)
def test_each_result_has_a_name_of_its_own(sources: list[str], made: list[str]) -> None:
    named = many.names(sources, ".tflite", {})
    assert [named[s] for s in sources] == made


def test_a_frozen_graph_is_never_named_as_the_file_that_makes_a_folder_a_saved_model() -> None:
    named = many.names(["digits/saved_model", "/saved_model"], ".pb", {})
    assert named == {"digits/saved_model": "digits-saved_model.pb", "/saved_model": "saved_model-2.pb"}
    assert many.names(["digits/saved_model"], ".tflite", {}) == {"digits/saved_model": "saved_model.tflite"}


def test_names_that_folders_do_not_tell_apart_stay_different() -> None:
    assert len(set(many.names(["a-m.h5", "a/m.h5", "b/m.h5", "/m-2.h5", "/m.h5"], "", {"x": "m"}).values())) == 6


def test_names_of_an_earlier_run_stay() -> None:
    named = many.names(["a/m.h5", "b/m.h5"], ".pb", {"a/m.h5": "m.pb"})
    assert named == {"a/m.h5": "m.pb", "b/m.h5": "m-2.pb"}


def test_a_source_that_cannot_be_converted_is_a_row_and_a_line_of_the_journal(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.pb").write_bytes(b"\n\xff\xff")
    result = run(tmp_path / "in", tmp_path / "none.h5", "-o", tmp_path / "out", "--to", "saved_model")
    assert result.exit_code == 2
    assert "is not a GraphDef" in result.stdout and "none.h5 does not exist" in result.stdout and "2 failed" in result.stdout
    lines = [json.loads(line) for line in (tmp_path / "out" / many.JOURNAL).read_text().splitlines()]
    assert [(Path(line["source"]).name, line["status"]) for line in lines] == [("bad.pb", 2), ("none.h5", 2)]
    assert [p.name for p in (tmp_path / "out").iterdir()] == [many.JOURNAL]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["one.pb"], "name one source and its destination"),
        (["a.pb", "b.pb", "c.pb"], "name one source and its destination"),
        (["a.pb", "b.tflite", "--resume"], "name one source and its destination"),
        (["a.pb", "-o", "out"], "name the format of the results with --to"),
        (["a.pb", "-o", "out", "--to", "no-such"], "there is no format 'no-such'"),
        (["-", "-o", "out", "--to", "tflite"], "list of files on standard input"),
        (["used/a.pb", "-o", "used", "--to", "tflite"], "every source lies in used"),
        (["a.pb", "-o", "used", "--to", "tflite"], "used holds the conversions of an earlier run"),
    ],
)
def test_bad_words_are_one_sentence_and_status_2(words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("used").mkdir()
    for name in ("a.pb", "used/a.pb"):
        handmade.write_graph(Path(name), handmade.graph())
    Path("used", many.JOURNAL).write_text("")
    result = run(*words, given="")
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert not Path("out").exists()


def test_another_content_of_a_named_file_is_another_run(tmp_path: Path) -> None:
    with zipfile.ZipFile(CORPUS / "lite_kinds.zip") as kinds:
        kinds.extract("variable.tflite", tmp_path)
    (note := tmp_path / "note").write_text("one")
    words = (tmp_path / "variable.tflite", "-o", tmp_path / "out", "--to", "tflite", "--no-verify", "--set-metadata", f"note={note}")
    assert run(*words).exit_code == 0
    assert "1 kept" in run(*words, "--resume").stdout
    note.write_text("two")
    assert "1 converted" in run(*words, "--resume").stdout
    assert b"two" in (tmp_path / "out" / "variable.tflite").read_bytes()


def test_jobs_share_a_process_and_one_that_died_is_replaced(started: list[list[str]]) -> None:
    """Without TensorFlow each job fails, in the words of the process."""
    step = tf_process.Step("freeze_saved_model", Path("/none"), Path("/none/target"), "freezing")
    python = Path(shutil.which("python3") or "python3")

    def ask() -> None:
        with pytest.raises(CrossloadError, match="the model: "):
            tf_process.run([step], python, "the model")

    with tf_process.kept():
        ask()
        ask()
        assert len(started) == 1
        process = tf_process._kept.get()
        assert process
        process[python]._child.kill()
        process[python]._child.wait()
        ask()
    assert len(started) == 2
    ask()
    assert len(started) == 3, "outside the block, each run has a process of its own"


@pytest.mark.slow
def test_one_tensorflow_process_converts_all_sources_and_a_second_run_goes_on(
    sources: Path, tmp_path: Path, started: list[list[str]]
) -> None:
    for name in ("a", "b"):
        shutil.copytree(sources / "saved_model", tmp_path / "in" / name / "m")
    shutil.copy(sources / "model.keras", tmp_path / "in" / "k.keras")
    (tmp_path / "in" / "bad.pb").write_bytes(b"\n\xff\xff")
    out = tmp_path / "out"
    words = (tmp_path / "in", "-o", out, "--to", "tflite", "--count", "2")
    first = run(*words)
    assert first.exit_code == 2, first.output
    assert "4 sources: 3 converted, 1 failed" in first.stdout
    assert first.stdout.count("2 agree: ") == 3
    assert len(started) == 1
    made = [out / name for name in ("a-m.tflite", "b-m.tflite", "k.tflite")]
    assert {p.name for p in out.iterdir()} == {many.JOURNAL, *(p.name for p in made), *(sidecar_of(p).name for p in made)}
    (tmp_path / "in" / "bad.pb").unlink()
    shutil.rmtree(tmp_path / "in" / "b" / "m")
    shutil.copytree(sources / "saved_model", tmp_path / "in" / "b" / "m")
    (tmp_path / "in" / "b" / "m" / "note.txt").write_text("changed")
    kept = made[0].stat().st_mtime_ns
    second = run(*words, "--resume")
    assert second.exit_code == 0, second.output
    assert "3 sources: 1 converted, 2 kept" in second.stdout
    assert made[0].stat().st_mtime_ns == kept and made[1].exists()
    assert "2 agree" in second.stdout
    other = run(*words, "--resume", "--seed", "7")
    assert "3 sources: 3 converted" in other.stdout, "other options are another run"
