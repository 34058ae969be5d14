"""Maven, as far as runtimes need it: fetches the jars of coordinates; a failure becomes a cause and a fix."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

# What went wrong, how to fix it.
Problem = tuple[str, str]

_COORDINATE = ("groupId", "artifactId", "version", "classifier")
_DEPENDENCY_PLUGIN = "3.8.1"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SEVERITY = re.compile(r"^\[(?:ERROR|FATAL)\]\s*")
_HELP = re.compile(r"\s*-> \[Help \d+\]$")
# In order of precedence: Maven also reports damaged and offline jars as "could not be resolved".
_DAMAGED = re.compile(r"(/[^()\n]*?\.jar)\)?: (?:zip |error in opening zip|invalid |Invalid )")
_OFFLINE = re.compile(r"in offline mode and the artifact (\S+) has not been downloaded")
_UNREACHABLE = re.compile(r"Could not transfer (?:artifact|metadata) \S+ from/to \S+ \((\S+?)\): (?:transfer failed for \S+: )?([^\n]+)")
_ABSENT = re.compile(
    r"(?:Could not find artifact (?P<artifact>\S+) in \S+ \((?P<url>\S+?)\)|(?P<cached>\S+) was not found in (?P<at>\S+) during)"
)
_AGAIN = "then try again"


def fetch(coordinates: Iterable[str], folder: Path, platforms: Iterable[str] = ()) -> Problem | None:
    """Let Maven fetch `group:artifact:version[:classifier]` and their dependencies; the class path goes into the file `class-path`.

    The jars stay in Maven's own repository. `platforms` are the existing classifiers, for an error about natives that this one lacks.
    """
    from xml.sax.saxutils import escape

    folder.mkdir(parents=True, exist_ok=True)
    dependencies = "".join(
        "<dependency>"
        + "".join(f"<{tag}>{escape(value)}</{tag}>" for tag, value in zip(_COORDINATE, c.split(":"), strict=False))
        + "</dependency>"
        for c in coordinates
    )
    (folder / "pom.xml").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>io.crossload</groupId>'
        f"<artifactId>class-path</artifactId><version>1</version><dependencies>{dependencies}</dependencies></project>",
        encoding="utf-8",
    )
    goal = f"org.apache.maven.plugins:maven-dependency-plugin:{_DEPENDENCY_PLUGIN}:build-classpath"
    # -U: Maven remembers missing artifacts, and would not look again after the network or a mirror was fixed.
    command = ["mvn", "-q", "-B", "-U", "-f", str(folder / "pom.xml"), goal, f"-Dmdep.outputFile={folder / 'class-path'}"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        return _explained(_COLOUR.sub("", done.stdout + done.stderr), done.returncode, tuple(platforms))
    return damage(jars(folder))


def jars(folder: Path) -> list[Path]:
    """The jars of a class path that `fetch` wrote."""
    return [Path(jar) for jar in (folder / "class-path").read_text().split(os.pathsep)]


def damage(files: Iterable[Path]) -> Problem | None:
    """The first incomplete jar, left by an interrupted download or a full disk."""
    import zipfile

    broken = next((f for f in files if f.is_file() and not zipfile.is_zipfile(f)), None)
    return None if broken is None else _damaged(broken)


def _damaged(jar: Path) -> Problem:
    return f"the jar {jar} is damaged: it is not a complete zip file", f"delete its folder, {jar.parent}, {_AGAIN}: Maven fetches it again"


def _explained(output: str, status: int, platforms: tuple[str, ...]) -> Problem:
    """The cause in Maven's output, and how to fix it."""
    if found := _DAMAGED.search(output):
        return _damaged(Path(found[1]))
    if found := _OFFLINE.search(output):
        return (
            f"Maven works offline (-o, or its settings.xml), and {found[1]} is not in its local repository",
            f"let Maven reach the network once, {_AGAIN}",
        )
    if found := _UNREACHABLE.search(output):
        reason = _HELP.sub("", found[2])
        return f"Maven cannot reach {found[1]}: {reason}", f"check the network, or name a mirror or proxy in ~/.m2/settings.xml, {_AGAIN}"
    if found := _ABSENT.search(output):
        return _absent(found["artifact"] or found["cached"], found["url"] or found["at"], platforms)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line for mark in ("[FATAL]", "[ERROR]", "") for line in lines if line.startswith(mark)]
    cause = _HELP.sub("", _SEVERITY.sub("", told[0])) if told else f"Maven ended with exit status {status}"
    return cause[:400], "fix what Maven names, then try again"


def _absent(artifact: str, url: str, platforms: tuple[str, ...]) -> Problem:
    group, name, _, *classified = artifact.split(":")
    if len(classified) == 2 and platforms:
        platform, version = classified
        return (
            f"{group}:{name}:{version} has no natives for this platform, {platform}; it has them for {', '.join(platforms)}",
            "use another release or runtime here, or another machine",
        )
    return f"{artifact} is not at {url}", "fix the version, or the repository's address in ~/.m2/settings.xml"
