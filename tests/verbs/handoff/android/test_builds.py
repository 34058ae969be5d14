"""Handed-over Android modules: all their Java and Kotlin is compiled, made Android's bytecode, and what judges runs on a desktop JVM."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from crossload.artifacts.tflite import inner
from crossload.contract.bundle import open_bundle
from crossload.runtimes import environments, registry
from crossload.support import files
from crossload.verbs.handoff.handoff import handoff
from crossload.verbs.verify.verify import verify
from tests.verbs.handoff import made as handoffs
from tests.verbs.handoff.android.toolchain import ROOM, Toolchain, prepared

pytestmark = pytest.mark.slow
ASSETS = "model/src/main/assets/crossload"
# Calls the Kotlin client, which calls Java's, with the recorded batch, and prints how far the answer is from the recorded one.
USE = """package use

import com.example.digits.DigitsClient
import com.example.digits.DigitsModel
import io.crossload.HostTensor
import io.crossload.android.EngineOptions
import io.crossload.android.Engines
import io.crossload.android.HandedBundle
import io.crossload.android.ModelCalls
import java.nio.file.Files
import java.nio.file.Path

fun main(words: Array<String>) {
    val bundle = HandedBundle.open { Files.newInputStream(Path.of(words[0], it)) }
    val calls = ModelCalls(bundle, Engines.load(null, bundle, EngineOptions.of("cpu")))
    DigitsModel(DigitsClient.over(calls)).use { model ->
        val recorded = bundle.recorded("serving_default").first { it.id() == "batch_0" }
        val wanted = HostTensor.viewOf(recorded.outputs().getValue("probabilities")).floats()
        val answer = model.servingDefault(pixels = HostTensor.viewOf(recorded.inputs().getValue("pixels")).floats()).probabilities
        println("${answer.size} ${answer.indices.maxOf { kotlin.math.abs(answer[it] - wanted[it]) }}")
        try {
            model.servingDefault(FloatArray(65))
        } catch (error: IllegalArgumentException) {
            println(error.message)
        }
    }
}
"""


def interpreter() -> tuple[tuple[str, ...], list[Path]]:
    """The JVM's options and the jars of the runtime tflite-java."""
    source = registry.one("tflite-java").source
    assert isinstance(source, environments.Jar)
    return environments.library_path(source), [Path(jar) for jar in environments.class_path(source).split(os.pathsep)]


