"""crossload's own jars inside a project, as a Maven file repository that needs no network."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from crossload import __version__
from crossload.runtimes.environments import build_harness
from crossload.support import files

GROUP = "io.crossload"
_POM = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>{group}</groupId>
  <artifactId>{artifact}</artifactId>
  <version>{version}</version>
</project>
"""


@dataclass(frozen=True)
class Library:
    """One of our jars as Maven names it."""

    jar: Path
    artifact: str
    version: str


def library(jar: Path) -> Library:
    """The jar, with a version derived from its bytes; raises EnvironmentProblem if it cannot be built.

    Maven caches by version, and would never take a different jar of the same version.
    """
    build_harness(jar)
    return Library(jar, jar.stem, f"{__version__}-{files.sha256(jar)[:8]}")


def install(library: Library, repository: Path) -> None:
    """Write the jar, a pom without dependencies, and the SHA-1 files that Maven requests."""
    folder = repository.joinpath(*GROUP.split("."), library.artifact, library.version)
    folder.mkdir(parents=True)
    stem = folder / f"{library.artifact}-{library.version}"
    jar, pom = Path(f"{stem}.jar"), Path(f"{stem}.pom")
    shutil.copyfile(library.jar, jar)
    pom.write_text(_POM.format(group=GROUP, artifact=library.artifact, version=library.version), encoding="utf-8")
    for file in (jar, pom):
        Path(f"{file}.sha1").write_text(hashlib.sha1(file.read_bytes(), usedforsecurity=False).hexdigest(), encoding="ascii")
