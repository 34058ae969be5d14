"""Promises for models that nobody trusts: what their ops try is confined and told, behind whichever wall stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossload.report.results import Report
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


def test_a_graph_that_writes_where_nobody_may_is_told(wall: Wall, tmp_path: Path) -> None:
    report = _verified(WRITES, Path("/usr/owned-by-a-model"), tmp_path, wall)
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


def test_the_run_goes_on_after_a_confined_model(wall: Wall, demo: Path) -> None:
    report = verify(demo, ["tensorflow"], vectors=["zeros"], wall=wall)
    assert {r.outcome for r in report.results} == {"ok"}
    assert report.columns == [f"{wall}:tensorflow"]
