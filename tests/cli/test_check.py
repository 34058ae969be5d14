"""`crossload check`: its text, its JSON, and its exit status for CI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from crossload.cli import main
from tests.corpus.checked_graphs import FLOAT, LEGACY, RELEASES, add, graph_of, saved_model

OLD = [LEGACY, "tensorflow-java@0.3.3", "tensorflow-java@0.4.2"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A SavedModel with an op that came with TensorFlow 2.10."""
    graph = graph_of()
    add(graph, "v", "VarHandleOp", dtype=FLOAT).attr["shape"].shape.SetInParent()
    add(graph, "copy", "DisableCopyOnRead", "v")
    return written(tmp_path / "model", graph)


def written(path: Path, graph: object) -> Path:
    (path / "saved_model.pb").write_bytes(saved_model(path, graph).SerializeToString())
    return path


def check(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["check", *map(str, arguments)])


def test_each_release_has_a_row_with_what_stops_it(model: Path) -> None:
    result = check(model)
    rows = result.stdout.splitlines()
    assert [row.split()[0] for row in rows] == RELEASES
    assert [row.split()[0] for row in rows if "Op type not registered 'DisableCopyOnRead'" in row and " load_error: " in row] == OLD
    assert [row.split()[0] for row in rows if row.endswith(" ok")] == [title for title in RELEASES if title not in OLD]
    assert result.exit_code == 0, "without --runtime, one release that will do is enough"


def test_a_named_release_gets_its_findings_and_the_remedy(model: Path) -> None:
    result = check(model, "--runtime", "tensorflow-java@0.4.2")
    title, finding, remedy = result.stdout.splitlines()
    assert title.split() == ["tensorflow-java@0.4.2", "TensorFlow", "2.7.4", "load_error"]
    assert finding.endswith("first in TensorFlow 2.10.1 of the releases known here; yours is 2.7.4 (node 'copy')")
    would_do = ", ".join(t for t in RELEASES if t not in OLD)
    assert remedy == f"    → would run in: {would_do}; crossload convert {model} DESTINATION --runtime tensorflow-java@0.4.2"
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("asked", "status"), [("tensorflow-java@1.1.0", 0), ("tensorflow-java", 0), ("tensorflow-java@1.*,tensorflow-java@0.3.3", 1)]
)
def test_the_status_is_1_if_a_named_release_does_not_run_it(model: Path, asked: str, status: int) -> None:
    assert check(model, "--runtime", asked).exit_code == status


def test_without_names_the_status_is_1_if_no_release_runs_it(tmp_path: Path) -> None:
    graph = graph_of()
    add(graph, "beside", "NoSuchOp", "x")
    assert check(written(tmp_path / "model", graph)).exit_code == 1


def test_json_is_one_object_with_every_prediction(model: Path) -> None:
    result = check(model, "--runtime", "tensorflow-java@0.4.2,tensorflow-java@1.1.0", "--json")
    report = json.loads(result.stdout)
    assert (report["path"], report["left_out"], result.exit_code) == (str(model), [], 1)
    (artifact,) = report["artifacts"]
    assert artifact["would_do"] == [title for title in RELEASES if title not in OLD]
    old, new = artifact["predictions"]
    assert (old["runtime"], old["outcome"], old["loads"], old["signatures"]) == (
        "tensorflow-java@0.4.2",
        "load_error",
        False,
        {"serving_default": "load_error"},
    )
    assert [(f["op"], f["node"], f["outcome"]) for f in old["findings"]] == [("DisableCopyOnRead", "copy", "load_error")]
    assert (new["outcome"], new["loads"], new["findings"], new["remedy"]) == ("ok", True, [], "")


def test_the_first_obstacles_are_shown_and_all_with_all(tmp_path: Path) -> None:
    graph = graph_of()
    for number in range(9):
        add(graph, f"n{number}", f"NoSuchOp{number}", "x")
    path = written(tmp_path / "model", graph)
    short, long = check(path, "--runtime", LEGACY).stdout, check(path, "--runtime", LEGACY, "--all").stdout
    assert short.count("Op type not registered") == 5
    assert "… and 4 more; --all lists them" in short
    assert long.count("Op type not registered") == 9


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--runtime", "litert"), "none of the named releases takes a saved_model; without --runtime"),
        (("--runtime", "tensorflow-java@9.*"), "check knows no release 'tensorflow-java@9.*'; it knows: "),
        (("--tags", "train"), "has no such artifact; it has: saved_model with the tags serve"),
        (("--artifact", "frozen"), "has no such artifact; it has: saved_model"),
    ],
)
def test_unusable_input_is_status_2_and_one_sentence(model: Path, arguments: tuple[str, ...], said: str) -> None:
    result = check(model, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


def test_a_file_that_is_not_a_graph_is_status_2(tmp_path: Path) -> None:
    path = tmp_path / "model.pb"
    path.write_bytes(b"nonsense")
    assert check(path).exit_code == 2
    assert check(tmp_path / "nothing").exit_code == 2
