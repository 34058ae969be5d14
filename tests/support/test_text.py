"""Names from files: as function parameters they match TensorFlow's, and distinct names stay distinct."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload.support.text import identifiers


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("pixels", "pixels"),
        ("image-input", "image_input"),
        ("input.1", "input_1"),
        ("1in", "input_1in"),
        ("class", "input_class"),
        ("", "input_"),
    ],
)
def test_an_invalid_parameter_name_is_made_valid(name: str, called: str) -> None:
    assert identifiers([name]) == [called]


@given(st.lists(st.text(max_size=4), max_size=3, unique=True))
def test_distinct_names_give_distinct_identifiers(names: list[str]) -> None:
    made = identifiers(names)
    assert all(name.isidentifier() and name.isascii() for name in made)
    assert len(set(made)) == len(names)
