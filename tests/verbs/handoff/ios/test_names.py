"""Swift identifiers, literals and comments made from a model's names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload.verbs.handoff.ios import names

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9]*_?[0-9]*")


@pytest.mark.parametrize(
    ("name", "member", "type_"),
    [
        ("serving_default", "servingDefault", "ServingDefault"),
        ("class", "class_", "Class"),
        ("self", "self_", "Self"),
        ("reset", "reset_", "Reset"),
        ("1st", "x1st", "X1st"),
        ("größe", "grE", "GrE"),
        ("日本", "unnamed", "Unnamed"),
        ("URL", "url", "URL"),
        ("a" * 90, "a" * 40, "A" + "a" * 39),
    ],
)
def test_a_name_becomes_an_identifier_that_swift_accepts(name: str, member: str, type_: str) -> None:
    assert (names.members([name])[name], names.type_name(name)) == (member, type_)


def test_names_that_become_one_get_numbers() -> None:
    assert list(names.members(["a-b", "a_b", "a b", "x1", "x 1"]).values()) == ["aB", "aB2", "aB3", "x1", "x1_2"]


@given(st.lists(st.text(), unique=True, max_size=8))
def test_every_list_of_names_becomes_as_many_identifiers_that_are_no_keywords(given_names: list[str]) -> None:
    for made in (names.members(given_names), names.types(given_names)):
        found = [n.lower() for n in made.values()]
        assert len(set(found)) == len(given_names)
        assert all(IDENTIFIER.fullmatch(n) for n in made.values())
    keywords = {"class", "func", "in", "init", "inout", "let", "self", "true", "where", "reset", "file", "handed"}
    assert not keywords & set(names.members([*given_names, *keywords]).values())


@given(st.text(st.characters(codec="utf-8")))
def test_a_literal_holds_exactly_the_text_and_no_interpolation(text: str) -> None:
    made = names.literal(text)
    assert made.isascii()
    assert re.fullmatch(r'"(?:[^"\\\r\n]|\\u\{[0-9a-f]{1,6}\})*"', made)
    assert re.sub(r"\\u\{([0-9a-f]+)\}", lambda m: chr(int(m[1], 16)), made[1:-1]) == text


@given(st.text())
def test_a_comment_stays_on_its_line_and_is_utf_8(text: str) -> None:
    made = names.comment(text)
    assert made.isprintable()
    made.encode()


def test_names_that_swift_cannot_tell_apart_or_pass_on_are_found() -> None:
    assert names.unspeakable(["a", "b", "é"]) is None
    assert "are one to Swift" in str(names.unspeakable(["é", "e\u0301"]))
    assert "not text that a Swift string" in str(names.unspeakable(["a\0b"]))
    assert "not text that a Swift string" in str(names.unspeakable(["\udcff"]))
