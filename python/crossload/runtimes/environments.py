"""Environments of runtimes: made on first use by uv or Maven, cached by content, used by one worker's process.

A Script's environment is pinned by the requirements file beside it (`pins/<name>.txt`, with hashes), or by its PEP 723 header.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from crossload.errors import EnvironmentProblem
from crossload.runtimes import class_archive, maven
from crossload.runtimes.process import Launch
from crossload.support.cache import cache_folder, locked
from crossload.support.once import once

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Script:
    """A Python file with a PEP 723 header; uv makes its environment.

    A script that runs Java in its own process finds the class path of `embeds` in $CROSSLOAD_JPYPE_CLASS_PATH. It imports the
    Python packages of the folder `packages`, besides those in its own folder. `arguments` are the worker's own: scripts that differ in
    nothing else share an environment.
    """

    path: Path
    embeds: Jar | None = None
    packages: Path | None = None
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Jar:
    """A Java worker: its jar, its main class, and the Maven coordinates (`group:artifact:version[:classifier]`) it runs on.

    `libraries` is the folder of native libraries inside those jars: they are unpacked once, into the environment. Otherwise the legacy
    release unpacks them at every start, and a killed worker leaves them behind; JavaCPP unpacks them into the user's home.
    `platforms` are the platforms of its native libraries, if known. `arguments` are the worker's own.
    """

    jar: Path
    main: str
    coordinates: tuple[str, ...]
    libraries: str = ""
    platforms: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Command:
    """Any command that speaks the worker protocol; it brings its own environment."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    cwd: Path | None = None


Wall = Literal["docker", "bubblewrap"]


@dataclass(frozen=True)
class Confined:
    """The worker of the runtime `title` behind a wall: in a container of its image, or in namespaces of this kernel."""

    source: Script | Jar | Command
    wall: Wall
    title: str


Source = Script | Jar | Command | Confined

JAVA_OPTIONS = (
    "-Xrs",  # leave the signals to the supervisor
    "-XX:-UsePerfData",  # no shared file in the temporary folder, a source of failed starts
    "-XX:+UseSerialGC",  # one thread asks, one answers: no need for collector threads
    "-Xshare:auto",
    "-Xlog:disable",  # standard output belongs to the protocol
    "-Xlog:all=error:stderr",
    "-XX:TieredStopAtLevel=1",  # the second compiler would take a core from TensorFlow while a worker is young, and most die young
    "-XX:ErrorFile=/dev/null",  # a crash is reported; it leaves no hs_err_pid*.log in the user's folder
    "-Dfile.encoding=UTF-8",
)
MINIMUM_JAVA = 17
# Increased when environments are made differently, so that older ones are remade: 2 is with compiled bytecode.
_LAYOUT = b"2\n"


def missing(source: Source) -> tuple[str, str] | None:
    """What keeps a runtime from starting now, and how to fix it; None if it is ready. Starts no worker."""
    if isinstance(source, Confined):
        from crossload.runtimes import walls

        return walls.missing(source)
    if problem := _obstacle(source):
        return problem
    if isinstance(source, Script) and not _ready(folder_of(source)):
        return "its environment is not made yet", "crossload runtimes --prepare makes it, and so does the first use"
    if isinstance(source, Script) and source.embeds:
        return missing(source.embeds)
    if isinstance(source, Jar) and not source.jar.is_file():
        return "the Java harness is not built yet", "make java builds it, and so does the first use"
    if isinstance(source, Jar) and not _ready(folder_of(source)):
        return "its jars are not fetched yet", "crossload runtimes --prepare fetches them, and so does the first use"
    return None