@dataclass(frozen=True)
class Built:
    """Two projects and their classes: the demo's, and one of a model with state and names that are no Java."""

    toolchain: Toolchain
    demo: Path
    counter: Path
    folder: Path

    def classes(self, name: str) -> Path:
        return self.folder / name

    @property
    def judge(self) -> Path:
        return self.demo / "model/libs/crossload-judge.jar"

    def run(self, main: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a class on the desktop: our stand-in of the interpreter before Android's, whose JSON is Android's own."""
        options, jars = interpreter()
        own = (*(self.classes(name) for name in ("desktop", "java", "kotlin")), self.judge, *jars)
        command = [environments.java(), *options, "-cp", self.toolchain.class_path(*own), main, *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def judged(self, project: Path, answers: Path, *words: str) -> str:
        """What the judge prints of a project's model here."""
        done = self.run("io.crossload.android.JudgeHere", project / ASSETS, answers, *words)
        return done.stdout if done.returncode == 0 else done.stderr


@pytest.fixture(scope="module")
def built(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    toolchain, folder = prepared(), tmp_path_factory.mktemp("android")
    made = Built(toolchain, folder / "digits", folder / "counter", folder)
    handoff(demo, made.demo, to="android", artifact="tflite")
    handoff(handoffs.counter(folder, '"); */ $x \\u000a', "class", "in"), made.counter, to="android", package="org.acme.counter")
    sources = made.demo / "model/src"
    own = [p for name in ("main", "tflite") for p in (sources / name).rglob("*.java")]
    clients = [p for kind in ("java", "kt") for p in (made.counter / "model/src/main").rglob(f"org/acme/**/*.{kind}")]
    assert len(clients) == 2
    toolchain.javac(made.classes("java"), [*own, *(p for p in clients if p.suffix == ".java")], made.judge)
    (folder / "Use.kt").write_text(USE, "utf-8")
    kotlin = [
        *(sources / "main").rglob("*.kt"),
        *(sources / "androidTest").rglob("*.kt"),
        *(made.demo / "judge/src").rglob("*.kt"),
        *(p for p in clients if p.suffix == ".kt"),
        folder / "Use.kt",
        *_build_files(made.demo, folder),
        ROOM / "declarations/InstrumentationRegistry.kt",
    ]
    toolchain.kotlinc(made.classes("kotlin"), kotlin, made.classes("java"), made.judge)
    desktop = sorted((ROOM / "desktop").glob("*.java"))
    toolchain.javac(made.classes("desktop"), desktop, made.classes("java"), made.judge, *interpreter()[1])
    return made


def _build_files(project: Path, folder: Path) -> list[Path]:
    """The build files as functions, which are compiled against declarations of what they call."""
    found = [ROOM / "declarations/Gradle.kt"]
    for at, file in enumerate(sorted(project.rglob("*.gradle.kts"))):
        found.append(folder / f"Build{at}.kt")
        found[-1].write_text(f"package build\n\nfun build{at}() {{\n{file.read_text('utf-8')}\n}}\n", "utf-8")
    assert len(found) == 5
    return found


def test_the_demo_passes_and_verify_takes_its_answers(built: Built, demo: Path, tmp_path: Path) -> None:
    count = len(open_bundle(demo).vectors("serving_default"))
    assert built.judged(built.demo, tmp_path / "answers.json") == f"PASS: {count} of {count} vectors agree\n"
    report = verify(demo, ["litert"], devices=[tmp_path / "answers.json"], artifacts=["tflite"])
    assert {(r.case.runtime, r.outcome) for r in report.results} == {("litert", "ok"), ("device:desktop xnnpack", "ok")}
    assert len(report.results) == 2 * count


def test_a_quantised_model_is_judged_in_steps(built: Built, demo: Path, tmp_path: Path) -> None:
    made = handoff(demo, tmp_path / "int8", to="android", artifact="tflite:int8")
    assert built.judged(made.root, tmp_path / "answers.json", "cpu") == f"PASS: {made.vectors} of {made.vectors} vectors agree\n"


def test_a_changed_weight_fails_and_a_changed_file_is_not_run(built: Built, tmp_path: Path) -> None:
    project = shutil.copytree(built.demo, tmp_path / "digits")
    file = project / ASSETS / "model.tflite"
    read = inner.read(file)
    start, _ = max((t.extent for t in read.tensors if t.extent and t.datatype == "FP32"), key=lambda extent: extent[1])
    file.write_bytes(read.data[:start] + np.full(100, 3, "<f4").tobytes() + read.data[start + 400 :])
    assert "model.tflite is not the file that was handed over" in built.judged(project, tmp_path / "answers.json")
    manifest = json.loads((project / ASSETS / "crossload.json").read_text("utf-8"))
    manifest["artifacts"][0]["sha256"] = files.sha256(file)
    (project / ASSETS / "crossload.json").write_text(json.dumps(manifest), "utf-8")
    said = built.judged(project, tmp_path / "answers.json").splitlines()
    assert said[0].startswith("FAIL: ")
    assert "'probabilities' differs by up to" in said[1]


def test_a_model_with_state_and_names_that_are_no_java_passes_as_one_sequence(built: Built, tmp_path: Path) -> None:
    count = sum(v.count for v in open_bundle(built.counter / ASSETS).manifest.vectors)
    assert built.judged(built.counter, tmp_path / "answers.json") == f"PASS: {count} of {count} vectors agree\n"
    assert json.loads((built.counter / ASSETS / "handed.json").read_text())["variables"] is True


def test_the_kotlin_client_takes_any_batch_and_refuses_a_wrong_length(built: Built) -> None:
    done = built.run("use.UseKt", built.demo / ASSETS)
    answered, refused = done.stdout.splitlines() if done.returncode == 0 else (done.stderr, "")
    assert answered.split()[0] == "30", answered
    assert float(answered.split()[1]) < 1e-5
    assert refused == "pixels has 65 elements, which is not a multiple of 64"


def test_the_flavour_litert_compiles_against_the_declared_api(built: Built) -> None:
    sources = built.demo / "model/src"
    java, declared = list((sources / "main").rglob("*.java")), ROOM / "declarations/LiteRt.kt"
    built.toolchain.kotlinc(built.classes("litert"), [*java, *(sources / "litert").rglob("*.kt"), declared], built.judge)
    built.toolchain.javac(built.classes("litert"), java, built.classes("litert"), built.judge)
    assert built.toolchain.missing_on_api_26(built.classes("litert")) == ""


def test_everything_becomes_android_s_bytecode_and_calls_only_what_android_8_has(built: Built, tmp_path: Path) -> None:
    with zipfile.ZipFile(built.judge) as jar:
        jar.extractall(tmp_path / "judge")
    for classes in (tmp_path / "judge", built.classes("java"), built.classes("kotlin") / "com", built.classes("kotlin") / "io"):
        assert built.toolchain.missing_on_api_26(classes) == ""
    names = ("java", "kotlin/com", "kotlin/io", "kotlin/org")
    own = [p for name in names for p in (built.folder / name).rglob("*.class")]
    built.toolchain.dex(tmp_path / "dex.zip", [*own, built.judge], built.classes("kotlin"))
    with zipfile.ZipFile(tmp_path / "dex.zip") as made:
        dex = made.read("classes.dex")
    assert all(f"L{name};".encode() in dex for name in ("io/crossload/compare/Judge", "com/example/digits/DigitsModel"))
