"""Where the workers' environments come from, and what many tests share: crossload's own environments and models, made once."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest

from crossload.runtimes import environments, registry
from crossload.runtimes.process import Launch
from tests import ROOT

C = ROOT / "bindings" / "c"
_STRICT = ("-Wall", "-Wextra", "-Werror", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def launch_of(runtime: str) -> Launch:
    """How a built-in runtime's worker starts."""
    return environments.prepare(registry.find([runtime])[0].source)


def launch_script(script: Path) -> Launch:
    """How a worker with a PEP 723 header starts."""
    return environments.prepare(environments.Script(script))


def with_tensorflow(script: Path, *arguments: str | Path) -> None:
    """Run a script in a Python with TensorFlow and crossload; raises RuntimeError with what it printed."""
    command = [launch_of("tensorflow+python").argv[0], str(script), *map(str, arguments)]
    package = str(Path(environments.__file__).parents[2])
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": package}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])


def made_once(temporary: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder that `make` fills, the same in every process of this run: the first one makes it, the others wait."""
    base = temporary.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with filelock.FileLock(f"{folder}.lock"):
        if not folder.exists():
            making = folder.with_name(f"{name}.making")
            making.mkdir()
            make(making)
            making.rename(folder)
    return folder


def compiled(program: Path, *words: str | Path) -> Path:
    """A program of these C sources and options that ends with a report at its first invalid access or undefined result; skipped without
    a C compiler."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("there is no C compiler on this machine (Debian: apt-get install gcc)")
    subprocess.run([compiler, *_STRICT, "-o", str(program), *map(str, words)], check=True)
    return program


def c_program(temporary: pytest.TempPathFactory, name: str, *sources: Path) -> Path:
    """`compiled`, once for all tests, from sources that include those of bindings/c."""
    return made_once(temporary, name, lambda folder: compiled(folder / name, "-std=c11", *sources, f"-I{C}", "-ldl")) / name


def launch_of_c(temporary: pytest.TempPathFactory) -> Launch:
    """How the C worker starts, with the libraries of the runtime `tensorflow`."""
    return Launch((str(c_program(temporary, "c_worker", *sorted(C.glob("*.c")))), str(tensorflow_libraries())))


def tensorflow_libraries() -> Path:
    """The folder with the C libraries of the runtime `tensorflow`."""
    (found,) = Path(launch_of("tensorflow").argv[0]).parents[1].glob("lib/python3*/site-packages/tensorflow")
    return found
