"""Images of runtimes: what goes into each (the pins and files of the local environment), its name, its build, its bill of materials.

An image says by labels which worker protocol and which content it has: one that another crossload built is told from today's.
"""

from __future__ import annotations

import hashlib
import io
import re
import shlex
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from crossload import __version__
from crossload.errors import EnvironmentProblem
from crossload.runtimes import environments, maven
from crossload.runtimes.environments import JAVA_OPTIONS, Jar, Script
from crossload.runtimes.registry import Runtime
from crossload.runtimes.walls import engine, foreign
from crossload.support import temporary

if TYPE_CHECKING:
    from docker import DockerClient

PROTOCOL = "1"
CONTENT, SPEAKS, RUNTIME = "io.crossload.content", "io.crossload.protocol", "io.crossload.runtime"
_PREFIX = "crossload"
PACKAGE = Path(__file__).parents[2]
# In a checkout the Dockerfiles lie at its top; a wheel carries them in the package.
DOCKERFILES = next((p for p in (PACKAGE.parents[1] / "docker", PACKAGE / "docker") if p.is_dir()), PACKAGE / "docker")
_PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", re.MULTILINE)
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Context:
    """The build context of an image: its kind (the Dockerfile's folder), each file's name with its content or its path, the jars.

    `packages` is the worker whose packages are fetched on this host, for another platform.
    """

    kind: str
    files: dict[str, bytes | Path]
    java: Jar | None = None
    packages: Script | None = None

    def digest(self) -> str:
        """What the image is made from: the jars and natives by their coordinates, so that a host without them can tell."""
        found = hashlib.sha256(repr((self.kind, self.java and self.java.coordinates)).encode())
        for name, content in sorted(self.files.items()):
            found.update(f"{name}\0".encode() + hashlib.sha256(_bytes(content)).digest())
        return found.hexdigest()[:16]


@dataclass(frozen=True)
class Built:
    """An image that was built: its name, its bytes, and whether all of it was there already."""

    name: str
    size: int
    cached: bool


def requirements(name: str) -> Path:
    """A pinned requirements file: in a checkout of `requirements/`; a wheel carries it beside the Dockerfiles."""
    own = DOCKERFILES.parent / "requirements" / name
    return own if own.is_file() else DOCKERFILES / name


def name_of(runtime: Runtime) -> str:
    """The image of a runtime: `crossload/litert:2.3.0`, `crossload/litert:2.3.0-arm64`."""
    name, tag = runtime.name.removesuffix(f"/{runtime.platform}"), "-".join(filter(None, (runtime.version or "latest", runtime.platform)))
    return f"{_PREFIX}/{name.replace('+', '-')}:{re.sub(r'[^A-Za-z0-9_.-]', '-', tag)}"


def context_of(runtime: Runtime) -> Context:
    """What goes into the image of a built-in runtime; raises EnvironmentProblem for one whose environment is a command's own."""
    source = runtime.source
    if isinstance(source, Script | Jar) and source.arguments:
        raise EnvironmentProblem(f"{runtime.title} has no image of its own; put it behind the wall bubblewrap, or name another runtime")
    if isinstance(source, Script) and environments.pins_of(source.path).is_file():
        pins = environments.pins_of(source.path)
        if runtime.platform:
            return replace(_context("cross", {"pins.txt": pins, **_worker(source)}), packages=source)
        found = {"uv.txt": requirements("uv.txt"), "pins.txt": pins, **_worker(source)}
        if not source.embeds:
            return _context("python", found)
        main = _script("exec /opt/runtime/bin/python -u /opt/crossload/worker/worker.py")
        return _context("jpype", {**found, "main": main}, source.embeds)
    if isinstance(source, Jar):
        command = ["exec", "java", *JAVA_OPTIONS, "-Djava.library.path=/opt/crossload/libraries"]
        main = f"{shlex.join(command)} -cp '/opt/crossload/worker.jar:/opt/crossload/jars/*' {source.main}\n".encode()
        return _context("java", {"main": main}, source)
    raise EnvironmentProblem(
        f"{runtime.title} has no image: only runtimes of crossload's own do; start yours in a container by its command (docker run -i …)"
    )


def build(runtime: Runtime, base: str | None = None, progress: Progress = lambda _: None) -> Built:
    """Build the image of a runtime; raises EnvironmentProblem with the engine's own reason.

    `base` takes the place of the Dockerfile's own BASE_IMAGE. The build uses the host's network, for the package index.
    """
    labels = {RUNTIME: runtime.title, SPEAKS: PROTOCOL}
    title, context = f"crossload worker of {runtime.title}", context_of(runtime)
    return make(name_of(runtime), title, runtime.version, context, labels, base, progress, platform=runtime.platform)


def make(
    name: str,
    title: str,
    version: str,
    context: Context,
    labels: Mapping[str, str],
    base: str | None,
    progress: Progress,
    arguments: Mapping[str, str] | None = None,
    platform: str = "",
) -> Built:
    """Build an image from its context, with OCI's labels, its content's and `labels`; raises EnvironmentProblem."""
    client = engine.connect()
    if base and platform:
        foreign.check_base(client, base, platform)
    before = _identifier(client, name)
    own = {
        "org.opencontainers.image.title": title,
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": "Apache-2.0",
        CONTENT: context.digest(),
    }
    given = {**(arguments or {}), **({"BASE_IMAGE": base} if base else {})}
    with temporary.scratch() as room:
        fetched = foreign.packages(context.packages, platform, room) if context.packages else {}
        archive = _archive({**context.files, **_jars(context.java, progress), **fetched})
    engine.build(client, archive, name, {**own, **labels}, given, progress, platform)
    image = client.images.get(name)
    return Built(name, int(image.attrs["Size"]), image.id == before)


