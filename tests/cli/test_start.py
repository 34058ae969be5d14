"""What a command imports. Modules are counted, not seconds: every module costs its time at each start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from crossload import __version__
from crossload.cli import group, overview
from tests import fakes
from tests.corpus import handmade

Configure = Callable[..., None]
START = [sys.executable, "-c", "from crossload.cli import start; start()"]
# Heavy, and needed only for what the named commands do not do.
HEAVY = {
    "asyncio",
    "email",
    "google.protobuf.descriptor_pb2",
    "importlib.metadata",
    "ml_dtypes",
    "packaging",
    "psutil",
    "tensorboard",
}


def imported(*arguments: str) -> set[str]:
    """The modules that a command imports, besides those that Python itself starts with."""
    program = (
        "import sys; before = set(sys.modules); from crossload.cli import start\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "try: start()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(*(set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {*done.stderr.splitlines()[-1].split()}


def check(modules: set[str], own: int, others: int) -> None:
    """At most so many modules of crossload, and of other packages (NumPy counts as one), and nothing HEAVY."""
    tops = {m: m.partition(".")[0] for m in modules}
    ours = sorted(m for m, top in tops.items() if top == "crossload")
    python = {*sys.stdlib_module_names, "crossload"}
    foreign = sorted({top if top == "numpy" else m for m, top in tops.items() if top not in python})
    assert len(ours) <= own, ours
    assert len(foreign) <= others, foreign
    assert not modules & HEAVY


@pytest.mark.parametrize("option", ["--help", "-h", "--version"])
def test_help_and_version_import_nothing_but_their_text(option: str) -> None:
    assert imported(option) - {"__future__", "errno", "gc"} == {"crossload", "crossload.cli"}


def test_the_help_page_is_the_same_with_and_without_click(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (40, 70, 80, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        text = subprocess.run([*START, "--help"], capture_output=True, text=True, check=True).stdout
        assert text == CliRunner().invoke(group.main, ["--help"], terminal_width=max(50, min(80, columns) - 2)).stdout
        assert all(len(line) <= max(50, min(80, columns) - 2) for line in text.splitlines())
    assert overview(78).endswith("shell.\n")


def test_the_version_is_printed() -> None:
    assert subprocess.run([*START, "--version"], capture_output=True, text=True, check=True).stdout == f"crossload {__version__}\n"


def test_help_that_cannot_be_written_is_one_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*START, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "crossload: standard output: No space left on device; check where it goes and the space there\n"


def test_show_imports_little(tmp_path: Path) -> None:
    path = handmade.saved_model(tmp_path / "m", handmade.meta_graph("serve"))
    for options in ((), ("--json",)):
        modules = imported("show", str(path), *options)
        check(modules, 43, 24)  # with what names tables and variables without values, and inputs that are declared wrongly
        assert not modules & {"numpy", "crossload.artifacts.graphs.candidates", "crossload.contract.manifest"}


def test_run_imports_little(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    modules = imported("run", str(fakes.bundle(tmp_path / "b")), "--runtime", "honest", "--input", "x=[1, 2]")
    check(modules, 54, 23)  # with what removes a killed worker's temporary files and descendants
    assert not modules & {"rich", "google.protobuf.message", "crossload.verbs.check.prediction"}


def test_verify_imports_little(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    modules = imported("verify", str(fakes.bundle(tmp_path / "b")), "--runtime", "honest")
    # With the readers of .tflite and, as the fake is none, of text: the artifact's own signature is compared. The judge has three modules,
    # and conditions and suggestion are one each: together 4 more than before decisions and threads were judged. One hands out artifacts,
    # two say what keeps state and what does not suffice, three remove what a killed process left.
    check(modules, 81, 90)
    assert "crossload.verbs.check.prediction" not in modules


@pytest.mark.parametrize("arguments", [("completion", "bash"), ("doctor", "--help"), ("run", "--help"), ("verify", "--help")])
def test_what_needs_no_tensors_imports_no_numpy(arguments: tuple[str, ...]) -> None:
    modules = imported(*arguments)
    check(modules, 12, 23)
    assert "numpy" not in modules
