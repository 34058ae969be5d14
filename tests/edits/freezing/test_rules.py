"""A variable becomes a constant only where its value is certain; everything else is refused with its reason."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto import graph_pb2, meta_graph_pb2

from crossload.edits.freezing import freeze
from crossload.edits.freezing.refusal import NeedsTensorFlow
from tests.corpus import checkpoints

FLOAT, INT32, STRING = 1, 3, 7
BINDINGS = {"s": {"key": "s", "inputs": {"x": "x:0"}, "outputs": {"y": "y:0"}}}


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose dense/kernel is the float numbers 0 to 11, of shape [4, 3]."""
    return checkpoints.small(tmp_path_factory.mktemp("checkpoint"))


def node(graph: Any, name: str, op: str, *inputs: str, **types: int) -> Any:
    made = graph.node.add(name=name, op=op, input=inputs)
    for attribute, number in types.items():
        made.attr[attribute].type = number
    return made


def text(graph: Any, name: str, value: str) -> None:
    made = node(graph, name, "Const", dtype=STRING).attr["value"].tensor
    made.dtype = STRING
    made.tensor_shape.dim.add(size=1)
    made.string_val.append(value.encode())


def model() -> Any:
    """y = x · w, and a saver that restores w from dense/kernel."""
    meta_graph = meta_graph_pb2.MetaGraphDef()
    graph = meta_graph.graph_def
    node(graph, "x", "Placeholder", dtype=FLOAT)
    variable = node(graph, "w", "VarHandleOp", dtype=FLOAT).attr["shape"].shape
    for size in (4, 3):
        variable.dim.add(size=size)
    node(graph, "w/read", "ReadVariableOp", "w", dtype=FLOAT)
    node(graph, "y", "MatMul", "x", "w/read", T=FLOAT).attr["grad_a"].b = False
    text(graph, "save/file", "model")
    text(graph, "save/names", "dense/kernel")
    text(graph, "save/parts", "")
    node(graph, "save/restore", "RestoreV2", "save/file", "save/names", "save/parts").attr["dtypes"].list.type.append(FLOAT)
    node(graph, "save/assign", "AssignVariableOp", "w", "save/restore", dtype=FLOAT)
    node(graph, "save/all", "NoOp", "^save/assign")
    meta_graph.saver_def.restore_op_name, meta_graph.saver_def.filename_tensor_name = "save/all", "save/file:0"
    return meta_graph


def named(meta_graph: Any) -> dict[str, Any]:
    return {n.name: n for n in meta_graph.graph_def.node}


def test_a_variable_becomes_the_value_that_the_restore_operation_assigns(prefix: Path) -> None:
    frozen = {n.name: n for n in freeze.freeze(model(), prefix, BINDINGS).node}
    assert {name: n.op for name, n in frozen.items()} == {"x": "Placeholder", "w": "Const", "w/read": "Identity", "y": "MatMul"}
    value = frozen["w"].attr["value"].tensor
    assert (value.dtype, [d.size for d in value.tensor_shape.dim]) == (FLOAT, [4, 3])
    assert value.tensor_content == checkpoints.WEIGHTS.tobytes()


def test_the_source_s_graph_stays_as_it_is(prefix: Path) -> None:
    meta_graph = model()
    freeze.freeze(meta_graph, prefix, BINDINGS)
    assert meta_graph == model()


def test_the_written_graph_states_no_defaults_and_names_its_outputs_if_asked(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "model.ckpt.meta").write_bytes(model().SerializeToString())
    for file in prefix.parent.iterdir():
        (tmp_path / file.name.replace("ckpt", "model.ckpt")).write_bytes(file.read_bytes())
    bindings = {"s": {**BINDINGS["s"], "outputs": {"answer": "y:0"}}}
    made = freeze.of_meta_graph(tmp_path / "model.ckpt", tmp_path / "frozen.pb", bindings, {"name_outputs": True})
    nodes = {n.name: n for n in graph_pb2.GraphDef.FromString((tmp_path / "frozen.pb").read_bytes()).node}
    assert made["s"] == {"key": None, "inputs": {"x": "x:0"}, "outputs": {"answer": "answer:0"}}
    assert (nodes["answer"].op, list(nodes["answer"].input), nodes["answer"].attr["T"].type) == ("Identity", ["y"], FLOAT)
    assert set(nodes["y"].attr) == {"T"}


def test_a_part_of_a_variable_is_that_part_of_the_checkpoint_s_tensor(prefix: Path) -> None:
    meta_graph = model()
    named(meta_graph)["save/parts"].attr["value"].tensor.string_val[0] = b"4 3 1,2:-"
    named(meta_graph)["w"].attr["shape"].shape.dim[0].size = 2
    value = next(n for n in freeze.freeze(meta_graph, prefix, BINDINGS).node if n.name == "w").attr["value"].tensor
    assert value.tensor_content == checkpoints.WEIGHTS[1:3].tobytes()


def test_nodes_of_one_shared_name_are_one_variable(prefix: Path) -> None:
    meta_graph = model()
    for name in ("w", "again"):
        found = named(meta_graph).get(name) or node(meta_graph.graph_def, name, "VarHandleOp", dtype=FLOAT)
        found.attr["shared_name"].s = b"shared"
    named(meta_graph)["w/read"].input[0] = "again"
    value = next(n for n in freeze.freeze(meta_graph, prefix, BINDINGS).node if n.name == "again").attr["value"].tensor
    assert value.tensor_content == checkpoints.WEIGHTS.tobytes()


