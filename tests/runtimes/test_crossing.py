"""Crossing a bridge and back, with workers that lack a datatype or return wrong datatypes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossload.contract.manifest import Binding, Bridge
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import CrossloadError, WorkerFailure
from crossload.runtimes import crossing
from crossload.runtimes.supervisor import Answer, Limits, ModelSource, Supervisor
from tests import fakes

OLD = "BOOL BYTES FP32 FP64 INT32 INT64 UINT8"
CARRIERS = {"INT8": "INT32", "COMPLEX64": "FP32"}
QUICK = Limits(start=10, load=10, run=10)


def source(datatype: str, shape: tuple[int, ...] = (-1,), default: dict[str, object] | None = None) -> ModelSource:
    """A model that doubles, with a bridge for its datatype."""
    carriers = {d: c for d, c in CARRIERS.items() if d == datatype}
    bridge = Bridge(key="crossload_bridge_double", inputs={"x": "carried:0"}, outputs={"y": "carried_y:0"}, carriers=carriers)
    binding = Binding(key="double", inputs={"x": "x:0"}, outputs={"y": "y:0"}, bridge=bridge if carriers else None)
    described = Signature((TensorSpec("x", datatype, shape, default=default),), (TensorSpec("y", datatype, shape),))
    return ModelSource(Path("a.tflite"), "tflite", {"double": binding}, signatures={"double": described})


def answer(behaviour: str, model: ModelSource, given: dict[str, np.ndarray], carried: str = OLD) -> Answer:
    with Supervisor("fake", fakes.launch(behaviour, FAKE_DATATYPES=carried), QUICK) as subject:
        subject.load(model)
        return subject.infer("double", given, ["y"])


def failure(behaviour: str, model: ModelSource, given: dict[str, np.ndarray]) -> WorkerFailure:
    with pytest.raises(WorkerFailure) as caught:
        answer(behaviour, model, given)
    return caught.value


BYTES = {"x": np.array([-64, 0, 63], np.int8)}
NUMBERS = {"x": np.array([1 + 2j, -3j], np.complex64)}


def test_a_datatype_that_a_worker_lacks_crosses_by_a_bridge_and_comes_back_with_a_note() -> None:
    said = answer("honest", source("INT8"), BYTES)
    assert (said.outputs["y"].dtype, said.outputs["y"].tolist()) == (np.int8, [-128, 0, 126])
    assert said.note == "through the bridge: int8 as int32"


def test_a_complex_number_crosses_as_two_floats_and_comes_back_as_one_number() -> None:
    said = answer("honest", source("COMPLEX64"), NUMBERS)
    assert (said.outputs["y"].dtype, said.outputs["y"].tolist()) == (np.complex64, [2 + 4j, -6j])


def test_the_worker_loads_the_bridge_s_own_signature() -> None:
    model = source("INT8")
    bridges = crossing.bridges(model.bindings, model.signatures, OLD.split())
    assert model.parameters(bridges)["signatures"] == {
        "double": {"key": "crossload_bridge_double", "inputs": {"x": "carried:0"}, "outputs": {"y": "carried_y:0"}}
    }


@pytest.mark.parametrize("carried", [None, [*OLD.split(), "INT8"]])
def test_a_worker_that_carries_the_datatype_takes_no_bridge(carried: list[str] | None) -> None:
    model = source("INT8")
    assert crossing.bridges(model.bindings, model.signatures, carried) == {}


def test_without_a_bridge_the_worker_s_own_refusal_stands() -> None:
    found = failure("honest", source("INT16"), {"x": np.array([1, 2], np.int16)})
    assert (found.outcome, found.message) == ("unsupported", "the fake has no tensor type for INT16")


def test_a_value_that_does_not_fit_is_an_error_and_never_wrapped() -> None:
    found = failure("great-value:run", source("INT8"), BYTES)
    assert (found.outcome, found.phase) == ("run_error", "run")
    assert found.message == "through the bridge: what came back as int32 is no int8: a value does not fit"


def test_a_value_that_fits_is_not_corrected() -> None:
    """A wrong answer has to reach the judge as it is."""
    assert answer("wrong-value:run", source("INT8"), BYTES).outputs["y"].tolist() == [-127, 1, 127]


@pytest.mark.parametrize(
    ("datatype", "given", "said"),
    [
        ("INT8", BYTES, "int8 travels as int32, and float32 came back"),
        ("COMPLEX64", NUMBERS, "complex64 travels as float32, and int32 came back"),
    ],
)
def test_another_datatype_than_the_carrier_is_an_error_that_names_both(datatype: str, given: dict[str, np.ndarray], said: str) -> None:
    found = failure("wrong-datatype:run", source(datatype), given)
    assert (found.outcome, found.message) == ("run_error", f"through the bridge: {said}")


def test_a_complex_number_without_its_second_half_is_an_error() -> None:
    found = failure("wrong-shape:run", source("COMPLEX64"), NUMBERS)
    assert found.message == "through the bridge: complex64 travels with a last axis of 2, and the shape [4, 1] came back"


def test_a_missing_output_stays_missing() -> None:
    assert answer("missing-output:run", source("INT8"), BYTES).outputs == {}


def test_a_worker_that_recovers_is_asked_again_over_the_bridge(tmp_path: Path) -> None:
    """A fresh worker loads the model again, and lists again what it carries."""
    with Supervisor("fake", fakes.launch("die:run", tmp_path / "once", FAKE_DATATYPES=OLD), QUICK) as subject:
        subject.load(source("INT8"))
        with pytest.raises(WorkerFailure):
            subject.infer("double", BYTES, ["y"])
        assert subject.infer("double", BYTES, ["y"]).outputs["y"].tolist() == [-128, 0, 126]


def test_an_omitted_input_is_sent_as_its_default_and_crosses_with_it() -> None:
    model = source("INT8", default={"shape": [2], "data": [7, -8]})
    assert crossing.there({}, model.signatures["double"], None)["x"].tolist() == [7, -8]
    assert answer("honest", model, {}).outputs["y"].tolist() == [14, -16]


def test_a_default_that_does_not_fit_its_datatype_is_an_error_that_names_the_input() -> None:
    with pytest.raises(CrossloadError, match="the default of the input 'x' is not a int8 tensor"):
        crossing.there({}, source("INT8", default={"shape": [2], "data": [7]}).signatures["double"], None)
