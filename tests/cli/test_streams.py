"""Whatever happens to the terminal, a command writes its files and gives its own exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import fakes
from tests.corpus import handmade

Configure = Callable[..., None]
START = [sys.executable, "-c", "from crossload.cli import start; start()"]


def verify(folder: Path, runtime: str, redirection: str) -> subprocess.CompletedProcess[str]:
    """`verify -v` of the fakes' bundle, with both report files, its streams redirected as a shell does."""
    bundle = fakes.bundle(folder / "b")
    options = ["-v", "--runtime", runtime, "--json", str(folder / "r.json"), "--junit", str(folder / "r.xml")]
    return shell(redirection, "verify", str(bundle), *options)


def shell(redirection: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A command line in a shell."""
    command = ["bash", "-c", f'set -o pipefail; "$@" {redirection}', "bash", *START, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("redirection", ["2>&1 | true", "2>&1 | head -1", ">&-", ">&- 2>&-", "<&- >&- 2>&-", "| true", "2> >(true)"])
@pytest.mark.parametrize(("runtime", "status"), [("honest", 0), ("liar", 1)])
def test_a_stream_that_is_closed_or_goes_away_costs_no_file_and_no_status(
    tmp_path: Path, configure: Configure, redirection: str, runtime: str, status: int
) -> None:
    configure(honest="honest", liar="wrong-value:run")
    done = verify(tmp_path, runtime, redirection)
    assert done.returncode == status
    assert len(json.loads((tmp_path / "r.json").read_text())["results"]) == 3
    assert "</testsuites>" in (tmp_path / "r.xml").read_text()
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(("runtime", "status"), [("honest", 2), ("liar", 1)])
def test_output_that_a_full_disk_lost_is_a_failure_but_the_files_are_written(
    tmp_path: Path, configure: Configure, runtime: str, status: int
) -> None:
    configure(honest="honest", liar="wrong-value:run")
    done = verify(tmp_path, runtime, ">/dev/full")
    assert done.returncode == status
    assert (tmp_path / "r.json").exists()
    assert (tmp_path / "r.xml").exists()
    if status == 2:
        assert done.stderr.endswith("\ncrossload: standard output: No space left on device; check where it goes and the space there\n")


def test_a_report_that_cannot_be_written_is_named_and_costs_neither_the_other_nor_the_matrix(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    bundle = fakes.bundle(tmp_path / "b")
    words = ["verify", str(bundle), "--runtime", "honest", "--json", "/sys/r.json", "--junit", str(tmp_path / "r.xml")]
    done = shell("", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("crossload: /sys/r.json: Permission denied; ")
    assert "3 results: 3 ok" in done.stdout
    assert (tmp_path / "r.xml").exists()


@pytest.mark.parametrize("arguments", [("--help",), ("show", "MODEL"), ("show", "MODEL", "--json"), ("doctor", "--help")])
def test_a_page_that_nobody_reads_is_no_failure(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    path = handmade.saved_model(tmp_path / "m", handmade.meta_graph("serve"))
    words = [str(path) if a == "MODEL" else a for a in arguments]
    for redirection in ("| true", ">&-", "<&- >&- 2>&-"):
        done = shell(redirection, *words)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_list_on_a_closed_standard_input_is_one_sentence() -> None:
    done = shell("<&-", "verify", "-")
    assert done.returncode == 2
    assert done.stderr.startswith("crossload: name files, folders or patterns")


def test_a_terminal_that_is_closed_ends_a_run_as_an_interrupt_does(tmp_path: Path, configure: Configure) -> None:
    configure(slow="hang:run")
    bundle = fakes.bundle(tmp_path / "b")
    command = [*START, "verify", "-v", str(bundle), "--runtime", "slow", "--json", str(tmp_path / "r.json")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}) as run:
        assert run.stderr
        while len(list(tmp_path.glob("crossload-scratch-*"))) < 2:  # the artifacts', and the worker's own
            assert run.poll() is None
        run.send_signal(signal.SIGHUP)
        run.stderr.close()
        assert run.wait() == 130
    assert json.loads((tmp_path / "r.json").read_text())["results"][0]["outcome"] == "not_run"
    assert not list(tmp_path.glob("crossload-scratch-*"))
