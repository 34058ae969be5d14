"""Defects of a .tflite that parses: each is a sentence, and a healthy file has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crossload.artifacts.tflite import inner
from crossload.artifacts.tflite.defects import defects
from crossload.artifacts.tflite.inner import Inner, Operator, Tensor
from tests.corpus import handmade


def tensor(index: int, *, shape: tuple[int, ...] = (4,), extent: tuple[int, int] | None = None, scale: tuple[float, ...] = ()) -> Tensor:
    return Tensor(index, f"t{index}", "FP32", shape, scale, (), extent)


HEALTHY = Inner(b"", None, 0, (tensor(0), tensor(1, extent=(64, 16)), tensor(2)), (Operator("ADD", (0, 1), (2,)),), (0,), (2,))


def with_tensor(at: int, **changes: object) -> Inner:
    tensors = list(HEALTHY.tensors)
    tensors[at] = replace(tensors[at], **changes)  # type: ignore[arg-type]
    return replace(HEALTHY, tensors=tuple(tensors))


def test_healthy_files_have_no_defect(demo: Path) -> None:
    assert defects([HEALTHY]) == []
    assert defects(inner.read_all(demo / "model.tflite")) == []


@pytest.mark.parametrize(
    ("graph", "sentence"),
    [
        (with_tensor(1, extent=(64, 8)), "tensor 1 ('t1') needs 16 bytes for its shape [4], and the file holds 8"),
        (with_tensor(1, extent=None), "operator #0 ADD reads tensor 1 ('t1'), which nothing before it makes"),
        (with_tensor(0, shape=(-7, 4)), "tensor 0 ('t0') has a negative dimension: [-7, 4]"),
        (with_tensor(0, shape=(1 << 16, 1 << 15)), "more elements than an interpreter can count"),
        (with_tensor(2, scale=(float("nan"),)), "tensor 2 ('t2') has a scale that is 0, negative or not finite"),
        (replace(HEALTHY, operators=()), "the output tensor 2 ('t2') is made by nothing"),
        (replace(HEALTHY, operators=(Operator("ADD", (0, 2), (2,)),)), "reads tensor 2 ('t2'), which nothing before it makes"),
    ],
)
def test_a_defect_is_one_sentence(graph: Inner, sentence: str) -> None:
    (found,) = defects([graph])
    assert sentence in found


def test_optional_inputs_variables_and_empty_constants_are_no_defects() -> None:
    absent = replace(HEALTHY, operators=(Operator("ADD", (0, 1, -1), (2,)),))
    assert (
        defects([absent])
        == defects([with_tensor(1, extent=None, variable=True)])
        == defects([with_tensor(1, extent=None, shape=(0,))])
        == []
    )


def calling(at: int, *calls: int) -> Inner:
    return replace(HEALTHY, subgraph=at, operators=(Operator("WHILE", (0, 1), (2,), calls=calls),))


def test_control_flow_that_leads_nowhere_or_never_ends_is_found() -> None:
    assert defects([calling(0, 1, 1), replace(HEALTHY, subgraph=1)]) == []
    assert defects([calling(0, 7)]) == ["operator #0 WHILE of subgraph 0 runs subgraph 7, and the file has 1"]
    assert defects([calling(0, 0)]) == ["subgraph 0 runs itself, or one that does, without an end"]
    assert "without an end" in defects([calling(0, 1), calling(1, 2), calling(2, 1)])[0]


def test_weights_after_the_flatbuffer_are_weights(tmp_path: Path) -> None:
    end = len(handmade.Lite(buffers=[(1 << 20, 100)]).build())
    (tmp_path / "m.tflite").write_bytes(handmade.Lite(buffers=[(end, 100)]).build() + bytes(100))
    assert defects(inner.read_all(tmp_path / "m.tflite")) == []
