"""The registry of runtimes: built-in ones, those of a configuration file, and those of Python entry points.

Configuration: `$CROSSLOAD_CONFIG`, else `crossload.toml` in the working folder, else in the user's configuration folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, get_args

import platformdirs

from crossload.contract import typed
from crossload.errors import CrossloadError
from crossload.runtimes.environments import Command, Confined, Jar, Script, Source, Wall
from crossload.support.text import is_pattern, near

WORKERS = Path(__file__).parent.parent / "workers"
# In a checkout the JPype binding is a project of its own; a wheel carries it beside the workers.
BINDING = next((p for p in (WORKERS.parents[2] / "bindings" / "jpype",) if p.is_dir()), WORKERS)
ENTRY_POINTS = "crossload.runtimes"
CONFIGURATION = "crossload.toml"
WALLS: tuple[Wall, ...] = get_args(Wall)
# The engine's name of a platform (linux/arm64), and JavaCPP's. For arm/v7 NumPy and ml_dtypes have no wheels.
PLATFORMS = {"arm64": "linux-arm64"}


@dataclass(frozen=True)
class Runtime:
    """Something that loads artifacts and predicts: its name, release, formats, and the source of its worker.

    `verify` uses the `default` runtimes unless runtimes are named; other runtimes must be named. `fallback` is the title of the
    runtime that takes this one's place for formats and loaders which this one does not have (see `able`). With `own_path` the worker
    loads a bundle's artifacts by their own paths, for it may run where nothing else is; otherwise they are copied for it.
    `platform` is that of its image if it is not the engine's own (`arm64`).
    """

    name: str
    formats: tuple[str, ...]
    source: Source
    version: str = ""
    default: bool = False
    fallback: str = ""
    own_path: bool = False
    platform: str = ""

    @property
    def title(self) -> str:
        """`name@version`, or the name alone if the worker decides the version."""
        return f"{self.name}@{self.version}" if self.version else self.name


def _tensorflow_java(version: str, *, default: bool = False) -> Runtime:
    # Before 1.0 the messages are in another Java package, and the natives beside the API. Platforms: tensorflow-core-platform's pom.
    early = version.startswith("0.")
    native = "tensorflow-core-api" if early else "tensorflow-core-native"
    coordinates = (f"org.tensorflow:tensorflow-core-api:{version}", f"org.tensorflow:{native}:{version}:{_platform()}")
    jar = "tensorflow-java-0.x" if early else "tensorflow-java"
    arm = () if early else ("linux-arm64", "macosx-arm64")
    platforms = ("linux-x86_64", *arm, *(() if version == "1.1.0" else ("macosx-x86_64",)), "windows-x86_64")
    libraries = f"org/tensorflow/internal/c_api/{_platform()}"
    return _java("tensorflow-java", jar, "tensorflow", version, coordinates, libraries, platforms, default=default)


def _tensorflow_java_legacy(version: str) -> Runtime:
    coordinates = tuple(f"org.tensorflow:{artifact}:{version}" for artifact in ("tensorflow", "libtensorflow_jni", "proto"))
    libraries = f"org/tensorflow/native/{_platform()}"
    platforms = ("linux-x86_64", "darwin-x86_64", "windows-x86_64")
    name = "tensorflow-java-legacy"
    return _java(name, name, "tensorflow.legacy", version, coordinates, libraries, platforms)


def _tflite_java(version: str, presets: str) -> Runtime:
    interpreter = f"org.bytedeco:tensorflow-lite:{presets}"
    coordinates = (interpreter, f"{interpreter}:{_platform()}")
    libraries = f"org/bytedeco/tensorflowlite/{_platform()}"
    return _java("tflite-java", "tflite-java", "tflite", version, coordinates, libraries, formats=("tflite",))


def _djl(version: str) -> tuple[Runtime, Runtime]:
    """The Deep Java Library, which gets arrays with the inputs' names, or without: then it binds them in the order of the names."""
    # DJL's API is TensorFlow Java 1.0.0's. Its own copy of the natives is not in Maven Central.
    coordinates = (f"ai.djl.tensorflow:tensorflow-engine:{version}", f"org.tensorflow:tensorflow-core-native:1.0.0:{_platform()}")
    libraries = f"org/tensorflow/internal/c_api/{_platform()}"
    platforms = ("linux-x86_64", "linux-arm64", "macosx-arm64", "macosx-x86_64", "windows-x86_64")
    djl = _java("djl", "djl", "djl", version, coordinates, libraries, platforms, formats=("saved_model",))
    assert isinstance(djl.source, Jar)
    return djl, replace(djl, name="djl+unnamed", source=replace(djl.source, arguments=("--unnamed",)))


