"""The archive of a Java worker's classes: made once, never in the way."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from crossload.runtimes import class_archive

MAKES = "open(archive, 'wb').write(b'classes')"
FAILS = "sys.exit(1)"


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    (tmp_path / "environment").mkdir()
    made = tmp_path / "worker.jar"
    made.write_bytes(b"jar")
    return made


def jvm(folder: Path, does: str) -> Path:
    """A JVM that notes its start, reads its requests to the end, and does something with the archive it is asked for."""
    made = folder / "java"
    made.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(folder / 'starts')!r}, 'a').write('x')\n"
        f"assert b'ServerMetadata' in sys.stdin.buffer.read()\narchive = sys.argv[1].removeprefix('-XX:ArchiveClassesAtExit=')\n{does}\n",
        encoding="utf-8",
    )
    made.chmod(0o755)
    return made


def starts(folder: Path) -> int:
    return len((folder / "starts").read_text()) if (folder / "starts").exists() else 0


def test_an_archive_is_made_on_first_use_and_kept(tmp_path: Path, jar: Path) -> None:
    said: list[str] = []
    command = (str(jvm(tmp_path, MAKES)), "Main")
    first, second = (class_archive.options(command, jar, tmp_path / "environment", said.append) for _ in range(2))
    assert first == second
    assert Path(first[0].removeprefix("-XX:SharedArchiveFile=")).read_bytes() == b"classes"
    assert starts(tmp_path) == len(said) == 1


def test_another_jar_gets_an_archive_of_its_own_and_the_oldest_go(tmp_path: Path, jar: Path) -> None:
    command = (str(jvm(tmp_path, MAKES)), "Main")
    for size in range(6):
        jar.write_bytes(b"jar" * (size + 2))
        assert class_archive.options(command, jar, tmp_path / "environment")
    assert starts(tmp_path) == 6
    assert len(list((tmp_path / "environment").glob("classes-*.jsa"))) == 4


@pytest.mark.parametrize("does", [FAILS, "import time; time.sleep(3600)"])
def test_a_jvm_without_an_archive_is_not_asked_again(tmp_path: Path, jar: Path, does: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_archive, "_SECONDS", 1)
    command = (str(jvm(tmp_path, does)), "Main")
    for _ in range(2):
        assert class_archive.options(command, jar, tmp_path / "environment") == ()
    assert starts(tmp_path) <= 1  # a busy machine may start it after the limit
    assert [file.stat().st_size for file in (tmp_path / "environment").glob("classes-*")] == [0]


def test_a_jvm_that_is_not_there_gives_no_archive(tmp_path: Path, jar: Path) -> None:
    assert class_archive.options((str(tmp_path / "none"), "Main"), jar, tmp_path / "environment") == ()
