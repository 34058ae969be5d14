"""What recorded vectors are worth: the share of seeded faults that they detect, and the requests that are kept for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crossload.artifacts.entries import artifacts_of
from crossload.contract import vectors
from crossload.contract.manifest import Artifact, Binding, Reference, SeededFault, Strength, Vectors
from crossload.contract.signatures import Signature, TensorSpec
from crossload.contract.vectors import Vector
from crossload.inputs.requests import Requests
from crossload.runtimes.supervisor import Supervisor
from crossload.verbs.verify import strength
from crossload.verbs.verify.cautions import of_strength
from crossload.verbs.verify.record import record_with
from crossload.verbs.verify.strength import Seeding
from tests import CORPUS
from tests.edits.test_faults import W, X, relu6, small
from tests.environment import launch_of, made_once, with_tensorflow

SIGNATURE = Signature((TensorSpec("x", "FP32", (-1, 2)),), (TensorSpec("y", "FP32", (-1, 2)),))
BINDING = Binding(inputs={"x": "x:0"}, outputs={"y": "y:0"})


def vectors_of(seeded: int, *unseen: str) -> Vectors:
    found = Strength(seeded=seeded, detected=seeded - len(unseen), unseen=[SeededFault(node=n, kind="zeroed") for n in unseen])
    reference = Reference(runtime="tensorflow", version="1", artifact="a")
    return Vectors(signature="s", path="v", count=1, sha256="", seed=0, reference=reference, strength=found)


def test_the_figure_names_what_is_unseen_and_is_100_only_if_nothing_is() -> None:
    assert of_strength([vectors_of(214)]) == ["the vectors see 100 % of 214 seeded faults"]
    assert of_strength([vectors_of(1000, "w")]) == ["the vectors see 99 % of 1000 seeded faults; unseen: w zeroed"]
    assert of_strength([replace(vectors_of(1), strength=None)]) == []


def test_below_the_stated_level_a_report_warns() -> None:
    assert len(of_strength([vectors_of(10, "a", "b")])) == 1
    figure, warning = of_strength([vectors_of(10, *"abcdef")])
    assert figure.endswith("unseen: a zeroed, b zeroed, c zeroed and 3 more")
    assert "agreement on s proves little" in warning


@pytest.fixture(scope="module")
def tensorflow() -> Iterator[Supervisor]:
    with Supervisor("tensorflow", launch_of("tensorflow")) as supervisor:
        yield supervisor


@pytest.fixture(scope="module")
def freezable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models of tests/edits/freezing."""
    return made_once(tmp_path_factory, "freezable", lambda folder: with_tensorflow(CORPUS / "make_freezable.py", folder))


def recorded(
    supervisor: Supervisor, model: Path, root: Path, requests: Requests, seeding: Seeding | None
) -> tuple[Strength | None, list[Vector]]:
    (root / "model").symlink_to(model)
    entries, signatures = artifacts_of(root / "model", "model")
    kept: dict[str, list[vectors.Vector]] = {}
    (entry, *_), _ = record_with(supervisor, root, entries[0], signatures, requests, kept=kept, seeding=seeding)
    return entry.strength, kept[entry.signature]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["embedding", "branches", "word_table", "recurrent"])
def test_default_requests_see_the_faults_of_small_models(name: str, freezable: Path, tensorflow: Supervisor, tmp_path: Path) -> None:
    found, kept = recorded(tensorflow, freezable / name, tmp_path, Requests(), Seeding(200))
    assert found is not None
    assert found.seeded > 4
    assert found.unseen == []
    assert len(kept) <= 11


@pytest.mark.slow
def test_what_cannot_be_frozen_here_has_its_reason_and_no_extra_requests(corpus: Path, tensorflow: Supervisor, tmp_path: Path) -> None:
    found, kept = recorded(tensorflow, corpus / "text_table", tmp_path, Requests(), Seeding(200))
    assert found is not None
    assert (found.seeded, found.detected) == (0, 0)
    assert "cannot be frozen" in str(found.not_measured)
    assert not [v.id for v in kept if v.extra]


def measured(supervisor: Supervisor, tmp_path: Path, *inputs: Vector) -> tuple[Strength, list[str]]:
    file = tmp_path / "small.pb"
    file.write_bytes(small(b=np.array([0.25, 5.5], np.float32)).SerializeToString())
    answered = [replace(v, outputs={"y": relu6(v.inputs["x"] @ W + np.array([0.25, 5.5], np.float32))}) for v in inputs]
    artifact = Artifact(id="a", format="graph_def", path=file.name, sha256="", bindings={"s": BINDING})
    found = strength.measure(supervisor, file, artifact, {"s": SIGNATURE}, {"s": answered}, Seeding(200))
    return found["s"], [v.id for v in answered]


@pytest.mark.slow
def test_an_extra_request_is_kept_only_for_a_fault_that_no_other_detects(tensorflow: Supervisor, tmp_path: Path) -> None:
    zeros = Vector("zeros", {"x": np.zeros((1, 2), np.float32)})
    found, kept = measured(tensorflow, tmp_path, zeros)
    assert {("w", "zeroed"), ("w", "negated"), ("y", "replaced: Relu6 by Relu")} <= {(f.node, f.kind) for f in found.unseen}
    assert ("b", "zeroed") not in {(f.node, f.kind) for f in found.unseen}
    more = [Vector(name, {"x": X}, extra=True) for name in ("once", "twice")]
    found, kept = measured(tensorflow, tmp_path, zeros, *more)
    assert kept == ["zeros", "once"]
    assert ("w", "zeroed") not in {(f.node, f.kind) for f in found.unseen}
    assert (found, kept) == measured(tensorflow, tmp_path, zeros, *more)


@pytest.mark.slow
def test_a_graph_that_does_not_repeat_the_recorded_answers_is_not_measured(tensorflow: Supervisor, tmp_path: Path) -> None:
    file = tmp_path / "small.pb"
    file.write_bytes(small().SerializeToString())
    artifact = Artifact(id="a", format="graph_def", path=file.name, sha256="", bindings={"s": BINDING})
    wrong = Vector("wrong", {"x": X}, {"y": X})
    found = strength.measure(tensorflow, file, artifact, {"s": SIGNATURE}, {"s": [wrong]}, Seeding(200))
    assert found["s"].not_measured == "its frozen graph answers wrong differently without any fault"
