"""Where the workers' environments come from, and what many tests share: crossload's own environments and models, made once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest

from crossload.runtimes import environments, registry
from crossload.runtimes.process import Launch


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


def made_once(temporary: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
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