def _java(
    name: str,
    jar: str,
    package: str,
    version: str,
    coordinates: tuple[str, ...],
    libraries: str,
    platforms: tuple[str, ...] = (),
    *,
    default: bool = False,
    formats: tuple[str, ...] = ("saved_model", "graph_def"),
) -> Runtime:
    source = Jar(WORKERS / "java" / f"crossload-{jar}.jar", f"io.crossload.{package}.Main", coordinates, libraries, platforms)
    return Runtime(name, formats, source, version, default)


def _tensorflow_java_jpype(version: str) -> Runtime:
    java = _tensorflow_java(version)
    assert isinstance(java.source, Jar)
    script = Script(WORKERS / "tensorflow_java_jpype_worker.py", java.source, BINDING)
    return Runtime("tensorflow-java-jpype", java.formats, script, version)


def _platform() -> str:
    """JavaCPP's name of this platform, a classifier of the natives."""
    machine = {"amd64": "x86_64", "aarch64": "arm64"}.get(os.uname().machine.lower(), os.uname().machine.lower())
    return f"{'macosx' if sys.platform == 'darwin' else 'linux'}-{machine}"


def _script(name: str, stem: str, version: str, *formats: str, default: bool = True, fallback: str = "") -> Runtime:
    return Runtime(name, formats, Script(WORKERS / f"{stem}.py"), version, default, fallback)


def _variants(name: str, stem: str, version: str, **arguments: str) -> tuple[Runtime, ...]:
    """An interpreter as it runs by other kernels, on more threads, or by another API than by default: `litert+reference`."""
    script = Script(WORKERS / f"{stem}.py")
    return tuple(
        Runtime(f"{name}+{part}", ("tflite",), replace(script, arguments=tuple(given.split())), version)
        for part, given in arguments.items()
    )


_KERNELS = {kernels: f"--kernels {kernels}" for kernels in ("reference", "builtin", "xnnpack")}


def _tensorflow(version: str, part: str = "", *, default: bool = False) -> tuple[Runtime, Runtime]:
    """A release of TensorFlow by its C API, which has no loader of Keras files, and by its Python."""
    python = _script("tensorflow+python", f"tensorflow_python{part}_worker", version, *_GRAPHS, "keras", "keras_h5", default=False)
    return _script("tensorflow", f"tensorflow{part}_worker", version, *_GRAPHS, default=default, fallback=python.title), python


_GRAPHS = ("saved_model", "graph_def", "checkpoint", "meta_graph")
# A name alone means the last of its releases.
BUILT_IN = (
    *_tensorflow("2.15.1", "_2_15"),
    *_tensorflow("2.21.0", default=True),
    _tensorflow_java_legacy("1.15.0"),
    _tensorflow_java("0.3.3"),
    _tensorflow_java("0.4.2"),
    _tensorflow_java("0.5.0"),
    _tensorflow_java("1.0.0"),
    _tensorflow_java("1.1.0", default=True),
    _tensorflow_java_jpype("1.1.0"),
    *_djl("0.36.0"),
    _script("tflite-runtime", "tflite_runtime_worker", "2.14.0", "tflite"),
    *_variants("tflite-runtime", "tflite_runtime_worker", "2.14.0", **_KERNELS),
    _script("litert", "litert_worker", "2.3.0", "tflite"),
    *_variants("litert", "litert_worker", "2.3.0", **_KERNELS, threads4="--threads 4", compiled="--compiled"),
    *_variants("tensorflow", "tensorflow_python_2_15_worker", "2.15.1", lite="--lite"),
    *_variants("tensorflow", "tensorflow_python_worker", "2.21.0", lite="--lite"),
    _script("tflite-micro", "tflite_micro_worker", "0.dev20261023182759", "tflite"),
    *_variants("tflite-micro", "tflite_micro_worker", "0.dev20261023182759", preserved="--preserve-all-tensors"),
    _tflite_java("2.18.0", "2.18.0-1.5.11"),  # JavaCPP's presets; later ones need a parent pom that Maven Central does not have
)


def all_runtimes() -> list[Runtime]:
    """All runtimes, the built-in ones first; raises CrossloadError for an unreadable configuration.

    A later runtime replaces an earlier one of the same name and version; one without a version replaces all of its name.
    """
    return list(_merged((*BUILT_IN, *_from_entry_points(), *_from_configuration())))


@cache
def _merged(runtimes: tuple[Runtime, ...]) -> tuple[Runtime, ...]:
    found: dict[str, Runtime] = {}
    for runtime in runtimes:
        for title in [t for t, r in found.items() if t == runtime.title or (r.name == runtime.name and not runtime.version)]:
            del found[title]
        found[runtime.title] = runtime
    return tuple(found.values())


