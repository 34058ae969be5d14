"""Names made from tensors' names: readable, valid in every language, and always distinct."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload.artifacts.tflite.tensor_names import readable

_ODD = st.sampled_from(["x", "x:0", "a/x", "b/x", "output", "output_1", "output_0", "Identity", "Identity_1", "", "#3", "1", "é", "a b"])


@pytest.mark.parametrize(
    ("tensors", "names"),
    [
        (["serving_default_pixels:0"], ["pixels"]),
        (["model/dense/Softmax"], ["Softmax"]),
        (["model/a/Softmax", "model/b/Softmax"], ["model_a_Softmax", "model_b_Softmax"]),
        (["StatefulPartitionedCall:0"], ["output"]),
        (["StatefulPartitionedCall:1", "StatefulPartitionedCall:0"], ["output_0", "output_1"]),
        (["split:1", "split"], ["split_1", "split"]),
        (["Identity", "scores"], ["output", "scores"]),
        (["3d/1"], ["output_0"]),
    ],
)
def test_a_tensor_name_becomes_a_readable_name(tensors: list[str], names: list[str]) -> None:
    assert readable(tensors, "output") == names


def test_given_names_are_kept_and_not_reused() -> None:
    assert readable(["a/y", "b/y"], "output", [None, "y"]) == ["a_y", "y"]
    assert readable(["a b", "x"], "output", ["a b", None]) == ["a b", "x"]


@given(st.lists(_ODD | st.text(max_size=8), max_size=8))
def test_names_are_distinct_identifiers(tensors: list[str]) -> None:
    names = readable(tensors, "output")
    assert len(set(names)) == len(tensors)
    assert all(n.isidentifier() for n in names)


@given(st.lists(st.tuples(_ODD, st.sampled_from([None, "x", "output_0", "output_1_", "a_x"])), max_size=6, unique_by=lambda p: p[1] or p))
def test_given_names_never_collide_with_generated_ones(pairs: list[tuple[str, str | None]]) -> None:
    stated = [name for _, name in pairs]
    names = readable([t for t, _ in pairs], "output", stated)
    assert len(set(names)) == len(pairs)
    assert all(name in (None, made) for name, made in zip(stated, names, strict=True))
