"""Processes with TensorFlow Java in them: the runtime's own environment, the models, a session-wide process and fresh ones."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crossload.runtimes import environments, registry

MODELS = ("identity", "scale", "several_signatures", "text_table", "default_input")
NEGATION = """
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
node { name: "y" op: "Neg" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
"""


@pytest.fixture(scope="session")
def models(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of the corpus, and the graph of a negation."""
    folder = tmp_path_factory.mktemp("models")
    for name in MODELS:
        (folder / name).symlink_to(corpus / name)
    (folder / "negation.pbtxt").write_text(NEGATION, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def python() -> str:
    """The Python of the runtime's environment."""
    return environments.prepare(registry.one("tensorflow-java-jpype").source).argv[0]


@pytest.fixture(scope="session")
def settings(models: Path) -> dict[str, str]:
    """The environment variables of a process that uses the binding."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CROSSLOAD_JVM_OPTIONS", raising=False)  # the developer's own
        launch = environments.prepare(registry.one("tensorflow-java-jpype").source)
    return {**os.environ, **launch.environment, "PYTHONPATH": str(registry.BINDING), "TF_CPP_MIN_LOG_LEVEL": "1", "MODELS": str(models)}


@pytest.fixture
def fresh(python: str, settings: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a script in a process of its own, where `MODELS` is the models' folder; keywords are environment variables, None removes one."""

    def run(script: str, *arguments: str, **changed: str | None) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "script.py"
        head = "import os, pathlib\nMODELS = pathlib.Path(os.environ['MODELS'])\n"
        file.write_text(head + textwrap.dedent(script), encoding="utf-8")
        environment = {k: v for k, v in {**settings, **changed}.items() if v is not None}
        command = [python, *arguments, str(file)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path)

    return run


@pytest.fixture(scope="session")
def keeps(python: str, settings: dict[str, str]) -> Iterator[Callable[[str], None]]:
    """Have the session's one process with a JVM keep a promise of promises.py; it fails with that process's traceback."""
    command = [python, "-u", str(Path(__file__).with_name("promises.py"))]
    process = subprocess.Popen(command, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout

    def keep(name: str) -> None:
        print(name, file=process.stdin, flush=True)
        answer = process.stdout.readline()
        assert answer, f"the process died of {name}: {process.wait()}"
        broken = json.loads(answer)
        assert broken is None, broken

    yield keep
    process.stdin.close()
    assert process.wait(30) == 0
