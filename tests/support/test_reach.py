"""Reachability in any graph."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload.support.reach import endless, reached


@pytest.mark.parametrize(
    ("edges", "found"),
    [
        ({}, set()),
        ({0: [1], 1: []}, set()),
        ({0: [0]}, {0}),
        ({0: [1], 1: [2], 2: [1], 3: [4], 4: []}, {0, 1, 2}),
        ({0: [7, -1]}, set()),
    ],
)
def test_what_leads_into_a_circle_has_no_end(edges: dict[int, list[int]], found: set[int]) -> None:
    assert endless(edges) == found


@given(st.dictionaries(st.integers(0, 6), st.lists(st.integers(-1, 7), max_size=4), max_size=7))
def test_a_node_without_an_end_reaches_one_that_reaches_itself(edges: dict[int, list[int]]) -> None:
    def onward(node: int) -> list[int]:
        return [end for end in edges[node] if end in edges]

    circles = {node for node in edges if node in reached(onward(node), onward)}
    assert endless(edges) == {node for node in edges if reached([node], onward) & circles}
