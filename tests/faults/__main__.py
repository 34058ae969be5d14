"""`python -m tests.faults [FOLDER]` (`make faults`): the whole catalogue over all models; writes its table into docs/explain/verdicts.md.

FOLDER keeps models and bundles between runs (default: build/faults).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from crossload.errors import CrossloadError
from crossload.runtimes import registry
from crossload.runtimes.supervisor import Supervisor
from crossload.support.files import folder_written_whole
from crossload.verbs.export.export import export
from crossload.verbs.verify.verify import verify
from tests import CORPUS, ROOT
from tests.environment import launch_of, with_tensorflow
from tests.faults import seeded
from tests.faults.catalogue import FAULTS

PAGE = ROOT / "docs/explain/verdicts.md"
BEGIN, END = "<!-- begin: make faults -->", "<!-- end: make faults -->"
# The models into which faults are seeded; all models must pass as they are.
SEEDED = (
    "difference", "mean_and_spread", "colours", "digits", "regression", "class_ids",
    "layer_norm_at_mean_1000", "exponentials", "thousand_classes", "transposed_convolution", "bilinear_resize", "batch_norm", "layer_norm",
    "residual", "convolution_1d", "lstm", "attention", "embeddings", "two_towers", "deep_dense", "half", "doubles",
)  # fmt: skip

# What a runtime really answers wrongly, which is no false alarm: cosine 0.07 to every other runtime, in every vector. The file gives
# what SPACE_TO_BATCH_ND makes the batch of 1 that the input has.
WRONG = {"dilated_convolutions": "tflite-micro"}


def main() -> None:
    """Make what is not made yet, verify each bundle as it is, seed every fault, write the table."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build/faults"
    bundles, room = folder / "bundles", folder / "room"
    for made in (bundles, room):
        made.mkdir(parents=True, exist_ok=True)
    models: list[Path] = []
    for script, into in ((ROOT / "tests/faults/models.py", folder / "own"), (CORPUS / "healthy.py", folder / "healthy")):
        if not into.exists():
            with folder_written_whole(into) as partial:
                with_tensorflow(script, partial)
        models += sorted(into.iterdir())
    alarms, outcomes, judged = [], [], 0
    alive = {r.name: Supervisor(r.name, launch_of(r.name)) for r in registry.BUILT_IN if r.default}
    for model in models:
        name = model.name
        try:
            if not (bundles / name).exists():
                export(model, bundles / name)
        except CrossloadError as error:
            alarms.append(f"{name}: {error}")
            continue
        report = verify(bundles / name, [*alive], alive=alive)
        judged += len(report.results)
        if wrong := [r for r in report.results if r.outcome == "mismatch" and r.case.runtime != WRONG.get(name)]:
            alarms.append(f"{name}: {wrong[0].error}")
            continue
        for fault in FAULTS if name in SEEDED else ():
            if outcome := seeded.seed(fault, bundles / name, room, alive):
                outcomes.append(outcome)
                mark = {"right": " ", "": "."}.get(outcome.naming, "!" if outcome.naming == "wrong" else "?")
                words = (name, fault.where, fault.name, outcome.verdict, outcome.kind, outcome.confidence, outcome.said)
                print(mark, *words, sep=" | ", flush=True)
    for worker in alive.values():
        worker.close()
    keys = ("verdict", "kind", "confidence", "said", "naming")
    lines = [{"model": o.model, "where": o.fault.where, "fault": o.fault.name, **{k: getattr(o, k) for k in keys}} for o in outcomes]
    (folder / "outcomes.json").write_text(json.dumps(lines, indent=1), encoding="utf-8")
    said = [
        f"{len(alarms)} false alarms in {len(models)} healthy models, exported and verified with default options in "
        f"{len(alive)} runtimes ({judged:,} answers). Really wrong: {', '.join(f'{r} on {m}' for m, r in WRONG.items())}.",
        "",
        *seeded.table(outcomes),
    ]
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    PAGE.write_text(before + "\n".join([BEGIN, *said, END]) + after, encoding="utf-8")
    print("\n".join([*said, *alarms]))


if __name__ == "__main__":
    main()
