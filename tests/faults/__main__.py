"""`python -m tests.faults [FOLDER]` (`make faults`): the whole catalogue over all models; writes its table into docs/explain/verdicts.md.

FOLDER keeps models and bundles between runs (default: build/faults).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from crossload.contract.bundle import open_bundle
from crossload.errors import CrossloadError
from crossload.runtimes.supervisor import Supervisor
from crossload.verbs.export.export import export
from crossload.verbs.verify.verify import verify
from tests import CORPUS, ROOT
from tests.environment import launch_of, with_tensorflow
from tests.faults import seeded
from tests.faults.catalogue import FAULTS

PAGE = ROOT / "docs/explain/verdicts.md"
BEGIN, END = "<!-- begin: make faults -->", "<!-- end: make faults -->"
OWN = ("difference", "mean_and_spread", "colours", "digits", "regression", "class_ids")
HEALTHY = (
    "layer_norm_at_mean_1000", "exponentials", "thousand_classes", "transposed_convolution", "bilinear_resize", "batch_norm", "layer_norm",
    "residual", "convolution_1d", "lstm", "attention", "embeddings", "two_towers", "deep_dense", "half", "doubles",
)  # fmt: skip


def main() -> None:
    """Make what is not made yet, verify each bundle as it is, seed every fault, write the table."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build/faults"
    models, bundles, room = folder / "m", folder / "b", folder / "room"
    for made in (models, bundles, room):
        made.mkdir(parents=True, exist_ok=True)
    for script, names in ((ROOT / "tests/faults/models.py", OWN), (CORPUS / "healthy.py", HEALTHY)):
        if missing := [n for n in names if not (models / n).exists()]:
            with_tensorflow(script, models, *missing)
    alarms, outcomes = [], []
    alive = {name: Supervisor(name, launch_of(name)) for name in sorted({*seeded.RUNTIMES.values()})}
    for name in (*OWN, *HEALTHY):
        try:
            if not (bundles / name).exists():
                export(models / name, bundles / name)
        except CrossloadError as error:
            alarms.append(f"{name}: {error}")
            continue
        formats = {a.format for a in open_bundle(bundles / name).manifest.artifacts}
        report = verify(bundles / name, sorted({seeded.RUNTIMES[f] for f in formats}), alive=alive)
        if report.exit_status:
            alarms.append(f"{name}: {report.first_failure}")
            continue
        for fault in FAULTS:
            if outcome := seeded.seed(fault, bundles / name, room, alive):
                outcomes.append(outcome)
                mark = {"right": " ", "": "."}.get(outcome.naming, "!" if outcome.naming == "wrong" else "?")
                print(
                    mark,
                    name,
                    fault.where,
                    fault.name,
                    outcome.verdict,
                    outcome.kind,
                    outcome.confidence,
                    outcome.said,
                    sep=" | ",
                    flush=True,
                )
    for worker in alive.values():
        worker.close()
    keys = ("verdict", "kind", "confidence", "said", "naming")
    lines = [{"model": o.model, "where": o.fault.where, "fault": o.fault.name, **{k: getattr(o, k) for k in keys}} for o in outcomes]
    (folder / "outcomes.json").write_text(json.dumps(lines, indent=1), encoding="utf-8")
    healthy = len(OWN) + len(HEALTHY)
    said = [
        f"{len(alarms)} false alarms in {healthy} healthy models, exported and verified with default options.",
        "",
        *seeded.table(outcomes),
    ]
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    PAGE.write_text(before + "\n".join([BEGIN, *said, END]) + after, encoding="utf-8")
    print("\n".join([*said, *alarms]))


if __name__ == "__main__":
    main()
