"""Another project depends on a handed-over one: on a machine of its own, with and without a mirror of everything."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from crossload.verbs.handoff.handoff import handoff
from tests.verbs.handoff.java.maven import built, counted, maven

pytestmark = pytest.mark.slow
_OURS = ("io/crossload", "com/example")
_CONSUMER = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>org.consumer</groupId><artifactId>consumer</artifactId><version>1</version>
<properties><maven.compiler.release>17</maven.compiler.release><project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>
{repositories}
<dependencies><dependency><groupId>com.example.digits</groupId><artifactId>digits</artifactId><version>1</version></dependency></dependencies>
<build><plugins>
<plugin><artifactId>maven-resources-plugin</artifactId><version>3.3.1</version></plugin>
<plugin><artifactId>maven-compiler-plugin</artifactId><version>3.13.0</version></plugin>
<plugin><groupId>org.codehaus.mojo</groupId><artifactId>exec-maven-plugin</artifactId><version>3.5.0</version>
<configuration><mainClass>org.consumer.Consumer</mainClass></configuration></plugin>
</plugins></build></project>"""
_JAVA = """package org.consumer;

import com.example.digits.DigitsClient;
import io.crossload.Options;
import java.nio.file.Path;

public final class Consumer {
    public static void main(String[] args) {
        Options options = Options.DEFAULTS.withWarmUp(false);
        try (var digits = args.length == 0 ? DigitsClient.openFromJar(options) : DigitsClient.open(Path.of(args[0]), options)) {
            var inputs = new DigitsClient.ServingDefaultInputs(new float[128]);
            System.out.println("rows: " + digits.servingDefault(inputs).probabilities().length / 10);
        }
    }
}
"""


@pytest.fixture(scope="module")
def machine(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the handed-over project, `local`, where it is installed, and `team`, into which it is deployed."""
    folder = tmp_path_factory.mktemp("machine")
    handoff(demo, folder / "project")
    consumer(folder / "consumer")
    built(folder / "project", folder / "local", "install")
    built(folder / "consumer", folder / "local", "compile", "exec:java", f"-Dexec.args={folder / 'project' / 'model'}")
    built(folder / "project", folder / "local", "deploy", "-DskipTests", f"-Ddeploy.url=file://{folder / 'team'}", "-Ddeploy.id=team")
    return folder


def consumer(folder: Path, repositories: str = "") -> Path:
    (folder / "src/main/java/org/consumer").mkdir(parents=True)
    (folder / "pom.xml").write_text(_CONSUMER.format(repositories=repositories), encoding="utf-8")
    (folder / "src/main/java/org/consumer/Consumer.java").write_text(_JAVA, encoding="utf-8")
    return folder


def without_ours(machine: Path, repository: Path) -> Path:
    """A repository with what Maven Central gave the machine, and nothing of crossload or the client."""
    shutil.copytree(machine / "local", repository, copy_function=lambda a, b: Path(b).hardlink_to(a))
    for group in _OURS:
        shutil.rmtree(repository / group)
    return repository


def mirror(machine: Path, folder: Path, *, with_team: bool) -> Path:
    """Settings with a mirror of everything: what Maven Central gave the machine, and perhaps what was deployed."""
    without_ours(machine, folder / "mirror")
    if with_team:
        shutil.copytree(machine / "team", folder / "mirror", dirs_exist_ok=True)
    settings = folder / "settings.xml"
    settings.write_text(
        f"<settings><mirrors><mirror><id>all</id><mirrorOf>*</mirrorOf><url>file://{folder / 'mirror'}</url></mirror></mirrors></settings>",
        encoding="utf-8",
    )
    return settings


def answers(project: Path, repository: Path, machine: Path, settings: Path | None = None) -> bool:
    output = built(project, repository, "compile", "exec:java", f"-Dexec.args={machine / 'project' / 'model'}", settings=settings)
    return "rows: 2" in output


def test_a_first_build_needs_no_repository_that_knows_crossload(machine: Path, tmp_path: Path) -> None:
    settings = mirror(machine, tmp_path, with_team=False)
    output = built(machine / "project", tmp_path / "local", "install", settings=settings)
    assert counted(output) == (9, 0, 0, 0)
    assert answers(consumer(tmp_path / "consumer"), tmp_path / "local", machine, settings)


def test_a_project_that_was_deployed_is_found_through_a_mirror_of_everything(machine: Path, tmp_path: Path) -> None:
    settings = mirror(machine, tmp_path, with_team=True)
    assert answers(consumer(tmp_path / "consumer"), tmp_path / "local", machine, settings)


def test_a_project_that_was_deployed_is_found_in_the_teams_repository(machine: Path, tmp_path: Path) -> None:
    team = f"<repositories><repository><id>team</id><url>file://{machine / 'team'}</url></repository></repositories>"
    assert answers(consumer(tmp_path / "consumer", team), without_ours(machine, tmp_path / "local"), machine)


def test_a_project_that_was_neither_installed_nor_deployed_is_not_found(machine: Path, tmp_path: Path) -> None:
    settings = mirror(machine, tmp_path, with_team=False)
    status, output = maven(consumer(tmp_path / "consumer"), tmp_path / "local", "compile", settings=settings)
    assert (status != 0, "com.example.digits:digits:jar:1" in output) == (True, True), output[-3000:]


def test_a_shaded_jar_holds_the_model_and_leaves_nothing_behind(machine: Path, tmp_path: Path) -> None:
    local = without_ours(machine, tmp_path / "local")
    shutil.copytree(machine / "project", tmp_path / "project")
    built(tmp_path / "project", local, "install", "-Pmodel-in-jar", "-DskipTests")
    shade = "org.apache.maven.plugins:maven-shade-plugin:3.6.0:shade"
    built(consumer(tmp_path / "consumer"), local, "package", shade)
    (tmp_path / "temporary").mkdir()
    jar = tmp_path / "consumer" / "target" / "consumer-1.jar"
    command = ["java", f"-Djava.io.tmpdir={tmp_path / 'temporary'}", "-cp", str(jar), "org.consumer.Consumer"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "rows: 2" in done.stdout, done.stderr[-3000:]
    assert list((tmp_path / "temporary").glob("crossload-*")) == []


def test_a_jar_without_the_model_says_so(machine: Path) -> None:
    status, output = maven(machine / "consumer", machine / "local", "exec:java")
    assert (status != 0, "has no com/example/digits/model/crossload.json" in output) == (True, True), output[-3000:]
