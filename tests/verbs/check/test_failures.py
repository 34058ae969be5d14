"""A failed load is explained if `check` predicts it, else its message is unchanged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import tflite

from crossload.contract.manifest import Binding
from crossload.errors import WorkerFailure
from crossload.runtimes import registry
from crossload.runtimes.supervisor import ModelSource
from crossload.verbs.check.failures import explained
from crossload.verbs.check.tflite_prediction import would_do
from tests.corpus.checked_graphs import FLOAT, add, graph_of
from tests.corpus.handmade import Lite, Tensor

SAID = "Op type not registered 'DisableCopyOnRead' in binary running on vm."


@pytest.fixture
def source(tmp_path: Path) -> ModelSource:
    """A frozen graph with an op that came with TensorFlow 2.10."""
    graph = graph_of()
    add(graph, "v", "VarHandleOp", dtype=FLOAT).attr["shape"].shape.SetInParent()
    add(graph, "copy", "DisableCopyOnRead", "v")
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.SerializeToString())
    return ModelSource(path, "graph_def", {"s": Binding(inputs={"x": "x:0"}, outputs={"y": "y:0"})})


def of(source: ModelSource, runtime: str, outcome: str = "load_error", phase: str = "load") -> str:
    return explained(WorkerFailure(outcome, phase, SAID), registry.find([runtime])[0], source)


def test_the_runtimes_own_message_comes_first_then_the_reason_the_releases_that_run_it_and_the_next_step(source: ModelSource) -> None:
    assert of(source, "tensorflow-java@0.4.2") == (
        f"{SAID} Op type not registered 'DisableCopyOnRead': first in TensorFlow 2.10.1 of the releases known here; yours is 2.7.4 "
        "(node 'copy'); would run in: tensorflow-java@0.5.0, tensorflow@2.15.1, tensorflow-java@1.0.0, tensorflow-java@1.1.0, "
        f"tensorflow@2.21.0; or: crossload convert {source.path} DESTINATION --runtime tensorflow-java@0.4.2"
    )


@pytest.mark.parametrize("runtime", ["tensorflow-java@1.1.0", "litert"])
def test_an_unpredicted_failure_keeps_its_message(source: ModelSource, runtime: str) -> None:
    assert of(source, runtime) == SAID


@pytest.mark.parametrize(("outcome", "phase"), [("run_error", "run"), ("crash", "load"), ("timeout", "load")])
def test_only_a_refusal_to_load_is_explained(source: ModelSource, outcome: str, phase: str) -> None:
    assert of(source, "tensorflow-java@0.4.2", outcome, phase) == SAID


def test_a_failure_of_an_unreadable_model_keeps_its_message(source: ModelSource) -> None:
    source.path.unlink()
    assert of(source, "tensorflow-java@0.4.2") == SAID


def test_a_library_that_failed_is_the_whole_explanation(source: ModelSource) -> None:
    failure = WorkerFailure("load_error", "load", "the op library /ops.so is cut off")
    assert (
        explained(failure, registry.one("tensorflow-java@0.4.2"), replace(source, options={"op_libraries": ["/ops.so"]})) == failure.message
    )


@pytest.fixture
def lite(tmp_path: Path) -> ModelSource:
    """A .tflite whose operator TensorFlow Lite Micro does not have, and that fails in tflite-runtime for its datatype."""
    path = tmp_path / "model.tflite"
    tensors = tuple(Tensor(n, tflite.TensorType.COMPLEX64) for n in "xy")
    path.write_bytes(Lite(tensors, operators=(tflite.BuiltinOperator.ATAN2,)).build())
    return ModelSource(path, "tflite", {"s": Binding(inputs={"x": 0}, outputs={"y": 1})})


def test_a_failure_of_a_tflite_names_the_operator_and_the_interpreters_that_run_it(lite: ModelSource) -> None:
    lite.path.write_bytes(Lite((Tensor("x"), Tensor("y")), operators=(tflite.BuiltinOperator.RELU_0_TO_1,)).build())
    micro = registry.one("tflite-micro").title
    said = of(lite, "tflite-micro", "unsupported")
    assert said.startswith(f"{SAID} {micro} does not have the operator RELU_0_TO_1; would run in: litert@2.3.0, ")


def test_a_failed_run_of_a_tflite_is_explained_by_its_signature(lite: ModelSource) -> None:
    (prediction,) = would_do(lite.path, ["tflite-runtime"], bindings=lite.bindings)
    failure = WorkerFailure(prediction.outcome, "run", SAID)
    assert "ATAN2 on complex64 → complex64 (node 'ATAN2 0'); would run in: no release known here" in explained(
        failure, registry.one("tflite-runtime"), lite, "s"
    )


@pytest.mark.parametrize("outcome", ["timeout", "protocol_error"])
def test_a_failure_of_a_tflite_that_check_does_not_predict_keeps_its_message(lite: ModelSource, outcome: str) -> None:
    assert of(lite, "tflite-runtime", outcome) == SAID


def test_a_failure_before_the_signatures_are_known_is_explained_too(lite: ModelSource) -> None:
    lite.path.write_bytes(Lite((Tensor("x"), Tensor("y")), operators=("my-op",)).build())
    bare = ModelSource(lite.path, "", {})
    assert "does not have the custom op my-op; the application must register it" in of(bare, "litert", "unsupported")
