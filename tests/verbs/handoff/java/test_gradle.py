"""The Gradle variant: its build files are compiled against Gradle's API and evaluated by Gradle; no Gradle can be had to build with."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossload.errors import CrossloadError
from crossload.verbs.handoff.handoff import handoff
from tests.verbs.handoff.java import gradle


def test_an_unknown_build_tool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CrossloadError, match="no project for the build tool 'ant'; --build takes: maven, gradle"):
        handoff(tmp_path, tmp_path / "out", build="ant")


@pytest.mark.slow
def test_gradle_finds_the_jars_the_release_the_tests_and_the_main_class(demo: Path, tmp_path: Path) -> None:
    made = handoff(demo, tmp_path / "project", build="gradle")
    assert made.test == f"gradle -p {tmp_path / 'project'} test"
    assert not list(made.root.rglob("pom.xml"))
    (engine,), (junit,) = made.root.glob("lib/crossload-tensorflow-java-*.jar"), made.root.glob("lib/crossload-junit-*.jar")
    found = gradle.evaluated(made.root, tmp_path / "build", "tensorflowPlatform=windows-x86_64")
    assert found == {
        "coordinates": "com.example.digits:digits:1",
        "api": f"[{engine.name} true, org.tensorflow:tensorflow-core-api:1.1.0]",
        "implementation": "[org.tensorflow:tensorflow-core-native:1.1.0:windows-x86_64]",
        "testImplementation": f"[{junit.name} true, org.junit.jupiter:junit-jupiter:5.11.4]",
        "testRuntimeOnly": "[org.junit.platform:junit-platform-launcher:1.11.4]",
        "compiler": "17 UTF-8 [-Xlint:all, -Werror]",
        "tests": "true [--enable-native-access=ALL-UNNAMED] JUnitPlatformTestFramework",
        "run": "true com.example.digits.Main",
        "resources": "[]",
        "sources": "[DigitsClient.java, Main.java, Values.java]",
    }


@pytest.mark.slow
def test_gradle_puts_the_model_into_the_jar_and_knows_the_java_of_tensorflow_1(demo: Path, tmp_path: Path) -> None:
    made = handoff(demo, tmp_path / "project", build="gradle", release="1.15.0")
    found = gradle.evaluated(made.root, tmp_path / "build", "modelInJar=yes")
    assert "model/crossload.json" in found["resources"]
    assert "org.tensorflow:libtensorflow_jni:1.15.0" in found["api"]
    assert found["implementation"] == "[]"
