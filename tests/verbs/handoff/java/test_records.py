"""Generated records (values by their elements, refusals by name, rows) and tf.Examples, compiled and run without TensorFlow."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from crossload.inputs.tf_example import features_of, is_example
from tests.verbs.handoff.java import hostile

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What RecordsProbe.java prints, by the words before the colon."""
    folder = tmp_path_factory.mktemp("records")
    project = hostile.project(folder)
    sources = [p for p in (project / "client/src/main").rglob("*.java") if p.name != "Main.java"]
    jars = ":".join(str(p) for p in (project / "lib").glob("*.jar"))
    probe = Path(__file__).parent / "RecordsProbe.java"
    compiled = ["javac", "-encoding", "UTF-8", "-cp", jars, "-d", folder / "classes", *sources, probe]
    subprocess.run(compiled, check=True)
    ran = ["java", "-Dstdout.encoding=UTF-8", "-Dfile.encoding=UTF-8", "-cp", f"{folder / 'classes'}:{jars}"]
    done = subprocess.run([*ran, "com.example._1evilmodel.RecordsProbe"], check=True, capture_output=True, encoding="utf-8")
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


def test_records_of_equal_elements_are_equal_and_others_are_not(said: dict[str, str]) -> None:
    assert (said["equal"], said["different"]) == ("true", "true")
    assert (said["equal tensors"], said["another shape"]) == ("true", "false")


def test_a_record_as_text_shows_the_first_elements_of_an_array_and_the_shape_of_a_tensor(said: dict[str, str]) -> None:
    zeros = ", ".join(["0.0"] * 8)
    assert said["shown"] == (
        f"ThreeOutputs[mediumOutput0=[1.0, NaN], mediumOutput1=[0.0, 0.0, 0.0], mediumOutput2=[{zeros}, … 20 elements]]"
    )
    assert said["shown tensors"] == "RowsOutputs[hidden=float32 [2, 2], label=käse, that=int64 []]"


def test_rows_become_a_tensor_of_two_dimensions(said: dict[str, str]) -> None:
    assert said["rows"] == "int32 [2, 3] [1, 2, 3, 4, 5, 6]"
    assert said["bytes"] == "true"
    assert said["texts"] == "[a, b] null"
    assert said["no rows"] == "int32 [0, 0]"


def test_rows_of_several_lengths_are_refused_by_name(said: dict[str, str]) -> None:
    assert said["uneven"] == "IllegalArgumentException: inputIds[1] has 2 elements, and inputIds[0] has 1"


def test_null_is_refused_by_name_except_where_it_stands_for_a_default(said: dict[str, str]) -> None:
    assert said["null rows"] == "NullPointerException: inputIds is null"
    assert said["null row"] == "NullPointerException: inputIds[1] is null"
    assert said["null label"] == "NullPointerException: label is null"
    assert said["null element"] == "NullPointerException: _1St2[1] is null"
    assert said["default"] == "true"


def test_an_example_has_the_features_that_were_set(said: dict[str, str]) -> None:
    example = bytes.fromhex(said["example"])
    assert is_example(example)
    names = [f.name for f in hostile.FEATURES]
    assert features_of(example) == {
        names[0]: [1.5, -2.0],
        names[1]: [0, 127, 128, -1, 2**63 - 1],
        names[2]: ["käse".encode()],
        names[3]: [b"\xff", b""],
        names[5]: [0.25],
    }


def test_an_example_without_a_required_feature_or_with_too_many_values_is_refused_by_name(said: dict[str, str]) -> None:
    assert said["missing"] == "IllegalStateException: the example needs the feature 'class', which is not set"
    assert said["too many"] == "IllegalArgumentException: the feature 'age' takes 2 values, and 3 were given"
    assert said["null text"] == "NullPointerException: class[0] is null"
