"""Models with loops, branches and tables answer in TensorFlow as in LiteRT; the demo goes on to Java, and back to a .tflite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crossload.artifacts.tflite import tflite_file
from crossload.inputs.requests import Requests
from crossload.runtimes.supervisor import Supervisor
from crossload.verbs.convert.convert import convert
from tests import CORPUS
from tests.environment import launch_of, made_once, with_tensorflow

pytestmark = pytest.mark.slow
NAMES = ("gru", "bidirectional", "multi_head", "string_lookup", "branches")
ALIVE = ("litert", "tensorflow")


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "keras_layers", lambda folder: with_tensorflow(CORPUS / "keras_layers.py", folder, *NAMES))


@pytest.fixture(scope="module")
def alive() -> Iterator[dict[str, Supervisor]]:
    with Supervisor(ALIVE[0], launch_of(ALIVE[0])) as litert, Supervisor(ALIVE[1], launch_of(ALIVE[1])) as tensorflow:
        yield dict(zip(ALIVE, (litert, tensorflow), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_answers_in_tensorflow_as_in_litert(name: str, layers: Path, alive: dict[str, Supervisor], tmp_path: Path) -> None:
    made = convert(layers / f"{name}.tflite", tmp_path / "m.pb", alive=alive, requests=Requests(count=3))
    assert made.report
    assert len([r for r in made.report.results if r.agreement]) == 3


def test_the_layers_hold_every_operator_of_control_flow_and_of_tables(layers: Path) -> None:
    ops = {op for name in NAMES for op in tflite_file.read(layers / f"{name}.tflite").ops["builtin"]}
    assert {"WHILE", "IF", "CALL_ONCE", "HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT"} <= ops


@pytest.mark.parametrize("file", ["model.tflite", "model_int8.tflite"])
def test_the_demo_runs_in_java_and_becomes_a_tflite_again(file: str, demo: Path, alive: dict[str, Supervisor], tmp_path: Path) -> None:
    graph = convert(demo / file, tmp_path / "m.pb", runtimes=["tensorflow-java"], alive=alive)
    again = convert(graph.path, tmp_path / "again.tflite", alive=alive)
    for made in (graph, again):
        assert made.report
        assert made.report.exit_status == 0
        assert made.report.results
