"""Measures costs: every model in a worker of its own, all of them alive, called in turns, so that the machine's moods hit all alike."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from crossload.errors import EnvironmentProblem, WorkerFailure
from crossload.runtimes import environments
from crossload.runtimes.environments import Confined
from crossload.runtimes.process import Launch
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from crossload.verbs.profile import arena, operators
from crossload.verbs.profile.costs import Cost, Memory, compare
from crossload.verbs.profile.targets import Target

TURNS = 10
# A model whose calls take longer than its share has at least so many turns.
_FEWEST_TURNS = 3
_WARM_UP_CALLS = 3
_FIXED_WORK = bytes(1 << 18)
_FIXED_TIMES = 20
# The options by which workers take a number of threads (bindings/contract/README.md).
_THREADS = ("threads", "num_threads")

Progress = Callable[[str], None]
_Result = TypeVar("_Result")


@dataclass
class Lane:
    """One model in one worker."""

    target: Target
    source: ModelSource
    supervisor: Supervisor
    launch: Launch
    cost: Cost
    confined: bool
    spent: float = 0.0

    def call(self) -> float:
        """The seconds of one call; raises WorkerFailure."""
        began = time.perf_counter()
        answer = self.supervisor.infer(self.target.signature, self.target.inputs, list(self.target.outputs))
        took = time.perf_counter() - began
        if answer.nanoseconds is None:
            self.cost.timed_by = "round trip"
            return took
        return answer.nanoseconds / 1e9

    def begin(self) -> None:
        """Start the runtime, load the model, call it once; raises WorkerFailure."""
        cost, supervisor = self.cost, self.supervisor
        before = supervisor.resident()
        _, cost.load = _timed(lambda: supervisor.load(self.source))
        cost.first_call = self.call()
        if not self.confined:
            cost.memory = Memory(before, supervisor.resident(), supervisor.peak())

    def warm_up(self, seconds: float) -> None:
        """Call it for some time; raises WorkerFailure."""
        end = time.monotonic() + seconds
        for _ in range(_WARM_UP_CALLS):
            self.call()
        while time.monotonic() < end:
            self.call()

    def turn(self, seconds: float) -> None:
        """Call it for its share of the time. The first call does not count: the other models had the processor's caches."""
        self.call()
        began = time.monotonic()
        taken: list[float] = []
        while not taken or time.monotonic() - began < seconds:
            taken.append(self.call())
        self.spent += time.monotonic() - began
        self.cost.turns.append(taken)

    def end(self) -> None:
        """Take the greatest memory, and compute the figures."""
        if self.cost.memory:
            self.cost.memory = replace(self.cost.memory, peak=self.supervisor.peak())
        self.cost.settle()


@dataclass
class Noise:
    """How steady the machine is: the seconds of a piece of work that is always the same, between the turns."""

    taken: list[float] = field(default_factory=list)

    def sample(self) -> None:
        """Do the work some times."""
        for _ in range(_FIXED_TIMES):
            self.taken.append(_timed(lambda: hashlib.sha256(_FIXED_WORK).digest())[1])

    def share(self) -> float:
        """How much longer than the median the slowest tenth of it took, at least."""
        middle, slow = np.percentile(self.taken, (50, 90))
        return float(slow / middle - 1)


