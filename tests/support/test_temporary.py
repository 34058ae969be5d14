"""Temporary files live as long as their process: the next one removes what a killed one left."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crossload.support import temporary

PROGRAM = """
import os, signal, sys
from crossload.support import temporary
with temporary.scratch() as room:
    (room / "inside").mkdir()
    print(room, flush=True)
    if sys.argv[1] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    input()
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def test_a_scratch_folder_of_a_killed_process_is_removed_by_the_next_and_one_of_a_living_process_is_not(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, "live"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as living:
        assert living.stdin
        assert living.stdout
        theirs = Path(living.stdout.readline().strip())
        killed = subprocess.run([sys.executable, "-c", PROGRAM, "die"], capture_output=True, text=True, check=False)
        assert killed.returncode == -signal.SIGKILL
        left = Path(killed.stdout.strip())
        assert left.is_dir()
        with temporary.scratch() as mine:
            assert set(tmp_path.iterdir()) == {theirs, mine}
        living.stdin.write("\n")
        living.stdin.close()
    assert not list(tmp_path.iterdir())


def test_what_a_user_named_like_crossload_stays(tmp_path: Path) -> None:
    names = {"crossload-demo", "crossload-scratch-of-mine", "crossload-abcdefgh"}
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "crossload-scratch-00000000").symlink_to(tmp_path / "elsewhere")
    with temporary.scratch():
        pass
    assert {p.name for p in tmp_path.iterdir()} == {*names, "elsewhere", "crossload-scratch-00000000"}


def test_a_folder_that_was_removed_before_it_was_locked_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, taken = temporary.locks, []

    def late(descriptor: int) -> bool:
        if not taken:
            taken.extend(tmp_path.iterdir())
            temporary.remove(taken[0])
        return lock(descriptor)

    monkeypatch.setattr(temporary, "locks", late)
    with temporary.scratch() as room:
        assert room.is_dir()
        assert room != taken[0]
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_locks_is_written_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(_: int) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(temporary, "locks", unsupported)
    (tmp_path / "crossload-scratch-0123abcd").mkdir()
    with temporary.scratch():
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["crossload-scratch-0123abcd"]
