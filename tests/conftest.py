"""Fixtures that the whole suite shares."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from crossload.verbs.convert.convert import convert
from tests import CORPUS, ROOT, fakes
from tests.environment import made_once, with_tensorflow

# The suite that decides draws the same examples every time, and waits however busy the machine is; `make search` looks for new ones.
_patient = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]}
settings.register_profile("decide", max_examples=200, derandomize=True, **_patient)
# The same promises on the other Pythons, where only the language differs.
settings.register_profile("short", max_examples=20, derandomize=True, **_patient)
settings.register_profile("search", max_examples=2000, **_patient)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "decide"))

# A shell starts what it puts into the background without SIGINT, nohup without SIGHUP, and children inherit that: neither Ctrl-C nor a
# terminal that is closed could be tested.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


# Files that take long begin first, so that no processor waits for the last of them.
_LONGEST_FIRST = (
    "test_distribution.py",
    "java",
    "runtimes/test_soak.py",
    "verbs/test_mobile_zoo.py",
    "docs",
    "verbs",
    "cli",
    "tf_process",
    "workers",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files; pytest itself collects a folder in the order of its names, whatever is named before it."""
    here = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        path = item.path.relative_to(here).as_posix() if item.path.is_relative_to(here) else ""
        found = (at for at, first in enumerate(_LONGEST_FIRST) if path == first or path.startswith(f"{first}/"))
        return next(found, len(_LONGEST_FIRST))

    items.sort(key=rank)


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make fakes known as runtimes, by a configuration file: `configure(name=behaviour, …)`."""

    def write(state: Path | None = None, **behaviours: str) -> None:
        tables = []
        for name, behaviour in behaviours.items():
            argv = [sys.executable, str(fakes.WORKER), behaviour, *([str(state)] if state else [])]
            tables.append(f"[runtimes.{name}]\nformats = ['tflite']\ncommand = {json.dumps(argv)}\n")
        file = tmp_path / "configuration.toml"
        file.write_text("\n".join(tables), encoding="utf-8")
        monkeypatch.setenv("CROSSLOAD_CONFIG", str(file))

    return write


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's bundle: the one `make demo` wrote, or made here."""
    made = ROOT / "build" / "demo" / "digits"
    if (made / "crossload.json").exists():
        return made

    def make(folder: Path) -> None:
        command = [sys.executable, "-m", "crossload.cli", "export", f"{ROOT / 'python/demo/digits.py'}:classifier"]
        formats = ["--formats", "saved_model,graph_def,tflite,tflite:int8"]
        subprocess.run([*command, *formats, "-o", str(folder / "digits")], check=True)

    return made_once(tmp_path_factory, "demo", make) / "digits"


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model as .keras, .h5, SavedModel, frozen graph, checkpoint with .meta, and .tflite."""

    def make(folder: Path) -> None:
        with_tensorflow(CORPUS / "make_sources.py", folder)
        convert(folder / "saved_model", folder / "model.tflite")

    return made_once(tmp_path_factory, "sources", make)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of every model of the corpus."""
    return made_once(tmp_path_factory, "corpus", lambda folder: with_tensorflow(CORPUS / "make_models.py", folder))


@pytest.fixture(scope="session")
def v1_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of models of TensorFlow 1, which every release loads."""
    return made_once(tmp_path_factory, "v1_models", lambda folder: with_tensorflow(CORPUS / "make_v1_models.py", folder))
