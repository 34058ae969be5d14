"""Seeds faults into copies of bundles, verifies them, and counts; `make faults` writes its table into docs/explain/verdicts.md."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crossload.contract.bundle import open_bundle
from crossload.report.results import Report
from crossload.runtimes.supervisor import Supervisor
from crossload.verbs.verify.verify import verify
from tests.faults.catalogue import Fault, mend

# Which runtime verifies which format.
RUNTIMES = {"graph_def": "tensorflow", "saved_model": "tensorflow", "tflite": "litert"}
# An answer that moved by less than this multiple of its rounding was not seen to move.
_UNSEEN = 1.0


@dataclass(frozen=True)
class Outcome:
    """What came of a fault in a model: `verdict` is caught, unseen (no answer moved by more than rounding), or passed (a false pass)."""

    fault: Fault
    model: str
    verdict: str
    kind: str = ""
    confidence: str = ""
    said: str = ""

    @property
    def naming(self) -> str:
        """right, wrong, unsure (wrong, without confidence) or unknown."""
        if self.verdict != "caught":
            return ""
        if self.kind in self.fault.causes:
            return "right"
        return {"high": "wrong", "low": "unsure"}.get(self.confidence, "unknown")


def seed(fault: Fault, bundle: Path, room: Path, alive: Mapping[str, Supervisor]) -> Outcome | None:
    """The outcome of a fault in a copy of a bundle; None where the bundle offers nothing to change so."""
    copy = room / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(bundle, copy)
    artifact = fault.apply(copy)
    if artifact is None:
        return None
    mend(copy)
    entry = next(a for a in open_bundle(copy).manifest.artifacts if a.id == artifact)
    signature = next(iter(entry.bindings))  # the one that faults change
    report = verify(copy, [RUNTIMES[entry.format]], artifacts=[artifact], signatures=[signature], alive=alive)
    failed = [r for r in report.results if r.failed]
    if not failed:
        return Outcome(
            fault, bundle.name, "unseen" if _moved(report) <= _UNSEEN else "passed", said=f"moved by {_moved(report):.3g} × rounding"
        )
    cause = next((r.cause for r in failed if r.cause), None)
    if cause is None:
        return Outcome(fault, bundle.name, "caught", failed[0].outcome, "none", str(failed[0].error))
    return Outcome(fault, bundle.name, "caught", cause.kind, cause.confidence, str(cause))


def _moved(report: Report) -> float:
    """The greatest difference of any answer in roundings; in ULP where no rounding is recorded."""
    return max((float(r.metrics.get("rounding", r.metrics.get("max_ulp", 0))) for r in report.results), default=0.0)


def table(outcomes: list[Outcome]) -> list[str]:
    """The lines of a Markdown table, a row for each place of faults."""
    lines = ["| faults in | seeded | models | caught | unseen | false passes | named rightly | named wrongly, with confidence |"]
    lines.append("|---|--:|--:|--:|--:|--:|--:|--:|")
    for where in [*dict.fromkeys(o.fault.where for o in outcomes), "all"]:
        of = [o for o in outcomes if where in (o.fault.where, "all")]
        verdicts, names = Counter(o.verdict for o in of), Counter(o.naming for o in of)
        caught = verdicts["caught"]
        rightly = f"{names['right']} ({names['right'] / caught:.0%})" if caught else "–"
        count = len({o.model for o in of})
        lines.append(
            f"| {where} | {len(of)} | {count} | {caught} | {verdicts['unseen']} | {verdicts['passed']} | {rightly} | {names['wrong']} |"
        )
    return lines