def prepare(source: Source, progress: Progress = lambda _: None) -> Launch:
    """Make the environment unless it exists; returns how the worker starts.

    Raises EnvironmentProblem. Two processes that prepare the same environment wait for each other; one that is
    interrupted leaves nothing that counts as ready.
    """
    if isinstance(source, Confined):
        from crossload.runtimes import walls

        return walls.confined(source, progress)
    if problem := _obstacle(source):
        raise EnvironmentProblem("; ".join(problem))
    if isinstance(source, Command):
        return Launch(source.argv, source.environment, source.cwd)
    folder = folder_of(source)
    try:
        if isinstance(source, Jar):
            build_harness(source.jar, progress)
        _make_ready(source, folder, progress)
    except OSError as error:
        raise EnvironmentProblem(
            f"{folder} cannot be written: {error.strerror}; free some space, or point CROSSLOAD_CACHE elsewhere"
        ) from error
    if isinstance(source, Script):
        embedded = {"CROSSLOAD_JPYPE_CLASS_PATH": class_path(source.embeds, progress)} if source.embeds else {}
        return Launch(
            (str(python_of(folder)), "-u", str(source.path), *source.arguments),
            {"PYTHONPATH": str(source.packages or ""), "PYTHONNOUSERSITE": "1", **embedded},
        )
    command = (java(), *JAVA_OPTIONS, *library_path(source), "-cp", _class_path(source), source.main, *source.arguments)
    return Launch((*command[:1], *class_archive.options(command, source.jar, folder, progress), *command[1:]))


def class_path(source: Jar, progress: Progress = lambda _: None) -> str:
    """A Java worker's jar and the jars it runs on, fetched if necessary; raises EnvironmentProblem."""
    prepare(source, progress)
    return os.pathsep.join(map(str, (source.jar, *maven.jars(folder_of(source)))))


def _class_path(source: Jar) -> str:
    """A worker's class path: without the jar of this platform's natives, which are unpacked."""
    platform = source.libraries.rpartition("/")[2]
    jars = (str(jar) for jar in maven.jars(folder_of(source)) if not (platform and jar.stem.endswith(f"-{platform}")))
    return os.pathsep.join((str(source.jar), *jars))


def library_path(source: Jar) -> tuple[str, ...]:
    """The JVM's option for the unpacked natives, if there are any."""
    return (f"-Djava.library.path={folder_of(source) / 'libraries'}",) if source.libraries else ()


def python_of(folder: Path) -> Path:
    """The interpreter of an environment's folder."""
    return folder / "bin" / "python"


def java() -> str:
    """The JVM that workers run on: $JAVA_HOME's, or the one on the path."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin", "java")) if home else shutil.which("java") or "java"


def pins_of(script: Path) -> Path:
    """The requirements file with hashes beside a worker, made from its header."""
    return script.parent / "pins" / f"{script.stem}.txt"


def header_of(script: Path) -> dict[str, object]:
    """The PEP 723 header of a script, {} if it has none; raises EnvironmentProblem for an invalid one."""
    from packaging.specifiers import SpecifierSet

    from crossload.support import toml

    try:
        found = list(re.finditer(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$", script.read_text(encoding="utf-8")))
        if not found:
            return {}
        if len(found) > 1:
            raise ValueError("it occurs twice")
        lines = found[0]["content"].splitlines(keepends=True)
        header = dict(toml.loads("".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)))
        dependencies = header.get("dependencies", [])
        if not isinstance(dependencies, list) or not all(isinstance(d, str) for d in dependencies):
            raise ValueError("dependencies is not a list of strings")
        SpecifierSet(str(header.get("requires-python", "")))
    except ValueError as error:  # not UTF-8, TOML or a version specifier
        raise EnvironmentProblem(f"the script header (PEP 723) of {script} cannot be used: {error}; fix it") from error
    return header


def _obstacle(source: Source) -> tuple[str, str] | None:
    """A problem that `prepare` cannot fix itself, and how to fix it."""
    match source:
        case Command(argv, _, cwd):
            # A relative path is relative to the folder where the worker will run.
            if shutil.which(str((cwd or Path()) / argv[0]) if os.sep in argv[0] else argv[0]) is None:
                return f"the command {argv[0]!r} does not exist", "install it, or fix the runtime's entry in the configuration"
        case Script(path, embeds):
            if not path.is_file():
                return f"the worker {path} does not exist", "fix the runtime's entry in the configuration"
            if embeds:
                return _obstacle(embeds)
        case Jar(jar):
            if not jar.is_file() and not _harness_source(jar).is_file():
                return f"the harness {jar.name} is missing", "install crossload again, or in a checkout: make java"
            if jar.is_file() and maven.damage([jar]):
                return f"the harness {jar} is damaged: it is not a complete zip file", "delete it and build it again: make java"
            if problem := java_problem():
                return problem
            if jar.is_file() and _ready(folder_of(source)):
                return maven.damage(maven.jars(folder_of(source)))
            if shutil.which("mvn") is None:
                return "Maven is not installed", "install Maven 3.6 or newer (Debian: apt-get install maven)"
    return None


def build_harness(jar: Path, progress: Progress = lambda _: None) -> None:
    """Build crossload's own jars with Maven, unless this one exists; raises EnvironmentProblem if that fails."""
    if jar.is_file():
        return
    problem = _obstacle(Jar(jar, "", ()))
    if problem:
        raise EnvironmentProblem("; ".join(problem))
    with locked(cache_folder() / "harness.lock"):
        if jar.is_file():  # another process built it meanwhile
            return
        progress("building the Java harness (once, about a minute)")
        command = ["mvn", "-q", "-B", "-ntp", "-f", str(_harness_source(jar)), "-DskipTests", "package"]
        run_tool(command, "the Java harness", "; `make java` shows Maven's whole output")


