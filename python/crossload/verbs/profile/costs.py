"""The costs of a model: the figures of one artifact in one runtime, and their comparison with the first one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crossload.contract.outcomes import Outcome
from crossload.verbs.profile.operators import OperatorTime


@dataclass(frozen=True)
class Latency:
    """The seconds of one call after warm-up: percentiles, and the mean of `calls` calls."""

    p50: float
    p90: float
    p99: float
    mean: float
    calls: int


@dataclass(frozen=True)
class Memory:
    """The bytes that a worker's process holds: before it loads the model, after the first call, and at most."""

    before: int
    loaded: int
    peak: int

    @property
    def added(self) -> int:
        """What the model added by its first call."""
        return self.loaded - self.before


@dataclass(frozen=True)
class Ratio:
    """How much longer a call takes than in the first row: the median of the turns' ratios, and the ends of their middle half."""

    median: float
    low: float
    high: float


@dataclass
class Cost:
    """What one artifact costs in one runtime, computed by `threads` threads; seconds and bytes, None where they are not known.

    `start` is until the runtime is ready, `load` the model's load, `first_call` the first answer. `arena` is the smallest arena in which
    TensorFlow Lite Micro runs the model. `operators` have the times of watched runs, where the runtime tells them. `timed_by` is "runtime"
    where the runtime times its own call, "round trip" where crossload does.
    If the `outcome` is not ok, `error` says why, and figures may be missing. `turns` are the seconds of each call, by turn.
    """

    artifact: str
    runtime: str
    threads: int | None = None
    outcome: Outcome = "ok"
    error: str | None = None
    note: str | None = None
    timed_by: str = "runtime"
    start: float | None = None
    load: float | None = None
    first_call: float | None = None
    latency: Latency | None = None
    throughput: float | None = None
    ratio: Ratio | None = None
    memory: Memory | None = None
    arena: int | None = None
    operators: list[OperatorTime] = field(default_factory=list)
    turns: list[list[float]] = field(default_factory=list)

    def settle(self) -> None:
        """Compute latency and throughput (calls a second) from the turns."""
        taken = np.array([seconds for turn in self.turns for seconds in turn])
        if taken.size:
            p50, p90, p99 = (float(p) for p in np.percentile(taken, (50, 90, 99)))
            self.latency = Latency(p50, p90, p99, float(taken.mean()), int(taken.size))
            self.throughput = 1 / self.latency.mean if self.latency.mean else None

    def to_json(self) -> dict[str, Any]:
        """An element of `costs` in the JSON of `crossload profile`."""
        parts = {
            "latency": self.latency and vars(self.latency),
            "ratio": self.ratio and vars(self.ratio),
            "memory": self.memory and vars(self.memory),
            "operators": [operator.to_json() for operator in self.operators] or None,
        }
        return {k: v for k, v in {**vars(self), **parts}.items() if v is not None and k != "turns"}


def compare(costs: Sequence[Cost]) -> None:
    """Give every cost its ratio to the first one that has turns: turn by turn, since both were then measured on the same machine."""
    first = next((c for c in costs if c.turns), None)
    for cost in costs:
        if first is None or not cost.turns:
            continue
        by_turn = [float(np.median(own) / np.median(its)) for own, its in zip(cost.turns, first.turns, strict=False) if np.median(its)]
        if by_turn:
            low, median, high = (float(r) for r in np.percentile(by_turn, (25, 50, 75)))
            cost.ratio = Ratio(median, low, high)