def entrypoint(client: DockerClient, runtime: Runtime) -> list[str]:
    """The command of a runtime's image; raises EnvironmentProblem if there is no image, or not one of this crossload."""
    name, step = name_of(runtime), mend(runtime)
    found = engine.image(client, name)
    if found is None:
        raise EnvironmentProblem(f"the image {name} is not there; {step}")
    labels = found["Config"].get("Labels") or {}
    if labels.get(SPEAKS) != PROTOCOL or labels.get(RUNTIME) != runtime.title:
        said = f"is labelled {labels.get(RUNTIME)!r} of protocol {labels.get(SPEAKS)!r}"
        raise EnvironmentProblem(f"the image {name} {said}, not {runtime.title!r} of protocol {PROTOCOL!r}; {step}")
    if labels.get(CONTENT) != context_of(runtime).digest():
        raise EnvironmentProblem(f"the image {name} was built by another crossload: its worker or its pins differ from today's; {step}")
    return list(found["Config"].get("Entrypoint") or [])


def mend(runtime: Runtime) -> str:
    """What builds the image of a runtime."""
    return f"build it: crossload runtimes build {shlex.quote(runtime.title)}"


def bill(runtime: Runtime) -> dict[str, Any]:
    """What an image contains besides its base, as CycloneDX 1.5 (ECMA-424) in JSON: the pinned packages or Maven's coordinates."""
    source = runtime.source
    components = packages(environments.pins_of(source.path)) if isinstance(source, Script) else []
    jar = source.embeds if isinstance(source, Script) else source
    for group, artifact, version in sorted(
        {_coordinate(file) for file in maven.jars(environments.folder_of(jar))} if isinstance(jar, Jar) else ()
    ):
        components.append(
            {"type": "library", "group": group, "name": artifact, "version": version, "purl": f"pkg:maven/{group}/{artifact}@{version}"}
        )
    return listed(name_of(runtime), runtime.version, components)


def packages(pins: Path) -> list[dict[str, str]]:
    """The packages of a requirements file as components."""
    found = _PIN.findall(pins.read_text(encoding="utf-8"))
    return [{"type": "library", "name": name, "version": v, "purl": f"pkg:pypi/{name.lower()}@{v}"} for name, v in found]


def listed(name: str, version: str, components: list[dict[str, str]]) -> dict[str, Any]:
    """A bill of materials of these components."""
    about = {"type": "container", "name": name, "version": version}
    tools = [{"name": "crossload", "version": __version__}]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": about, "tools": tools},
        "components": components,
    }


def _coordinate(jar: Path) -> tuple[str, str, str]:
    """Group, artifact and version of a jar in Maven's repository layout (group/artifact/version/file)."""
    parts = jar.parts
    at = parts.index("repository") if "repository" in parts else len(parts) - 5
    return ".".join(parts[at + 1 : -3]), parts[-3], parts[-2]


def _context(kind: str, files: dict[str, bytes | Path], java: Jar | None = None) -> Context:
    own: dict[str, bytes | Path] = {}
    if java:
        environments.build_harness(java.jar)
        own["worker.jar"] = java.jar
    return Context(kind, {"Dockerfile": DOCKERFILES / kind / "Dockerfile", **own, **files}, java)


def _worker(source: Script) -> dict[str, bytes | Path]:
    folder = source.path.parent
    found: dict[str, bytes | Path] = {"worker/worker.py": source.path}
    for file in sorted((folder / "kit").rglob("*.py")):
        found[f"worker/{file.relative_to(folder)}"] = file
    for file in sorted((source.packages / "crossload_jpype").rglob("*.py")) if source.packages else ():
        found[f"worker/crossload_jpype/{file.name}"] = file
    return found


def _jars(source: Jar | None, progress: Progress) -> dict[str, bytes | Path]:
    """The jars and natives of others, fetched if necessary."""
    if source is None:
        return {}
    environments.prepare(source, progress)
    folder = environments.folder_of(source)
    platform = source.libraries.rpartition("/")[2]
    found: dict[str, bytes | Path] = {}
    for jar in maven.jars(folder):
        if not jar.stem.endswith(f"-{platform}"):
            found[f"jars/{jar.name}"] = jar
    for library in sorted((folder / "libraries").iterdir()):
        found[f"libraries/{library.name}"] = library
    return found


def _script(command: str) -> bytes:
    return (
        "export CROSSLOAD_JPYPE_CLASS_PATH=/opt/crossload/worker.jar:$(echo /opt/crossload/jars/*.jar | tr ' ' ':')\n"
        f"export CROSSLOAD_JVM_OPTIONS=-Djava.library.path=/opt/crossload/libraries\n{command}\n"
    ).encode()


def _archive(held: dict[str, bytes | Path]) -> IO[bytes]:
    import tempfile

    target = tempfile.TemporaryFile(prefix="crossload-context-")  # noqa: SIM115
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in sorted(held.items()):
            entry = tarfile.TarInfo(name)
            entry.size = content.stat().st_size if isinstance(content, Path) else len(content)
            entry.mode = 0o644
            if isinstance(content, Path):
                with content.open("rb") as stream:
                    archive.addfile(entry, stream)
            else:
                archive.addfile(entry, io.BytesIO(content))
    target.seek(0)
    return target


def _bytes(content: bytes | Path) -> bytes:
    return content.read_bytes() if isinstance(content, Path) else content


def _identifier(client: DockerClient, name: str) -> str | None:
    found = engine.image(client, name)
    return None if found is None else str(found["Id"])
