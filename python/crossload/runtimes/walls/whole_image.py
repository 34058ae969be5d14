"""The image of crossload itself: the package, and the environments of the default runtimes, so that `verify` needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crossload import __version__
from crossload.runtimes import environments, registry
from crossload.runtimes.environments import Jar, Script
from crossload.runtimes.registry import Runtime
from crossload.runtimes.walls import images
from crossload.runtimes.walls.images import Built, Context, Progress

TITLE = "crossload"
NAME = f"crossload/crossload:{__version__}"
_CORE = "crossload.txt"
_START = b"#!/opt/crossload/venv/bin/python\nfrom crossload.cli import start\n\nstart()\n"


def runtimes() -> list[Runtime]:
    """The built-in default runtimes, and those that take their place for other formats."""
    default = [r for r in registry.BUILT_IN if r.default]
    return [*default, *(r for r in registry.BUILT_IN if r.title in {d.fallback for d in default})]


def context() -> Context:
    """What the image is made from: the pins of this crossload and of each runtime, and this crossload's own files."""
    java = _java()
    environments.build_harness(java.jar)
    files: dict[str, bytes | Path] = {
        "Dockerfile": images.DOCKERFILES / "crossload" / "Dockerfile",
        "uv.txt": images.requirements("uv.txt"),
        "core.txt": images.requirements(_CORE),
        "crossload": _START,
    }
    for source in (r.source for r in runtimes()):
        if isinstance(source, Script):
            files[f"environments/{environments.folder_of(source).name}.txt"] = environments.pins_of(source.path)
    return Context("crossload", {**files, **_package()}, java)


def build(base: str | None = None, progress: Progress = lambda _: None) -> Built:
    """Build the image; raises EnvironmentProblem with the engine's own reason."""
    arguments = {"RUNTIMES": " ".join(r.title for r in runtimes()), "JAVA_ENVIRONMENT": environments.folder_of(_java()).name}
    return images.make(NAME, "crossload with its default runtimes", __version__, context(), {}, base, progress, arguments)


def bill() -> dict[str, Any]:
    """What the image contains besides its base, as `images.bill` says it of a worker's."""
    found = images.packages(images.requirements(_CORE))
    for runtime in runtimes():
        found += images.bill(runtime)["components"]
    return images.listed(NAME, __version__, list({c["purl"]: c for c in found}.values()))


def _java() -> Jar:
    return next(r.source for r in runtimes() if isinstance(r.source, Jar))


def _package() -> dict[str, bytes | Path]:
    """The files that a wheel of crossload carries (pyproject.toml), from a checkout or from where it is installed."""
    found: dict[str, bytes | Path] = {}
    binding = registry.BINDING / "crossload_jpype"
    folders = {images.PACKAGE: "", binding: "workers/crossload_jpype/", images.DOCKERFILES: "docker/"}
    for folder, place in folders.items():
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                found[f"package/crossload/{place}{file.relative_to(folder)}"] = file
    for name in ("uv.txt", _CORE):
        found[f"package/crossload/docker/{name}"] = images.requirements(name)
    return found
