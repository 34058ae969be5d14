"""The judge: each agreement level, the policies for NaN and infinity, and failures for absent outputs."""

from __future__ import annotations

import json

import ml_dtypes
import numpy as np
import pytest

from crossload.compare.judge import judge, judge_output
from crossload.compare.tolerance import Tolerances, parse
from crossload.contract.datatypes import DATATYPES, numpy_dtype
from crossload.contract.manifest import Tolerance
from crossload.errors import CrossloadError

DEFAULT = Tolerances()


def agreement(reference: object, answer: object, dtype: object = np.float32, **options: str) -> str:
    return judge_output("y", np.array(reference, dtype=dtype), np.array(answer, dtype=dtype), DEFAULT, **options).agreement


def test_equal_bytes_are_identical() -> None:
    assert agreement([1, 2], [1, 2]) == "identical"


def test_neighbours_are_within_ulp() -> None:
    one = np.float32(1)
    judged = judge_output("y", np.array([one]), np.array([np.nextafter(one, np.float32(2))]), DEFAULT)
    assert (judged.agreement, judged.metrics["max_ulp"]) == ("ulp", 1)


def test_the_two_zeros_are_equal_but_not_identical() -> None:
    assert agreement([0.0], [-0.0]) == "ulp"


def test_within_tolerance_is_close() -> None:
    assert agreement([1.0, 100.0], [1.000009, 100.0009]) == "close"


def test_the_same_argmax_in_every_row_is_the_same_decision() -> None:
    assert agreement([[0.1, 0.9], [0.8, 0.2]], [[0.2, 0.8], [0.7, 0.3]]) == "decision"
    assert agreement([[0.1, 0.9], [0.8, 0.2]], [[0.2, 0.8], [0.3, 0.7]]) == "different"


def test_a_tie_that_flips_is_no_fault_and_a_confident_one_is() -> None:
    assert agreement([[0.5, 0.5, 0.1]], [[0.4, 0.6, 0.1]]) == "decision"
    judged = judge_output("y", np.float32([[0.8, 0.2], [0.5, 0.5]]), np.float32([[0.2, 0.8], [0.4, 0.6]]), DEFAULT)
    assert (judged.agreement, judged.metrics["argmax_agreement"], judged.metrics["flip_margin"]) == ("different", 0.0, 1.0)
    assert judged.reason.endswith("2 of 2 decisions change, by up to 100 % of its range")


def test_answers_are_not_close_if_every_decision_changes_with_confidence() -> None:
    reference, flipped = np.float32([[0.6, 0.4], [0.3, 0.7]]), np.float32([[0.4, 0.6], [0.7, 0.3]])
    given = Tolerances({"y": Tolerance(atol=1)})
    assert judge_output("y", reference, flipped, given).agreement == "different"
    assert judge_output("y", reference, np.concatenate([flipped[:1], reference[1:]]), given).agreement == "close"
    assert judge_output("y", reference[:1], flipped[:1], given).agreement == "close", "one row alone, by hand"
    halves = [array.astype(ml_dtypes.bfloat16) for array in (reference[:1], np.float32([[0.59, 0.6]]))]
    assert judge_output("y", *halves, DEFAULT, rounding=0.01).agreement == "different"


def test_an_angle_and_an_error_relative_to_the_scale_are_measured() -> None:
    judged = judge_output("y", np.float32([1, -2]), np.float32([-1, 2]), DEFAULT)
    assert (judged.metrics["cosine"], judged.metrics["rmse_rel"]) == pytest.approx((-1, 2))
    assert judge_output("y", np.float32([0, 0]), np.float32([0, 1e-9]), DEFAULT).metrics["cosine"] == 0
    assert judge_output("y", np.float32([0, 0]), np.float32([0, -0.0]), DEFAULT).metrics["cosine"] == 1


def test_the_default_knows_the_scale_of_the_answers() -> None:
    assert agreement([3e-9, -1e-9], [0, 0]) == "decision"
    assert agreement([0.01, 0.0010002], [0.01, 0.001]) == "decision"
    assert agreement([1, 0.0010002], [1, 0.001]) == "close"
    assert agreement([0, 0], [5e-7, 0]) == "close", "zeros have no scale"


