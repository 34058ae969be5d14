"""An artifact whose own signature is not the manifest's is a mismatch that says which, however well it answers by tensor names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crossload.artifacts.entries import artifacts_of
from crossload.contract.manifest import Artifact
from crossload.contract.signatures import Signature
from crossload.verbs.verify.declared import contradictions
from tests.corpus import handmade

Described = tuple[Artifact, dict[str, Signature]]


def two_inputs() -> Any:
    """A MetaGraphDef with a second input and a second output."""
    made = handmade.meta_graph("serve")
    handmade.node(made.graph_def.node, "serving_default_z", "Placeholder", shape=(-1, 4), dtype=handmade.FLOAT)
    signature = made.signature_def["serving_default"]
    handmade.tensor_info(signature.inputs["z"], "serving_default_z:0")
    handmade.tensor_info(signature.outputs["w"], "StatefulPartitionedCall:1", shape=(-1, 2))
    return made


@pytest.fixture
def described(tmp_path: Path) -> Described:
    """The artifact as a manifest states it, before anybody changes the file."""
    entries, signatures = artifacts_of(handmade.saved_model(tmp_path / "original", two_inputs()), "model")
    return entries[0], signatures


def swap(side: Any, one: str, other: str) -> None:
    first, second = side[one].name, side[other].name
    side[one].name, side[other].name = second, first


def rename(side: Any, old: str, new: str) -> None:
    side[new].CopyFrom(side[old])
    del side[old]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: swap(s.inputs, "x", "z"), "which its signature calls 'z': are the inputs exchanged?"),
        (lambda s: swap(s.outputs, "y", "w"), "are the outputs exchanged?"),
        (lambda s: s.outputs.pop("w"), "has no output 'w'; it has: y"),
        (lambda s: rename(s.outputs, "y", "scores"), "has no output 'y'; it has: scores, w"),
        (lambda s: handmade.tensor_info(s.outputs["more"], "StatefulPartitionedCall:0"), "has the output 'more', too"),
        (lambda s: setattr(s.inputs["x"], "dtype", handmade.INT32), "its input 'x' is int32, in the manifest float32"),
        (lambda s: handmade.tensor_info(s.inputs["x"], "serving_default_x:0", shape=(5,)), "shape [-1, 4, 5], in the manifest [-1, 4]"),
    ],
)
def test_a_changed_signature_is_named(change: Callable[[Any], Any], says: str, described: Described, tmp_path: Path) -> None:
    made = two_inputs()
    change(made.signature_def["serving_default"])
    entry, signatures = described
    found = contradictions(handmade.saved_model(tmp_path / "model", made), entry, signatures)
    assert says in found["serving_default"].text


def test_a_signature_of_another_key_is_named(described: Described, tmp_path: Path) -> None:
    made = two_inputs()
    rename(made.signature_def, "serving_default", "predict")
    entry, signatures = described
    found = contradictions(handmade.saved_model(tmp_path / "model", made), entry, signatures)
    assert "has no signature 'serving_default'" in found["serving_default"].text
    assert "it has: 'predict'" in found["serving_default"].text


def test_an_unchanged_artifact_contradicts_nothing(described: Described, tmp_path: Path) -> None:
    entry, signatures = described
    assert contradictions(tmp_path / "original", entry, signatures) == {}


def test_a_dimension_that_the_manifest_knows_better_is_no_contradiction(described: Described, tmp_path: Path) -> None:
    entry, signatures = described
    narrower = {n: replace(s, inputs=tuple(replace(t, shape=(3, 4)) for t in s.inputs)) for n, s in signatures.items()}
    assert contradictions(tmp_path / "original", entry, narrower) == {}


def test_an_exchanged_binding_of_a_tflite_file_is_named(tmp_path: Path) -> None:
    lite = handmade.Lite(
        tensors=[handmade.Tensor("a"), handmade.Tensor("b"), handmade.Tensor("c")],
        signatures={"serving_default": ({"left": 0, "right": 1}, {"sum": 2})},
    )
    file = tmp_path / "model.tflite"
    file.write_bytes(lite.build())
    entries, signatures = artifacts_of(file, file.name)
    bindings = entries[0].bindings
    assert contradictions(file, entries[0], signatures) == {}
    inputs = bindings["serving_default"].inputs
    bindings["serving_default"].inputs = {"left": inputs["right"], "right": inputs["left"]}
    assert "are the inputs exchanged?" in contradictions(file, entries[0], signatures)["serving_default"].text
