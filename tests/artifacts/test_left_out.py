"""A signature that no runtime can call is left out with its reason, wherever somebody asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossload import artifacts, model
from crossload.artifacts import select
from crossload.artifacts.entries import artifacts_of
from crossload.errors import CrossloadError
from tests.corpus import handmade

VARIANT, QINT8 = 21, 11


def with_second_signature(folder: Path, side: str, datatype: int) -> Path:
    """A SavedModel of two signatures, of which `second` has one tensor of this datatype."""
    meta_graph = handmade.meta_graph("serve")
    second = meta_graph.signature_def["second"]
    second.CopyFrom(meta_graph.signature_def["serving_default"])
    getattr(second, side)["x" if side == "inputs" else "y"].dtype = datatype
    return handmade.saved_model(folder / "m", meta_graph)


@pytest.mark.parametrize(
    ("side", "datatype", "reason"),
    [
        ("inputs", 0, "its input 'x' has the datatype DT_INVALID"),
        ("inputs", VARIANT, "its input 'x' has the datatype variant"),
        ("inputs", handmade.RESOURCE, "its input 'x' has the datatype resource"),
        ("outputs", VARIANT, "its output 'y' has the datatype variant"),
        ("outputs", QINT8, "its output 'y' has the datatype DT_11"),
    ],
)
def test_the_reason_is_said_to_whoever_names_the_signature(tmp_path: Path, side: str, datatype: int, reason: str) -> None:
    path = with_second_signature(tmp_path, side, datatype)
    sentence = f"the signature 'second' cannot be called: {reason}, which no request carries"
    assert artifacts.left_out(artifacts.read(path)) == {"second": sentence}
    assert list(artifacts_of(path, "m")[1]) == ["serving_default"]
    with pytest.raises(CrossloadError, match=sentence):
        select.choose(path, names=["second"])
    with pytest.raises(CrossloadError, match=sentence):
        model.choose(path).signature("second")


def test_a_signature_without_outputs_is_left_out(tmp_path: Path) -> None:
    meta_graph = handmade.meta_graph("serve")
    meta_graph.signature_def["serving_default"].outputs.clear()
    path = handmade.saved_model(tmp_path / "m", meta_graph)
    with pytest.raises(
        CrossloadError, match=r"has no signature that can be called \(.*'serving_default' cannot be called: it has no outputs\); "
    ):
        artifacts_of(path, "m")


def test_a_composite_input_is_called_by_its_parts(tmp_path: Path) -> None:
    meta_graph = handmade.meta_graph("serve")
    info = meta_graph.signature_def["serving_default"].inputs["x"]
    info.composite_tensor.components.add(name=info.name, dtype=handmade.FLOAT)
    path = handmade.saved_model(tmp_path / "m", meta_graph)
    assert artifacts.left_out(artifacts.read(path)) == {}
    assert [t.name for t in artifacts_of(path, "m")[1]["serving_default"].inputs] == ["x/0"]