def test_the_blocks_of_a_large_tensor_are_judged_as_one() -> None:
    reference = np.random.default_rng(0).standard_normal((3, 9001)).astype(np.float32)
    answer = reference * np.float32(1 + 1e-6)
    answer[2, 8888], reference[0, 5], answer[0, 5] = 7, np.nan, np.nan
    judged = judge_output("y", reference, answer, DEFAULT)
    wide = [a.astype(float).ravel()[np.isfinite(reference.ravel())] for a in (reference, answer)]
    apart = np.abs(wide[0] - wide[1])
    assert "at [2, 8888]: 7," in judged.reason
    assert judged.metrics["max_abs"] == apart.max()
    assert judged.metrics["rmse"] == pytest.approx(np.sqrt((apart**2).mean()))
    assert judged.metrics["cosine"] == pytest.approx(np.dot(*wide) / np.linalg.norm(wide[0]) / np.linalg.norm(wide[1]))
    answer[1, 7] = np.nan
    assert judge_output("y", reference, answer, DEFAULT).reason == "'y' has NaN where the reference has none, first at [1, 7]"


def test_one_number_has_no_decision() -> None:
    assert agreement([[0.1]], [[0.9]]) == "different"
    assert agreement(0.1, 0.9) == "different"


def test_integers_are_exact() -> None:
    assert agreement([1, 2], [1, 2], np.int8) == "identical"
    assert agreement([[1, 200]], [[1, 201]], np.int32) == "decision"
    assert agreement([2**63], [2**63 + 1], np.uint64) == "different"


def test_a_tolerance_for_integers_is_in_steps() -> None:
    tolerances = Tolerances(parse(["int8:atol=1"]))
    steps = judge_output("y", np.array([1, -128], np.int8), np.array([2, -127], np.int8), tolerances)
    assert (steps.agreement, steps.metrics["max_abs"]) == ("close", 1.0)


def test_strings_and_bools_are_exact_and_the_first_difference_is_shown() -> None:
    strings = judge_output("y", np.array([b"a", b"\0"], object), np.array([b"a", b""], object), DEFAULT)
    assert strings.agreement == "different"
    assert "at [1]: b'', the reference's is b'\\x00'" in strings.reason
    assert agreement([True], [False], bool) == "different"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16, np.complex64])
def test_nan_agrees_with_nan_in_the_same_place_only(dtype: object) -> None:
    assert agreement([np.nan, 1], [np.nan, 1], dtype) == "identical"
    assert agreement([np.nan, 1], [1, np.nan], dtype) == "different"
    assert agreement([1, 1], [1, np.nan], dtype) == "different"
    assert agreement([np.nan, 1], [np.nan, 1], dtype, nan="forbid") == "different"


def test_infinity_agrees_with_the_infinity_of_its_sign_only() -> None:
    assert agreement([np.inf, 1], [np.inf, 1]) == "identical"
    assert agreement([np.inf, 1], [-np.inf, 1]) == "different"
    assert agreement([np.inf, 1], [3e38, 1]) == "different"


def test_the_payload_of_a_nan_does_not_matter() -> None:
    quiet, other = np.array([0x7FC00000], np.uint32).view(np.float32), np.array([0x7FC00001], np.uint32).view(np.float32)
    assert judge_output("y", quiet, other, DEFAULT).agreement == "ulp"


def test_an_answer_without_outputs_or_with_an_empty_request_is_different() -> None:
    assert judge({}, {}, DEFAULT)[0].agreement == "different"
    whole, _ = judge({"y": np.zeros(1)}, {}, DEFAULT)
    assert (whole.agreement, whole.reason) == ("different", "the output 'y' is missing")


def test_empty_tensors_of_one_shape_are_identical() -> None:
    assert agreement(np.zeros((0, 3)), np.zeros((0, 3))) == "identical"
    assert judge_output("y", np.zeros((0, 3)), np.zeros((0, 4)), DEFAULT).agreement == "different"


