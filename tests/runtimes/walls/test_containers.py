"""Promises of workers in containers: the same answers as outside, nothing left behind, and a sentence for whatever is missing."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossload.cli import main
from crossload.contract.manifest import Binding
from crossload.errors import EnvironmentProblem, WorkerFailure
from crossload.runtimes import registry
from crossload.runtimes.process import Launch
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from crossload.runtimes.walls import containers, engine, images
from crossload.verbs.verify.verify import verify
from tests.runtimes.walls.conftest import IMAGE

SOURCE = ModelSource(Path(__file__), "tflite", {"s": Binding(inputs={"x": 0}, outputs={"y": 0})})


def _containers(client: Any) -> list[Any]:
    return list(client.containers.list(all=True, filters={"label": engine.OWNER}, ignore_removed=True))


@pytest.mark.slow
def test_an_artifact_has_the_same_results_in_a_container_as_outside(demo: Path, built: list[images.Built], client: Any) -> None:
    names = ["litert", "tensorflow", "tensorflow-java"]
    here, there = (verify(demo, names, wall=wall) for wall in (None, "docker"))
    found = [
        {(r.case.artifact, r.case.runtime.removeprefix("docker:"), r.case.vector): (r.outcome, r.metrics) for r in report.results}
        for report in (here, there)
    ]
    assert found[0] == found[1]
    assert {r.outcome for r in there.results} == {"ok"}
    assert not _containers(client)


@pytest.mark.slow
def test_an_image_that_is_built_again_is_unchanged_and_lists_what_it_contains(base: str, built: list[images.Built]) -> None:
    again = images.build(registry.one("litert"), base)
    assert again.cached
    assert again.size > 100 << 20
    names = [c["name"] for c in images.bill(registry.one("litert"))["components"]]
    assert "ai-edge-litert" in names


@pytest.mark.slow
def test_an_image_is_nobody_s_and_says_what_it_is(client: Any, built: list[images.Built]) -> None:
    about = client.images.get(built[0].name).attrs["Config"]
    assert about["User"] == "65534:65534"
    assert about["Labels"]["org.opencontainers.image.version"] == "2.3.0"
    assert about["Healthcheck"]["Test"]
    output = client.containers.run(
        built[0].name, about["Healthcheck"]["Test"][1:], entrypoint=["/bin/sh", "-c"], network_mode="none", remove=True
    )
    assert output == b""


@pytest.mark.slow
def test_a_hung_container_is_killed_and_removed(escaping_image: Callable[..., Launch], client: Any) -> None:
    with Supervisor("escaping", escaping_image("floods"), Limits(run=3)) as worker:
        worker.load(SOURCE)
        with pytest.raises(WorkerFailure) as caught:
            worker.infer("s", {"x": np.zeros(1, np.float32)}, ["y"])
        assert caught.value.outcome == "timeout"
        assert not _containers(client)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_core_that_is_killed_leaves_no_container(
    sent: signal.Signals, base: str, escaping_image: Callable[..., Launch], client: Any
) -> None:
    script = f"""
import time
from crossload.runtimes.supervisor import Supervisor
from crossload.runtimes.walls import containers
with Supervisor("escaping", containers.launch({IMAGE!r}, ["python3", "-u", "/opt/worker.py", "reads"])) as worker:
    worker.identity()
    print("running", flush=True)
    time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    assert process.stdout.readline() == b"running\n"
    assert len(_containers(client)) == 1
    process.send_signal(sent)
    process.wait()
    while _containers(client):
        pass


@pytest.mark.slow
def test_a_container_whose_crossload_is_gone_is_removed_by_the_next_run(client: Any, base: str) -> None:
    gone = engine.owner().rsplit(":", 2)[0] + ":1:0"
    stale = client.containers.create(base, "true", labels={engine.OWNER: gone})
    living = client.containers.create(base, "true", labels={engine.OWNER: engine.owner()})
    try:
        assert engine.reap(client) == 1
        assert [c.id for c in _containers(client)] == [living.id]
    finally:
        living.remove(force=True)
        assert stale.id not in [c.id for c in _containers(client)]


@pytest.mark.slow
def test_an_engine_that_dies_in_the_middle_is_one_crash(escaping_image: Callable[..., Launch], client: Any) -> None:
    with Supervisor("escaping", escaping_image("lists", "@/"), Limits(run=30)) as worker:
        worker.load(SOURCE)
        for container in _containers(client):
            container.kill()
        with pytest.raises(WorkerFailure) as caught:
            worker.infer("s", {"x": np.zeros(1, np.float32)}, ["y"])
        assert caught.value.outcome == "crash"
        assert "SIGKILL" in caught.value.message


@pytest.mark.slow
def test_a_missing_image_is_told_with_the_command_that_builds_it(base: str) -> None:
    with pytest.raises(
        EnvironmentProblem, match=r"the image crossload/tensorflow-java:0\.3\.3 is not there; build it: crossload runtimes build"
    ):
        containers.confined(registry.one("tensorflow-java@0.3.3"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({}, "is labelled None of protocol None"),
        ({images.RUNTIME: "litert@2.3.0", images.SPEAKS: "1"}, "is labelled 'litert@2.3.0'"),
        ({images.RUNTIME: "tflite-micro@{version}", images.SPEAKS: "0"}, "of protocol '0'"),
        ({images.RUNTIME: "tflite-micro@{version}", images.SPEAKS: "1", images.CONTENT: "old"}, "was built by another crossload"),
    ],
)
def test_an_image_that_is_not_what_it_should_be_is_told(base: str, client: Any, tmp_path: Path, labels: dict[str, str], said: str) -> None:
    runtime = registry.one("tflite-micro")
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\n", encoding="utf-8")
    given = {k: v.format(version=runtime.version) for k, v in labels.items()}
    client.images.build(path=str(tmp_path), tag=images.name_of(runtime), labels=given, rm=True)
    try:
        with pytest.raises(EnvironmentProblem) as caught:
            containers.confined(runtime)
        assert said in str(caught.value)
        assert "crossload runtimes build tflite-micro" in str(caught.value)
    finally:
        client.images.remove(images.name_of(runtime))


@pytest.mark.slow
def test_a_base_that_the_engine_does_not_have_is_told(base: str) -> None:
    with pytest.raises(EnvironmentProblem, match="name one that the engine has, --base IMAGE"):
        images.build(registry.one("litert"), "crossload-test/none:1")


@pytest.mark.parametrize("address", ["unix://{folder}/none.sock", "tcp://[", "tcp://", "nonsense", "npipe:////./pipe/none"])
def test_without_an_engine_the_next_step_is_said(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", address.format(folder=tmp_path))
    with pytest.raises(SystemExit) as exited:
        main(["runtimes", "build", "litert"])
    assert exited.value.code == 2
    assert "no container engine answers at" in capsys.readouterr().err


def test_an_untrusted_model_is_refused_where_no_wall_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("docker")
    from crossload.runtimes import walls

    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match=r"none stands here: .*apt-get install bubblewrap"):
        walls.standing()
