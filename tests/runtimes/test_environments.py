"""Environments: made once, made again if incomplete; a failure is one sentence with the fix."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from crossload.errors import EnvironmentProblem
from crossload.runtimes import environments
from crossload.runtimes.environments import Command, Jar, Script, header_of, missing, prepare


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CROSSLOAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return tmp_path / "cache"


def script(folder: Path, header: str, name: str = "worker.py") -> Path:
    path = folder / name
    path.write_text(header + "import sys\n", encoding="utf-8")
    return path


HEADER = "# /// script\n# requires-python = '>=3.10'\n# dependencies = [{}]\n# ///\n"


def test_a_header_is_read_with_its_blank_lines(tmp_path: Path) -> None:
    path = script(tmp_path, "# A worker.\n# /// script\n# requires-python = '>=3.10'\n#\n# dependencies = ['six']\n# ///\n")
    assert header_of(path) == {"requires-python": ">=3.10", "dependencies": ["six"]}


@pytest.mark.parametrize("text", ["", "# /// script\n# dependencies = []\n", "# /// other\n# a = 1\n# ///\n"])
def test_a_script_with_an_incomplete_header_has_none(tmp_path: Path, text: str) -> None:
    assert header_of(script(tmp_path, text)) == {}


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("# /// script\n# dependencies = [\n# ///\n", "cannot be used"),
        ("# /// script\n# dependencies = 'six'\n# ///\n", "dependencies is not a list"),
        ("# /// script\n# requires-python = 'three'\n# ///\n", "three"),
        (HEADER + "\n" + HEADER, "it occurs twice"),
    ],
)
def test_an_invalid_header_is_one_sentence_that_names_the_script(tmp_path: Path, header: str, says: str) -> None:
    with pytest.raises(EnvironmentProblem, match=says) as caught:
        prepare(Script(script(tmp_path, header.replace("{}", ""))))
    assert "worker.py" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_script_runs_with_what_its_header_names_and_is_made_once(tmp_path: Path) -> None:
    source = Script(script(tmp_path, HEADER.format("'six==1.17.0'")))
    said: list[str] = []
    problem = missing(source)
    assert problem is not None
    assert "not made yet" in problem[0]
    launch = prepare(source, said.append)
    assert subprocess.run([launch.argv[0], "-c", "import six; assert six.__version__ == '1.17.0'"], check=False).returncode == 0
    assert missing(source) is None
    assert prepare(source, said.append) == launch
    assert len(said) == 1


def test_another_dependency_is_another_environment(tmp_path: Path) -> None:
    one = environments.folder_of(Script(script(tmp_path, HEADER.format("'six==1.17.0'"))))
    assert one != environments.folder_of(Script(script(tmp_path, HEADER.format("'six==1.16.0'"))))


def test_an_interrupted_environment_is_made_again(tmp_path: Path) -> None:
    source = Script(script(tmp_path, HEADER.format("")))
    half = environments.folder_of(source)
    (half / "bin").mkdir(parents=True)
    (half / "bin" / "python").write_text("half")
    assert missing(source) is not None
    launch = prepare(source)
    assert subprocess.run([launch.argv[0], "-c", ""], check=False).returncode == 0


def test_an_environment_whose_python_was_deleted_is_made_again(tmp_path: Path) -> None:
    source = Script(script(tmp_path, HEADER.format("")))
    launch = prepare(source)
    Path(launch.argv[0]).unlink()
    Path(launch.argv[0]).symlink_to("/no/such/python")
    assert missing(source) is not None
    prepare(source)
    assert missing(source) is None


@pytest.mark.parametrize(
    ("dependency", "says"), [("six==99", "six==99"), ("six ===", "six ==="), ("six @ file:///no/such/file.whl", "no/such/file.whl")]
)
def test_a_package_that_cannot_be_installed_is_one_sentence_that_names_it(tmp_path: Path, dependency: str, says: str) -> None:
    source = Script(script(tmp_path, HEADER.format(f"'{dependency}'")))
    with pytest.raises(EnvironmentProblem) as caught:
        prepare(source)
    assert says in str(caught.value)
    assert "the environment of worker cannot be made" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert missing(source) is not None


def test_a_python_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"Python >=3\.99 for worker cannot be made: .*uv venv"):
        prepare(Script(script(tmp_path, "# /// script\n# requires-python = '>=3.99'\n# ///\n")))


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path: Path, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(EnvironmentProblem, match=r"cannot be written: .*CROSSLOAD_CACHE"):
        prepare(Script(script(tmp_path, HEADER.format(""))))


def test_a_nonexistent_script_is_missing(tmp_path: Path) -> None:
    source = Script(tmp_path / "gone.py")
    assert "gone.py does not exist" in str(missing(source))
    with pytest.raises(EnvironmentProblem, match=r"gone\.py does not exist"):
        prepare(source)


def test_a_relative_command_is_relative_to_its_configurations_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(tmp_path / "worker", "exit 0")
    monkeypatch.chdir("/")
    assert missing(Command(("./worker",), cwd=tmp_path)) is None
    assert prepare(Command(("./worker",), {"A": "1"}, tmp_path)).cwd == tmp_path
    for gone in (Command(("./gone",), cwd=tmp_path), Command(("no-such-command",))):
        with pytest.raises(EnvironmentProblem, match="does not exist; install it"):
            prepare(gone)


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


JAVA_17 = """echo 'Picked up JAVA_TOOL_OPTIONS: -Dx=y' >&2; echo 'openjdk version "17.0.9" 2023-10-17' >&2"""
# Maven as far as an environment needs it: it writes the class path where it is told to, and counts its calls.
MAVEN = """echo called >> {log}
for word in "$@"; do case "$word" in -Dmdep.outputFile=*) printf %s "{jar}" > "${{word#*=}}";; esac; done"""


def archive(path: Path, *names: str) -> Path:
    """A whole jar with files of these names, each holding its name."""
    with zipfile.ZipFile(path, "w") as made:
        for name in names:
            made.writestr(name, name)
    return path


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of the test's own executables."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def harness(tmp_path: Path) -> Jar:
    archive(tmp_path / "harness.jar")
    return Jar(tmp_path / "harness.jar", "io.crossload.Main", ("group:artifact:1.0", "group:native:1.0:linux-x86_64"))


def refused(source: Jar) -> str:
    problem = missing(source)
    with pytest.raises(EnvironmentProblem) as caught:
        prepare(source)
    assert problem is not None
    assert str(caught.value) == "; ".join(problem)
    return str(caught.value)


def test_a_harness_that_is_missing_says_how_to_get_it(tmp_path: Path) -> None:
    assert (
        refused(Jar(tmp_path / "gone.jar", "Main", ()))
        == "the harness gone.jar is missing; install crossload again, or in a checkout: make java"
    )


def test_without_java_the_sentence_says_what_to_install(path: Path, harness: Jar, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(harness).startswith("Java is not installed; install a JDK 17 or newer")
    monkeypatch.setenv("JAVA_HOME", "/no/jdk")
    assert refused(harness).startswith("JAVA_HOME is not a JDK: /no/jdk/bin/java does not exist; install a JDK 17 or newer")


@pytest.mark.parametrize(
    ("version", "says"),
    [("11.0.2", "is Java 11, which is too old"), ("1.8.0_392", "is Java 8, which is too old")],
)
def test_an_old_java_is_named(path: Path, harness: Jar, version: str, says: str) -> None:
    executable(path / "java", f"""echo 'openjdk version "{version}"' >&2""")
    assert refused(harness).startswith(f"{path / 'java'} {says}; install a JDK 17 or newer")


def test_a_java_that_does_not_run_is_reported_with_its_own_message(path: Path, harness: Jar) -> None:
    executable(path / "java", "echo 'Error: could not find libjava.so' >&2; exit 6")
    assert refused(harness).startswith(f"{path / 'java'} does not run (Error: could not find libjava.so); install a JDK 17")
    executable(path / "java", "exit 6")
    assert "does not run (exit status 6); install a JDK 17" in refused(harness)


def test_a_damaged_harness_is_named_with_the_command_that_builds_it(path: Path, harness: Jar) -> None:
    executable(path / "java", JAVA_17)
    truncate(harness.jar)
    assert (
        refused(harness) == f"the harness {harness.jar} is damaged: it is not a complete zip file; delete it and build it again: make java"
    )


def test_a_jar_that_was_damaged_since_it_was_fetched_is_named_with_what_to_delete(path: Path, harness: Jar, tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    jar = archive(tmp_path / "repository" / "native.jar")
    executable(path / "java", JAVA_17)
    executable(path / "mvn", MAVEN.format(jar=jar, log=tmp_path / "log"))
    prepare(harness)
    truncate(jar)
    damaged = (
        f"the jar {jar} is damaged: it is not a complete zip file; delete its folder, {jar.parent}, then try again: Maven fetches it again"
    )
    assert refused(harness) == damaged
    jar.unlink()
    archive(jar)
    assert missing(harness) is None


def test_java_home_wins_over_the_path(path: Path, harness: Jar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(path / "java", JAVA_17)
    (tmp_path / "jdk" / "bin").mkdir(parents=True)
    executable(tmp_path / "jdk" / "bin" / "java", """echo 'openjdk version "11"' >&2""")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert "jdk/bin/java is Java 11, which is too old" in refused(harness)


def test_without_maven_the_sentence_says_what_to_install(path: Path, harness: Jar) -> None:
    executable(path / "java", JAVA_17)
    assert refused(harness).startswith("Maven is not installed; install Maven")


def test_jars_are_fetched_once_and_again_after_they_were_deleted(path: Path, harness: Jar, tmp_path: Path) -> None:
    jar, log = tmp_path / "repository.jar", tmp_path / "log"
    archive(jar)
    executable(path / "java", JAVA_17)
    executable(path / "mvn", MAVEN.format(jar=jar, log=log))
    assert "not fetched yet" in str(missing(harness))
    launch = prepare(harness)
    assert launch.argv[0] == str(path / "java")
    assert launch.argv[-3:] == ("-cp", os.pathsep.join((str(harness.jar), str(jar))), "io.crossload.Main")
    assert missing(harness) is None
    prepare(harness)
    assert log.read_text() == "called\n"
    jar.unlink()
    assert "not fetched yet" in str(missing(harness))
    archive(jar)
    (environments.folder_of(harness) / "ready").unlink()
    prepare(harness)
    assert log.read_text() == "called\n" * 2


def test_maven_fetches_what_the_runtime_names(path: Path, harness: Jar, tmp_path: Path) -> None:
    executable(path / "java", JAVA_17)
    executable(path / "mvn", MAVEN.format(jar=harness.jar, log=tmp_path / "log"))
    prepare(harness)
    pom = (environments.folder_of(harness) / "pom.xml").read_text()
    assert "<groupId>group</groupId><artifactId>native</artifactId><version>1.0</version><classifier>linux-x86_64</classifier>" in pom


def test_libraries_that_a_release_unpacks_at_every_start_are_unpacked_once(path: Path, harness: Jar, tmp_path: Path) -> None:
    names = ("native/linux/libone.so", "native/linux/libtwo.so.1", "native/darwin/libone.dylib", "native/linux/docs/readme")
    archive(tmp_path / "natives.jar", *names)
    executable(path / "java", JAVA_17)
    executable(path / "mvn", MAVEN.format(jar=tmp_path / "natives.jar", log=tmp_path / "log"))
    launch = prepare(replace(harness, libraries="native/linux"))
    folder = next(Path(a.removeprefix("-Djava.library.path=")) for a in launch.argv if a.startswith("-Djava.library.path="))
    assert {p.name: p.read_text() for p in folder.iterdir()} == {
        "libone.so": "native/linux/libone.so",
        "libtwo.so.1": "native/linux/libtwo.so.1",
    }
    says = r"group:artifact:1\.0 has no natives for this platform, linux-arm64; it has them for linux, darwin; use another release"
    with pytest.raises(EnvironmentProblem, match=says):
        prepare(replace(harness, libraries="native/linux-arm64", platforms=("linux", "darwin")))


def test_a_failed_fetch_by_maven_is_one_sentence(path: Path, harness: Jar) -> None:
    executable(path / "java", JAVA_17)
    executable(path / "mvn", "echo '[INFO] Scanning'; echo '[ERROR] A reason of its own -> [Help 1]'; echo '[ERROR] Help'; exit 1")
    says = r"the jars of harness cannot be fetched: A reason of its own; fix what Maven names, then try again$"
    with pytest.raises(EnvironmentProblem, match=says):
        prepare(harness)
    assert "not fetched yet" in str(missing(harness))


def test_two_processes_that_prepare_the_same_environment_make_it_once(path: Path, harness: Jar, tmp_path: Path) -> None:
    executable(path / "java", JAVA_17)
    executable(path / "mvn", "/bin/sleep 0.5\n" + MAVEN.format(jar=harness.jar, log=tmp_path / "log"))
    code = (
        "from pathlib import Path; from crossload.runtimes.environments import Jar, prepare;"
        f"prepare(Jar(Path({str(harness.jar)!r}), {harness.main!r}, {harness.coordinates!r}))"
    )
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [p.wait() for p in both] == [0, 0]
    assert (tmp_path / "log").read_text() == "called\n"


_AT_ONCE = """
import threading, time, uv
from crossload.runtimes import environments

inside, clashes, start = threading.Lock(), [], threading.Barrier(8)

def find_uv_bin():
    if not inside.acquire(blocking=False):
        clashes.append("two at once")
        return "uv"
    for _ in range(100):
        time.sleep(0)  # the other threads run
    inside.release()
    return "uv"

def ask():
    start.wait()
    environments.uv_program()

uv.find_uv_bin = find_uv_bin
threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(clashes))
"""


def test_one_thread_alone_looks_for_uv_when_many_environments_are_made_at_once() -> None:
    assert subprocess.run([sys.executable, "-c", _AT_ONCE], capture_output=True, text=True, check=True).stdout == "0\n"
