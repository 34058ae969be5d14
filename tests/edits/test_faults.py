"""Faults seeded into a frozen graph: which there are, that none is without effect, and that each computes what its name says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossload.artifacts.graphs import protos
from crossload.contract.manifest import Binding
from crossload.edits import faults
from crossload.runtimes.supervisor import ModelSource, Supervisor
from tests.environment import launch_of

FLOAT, INT32, BOOL = 1, 3, 10
W = np.array([[1, -2], [3, 0.5]], np.float32)
B = np.array([0.25, 1.5], np.float32)
ROWS = np.array([[1, 2], [3, 4], [1, 2]], np.float32)
X = np.array([[4, -1]], np.float32)
BINDINGS = {
    "s": Binding(
        inputs={"x": "x:0", "ids": "ids:0", "flag": "flag:0", "n": f"{faults.NUMBER}:0"},
        outputs={"y": "y:0", "rows": "rows:0", "chosen": "chosen:0"},
    )
}


def constant(graph: Any, name: str, array: np.ndarray, datatype: int) -> None:
    node = graph.node.add(name=name, op="Const")
    node.attr["dtype"].type = node.attr["value"].tensor.dtype = datatype
    node.attr["value"].tensor.tensor_shape.SetInParent()
    for size in array.shape:
        node.attr["value"].tensor.tensor_shape.dim.add(size=size)
    node.attr["value"].tensor.tensor_content = array.tobytes()


def small(w: np.ndarray = W, b: np.ndarray = B, rows: np.ndarray = ROWS) -> Any:
    """`y` = relu6(x w + b), `rows` gathered by ids, `chosen` = x or its negative."""
    graph = protos.GraphDefProto()
    graph.versions.producer = 1987
    for name, array, datatype in (("w", w, FLOAT), ("b", b, FLOAT), ("table", rows, FLOAT), ("axis", np.array(0, np.int32), INT32)):
        constant(graph, name, array, datatype)
    for name, op, inputs, types in (
        ("x", "Placeholder", [], {"dtype": FLOAT}),
        ("ids", "Placeholder", [], {"dtype": INT32}),
        ("flag", "Placeholder", [], {"dtype": BOOL}),
        ("product", "MatMul", ["x", "w"], {"T": FLOAT}),
        ("sum", "BiasAdd", ["product", "b"], {"T": FLOAT}),
        ("y", "Relu6", ["sum"], {"T": FLOAT}),
        ("rows", "GatherV2", ["table", "ids", "axis"], {"Tparams": FLOAT, "Tindices": INT32, "Taxis": INT32}),
        ("negative", "Neg", ["x"], {"T": FLOAT}),
        ("chosen", "SelectV2", ["flag", "x", "negative"], {"T": FLOAT}),
    ):
        node = graph.node.add(name=name, op=op, input=inputs)
        for key, number in types.items():
            node.attr[key].type = number
    return graph


def named(graph: Any, most: int = 1000, seed: int = 0) -> list[tuple[str, str]]:
    return [(fault.node, fault.kind) for fault in faults.seed(graph, most, seed)]


def test_each_weight_activation_table_and_condition_has_its_faults() -> None:
    found = set(named(small()))
    assert {("w", "zeroed"), ("w", "negated"), ("w", "moved by one place"), ("b", "changed at [1]")} < found
    assert {("y", "replaced: Relu6 by Relu"), ("y", "replaced: Relu6 by Identity")} < found
    assert {("chosen", "forced true"), ("chosen", "forced false")} < found
    assert {kind for node, kind in found if node == "rows"} <= {"rows 0 and 1 exchanged", "rows 1 and 2 exchanged"}


def test_what_changes_no_value_is_no_fault() -> None:
    found = set(named(small(w=np.zeros((2, 2), np.float32), b=np.full(2, 0.5, np.float32), rows=np.ones((3, 2), np.float32))))
    assert {kind for node, kind in found if node == "b"} == {"zeroed", "negated", "changed at [1]"}
    assert not [node for node, _ in found if node in ("w", "rows")]


def test_the_seed_chooses_among_many_and_each_kind_is_among_a_few() -> None:
    assert named(small(), 8) == named(small(), 8)
    assert named(small(), 8) != named(small(), 8, seed=1)
    assert {kind.split()[0] for _, kind in named(small(), 7)} == {"changed", "forced", "moved", "negated", "replaced:", "rows", "zeroed"}


def relu6(x: np.ndarray) -> np.ndarray:
    return np.clip(x, 0, 6)


EXPECTED = {
    ("w", "zeroed"): ("y", relu6(B)[None]),
    ("w", "negated"): ("y", relu6(-X @ W + B)),
    ("w", "moved by one place"): ("y", relu6(X @ W[:, ::-1] + B)),
    ("b", "changed at [1]"): ("y", relu6(X @ W + B + [0, 0.75])),
    ("y", "replaced: Relu6 by Identity"): ("y", X @ W + B),
    ("chosen", "forced true"): ("chosen", X),
    ("chosen", "forced false"): ("chosen", -X),
    ("rows", "rows 0 and 1 exchanged"): ("rows", ROWS[[1, 0, 2]]),
}


@pytest.mark.slow
def test_each_fault_computes_what_its_name_says_and_number_0_none(tmp_path: Path) -> None:
    found = faults.seed(small(), 1000, seed=2)
    graph, moved = faults.with_faults(small(), found)
    (tmp_path / "faults.pb").write_bytes(graph.SerializeToString())
    bound = {name: moved.get(str(t), t) for name, t in BINDINGS["s"].outputs.items()}
    with Supervisor("tensorflow", launch_of("tensorflow")) as supervisor:
        supervisor.load(ModelSource(tmp_path / "faults.pb", "graph_def", {"s": BINDINGS["s"].model_copy(update={"outputs": bound})}))
        for flag in (True, False):
            inputs = {"x": X, "ids": np.arange(3, dtype=np.int32), "flag": np.array(flag)}
            healthy = {"y": relu6(X @ W + B), "rows": ROWS, "chosen": X if flag else -X}
            for number, fault in enumerate([None, *found]):
                answer = supervisor.infer("s", {**inputs, "n": np.array(number, np.int32)}, list(healthy)).outputs
                output, value = EXPECTED.get((fault.node, fault.kind), (None, None)) if fault else (None, None)
                for name in healthy if fault is None or output else ():
                    np.testing.assert_allclose(answer[name], value if name == output else healthy[name], err_msg=str(fault))
    assert set(EXPECTED) <= {(f.node, f.kind) for f in found}
