"""`crossload show` of a .tflite's inside: the picture, packed files, Model Explorer's graph, and errors for bad input."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from crossload.artifacts.tflite.inner import Inner, Operator, Tensor
from crossload.cli import main
from crossload.cli.pages import tflite_graph
from tests.corpus import handmade
from tests.corpus.handmade import Lite


def show(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["show", *map(str, arguments)])


def picture(wires: list[tuple[tuple[int, ...], tuple[int, ...]]], inputs: tuple[int, ...], outputs: tuple[int, ...]) -> list[str]:
    """The lanes alone of a graph whose operators read and make these tensors."""
    count = 1 + max(i for taken, made in wires for i in (*taken, *made))
    tensors = tuple(Tensor(n, f"t{n}", "FP32", (1,), (), (), None) for n in range(count))
    graph = Inner(b"", None, 0, tensors, tuple(Operator("OP", *wire) for wire in wires), inputs, outputs)
    rows = list(tflite_graph.lines([graph]))[1:]
    return [row[2:].partition("input" if "input" in row else "output" if "output" in row else "#")[0].rstrip() for row in rows]


def test_a_chain_is_one_lane() -> None:
    assert picture([((0,), (1,)), ((1,), (2,))], (0,), (2,)) == ["●", "●", "●", "○"]


def test_a_branch_opens_a_lane_and_a_sum_closes_it() -> None:
    drawn = picture([((0,), (1,)), ((0,), (2,)), ((2,), (3,)), ((0, 1, 3), (4,))], (0,), (4,))
    assert drawn == ["●", "├─●", "├─│─●", "│ │ ●", "●─╯─╯", "○"]


def test_an_operator_of_two_results_has_two_lanes() -> None:
    assert picture([((0,), (1, 2)), ((1, 2), (3,))], (0,), (3,)) == ["●", "●─╮", "●─╯", "○"]


def test_an_unused_value_ends_where_it_is_made() -> None:
    assert picture([((0,), (1, 2)), ((1,), (3,))], (0,), (3,)) == ["●", "●─╮", "●", "○"]


def test_a_real_model_is_drawn_operator_by_operator(demo: Path) -> None:
    rows = show(demo / "model.tflite", "--graph").stdout.splitlines()
    assert [r for r in rows if "SOFTMAX" in r and "float32 (-1, 10)" in r]
    assert sum("#" in r for r in rows) == 9
    assert rows[-1].split()[:2] == ["○", "output"]


def test_the_page_has_sizes_and_versions_and_all_lists_the_tensors(demo: Path) -> None:
    page = show(demo / "model.tflite").stdout
    assert "tensors: 19, of them 9 constants of 39,732 bytes; --all lists them" in page
    assert "arena: about 5,120 bytes; an estimate" in page
    assert "most in use at once: 5,120 bytes at #1 MAX_POOL_2D" in page
    assert "4,096 bytes   digits" in show(demo / "model.tflite", "--all").stdout
    content = json.loads(show(demo / "model.tflite", "--json").stdout)
    assert content["graphs"][0]["estimated_arena"] == {"size_bytes": 5120, "most_bytes": 5120, "at": 1, "unknown": 0}
    assert content["graphs"][0]["operators"][0] == {"op": "CONV_2D", "version": 1, "inputs": [0, 8, 9], "outputs": [10]}


def test_packed_files_are_shown_and_extracted(tmp_path: Path) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(Lite().build())
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr("labels\x1b.txt", "cat")
    assert "packed files, which --extract FOLDER writes: labels\\x1b.txt (3 bytes)" in show(model).stdout
    assert json.loads(show(model, "--json").stdout)["packed_files"] == [{"name": "labels\x1b.txt", "size_bytes": 3}]
    assert show(model, "--extract", tmp_path / "out").stdout == f"{tmp_path}/out/labels\\x1b.txt: 3 bytes\n"


def test_a_damaged_archive_does_not_hide_the_model(tmp_path: Path) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(Lite().build())
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr("labels.txt", "cat")
    model.write_bytes(model.read_bytes().replace(b"PK\1\2", b"PK\0\0"))
    page = show(model)
    assert page.exit_code == 0
    assert "the archive of packed files" in page.stdout
    assert "FULLY_CONNECTED" in page.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--graph"], "--graph takes a .tflite, and {path} is a GraphDef"),
        (["--extract", "out"], "--extract takes a .tflite"),
        (["--model-explorer", "me.json"], "--model-explorer takes a .tflite"),
    ],
)
def test_another_format_is_refused_in_a_sentence(tmp_path: Path, options: list[str], message: str) -> None:
    path = handmade.write_graph(tmp_path / "m.pb", handmade.graph())
    found = show(path, *options)
    assert found.exit_code == 2
    assert message.format(path=path) in found.stderr


def test_two_files_or_errors_without_a_graph_are_refused(tmp_path: Path) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(Lite().build())
    (tmp_path / "r.json").write_text("{}")
    assert "--graph shows one .tflite; name one" in show(model, model, "--graph").stderr
    assert "name its file with --model-explorer" in show(model, "--errors", tmp_path / "r.json").stderr
    refused = show(model, "--model-explorer", tmp_path / "me.json", "--errors", tmp_path / "r.json")
    assert refused.exit_code == 2
    assert "r.json is not a report" in refused.stderr
    assert not (tmp_path / "me.json").exists()