def find(names: list[str] | None = None) -> list[Runtime]:
    """The named runtimes, or the default ones: `name`, `name@version`, or a pattern of these (`name@*`) for all that match.

    `docker:name` and `bubblewrap:name` are the same runtimes behind a wall (see `behind`). `name/arm64` and `name/arm64@version` are those
    of another platform, which run in a container alone.

    Raises CrossloadError for an unknown name and for a pattern without matches, listing the known runtimes.
    """
    known = all_runtimes()
    if not names:
        return [r for r in known if r.default]
    found: dict[str, Runtime] = {}
    for name in names:
        wall, colon, rest = name.partition(":")
        if colon and wall in WALLS:
            found.update((r.title, r) for r in (behind(r, wall) for r in find([rest] if rest else None)))
            continue
        plain, platform = _split(name)
        if platform:
            found.update((r.title, r) for r in (behind(on(r, platform), "docker") for r in find([plain])))
            continue
        pattern = is_pattern(name)
        alike = [r for r in known if name in (r.name, r.title) or (pattern and fnmatchcase(r.title, name))]
        matching = alike if pattern else alike[-1:]
        if not matching:
            there = [r.title if pattern or "@" in name else r.name for r in known]
            known_names = list(dict.fromkeys(there))
            raise CrossloadError(f"there is no runtime {name!r}{near(name, known_names)}; there are: {', '.join(known_names)}")
        found.update((r.title, r) for r in matching)
    return list(found.values())


def _split(name: str) -> tuple[str, str]:
    """`litert/arm64@2.3.0` as `litert@2.3.0` and `arm64`; a name without a platform has none. Raises CrossloadError for an unknown one."""
    head, at, version = name.partition("@")
    base, _, platform = head.partition("/")
    if not platform:
        return name, ""
    known = {r.name for r in all_runtimes()}
    if head in known:
        return name, ""
    if platform not in PLATFORMS and base in known:
        raise CrossloadError(f"{base} has no image for {platform!r}; the platforms are: {', '.join(PLATFORMS)}")
    return (f"{base}{at}{version}", platform) if platform in PLATFORMS else (name, "")


def on(runtime: Runtime, platform: str) -> Runtime:
    """The runtime of another platform: the same pins, the natives of that platform. Raises CrossloadError if it cannot have an image."""
    source: Source = runtime.source
    if isinstance(source, Jar):
        here, there = _platform(), PLATFORMS[platform]
        coordinates = tuple(c.removesuffix(here) + there if c.endswith(f":{here}") else c for c in source.coordinates)
        source = replace(source, coordinates=coordinates, libraries=source.libraries.replace(here, there))
    elif not isinstance(source, Script) or source.embeds:
        raise CrossloadError(f"{runtime.title} has no image for {platform}; Python and Java workers of crossload's own have")
    return replace(runtime, name=f"{runtime.name}/{platform}", source=source, fallback="", platform=platform)


def in_image(title: str) -> Runtime:
    """The runtime of this title (`litert@2.3.0`, `litert/arm64@2.3.0`) outside of its wall: what its image holds."""
    plain, platform = _split(title)
    return on(one(plain), platform) if platform else one(plain)


def unwalled(runtime: Runtime) -> Runtime:
    """The runtime outside of its wall; itself, if it is behind none."""
    return in_image(runtime.source.title) if isinstance(runtime.source, Confined) else runtime


def behind(runtime: Runtime, wall: Wall) -> Runtime:
    """The runtime behind a wall; itself, if it is behind one already. Raises CrossloadError for another platform than this kernel's."""
    if isinstance(runtime.source, Confined):
        if runtime.platform and wall != "docker":
            raise CrossloadError(f"{runtime.source.title} runs in a container alone; name it docker:{runtime.source.title}")
        return runtime
    fallback = f"{wall}:{runtime.fallback}" if runtime.fallback else ""
    source = Confined(runtime.source, wall, runtime.title)
    return replace(runtime, name=f"{wall}:{runtime.name}", source=source, fallback=fallback)


def one(name: str) -> Runtime:
    """The one runtime of this name; raises CrossloadError as `find` does, and for a pattern that matches several."""
    found = find([name])
    if len(found) > 1:
        raise CrossloadError(f"{name!r} matches {len(found)} runtimes, name one of them: {', '.join(r.title for r in found)}")
    return found[0]


