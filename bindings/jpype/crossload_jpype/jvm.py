"""The one JVM of a process: the source of its jars, and guards so that the JVM and Python do not harm each other.

TensorFlow Java and Python TensorFlow register the same protobuf messages: together they abort the process, so either excludes the other.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import importlib.abc
import importlib.machinery
import os
import shlex
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import jpype
import numpy as np

from crossload_jpype import tensors
from crossload_jpype.errors import StartProblem, of_java

CLASS_PATH = "CROSSLOAD_JPYPE_CLASS_PATH"
OPTIONS = "CROSSLOAD_JVM_OPTIONS"
RELEASE = "1.1.0"
OUR_OPTIONS = (
    "-Xrs",  # signals stay Python's
    "-XX:-UsePerfData",  # no shared file in the temporary folder
    # JavaCPP counts the memory of the whole process, including Python's arrays, against the Java heap's size.
    "-Dorg.bytedeco.javacpp.maxBytes=0",
    "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
)
OTHER_TENSORFLOWS = ("tensorflow", "tensorflow_core")
_MODEL = "io.crossload.tensorflow.AddressFedModel"

_lock = threading.RLock()
_started: tuple[Any, ...] | None = None  # the arguments of start(), once the JVM runs
_forked = False


def start(
    *, jvm_options: Sequence[str] = (), class_path: str | Sequence[str | os.PathLike[str]] | None = None, release: str | None = None
) -> None:
    """Start the JVM, once per process; loading the first model does it with the defaults.

    `jvm_options` follow those of $CROSSLOAD_JVM_OPTIONS, which follow OUR_OPTIONS. The jars are `class_path` (crossload's
    crossload-tensorflow-java.jar, TensorFlow Java's, and their dependencies), else $CROSSLOAD_JPYPE_CLASS_PATH, else those of
    TensorFlow Java `release` (1.1.0 unless said otherwise), which crossload fetches if it is installed.
    Raises StartProblem.
    """
    global _started  # noqa: PLW0603
    with _lock:
        _refuse_a_forked_child()
        asked = (tuple(jvm_options), class_path, release)
        if _started is not None:
            if asked not in (_started, ((), None, None)):
                raise StartProblem("the JVM runs already and cannot start again; call crossload_jpype.start before the first model")
            return
        _refuse_another_tensorflow()
        if jpype.isJVMStarted():
            _refuse_a_jvm_without_our_classes()
        else:
            _start(_jars(class_path, release), [*OUR_OPTIONS, *shlex.split(os.environ.get(OPTIONS, "")), *jvm_options])
        sys.meta_path.insert(0, _KeepOut())
        _started = asked


def model_class() -> Any:
    """Java's AddressFedModel; starts the JVM if necessary. Raises StartProblem."""
    if _started is None or _forked:
        start()
    with _told():
        return jpype.JClass(_MODEL)


def versions() -> dict[str, str]:
    """What runs here: the releases of `tensorflow-java`, native `tensorflow` and `java`, and the `datatypes` carried."""
    release, native, _ = map(str, model_class().versions())
    names = " ".join(tensors.for_people(name) for name in carried())
    return {"tensorflow-java": release, "tensorflow": native, "java": _java_version(), "datatypes": names}


def carried() -> list[str]:
    """The contract's names of the datatypes that this release has tensor types for."""
    return str(model_class().versions()[2]).split()


def numbers() -> dict[str, int]:
    """The number of types.proto of each of the contract's datatypes."""
    return {str(d.name()): int(d.number()) for d in jpype.JClass("io.crossload.contract.Datatype").values()}


def long_array(values: list[int]) -> Any:
    """A Java long[]."""
    return _long_array_class()(values)


@functools.cache  # looking up the class costs more than filling an array
def _long_array_class() -> Any:
    return jpype.JArray(jpype.JLong)


def of_longs(array: Any) -> list[int]:
    """The elements of a Java long[]."""
    return np.frombuffer(array, np.int64).tolist()


def alive() -> bool:
    """Whether this process has a JVM that answers."""
    return not _forked and bool(jpype.isJVMStarted())


def check_process() -> None:
    """Raise StartProblem in a process that was forked from the one with the JVM."""
    if _forked:
        _refuse_a_forked_child()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except jpype.JException as error:
        raise of_java(error) from None
    except TypeError as error:
        raise StartProblem(f"the JVM's class path lacks {_MODEL}: {error}; it needs crossload-tensorflow-java.jar") from None


def _start(class_path: list[str], options: list[str]) -> None:
    # HotSpot uses SIGSEGV for its own purposes. Replacing its handler, or removing one below it, kills the process.
    enabled = faulthandler.is_enabled()
    faulthandler.disable()
    try:
        jpype.startJVM(*options, classpath=class_path, convertStrings=False, interrupt=False)
    except jpype.JVMNotFoundException as error:
        mend = "install a JDK 17 or newer (Debian: apt-get install openjdk-17-jdk-headless), or point JAVA_HOME at one"
        raise StartProblem(f"Java is not installed; {mend}") from error
    except OSError as error:
        raise StartProblem(f"the JVM {jpype.getDefaultJVMPath()} does not load; point JAVA_HOME at a JDK 17 or newer") from error
    except (RuntimeError, TypeError) as error:
        raise StartProblem(f"the JVM does not start with the options {shlex.join(options)}: {error}; fix or remove them") from error
    except jpype.JException as error:
        raise StartProblem(f"the JVM does not start: {of_java(error)}") from None
    finally:
        if enabled and not jpype.isJVMStarted():
            faulthandler.enable()
    faulthandler.enable = _leave_faulthandler_off


def _leave_faulthandler_off(*_: Any, **__: Any) -> None:
    """faulthandler.enable, in a process with a JVM."""
    warnings.warn("faulthandler stays off: the JVM of this process handles SIGSEGV itself", RuntimeWarning, stacklevel=2)


def _jars(class_path: str | Sequence[str | os.PathLike[str]] | None, release: str | None) -> list[str]:
    """The class path, with every entry checked."""
    source = "class_path" if class_path is not None else f"${CLASS_PATH}" if CLASS_PATH in os.environ else "crossload"
    if class_path is None:
        class_path = os.environ[CLASS_PATH] if CLASS_PATH in os.environ else _from_crossload(release or RELEASE)
    jars = class_path.split(os.pathsep) if isinstance(class_path, str) else [os.fspath(p) for p in class_path]
    if missing := [jar for jar in jars if not Path(jar).exists()]:
        raise StartProblem(f"{missing[0]} of the class path ({source}) does not exist; fix {source}")
    return jars


def _from_crossload(release: str) -> str:
    try:
        from crossload.errors import CrossloadError
        from crossload.runtimes import environments, registry
    except ModuleNotFoundError as error:
        raise StartProblem(
            "no jars: set CROSSLOAD_JPYPE_CLASS_PATH or call crossload_jpype.start(class_path=…), with crossload-tensorflow-java.jar "
            "and TensorFlow Java's; or install crossload, which fetches them"
        ) from error
    try:
        source = registry.one(f"tensorflow-java@{release}").source
        assert isinstance(source, environments.Jar)
        return environments.class_path(source)
    except CrossloadError as error:
        raise StartProblem(str(error)) from error


def _refuse_another_tensorflow() -> None:
    if there := [name for name in OTHER_TENSORFLOWS if sys.modules.get(name) is not None]:
        raise StartProblem(
            f"{there[0]} is imported in this process, and TensorFlow Java would abort it; "
            "use a process of its own for one of them (subprocess, or multiprocessing with 'spawn')"
        )


def _refuse_a_jvm_without_our_classes() -> None:
    try:
        jpype.JClass(_MODEL)
    except TypeError:
        raise StartProblem(
            "other code started this process's JVM, without TensorFlow Java on its class path; "
            "call crossload_jpype.start() before that, or add its jars to that JVM's class path"
        ) from None


def _refuse_a_forked_child() -> None:
    if _forked:
        raise StartProblem(
            "this process was forked from one with a JVM, and a JVM does not survive a fork; "
            "start children by multiprocessing.get_context('spawn')"
        )


class _KeepOut(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes the import of Python's TensorFlow fail with the reason. A check whether it is installed still gets the true answer."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """The module's own spec with this loader; None if it is not installed, and for all other modules."""
        if fullname not in OTHER_TENSORFLOWS:
            return None
        others = (finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self)
        found = next((spec for spec in others if spec is not None), None)
        return found and importlib.machinery.ModuleSpec(fullname, self, origin=found.origin)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """Raises ImportError."""
        raise ImportError(
            f"{spec.name} cannot be imported where crossload_jpype has started TensorFlow Java: two TensorFlows abort a process; "
            "use a process of its own for one of them",
            name=spec.name,
        )

    def exec_module(self, module: ModuleType) -> None:
        """Never reached."""


def _java_version() -> str:
    return str(jpype.java.lang.System.getProperty("java.version"))


def _note_fork() -> None:
    global _forked  # noqa: PLW0603
    _forked = bool(jpype.isJVMStarted())


os.register_at_fork(after_in_child=_note_fork)
