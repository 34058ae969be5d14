"""The project of tests/attacks/hostile_bundle.py, whose empty graph preflight would refuse; its input `raw` takes tf.Examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossload.contract.bundle import open_bundle
from crossload.inputs.domains import Feature
from crossload.verbs.handoff import carried_bundle
from crossload.verbs.handoff.handoff import handoff
from crossload.verbs.handoff.java import examples
from tests.attacks import hostile_bundle

FEATURES = (
    Feature("age", "FP32", (2,)),
    Feature("*/ evil \\u002a @x <b>", "INT64", None),
    Feature("class", "BYTES", ()),
    Feature('"); System.exit(1); ("', "BYTES", None),
    Feature("to_bytes", "INT64", (1,), (7,)),
    Feature("größe", "FP32", ()),
    Feature("a feature's name of many words that nobody wants to see in any program of theirs", "INT64", None),
)


def project(folder: Path) -> Path:
    """Write the bundle beside the project, and the project; both are below `folder`."""
    bundle = hostile_bundle.write(folder / "bundle")
    artifact = open_bundle(bundle).manifest.artifacts[0]
    made = {"serving_default": {"raw": examples.example_of("HostileExample", FEATURES)}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carried_bundle, "chosen", lambda *_: carried_bundle.Choice(artifact, tuple(hostile_bundle.SIGNATURES), {}))
        patch.setattr(examples, "of_signatures", lambda *_: made)
        return handoff(bundle, folder / "hostile").root
