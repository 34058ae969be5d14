"""doctor lists what exists, what is missing and how to fix it; --clean removes environments that no runtime uses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from crossload.cli.doctor import command
from crossload.verbs.doctor import doctor


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CROSSLOAD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_it_names_every_tool_and_every_runtime_with_its_fix() -> None:
    found = {f.name: f for f in doctor.doctor().findings}
    assert {"Python", "uv", "JDK", "Maven", "Disk", "litert@2.3.0", "tensorflow@2.21.0"} <= found.keys()
    assert found["Python"].state == "ok"
    assert found["litert@2.3.0"].state == "optional"
    assert "crossload runtimes --prepare" in str(found["litert@2.3.0"].mend)


def test_without_a_jdk_nothing_that_every_command_needs_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    diagnosis = doctor.doctor()
    found = {f.name: f for f in diagnosis.findings}
    assert (found["JDK"].state, found["Maven"].state) == ("optional", "optional")
    assert "install a JDK 17" in str(found["JDK"].mend)
    assert all(f.state != "missing" for f in diagnosis.findings if f.name != "Disk")


def test_clean_removes_the_environments_that_no_runtime_uses(empty_cache: Path) -> None:
    stale = empty_cache / "environments" / "litert_worker-000000000000"
    stale.mkdir(parents=True)
    (stale / "file").write_bytes(bytes(1 << 20))
    assert [(c.path, c.runtimes) for c in doctor.doctor().cached] == [(stale, ())]
    done = CliRunner().invoke(command, ["--clean", "--json"])
    assert not stale.exists()
    assert json.loads(done.stdout)["cached"] == []
    assert "1 folders removed, 1 MiB" in done.stderr
