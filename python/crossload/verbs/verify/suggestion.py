"""The tolerance with which all vectors of a signature agree, an artifact in a runtime: one that a single vector needs may not be enough."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping

from crossload.compare.judge import Judgement
from crossload.report.results import Result


class Suggestion:
    """What the answers of one signature need, by output: the greatest rtol of their tolerances, and the atol beside it."""

    def __init__(self) -> None:
        self._needed: dict[str, tuple[float, float]] = {}
        self._outputs: set[str] = set()
        self._failed: list[Result] = []
        self._vectors = 0

    def add(self, result: Result, judged: Mapping[str, Judgement]) -> None:
        """Note the judgements of a result's outputs, whether they agree or not."""
        self._vectors += 1
        for output, judgement in judged.items():
            rtol, atol = self._needed.get(output, (0.0, 0.0))
            self._needed[output] = max(rtol, judgement.rtol), max(atol, judgement.needed)
        if result.outcome == "mismatch":
            self._failed.append(result)
            self._outputs |= {output for output, judgement in judged.items() if judgement.reason}

    def conclude(self) -> None:
        """Add the tolerance to the errors of the results that need one; nothing where no tolerance makes all of them agree."""
        if any(math.isinf(atol) for _, atol in self._needed.values()) or not self._outputs:
            return
        options = [
            shlex.join(["--tolerance", f"{output}:rtol={_rounded_up(rtol)},atol={_rounded_up(atol)}"])
            for output, (rtol, atol) in self._needed.items()
            if output in self._outputs
        ]
        several = f"all {self._vectors} vectors agree" if self._vectors > 1 else "it agrees"
        for result in self._failed:
            result.error = f"{result.error}; {several} with {' '.join(options)}"


def _rounded_up(value: float) -> str:
    """The value with three significant digits, not below it."""
    if value <= 0:
        return "0"
    text = f"{value:.3g}"
    if float(text) >= value:
        return text
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    if not step:  # a subnormal number
        return repr(value)
    return f"{(math.floor(value / step) + 1) * step:.3g}"
