"""The warm-up file: contains requests that TensorFlow Serving accepts; others are named and left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossload import tf_example
from crossload.artifacts import tfrecord
from crossload.artifacts.graphs import protos
from crossload.artifacts.messages import message_class
from crossload.contract import datatypes
from crossload.contract.vectors import Vector
from crossload.edits import warmup
from crossload.edits.warmup import write_warmup
from crossload.errors import CrossloadError
from tests.corpus import handmade


def strings(*elements: bytes) -> np.ndarray:
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    return array


def signature(meta_graph: Any, key: str, method: str, inputs: dict[str, int], outputs: dict[str, int]) -> Any:
    """Add a signature with these names and datatypes."""
    definition = meta_graph.signature_def[key]
    definition.method_name = method
    for side, tensors in ((definition.inputs, inputs), (definition.outputs, outputs)):
        for name, datatype in tensors.items():
            handmade.tensor_info(side[name], f"{name}:0", datatype)
    return definition


def logs(path: Path) -> list[Any]:
    """The PredictionLogs of a file."""
    return [warmup._messages()["PredictionLog"].FromString(record) for record in tfrecord.read(path)]


def x(value: float) -> Vector:
    return Vector(f"v{value:.0f}", {"x": np.float32([[value, 2, 3, 4]])}, {"y": np.float32([[0, 1]])})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A SavedModel with a signature each for predict, classify and regress, one of an unknown method, one with a sparse input."""
    made = handmade.meta_graph("serve")
    signature(
        made, "classify", "tensorflow/serving/classify", {"inputs": handmade.STRING}, {"classes": handmade.STRING, "scores": handmade.FLOAT}
    )
    signature(made, "regress", "tensorflow/serving/regress", {"inputs": handmade.STRING}, {"outputs": handmade.FLOAT})
    signature(made, "own", "my/method", {"x": handmade.FLOAT}, {"y": handmade.FLOAT})
    sparse = signature(made, "sparse", "tensorflow/serving/predict", {}, {"y": handmade.FLOAT})
    sparse.inputs["ids"].coo_sparse.values_tensor_name = "ids:0"
    return handmade.saved_model(tmp_path / "model", made)


def test_requests_are_written_as_predict_requests_in_their_order(model: Path) -> None:
    made = write_warmup(model, "census", {"serving_default": [x(1), x(2)]})
    assert (made.path, made.records, made.left_out) == (model / "assets.extra" / "tf_serving_warmup_requests", 2, {})
    found = [log.predict_log.request for log in logs(made.path)]
    assert [(r.model_spec.name, r.model_spec.signature_name) for r in found] == [("census", "serving_default")] * 2
    assert [protos.default(r.inputs["x"], made.path, "x") for r in found] == [
        {"shape": [1, 4], "data": [1.0, 2.0, 3.0, 4.0]},
        {"shape": [1, 4], "data": [2.0, 2.0, 3.0, 4.0]},
    ]


def test_an_omitted_input_is_written_with_its_default(tmp_path: Path) -> None:
    """TensorFlow Serving feeds only the record's inputs: an input without a value would end the warm-up."""
    made = handmade.meta_graph("serve")
    own = made.signature_def["serving_default"]
    handmade.tensor_info(own.inputs["factor"], "factor:0", shape=())
    own.defaults["factor"].CopyFrom(message_class("tensorflow.TensorProto")(dtype=handmade.FLOAT, float_val=[3]))
    given = Vector("given", {**x(2).inputs, "factor": np.float32(5)}, x(2).outputs)
    path = write_warmup(handmade.saved_model(tmp_path / "model", made), "m", {"serving_default": [x(1), given]}).path
    factors = [log.predict_log.request.inputs["factor"] for log in logs(path)]
    assert [protos.default(f, path, "factor") for f in factors] == [{"shape": [], "data": [3.0]}, {"shape": [], "data": [5.0]}]


def test_signatures_take_turns_up_to_servings_limit(model: Path) -> None:
    examples = strings(tf_example({"age": [1]}))
    answered = Vector("r", {"inputs": examples}, {"outputs": np.float32([1])})
    made = write_warmup(model, "m", {"serving_default": [x(n) for n in range(1200)], "regress": [answered]})
    assert made.records == 1000
    asked = [(log.WhichOneof("log_type"), getattr(log, log.WhichOneof("log_type")).request.model_spec) for log in logs(made.path)]
    assert [(kind, spec.signature_name) for kind, spec in asked[:3]] == [
        ("predict_log", "serving_default"),
        ("regress_log", "regress"),
        ("predict_log", "serving_default"),
    ]
    assert len(made.left_out) == 201
    assert "already" in made.left_out["serving_default/v1199"]
    with pytest.raises(CrossloadError, match="1 to 1000"):
        write_warmup(model, "m", {"serving_default": [x(1)]}, most=1001, overwrite=True)


