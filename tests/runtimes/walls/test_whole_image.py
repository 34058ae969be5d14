"""Promises of the image of crossload itself, and of the examples for CI in docker/ that use it: what they write runs as it stands."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from crossload.report.results import Report
from crossload.runtimes.walls import whole_image
from crossload.verbs.verify.verify import verify

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(demo: Path, tmp_path: Path) -> Path:
    """A user's folder with the bundle `digits` in it."""
    shutil.copytree(demo, tmp_path / "digits")
    return tmp_path


def _answers(report: Report) -> dict[Any, Any]:
    return {(r.case.artifact, r.case.runtime, r.case.vector): (r.outcome, r.agreement, r.metrics) for r in report.results}


def test_the_image_verifies_without_a_network_as_a_local_crossload_does(whole: str, folder: Path) -> None:
    user = f"{os.getuid()}:{os.getgid()}"
    command = ["docker", "run", "--rm", "--network=none", "--user", user, "-v", f"{folder}:/work", whole]
    done = subprocess.run([*command, "verify", "digits", "--json", "report.json", "--junit", "report.xml"], check=False)
    assert done.returncode == 0
    assert _answers(Report.read(folder / "report.json")) == _answers(verify(folder / "digits"))
    assert ElementTree.parse(folder / "report.xml").getroot().findall(".//testcase")


def test_the_image_of_crossload_is_nobody_s_says_what_it_is_and_lists_what_it_contains(client: Any, whole: str) -> None:
    about = client.images.get(whole).attrs["Config"]
    assert about["User"] == "65534:65534"
    assert about["Entrypoint"] == ["crossload"]
    assert about["Labels"]["org.opencontainers.image.version"] == whole.rpartition(":")[2]
    health = about["Healthcheck"]["Test"][1:]
    assert client.containers.run(whole, health[1:], entrypoint=health[:1], network_mode="none", read_only=True, remove=True)
    named = {c["name"] for c in whole_image.bill()["components"]}
    assert {"click", "tensorflow-cpu", "ai-edge-litert", "tensorflow-core-api"} <= named
