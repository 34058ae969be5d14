"""The releases of TensorFlow Java that a project can target, and the platforms that each has natives for."""

from __future__ import annotations

from dataclasses import dataclass

from crossload.errors import CrossloadError
from crossload.runtimes.environments import Jar
from crossload.runtimes.registry import BUILT_IN, Runtime

NEWEST = "1.1.0"
_JAVA = ("tensorflow-java", "tensorflow-java-legacy")
_BEFORE_1_0 = ("linux-x86_64", "macosx-x86_64", "windows-x86_64")
# The platforms in a release's tensorflow-core-platform; all releases before 1.0 have the same, and 1.15 has one jar for three platforms.
_PLATFORMS = {
    "1.0.0": ("linux-x86_64", "linux-arm64", "macosx-arm64", "macosx-x86_64", "windows-x86_64"),
    "1.1.0": ("linux-x86_64", "linux-arm64", "macosx-arm64", "windows-x86_64"),
}


@dataclass(frozen=True)
class Dependency:
    """A Maven dependency; `classifier` is that of the natives, chosen by the build's platform."""

    group: str
    artifact: str
    version: str
    native: bool


@dataclass(frozen=True)
class Release:
    """A release of TensorFlow Java: the runtime that stands for it, its dependencies, its platforms in JavaCPP's words."""

    runtime: Runtime
    jar: Jar
    dependencies: tuple[Dependency, ...]
    platforms: tuple[str, ...]

    @property
    def version(self) -> str:
        """As `--release` takes it."""
        return self.runtime.version

    @property
    def legacy(self) -> bool:
        """Whether it is TensorFlow 1's own Java API, whose natives carry no classifier."""
        return self.runtime.name.endswith("-legacy")


def versions() -> list[str]:
    """The releases, the oldest API first."""
    return [r.version for r in BUILT_IN if r.name in _JAVA]


def find(version: str) -> Release:
    """The release of this version; raises CrossloadError listing the known ones."""
    for runtime in BUILT_IN:
        if runtime.name in _JAVA and runtime.version == version and isinstance(runtime.source, Jar):
            dependencies = tuple(_dependency(c) for c in runtime.source.coordinates)
            return Release(runtime, runtime.source, dependencies, _PLATFORMS.get(version, _BEFORE_1_0))
    raise CrossloadError(f"handoff does not know release {version!r} of TensorFlow Java; --release takes: {', '.join(versions())}")


def _dependency(coordinates: str) -> Dependency:
    group, artifact, version, *classifier = coordinates.split(":")
    return Dependency(group, artifact, version, bool(classifier))
