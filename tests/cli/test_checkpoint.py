"""`crossload checkpoint`: what it prints, and what it does with bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_show import line, run
from tests.corpus.checkpoint_folders import beside, files_of, names, saved, serving
from tests.corpus.checkpoints import varied


def test_the_list_marks_the_served_checkpoint_and_names_missing_files(tmp_path: Path) -> None:
    folder = serving(saved(tmp_path, "a-1", "a-2000"), "a-2000", "a-1", "a-2000")
    (folder / "a-1.data-00000-of-00001").unlink()
    page = run("checkpoint", "list", str(folder)).stdout
    assert line(page, "* ").split()[:4] == ["*", "a-2000", "step", "2,000"]
    assert line(page, "* ").endswith("V2  complete")
    assert line(page, "a-1 ").endswith("incomplete: a-1.data-00000-of-00001 is missing; copy all files of the checkpoint")
    described = json.loads(run("checkpoint", "list", str(folder), "--json").stdout)
    assert (described["served"], [c["complete"] for c in described["checkpoints"]]) == ("a-2000", [False, True])


def test_show_describes_the_served_one_or_the_named_one(tmp_path: Path) -> None:
    folder = serving(saved(tmp_path, "a-1", "a-2"), "a-2", "a-1", "a-2")
    assert run("checkpoint", "show", str(folder)).stdout.startswith(f"Checkpoint  {folder / 'a-2'}\n")
    assert run("checkpoint", "show", str(folder), "a-1").stdout.startswith(f"Checkpoint  {folder / 'a-1'}\n")
    assert "its graph: a-1.meta" in run("checkpoint", "show", str(folder), "a-1").stdout
    value = json.loads(run("checkpoint", "show", str(folder), "a-1", "--tensor", "w", "--json").stdout)
    assert value["data"][:3] == [0, 1, 2]


def test_use_remove_and_prune_report_what_they_did(tmp_path: Path) -> None:
    folder = serving(saved(tmp_path, *(f"a-{n}" for n in range(1, 7))), "a-6", *(f"a-{n}" for n in range(1, 7)))
    assert run("checkpoint", "use", str(folder), "a-5").stdout == f"{folder} serves a-5\n"
    assert run("checkpoint", "remove", str(folder), "a-1").stdout == "removed a-1 (3 files)\n"
    dry = run("checkpoint", "prune", str(folder), "--keep", "1", "--keep-every", "4", "--dry-run")
    assert [row.split()[:3] for row in dry.stdout.splitlines()] == [["would", "remove", "a-2"], ["would", "remove", "a-3"]]
    assert beside(folder) == files_of("a-2", "a-3", "a-4", "a-5", "a-6")
    assert run("checkpoint", "prune", str(folder), "--keep", "1", "--keep-every", "4").stdout.count("\nremoved") == 1
    assert names(folder) == ["a-4", "a-5", "a-6"]
    assert run("checkpoint", "prune", str(folder), "--keep", "3").stdout == "nothing to remove\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("use", "a-11"), "near it are 'a-1'"),
        (("remove", "a-1"), "--force"),
        (("remove", "a-2", "a-9"), "has no checkpoint 'a-9'"),
        (("show", "a-9"), "has no checkpoint 'a-9'"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2_and_nothing_changes(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    folder = serving(saved(tmp_path, "a-1", "a-2"), "a-1", "a-1", "a-2")
    result = run("checkpoint", arguments[0], str(folder), *arguments[1:])
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert beside(folder) == files_of("a-1", "a-2")


def test_a_folder_without_checkpoints_and_a_missing_one_are_status_2(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        for arguments in (("list",), ("show", "x"), ("use", "x"), ("remove", "x"), ("prune", "--keep", "1")):
            result = run("checkpoint", arguments[0], str(path), *arguments[1:])
            assert result.exit_code == 2
            assert result.stderr.startswith(f"crossload: {path} ")
    assert run("checkpoint", "prune", str(tmp_path)).exit_code == 2


def test_a_checkpoint_that_is_damaged_is_listed_with_the_checksums_by_check(tmp_path: Path) -> None:
    prefix, _ = varied(tmp_path)
    shard = prefix.with_name("ckpt.data-00000-of-00001")
    shard.write_bytes(b"\1" + shard.read_bytes()[1:])
    assert "complete" in run("checkpoint", "list", str(tmp_path)).stdout
    assert "checksum of the tensor 'v' is wrong (0x" in run("checkpoint", "list", str(tmp_path), "--check").stdout
