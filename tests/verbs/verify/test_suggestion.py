"""The suggested tolerance: with it all vectors agree, not only the one whose message has it."""

from __future__ import annotations

import shlex

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crossload.compare.judge import at_least, judge
from crossload.compare.tolerance import Tolerances, parse
from crossload.report.results import Case, Result
from crossload.verbs.verify.suggestion import Suggestion

vector = hnp.arrays(np.float32, (2, 3), elements=st.floats(-1e6, 1e6, width=32))


def suggested(pairs: list[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]], roundings: list[dict[str, float]]) -> list[Result]:
    suggestion, results = Suggestion(), []
    for at, ((reference, answer), rounding) in enumerate(zip(pairs, roundings, strict=True)):
        whole, each = judge(reference, answer, Tolerances(), rounding=rounding)
        ok = at_least(whole.agreement, "close")
        results.append(Result(Case("a", "r", "s", str(at)), "ok" if ok else "mismatch", error=whole.reason or None))
        suggestion.add(results[-1], each)
    suggestion.conclude()
    return results


@given(st.lists(st.tuples(vector, vector, vector, st.floats(0, 1e3)), min_size=1, max_size=4))
def test_every_vector_agrees_with_the_suggested_tolerance(drawn: list[tuple[np.ndarray, np.ndarray, np.ndarray, float]]) -> None:
    pairs = [({"y": a, "z e": a}, {"y": b, "z e": c}) for a, b, c, _ in drawn]
    results = suggested(pairs, [{"y": rounding, "z e": rounding} for *_, rounding in drawn])
    for result in (r for r in results if r.outcome == "mismatch" and " with --tolerance" in r.error):
        options = shlex.split(result.error.split(" agree with ")[-1].split(" agrees with ")[-1])[1::2]
        given = Tolerances(parse(options))
        for (reference, answer), (*_, rounding) in zip(pairs, drawn, strict=True):
            whole, _ = judge(reference, answer, given, rounding={"y": rounding, "z e": rounding})
            assert at_least(whole.agreement, "close"), whole.reason


def test_the_vector_that_needs_most_decides_and_agreeing_outputs_are_not_named() -> None:
    one = np.float32([1, 2])
    pairs = [({"y": one, "z": one}, {"y": one + np.float32(apart), "z": one}) for apart in (0.1, 0.2, 0)]
    results = suggested(pairs, [{}, {}, {}])
    assert [r.outcome for r in results] == ["mismatch", "mismatch", "ok"]
    assert all(r.error.endswith("; all 3 vectors agree with --tolerance y:rtol=1e-05,atol=0.2") for r in results[:2])


def test_nothing_is_suggested_where_no_tolerance_helps() -> None:
    one = np.float32([1, 2])
    for other in (np.float32([1, np.nan]), np.float32([[1, 2]]), np.int32([1, 2])):
        results = suggested([({"y": one}, {"y": one + 1}), ({"y": one}, {"y": other})], [{}, {}])
        assert not any(" with --tolerance" in r.error for r in results)
    rows = np.float32([[0, 1], [0, 1]])
    assert " with --tolerance" not in suggested([({"y": rows}, {"y": rows[:, ::-1]})], [{}])[0].error
