"""What the Java library says of a class path or module path that does not fit: what is missing, or what to take instead."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from crossload.runtimes import environments, registry

pytestmark = pytest.mark.slow
ONE, ZERO, LEGACY = "tensorflow-java", "tensorflow-java@0.5.0", "tensorflow-java-legacy"
OPENS = """
import io.crossload.*;
public class Opens {
    public static void main(String[] arguments) {
        try (Bundle bundle = Graphs.open(java.nio.file.Path.of(arguments[0]))) {
            System.out.println("opened " + bundle.signatures());
        } catch (CrossloadException error) {
            System.out.println(error.code() + ": " + error.getMessage());
        }
    }
}
"""
GRAPH = """
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
node { name: "y" op: "Identity" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
versions { producer: 1000 }
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program's class and the graph that it opens."""
    folder = tmp_path_factory.mktemp("class-path")
    source, graph = folder / "Opens.java", folder / "graph.pbtxt"
    source.write_text(OPENS, encoding="utf-8")
    graph.write_text(GRAPH, encoding="utf-8")
    subprocess.run(["javac", "-cp", jars(ONE)[0], "-d", folder, source], check=True)
    return folder


def jars(runtime: str) -> list[str]:
    """The engine's jar and TensorFlow's, without the natives, which crossload keeps in a folder."""
    argv = environments.prepare(registry.one(runtime).source).argv
    return argv[argv.index("-cp") + 1].split(os.pathsep)


def natives(runtime: str) -> list[str]:
    """The option that names the folder of the natives."""
    return [a for a in environments.prepare(registry.one(runtime).source).argv if a.startswith("-Djava.library.path")]


def said(program: Path, *arguments: str) -> str:
    """The sentence that the program ends with."""
    done = subprocess.run(["java", *arguments, program / "graph.pbtxt"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def on(program: Path, classes: list[str], *options: str) -> str:
    return said(program, *options, "-cp", os.pathsep.join([str(program), *classes]), "Opens")


@pytest.mark.parametrize("runtime", [ONE, ZERO, LEGACY])
def test_a_whole_class_path_opens_a_graph(program: Path, runtime: str) -> None:
    assert on(program, jars(runtime), *natives(runtime)) == "opened [serving_default]"


@pytest.mark.parametrize(
    ("engine", "tensorflow", "right", "release"),
    [
        (ONE, ZERO, "crossload-tensorflow-java-0.x.jar", "0.5.0"),
        (ZERO, ONE, "crossload-tensorflow-java.jar", "1.1.0"),
        (ONE, LEGACY, "crossload-tensorflow-java-legacy.jar", "1.15.0"),
        (ZERO, LEGACY, "crossload-tensorflow-java-legacy.jar", "1.15.0"),
        (LEGACY, ONE, "crossload-tensorflow-java.jar", "1.1.0"),
        (LEGACY, ZERO, "crossload-tensorflow-java-0.x.jar", "0.5.0"),
    ],
)
def test_an_engine_for_other_releases_is_told_with_the_right_one(
    program: Path, engine: str, tensorflow: str, right: str, release: str
) -> None:
    told = on(program, [jars(engine)[0], *jars(tensorflow)[1:]], *natives(tensorflow))
    assert told.startswith("FAILED_PRECONDITION: ")
    assert re.search(rf"has TensorFlow Java {re.escape(release)}, and an engine for other releases \(no class org\.tensorflow\.", told)
    assert told.endswith(f"is {right}")


@pytest.mark.parametrize(
    ("runtime", "without", "told"),
    [
        (ONE, "protobuf-java", "lacks com.google.protobuf:protobuf-java, which TensorFlow Java 1.1.0 needs"),
        (ONE, "javacpp", "lacks org.bytedeco:javacpp, which TensorFlow Java 1.1.0 needs"),
        (ONE, "ndarray", "lacks org.tensorflow:ndarray, which TensorFlow Java 1.1.0 needs"),
        (ONE, "tensorflow-core-native", "lacks org.tensorflow:tensorflow-core-native (the jar without a classifier"),
        (ONE, "tensorflow-core-api", "TensorFlow Java is not on the class path"),
        (ZERO, "protobuf-java", "lacks com.google.protobuf:protobuf-java, which TensorFlow Java 0.5.0 needs"),
        (ZERO, "javacpp", "lacks org.bytedeco:javacpp, which TensorFlow Java 0.5.0 needs"),
        (LEGACY, "protobuf-java", "lacks com.google.protobuf:protobuf-java, which TensorFlow Java 1.15.0 needs"),
        (LEGACY, "proto/1.15.0", "lacks org.tensorflow:proto, which TensorFlow Java 1.15.0 needs"),
    ],
)
def test_a_missing_jar_is_named(program: Path, runtime: str, without: str, told: str) -> None:
    kept = [jar for jar in jars(runtime) if without not in jar]
    assert len(kept) == len(jars(runtime)) - 1
    assert told in on(program, kept, *natives(runtime))


@pytest.mark.parametrize(
    ("runtime", "jar"),
    [
        (ONE, r"org\.tensorflow:tensorflow-core-native:1\.1\.0:\w+-\w+"),
        (ZERO, r"org\.tensorflow:tensorflow-core-api:0\.5\.0:\w+-\w+"),
        (LEGACY, r"org\.tensorflow:libtensorflow_jni:1\.15\.0"),
    ],
)
def test_missing_natives_are_named_for_this_platform(program: Path, runtime: str, jar: str) -> None:
    told = on(program, [one for one in jars(runtime) if "libtensorflow_jni" not in one])
    assert re.search(rf"native library for \w+-\w+ is not on the class path \(.*\); add {jar}, if there is", told)


def test_natives_that_this_system_does_not_load_are_not_called_missing(program: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "org/tensorflow/internal/c_api/linux-x86_64/libjnitensorflow.so"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no library")
    told = on(program, [*jars(ONE), str(tmp_path)], f"-Dorg.bytedeco.javacpp.cachedir={tmp_path / 'cache'}")
    assert re.search(r"native library for linux-x86_64 is on the class path .*, and this system does not load it", told)


def test_two_tensorflows_are_noticed_before_either_is_loaded(program: Path) -> None:
    told = on(program, [*jars(ONE), *jars(LEGACY)[1:]], *natives(ONE))
    assert told.endswith("can load only one: libtensorflow-1.15.0.jar, tensorflow-core-api-1.1.0.jar; keep one of them")


def test_a_javacpp_of_another_release_is_told(program: Path) -> None:
    older = next(jar for jar in jars("tensorflow-java@0.3.3") if "javacpp" in jar)
    told = on(program, [older if "javacpp" in jar else jar for jar in jars(ONE)], *natives(ONE))
    assert "org.bytedeco:javacpp on the class path is of another release than TensorFlow Java 1.1.0 needs" in told


def test_a_module_that_nothing_requires_is_named(program: Path, tmp_path: Path) -> None:
    sources, out = tmp_path / "sources", tmp_path / "app"
    (sources / "app").mkdir(parents=True)
    (sources / "module-info.java").write_text("module app { requires io.crossload; }\n", encoding="utf-8")
    (sources / "app" / "Opens.java").write_text(f"package app;\n{OPENS}", encoding="utf-8")
    path = os.pathsep.join([str(out), *jars(ONE)])
    files = [sources / "module-info.java", sources / "app" / "Opens.java"]
    subprocess.run(["javac", "-p", path, "-d", out, *files], check=True)
    told = said(program, *natives(ONE), "-p", path, "-m", "app/app.Opens")
    assert "the module tensorflow is on the module path, and nothing requires it" in told
    assert told.endswith("add `requires tensorflow` to module-info.java, or start Java with --add-modules tensorflow")
    assert said(program, *natives(ONE), "-p", path, "--add-modules", "tensorflow", "-m", "app/app.Opens") == "opened [serving_default]"
