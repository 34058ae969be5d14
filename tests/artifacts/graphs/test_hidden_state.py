"""What a graph states of an answer's dependence on chance and on earlier requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossload.artifacts.graphs.hidden_state import Hidden, of_artifact
from crossload.contract.manifest import Binding
from tests.corpus import handmade
from tests.corpus.handmade import FLOAT, node

ANSWER = {"s": Binding(inputs={"x": "x:0"}, outputs={"y": "y:0"})}


def stated(tmp_path: Path, graph: Any) -> Hidden:
    return of_artifact(handmade.write_graph(tmp_path / "g.pb", graph), "graph_def", None, ANSWER)["s"]


def small() -> Any:
    graph = handmade.graph()
    node(graph.node, "y", "Identity", "probabilities", T=FLOAT)
    return graph


def test_a_plain_graph_states_nothing(tmp_path: Path) -> None:
    assert not stated(tmp_path, small())


@pytest.mark.parametrize(
    "op", ["RandomUniform", "RandomStandardNormal", "Multinomial", "RandomShuffle", "AnonymousSeedGenerator", "Timestamp"]
)
def test_a_random_op_counts_on_the_path_to_the_answer_only(tmp_path: Path, op: str) -> None:
    graph = small()
    node(graph.node, "noise", op, "x")
    assert not stated(tmp_path, graph)
    graph.node[-2].input.append("noise")
    assert stated(tmp_path, graph).random == (f"{op} 'noise'",)


@pytest.mark.parametrize("attribute", ["seed", "seed2"])
def test_a_random_op_with_a_seed_counts_as_seeded(tmp_path: Path, attribute: str) -> None:
    graph = small()
    node(graph.node, "noise", "RandomUniform", "x")
    graph.node[-2].input.append("noise")
    assert stated(tmp_path, graph).unseeded
    graph.node[-1].attr[attribute].i = 7
    assert stated(tmp_path, graph) == Hidden(random=("RandomUniform 'noise'",))


@pytest.mark.parametrize("op", ["StatelessRandomUniform", "ScatterNd", "TensorScatterUpdate", "ReadVariableOp"])
def test_an_op_without_state_does_not_count(tmp_path: Path, op: str) -> None:
    graph = small()
    node(graph.node, "more", op, "x")
    graph.node[-2].input.append("more")
    assert not stated(tmp_path, graph)


@pytest.mark.parametrize(
    "op",
    [
        "Assign",
        "AssignAddVariableOp",
        "ScatterUpdate",
        "ScatterNdAdd",
        "ResourceScatterAdd",
        "ResourceApplyAdam",
        "StatefulUniform",
        "RngSkip",
    ],
)
def test_a_change_of_a_variable_counts_as_a_control_input_and_in_a_function(tmp_path: Path, op: str) -> None:
    graph = small()
    node(graph.node, "change", op, "x")
    graph.node[-2].input.append("^change")
    assert stated(tmp_path, graph).changing == (f"{op} 'change'",)
    called = small()
    function = called.library.function.add()
    function.signature.name = "body"
    node(function.node_def, "inside", op, "x")
    call = node(called.node, "call", "StatefulPartitionedCall", "x")
    call.attr["f"].func.name = "body"
    called.node[-2].input.append("call")
    assert stated(tmp_path, called).changing == (f"{op} 'inside'",)


def test_what_lies_behind_a_fed_tensor_does_not_count(tmp_path: Path) -> None:
    graph = small()
    graph.node[0].input.append("queue")
    node(graph.node, "queue", "QueueDequeueV2")
    assert not stated(tmp_path, graph)


def test_a_variable_that_loading_fills_at_random_is_named(tmp_path: Path) -> None:
    folder = handmade.saved_model(tmp_path / "m", handmade.drawn_at_load())
    found = of_artifact(folder, "saved_model", ["serve"], ANSWER)["s"]
    assert found == Hidden(at_load=("'w' by RandomUniform 'draw'",))


def test_a_tflite_names_its_assigning_op() -> None:
    path = Path(__file__).parents[2] / "corpus" / "binary" / "counter.tflite"
    assert of_artifact(path, "tflite", None, ANSWER)["s"] == Hidden(changing=("ASSIGN_VARIABLE",))
