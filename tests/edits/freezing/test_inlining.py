"""An inlined graph computes what its calls compute, under the names that the calls gave, and waits for what the calls do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto import function_pb2, graph_pb2

from crossload.edits.freezing.inlining import inline
from crossload.edits.freezing.refusal import NeedsTensorFlow

INT32 = 3
OPS: dict[str, Callable[[int, int], int]] = {"AddV2": lambda a, b: a + b, "Mul": lambda a, b: a * b % 10007, "Sub": lambda a, b: a - b}


def node(nodes: Any, name: str, op: str, *inputs: str) -> Any:
    made = nodes.add(name=name, op=op, input=inputs)
    if op != "NoOp":
        made.attr["dtype" if op == "Placeholder" else "T"].type = INT32
    return made


def call(nodes: Any, name: str, function: Any, *inputs: str, op: str = "PartitionedCall") -> Any:
    made = nodes.add(name=name, op=op, input=inputs)
    made.attr["f"].func.name = function.signature.name
    made.attr["Tin"].list.type.extend([INT32] * len(function.signature.input_arg))
    made.attr["Tout"].list.type.extend([INT32] * len(function.signature.output_arg))
    return made


def function(graph: Any, name: str, arguments: int) -> Any:
    made = graph.library.function.add()
    made.signature.name = name
    for at in range(arguments):
        made.signature.input_arg.add(name=f"a{at}", type=INT32)
    return made


def returns(function: Any, *sources: str) -> None:
    for at, source in enumerate(sources):
        function.signature.output_arg.add(name=f"r{at}", type=INT32)
        function.ret[f"r{at}"] = source


@st.composite
def graphs(draw: st.DrawFn) -> Any:
    """A graph of two inputs, up to five functions that call earlier ones, and a few calls."""
    graph = graph_pb2.GraphDef()
    functions: list[Any] = []

    def fill(nodes: Any, there: list[str], spell: Callable[[str, str, int], str]) -> None:
        for at in range(draw(st.integers(1, 4))):
            name, chosen = f"n{at}", draw(st.sampled_from([*OPS, *functions])) if functions else draw(st.sampled_from([*OPS]))
            if isinstance(chosen, str):
                node(nodes, name, chosen, *(draw(st.sampled_from(there)) for _ in range(2)))
                there.append(spell(name, "z", 0))
            else:
                call(nodes, name, chosen, *(draw(st.sampled_from(there)) for _ in chosen.signature.input_arg))
                there += [spell(name, "output", number) for number in range(len(chosen.signature.output_arg))]

    for at in range(draw(st.integers(0, 5))):
        made = function_pb2.FunctionDef()
        made.CopyFrom(function(graph_pb2.GraphDef(), f"f{at}", draw(st.integers(1, 3))))
        there = [a.name for a in made.signature.input_arg]
        fill(made.node_def, there, lambda name, output, number: f"{name}:{output}:{number}")
        returns(made, *(draw(st.sampled_from(there)) for _ in range(draw(st.integers(1, 3)))))
        functions.append(made)
    graph.library.function.extend(functions)
    for name in ("x", "y"):
        node(graph.node, name, "Placeholder")
    fill(graph.node, ["x", "y"], lambda name, output, number: f"{name}:{number}" if number else name)
    return graph


def computed(nodes: dict[str, Any], library: dict[str, Any], values: dict[str, int], at: str, *, body: bool = False) -> int:
    """The value of a tensor, by the meaning of calls: a function's body is computed for each one."""
    if at in values:
        return values[at]
    name, _, rest = at.partition(":")
    here, index = nodes[name], int(rest.rpartition(":")[2] or 0)
    given = [computed(nodes, library, values, i, body=body) for i in here.input if not i.startswith("^")]
    if here.op in OPS:
        return OPS[here.op](*given)
    function = library[here.attr["f"].func.name]
    arguments = {a.name: value for a, value in zip(function.signature.input_arg, given, strict=True)}
    inner = {n.name: n for n in function.node_def}
    return computed(inner, library, arguments, function.ret[function.signature.output_arg[index].name], body=True)


