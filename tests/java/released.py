"""A release of java/, built in a copy of it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests import ROOT

GROUP = Path("io/crossload")
PUBLISHED = ("tensorflow-java", "tensorflow-java-0.x", "tensorflow-java-legacy", "tflite-java", "junit")
# Maven Central stays where it is; the user's own settings.xml, with mirrors, still counts.
_SETTINGS = """<settings>
  <profiles>
    <profile>
      <id>released</id>
      <repositories><repository><id>released</id><url>{}</url></repository></repositories>
    </profile>
  </profiles>
  <activeProfiles><activeProfile>released</activeProfile></activeProfiles>
</settings>
"""


@dataclass(frozen=True)
class Release:
    """A copy of the sources, in which a release was built."""

    folder: Path
    version: str

    @property
    def repository(self) -> Path:
        """The released files, as a Maven repository."""
        return self.folder / "java/target/release-repository"

    def file(self, artifact: str, suffix: str = ".jar") -> Path:
        """One released file: `tensorflow-java` and `-sources.jar`."""
        name = f"crossload-{artifact}"
        return self.repository / GROUP / name / self.version / f"{name}-{self.version}{suffix}"

    def files(self) -> list[Path]:
        """All jars and POMs, relative to the repository."""
        return sorted(p.relative_to(self.repository) for p in self.repository.rglob("*") if p.suffix in (".jar", ".pom"))

    def settings(self) -> Path:
        """Settings with which Maven finds the released files."""
        file = self.folder / "settings.xml"
        file.write_text(_SETTINGS.format(self.repository.as_uri()), encoding="utf-8")
        return file


def copy(folder: Path, *, version: str) -> Release:
    """What Git has of java/, and what its modules read outside it: a build there changes no jar of the checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "java", "bindings/contract", "LICENSE", "NOTICE"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return Release(folder, version)
