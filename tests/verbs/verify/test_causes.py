"""Causes found by a few more calls of the worker; they change no verdict, and a worker that dies of one costs nothing but the cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossload.compare.tolerance import Tolerances
from crossload.contract.manifest import Binding
from crossload.contract.vectors import Vector
from crossload.errors import WorkerFailure
from crossload.report.results import Case, Result
from crossload.runtimes.supervisor import Answer, ModelSource
from crossload.verbs.verify import causes
from crossload.verbs.verify.run import Answered

Function = Callable[..., np.ndarray]
_RANDOM = np.random.default_rng(11)
PAIRS = [
    {"a": _RANDOM.standard_normal((3, 8)).astype(np.float32), "b": _RANDOM.standard_normal((3, 8)).astype(np.float32)} for _ in range(4)
]
IMAGES = [{"x": _RANDOM.standard_normal((2, 4, 5, 3)).astype(np.float32)} for _ in range(4)]


class Worker:
    """A supervisor of a model that is a Python function; `load` makes it anew."""

    def __init__(self, make: Callable[[], Function]) -> None:
        self.make, self.calls = make, 0
        self.model = make()

    def load(self, source: Any) -> None:
        self.model = self.make()

    def infer(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        self.calls += 1
        return Answer({"y": self.model(**inputs)})


def named(requests: list[dict[str, np.ndarray]], right: Function, make: Callable[[], Function]) -> tuple[Any, list[Result], Worker]:
    """The cause of a worker's answers where `right` is the reference."""
    worker = Worker(make)
    asked = []
    for at, inputs in enumerate(requests):
        wanted, got = right(**inputs), worker.model(**inputs)
        outcome = "ok" if np.allclose(wanted, got, 1e-5, 1e-6) else "mismatch"
        result = Result(Case("graph_def", "r", "s", f"v{at}"), outcome)  # type: ignore[arg-type]
        asked.append(Answered(Vector(f"v{at}", inputs, {"y": wanted}), {"y": got}, result))
    source = ModelSource(Path("none.keras"), "keras", {"s": Binding()})
    causes.name(worker, source, [], "s", asked, Tolerances())  # type: ignore[arg-type]
    results = [a.result for a in asked]
    return next((r.cause for r in results if r.cause), None), results, worker


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.tanh(a) - 2 * np.cos(b)


def of_pixels(x: np.ndarray) -> np.ndarray:
    return np.tanh(x @ np.arange(6, dtype=np.float32).reshape(3, 2) * np.linspace(0, 1, 40, dtype=np.float32).reshape(4, 5, 2))


def counting() -> Function:
    seen: Iterator[int] = iter(range(1000))
    return lambda a, b: difference(a, b) + np.float32(next(seen))


def test_exchanged_inputs_are_found_by_feeding_them_the_other_way_round() -> None:
    cause, results, _ = named(PAIRS, difference, lambda: lambda a, b: difference(b, a))
    assert (cause.kind, cause.confidence, cause.text) == ("exchanged_inputs", "high", "the inputs 'a' and 'b' are exchanged")
    assert {r.outcome for r in results} == {"mismatch"}


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda x: np.transpose(x.reshape(-1, 3, 4, 5), (0, 2, 3, 1)), "layout", "NCHW instead of NHWC"),
        (lambda x: x[..., ::-1], "permuted", "BGR instead of RGB"),
    ],
)
def test_an_input_taken_in_another_layout_is_found(change: Callable[[np.ndarray], np.ndarray], kind: str, words: str) -> None:
    cause, _, _ = named(IMAGES, of_pixels, lambda: lambda x: of_pixels(change(x)))
    assert (cause.kind, cause.confidence) == (kind, "high")
    assert words in cause.text


def test_random_answers_and_answers_with_a_memory_are_told_apart() -> None:
    noise = np.random.default_rng(5)
    cause, _, _ = named(PAIRS, difference, lambda: lambda a, b: difference(a, b) + noise.standard_normal(a.shape))
    assert (cause.kind, cause.confidence) == ("random", "high")
    cause, results, _ = named(PAIRS, difference, counting)
    assert (cause.kind, cause.confidence) == ("state", "high")
    assert [r.outcome for r in results] == ["ok", "mismatch", "mismatch", "mismatch"]
    assert [bool(r.cause) for r in results] == [False, True, True, True]


def test_rows_that_depend_on_each_other_are_found_by_asking_them_alone() -> None:
    cause, _, _ = named(PAIRS, difference, lambda: lambda a, b: np.where(len(a) > 1, 0.5 - difference(a, b)[::-1] ** 2, difference(a, b)))
    assert (cause.kind, cause.confidence) == ("rows", "high")


def test_a_worker_that_dies_of_an_extra_call_costs_the_cause_alone() -> None:
    class Dying(Worker):
        def infer(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
            self.calls += 1
            raise WorkerFailure("crash", "run", "the worker died")

    worker = Dying(lambda: lambda a, b: difference(b, a))
    inputs = PAIRS[0]
    result = Result(Case("graph_def", "r", "s", "v"), "mismatch", error="differs")
    asked = [Answered(Vector("v", inputs, {"y": difference(**inputs)}), {"y": difference(inputs["b"], inputs["a"])}, result)]
    causes.name(worker, ModelSource(Path("none.keras"), "keras", {}), [], "s", asked, Tolerances())  # type: ignore[arg-type]
    assert worker.calls == 1
    assert (result.outcome, result.error) == ("mismatch", "differs")
    assert result.cause is not None
    assert result.cause.kind == "unknown"


def test_the_number_of_extra_calls_is_bounded() -> None:
    noise = [np.random.default_rng(i).standard_normal((3, 8)).astype(np.float32) for i in range(4)]
    known = {r["a"].tobytes(): n for r, n in zip(PAIRS, noise, strict=True)}
    cause, _, worker = named(PAIRS, difference, lambda: lambda a, b: known.get(a.tobytes(), noise[0])[: len(a)])
    assert cause.kind in ("unknown", "rows")
    assert worker.calls < 40
