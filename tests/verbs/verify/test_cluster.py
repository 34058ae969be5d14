"""A run over many files on a Ray cluster: the report of a run on this machine; a lost process costs only its file under way."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from crossload.report.results import Report
from crossload.runtimes import environments
from tests import CORPUS, ROOT, fakes

Configure = Callable[..., None]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with crossload's libraries and Ray, as requirements/ray.txt pins them."""
    script = tmp_path_factory.mktemp("ray") / "ray_cluster.py"
    shutil.copy(CORPUS / "ray_cluster.py", script)
    (script.parent / "pins").mkdir()
    shutil.copy(ROOT / "requirements" / "ray.txt", environments.pins_of(script))
    return environments.prepare(environments.Script(script)).argv[0]


@pytest.fixture(scope="module")
def cluster(python: str) -> Iterator[tuple[psutil.Process, str]]:
    """A cluster of two CPUs on this machine: its first process, and its address."""
    port = free_port()
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # its sockets' paths must be short
    options = ["--head", "--block", "--num-cpus", "2", "--include-dashboard", "false", "--disable-usage-stats", "--port", "0"]
    command = [python, str(CORPUS / "ray_cluster.py"), "start", *options, "--ray-client-server-port", str(port), "--temp-dir", folder]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "RAY_USAGE_STATS_ENABLED": "0"}
    with (Path(folder) / "printed").open("wb") as printed:
        head = psutil.Popen(command, env=environment, stdout=printed, stderr=printed, stdin=subprocess.DEVNULL)
    try:
        while b"This command will now block" not in (Path(folder) / "printed").read_bytes():
            assert head.poll() is None, (Path(folder) / "printed").read_text()
            time.sleep(0.1)
        yield head, f"ray://127.0.0.1:{port}"
    finally:
        children = head.children(recursive=True)
        head.terminate()
        for process in [head, *psutil.wait_procs(children, timeout=30)[1]]:
            if process.is_running():
                process.kill()
        head.wait()
        shutil.rmtree(folder, ignore_errors=True)


def crossload(python: str, *arguments: str) -> subprocess.Popen[str]:
    command = [python, "-m", "crossload.cli", "verify", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.slow
def test_a_lost_process_costs_its_file_under_way_and_the_report_is_that_of_this_machine(
    cluster: tuple[psutil.Process, str], python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configure: Configure
) -> None:
    monkeypatch.chdir(tmp_path)
    configure(honest="honest")
    fakes.bundle(tmp_path / "models" / "a", count=2)
    for number in range(79):
        Path(f"models/link{number:02}").symlink_to("a")
    (tmp_path / "models" / "bad.tflite").write_bytes(b"")
    head, address = cluster
    child = crossload(python, "models", "--runtime", "honest", "--on", address, "--verbose", "--json", "there.json")
    assert child.stderr
    printed = ""
    while not printed.startswith("1 of 81"):
        printed = child.stderr.readline()
        assert printed, "it ended before its first file"
    next(p for p in head.children(recursive=True) if p.name().startswith("ray::Actor")).kill()
    _, err = child.communicate(timeout=300)
    assert child.returncode == 1, err
    assert "Traceback" not in err
    there = Report.read("there.json")
    assert [c for c in there.cautions if "was verified again elsewhere" in c] and len(there.cautions) == 1
    here = crossload(sys.executable, "models", "--runtime", "honest", "--json", "here.json")
    here.communicate(timeout=300)
    wanted = Report.read("here.json")
    assert there.rows == wanted.rows and there.columns == wanted.columns and there.files == wanted.files
    assert {r.case: (r.outcome, r.agreement) for r in there.results} == {r.case: (r.outcome, r.agreement) for r in wanted.results}
    assert there.summary() == {"total": 161, "ok": 160, "not_run": 1}


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_one_sentence(python: str, tmp_path: Path) -> None:
    fakes.bundle(tmp_path / "a")
    child = crossload(python, str(tmp_path / "a"), "--on", f"ray://127.0.0.1:{free_port()}")
    out, err = child.communicate(timeout=120)
    assert (child.returncode, out) == (2, "")
    assert "there is no Ray cluster at ray://127.0.0.1:" in err and len(err.splitlines()) == 1


def test_without_ray_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    fakes.bundle(tmp_path / "a")
    child = crossload(sys.executable, str(tmp_path / "a"), "--on", "ray://127.0.0.1:10001")
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (2, "")
    assert "needs Ray: install it beside crossload with `pip install 'crossload[ray]'`" in err and len(err.splitlines()) == 1
