"""Values on the command line: literals and makers, never code."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload import features_of
from crossload.cli.expressions import examples, value
from crossload.contract import datatypes
from crossload.contract.signatures import TensorSpec
from crossload.errors import CrossloadError
from crossload.inputs.domains import Feature

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
        ("np.ones((1, 2), dtype=np.float32)", [[1, 1]]),
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


def huge() -> bytes:
    """An .npy of 228 bytes that announces 23 TiB."""
    made = io.BytesIO()
    np.lib.format.write_array_header_1_0(made, {"descr": "<f4", "fortran_order": False, "shape": (6_400_000_000_000,)})
    return made.getvalue() + bytes(100)


@pytest.mark.parametrize("damage", ["huge", "cut", "empty", "garbage", "an npz"])
def test_a_damaged_array_file_is_one_sentence_with_its_name(tmp_path: Path, damage: str) -> None:
    np.savez(tmp_path / "whole.npz", x=np.zeros(3))
    content = {
        "huge": huge(),
        "cut": huge()[:50],
        "empty": b"",
        "garbage": b"\x93NUMPY\1\0\4\0[[[[",
        "an npz": (tmp_path / "whole.npz").read_bytes(),
    }
    file = tmp_path / "x.npy"
    file.write_bytes(content[damage])
    with pytest.raises(CrossloadError, match=re.escape(str(file)) + ".*write it with numpy.save"):
        value(str(file), X)
    if damage == "an npz":
        return
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", content[damage])
    for name in ("x.npz", "x.npz[x]"):
        with pytest.raises(CrossloadError, match=r"x\.npz.*numpy\.savez"):
            value(str(tmp_path / name), X)


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
def test_a_value_that_its_datatype_cannot_hold_is_refused_and_not_converted(text: str, datatype: str) -> None:
    with pytest.raises(CrossloadError, match="does not fit"):
        value(text, TensorSpec("x", datatype, None))


@pytest.mark.parametrize(
    ("text", "datatype", "held"),
    [
        ("7", "INT4", 7),
        ("-8", "INT4", -8),
        ("True", "BOOL", True),
        ("1", "BOOL", True),
        ("1+2j", "COMPLEX64", 1 + 2j),
        ("0.1", "BF16", 0.10009765625),
    ],
)
def test_a_value_that_its_datatype_holds_is_taken(text: str, datatype: str, held: complex) -> None:
    array = value(text, TensorSpec("x", datatype, None))
    assert datatypes.of_array(array) == datatype
    assert complex(array.item()) == held


def test_an_array_of_an_npz_is_named_unless_it_is_the_only_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=np.float32([1]), b=np.float32([2]))
    np.savez(tmp_path / "one.npz", a=np.float32([3]))
    assert value(f"{tmp_path}/two.npz[b]", X).tolist() == [2]
    assert value(f"{tmp_path}/one.npz", X).tolist() == [3]
    with pytest.raises(CrossloadError, match=r"input x=.*two.npz\[KEY\]; it has: a, b"):
        value(f"{tmp_path}/two.npz", X)
    with pytest.raises(CrossloadError, match=r"input x=.*the file has no array 'c'; it has: a, b"):
        value(f"{tmp_path}/two.npz[c]", X)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "pickled.npz", a=np.array([{}], dtype=object))
    with pytest.raises(CrossloadError, match="cannot be read"):
        value(f"{tmp_path}/pickled.npz[a]", X)


EXAMPLES = TensorSpec("examples", "BYTES", (-1,))
PEOPLE = [{"age": [30], "name": [b"x"]}, {"age": [41], "name": [b"y"]}]


@pytest.mark.parametrize(
    "text",
    [
        '[{"age": [30], "name": ["x"]}, {"name": "y", "age": 41}]',
        "[{'age': [30], 'name': [b'x']}, {'age': (41,), 'name': ['y']}]",
        '[{"age": [30], "name": [{"b64": "eA=="}]}, {"age": [41], "name": {"b64": "eQ=="}}]',
    ],
)
def test_dicts_as_json_or_as_python_become_a_batch_of_tf_examples(text: str, tmp_path: Path) -> None:
    (tmp_path / "people.json").write_text(text, encoding="utf-8")
    for given_text in (text, f"@{tmp_path}/people.json"):
        made = examples(given_text, EXAMPLES)
        assert made.shape == (2,)
        assert [features_of(e) for e in made] == PEOPLE


def test_a_scalar_input_takes_one_example() -> None:
    assert examples('[{"a": [1]}]', TensorSpec("e", "BYTES", ())).shape == ()


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ('[{"age": [30]}, {"age": [1, "x"]}]', "example 1: the feature 'age' has elements of int, str"),
        ('[{"age": [[1]]}]', "example 0: the feature 'age'.*flat list"),
        ('[{"age": null}]', "the feature 'age'.*NoneType"),
        ('[{"age": [{"b64": "?"}]}]', "the feature 'age' has an invalid base64 value"),
        ('[{"age": [{"b64": 1}]}]', "the feature 'age' has an invalid base64 value"),
        ("[{1: [1]}]", "the feature 1: a feature's name must be text"),
        ('{"age": [30]}', "write a list of dicts"),
        ('[["age"]]', "write a list of dicts"),
        ("[]", "at least one example"),
        ("__import__('os').getcwd()", "neither JSON"),
        ("[" * 100_000 + "]" * 100_000, "is JSON nested too deeply to read; write"),
        ("@none.json", "none.json cannot be read: No such file"),
    ],
)
def test_an_invalid_example_names_the_input_the_feature_and_the_cause(text: str, cause: str) -> None:
    with pytest.raises(CrossloadError, match=f"--input-examples examples.*{cause}"):
        examples(text, EXAMPLES)


def test_only_a_string_input_takes_examples() -> None:
    with pytest.raises(CrossloadError, match="--input-examples x: the input is float32"):
        examples('[{"a": [1]}]', X)


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s))
)
def test_any_json_becomes_examples_or_is_refused(content: object) -> None:
    try:
        made = examples(json.dumps([{"feature": content}]), EXAMPLES)
    except CrossloadError:
        return
    assert list(features_of(made[0])) == ["feature"]


@given(st.binary(max_size=20))
def test_bytes_come_through_json_as_base64(data: bytes) -> None:
    text = json.dumps([{"image": [{"b64": base64.b64encode(data).decode()}]}])
    assert features_of(examples(text, EXAMPLES)[0]) == {"image": [data]}


IMAGE, LINES = TensorSpec("image", "BYTES", ()), TensorSpec("text", "BYTES", (-1, 1))


def test_a_file_s_bytes_are_a_string_and_a_text_file_s_lines_a_vector(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\0\n\xff")
    (tmp_path / "lines.txt").write_text("one\ntwo\r\n")
    assert value(f"@{tmp_path}/a.jpg", IMAGE).item() == b"\xff\xd8\0\n\xff"
    assert value(f"@{tmp_path}/a.jpg", LINES).tolist() == [[b"\xff\xd8\0\n\xff"]]
    assert value(f"@{tmp_path}/lines.txt", LINES).tolist() == [[b"one"], [b"two"]]
    assert value(f"@{tmp_path}/lines.txt", IMAGE).item() == b"one\ntwo\r\n"
    assert value("base64:/9gA", LINES).tolist() == [[b"\xff\xd8\0"]]
    for text, cause in (("@nowhere", "cannot be read: No such file"), ("base64:%", "invalid base64")):
        with pytest.raises(CrossloadError, match=cause):
            value(text, IMAGE)


@pytest.mark.parametrize("text", ["[[1.5]]", "5", "['a', 2]", "[true]"])
def test_numbers_for_a_string_input_are_refused(text: str) -> None:
    with pytest.raises(CrossloadError, match="the input takes strings, not"):
        value(text, LINES)


def test_json_s_words_are_understood() -> None:
    assert value("[true, false]", TensorSpec("b", "BOOL", None)).tolist() == [True, False]
    assert np.isnan(value("[1, null]", X)[1])
    assert value('["a", "b"]', LINES).tolist() == [b"a", b"b"]
    assert value("true", LINES).item() == b"true"
    with pytest.raises(CrossloadError, match="--input n="):
        value("[1, null]", TensorSpec("n", "INT32", None))


def test_a_real_value_for_a_quantised_input_is_told_how_it_is_stored() -> None:
    spec = TensorSpec("img", "INT8", (-1,), quantization={"scale": [0.5], "zero_point": [-8]})
    with pytest.raises(CrossloadError, match=r"does not fit int8; it is quantised \(scale 0.5, zero point -8\): 0.25 is stored as -8, and"):
        value("[0.25, 3.0]", spec)


FEATURES = (
    Feature("age", "FP32", (1,)), Feature("name", "BYTES", (), (b"?",)), Feature("tags", "INT64", None),
)  # fmt: skip


def test_examples_take_the_types_of_the_graph_s_parser() -> None:
    (made,) = examples('[{"age": [30], "tags": [1.0, 2]}]', TensorSpec("e", "BYTES", (-1,)), FEATURES)
    assert features_of(made) == {"age": [30.0], "tags": [1, 2]} and isinstance(features_of(made)["age"][0], float)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ('[{"ages": [30]}]', "the graph parses no feature 'ages'; near it are 'age'.*; it parses: age, name, tags"),
        ("[{}]", "the feature 'age' is missing: float32, 1 value, required"),
        ('[{"age": [1, 2]}]', "the feature 'age' has 2 values, and the graph takes 1"),
        ('[{"age": ["x"]}]', "the feature 'age' is float32 in the graph, and 'x' was given"),
        ('[{"age": 1, "name": 2}]', "the feature 'name' is string in the graph, and 2 was given"),
        ('[{"age": 1, "tags": [0.5]}]', "the feature 'tags' is int64 in the graph, and 0.5 was given"),
    ],
)
def test_an_example_that_the_graph_does_not_parse_is_refused_before_it_runs(text: str, cause: str) -> None:
    with pytest.raises(CrossloadError, match=cause):
        examples(text, TensorSpec("e", "BYTES", (-1,)), FEATURES)
