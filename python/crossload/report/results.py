"""Results of a run: one outcome for each (artifact, runtime, signature, vector), and what they add up to."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

OUTCOMES = ("ok", "mismatch", "unsupported", "refused", "load_error", "run_error", "crash", "timeout", "protocol_error", "not_run")
# What a runtime cannot carry is no failure of the model; everything else that is not `ok` is one, `not_run` included:
# nothing passes by being absent.
HARMLESS = ("ok", "unsupported")
COMPARED = ("ok", "mismatch")


@dataclass(frozen=True)
class Case:
    """What is compared."""

    artifact: str
    runtime: str
    signature: str
    vector: str


@dataclass
class Result:
    """What happened to a case. `metrics` as compare.judge gives them; `seconds` is the runtime's own call."""

    case: Case
    outcome: str
    agreement: str | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    stderr: str | None = None
    note: str | None = None
    seconds: float | None = None
    reproduce: str | None = None

    @property
    def failed(self) -> bool:
        """Whether this result makes the run fail."""
        return self.outcome not in HARMLESS

    def to_json(self) -> dict[str, Any]:
        """One entry of the report's `results`."""
        content = {**asdict(self.case), **{k: v for k, v in asdict(self).items() if k != "case"}}
        return {k: v for k, v in content.items() if v not in (None, {})} | {"outcome": self.outcome, "agreement": self.agreement}


@dataclass
class Report:
    """A run: who answered (`runtimes`, as the workers say), the results in the order they came, and what a reader must know besides.

    `rows` and `columns` are the matrix: the artifacts chosen and the runtimes asked, in their own order. `uncompared` says which of
    them were asked for and have nothing to show.
    """

    bundle: str
    rows: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    runtimes: list[dict[str, Any]] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    cautions: list[str] = field(default_factory=list)
    uncompared: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def exit_status(self) -> int:
        """0 all compared and agreed · 1 a mismatch or failure · 3 nothing was compared, or nothing of what was asked for by name
        · 130 interrupted."""
        if self.interrupted:
            return 130
        if any(r.failed for r in self.results):
            return 1
        return 0 if any(r.outcome in COMPARED for r in self.results) and not self.uncompared else 3

    @property
    def first_failure(self) -> str:
        """The first thing that went wrong, in one sentence, and how many more there are."""
        failed = [r for r in self.results if r.failed]
        if not failed:
            return "; ".join(self.uncompared) or "nothing could be compared"
        case = failed[0].case
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        return f"{case.artifact} on {case.runtime}, {case.signature}/{case.vector}: {failed[0].outcome}: {failed[0].error}{more}"

    def summary(self) -> dict[str, int]:
        """How many results of each outcome there are, and the total."""
        counted = Counter(r.outcome for r in self.results)
        return {"total": len(self.results), **{o: counted[o] for o in OUTCOMES if counted[o]}}

    def to_json(self) -> str:
        """The report's file (`--json`)."""
        content = {
            "crossload": 1,
            "bundle": self.bundle,
            "runtimes": self.runtimes,
            "results": [r.to_json() for r in self.results],
            "cautions": self.cautions,
            "uncompared": self.uncompared,
            "interrupted": self.interrupted,
            "summary": self.summary(),
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
