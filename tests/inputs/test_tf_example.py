"""tf.Examples: features round-trip, any order gives the same bytes, and errors name invalid features."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload import features_of, tf_example
from crossload.errors import CrossloadError
from crossload.inputs.tf_example import is_example

_features = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.one_of(
        st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=4),
        st.lists(st.floats(width=32, allow_nan=False), max_size=4),
        st.lists(st.binary(max_size=8), max_size=4),
    ),
    max_size=5,
)


@given(features=_features, data=st.data())
def test_features_round_trip_in_any_order(features: dict[str, list[Any]], data: st.DataObject) -> None:
    example = tf_example(features)
    assert features_of(example) == features
    assert tf_example({name: features[name] for name in data.draw(st.permutations(list(features)))}) == example
    assert is_example(example)


def test_the_bytes_match_example_proto() -> None:
    assert tf_example({"b": ["x"], "a": [1], "c": [0.5]}).hex(" ") == (
        "0a 27 "  # features
        "0a 0a 0a 01 61 12 05 1a 03 0a 01 01 "  # a: int64_list [1]
        "0a 0a 0a 01 62 12 05 0a 03 0a 01 78 "  # b: bytes_list ["x"]
        "0a 0d 0a 01 63 12 08 12 06 0a 04 00 00 00 3f"  # c: float_list [0.5]
    )


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (3, [3]),
        (True, [1]),
        ("ü", ["ü".encode()]),
        ((1, 2.5), [1.0, 2.5]),
        ([True, 2], [1, 2]),
        (np.float32([1, 2]), [1.0, 2.0]),
        ([np.int64(4), np.int32(5)], [4, 5]),
        (np.array(["a", "b"]), [b"a", b"b"]),
        ([float("inf")], [math.inf]),
        ([], []),
    ],
)
def test_single_values_and_arrays_are_features(given: Any, kept: list[Any]) -> None:
    assert features_of(tf_example({"f": given})) == {"f": kept}


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ([1, "x"], "int, str"),
        ([[1]], "flat list"),
        (np.zeros((2, 2)), "flat list"),
        (None, "NoneType"),
        ({"b": 1}, "dict"),
        ([1j], "complex"),
        (["\ud800"], "UTF-8"),
        ([1 << 63], "int64"),
        ([10**5000], "int64"),
        ([1e39], "float32"),
        ([0.5, 10**400], "float32"),
    ],
)
def test_the_error_for_an_invalid_feature_gives_name_and_cause(given: Any, cause: str) -> None:
    with pytest.raises(CrossloadError, match=f"'age'.*{cause}"):
        tf_example({"age": given})


@pytest.mark.parametrize("name", [1, b"x", "\ud800"])
def test_a_name_that_is_not_text_is_refused(name: Any) -> None:
    with pytest.raises(CrossloadError, match="name must be text"):
        tf_example({name: [1]})


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        features_of(data)
    except CrossloadError:
        assert not is_example(data)


def test_an_example_with_extra_bytes_is_not_an_example() -> None:
    assert not is_example(b"\x7a\x00")
    assert not is_example(b"the film")