def test_the_same_vectors_give_the_same_bytes(model: Path) -> None:
    inputs = {name: np.float32([1]) for name in ("b", "a", "c")}
    files = []
    for names in (("a", "b", "c"), ("c", "b", "a")):
        made = write_warmup(model, "m", {"serving_default": [Vector("v", {n: inputs[n] for n in names})]}, overwrite=True)
        files.append(made.path.read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("name", sorted(datatypes.DATATYPES))
def test_every_datatype_and_shape_round_trips(model: Path, name: str) -> None:
    dtype = datatypes.numpy_dtype(name)
    values = strings(b"", b"a\0\xff", b"x") if name == "BYTES" else np.array([0, 1, 3]).astype(dtype)
    expected = ["", "a\0\udcff", "x"] if name == "BYTES" else [[v, 0.0] for v in (0, 1, 3)] if "COMPLEX" in name else values.tolist()
    if name == "INT4":
        values, expected = np.array([-8, -1, 7]).astype(dtype), [-8, -1, 7]
    inputs = {"three": values, "row": values.reshape(1, 3), "none": values[:0], "one": values[:1].reshape(())}
    made = write_warmup(model, "m", {"serving_default": [Vector("v", inputs)]})
    request = logs(made.path)[0].predict_log.request
    found = {name: protos.default(request.inputs[name], made.path, name) for name in inputs}
    assert [found[n]["shape"] for n in inputs] == [[3], [1, 3], [0], []]
    assert [[float(e) if name.startswith(("FP", "BF")) else e for e in found[n]["data"]] for n in ("three", "row")] == [expected] * 2
    assert (found["none"]["data"], found["one"]["data"]) == ([], expected[:1])


def test_example_signatures_get_classify_and_regress_records(model: Path) -> None:
    examples = strings(tf_example({"age": [30]}), tf_example({"age": [40]}))
    scores, classes = np.float32([[0.1, 0.9]] * 2), np.array([[b"no", b"yes"]] * 2, dtype=object)
    recorded = {
        "classify": [Vector("v", {"inputs": examples}, {"classes": classes, "scores": scores})],
        "regress": [Vector("v", {"inputs": examples}, {"outputs": np.float32([[1], [2]])})],
    }
    found = logs(write_warmup(model, "m", recorded).path)
    assert [log.WhichOneof("log_type") for log in found] == ["classify_log", "regress_log"]
    for log, key in zip(found, recorded, strict=True):
        request = getattr(log, log.WhichOneof("log_type")).request
        assert request.model_spec.signature_name == key
        assert list(request.input.example_list.examples) == examples.tolist()


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        (strings(b"no example"), {"outputs": np.float32([1])}),
        (strings(b""), {"outputs": np.float32([[1, 2]])}),
        (strings(b"", b""), {"outputs": np.float32([1])}),
        (strings(b""), {"outputs": np.float64([1])}),
        (strings(b"").reshape(1, 1), {"outputs": np.float32([1])}),
        (strings(b""), {"outputs": np.float32([1]), "more": np.float32([1])}),
        (strings(), {"outputs": np.float32([])}),
    ],
)
def test_a_regression_that_serving_would_refuse_becomes_a_predict_record(model: Path, inputs: np.ndarray, outputs: dict[str, Any]) -> None:
    (log,) = logs(write_warmup(model, "m", {"regress": [Vector("v", {"inputs": inputs}, outputs)]}).path)
    assert log.WhichOneof("log_type") == "predict_log"
    assert list(log.predict_log.request.inputs["inputs"].string_val) == inputs.reshape(-1).tolist()


def test_requests_that_serving_refuses_are_left_out_with_the_reason(model: Path) -> None:
    made = write_warmup(model, "m", {"serving_default": [x(1)], "own": [x(1)], "sparse": [Vector("v", {})]})
    assert made.records == 1
    assert "its method is 'my/method'" in made.left_out["own"]
    assert "'ids' is a sparse or composite tensor" in made.left_out["sparse"]


def test_an_empty_warm_up_file_is_an_error_with_the_reason(model: Path) -> None:
    with pytest.raises(CrossloadError, match=r"model gets no warm-up file \(own: its method"):
        write_warmup(model, "m", {"own": [x(1)]})
    with pytest.raises(CrossloadError, match="no recorded requests"):
        write_warmup(model, "m", {"serving_default": []})
    with pytest.raises(CrossloadError, match="no signature 'none'; it has: classify, own, regress"):
        write_warmup(model, "m", {"none": [x(1)]})
    assert not (model / "assets.extra").exists()


def test_an_existing_file_is_kept_unless_replacement_is_requested(model: Path) -> None:
    path = write_warmup(model, "m", {"serving_default": [x(1)]}).path
    with pytest.raises(CrossloadError, match="exists; remove it first"):
        write_warmup(model, "m", {"serving_default": [x(1), x(2)]})
    assert len(logs(path)) == 1
    assert write_warmup(model, "m", {"serving_default": [x(1), x(2)]}, overwrite=True).records == 2


def test_of_several_meta_graphs_the_served_one_is_warmed(tmp_path: Path) -> None:
    train = handmade.meta_graph("train")
    signature(train, "loss", "tensorflow/serving/predict", {"x": handmade.FLOAT}, {"y": handmade.FLOAT})
    folder = handmade.saved_model(tmp_path / "model", train, handmade.meta_graph("serve"))
    assert write_warmup(folder, "m", {"serving_default": [x(1)]}).records == 1
    with pytest.raises(CrossloadError, match="no signature 'loss'"):
        write_warmup(folder, "m", {"loss": [x(1)]}, overwrite=True)
    assert write_warmup(folder, "m", {"loss": [x(1)]}, tags=["train"], overwrite=True).records == 1
    assert (folder / "saved_model.pb").is_file()
