"""A kind of nodes is checked once, with the findings of checking every node."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crossload.artifacts.messages import message_class
from crossload.releases.registrations import releases
from crossload.verbs.check import graph_rules
from crossload.verbs.check.graph_rules import Subject
from tests.corpus.checked_graphs import FLOAT, INT4, INT8, STRING, add, call, graph_of

OPS = ("AddV2", "Identity", "MatMul", "Placeholder", "NoSuchOp", "LookupTableFind", "Const", "DisableCopyOnRead", "body")
DEVICES = ("", "/job:worker/task:1", "/device:GPU:0", "gpu")
_SOURCES = st.sampled_from(["x", "n0", "n1:1", "n2", "^n0", "absent"])


_TYPES = st.sampled_from([FLOAT, INT8, STRING, INT4])
# Nodes without a problem in any release: what one of them has is seen only if it is not taken for the others' kind.
_CLEAN = st.sampled_from(
    [
        ("Identity", ["x"], {"T": FLOAT}),
        ("AddV2", ["x", "x"], {"T": FLOAT}),
        ("MatMul", ["x", "x"], {"T": FLOAT}),
        ("Placeholder", [], {"dtype": FLOAT}),
    ]
)


@st.composite
def nodes(draw: st.DrawFn, graph: Any, prefix: str) -> None:
    """Nodes that differ from each other in one thing, or in nothing."""
    op, inputs, types = draw(_CLEAN)
    for at in range(draw(st.integers(1, 6))):
        own, changed = dict(types), draw(st.sampled_from(["nothing", "op", "input", "device", "type", "beside"]))
        if changed == "type":
            own[draw(st.sampled_from(sorted(types)))] = draw(_TYPES)
        taken = [draw(_SOURCES), *inputs[1:]] if changed == "input" else list(inputs)
        place = draw(st.sampled_from(DEVICES)) if changed == "device" else ""
        node = add(graph, f"{prefix}{at}", draw(st.sampled_from(OPS)) if changed == "op" else op, *taken, device=place, **own)
        if changed == "beside":
            node.attr["_class"].list.s.append(draw(st.sampled_from([b"loc:@x", b"loc:@absent"])))


@st.composite
def graphs(draw: st.DrawFn) -> Any:
    graph = graph_of()
    graph.versions.producer = 1000
    draw(nodes(graph, "n"))
    for called in draw(st.sets(st.sampled_from(["body", "absent"]))):
        call(graph, f"call_{called}", called)
    body = graph.library.function.add()
    body.signature.name = "body"
    body.signature.input_arg.add(name="x", type=FLOAT)
    body.signature.output_arg.add(name="b", type=FLOAT)
    inside = message_class("tensorflow.GraphDef")()
    draw(nodes(inside, "n"))
    body.node_def.extend(inside.node)
    body.ret["b"] = "n0:z:0"
    return graph


@given(graphs(), st.sampled_from(["graph_def", "saved_model"]))
def test_a_graph_has_the_findings_of_all_its_nodes(graph: Any, format: str) -> None:
    for release in releases():
        found = list(graph_rules.findings(Subject(graph, format, {"s": ("y",)}), release))
        each = Subject(graph, format, {"s": ("y",)})
        # As if every node were of a kind of its own.
        each.__dict__["kinds"] = {name: [node] for name, node in each.nodes.items()}
        each.__dict__["kinds_of_body"] = lambda function, each=each: {(function, n.name): n for n in each.functions[function].node_def}
        assert found == list(graph_rules.findings(each, release))
