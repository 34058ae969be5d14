"""Promises for models that nobody trusts: what their ops try is confined and told, behind whichever wall stands."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from crossload.cli import main
from crossload.errors import NoReference
from crossload.report.results import Report
from crossload.runtimes import environments, registry
from crossload.runtimes.environments import Wall
from crossload.runtimes.walls import bubblewrap
from crossload.verbs.verify.verify import verify

HEAD = """
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
       attr { key: "shape" value { shape { dim { size: 2 } } } } }
node { name: "file" op: "Const" attr { key: "dtype" value { type: DT_STRING } }
       attr { key: "value" value { tensor { dtype: DT_STRING tensor_shape { } string_val: "FILE" } } } }
"""
WRITES = """
node { name: "effect" op: "WriteFile" input: "file" input: "file" }
node { name: "y" op: "Neg" input: "x" input: "^effect" attr { key: "T" value { type: DT_FLOAT } } }
"""
READS = 'node { name: "y" op: "ReadFile" input: "file" }'
PRINTS = """
node { name: "effect" op: "PrintV2" input: "file" attr { key: "output_stream" value { s: "file://FILE" } } }
node { name: "y" op: "Neg" input: "x" input: "^effect" attr { key: "T" value { type: DT_FLOAT } } }
"""
MATCHES = 'node { name: "y" op: "MatchingFiles" input: "file" }'

pytestmark = pytest.mark.slow


@pytest.fixture(params=["bubblewrap", "docker"])
def wall(request: pytest.FixtureRequest) -> Wall:
    """The walls that stand here."""
    if request.param == "docker":
        request.getfixturevalue("built")
    elif problem := bubblewrap.problem():
        pytest.skip("; ".join(problem))
    chosen: Wall = request.param
    return chosen


def _verified(body: str, file: Path, folder: Path, wall: Wall) -> Report:
    path = folder / "model.pbtxt"
    path.write_text((HEAD + body).replace("FILE", str(file)), encoding="utf-8")
    return verify(path, ["tensorflow"], wall=wall)


@pytest.mark.parametrize("body", [WRITES, PRINTS])
def test_a_graph_writes_no_file_of_the_host(body: str, wall: Wall, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    _verified(body, tmp_path / "target" / "owned", tmp_path, wall)  # there is a /tmp behind the wall, which is nobody else's
    assert not list((tmp_path / "target").iterdir())


@pytest.mark.parametrize("body", [WRITES, PRINTS])
def test_a_graph_that_writes_where_nobody_may_is_told(body: str, wall: Wall, tmp_path: Path) -> None:
    report = _verified(body, Path("/usr/owned-by-a-model"), tmp_path, wall)
    assert [r.outcome for r in report.results] == ["run_error"]
    assert "/usr/owned-by-a-model" in str(report.results[0].error)
    assert not Path("/usr/owned-by-a-model").exists()


def test_a_graph_reads_no_file_of_the_host(wall: Wall, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a secret", encoding="utf-8")
    report = _verified(READS, tmp_path / "secret", tmp_path, wall)
    assert [r.outcome for r in report.results] == ["run_error"]
    assert "No such file" in str(report.results[0].error)


def test_a_graph_finds_no_file_beside_the_artifact(wall: Wall, tmp_path: Path) -> None:
    report = _verified(MATCHES, tmp_path / "*", tmp_path, wall)
    assert any("has no element in any vector" in caution for caution in report.cautions), report.cautions


def test_a_lambda_layer_reaches_nothing_and_is_told(wall: Wall, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if wall == "docker":
        request.getfixturevalue("keras_image")
    (tmp_path / "secret").write_text("a secret", encoding="utf-8")
    model, target = tmp_path / "model.keras", tmp_path / "owned"
    python = environments.prepare(registry.one("tensorflow+python").source).argv[0]
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = [model, tmp_path / "secret", target, server.getsockname()[1]]
        subprocess.run([python, str(Path(__file__).with_name("lambda_model.py")), *map(str, words)], check=True, capture_output=True)
        with pytest.raises(NoReference) as caught:
            verify(model, ["tensorflow"], wall=wall, load_options={"allow_code": True})
    said = str(caught.value)
    assert all(f"CONFINED: {what}" in said for what in ("read: No such file", "write: ", "connect: ")), said
    assert "ESCAPED" not in said
    assert not target.exists()


def test_the_run_goes_on_after_a_confined_model(wall: Wall, demo: Path, tmp_path: Path) -> None:
    (tmp_path / "a.pbtxt").write_text((HEAD + READS).replace("FILE", "/etc/shadow"), encoding="utf-8")
    (tmp_path / "b.pb").write_bytes((demo / "frozen_graph.pb").read_bytes())
    with pytest.raises(SystemExit) as exited:
        main(["verify", f"{tmp_path}/a.pbtxt", f"{tmp_path}/b.pb", "--runtime", "tensorflow", "--in", wall, "--json", f"{tmp_path}/r.json"])
    assert exited.value.code == 1
    results = Report.read(tmp_path / "r.json").results
    assert {Path(r.case.artifact).name: r.outcome for r in results} == {"a.pbtxt": "run_error", "b.pb": "ok"}
    assert {r.case.runtime for r in results} == {f"{wall}:tensorflow"}
    assert "/etc/shadow" in str(results[0].error)
