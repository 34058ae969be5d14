"""The search for requests in which further classes win."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from crossload.contract.signatures import Signature, TensorSpec
from crossload.contract.vectors import Vector
from crossload.inputs.domains import Domain
from crossload.inputs.requests import Requests
from crossload.verbs.verify import winners

CLASSES = 8
WEIGHTS = np.random.default_rng(0).standard_normal((6, CLASSES)).astype(np.float32)
SIGNATURE = Signature((TensorSpec("x", "FP32", (-1, 6)),), (TensorSpec("y", "FP32", (-1, CLASSES)),))


class Model:
    """A layer of classes, whose bias keeps all but the first from winning often."""

    def __init__(self, bias: float) -> None:
        self.asked = 0
        self.bias = np.array([bias] + [0] * (CLASSES - 1), np.float32)

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        self.asked += 1
        return {"y": inputs["x"] @ WEIGHTS + self.bias}


def answered(model: Model, x: np.ndarray) -> Vector:
    """A recorded vector of the model."""
    return Vector("single_0", {"x": x}, dict(model({"x": x})))


@pytest.mark.parametrize("bias", [0.0, 12.0])
def test_every_class_wins_in_some_row(bias: float) -> None:
    model = Model(bias)
    known = answered(model, np.zeros((1, 6), np.float32))
    found = winners.search(model, SIGNATURE, Requests(), Domain(), [known])
    assert found is not None
    choices = np.argmax(model(found.inputs)["y"], axis=1).tolist()
    assert sorted({*choices, int(np.argmax(known.outputs["y"]))}) == list(range(CLASSES))
    assert len(choices) <= CLASSES, "a row for each class that did not win before"


def test_the_same_seed_finds_the_same_rows() -> None:
    model = Model(3.0)
    known = answered(model, np.zeros((1, 6), np.float32))
    one, other = (winners.search(model, SIGNATURE, Requests(seed=5), Domain(), [known]) for _ in range(2))
    assert one is not None
    assert other is not None
    assert one.inputs["x"].tobytes() == other.inputs["x"].tobytes()


def test_nothing_is_asked_where_every_class_wins_already() -> None:
    model = Model(0.0)
    rows = 100 * np.random.default_rng(1).standard_normal((500, 6)).astype(np.float32)
    known = answered(model, rows)
    before = model.asked
    assert winners.search(model, SIGNATURE, Requests(), Domain(), [known]) is None
    assert model.asked == before


def test_classes_that_cannot_win_end_the_search() -> None:
    model = Model(1e9)
    assert winners.search(model, SIGNATURE, Requests(), Domain(), [answered(model, np.zeros((1, 6), np.float32))]) is None
    assert model.asked < 30


@pytest.mark.parametrize("scores", [np.nan, np.inf])
def test_an_answer_that_is_no_number_chooses_no_class(scores: float) -> None:
    known = Vector("single_0", {"x": np.zeros((1, 6), np.float32)}, {"y": np.zeros((1, CLASSES), np.float32)})

    def ask(inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return {"y": np.full((len(inputs["x"]), CLASSES), scores, np.float32)}

    assert winners.search(ask, SIGNATURE, Requests(), Domain(), [known]) is None


def test_a_fixed_batch_and_an_output_without_classes_are_left_alone() -> None:
    model = Model(3.0)
    known = answered(model, np.zeros((1, 6), np.float32))
    fixed = Signature((TensorSpec("x", "FP32", (1, 6)),), SIGNATURE.outputs)
    assert winners.search(model, fixed, Requests(), Domain(), [known]) is None
    ids = Vector("single_0", known.inputs, {"y": np.zeros((1,), np.int64)})
    assert winners.search(model, SIGNATURE, Requests(), Domain(), [ids]) is None


def test_rows_of_strings_are_strings() -> None:
    texts = Signature((TensorSpec("x", "BYTES", (-1,)),), SIGNATURE.outputs)

    def ask(inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        assert inputs["x"].dtype == object
        assert all(isinstance(text, bytes) for text in inputs["x"])
        return {"y": np.eye(CLASSES, dtype=np.float32)[[min(len(text), CLASSES - 1) for text in inputs["x"]]]}

    known = Vector("single_0", {"x": np.array([b"a"], object)}, dict(ask({"x": np.array([b"a"], object)})))
    found = winners.search(ask, texts, Requests(), Domain(), [known])
    assert found is not None
    assert len(found.inputs["x"]) > 1
