"""Files are written whole or not at all, and their digests are the contract's."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
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

    monkeypatch.setattr(files, "exchange", lambda *_: False)
    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), files.folder_written_whole(target) as partial:
        (partial / "a").write_text("new")
    assert (target / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_name_that_is_not_utf8_round_trips_through_json(tmp_path: Path) -> None:
    files.write_text(tmp_path / "f.json", json.dumps({"name": "a\udcff"}, ensure_ascii=False))
    assert json.loads((tmp_path / "f.json").read_text()) == {"name": "a\udcff"}


# A process that kills itself at a point of `files`: which point, and whether names can be exchanged, are its arguments.
KILLED = """
import os, signal, sys
from pathlib import Path
from crossload.support import files

target, point, exchanges = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
exchange, rename, renames = files.exchange, Path.rename, 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def exchanged(one, other):
    if exchanges == "no":
        return False
    if point == "before":
        die()
    assert exchange(one, other)
    die()

def renamed(self, to):
    global renames
    renames += 1
    if renames == {"before": 1, "between": 2}.get(point):
        die()
    made = rename(self, to)
    if renames == 2 and point == "after":
        die()
    return made

files.exchange, Path.rename = exchanged, renamed
if point.startswith("file"):
    with files.written_whole(target) as partial:
        partial.write_text("new")
        die()
with files.folder_written_whole(target) as partial:
    (partial / "a").write_text("new")
    if point == "inside":
        die()
"""


def kill(target: Path, point: str, exchanges: str = "yes") -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(target), point, exchanges], check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("point", "exchanges", "left"),
    [("before", "yes", "old"), ("after", "yes", "new"), ("before", "no", "old"), ("between", "no", None), ("after", "no", "new")],
)
def test_a_folder_that_is_replaced_is_there_whenever_its_writer_is_killed(
    tmp_path: Path, point: str, exchanges: str, left: str | None
) -> None:
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "a").write_text("old")
    kill(target, point, exchanges)
    assert (target / "a").read_text() == left if left else not target.exists()
    files.restore(target)
    assert (target / "a").read_text() == (left or "old")
    with files.folder_written_whole(target) as partial:
        (partial / "a").write_text("newest")
    assert (target / "a").read_text() == "newest"
    assert list(tmp_path.iterdir()) == [target]


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    kill(tmp_path / "bundle", "inside")
    kill(tmp_path / "report.json", "file")
    assert len(list(tmp_path.iterdir())) == 2
    files.write_text(tmp_path / "report.json", "{}")
    with files.folder_written_whole(tmp_path / "bundle"):
        pass
    assert {p.name for p in tmp_path.iterdir()} == {"report.json", "bundle"}


def test_what_a_living_writer_is_writing_stays(tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from crossload.support import files\n"
    program += "with files.folder_written_whole(Path(sys.argv[1])) as partial: (partial / 'a').write_text('theirs'); print(); input()"
    target = tmp_path / "bundle"
    with subprocess.Popen([sys.executable, "-c", program, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin
        assert other.stdout
        other.stdout.readline()
        with files.folder_written_whole(target) as partial:
            (partial / "a").write_text("mine")
        other.stdin.write(b"\n")
        other.stdin.close()
        assert other.wait() == 0
    assert (target / "a").read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [target]


def test_what_others_named_alike_stays(tmp_path: Path) -> None:
    for name in (".bundle.partial-of-mine", ".bundle2.partial-0123abcd", ".bundle.old"):
        (tmp_path / name).mkdir()
    with files.folder_written_whole(tmp_path / "bundle"):
        pass
    assert len(list(tmp_path.iterdir())) == 4


def test_what_a_copy_of_a_folder_could_not_write_is_named_by_the_destination(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_text("a" * 2000)
    program = "import resource, shutil, sys; from pathlib import Path; from crossload.support import files\n"
    program += "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
    program += "try:\n with files.folder_written_whole(Path(sys.argv[2])) as room: shutil.copytree(sys.argv[1], room / 'inside')\n"
    program += "except OSError as error: print(error.filename, error.strerror)"
    command = [sys.executable, "-c", program, str(tmp_path / "source"), str(tmp_path / "target")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{tmp_path / 'target'} File too large"
    assert {p.name for p in tmp_path.iterdir()} == {"source"}


def test_a_full_disk_is_named_by_the_file_that_was_to_be_written(tmp_path: Path) -> None:
    program = "import resource, signal, sys; from pathlib import Path; from crossload.support import files\n"
    program += "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
    program += "try: files.write_text(Path(sys.argv[1]), 'a' * 2000)\n"
    program += "except OSError as error: print(error.filename)"
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "f")], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "f")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder in which nothing can be made")
def test_a_folder_in_which_nothing_can_be_made_is_an_error_that_names_the_file() -> None:
    with pytest.raises(OSError, match=r"/proc/plot\.svg"):
        files.write_text(Path("/proc/plot.svg"), "text")
