"""Promises of the image of crossload itself, and of the examples for CI in docker/ that use it: what they write runs as it stands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from crossload.report.results import Report
from crossload.runtimes.walls import whole_image
from crossload.verbs.verify.verify import verify
from tests import ROOT

DOCKER = ROOT / "docker"
USER = f"{os.getuid()}:{os.getgid()}"

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(demo: Path, tmp_path: Path) -> Path:
    """A user's folder with the bundle `digits` in it."""
    shutil.copytree(demo, tmp_path / "digits")
    return tmp_path


def _answers(report: Report) -> dict[Any, Any]:
    return {(r.case.artifact, r.case.runtime, r.case.vector): (r.outcome, r.agreement, r.metrics) for r in report.results}


def test_the_image_verifies_without_a_network_as_a_local_crossload_does(whole: str, folder: Path) -> None:
    command = ["docker", "run", "--rm", "--network=none", "--user", USER, "-v", f"{folder}:/work", whole]
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


def test_the_compose_file_runs_a_service_a_runtime_and_merges_their_reports(whole: str, folder: Path) -> None:
    manifest = folder / "digits" / "crossload.json"
    found = json.loads(manifest.read_text(encoding="utf-8"))
    strict = {**found, "tolerance": {"FP32": {"rtol": 0, "atol": 0}}}
    manifest.write_text(json.dumps(strict), encoding="utf-8")
    (folder / "reports").mkdir()
    place = {"BUNDLE": str(folder / "digits"), "REPORTS": str(folder / "reports"), "CROSSLOAD_USER": USER}
    compose = ["docker-compose", "--project-name", "crossload-test", "--file", str(DOCKER / "compose.yml")]
    environment = {**os.environ, **place, "CROSSLOAD_IMAGE": whole}
    try:
        done = subprocess.run([*compose, "run", "--rm", "report"], env=environment, check=False)
        merged, here = Report.read(folder / "reports" / "merged.json"), verify(folder / "digits")
        assert done.returncode == merged.exit_status == here.exit_status == 1
        assert _answers(merged) == _answers(here)
        assert ElementTree.parse(folder / "reports" / "merged.xml").getroot().findall(".//failure")
    finally:
        subprocess.run([*compose, "down"], env=environment, check=True)


def test_the_github_action_builds_the_image_and_verifies(base: str, whole: str, folder: Path) -> None:
    action = yaml.safe_load((DOCKER / "action.yml").read_text(encoding="utf-8"))
    inputs = {name: str(about.get("default", "")) for name, about in action["inputs"].items()}
    inputs.update({"path": "digits", "arguments": "--runtime tensorflow,litert --agreement decision", "base": base})
    for step in action["runs"]["steps"]:
        if "if" in step:
            assert step["if"] == "inputs.image == ''"  # and the image is not named here
        _step(step, inputs, folder)
    assert Report.read(folder / "crossload.json").columns == ["tensorflow", "litert"]
    assert ElementTree.parse(folder / "crossload.xml").getroot().findall(".//testcase")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        _step(action["runs"]["steps"][-1], {**inputs, "path": "absent", "image": whole}, folder)
    assert caught.value.returncode == 2


def test_the_gitlab_template_s_job_verifies_in_the_image(client: Any, whole: str, folder: Path) -> None:
    job = yaml.safe_load((DOCKER / "gitlab.yml").read_text(encoding="utf-8"))[".crossload"]
    assert job["image"] == {"name": "$CROSSLOAD_IMAGE", "entrypoint": [""]}
    assert job["variables"]["CROSSLOAD_IMAGE"].endswith(whole.partition("/")[2])
    variables = {**job["variables"], "CROSSLOAD_ARGUMENTS": "--runtime litert"}
    folder.chmod(0o777)  # as a runner's clone is, for a job that is another user
    script = "set -eo pipefail\n" + "\n".join(job["script"])
    volumes = {str(folder): {"bind": "/builds/project", "mode": "rw"}}
    client.containers.run(
        whole, ["-c", script], entrypoint="/bin/bash", environment=variables, volumes=volumes, working_dir="/builds/project", remove=True
    )
    assert (folder / job["artifacts"]["reports"]["junit"]).is_file()
    assert all(Report.read(folder / path).exit_status == 0 for path in job["artifacts"]["paths"])


@pytest.mark.parametrize("name", ["compose.yml", "action.yml", "gitlab.yml"])
def test_the_examples_name_today_s_image(name: str) -> None:
    assert set(re.findall(r"crossload:\d[\w.]*", (DOCKER / name).read_text(encoding="utf-8"))) == {whole_image.NAME.partition("/")[2]}


def _step(step: dict[str, Any], inputs: dict[str, str], workspace: Path) -> None:
    """A step of a composite action as GitHub runs it (metadata syntax, runs.steps): expressions in `env`, then bash."""

    def value(found: re.Match[str]) -> str:
        return inputs[found[1]] or found[2] or ""

    given = {name: re.sub(r"\$\{\{ inputs\.(\w+)(?: \|\| '([^']*)')? \}\}", value, text) for name, text in step["env"].items()}
    assert not any("${{" in text for text in (*given.values(), step["run"]))
    assert step["shell"] == "bash"
    places = {"GITHUB_ACTION_PATH": str(DOCKER), "GITHUB_WORKSPACE": str(workspace)}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    subprocess.run(command, env={**os.environ, **places, **given}, check=True, cwd=workspace)