def _harness_source(jar: Path) -> Path:
    """The Maven project in a checkout that builds the jars of python/crossload/workers/java/; a wheel carries the jars alone."""
    return jar.parents[4] / "java" / "pom.xml" if len(jar.parents) > 4 else jar / "none"


def _make_ready(source: Script | Jar, folder: Path, progress: Progress) -> None:
    if _ready(folder):
        return
    with locked(Path(f"{folder}.lock")):
        if _ready(folder):  # another process made it meanwhile
            return
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(source, Script):
            _make_script(source, folder, progress)
        else:
            _make_class_path(source, folder, progress)
        (folder / "ready").touch()


def folders(source: Source) -> list[Path]:
    """The folders of the cache that a runtime uses."""
    if isinstance(source, Confined):
        return folders(source.source) if source.wall == "bubblewrap" else []
    if isinstance(source, Command):
        return []
    embedded = [folder_of(source.embeds)] if isinstance(source, Script) and source.embeds else []
    return [folder_of(source), *embedded]


def folder_of(source: Script | Jar) -> Path:
    """The environment's folder, named after the runtime and what the environment holds: another release or pin is another folder."""
    if isinstance(source, Script):
        pins = pins_of(source.path)
        held = pins.read_bytes() if pins.is_file() else repr(sorted(header_of(source.path).items(), key=str)).encode()
        stem = source.path.stem
    else:
        held, stem = " ".join((*source.coordinates, *filter(None, [source.libraries]))).encode(), source.jar.stem
    return cache_folder() / "environments" / f"{stem}-{hashlib.sha256(_LAYOUT + held).hexdigest()[:12]}"


def _ready(folder: Path) -> bool:
    if not (folder / "ready").is_file():
        return False
    class_path = folder / "class-path"
    # Maven's repository and the Python that uv linked to belong to the user, who may have deleted them since.
    held = class_path.read_text().split(os.pathsep) if class_path.is_file() else [str(python_of(folder))]
    return all(Path(p).is_file() for p in held)


@once
def uv_program() -> str:
    """The program uv, which crossload's own environment holds. Threads that ask Python's `sysconfig` at the same time for the first time
    may get half of its answers (Python 3.11), and a run prepares many environments at once."""
    import uv

    return os.fspath(uv.find_uv_bin())


def _make_script(source: Script, folder: Path, progress: Progress) -> None:
    header = header_of(source.path)
    wanted = str(header.get("requires-python", ">=3.10"))
    progress(f"making the environment of {source.path.stem} (Python {wanted}, once)")
    tool = uv_program()
    mend = f"; `uv venv --python '{wanted}'` shows how to get that Python"
    run_tool(
        [tool, "venv", "--quiet", "--no-project", "--python", _interpreter(wanted), str(folder)],
        f"Python {wanted} for {source.path.stem}",
        mend,
    )
    pins = pins_of(source.path)
    if pins.is_file():
        what = ["--no-deps", "--require-hashes", "-r", str(pins)]  # they are complete, and may leave out what a worker does not need
    else:
        dependencies = header.get("dependencies", [])
        what = dependencies if isinstance(dependencies, list) else []
    if what:
        mend = "; is the package index reachable? Try again, or set UV_INDEX_URL to a mirror"
        command = [tool, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python_of(folder)), *what]
        run_tool(command, f"the environment of {source.path.stem}", mend)


