"""Causes named from the answers alone: each change of a whole answer is named, and what nothing explains is not known."""

from __future__ import annotations

from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest

from crossload.compare.causes import explain
from crossload.compare.tolerance import Tolerances
from crossload.contract.causes import Cause

Change = Callable[[np.ndarray], np.ndarray]
_RANDOM = np.random.default_rng(7)


def _softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return (powers / powers.sum(-1, keepdims=True)).astype(np.float32)


LOGITS = [_RANDOM.standard_normal((3, 10)).astype(np.float32) for _ in range(5)]
IMAGES = [_RANDOM.standard_normal((2, 6, 6, 3)).astype(np.float32) for _ in range(3)]
CHANCES = [_softmax(a) for a in LOGITS]
IDS = [_RANDOM.integers(0, 5, 12) for _ in range(5)]
BIAS = np.linspace(-1, 1, 10).astype(np.float32)


def cause(references: list[np.ndarray], change: Change) -> Cause:
    """The cause of answers that are the references, changed."""
    return explain([({"y": r}, {"y": change(r)}, {}) for r in references], Tolerances())


def _with(array: np.ndarray, at: object, value: object) -> np.ndarray:
    found = array.copy()
    found[at] = value
    return found


def _of_logits(change: Change) -> Change:
    return lambda chances: _softmax(change(np.log(chances)))


@pytest.mark.parametrize(
    ("references", "change", "kind", "words"),
    [
        (LOGITS, lambda a: a * np.float32(0), "zero", "zero"),
        (LOGITS, lambda a: np.full_like(a, 0.1), "constant", "0.1"),
        (LOGITS, lambda a: np.broadcast_to(BIAS, a.shape), "constant", "does not depend"),
        (LOGITS, lambda a: _with(a, (0, 3), np.nan), "nan", "NaN"),
        (LOGITS, lambda a: _with(a, (0, 3), np.inf), "infinite", "infinite"),
        (LOGITS, np.negative, "negated", "negated"),
        (LOGITS, lambda a: a * np.float32(255), "scaled", "255"),
        (LOGITS, lambda a: a + np.float32(0.5), "shifted", "0.5"),
        (LOGITS, lambda a: a * np.float32(2) - np.float32(1), "scaled", "2 × the reference -1"),
        (LOGITS, lambda a: a + BIAS, "shifted", "each class"),
        (LOGITS, lambda a: a * (2 + BIAS), "scaled", "each class"),
        (LOGITS, lambda a: np.roll(a, 2, -1), "rolled", "by 2 along axis 1"),
        (LOGITS, lambda a: a[:, [0, 1, 7, 3, 4, 5, 6, 2, 8, 9]], "permuted", "2 and 7"),
        (LOGITS, lambda a: a[:, ::-1].copy(), "permuted", "reversed"),
        (LOGITS, lambda a: _with(a, (slice(None), 4), a[:, 4] + 1), "one_class", "class 4"),
        (LOGITS, lambda a: _with(a, (1, 4), a[1, 4] + 1), "one_element", "[1, 4]"),
        (LOGITS, lambda a: np.maximum(a, 0), "activation", "relu"),
        (LOGITS, _softmax, "activation", "softmax was applied"),
        (CHANCES, np.log, "activation", "lacks"),
        (LOGITS, lambda a: np.minimum(a, np.float32(0.25)), "clipped", "above 0.25"),
        (LOGITS, lambda a: a.astype(np.float16).astype(np.float32), "narrower", "float16"),
        (LOGITS, lambda a: a.astype(ml_dtypes.bfloat16).astype(np.float32), "narrower", "bfloat16"),
        (LOGITS, np.rint, "narrower", "integer"),
        (LOGITS, lambda a: (np.rint(a / 0.05) * 0.05).astype(np.float32), "quantised", "quantised"),
        (CHANCES, _of_logits(lambda a: _with(a, (slice(None), 4), a[:, 4] + 1)), "one_class", "class 4"),
        (CHANCES, _of_logits(lambda a: a + BIAS), "shifted", "before the softmax"),
        (CHANCES, _of_logits(lambda a: a * 3), "scaled", "logits"),
        (CHANCES, _of_logits(np.negative), "negated", "logits"),
        (IMAGES, lambda a: np.swapaxes(a, 1, 2), "transposed", "[0, 2, 1, 3]"),
        (IMAGES, lambda a: np.transpose(a, (0, 3, 1, 2)), "transposed", "[0, 2, 3, 1]"),
        (IMAGES, lambda a: np.transpose(a, (0, 3, 1, 2)).reshape(a.shape), "layout", "NCHW instead of NHWC"),
        (IMAGES, lambda a: np.flip(a, 3), "permuted", "axis 3"),
        (IDS, lambda a: 4 - a, "permuted", "one another"),
        (IDS, lambda a: a + 1, "shifted", "by 1"),
    ],
)
def test_a_change_of_every_answer_is_named_with_confidence(references: list[np.ndarray], change: Change, kind: str, words: str) -> None:
    found = cause(references, change)
    assert (found.kind, found.confidence) == (kind, "high")
    assert words in found.text
    assert found.evidence


