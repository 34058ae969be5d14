"""Example inputs round-trip unchanged: bytes with trailing zeros, text, numbers of every kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload.inputs import example_inputs


@given(st.lists(st.binary(max_size=6), max_size=5))
def test_bytes_round_trip_including_trailing_zeros(tmp_path_factory: pytest.TempPathFactory, elements: list[bytes]) -> None:
    array = np.empty(len(elements), object)
    array[:] = elements
    file = tmp_path_factory.mktemp("examples") / "e.npz"
    example_inputs.write(file, {"x": array})
    assert example_inputs.read(file)["x"].tolist() == elements


def test_text_becomes_utf_8_and_shapes_are_kept(tmp_path: Path) -> None:
    example_inputs.write(tmp_path / "e.npz", {"text": np.array([["ü", "a"]]), "n": np.float16([[1.5]]), "scalar": b"x\0"})
    found = example_inputs.read(tmp_path / "e.npz")
    assert found["text"].tolist() == [["ü".encode(), b"a"]]
    assert (found["n"].dtype, found["n"].tolist()) == (np.float16, [[1.5]])
    assert (found["scalar"].shape, found["scalar"].item()) == ((), b"x\0")


def test_the_error_for_an_array_of_other_objects_names_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the example input 'x' is an array of objects"):
        example_inputs.write(tmp_path / "e.npz", {"x": np.array([{"a": 1}], object)})
