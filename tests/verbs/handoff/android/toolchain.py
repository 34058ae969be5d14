"""What compiles and runs a handed-over Android module without Android's build tools: fetched once by Maven into crossload's cache."""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.maven import fetched, run

ROOM = Path(__file__).parent
# Compilers that run once: the JVM's second compiler would cost more than it gains.
_JAVA = ("java", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_ANDROID = ("org.robolectric:android-all:14-robolectric-10818077",)
_ENGINE = (
    "org.tensorflow:tensorflow-lite:2.16.1:aar",
    "org.tensorflow:tensorflow-lite-api:2.16.1:aar",
    "org.tensorflow:tensorflow-lite-gpu:2.16.1:aar",
    "org.tensorflow:tensorflow-lite-gpu-api:2.14.0:aar",
)
_KOTLIN = (
    "org.jetbrains.kotlin:kotlin-compiler-embeddable:2.1.0",
    "org.jetbrains.kotlin:kotlin-stdlib:2.1.0",
    "org.jetbrains.kotlin:kotlin-script-runtime:2.1.0",
    "org.jetbrains.kotlin:kotlin-reflect:1.6.10",
    "org.jetbrains.kotlin:kotlin-daemon-embeddable:2.1.0",
    "org.jetbrains.intellij.deps:trove4j:1.0.20200330",
    "org.jetbrains.kotlinx:kotlinx-coroutines-core-jvm:1.6.4",
    "org.jetbrains:annotations:13.0",
)
_JUNIT = ("junit:junit:4.13.2",)
# The methods of Android 8.0 (API 26), the oldest that a module supports, with those that D8 brings along.
_LEVEL = ("org.codehaus.mojo:animal-sniffer:1.24", "org.ow2.asm:asm:9.8", "com.toasttab.android:gummy-bears-api-26:0.12.0:signature")
_D8 = ("com.android.tools:r8:8.5.35",)
_EVERYTHING = (*_ANDROID, *_ENGINE, *_KOTLIN, *_JUNIT, *_LEVEL, *_D8)


@dataclass(frozen=True)
class Toolchain:
    """A folder with everything that `_EVERYTHING` lists; an AAR as the jar in it."""

    folder: Path

    def files(self, coordinates: Iterable[str]) -> list[Path]:
        """The files of coordinates."""
        return [self.folder / _file(c) for c in coordinates]

    def class_path(self, *more: Path) -> str:
        """Android, the engine, JUnit and Kotlin's library, after `more`."""
        return _joined([*more, *self.files((*_ENGINE, *_JUNIT, _KOTLIN[1], *_ANDROID))])

    def javac(self, out: Path, sources: Iterable[Path], *more: Path) -> None:
        """Compile Java; a warning fails. Jars name annotations and jars that are not there, which javac would warn of."""
        run(
            [
                "javac",
                "--release",
                "17",
                "-Xlint:all,-classfile,-path,-processing",
                "-Werror",
                "-cp",
                self.class_path(*more),
                "-d",
                out,
                *sources,
            ]
        )

    def kotlinc(self, out: Path, sources: Iterable[Path], *more: Path) -> None:
        """Compile Kotlin, which may use Java sources among `sources`; a warning fails."""
        command = [*_JAVA, "-cp", _joined(self.files(_KOTLIN)), "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"]
        options = ["-no-stdlib", "-no-reflect", "-jvm-target", "17", "-Werror", "-cp", self.class_path(*more), "-d", out]
        run([*command, *options, *sources])

    def dex(self, out: Path, classes: Iterable[Path], *more: Path) -> None:
        """Turn classes into Android's own bytecode for API 26, as Android's build does."""
        library = ("--lib", self.files(_ANDROID)[0], *(w for p in (*self.files((*_ENGINE, _KOTLIN[1])), *more) for w in ("--classpath", p)))
        run([*_JAVA, "-cp", self.files(_D8)[0], "com.android.tools.r8.D8", "--min-api", "26", *library, "--output", out, *classes])

    def missing_on_api_26(self, classes: Path) -> str:
        """The references of classes to what Android 8.0 does not have, a line each."""
        sniffer, asm, level = self.files(_LEVEL)
        own = (
            "io.crossload",
            "com.example",
            "org.acme",
            "org.tensorflow",
            "com.google.ai",
            "androidx",
            "android",
            "kotlin",
            "org.json",
            "org.junit",
        )
        ignored = [*(f"{name}.*" for name in own), "java.lang.Record"]  # D8 replaces records
        command = [*_JAVA, "-cp", _joined([sniffer, asm]), str(ROOM / "ApiLevel.java"), str(level), str(classes), *ignored]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


def prepared() -> Toolchain:
    """The toolchain; raises RuntimeError with Maven's words if something cannot be fetched."""
    return Toolchain(fetched("android-1", _EVERYTHING, alone=True, then=_unpack))


def _unpack(folder: Path) -> None:
    """Take the classes out of Android's archives."""
    for aar in folder.glob("*.aar"):
        with zipfile.ZipFile(aar) as archive:
            aar.with_suffix(".jar").write_bytes(archive.read("classes.jar"))


def _file(coordinate: str) -> str:
    _, artifact, version, *kind = coordinate.split(":")
    return f"{artifact}-{version}.{'signature' if kind == ['signature'] else 'jar'}"


def _joined(paths: Iterable[Path]) -> str:
    return os.pathsep.join(map(str, paths))
