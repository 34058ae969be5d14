"""A frozen graph inside a new model: any of its tensors, its constants unchanged, a head on top that learns."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import crossload
from crossload.artifacts.messages import message_class
from crossload.verbs.convert.convert import convert
from tests import CORPUS, ROOT, environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What frozen_functions.py prints."""
    script = CORPUS / "use_frozen_functions.py"
    command = [environment.launch_of("tensorflow+python").argv[0], str(script), str(tmp_path_factory.mktemp("frozen"))]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT / "python")}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    printed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return printed


# The rows [1, 2] and [0, 2] times [[1, -1], [2, 0.5]].
PRODUCT = [[5, 0], [4, 1]]


def test_any_inner_tensor_is_an_output_alone_in_a_list_or_by_name(found: dict[str, Any]) -> None:
    assert found["one"] == PRODUCT
    assert found["listed"] == [PRODUCT, PRODUCT]
    assert found["named"] == {"features": PRODUCT, "scores": [[15, 0], [12, 3]]}


def test_an_inner_tensor_is_an_input_too(found: dict[str, Any]) -> None:
    assert found["from_inside"] == [[0, 1], [0, 1]]


def test_gradients_flow_through_the_frozen_graph_and_a_module_keeps_it(found: dict[str, Any]) -> None:
    assert found["gradient"] == [[1, 2], [0, 2.5]]
    assert found["saved"] == [[6, 1], [5, 2]]


def test_what_cannot_be_used_is_one_sentence(found: dict[str, Any]) -> None:
    assert found["misspelt"].endswith("graph.pb has no tensor 'block/hiden'; near it are 'block/hidden'")
    assert found["index"].endswith("has no tensor 'product:1': the outputs of product go from :0 to :0")
    assert found["open"].endswith("needs scale:0 for scaled, too; add it to the inputs, or cut behind it")
    assert found["number"] == "TypeError: 2 tensors were given, but the graph takes 1: x:0"
    assert found["no_graph"].startswith("ModelError:")
    assert all(found[k].startswith("ModelError:") for k in ("misspelt", "index", "open"))


@pytest.fixture(scope="module")
def parity(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """The demo's frozen graph, the bundle of what is trained on it, and what the training printed."""
    folder = tmp_path_factory.mktemp("parity")
    convert(demo / "saved_model", folder / "digits.pb", verified=False)
    command = [sys.executable, "-m", "crossload.cli", "export", f"{ROOT / 'python' / 'demo' / 'fine_tune.py'}:model"]
    environment = {**os.environ, "FROZEN_GRAPH": str(folder / "digits.pb")}
    done = subprocess.run([*command, "-o", str(folder / "parity")], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "digits.pb", folder / "parity", done.stderr


def test_a_new_head_on_a_frozen_graph_learns_a_new_task(parity: tuple[Path, Path, str]) -> None:
    printed = re.search(r"accuracy, odd or even: ([\d.]+)% before, ([\d.]+)% after", parity[2])
    assert printed
    before, after = (float(p) for p in printed.groups())
    assert before < 75
    assert after >= 95


def test_a_model_trained_on_a_frozen_graph_keeps_its_constants_bit_for_bit(parity: tuple[Path, Path, str]) -> None:
    earlier, now = constants(parity[0]), constants(parity[1] / "frozen_graph.pb")
    assert {name.rpartition("/")[0] for name in earlier} == {"conv2d", "conv2d_1", "probabilities"}
    # The features end before the old head: its constants are not needed, and a graph frozen without TensorFlow has none of those.
    needed = {value for name, value in earlier.items() if not name.startswith("probabilities/")}
    assert len(needed) == 4
    assert needed <= set(now.values())
    assert len(now) == len(needed) + 4  # and the new head's two layers


def test_a_model_trained_on_a_frozen_graph_saves_in_every_format_and_verifies(parity: tuple[Path, Path, str]) -> None:
    report = crossload.verify(parity[1], runtimes=["tensorflow", "tensorflow-java", "litert"])
    assert not [(r.case, r.error) for r in report.results if r.failed]
    assert {r.case.artifact for r in report.results if r.outcome == "ok"} == {"saved_model", "graph_def", "tflite"}


def constants(file: Path) -> dict[str, bytes]:
    """The float constants of a graph: their serialised values."""
    graph = message_class("tensorflow.GraphDef").FromString(file.read_bytes())
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    floats = [n for n in nodes if n.op == "Const" and n.attr["dtype"].type == 1]
    return {n.name: n.attr["value"].tensor.SerializeToString(deterministic=True) for n in floats}