def _interpreter(wanted: str) -> str:
    """This Python if it fits, so that uv need not find or fetch one; else the version for uv to find."""
    from packaging.specifiers import SpecifierSet

    this = ".".join(map(str, sys.version_info[:3]))
    return sys.executable if this in SpecifierSet(wanted) else wanted


def _make_class_path(source: Jar, folder: Path, progress: Progress) -> None:
    progress(f"fetching the jars of {source.jar.stem}: {', '.join(source.coordinates)} (once)")
    if problem := maven.fetch(source.coordinates, folder, source.platforms):
        raise EnvironmentProblem(f"the jars of {source.jar.stem} cannot be fetched: {'; '.join(problem)}")
    if source.libraries:
        _unpack(source, folder)


def _unpack(source: Jar, folder: Path) -> None:
    """The native libraries of the jars' own folder for this platform, side by side."""
    import zipfile

    (folder / "libraries").mkdir()
    for jar in maven.jars(folder):
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist():
                parent, _, file = name.rpartition("/")
                if parent == source.libraries and file:
                    with archive.open(name) as packed, (folder / "libraries" / file).open("wb") as unpacked:
                        shutil.copyfileobj(packed, unpacked)
    if not any((folder / "libraries").iterdir()):
        platform = source.libraries.rpartition("/")[2]
        there = f"; it has them for {', '.join(source.platforms)}" if source.platforms else ""
        raise EnvironmentProblem(
            f"{source.coordinates[0]} has no natives for this platform, {platform}{there}; "
            "use another release or runtime here, or another machine"
        )


def run_tool(command: list[str], what: str, mend: str) -> None:
    """Run a command that makes `what`; raises EnvironmentProblem with the command's own reason, followed by `mend`."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        first = next((at for at, line in enumerate(lines) if "error" in line.lower()), len(lines) - 1)
        told = lines[first : first + 1] + [line for line in lines[first + 1 :] if line.startswith("cause:")]  # uv's own reason
        cause = ": ".join(re.sub(r"^(error|cause):\s*", "", line) for line in told) or f"exit status {done.returncode}"
        raise EnvironmentProblem(f"{what} cannot be made: {cause[:400]}{mend}")


def java_problem() -> tuple[str, str] | None:
    """What keeps Java workers from starting, and how to fix it; None if there is a suitable JDK."""
    if (stated := _stated_java()) is not None and stated >= MINIMUM_JAVA:
        return None
    mend = f"install a JDK {MINIMUM_JAVA} or newer (Debian: apt-get install openjdk-17-jdk-headless), or point JAVA_HOME at one"
    try:
        done = subprocess.run([java(), "-version"], capture_output=True, text=True, errors="replace", check=False)
    except OSError:
        return f"JAVA_HOME is not a JDK: {java()} does not exist" if os.environ.get("JAVA_HOME") else "Java is not installed", mend
    found = re.search(r'version "(\d+)(?:\.(\d+))?', done.stderr)
    if not found:
        said = next((line.strip() for line in done.stderr.splitlines() if line.strip()), f"exit status {done.returncode}")
        return f"{java()} does not run ({said[:200]})", mend
    major = int(found[2] if found[1] == "1" and found[2] else found[1])
    return (f"{java()} is Java {major}, which is too old", mend) if major < MINIMUM_JAVA else None


def _stated_java() -> int | None:
    """The major version in the file `release` of the JVM's home (JEP 223), which starts no JVM; None if it does not say."""
    executable = Path(shutil.which(java()) or java()).resolve()
    try:
        found = re.search(r'^JAVA_VERSION="(\d+)', (executable.parents[1] / "release").read_text(encoding="utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError, IndexError):
        return None
    return int(found[1]) if found and os.access(executable, os.X_OK) else None
