"""Reference ops that freezing left take a value: they are mended, and only where that changes no answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crossload
from crossload.edits.freezing import references
from crossload.releases.registrations import releases
from crossload.verbs.convert.convert import convert
from crossload.verbs.verify.verify import verify
from tests import CORPUS
from tests.corpus.checked_graphs import FLOAT, add, graph_of

FLOAT_REF = CORPUS / "brought" / "frozen-batchnorm-float-ref"


def mended(graph: Any) -> dict[str, int]:
    return dict(references.mend(graph, releases()[-1].op))


def branch(of: str, update: str) -> Any:
    """An update of `v` below a branch; `v` is made by the op `of`."""
    graph = graph_of()
    add(graph, "v", of, dtype=FLOAT)
    add(graph, "switch", "RefSwitch", "v", "x", T=FLOAT)
    add(graph, "update", update, "switch:1", "x", T=FLOAT).attr["use_locking"].b = True
    return graph


@pytest.mark.parametrize(("update", "becomes", "inputs"), [
    ("AssignSub", "Sub", ["switch:1", "x"]), ("AssignAdd", "Add", ["switch:1", "x"]), ("Assign", "Identity", ["x"]),
])  # fmt: skip
def test_a_branch_on_a_constant_and_the_update_below_it_become_plain_ops(update: str, becomes: str, inputs: list[str]) -> None:
    graph = branch("Const", update)
    assert mended(graph) == {"RefSwitch → Switch": 1, f"{update} → {becomes}": 1}
    node = graph.node[-1]
    assert (node.op, list(node.input), sorted(node.attr)) == (becomes, inputs, ["T"])


def test_a_variable_that_is_one_keeps_its_reference_ops() -> None:
    graph = branch("VariableV2", "AssignSub")
    before = graph.SerializeToString(deterministic=True)
    assert mended(graph) == {} and graph.SerializeToString(deterministic=True) == before


def test_an_update_in_every_run_is_state_and_stays() -> None:
    graph = graph_of()
    add(graph, "v", "Const", dtype=FLOAT)
    add(graph, "update", "AssignAdd", "v", "x", T=FLOAT)
    assert mended(graph) == {}


@pytest.mark.slow
@pytest.mark.parametrize("source", ["frozen.pb", "model.ckpt"])
def test_batch_normalisation_frozen_the_old_way_runs_in_every_release(source: str, tmp_path: Path) -> None:
    frozen = tmp_path / "x.pb"
    made = convert(FLOAT_REF / source, frozen, inputs=["x"], outputs=["prob"])
    assert made.report and made.report.exit_status == 0
    assert verify(frozen, ["tensorflow", "tensorflow-java-legacy"]).exit_status == 0
    answer = crossload.run(frozen, {"x": np.float32([[1, 2, 3]])})["prob"]
    np.testing.assert_allclose(answer, [[0.02341671, 0.97658324]], rtol=1e-6)
