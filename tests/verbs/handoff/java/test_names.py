"""Java names, and text that stays inside its literal or comment."""

from __future__ import annotations

import pytest

from crossload.errors import CrossloadError
from crossload.verbs.handoff.java import names


@pytest.mark.parametrize(
    ("name", "java"),
    [
        ("serving_default", "servingDefault"),
        ("pixelValues", "pixelValues"),
        ("image-input", "imageInput"),
        ("class", "class_"),
        ("record", "record_"),
        ("_", "unnamed"),
        ("1st", "_1st"),
        ("ID", "id"),
        ("dense/BiasAdd:0", "denseBiasAdd0"),
        ("größe", "größe"),
        ("画像", "画像"),
        ("", "unnamed"),
        ("🦊", "unnamed"),
        ("close", "close_"),
        ("hash_code", "hashCode_"),
    ],
)
def test_a_name_becomes_one_that_java_takes(name: str, java: str) -> None:
    assert names.members([name]) == {name: java}


def test_two_names_that_become_one_stay_distinct_even_on_a_disk_that_ignores_case() -> None:
    assert list(names.members(["a_b", "a-b", "aB", "AB2", "aB2"]).values()) == ["aB", "aB2", "aB3", "ab2_2", "aB2_3"]
    assert list(names.types(["foo", "Foo"]).values()) == ["Foo", "Foo2"]


def test_a_very_long_name_is_shortened_and_stays_unique() -> None:
    first, second = names.members(["x" * 500, "x" * 501]).values()
    assert first != second
    assert max(len(first), len(second)) < 70


def test_a_package_is_made_of_the_models_name_and_a_given_one_is_checked() -> None:
    assert names.package_of("Digits v2") == "com.example.digitsv2"
    assert names.package_of("class") == "com.example.class_"
    assert names.package_of("画像") == "com.example.model"
    assert names.checked_package("org.acme.ml") == "org.acme.ml"
    for wrong in ("com.1st", "com.example.class", "a..b", "", "a/b", "java.x", "größe"):
        with pytest.raises(CrossloadError, match="package"):
            names.checked_package(wrong)


@pytest.mark.parametrize("name", ['"); System.exit(1); ("', "\\u0022", "\\", "a\nb", "\udc80", "\x00", "\u2028"])
def test_no_name_ends_its_literal(name: str) -> None:
    literal = names.literal(name)
    assert literal.isprintable()
    inside = literal[1:-1]
    unescaped = inside.replace("\\\\", "").replace('\\"', "")
    assert '"' not in unescaped
    assert "\n" not in literal


@pytest.mark.parametrize("name", ["*/ evil", "\\u002a\\u002f", "{@link x}", "<script>", "@param", "a\nb", "&amp;"])
def test_no_name_ends_its_comment_or_becomes_markup(name: str) -> None:
    text = names.javadoc(name)
    assert not set("*/\\@{}<>\n") & set(text)
    assert "--" not in names.in_xml_comment("a --> b")
