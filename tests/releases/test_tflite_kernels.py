"""The data about interpreters: complete, without questions that nothing can answer, and as new ones are merged in."""

from __future__ import annotations

import json
import lzma

import pytest

from crossload.artifacts.tflite import operator_names
from crossload.releases import tflite_extraction
from crossload.releases.tflite_forms import CYCLE, EXTERNAL, FORMS
from crossload.releases.tflite_kernels import DATA, INFERRED, interpreters, key_of
from crossload.runtimes import registry


def content() -> dict[str, dict[str, object]]:
    return json.loads(lzma.decompress(DATA.read_bytes()))  # type: ignore[no-any-return]


def test_every_interpreter_that_runs_here_has_been_asked_and_every_inferred_one_has_its_neighbours() -> None:
    asked = {i.title for i in interpreters()}
    assert asked == {r.title for r in registry.find(list(tflite_extraction.RUNTIMES))} | set(INFERRED)


@pytest.mark.parametrize("op", FORMS)
def test_a_form_runs_in_some_interpreter_so_that_its_refusals_are_about_datatypes(op: str) -> None:
    answers = content()["kernels"][op]
    assert any("o" in str(letters) for letters in answers.values())  # type: ignore[attr-defined]


@pytest.mark.slow
def test_what_the_files_ask_is_what_the_data_answer() -> None:
    asked = {(op, key) for op, key, _ in tflite_extraction.kernel_files(operator_names.builtin_codes())}
    answered = {(op, key) for op, letters in content()["kernels"].items() for key in letters}  # type: ignore[attr-defined]
    assert asked == answered and ("", CYCLE) in asked and ("", EXTERNAL) in asked


def test_answers_come_apart_and_together_again() -> None:
    found = tflite_extraction.apart(content())
    assert tflite_extraction.together(found) == content()


def test_a_key_counts_repeated_datatypes_once() -> None:
    assert key_of(["float32", "float32", "int32"], ["int8q"]) == "float32 int32->int8q"
