"""Edges that do not fit, and bodies that need not run; the rules come from what each real release does with such graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossload.artifacts.messages import message_class
from tests.corpus.checked_graphs import FLOAT, LEGACY, RELEASES, STRING, add, call, graph_of, outcomes, stopped

BOOL, INT32 = 10, 3


def body(graph: Any, name: str) -> Any:
    """A function of one Identity, r = n = a."""
    made = graph.library.function.add()
    made.signature.name = name
    made.signature.input_arg.add(name="a", type=FLOAT)
    made.signature.output_arg.add(name="r", type=FLOAT)
    made.node_def.add(name="n", op="Identity", input=["a"]).attr["T"].type = FLOAT
    made.ret["r"] = "n:output:0"
    return made


def called() -> tuple[Any, Any]:
    """y = function_of_ours(x), and the function."""
    graph = graph_of()
    del graph.node[1]
    call(graph, "y", "function_of_ours")
    return graph, body(graph, "function_of_ours")


def branched(*, lowered: bool) -> tuple[Any, Any]:
    """y = x if true else other_branch(x), and the branch that is not taken."""
    graph = graph_of()
    del graph.node[1]
    condition = add(graph, "c", "Const", dtype=BOOL).attr["value"].tensor
    condition.dtype = BOOL
    condition.tensor_shape.SetInParent()
    condition.bool_val.append(True)
    node = graph.node.add(name="y", op="If", input=["c", "x"])
    node.attr["Tcond"].type = BOOL
    node.attr["Tin"].list.type.append(FLOAT)
    node.attr["Tout"].list.type.append(FLOAT)
    node.attr["then_branch"].func.name, node.attr["else_branch"].func.name = "taken_branch", "other_branch"
    if lowered:
        node.attr["_lower_using_switch_merge"].b = True
    body(graph, "taken_branch")
    return graph, body(graph, "other_branch")


def without_kernel(function: Any) -> None:
    node = function.node_def[0]
    node.op = "NcclAllReduce"
    node.attr["reduction"].s, node.attr["num_devices"].i, node.attr["shared_name"].s = b"sum", 1, b""
    function.ret["r"] = "n:data:0"


def pool(function: Any, padding: bytes) -> None:
    node = function.node_def.add(name="pool", op="MaxPool", input=["a"])
    node.attr["T"].type, node.attr["padding"].s = FLOAT, padding
    node.attr["ksize"].list.i.extend([1] * 4)
    node.attr["strides"].list.i.extend([1] * 4)


@pytest.mark.parametrize(
    ("source", "datatype", "said"),
    [
        ("x", INT32, "Abs takes int32 but gets the float32 of 'x'"),
        ("x:1", FLOAT, "Abs takes output 1 of 'x', which has 1"),
    ],
)
def test_an_edge_that_does_not_fit_stops_loading(tmp_path: Path, source: str, datatype: int, said: str) -> None:
    graph = graph_of()
    add(graph, "beside", "Abs", source, T=datatype)
    found = outcomes(tmp_path, graph)
    assert stopped(found) == dict.fromkeys(RELEASES, "load_error")
    assert found[LEGACY].explanation() == f"{said} (node 'beside')"


def test_a_value_is_not_a_reference_but_a_reference_is_a_value(tmp_path: Path) -> None:
    graph = graph_of()
    add(graph, "v", "VariableV2", dtype=FLOAT).attr["shape"].shape.SetInParent()
    add(graph, "read", "Identity", "v", T=FLOAT)
    add(graph, "write", "Assign", "v", "x", T=FLOAT)
    assert not stopped(outcomes(tmp_path, graph))
    graph.node[-1].input[0] = "x"
    found = outcomes(tmp_path, graph)
    assert set(stopped(found)) == set(RELEASES)
    assert found[LEGACY].explanation().startswith("Assign takes reference to float32 but gets the float32 of 'x'")


@pytest.mark.parametrize(("source", "datatype"), [("n:output:0", INT32), ("n:output:1", FLOAT), ("n:nothing:0", FLOAT), ("nothing", FLOAT)])
def test_an_edge_of_a_called_function_that_does_not_fit_stops_loading(tmp_path: Path, source: str, datatype: int) -> None:
    graph, function = called()
    function.node_def.add(name="beside", op="Abs", input=[source]).attr["T"].type = datatype
    found = outcomes(tmp_path, graph)
    assert stopped(found) == dict.fromkeys(RELEASES, "load_error")
    assert found[LEGACY].findings[0].place == "node 'beside' of the function 'function_of_ours'"


def test_lists_and_numbers_of_tensors_are_edges_too(tmp_path: Path) -> None:
    graph, function = called()
    node = function.node_def.add(name="many", op="IdentityN", input=["a", "n:output:0"])
    node.attr["T"].list.type.extend([FLOAT, FLOAT])
    node = function.node_def.add(name="sum", op="AddN", input=["many:output:0", "many:output:1"])
    node.attr["T"].type, node.attr["N"].i = FLOAT, 2
    assert not stopped(outcomes(tmp_path, graph))
    function.node_def[1].attr["T"].list.type[1] = INT32
    assert set(stopped(outcomes(tmp_path, graph)).values()) == {"load_error"}


def test_an_invalid_padding_stops_loading_if_a_node_calls_the_function(tmp_path: Path) -> None:
    graph, function = called()
    pool(function, b"SAME")
    assert not stopped(outcomes(tmp_path, graph))
    function.node_def[-1].attr["padding"].s = b"NONSENSE"
    assert stopped(outcomes(tmp_path, graph)) == dict.fromkeys(RELEASES, "load_error")


@pytest.mark.parametrize(("needed", "outcome"), [(True, "run_error"), (False, "ok")])
def test_a_datatype_that_an_op_does_not_allow_stops_a_body_that_needs_the_node(tmp_path: Path, needed: bool, outcome: str) -> None:
    graph, function = called()
    function.node_def.add(name="text", op="AsString", input=["a"]).attr["T"].type = FLOAT
    function.node_def.add(name="product", op="MatMul", input=["text:output:0"] * 2).attr["T"].type = STRING
    function.node_def.add(name="number", op="StringToNumber", input=["product:product:0"]).attr["out_type"].type = FLOAT
    if needed:
        function.ret["r"] = "number:output:0"
    assert {p.outcome for p in outcomes(tmp_path, graph).values()} == {outcome}


@pytest.mark.parametrize("lowered", [True, False])
def test_a_branch_that_need_not_be_taken_must_have_its_ops_and_its_kernels_only_where_it_is_lowered(tmp_path: Path, lowered: bool) -> None:
    graph, branch = branched(lowered=lowered)
    without_kernel(branch)
    assert stopped(outcomes(tmp_path, graph)) == (dict.fromkeys(RELEASES, "run_error") if lowered else {})
    graph, branch = branched(lowered=lowered)
    branch.node_def[0].op = "NoSuchOp"
    assert stopped(outcomes(tmp_path, graph)) == dict.fromkeys(RELEASES, "run_error")


@pytest.mark.parametrize("lowered", [True, False])
def test_the_attributes_of_a_branch_that_need_not_be_taken_are_not_predicted(tmp_path: Path, lowered: bool) -> None:
    graph, branch = branched(lowered=lowered)
    pool(branch, b"NONSENSE")
    branch.ret["r"] = "pool:output:0"
    assert not stopped(outcomes(tmp_path, graph))


def test_a_number_of_tensors_that_only_a_hostile_graph_states_costs_nothing(tmp_path: Path) -> None:
    graph = message_class("tensorflow.GraphDef")()
    graph.CopyFrom(graph_of())
    add(graph, "parts", "Unpack", "x", T=FLOAT).attr["num"].i = 1 << 60
    add(graph, "beside", "Abs", "parts:7", T=FLOAT)
    assert not stopped(outcomes(tmp_path, graph))
