"""The time of each operator, where a runtime tells it: the means of some runs that a profiler watched, which slows them a little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crossload.errors import WorkerFailure
from crossload.runtimes.supervisor import ModelSource, Supervisor
from crossload.verbs.profile.targets import Target

# The load option of a worker whose runtime tells the time of each operator (bindings/contract/README.md).
OPTION = "operator_times"
_RUNS = 20


@dataclass(frozen=True)
class OperatorTime:
    """The mean seconds of an operator, as the runtime names it; `at` is its position in the .tflite or its node in the graph.

    `at` is None for what the runtime made itself: a delegate's operator may compute several of the file's.
    """

    name: str
    seconds: float
    at: int | str | None = None

    def to_json(self) -> dict[str, Any]:
        """An element of `operators` of a cost in the JSON of `crossload profile`."""
        return {key: value for key, value in vars(self).items() if value is not None}


def times(supervisor: Supervisor, target: Target, source: ModelSource) -> tuple[list[OperatorTime], str | None]:
    """The operators in the order in which they ran; or none, and why. The supervisor has the watched model loaded afterwards.

    Runs whose operators are not those of the first one (a loop may end earlier) are left out of the means.
    """
    try:
        supervisor.load(replace(source, options={**source.options, OPTION: True}))
        answers = [supervisor.infer(target.signature, target.inputs, list(target.outputs)) for _ in range(_RUNS + 1)]
    except WorkerFailure as failure:
        return [], f"no time by operator: {failure}"
    watched = [answer.operators for answer in answers[1:]]
    alike = [run for run in watched if _names(run) == _names(watched[0])]
    taken = np.mean([[operator["nanoseconds"] for operator in run] for run in alike], axis=0) / 1e9
    found = [OperatorTime(str(o["name"]), float(t), o.get("at")) for o, t in zip(alike[0], taken, strict=True)]
    return found, None if found else answers[-1].note


def _names(operators: Sequence[Mapping[str, Any]]) -> list[tuple[Any, Any]]:
    return [(operator["name"], operator.get("at")) for operator in operators]
