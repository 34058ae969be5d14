"""One writer at a time, whoever and wherever: the lock is beside the destination, and one that a killed process held is free."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crossload.errors import CrossloadError
from crossload.verbs.destinations import only_writer

PROGRAM = """
import os, signal, sys
from pathlib import Path
from crossload.verbs.destinations import only_writer
with only_writer(Path(sys.argv[1]), "export"):
    print(flush=True)
    if sys.argv[2] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    input()
"""


def test_a_second_writer_with_another_cache_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    own = {**os.environ, "CROSSLOAD_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", PROGRAM, str(target), "live"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=own) as first:
        assert first.stdin
        assert first.stdout
        first.stdout.readline()
        with pytest.raises(CrossloadError, match="another conversion is writing"), only_writer(target, "conversion"):
            pass
        with only_writer(tmp_path / "another", "conversion"):
            pass
        first.stdin.write(b"\n")
        first.stdin.close()
    with only_writer(target, "conversion"):
        pass
    assert not list(tmp_path.iterdir())


def test_the_lock_of_a_killed_writer_is_free_and_its_file_is_removed(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path / "new" / "bundle"), "die"], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    with only_writer(tmp_path / "new" / "bundle", "export"):
        pass
    assert not list((tmp_path / "new").iterdir())


def test_a_writer_that_fails_leaves_no_new_folder(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), only_writer(tmp_path / "new" / "folders" / "bundle", "export"):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named_by_the_destination() -> None:
    with pytest.raises(OSError, match=r": '/sys/bundle'$"), only_writer(Path("/sys/bundle"), "export"):
        pass
