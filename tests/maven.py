"""Runs Maven, and fetches jars for the tests by it: once, into crossload's cache."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from crossload.support import cache

_ALONE = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"


def maven(project: Path, *words: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Run Maven on a project; its exit status, and all that it printed."""
    command = ["mvn", "-B", "-ntp", "-f", str(project / "pom.xml"), *words]
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, cwd=project, env={**os.environ, **(environment or {})}
    )
    return done.returncode, done.stdout + done.stderr


def run(command: Iterable[str | Path]) -> str:
    """What a command printed; raises RuntimeError with its words if it fails."""
    done = subprocess.run([str(w) for w in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr)[-6000:])
    return done.stdout


def fetched(room: str, coordinates: Iterable[str], *, alone: bool, then: Callable[[Path], None] = lambda _: None) -> Path:
    """The cache's folder `room` with these artifacts (`group:artifact:version[:type]`), without what they depend on if `alone`.

    `then` gets the folder before others see it. Raises RuntimeError with Maven's words if something cannot be fetched.
    """
    folder = cache.cache_folder() / "tests" / room
    with cache.locked(folder.with_suffix(".lock")):
        if not folder.exists():
            making = folder.with_suffix(".making")
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir(parents=True)
            (making / "pom.xml").write_text(_pom(room, coordinates, _ALONE if alone else ""), "utf-8")
            run(["mvn", "-q", "-B", "-f", making / "pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={making}"])
            then(making)
            making.rename(folder)
    return folder


def _pom(room: str, coordinates: Iterable[str], exclusions: str) -> str:
    dependencies = ""
    for coordinate in coordinates:
        group, artifact, version, *kind = coordinate.split(":")
        dependencies += (
            f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
            f"<type>{kind[0] if kind else 'jar'}</type>{exclusions}</dependency>"
        )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>io.crossload</groupId>'
        f"<artifactId>{room}</artifactId><version>1</version><dependencies>{dependencies}</dependencies></project>"
    )