def able(runtime: Runtime, format: str, options: Mapping[str, Any] | None = None) -> Runtime | None:
    """The runtime, or its fallback, that takes this format with these load options; None if neither does.

    Every `loader` of a SavedModel is Python's own, so it needs the fallback.
    """
    loader = (options or {}).get("loader") if format == "saved_model" else None
    for candidate in (runtime, one(runtime.fallback) if runtime.fallback else None):
        if candidate and format in candidate.formats and not (loader and candidate.fallback):
            return candidate
    return None


def shortest_name(runtime: Runtime) -> str:
    """The name if `find` returns this runtime for it, else `name@version`: reports and commands must name exactly this one."""
    return runtime.name if find([runtime.name]) == [runtime] else runtime.title


def configuration_file() -> Path | None:
    """The configuration file in effect, None if there is none."""
    if named := os.environ.get("CROSSLOAD_CONFIG"):
        return Path(named)
    candidates = (Path(CONFIGURATION), _user_configuration(os.environ.get("XDG_CONFIG_HOME"), os.environ.get("HOME")))
    return next((c for c in candidates if c.is_file()), None)


@cache  # a run over many files asks for each; these two variables decide
def _user_configuration(*_: str | None) -> Path:

    return platformdirs.user_config_path("crossload") / CONFIGURATION


@dataclass(kw_only=True)
class _Table:
    """`[runtimes.NAME]`: `formats`, and either `command` (any command) or `script` (a Python file with a PEP 723 header)."""

    formats: list[str]
    command: list[str] | None = None
    script: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    version: str = ""
    default: bool = False
    own_path: bool = False

    def __post_init__(self) -> None:
        for name in ("formats", "command"):
            if getattr(self, name) == []:
                raise typed.Misfit(name, "the list is empty")

    def runtime(self, name: str, folder: Path) -> Runtime:
        source: Source
        if (self.command is None) == (self.script is None):
            raise ValueError("give either command or script")
        if self.script is not None:
            if self.environment:
                raise ValueError("environment is for a command; a script declares its needs in its header")
            source = Script((folder / self.script).resolve())
        else:
            source = Command(tuple(self.command or ()), self.environment, folder.resolve())
        return Runtime(name, tuple(self.formats), source, self.version, self.default, own_path=self.own_path)


@dataclass(kw_only=True)
class _File:
    runtimes: dict[str, _Table] = field(default_factory=dict)


def _from_configuration() -> tuple[Runtime, ...]:
    file = configuration_file()
    if file is None:
        return ()
    try:
        state = file.stat()
    except OSError as error:
        raise CrossloadError(f"the configuration {file} cannot be read: {error}") from error
    return _configured(file, file.absolute(), state.st_mtime_ns, state.st_size, state.st_ino)


@cache
def _configured(file: Path, *_: object) -> tuple[Runtime, ...]:
    """The runtimes of a configuration, which is read again where anything else about it is new."""
    from crossload.support import toml

    where = "the top level"
    try:
        found = []
        for name, table in typed.read(_File, toml.loads(file.read_text(encoding="utf-8"))).runtimes.items():
            where = f"runtimes.{name}"
            found.append(table.runtime(name, file.parent))
    except typed.Misfit as error:
        raise CrossloadError(f"the configuration {file} has a mistake at {error}; {_TAKES}") from error
    except (toml.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise CrossloadError(f"the configuration {file} cannot be read: {error}") from error
    except ValueError as error:
        raise CrossloadError(f"the configuration {file} has a mistake at {where}: {error}; {_TAKES}") from error
    return tuple(found)


_TAKES = "[runtimes.NAME] takes formats, command or script, environment, version and default"


def _from_entry_points() -> tuple[Runtime, ...]:
    return _installed(tuple(sys.path))


@cache
def _installed(path: tuple[str, ...]) -> tuple[Runtime, ...]:
    if not any(map(_may_announce, path)):
        return ()
    from importlib.metadata import entry_points

    found = []
    for point in entry_points(group=ENTRY_POINTS):
        what = f"the entry point {point.name} of {ENTRY_POINTS} ({point.value})"
        try:
            runtime = point.load()
            runtime = runtime() if callable(runtime) else runtime
        except Exception as error:  # third-party code
            raise CrossloadError(f"{what} cannot be used: {error}; fix or uninstall its package") from error
        if not isinstance(runtime, Runtime):
            raise CrossloadError(f"{what} is not a crossload.runtimes.registry.Runtime; fix or uninstall its package")
        found.append(runtime)
    return tuple(found)


def _may_announce(place: str) -> bool:
    """Whether a package in this place of sys.path may have such an entry point: importing importlib.metadata to know takes longer."""
    folder = Path(place)
    if not folder.is_dir():
        return folder.is_file()  # a zip
    return any(ENTRY_POINTS in file.read_text(encoding="utf-8", errors="replace") for file in folder.glob("*-info/entry_points.txt"))