@given(graphs())
def test_an_inlined_graph_computes_what_its_calls_compute(graph: Any) -> None:
    nodes, library = {n.name: n for n in graph.node}, {f.signature.name: f for f in graph.library.function}
    values, last = {"x": 3, "y": 5}, graph.node[-1].name
    flat = inline(graph, [last], {})
    assert not {n.op for n in flat.nodes.values()} - {*OPS, "Placeholder"}
    tensors = flat.results.get(last, [f"{last}:0"])
    values_of_flat = values | {f"{k}:0": v for k, v in values.items()}
    for index, tensor in enumerate(tensors):
        assert computed(flat.nodes, {}, values_of_flat, tensor) == computed(nodes, library, values, f"{last}:{index}" if index else last)


def nested() -> Any:
    """f calls g, g adds and checks; the graph calls f."""
    graph = graph_pb2.GraphDef()
    node(graph.node, "x", "Placeholder")
    inner = function(graph, "g", 1)
    node(inner.node_def, "sum", "AddV2", "a0", "a0")
    inner.node_def.add(name="check", op="Assert", input=["sum:z:0"])
    inner.control_ret["check"] = "check"
    returns(inner, "sum:z:0")
    outer = function(graph, "f", 1)
    call(outer.node_def, "again", inner, "a0")
    outer.control_ret["again"] = "again"
    returns(outer, "again:output:0", "a0")
    call(graph.node, "call", outer, "x", op="StatefulPartitionedCall")
    return graph


def test_a_body_s_nodes_have_the_names_of_their_calls_in_front() -> None:
    flat = inline(nested(), ["call"], {"call": "call/call"})
    assert flat.nodes.keys() == {"x", "call/call/again/sum", "call/call/again/check"}
    assert list(flat.nodes["call/call/again/sum"].input) == ["x", "x"]
    assert flat.results == {"call": ["call/call/again/sum:0", "x:0"]}


def test_what_waits_for_a_call_waits_for_what_it_does_besides_its_results() -> None:
    graph = nested()
    node(graph.node, "after", "NoOp", "^call")
    flat = inline(graph, ["after"], {})
    assert set(flat.waits["call"]) == {"call/again/sum", "call/again/check"}
    assert set(flat.nodes["after"].input) == {"^call/again/sum", "^call/again/check"}


def test_a_body_waits_for_what_its_call_waits_for() -> None:
    graph = nested()
    node(graph.node, "before", "NoOp")
    graph.node[1].input.append("^before")
    assert "^before" in inline(graph, ["call"], {}).nodes["call/again/check"].input


def missing_function(graph: Any) -> None:
    del graph.library.function[0]


def generic_argument(graph: Any) -> None:
    graph.library.function[0].signature.input_arg[0].type_attr = "T"
    graph.library.function[0].signature.input_arg[0].type = 0


def recursion(graph: Any) -> None:
    graph.library.function[1].node_def[0].attr["f"].func.name = "f"


def branch(graph: Any) -> None:
    node(graph.node, "switch", "Switch", "x", "x")
    graph.node[1].input[0] = "switch"


def unknown_op(graph: Any) -> None:
    graph.library.function[0].node_def[0].op = "NobodysOp"


def absent_input(graph: Any) -> None:
    graph.library.function[0].node_def[0].input[0] = "nowhere:z:0"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (missing_function, "the function 'g' is not in the graph"),
        (generic_argument, "leaves the datatype of 'a0' to its caller"),
        (recursion, "call each other too deeply"),
        (branch, "among the branches or loops"),
        (unknown_op, "the op NobodysOp is not in TensorFlow"),
        (absent_input, "the input 'nowhere:z:0' is not in the graph"),
    ],
)
def test_what_has_no_certain_translation_is_refused_with_its_reason(spoil: Callable[[Any], None], says: str) -> None:
    graph = nested()
    spoil(graph)
    with pytest.raises(NeedsTensorFlow, match=says):
        inline(graph, ["call"], {})
