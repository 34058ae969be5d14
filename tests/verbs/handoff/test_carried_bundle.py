"""The artifact to hand over: a refusal names a conversion only if its repairs are known to be enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossload.artifacts.entries import artifacts_of
from crossload.contract.bundle import Bundle
from crossload.contract.manifest import Manifest, Model, Reference, Vectors
from crossload.errors import CrossloadError
from crossload.runtimes.registry import one
from crossload.verbs.handoff import carried_bundle
from tests.corpus.checked_graphs import LEGACY, graph_of


def bundle(root: Path, op: str) -> Bundle:
    """A bundle of y = op(x), whose answers are recorded as far as the manifest says."""
    graph = graph_of()
    graph.node[1].op, graph.node[1].attr["message"].s = op, b"m"
    (root / "graph.pb").write_bytes(graph.SerializeToString())
    entries, signatures = artifacts_of(root / "graph.pb", "graph.pb")
    reference = Reference(runtime="tensorflow", version="2.21.0", artifact="graph_def")
    recorded = Vectors(signature="serving_default", path="v.oip", count=1, sha256="0" * 64, seed=0, reference=reference)
    return Bundle(root, Manifest(model=Model(name="m"), signatures=signatures, artifacts=entries, vectors=[recorded]))


def test_an_op_that_an_older_one_replaces_is_answered_with_its_conversion(tmp_path: Path) -> None:
    with pytest.raises(CrossloadError) as caught:
        carried_bundle.chosen(bundle(tmp_path, "CheckNumericsV2"), one(LEGACY), None)
    conversion = f"crossload convert {tmp_path / 'graph.pb'} DESTINATION --runtime {LEGACY}, then crossload export DESTINATION -o BUNDLE"
    assert str(caught.value).endswith(f"Convert it, then export the result: {conversion}")


@pytest.mark.parametrize("op", ["AddFortyTwo", "Xlog1py"])
def test_an_op_that_nothing_replaces_is_answered_without_a_conversion(tmp_path: Path, op: str) -> None:
    with pytest.raises(CrossloadError) as caught:
        carried_bundle.chosen(bundle(tmp_path, op), one(LEGACY), None)
    assert "--runtime" not in str(caught.value)
    assert f"Op type not registered '{op}'" in str(caught.value)
    assert f"crossload check {tmp_path / 'graph.pb'} says which runtimes run it" in str(caught.value)