def measure(
    pairs: Iterable[tuple[Target, Runtime]],
    threads: Sequence[int],
    seconds: float,
    limits: Limits,
    progress: Progress,
    *,
    by_operator: bool = False,
) -> tuple[list[Cost], Noise]:
    """The costs of each target in its runtime, with each number of threads that the runtime takes, and the machine's noise.

    A runtime that fails has a cost that says so; the others go on. `by_operator`: the time of each operator, too, where a runtime tells it.
    """
    costs: list[Cost] = []
    lanes: list[Lane] = []
    noise = Noise()
    with ExitStack() as stack:
        for target, runtime in pairs:
            started = _started(stack, target, runtime, threads, limits, progress)
            costs += [lane.cost if isinstance(lane, Lane) else lane for lane in started]
            lanes += [lane for lane in started if isinstance(lane, Lane)]
        for lane in lanes:
            progress(f"warming up {_said(lane.cost)}")
            _guarded(lane, lambda lane=lane: lane.warm_up(seconds / 4))  # type: ignore[misc]  # mypy: a lambda's default
        lanes = [lane for lane in lanes if lane.cost.outcome == "ok"]
        for number in range(TURNS):
            progress(f"turn {number + 1} of {TURNS}, {len(lanes)} models in turns of {seconds / TURNS:.2g} s")
            noise.sample()
            for lane in [*lanes[number % max(1, len(lanes)) :], *lanes[: number % max(1, len(lanes))]]:
                if lane.cost.outcome == "ok" and (len(lane.cost.turns) < _FEWEST_TURNS or lane.spent < 1.5 * seconds):
                    _guarded(lane, lambda lane=lane: lane.turn(seconds / TURNS))  # type: ignore[misc]
        for lane in lanes:
            lane.end()
        measured = [lane for lane in lanes if lane.cost.outcome == "ok"]
        embedded = [lane for lane in measured if arena.OPTION in lane.supervisor.options()]
        for lane in measured if by_operator else ():
            if operators.OPTION in lane.supervisor.options():
                progress(f"timing each operator of {_said(lane.cost)}")
                lane.cost.operators, why = operators.times(lane.supervisor, lane.target, lane.source)
                lane.cost.note = "; ".join(filter(None, (lane.cost.note, why))) or None
    for lane in embedded:
        progress(f"searching the smallest arena of {lane.target.artifact} in {lane.cost.runtime}")
        lane.cost.arena = arena.smallest(lane.cost.runtime, lane.launch, lane.target, limits)
    compare(costs)
    return costs, noise


def _started(
    stack: ExitStack, target: Target, runtime: Runtime, threads: Sequence[int], limits: Limits, progress: Progress
) -> list[Lane | Cost]:
    """The target in this runtime: a lane for each number of threads, or a cost that says why there is none."""
    found: list[Lane | Cost] = []
    wanted: list[int | None] = [None]
    option = ""
    while wanted:
        number = wanted.pop(0)
        cost = Cost(target.artifact, runtime.title, number)
        try:
            launch = environments.prepare(runtime.source, progress)
            supervisor = stack.enter_context(Supervisor(runtime.name, launch, limits))
            progress(f"starting {runtime.title} for {target.artifact}{f', {number} threads' if number else ''}")
            identity, cost.start = _timed(supervisor.identity)
            if not found and not option:
                option = next((o for o in _THREADS if o in supervisor.options()), "")
                if option:
                    number, wanted = threads[0], list(threads[1:])
                about = identity.parameters.get("threads")
                cost.threads = number if option else about if isinstance(about, int) else None
            options = {**target.source.options, **({option: number} if option else {})}
            lane = Lane(target, replace(target.source, options=options), supervisor, launch, cost, isinstance(runtime.source, Confined))
            lane.begin()
            found.append(lane)
        except EnvironmentProblem as error:
            found.append(replace(cost, outcome="not_run", error=str(error)))
            break
        except WorkerFailure as failure:
            found.append(replace(cost, outcome=failure.outcome, error=str(failure)))
            break
    return found


def _guarded(lane: Lane, action: Callable[[], None]) -> None:
    """A lane's action; a failure becomes its outcome."""
    try:
        action()
    except WorkerFailure as failure:
        lane.cost.outcome, lane.cost.error = failure.outcome, str(failure)


def _said(cost: Cost) -> str:
    return f"{cost.artifact} in {cost.runtime}{f', threads: {cost.threads}' if cost.threads else ''}"


def _timed(call: Callable[[], _Result]) -> tuple[_Result, float]:
    began = time.perf_counter()
    result = call()
    return result, time.perf_counter() - began
