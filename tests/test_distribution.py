"""The wheel holds the workers, the harness and the contract, and works outside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as `make dist` builds it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_carries_the_workers_the_harness_and_the_contract(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    workers = {
        f"crossload/workers/{p.relative_to(ROOT / 'python/crossload/workers')}" for p in ROOT.glob("python/crossload/workers/**/*.py")
    }
    assert len(workers) >= 9
    assert workers <= names
    assert {f"crossload/workers/java/crossload-tensorflow-java{jar}.jar" for jar in ("", "-0.x", "-legacy")} <= names
    assert "crossload/workers/pins/tensorflow_worker.txt" in names
    assert {
        "crossload/contract/text/README.md",
        "crossload/contract/text/manifest.schema.json",
        "crossload/py.typed",
        "crossload/artifacts/tensorflow.binpb",
    } <= names
    assert all(any(n.endswith(f"licenses/{text}") for n in names) for text in ("LICENSE", "NOTICE"))


@pytest.mark.slow
@pytest.mark.parametrize("python", ["3.10", "3.12", "3.13"])
def test_the_core_s_fast_tests_pass_on_every_python(python: str, wheel: Path, tmp_path: Path) -> None:
    interpreter = _interpreter(python)
    environment = _install(wheel, tmp_path, interpreter)
    command = [environment / "bin/python", "-m", "pytest", "-q", "-x", "-m", "not slow", "-p", "no:cacheprovider"]
    chosen = [
        "contract",
        "compare",
        "artifacts",
        "report",
        "cli",
        "runtimes/test_supervisor.py",
        "inputs",
        "support",
        "verbs/verify/test_verify.py",
    ]
    done = subprocess.run(
        [*map(str, command), *(str(ROOT / "tests" / c) for c in chosen)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        # What is imported is compiled once, and what is not imported never.
        env={**os.environ, "HYPOTHESIS_PROFILE": "short", "PYTHONDONTWRITEBYTECODE": ""},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.slow
def test_the_installed_wheel_verifies_the_demo_s_bundle_outside_the_checkout(wheel: Path, tmp_path: Path, demo: Path) -> None:
    environment = _install(wheel, tmp_path, sys.executable)
    done = subprocess.run(
        [str(environment / "bin/crossload"), "verify", str(demo), "--quiet"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok" in done.stdout
    located = [str(environment / "bin/python"), "-c", "import crossload; print(crossload.__file__)"]
    assert str(tmp_path) in subprocess.run(located, capture_output=True, text=True, check=True, cwd=tmp_path).stdout


def _interpreter(python: str) -> str:
    """A Python of this version: the one that runs the tests, one on the path, or one that pyenv keeps; without any, the test is skipped."""
    if sys.version_info[:2] == tuple(map(int, python.split("."))):
        return sys.executable
    kept = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob(f"versions/{python}.*/bin/python")
    on_path = shutil.which(f"python{python}")
    for candidate in [*map(str, kept), *([on_path] if on_path else [])]:
        if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    pytest.skip(f"there is no Python {python} on this machine")


def _install(wheel: Path, folder: Path, python: str) -> Path:
    """A fresh environment with the wheel, what it needs and what tests need, all from the pinned requirements."""
    import uv

    tool, environment = os.fspath(uv.find_uv_bin()), folder / "venv"
    subprocess.run([tool, "venv", "-q", "--no-project", "--python", python, str(environment)], check=True)
    install = [tool, "pip", "install", "-q", "--python", str(environment / "bin/python")]
    subprocess.run([*install, "--require-hashes", "-r", str(ROOT / "requirements" / "dev.txt")], check=True)
    subprocess.run([*install, "--no-deps", str(wheel)], check=True)
    return environment
