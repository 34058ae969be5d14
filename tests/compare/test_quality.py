"""The quality of a quantised output: what is measured, what its bounds refuse, and what has collapsed."""

from __future__ import annotations

import numpy as np
import pytest

from crossload.compare import quality
from crossload.compare.quality import Answers, Bounds, measure
from crossload.errors import CrossloadError

ROWS = np.random.default_rng(0).dirichlet(np.ones(5), 40).astype(np.float32)


def measured(answer: np.ndarray, **given: object) -> quality.Quality:
    return measure("serving_default", "scores", "data.npz", Answers([ROWS], [answer], **given))  # type: ignore[arg-type]


def test_a_good_approximation_meets_the_default_bounds() -> None:
    found = measured(np.round(ROWS * 256).astype(np.float32) / 256, scale=1 / 256, labels=ROWS.argmax(1))
    assert found.rows == 40
    assert (found.accuracy, found.float_accuracy, found.decisions) == (1.0, 1.0, 1.0)
    assert found.max_steps is not None
    assert found.max_steps <= 0.5
    assert not list(Bounds().unmet(found))


def test_each_bound_refuses_what_does_not_meet_it_and_names_the_one_that_would_pass() -> None:
    found = measured(np.roll(ROWS, 1, axis=1), labels=ROWS.argmax(1))
    said = list(Bounds().unmet(found))
    assert [word for word in ("decisions", "accuracy", "SQNR", "cosine") if any(word in s for s in said)] == [
        "decisions", "accuracy", "SQNR", "cosine",
    ]  # fmt: skip
    assert not list(Bounds.parse([Bounds().met_by([found])]).unmet(found))
    assert found.flip_margin is not None
    assert found.flip_margin > 0.1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (np.zeros_like(ROWS), "all zero"),
        (np.repeat(ROWS[:1], 40, axis=0), "the same for every row"),
        (np.full_like(ROWS, np.nan), "NaN in 100 %"),
        (np.where(np.arange(40)[:, None] % 2, ROWS, np.float32(-0.5)), "saturated at the low end of its range (-0.5)"),
    ],
)
def test_a_collapsed_output_is_refused_whatever_the_bounds(answer: np.ndarray, said: str) -> None:
    found = measured(answer, ends=(-0.5, 0.5))
    assert found.collapsed
    assert said in found.collapsed
    assert list(Bounds(decisions=0, accuracy_drop=1, sqnr=-99, cosine=-1).unmet(found))


def test_a_softmax_at_the_low_end_where_the_float_model_is_near_it_has_not_collapsed() -> None:
    peaked = np.eye(5, dtype=np.float32)[np.arange(40) % 5] * 0.99 + 0.002
    found = measure("s", "y", "d", Answers([peaked], [np.round(peaked * 256) / 256], scale=1 / 256, ends=(0.0, 255 / 256)))
    assert found.collapsed is None


def test_scores_that_no_step_tells_apart_are_no_changed_decision() -> None:
    reference = np.array([[0.2, 0.201], [0.9, 0.1]])
    for answer in ([0.2, 0.2], [0.201, 0.2]):
        assert measure("s", "y", "d", Answers([reference], [np.array([answer, [0.9, 0.1]])], scale=0.004)).decisions == 1.0
    assert measure("s", "y", "d", Answers([reference], [np.array([[0.201, 0.2], [0.9, 0.1]])], scale=0.0001)).decisions == 0.5


@pytest.mark.parametrize("option", ["sqnr", "noise=3", "sqnr=high", "sqnr=1e"])
def test_a_bound_that_is_none_is_refused(option: str) -> None:
    with pytest.raises(CrossloadError, match="--bound"):
        Bounds.parse([option])


def test_the_table_has_the_columns_that_apply() -> None:
    heading, row = quality.lines([measured(ROWS)])
    assert heading.split() == ["output", "data", "decisions", "cosine", "worst", "mean"] or "no noise" in row
