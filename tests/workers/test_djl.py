"""The worker of the Deep Java Library: SavedModels by its Predictor, with arrays that have names and with arrays that have none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from crossload.contract.datatypes import DATATYPES, for_people
from crossload.verbs.verify.verify import verify
from tests import environment
from tests.corpus.arrays import SHAPES, array_of, same_bytes
from tests.workers.conversation import Conversation

pytestmark = pytest.mark.slow

# What its TensorFlow engine has a type for; DJL itself has more.
CARRIED = {"BOOL", "BYTES", "FP32", "FP64", "INT32", "INT64", "INT8", "UINT8"}
X = np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]], np.float32)
A, C = np.array([[1.0, 2.0]], np.float32), np.array([[10.0, 20.0]], np.float32)


@pytest.fixture(scope="module")
def djl() -> Iterator[Conversation]:
    conversation = Conversation(environment.launch_of("djl"))
    yield conversation
    assert conversation.end() == 0


@pytest.fixture(scope="module")
def unnamed() -> Iterator[Conversation]:
    conversation = Conversation(environment.launch_of("djl+unnamed"))
    yield conversation
    assert conversation.end() == 0


def test_a_signature_that_is_missing_is_refused_where_djl_itself_calls_another(djl: Conversation, corpus: Path) -> None:
    binding = {"key": "thrice", "inputs": {"x": "once_x:0"}, "outputs": {"y": "StatefulPartitionedCall:0"}}
    parameters = {"path": str(corpus / "several_signatures"), "format": "saved_model", "signatures": {"thrice": binding}}
    assert djl.ask("RepositoryModelLoad", model_name="m", parameters=parameters).code is None
    refused = djl.infer("thrice", x=X)
    assert refused.code == "NOT_FOUND"
    assert "has no signature 'thrice', and DJL would call another in its place; " in refused.error


def test_a_bound_tensor_that_the_signature_does_not_name_is_refused(djl: Conversation, corpus: Path) -> None:
    binding = {"key": "serving_default", "inputs": {"x": "other:0"}, "outputs": {}}
    parameters = {"path": str(corpus / "scale"), "format": "saved_model", "signatures": {"serving_default": binding}}
    assert djl.ask("RepositoryModelLoad", model_name="m", parameters=parameters).code is None
    refused = djl.infer(x=X)
    assert (refused.code, refused.error) == ("UNIMPLEMENTED", "DJL calls a signature by its own names, and 'x' (other:0) is none of them")


def test_wrong_tags_are_answered_with_those_that_are_there(djl: Conversation, corpus: Path) -> None:
    parameters = {
        "path": str(corpus / "several_tag_sets"),
        "format": "saved_model",
        "tags": ["gpu"],
        "signatures": {"s": {"key": "serving_default", "inputs": {}, "outputs": {}}},
    }
    refused = djl.ask("RepositoryModelLoad", model_name="m", parameters=parameters)
    assert refused.code == "NOT_FOUND" and "has no MetaGraph with the tags gpu; its tag sets are: " in refused.error


@pytest.mark.parametrize("model", ["text_table", "text_table_v1"])
def test_a_table_that_is_filled_from_a_file_fails_because_djl_fills_it_again_without_the_file(
    djl: Conversation, corpus: Path, model: str
) -> None:
    assert djl.load(corpus / model).code is None
    assert djl.infer(words=np.array([b"bad"], dtype=object)).code is not None


def test_a_graph_of_tensorflow_1_that_is_pinned_to_another_device_does_not_load(djl: Conversation, corpus: Path) -> None:
    assert "Cannot assign a device" in djl.load(corpus / "pinned_to_gpu_v1").error
    djl.load(corpus / "pinned_to_gpu")
    assert np.array_equal(djl.infer(x=X).outputs["y"], X + 1)


def test_an_input_with_a_default_must_be_given(djl: Conversation, corpus: Path) -> None:
    djl.load(corpus / "default_input")
    refused = djl.infer(x=X[0])
    assert refused.code == "INVALID_ARGUMENT" and "leaves out: factor; DJL knows no defaults" in refused.error
    assert djl.infer(x=X[0], factor=np.float32(3)).outputs["y"].tolist() == [3, 6, 9]


def test_a_library_of_custom_ops_is_refused(djl: Conversation, corpus: Path) -> None:
    refused = djl.load(corpus / "scale", op_libraries=["custom.so"])
    assert refused.code == "UNIMPLEMENTED" and "tensorflow-java has one" in refused.error


@pytest.mark.parametrize("datatype", DATATYPES)
def test_a_datatype_passes_bit_for_bit_or_is_refused_by_its_name(djl: Conversation, corpus: Path, datatype: str) -> None:
    name = for_people(datatype)
    assert djl.load(corpus / "identity").code is None
    if datatype not in CARRIED:
        refused = djl.infer(name, x=array_of(name, [2]))
        assert (refused.code, refused.error) == ("UNIMPLEMENTED", f"DJL 0.36.0 does not carry {name} in its TensorFlow engine")
        return
    for shape in SHAPES.values():
        sent = array_of(name, shape)
        assert same_bytes(djl.infer(name, x=sent).outputs["y"], sent), shape


@pytest.mark.parametrize(
    ("name", "tags", "signature", "takes", "gives", "expected"),
    [
        ("scale", ["serve"], "serving_default", "x", "y", 2 * X + 1),
        ("several_signatures", ["serve"], "once", "x", "y", 2 * X + 1),
        ("several_signatures", ["serve"], "twice", "x", "y", 4 * X + 2),
        ("several_tag_sets", ["train"], "serving_default@train", "x", "y", 2 * X + 5),
        ("slashes", ["serve"], "tensorflow/serving/predict", "inputs/x.1", "outputs/y.1", 2 * X + 1),
        ("no_tags", [], "serving_default", "x", "y", 2 * X + 1),
        ("reference_variables", ["serve"], "serving_default", "x", "y", 2 * X + 1),
    ],
)
def test_saved_models_answer_by_their_signatures_and_tags(
    djl: Conversation, corpus: Path, name: str, tags: list[str], signature: str, takes: str, gives: str, expected: np.ndarray
) -> None:
    assert djl.load(corpus / name, tags).code is None
    assert np.array_equal(djl.infer(signature, **{takes: X}).outputs[gives], expected)


def test_arrays_with_names_go_to_their_inputs(djl: Conversation, corpus: Path) -> None:
    djl.load(corpus / "other_argument_names")
    answer = djl.infer(**{"a/b": A, "0-c": C})
    assert np.array_equal(answer.outputs["out/1"], A - 2 * C) and not answer.note


def test_arrays_without_names_are_bound_in_the_order_of_the_names_and_a_note_says_so(unnamed: Conversation, corpus: Path) -> None:
    assert unnamed.load(corpus / "other_argument_names").code is None
    answer = unnamed.infer(**{"a/b": A, "0-c": C})
    assert np.array_equal(answer.outputs["out/1"], C - 2 * A)
    assert answer.note == "without names, DJL takes the arrays (a/b, 0-c) for the inputs (0-c, a/b)"


def test_an_order_that_the_saved_model_does_not_tell_is_not_guessed(unnamed: Conversation, v1_models: Path) -> None:
    assert unnamed.load(v1_models / "v1_saved_model").code is None
    given = {"x": X, "factor": np.float32(2), "pick": np.array([1, 2], np.int32)}
    refused = unnamed.infer("several_inputs", **given)
    assert refused.code == "UNIMPLEMENTED" and "the runtime djl feeds by name" in refused.error


def test_the_demo_answers_within_the_tolerance(demo: Path) -> None:
    report = verify(demo, ["djl", "djl+unnamed"])
    assert report.exit_status == 0
    assert {(r.case.artifact, r.case.runtime, r.outcome) for r in report.results} == {
        ("saved_model", "djl", "ok"),
        ("saved_model", "djl+unnamed", "ok"),
    }


def test_verify_shows_exchanged_inputs_and_names_the_cause(corpus: Path) -> None:
    report = verify(corpus / "other_argument_names", ["djl", "djl+unnamed"])
    assert {r.outcome for r in report.results if r.case.runtime == "djl"} == {"ok"}
    assert "mismatch" in {r.outcome for r in report.results if r.case.runtime == "djl+unnamed"}
    causes = {r.cause.text for r in report.results if r.case.runtime == "djl+unnamed" and r.cause}
    assert "the inputs '0-c' and 'a/b' are exchanged" in causes
