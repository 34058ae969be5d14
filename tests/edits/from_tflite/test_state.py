"""What a .tflite keeps between calls: the graph keeps it too, in the order of the calls, until the session ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from crossload.artifacts.graphs import hidden_state, protos, unset
from crossload.artifacts.tflite import tflite_file
from crossload.artifacts.tflite.inner import Inner, Operator, Tensor
from crossload.contract.manifest import Binding
from crossload.edits.from_tflite.edge import tflite_to_graph_def
from crossload.edits.from_tflite.graph_builder import RESOURCE, GraphBuilder
from crossload.edits.from_tflite.once import Filled
from crossload.edits.from_tflite.state import State
from crossload.edits.from_tflite.subgraphs import SubgraphWriter
from crossload.inputs.requests import Requests
from crossload.runtimes.supervisor import ModelSource, Supervisor
from crossload.verbs.convert.convert import convert
from tests import CORPUS
from tests.environment import launch_of

KINDS = CORPUS / "lite_kinds.zip"
ALIVE = ("litert", "tensorflow")
# Layers that TensorFlow 2.15's converter fuses into operators with a state, and a variable of the model's own.
COMPARED = ("lstm", "lstm_last", "both_ways", "rnn", "variable", "lstm_int8", "lstm_dynamic", "lstm_last_dynamic")


def file_of(name: str, folder: Path) -> Path:
    with ZipFile(KINDS) as archive:
        return Path(archive.extract(f"{name}.tflite", folder))


def graph_of(name: str, folder: Path) -> tuple[protos.GraphDefProto, Binding]:
    file = file_of(name, folder)
    ((key, signature),) = tflite_file.read(file).signatures.items()
    binding = {"key": key, "inputs": {t.name: t.tensor for t in signature.inputs}, "outputs": {t.name: t.tensor for t in signature.outputs}}
    made = tflite_to_graph_def(file, folder / "m.pb", {"s": binding}, {})
    return protos.parse(folder / "m.pb", protos.GraphDefProto, "GraphDef"), Binding(**made["s"])


def test_every_output_waits_for_the_variables_to_be_assigned(tmp_path: Path) -> None:
    graph, binding = graph_of("lstm", tmp_path)
    nodes = {node.name: node for node in graph.node}
    assigned = {f"^{n.name}" for n in graph.node if n.op == "AssignVariableOp"}
    assert len(assigned) == 2
    for tensor in binding.outputs.values():
        assert assigned <= set(nodes[str(tensor).partition(":")[0]].input)


def test_a_variable_is_read_and_assigned_once_a_run(tmp_path: Path) -> None:
    graph, _ = graph_of("variable", tmp_path)
    operations = [n.op for n in graph.node]
    assert [operations.count(op) for op in ("VarHandleOp", "VarIsInitializedOp", "If", "AssignVariableOp")] == [1, 1, 1, 1]


def test_a_variable_is_assigned_only_after_what_an_earlier_run_left_is_read(tmp_path: Path) -> None:
    graph, _ = graph_of("variable", tmp_path)
    (read,) = (n.name for n in graph.node if n.op == "If")
    (assigned,) = (n for n in graph.node if n.op == "AssignVariableOp")
    assert f"^{read}" in assigned.input


def test_the_graph_is_known_to_keep_a_state(tmp_path: Path) -> None:
    _, binding = graph_of("variable", tmp_path)
    found = hidden_state.of_artifact(tmp_path / "m.pb", "graph_def", None, {"s": binding})
    assert found["s"].changing


def test_signatures_that_name_the_same_variable_share_it() -> None:
    builder = GraphBuilder()
    handles = [State(builder, number).variable("total", np.zeros(2, np.float32), "FP32") for number in (0, 1)]
    nodes = [builder.nodes[handle.tensor.partition(":")[0]] for handle in handles]
    assert nodes[0].name != nodes[1].name
    assert [node.attr["shared_name"].s for node in nodes] == [b"total"] * 2


def test_the_variables_of_the_graph_have_a_first_value_and_those_of_an_unfrozen_graph_do_not(tmp_path: Path) -> None:
    graph, _ = graph_of("variable", tmp_path)
    assert unset.begun(graph) == {n.name: m.name for n in graph.node for m in graph.node if (n.op, m.op) == ("VarHandleOp", "If")}
    assert not unset.valueless(graph)
    of_tensorflow_1 = protos.GraphDefProto()
    of_tensorflow_1.node.add(name="v", op="VarHandleOp")
    of_tensorflow_1.node.add(name="v/IsInitialized", op="VarIsInitializedOp", input=["v"])
    of_tensorflow_1.node.add(name="v/Read", op="ReadVariableOp", input=["v"])
    assert unset.valueless(of_tensorflow_1) == ["v"]


def test_a_variable_that_nothing_assigns_is_a_constant(tmp_path: Path) -> None:
    graph, _ = graph_of("unassigned", tmp_path)
    assert "VarHandleOp" not in {n.op for n in graph.node}


@pytest.fixture(scope="module")
def alive() -> Iterator[dict[str, Supervisor]]:
    with Supervisor(ALIVE[0], launch_of(ALIVE[0])) as litert, Supervisor(ALIVE[1], launch_of(ALIVE[1])) as tensorflow:
        yield dict(zip(ALIVE, (litert, tensorflow), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPARED)
def test_a_sequence_of_calls_is_answered_as_litert_answers_it(name: str, alive: dict[str, Supervisor], tmp_path: Path) -> None:
    made = convert(file_of(name, tmp_path), tmp_path / "m.pb", alive=alive, requests=Requests(count=4, faults=0))
    assert made.report
    assert [r.outcome for r in made.report.results] == ["ok"] * 4


@pytest.mark.slow
@pytest.mark.parametrize(("name", "between"), [("variable", "m.pb"), ("both_ways", "m.pb"), ("lstm", "saved_model")])
def test_the_graph_becomes_a_tflite_that_keeps_the_state(name: str, between: str, alive: dict[str, Supervisor], tmp_path: Path) -> None:
    graph = convert(file_of(name, tmp_path), tmp_path / between, alive=alive, requests=Requests(count=4, faults=0))
    again = convert(graph.path, tmp_path / "again.tflite", alive=alive, requests=Requests(count=4, faults=0))
    assert again.report
    assert [r.outcome for r in again.report.results] == ["ok"] * 4
    assert tflite_file.read(again.path).changing


@pytest.mark.slow
def test_a_second_session_begins_anew(alive: dict[str, Supervisor], tmp_path: Path) -> None:
    _, binding = graph_of("variable", tmp_path)
    source = ModelSource(tmp_path / "m.pb", "graph_def", {"s": binding})
    (given,), (taken,) = binding.inputs, binding.outputs
    answers = []
    for _ in range(2):
        alive["tensorflow"].load(source)
        one = [alive["tensorflow"].infer("s", {given: np.ones((1, 4), np.float32)}, [taken]).outputs[taken] for _ in range(2)]
        answers.append(np.stack(one))
    assert not np.array_equal(answers[0][0], answers[0][1]), "the second call goes on where the first ended"
    assert np.array_equal(*answers)


def test_a_state_inside_a_loop_is_refused_with_the_reason() -> None:
    name = ("VAR_HANDLE", "/")
    tensors = (Tensor(0, "v", RESOURCE, (), (), (), None), Tensor(1, "x", "FP32", (2,), (), (), None))
    operators = (Operator("VAR_HANDLE", (), (0,)), Operator("ASSIGN_VARIABLE", (0, 1), ()))
    body = Inner(b"", None, 1, tensors, operators, (1,), (1,))
    writer = SubgraphWriter([body, body], Filled({name: [(tensors[1], np.zeros(2, np.float32))]}, changing={name}))
    writer.function(GraphBuilder(), 1)
    reason = "keeps a state inside a branch, a loop or a call, which a graph's function cannot"
    assert writer.reasons == {"VAR_HANDLE": reason, "ASSIGN_VARIABLE": reason}
