"""Where the workers' environments come from, and the corpus: crossload's own environments, made once and cached."""

from __future__ import annotations

import subprocess
from pathlib import Path

from crossload.runtimes import environments, registry
from crossload.runtimes.process import Launch
from tests import CORPUS

MAKER = CORPUS / "make_models.py"


def launch_of(runtime: str) -> Launch:
    """How a built-in runtime's worker starts."""
    return environments.prepare(registry.find([runtime])[0].source)


def launch_script(script: Path) -> Launch:
    """How a worker with a PEP 723 header starts."""
    return environments.prepare(environments.Script(script))


def make_models(folder: Path, *names: str) -> None:
    """Write the corpus (or the named models) in one TensorFlow process; raises RuntimeError with what it printed."""
    python = launch_of("tensorflow+python").argv[0]
    done = subprocess.run([python, str(MAKER), str(folder), *names], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