def test_the_worst_output_decides() -> None:
    reference = {"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}
    whole, each = judge(reference, {"a": np.ones(2, np.float32), "b": np.float32([1, 1.000008])}, DEFAULT)
    assert whole.agreement == "close"
    assert {n: j.agreement for n, j in each.items()} == {"a": "identical", "b": "close"}


def test_an_outputs_own_tolerance_wins_over_its_datatypes() -> None:
    tolerances = Tolerances({"FP32": Tolerance(rtol=0, atol=0, ulp=0), "y": Tolerance(rtol=0, atol=1, ulp=0)})
    assert judge_output("y", np.float32([1]), np.float32([1.5]), tolerances).agreement == "close"
    assert judge_output("z", np.float32([1]), np.float32([1.5]), tolerances).agreement == "different"


@pytest.mark.parametrize(
    "text",
    ["FP32", "FP32:", "FP32:rtol", "FP32:rtol=x", "y:rtol=-1", "y:ulp=1.5", "y:atol=1;rtol=2", ":atol=1", "y:atol=nan", "y:atol=1e999"],
)
def test_an_invalid_tolerance_is_refused(text: str) -> None:
    with pytest.raises(CrossloadError):
        parse([text])


def test_equal_int4_numbers_are_identical_whatever_their_padding_bits() -> None:
    made = np.array([-8, -1, 7], ml_dtypes.int4)
    received = np.frombuffer(np.int8([-8, -1, 7]).tobytes(), ml_dtypes.int4)
    assert judge_output("y", made, received, DEFAULT).agreement == "identical"


def test_a_nan_decides_nothing() -> None:
    assert agreement([np.nan, 0.1, 0.9], [np.nan, 0.9, 0.1]) == "different"
    assert agreement([np.nan, 0.1, 0.9], [np.nan, 0.2, 0.8]) == "decision"


def test_a_batch_of_class_ids_has_no_decision() -> None:
    assert agreement([3, 9, 1], [4, 9, 1], np.int64) == "different"
    assert agreement([[3, 9, 1]], [[4, 9, 1]], np.int64) == "decision"


def test_a_recorded_rounding_is_the_unit_of_what_is_close() -> None:
    reference, answer = np.array([1.0, 200.0], np.float32), np.array([1.0, 200.01], np.float32)
    judged = [judge_output("y", reference, answer, DEFAULT, rounding=r) for r in (None, 1e-4, 1e-3)]
    assert [j.agreement for j in judged] == ["decision", "decision", "close"]
    assert "rounding" not in judged[0].metrics
    assert judged[2].metrics["rounding"] == pytest.approx(0.01 / (1e-3 + 200 * 2**-23), rel=1e-3)
    assert judged[1].reason.startswith("'y' differs by up to 0.00999, 80.7 × rounding at [1]: 200.01, the reference's is 200")


def test_tiny_answers_that_vanish_are_not_close() -> None:
    reference = np.array([3e-9, -1e-9], np.float32)
    assert judge_output("y", reference, np.zeros_like(reference), DEFAULT, rounding=1e-16).agreement == "decision"


@pytest.mark.parametrize(("dtype", "low", "high"), [(np.int64, -(2**63), 2**63 - 1), (np.uint64, 0, 2**64 - 1)])
def test_integers_at_the_ends_of_their_range_are_compared_exactly_on_every_platform(
    dtype: object, low: int, high: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(np, "longdouble", np.float64)  # as on platforms where long double is a double
    assert agreement([[low, high]], [[low, high - 1]], dtype) == "decision"
    assert agreement([[high - 1, high]], [[high, high - 1]], dtype) == "different"
    judged = judge_output("y", np.array([low], dtype), np.array([high], dtype), DEFAULT)
    assert judged.metrics["max_abs"] == float(high - low)


@pytest.mark.parametrize(("reference", "answer"), [([1.7e308], [-1.7e308]), ([5e-324, 1], [1e308, 1])])
def test_metrics_are_always_finite(reference: list[float], answer: list[float]) -> None:
    judged = judge_output("y", np.array(reference), np.array(answer), DEFAULT)
    assert judged.agreement == "different"
    json.dumps(judged.metrics, allow_nan=False)


@pytest.mark.parametrize("datatype", [d for d in DATATYPES if d != "BYTES"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (0, 4), (2, 3)])
def test_every_datatype_and_shape_can_be_judged(datatype: str, shape: tuple[int, ...]) -> None:
    ones, zeros = (make(shape, numpy_dtype(datatype)) for make in (np.ones, np.zeros))
    assert judge_output("y", ones, ones.copy(), DEFAULT).agreement == "identical"
    assert judge_output("y", ones, zeros, DEFAULT).agreement in (["identical"] if 0 in shape else ["different", "decision"])