def test_exchanged_outputs_are_named() -> None:
    answers = [({"a": a, "b": a * 3 + 1}, {"a": a * 3 + 1, "b": a}, {}) for a in LOGITS]
    found = explain(answers, Tolerances())
    assert (found.kind, found.text) == ("exchanged_outputs", "the outputs 'a' and 'b' are exchanged")


def test_a_missing_output_and_another_datatype_are_the_signatures() -> None:
    assert "'b' is missing" in explain([({"a": LOGITS[0], "b": LOGITS[1]}, {"a": LOGITS[0]}, {})], Tolerances()).text
    found = cause(LOGITS, lambda a: a.astype(np.float64))
    assert (found.kind, "datatype" in found.text) == ("signature", True)


def test_differences_just_above_the_bound_are_rounding_without_confidence() -> None:
    noise = np.random.default_rng(1)
    found = cause(LOGITS, lambda a: (a * (1 + 2e-5 * noise.uniform(-1, 1, a.shape))).astype(np.float32))
    assert (found.kind, found.confidence) == ("rounding", "low")


def test_one_class_is_not_named_where_the_others_are_almost_as_far_away() -> None:
    noise = np.random.default_rng(1)

    def all_moved_one_of_them_most(a: np.ndarray) -> np.ndarray:
        share = noise.uniform(0.5e-5, 0.9e-5, a.shape)
        share[:, 4] *= 3
        return (a * (1 + share)).astype(np.float32)

    found = cause(LOGITS, all_moved_one_of_them_most)
    assert found.kind != "one_class"
    assert found.confidence != "high"


def test_what_nothing_explains_is_not_known() -> None:
    noise = np.random.default_rng(2)
    found = cause(LOGITS, lambda a: noise.standard_normal(a.shape).astype(np.float32))
    assert (found.kind, found.confidence, found.text) == ("unknown", "none", "not known")


def test_a_change_of_some_vectors_alone_is_not_named_after_them() -> None:
    """What explains the answers that differ must not contradict those that agree."""
    answers = [({"y": a}, {"y": -a if i else a}, {}) for i, a in enumerate(LOGITS)]
    assert explain(answers, Tolerances()).kind != "negated"


def test_few_values_give_no_confidence() -> None:
    two = [np.array([[0.25, 0.75]], np.float32)]
    assert cause(two, lambda a: a[:, ::-1].copy()).confidence == "low"


def test_strings_and_empty_answers_are_explained_without_arithmetic() -> None:
    words = [np.array([b"a", b"b", b"c"], dtype=object), np.array([b"c", b"a", b"b"], dtype=object)]
    assert cause(words, lambda a: np.full_like(a, b"x")).kind == "constant"
    assert cause([np.zeros((0, 3), np.float32)], lambda a: a).kind == "unknown"