def test_without_a_saver_a_variable_has_the_tensor_of_its_name(prefix: Path) -> None:
    meta_graph = model()
    meta_graph.ClearField("saver_def")
    with pytest.raises(NeedsTensorFlow, match="the checkpoint has no tensor 'w'"):
        freeze.freeze(meta_graph, prefix, BINDINGS)
    named(meta_graph)["w/read"].input[0] = "dense/kernel"
    named(meta_graph)["w"].name = "dense/kernel"
    assert freeze.freeze(meta_graph, prefix, BINDINGS).node


def another_shape(meta_graph: Any) -> None:
    named(meta_graph)["w"].attr["shape"].shape.dim[0].size = 5


def another_datatype(meta_graph: Any) -> None:
    named(meta_graph)["w"].attr["dtype"].type = INT32


def another_file(meta_graph: Any) -> None:
    text(meta_graph.graph_def, "other", "elsewhere")
    named(meta_graph)["save/restore"].input[0] = "other"


def computed_value(meta_graph: Any) -> None:
    node(meta_graph.graph_def, "twice", "AddV2", "save/restore", "save/restore", T=FLOAT)
    named(meta_graph)["save/assign"].input[1] = "twice"


def assigned_twice(meta_graph: Any) -> None:
    node(meta_graph.graph_def, "save/more", "AssignVariableOp", "w", "save/restore", dtype=FLOAT)
    named(meta_graph)["save/all"].input.append("^save/more")


def set_by_the_init_op(meta_graph: Any) -> None:
    node(meta_graph.graph_def, "init", "AssignVariableOp", "w", "w/read", dtype=FLOAT)
    meta_graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "init"


def changed_by_an_answer(meta_graph: Any) -> None:
    node(meta_graph.graph_def, "add", "AssignAddVariableOp", "w", "w/read", dtype=FLOAT)
    named(meta_graph)["y"].input.append("^add")


def queue(meta_graph: Any) -> None:
    node(meta_graph.graph_def, "queue", "FIFOQueueV2")
    node(meta_graph.graph_def, "dequeue", "QueueDequeueV2", "queue").attr["component_types"].list.type.append(FLOAT)
    named(meta_graph)["y"].input[0] = "dequeue"


def inner_input(meta_graph: Any) -> None:
    node(meta_graph.graph_def, "before", "Placeholder", dtype=FLOAT)
    named(meta_graph)["x"].op = "Identity"
    named(meta_graph)["x"].input.append("before")


def asset(meta_graph: Any) -> None:
    meta_graph.asset_file_def.add(filename="words.txt").tensor_info.name = "w/read:0"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (another_shape, r"is \[5, 3\] in the graph and \[4, 3\] in the checkpoint"),
        (another_datatype, "is FP32 in the checkpoint and INT32 in the graph"),
        (another_file, "no restore operation gives the variable 'w' its value"),
        (computed_value, "no restore operation gives the variable 'w' its value"),
        (assigned_twice, "assigns 'w' twice"),
        (set_by_the_init_op, "its init operation uses the variable 'w'"),
        (changed_by_an_answer, "AssignAddVariableOp does more with the variable 'w' than read it"),
        (queue, r"it keeps state that is not a variable \((QueueDequeueV2|FIFOQueueV2)\)"),
        (inner_input, "the input 'x' is not a placeholder"),
        (asset, "it reads the asset 'w/read'"),
    ],
)
def test_what_is_not_certain_is_refused_with_its_reason(prefix: Path, spoil: Callable[[Any], None], says: str) -> None:
    meta_graph = model()
    spoil(meta_graph)
    with pytest.raises(NeedsTensorFlow, match=says):
        freeze.freeze(meta_graph, prefix, BINDINGS)


def test_an_option_that_changes_more_than_variables_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "graph.pb"
    file.write_bytes(model().graph_def.SerializeToString())
    with pytest.raises(NeedsTensorFlow, match="the option optimize was given"):
        freeze.of_graph_def(file, tmp_path / "out.pb", BINDINGS, {"optimize": True})


@given(st.integers(0, 1 << 30))
def test_a_damaged_graph_is_frozen_or_refused_and_no_other_error(prefix: Path, tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    chance, meta_graph = random.Random(seed), model()
    graph = meta_graph.graph_def
    for _ in range(chance.randint(1, 3)):
        one = chance.choice(graph.node)
        names = [n.name for n in graph.node]
        at = chance.randrange(6)
        if at == 0 and one.input:
            del one.input[chance.randrange(len(one.input))]
        elif at == 1:
            one.input.append(chance.choice([chance.choice(names), "nowhere", f"{chance.choice(names)}:9", "x:y:z", "^", ""]))
        elif at == 2:
            one.op = chance.choice([n.op for n in graph.node] + ["Identity", "If", "While", "PartitionedCall"])
        elif at == 3:
            one.attr.clear()
        elif at == 4:
            one.name = chance.choice(names)
        else:
            graph.node.remove(one)
    file = tmp_path_factory.getbasetemp() / "damaged.pb"
    with suppress(NeedsTensorFlow):
        freeze._write(meta_graph, prefix, file, BINDINGS, {})
