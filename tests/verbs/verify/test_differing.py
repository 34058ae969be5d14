"""What differs in the file itself: a weight or a node that is not as in the bundle's other graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossload.contract.manifest import Binding
from crossload.runtimes.supervisor import ModelSource
from crossload.verbs.verify import differing, inner_graph
from tests.corpus import handmade
from tests.faults.graphs import FLOAT, Site

KERNEL, BIAS = np.arange(12, dtype=np.float32).reshape(4, 3) / 7, np.float32([0.5, -1, 2])


def graph() -> Any:
    """relu(x · kernel) - bias"""
    made = handmade.graph()
    del made.node[:]
    site = Site(made, {}, {}, {}, {})
    handmade.node(made.node, "x", "Placeholder", dtype=FLOAT)
    site.const("kernel", KERNEL, FLOAT)
    site.const("bias", BIAS, FLOAT)
    site.add("product", "MatMul", "x", "kernel", T=FLOAT)
    site.add("relu", "Relu", "product", T=FLOAT)
    site.add("y", "Sub", "relu", "bias", T=FLOAT)
    return made


def cause(tmp_path: Path, change: Callable[[Any], None]) -> Any:
    """The cause from a graph that is another's, changed."""
    own = graph()
    change({n.name: n for n in own.node})
    sources = []
    for name, made in (("own", own), ("other", graph())):
        path = tmp_path / f"{name}.pb"
        path.write_bytes(made.SerializeToString())
        sources.append(ModelSource(path, "graph_def", {"s": Binding(inputs={"x": "x:0"}, outputs={"y": "y:0"})}))
    return differing.cause(sources[0], [sources[1]], "s", [])


def _set(value: np.ndarray, name: str = "kernel") -> Callable[[Any], None]:
    def change(nodes: Any) -> None:
        nodes[name].attr["value"].tensor.tensor_content = value.astype(np.float32).tobytes()

    return change


def _element() -> np.ndarray:
    changed = KERNEL.copy()
    changed[1, 2] = 9
    return changed


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (KERNEL * 0, "weights", "is zero"),
        (-KERNEL, "weights", "is negated"),
        (KERNEL * 3, "weights", "is scaled by 3"),
        (KERNEL.astype(np.float16), "narrower", "rounded to float16"),
        (KERNEL[::-1], "weights", "is reversed along an axis"),
        (_element(), "weights", "the one element [1, 2]: 9"),
    ],
)
def test_a_constant_of_another_value_is_named_with_how_it_differs(value: np.ndarray, kind: str, words: str, tmp_path: Path) -> None:
    found = cause(tmp_path, _set(value))
    assert (found.kind, "'kernel'" in found.text) == (kind, True)
    assert words in found.text


def test_a_node_of_another_op_or_with_exchanged_inputs_is_named(tmp_path: Path) -> None:
    def other_op(nodes: Any) -> None:
        nodes["relu"].op = "Elu"

    def exchanged(nodes: Any) -> None:
        nodes["y"].input[0], nodes["y"].input[1] = "bias", "relu"

    found = cause(tmp_path, other_op)
    assert (found.kind, "'relu' is Elu, Relu in the other" in found.text) == ("op", True)
    assert "its inputs are exchanged" in cause(tmp_path, exchanged).text


def test_equal_graphs_and_graphs_of_other_names_tell_nothing(tmp_path: Path) -> None:
    assert cause(tmp_path, lambda _: None) is None
    other = graph()
    for node in other.node:
        node.name += "_other"
    assert inner_graph.differences(other, graph()) is None
