"""crossload's own jars inside a project, each beside the pom that the project's build installs it with."""

from __future__ import annotations

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


def write(library: Library, folder: Path) -> None:
    """Write the jar and a pom without dependencies: the one inside the jar names a parent that no repository has."""
    folder.mkdir(exist_ok=True)
    stem = folder / f"{library.artifact}-{library.version}"
    shutil.copyfile(library.jar, f"{stem}.jar")
    pom = _POM.format(group=GROUP, artifact=library.artifact, version=library.version)
    files.write_text(Path(f"{stem}.pom"), pom)
