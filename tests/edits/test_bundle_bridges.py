"""Bridges in exports: added once, found again, and the same after repeated exports."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossload.artifacts.entries import artifacts_of
from crossload.contract.manifest import Artifact
from crossload.contract.signatures import Signature
from crossload.edits import bundle_bridges
from crossload.support import files
from tests.corpus import handmade
from tests.corpus.bridged_graph import COMPLEX64, FLOAT, INT8, graph

Described = tuple[list[Artifact], dict[str, Signature]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A SavedModel with a signature of int8 and complex64."""
    made = handmade.meta_graph("serve")
    made.graph_def.CopyFrom(graph())
    definition = made.signature_def["serving_default"]
    definition.Clear()
    definition.method_name = "tensorflow/serving/predict"
    for side, tensors in (
        (definition.inputs, {"x": ("x:0", INT8), "f": ("f:0", FLOAT)}),
        (definition.outputs, {"y": ("y:0", INT8), "angle": ("polar:1", COMPLEX64)}),
    ):
        for name, (tensor, datatype) in tensors.items():
            handmade.tensor_info(side[name], tensor, datatype, () if name == "f" else (-1, 4))
    return handmade.saved_model(tmp_path / "model", made)


def built(folder: Path) -> tuple[list[str], Described]:
    entries, signatures = artifacts_of(folder, folder.name)
    return bundle_bridges.build(folder.parent, entries, signatures), (entries, signatures)


def test_a_bridge_is_in_the_entry_and_in_the_artifact(folder: Path) -> None:
    made, (entries, signatures) = built(folder)
    assert made == ["serving_default"]
    bridge = entries[0].bindings["serving_default"].bridge
    assert bridge is not None
    assert bridge.carriers == {"COMPLEX64": "FP32", "INT8": "INT32"}
    again, same = artifacts_of(folder, folder.name)
    assert again[0].bindings["serving_default"].bridge == bridge
    assert same == signatures


def test_the_hash_covers_the_edited_artifact(folder: Path) -> None:
    before = files.sha256(folder)
    _, (entries, _) = built(folder)
    assert entries[0].sha256 == files.sha256(folder) != before


def test_exporting_an_artifact_with_bridges_again_changes_nothing(folder: Path) -> None:
    built(folder)
    once = (folder / "saved_model.pb").read_bytes()
    made, (entries, _) = built(folder)
    assert made == ["serving_default"]
    assert (folder / "saved_model.pb").read_bytes() == once
    assert list(entries[0].bindings) == ["serving_default"]
