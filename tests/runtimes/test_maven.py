"""Maven's failures, each caused in the real Maven: one sentence with the cause and the fix."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from crossload.runtimes import maven

pytestmark = pytest.mark.slow
# What every machine that ran the Java runtimes has in its repository.
SMALL = ("org.bytedeco:javacpp:1.5.11",)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings.xml of a user whose repository is empty."""
    file = tmp_path / "home" / ".m2" / "settings.xml"
    file.parent.mkdir(parents=True)
    monkeypatch.setenv("MAVEN_OPTS", f"-Duser.home={tmp_path / 'home'}")
    return file


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of the test's own with what `fetch` needs for SMALL, which no other process uses."""
    assert maven.fetch(SMALL, tmp_path / "first") is None
    users = maven.jars(tmp_path / "first")[0].parents[4]  # org/bytedeco/javacpp/1.5.11/javacpp-1.5.11.jar
    own = tmp_path / "repository"
    shutil.copytree(users, own, ignore=shutil.ignore_patterns("tensorflow*", "libtensorflow*", "*-linux-*.jar"))
    monkeypatch.setenv("MAVEN_OPTS", f"-Dmaven.repo.local={own}")
    return own


def problem(folder: Path, *coordinates: str, platforms: tuple[str, ...] = ()) -> tuple[str, str]:
    found = maven.fetch(coordinates or SMALL, folder, platforms)
    assert found is not None
    assert "\n" not in "".join(found)
    assert "\x1b" not in "".join(found)
    return found


def test_maven_offline_by_its_settings_is_reported_as_offline(settings: Path, tmp_path: Path) -> None:
    settings.write_text("<settings><offline>true</offline></settings>")
    why, mend = problem(tmp_path / "made")
    assert why.startswith("Maven works offline (-o, or its settings.xml), and org.apache.maven.plugins:maven-dependency-plugin:")
    assert mend == "let Maven reach the network once, then try again"


def test_a_mirror_that_does_not_answer_is_named_with_the_reason(settings: Path, tmp_path: Path) -> None:
    url = "http://127.0.0.1:9/maven"
    settings.write_text(f"<settings><mirrors><mirror><id>none</id><mirrorOf>*</mirrorOf><url>{url}</url></mirror></mirrors></settings>")
    why, mend = problem(tmp_path / "made")
    assert why.startswith(f"Maven cannot reach {url}: ")
    assert why.endswith("Connection refused")
    assert "settings.xml" in mend


def test_settings_that_cannot_be_read_are_named(settings: Path, tmp_path: Path) -> None:
    settings.write_text("<settings><offline>")
    assert f"settings {settings}" in problem(tmp_path / "made")[0]


def test_a_damaged_jar_in_the_repository_is_named_with_what_to_delete(repository: Path, tmp_path: Path) -> None:
    jar = repository / "org/bytedeco/javacpp/1.5.11/javacpp-1.5.11.jar"
    whole = jar.read_bytes()
    jar.write_bytes(whole[: len(whole) // 2])
    why, mend = problem(tmp_path / "made")
    assert why == f"the jar {jar} is damaged: it is not a complete zip file"
    assert mend == f"delete its folder, {jar.parent}, then try again: Maven fetches it again"
    jar.write_bytes(whole)
    assert maven.fetch(SMALL, tmp_path / "made") is None
    assert jar in maven.jars(tmp_path / "made")


def test_a_damaged_plugin_of_maven_is_named_too(repository: Path, tmp_path: Path) -> None:
    jar = next(repository.glob("org/apache/maven/plugins/maven-dependency-plugin/3.8.1/*.jar"))
    jar.write_bytes(jar.read_bytes()[:1000])
    assert problem(tmp_path / "made")[0] == f"the jar {jar} is damaged: it is not a complete zip file"


def test_a_platform_without_natives_is_named_with_the_available_ones(tmp_path: Path) -> None:
    why, mend = problem(tmp_path / "made", "org.bytedeco:javacpp:1.5.11:linux-pdp11", platforms=("linux-arm64", "linux-x86_64"))
    assert why == "org.bytedeco:javacpp:1.5.11 has no natives for this platform, linux-pdp11; it has them for linux-arm64, linux-x86_64"
    assert mend.startswith("use another release or runtime here")


def test_a_version_that_does_not_exist_is_named_with_where_it_was_looked_for(tmp_path: Path) -> None:
    for _ in range(2):  # the second time Maven remembers the first
        why, _ = problem(tmp_path / "made", "org.bytedeco:javacpp:0.0.0")
        assert why.startswith("org.bytedeco:javacpp:jar:0.0.0 is not at http")
