"""What recording does with requests and signatures that the reference does not answer, and what it says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import crossload
from crossload.contract.manifest import Artifact, Binding, LeftOut, Reference, Vectors
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import ConversionRefused, NoReference, WorkerFailure
from crossload.inputs.requests import Requests
from crossload.runtimes.supervisor import Supervisor
from crossload.verbs.verify import sufficiency
from crossload.verbs.verify.record import artifacts_of, left_out_requests, record_each, record_with
from tests import fakes
from tests.corpus import handmade


def recorded(*left_out: str) -> Vectors:
    reference = Reference(runtime="tensorflow", version="2.21.0", artifact="saved_model")
    reasons = [LeftOut(id=name, reason="run_error: indices[0,0] = 6 is not in [0, 2)") for name in left_out]
    return Vectors(
        signature="classify", path="vectors/classify.oip", count=2, sha256="0" * 64, seed=0, reference=reference, left_out=reasons
    )


def test_left_out_requests_are_counted_with_the_first_reason() -> None:
    said = (
        "3 of 5 requests of classify are left out: tensorflow does not answer them (single_0: run_error: indices[0,0] = 6 is not in [0, 2))"
    )
    assert left_out_requests([recorded("single_0", "batch_0", "extremes")]) == [f"{said}; give real inputs with --input-file"]


def test_nothing_is_said_where_every_request_is_answered() -> None:
    assert left_out_requests([recorded()]) == []


def recorded_by(behaviour: str, folder: Path, shape: tuple[int, ...] | None) -> list[Vectors]:
    """What a fake answers of the signatures s0 and s1, whose input has this shape."""
    sides = ({"x": 0}, {"y": 1})
    (folder / "model.tflite").write_bytes(handmade.Lite(signatures={"s0": sides, "s1": sides}).build())
    (entry,), _ = artifacts_of(folder / "model.tflite", "model.tflite")
    signature = Signature((TensorSpec("x", "FP32", shape, tensor=0),), (TensorSpec("y", "FP32", None, tensor=1),))
    with Supervisor("fake", fakes.launch(behaviour)) as fake:
        return record_with(fake, folder, entry, {"s0": signature, "s1": signature}, Requests(count=4))[0]


def test_a_signature_without_an_answer_leaves_the_others_their_vectors(tmp_path: Path) -> None:
    answered, without = recorded_by("first:run", tmp_path, (-1, 4))
    assert (answered.count, answered.left_out) == (4, [])
    assert (without.count, len(without.left_out)) == (0, 4)
    assert sufficiency.without_answers([answered, without]) == {
        "s1": "fake answers none of its 4 requests (single_0: run_error: the fake takes first alone); "
        "give inputs that it takes with --input-file, or their shapes with --shape"
    }
    assert sufficiency.without_answers([without]) == {}


def test_a_model_of_which_nothing_is_answered_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(WorkerFailure, match="the reference answers no request for the signature 's0': the fake declines"):
        recorded_by("error:run", tmp_path, (-1, 4))


def test_an_input_of_unknown_rank_is_recorded_with_the_rank_that_is_answered(tmp_path: Path) -> None:
    assert [(v.count, v.left_out) for v in recorded_by("scalars:run", tmp_path, None)] == [(4, [])] * 2


def test_a_tag_set_that_no_reference_loads_leaves_the_others_their_vectors(tmp_path: Path) -> None:
    entries = [
        Artifact(id=name, format="saved_model", path="m", sha256="0", bindings={name: Binding(key=name)}) for name in ("serve", "tpu")
    ]

    def one(entry: Artifact) -> tuple[list[Vectors], dict[str, Signature]]:
        if entry.id == "tpu":
            raise NoReference(Path("m"), [("tensorflow@2.21.0", WorkerFailure("load_error", "load", "no TPU"))])
        return [recorded()], {}

    vectors, _ = record_each(tmp_path, entries, 0, one)
    assert left_out_requests(vectors) == ["no answer of tpu is kept: tensorflow does not load it (load_error: no TPU)"]
    with pytest.raises(NoReference):
        record_each(tmp_path, entries[1:], 0, one)


@pytest.mark.slow
def test_a_signature_that_cannot_be_answered_does_not_spoil_the_rest(tmp_path: Path) -> None:
    source = handmade.saved_model(tmp_path / "m", handmade.one_bad_signature())
    report = crossload.verify(source, ["tensorflow"])
    assert {(r.case.signature, r.outcome) for r in report.results} == {("double", "ok"), ("scalar", "ok"), ("file", "not_run")}
    assert report.exit_status == 1
    bundle = crossload.export(str(source), tmp_path / "b", formats=["saved_model", "graph_def"])
    assert list(bundle.manifest.signatures) == ["double", "scalar"]
    assert [left.id for left in bundle.manifest.left_out] == ["signature file"]
    assert "tensorflow answers none of its 8 requests" in bundle.manifest.left_out[0].reason
    assert {v.inputs["x"].ndim for v in bundle.vectors("scalar")} == {0}
    assert crossload.verify(tmp_path / "b", ["tensorflow"]).exit_status == 0
    made = crossload.convert(source, tmp_path / "m.pb")
    assert list(made.artifact.bindings) == ["double", "scalar"]
    assert made.report and any("the signature file is left out" in c for c in made.report.cautions)
    with pytest.raises(ConversionRefused, match="nothing is compared for file: tensorflow answers none of its 8 requests"):
        crossload.convert(source, tmp_path / "f.pb", signatures=["double", "file"])
    alone = handmade.one_bad_signature()
    for name in ("double", "scalar"):
        del alone.signature_def[name]
    handmade.saved_model(tmp_path / "alone", alone)
    with pytest.raises(NoReference, match=f"^{tmp_path}/alone has no reference answers"):
        crossload.export(str(tmp_path / "alone"), tmp_path / "c")
    assert crossload.run(source, {"x": np.float32(3)}, signature="scalar")["y"] == 3
