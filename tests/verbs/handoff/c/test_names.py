"""C identifiers and literals made from a model's names."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload.verbs.handoff.c import names
from tests.environment import compiled


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("serving_default", "serving_default"),
        ("class", "class_"),
        ("restrict", "restrict_"),
        ("1st", "x_1st"),
        ("größe", "gr_e"),
        ("__reserved", "reserved"),
        ("日本", "unnamed"),
        ("a" * 90, "a" * 40),
    ],
)
def test_a_name_becomes_an_identifier_that_c_and_c_plus_plus_accept(name: str, identifier: str) -> None:
    assert names.identifier(name) == identifier


def test_a_client_is_not_called_like_another_file_of_its_project() -> None:
    files = ["judge.c", "judge.h", "model.cpp"]
    assert [names.prefix(n, files) for n in ("Judge", "model", "digits")] == ["judge_client", "model_client", "digits"]


def test_a_function_is_not_called_like_the_types_of_another() -> None:
    called = [names.function(n) for n in ("predict", "predict_inputs", "predict_outputs")]
    assert called == ["predict", "predict_inputs_", "predict_outputs_"]


def test_names_that_become_one_get_numbers() -> None:
    assert names.identifiers(["a-b", "a_b", "a b", "x1", "x_1", "X1"]) == {
        "a-b": "a_b",
        "a_b": "a_b2",
        "a b": "a_b3",
        "x1": "x1",
        "x_1": "x_1",
        "X1": "x1_2",
    }


@given(st.lists(st.text(min_size=1), unique=True, max_size=8))
def test_every_list_of_names_becomes_as_many_plain_identifiers(given_names: list[str]) -> None:
    made = list(names.identifiers(given_names).values())
    assert len(set(made)) == len(given_names)
    assert all(n.isascii() and n.isidentifier() and not n.startswith("_") for n in made)


def test_a_literal_holds_exactly_the_text_s_bytes(tmp_path: Path) -> None:
    texts = ['"); system("x"); ("', "??/", "größe\n\t\\", "*/ evil", "\x010", "%s%n"]
    lines = "".join(f"    fputs({names.literal(t)}, stdout);\n    fputc(0, stdout);\n" for t in texts)
    (tmp_path / "main.c").write_text(f"#include <stdio.h>\nint main(void) {{\n{lines}    return 0;\n}}\n", "utf-8")
    done = subprocess.run([compiled(tmp_path / "literals", "-std=c99", tmp_path / "main.c")], capture_output=True, check=True)
    assert done.stdout.split(b"\0")[:-1] == [t.encode() for t in texts]


@given(st.text())
def test_a_comment_cannot_be_ended_or_continued(text: str) -> None:
    assert not {"*/", "/*", "??", "\n", "\\"} & {names.comment(text)[at : at + n] for at in range(len(names.comment(text))) for n in (1, 2)}
