"""Values on the command line: literals and makers, never code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossload.cli.expressions import value
from crossload.contract.signatures import TensorSpec
from crossload.errors import CrossloadError

X = TensorSpec("x", "FP32", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[1, 2]]", [[1, 2]]),
        ("-1.5", -1.5),
        ("zeros([1, 2])", [[0, 0]]),
        ("ones(2, float32)", [1, 1]),
        ("full([2], 7)", [7, 7]),
        ("arange(3)", [0, 1, 2]),
        ("arange(1, 2, 0.5)", [1, 1.5]),
        ("linspace(0, 1, 3)", [0, 0.5, 1]),
    ],
)
def test_a_literal_or_a_maker_becomes_an_array_of_the_inputs_datatype(text: str, expected: object) -> None:
    made = value(text, X)
    assert made.dtype == np.float32
    assert made.tolist() == expected


def test_random_is_seeded() -> None:
    assert value("random([3], seed=1)", X).tolist() == value("random([3], 1)", X).tolist() != value("random([3], 2)", X).tolist()


def test_text_needs_no_quotes_for_a_string_input() -> None:
    strings = TensorSpec("s", "BYTES", None)
    assert value("hello world", strings).tolist() == b"hello world"
    assert value("['a', b'\\x00']", strings).tolist() == [b"a", b"\0"]


def test_a_file_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.float32([1, 2]))
    assert value(str(tmp_path / "x.npy"), X).tolist() == [1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "zeros.__class__",
        "(lambda: 1)()",
        "open('x')",
        "zeros([10**12])",
        "zeros(-1)",
        "zeros('a')",
        "arange(0, 1, 0)",
        "zeros([2], float99)",
        "[1, [2]]",
        "'text'",
        "nonsense",
        "[" * 1000,
        "missing.npy",
        "",
    ],
)
def test_anything_else_is_one_sentence(text: str) -> None:
    with pytest.raises(CrossloadError, match="--input x"):
        value(text, X)


def test_a_number_that_the_datatype_cannot_hold_is_refused() -> None:
    with pytest.raises(CrossloadError, match="int8"):
        value("300", TensorSpec("x", "INT8", None))
    with pytest.raises(CrossloadError, match="int32"):
        value("1.5", TensorSpec("x", "INT32", None))


@pytest.mark.parametrize(
    ("text", "datatype"),
    [
        ("1+2j", "FP32"),
        ("100", "INT4"),
        ("-1", "UINT4"),
        ("2", "BOOL"),
        ("0.5", "BOOL"),
        ("300", "UINT8"),
        ("1e400", "INT32"),
        ("-1", "UINT64"),
    ],
)
def test_a_value_that_its_datatype_cannot_hold_is_refused_and_not_bent(text: str, datatype: str) -> None:
    with pytest.raises(CrossloadError, match="does not fit"):
        value(text, TensorSpec("x", datatype, None))


@pytest.mark.parametrize(
    ("text", "datatype"), [("7", "INT4"), ("-8", "INT4"), ("True", "BOOL"), ("1", "BOOL"), ("1+2j", "COMPLEX64"), ("0.1", "BF16")]
)
def test_a_value_that_its_datatype_holds_is_taken(text: str, datatype: str) -> None:
    value(text, TensorSpec("x", datatype, None))
