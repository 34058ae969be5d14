"""Plain data becomes a data class only if it fits exactly; the error names the key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload.contract import manifest, typed


@dataclass(kw_only=True)
class Inner(typed.Part):
    """Scalars."""

    count: int
    share: float = 0.0
    text: str = ""
    on: bool = False


@dataclass(kw_only=True)
class Outer(typed.Part):
    """What holds others."""

    inner: Inner
    many: list[Inner] = field(default_factory=list)
    named: dict[str, Inner] = field(default_factory=dict)
    pair: tuple[int, ...] | None = None
    either: str | int | None = None
    word: Literal["a", "b"] = "a"
    anything: dict[str, Any] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([], "the top level: must be a table of keys, not a list"),
        ({}, "inner: field required"),
        ({"inner": {"count": True}}, "inner.count: must be an integer, not true or false"),
        ({"inner": {"count": "1"}}, "inner.count: must be an integer, not a string"),
        ({"inner": {"count": 1.0}}, "inner.count: must be an integer, not a number"),
        ({"inner": {"count": None}}, "inner.count: must be an integer, not null"),
        ({"inner": {"count": 1, "share": "0.5"}}, "inner.share: must be a number, not a string"),
        ({"inner": {"count": 1, "share": True}}, "inner.share: must be a number, not true or false"),
        ({"inner": {"count": 1, "text": 5}}, "inner.text: must be a string, not an integer"),
        ({"inner": {"count": 1, "on": 1}}, "inner.on: must be true or false, not an integer"),
        ({"inner": {"count": 1, "cuont": 1}}, "inner.cuont: there is no such key; the keys are count, share, text, on"),
        ({"inner": {"count": 1}, "many": [{"count": 1}, {}]}, "many.1.count: field required"),
        ({"inner": {"count": 1}, "many": {}}, "many: must be a list, not a table of keys"),
        ({"inner": {"count": 1}, "named": {"x": {"count": []}}}, "named.x.count: must be an integer, not a list"),
        ({"inner": {"count": 1}, "pair": [1, "2"]}, "pair.1: must be an integer, not a string"),
        ({"inner": {"count": 1}, "either": True}, "either: must be a string or an integer, not true or false"),
        ({"inner": {"count": 1}, "word": "c"}, "word: must be one of 'a', 'b'"),
        ({"inner": {"count": 1}, "word": ["a"]}, "word: must be one of 'a', 'b'"),
    ],
)
def test_data_of_another_form_is_refused_at_its_key(data: Any, says: str) -> None:
    with pytest.raises(typed.Misfit) as caught:
        typed.read(Outer, data)
    assert str(caught.value) == says


def test_unknown_keys_are_ignored_only_if_asked() -> None:
    data = {"inner": {"count": 1, "newer": 2}, "later": {}}
    assert typed.read(Outer, data, ignore_unknown=True) == Outer(inner=Inner(count=1))
    with pytest.raises(typed.Misfit, match=r"inner\.newer"):
        typed.read(Outer, data)


inners = st.builds(Inner, count=st.integers(), share=st.floats(allow_nan=False), text=st.text(), on=st.booleans())
outers = st.builds(
    Outer,
    inner=inners,
    many=st.lists(inners, max_size=3),
    named=st.dictionaries(st.text(), inners, max_size=3),
    either=st.none() | st.text() | st.integers(),
    word=st.sampled_from(["a", "b"]),
    anything=st.dictionaries(st.text(), st.none() | st.lists(st.integers()), max_size=2),
)


@given(outers)
def test_what_becomes_plain_data_is_read_back(made: Outer) -> None:
    assert typed.read(Outer, made.model_dump()) == made
    assert typed.read(Outer, made.model_dump(exclude_none=True)) == made


def test_a_copy_shares_nothing_that_is_changed() -> None:
    made = Outer(inner=Inner(count=1), many=[Inner(count=2)])
    made.model_dump()["many"].append(5)
    assert made.model_copy(update={"word": "b"}) == Outer(inner=Inner(count=1), many=[Inner(count=2)], word="b")
    assert made == Outer(inner=Inner(count=1), many=[Inner(count=2)])


@pytest.mark.parametrize("given", [{"rtol": -1.0}, {"atol": float("nan")}, {"rtol": float("inf")}, {"ulp": -1}])
def test_a_tolerance_is_finite_and_not_negative(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(given))}: must be a finite number, 0 or greater"):
        manifest.Tolerance(**given)
