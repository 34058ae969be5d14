"""Answers of a device: judged here from their bytes, and refused where they are of something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from crossload.cli import main
from crossload.compare.tolerance import Tolerances
from crossload.contract import datatypes
from crossload.contract.bundle import Bundle, open_bundle
from crossload.contract.vectors import Vector
from crossload.errors import CrossloadError
from crossload.report.results import Result
from crossload.verbs.verify import devices
from crossload.verbs.verify.plan import Plan
from tests.attacks import hostile_bundle

SIGNATURE = "three"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return open_bundle(hostile_bundle.write(tmp_path / "bundle"))


def content(bundle: Bundle) -> dict[str, Any]:
    """What an honest device writes."""
    (artifact,) = bundle.manifest.artifacts
    return {
        "crossload_device": 1,
        "runtime": "litert-c",
        "artifact": artifact.id,
        "sha256": artifact.sha256,
        "vectors": {v.signature: v.sha256 for v in bundle.manifest.vectors},
        "device": {"name": "board"},
        "answers": [
            {
                "signature": SIGNATURE,
                "vector": v.id,
                "outputs": [
                    {"name": n, "datatype": datatypes.of_array(a), "shape": list(a.shape), "hex": bytes(datatypes.encode(a)).hex()}
                    for n, a in v.outputs.items()
                ],
            }
            for v in bundle.vectors(SIGNATURE)
        ],
    }


def judged(bundle: Bundle, written: dict[str, Any], tmp_path: Path) -> list[Result]:
    file = tmp_path / "device.json"
    file.write_text(json.dumps(written), "utf-8")
    plan = Plan(str(bundle.root), signatures=(SIGNATURE,), devices=(str(file),))
    (device,) = devices.found(bundle, plan)
    return list(device.results({SIGNATURE: bundle.vectors(SIGNATURE)}, plan, Tolerances()))


def test_the_recorded_bytes_agree_and_the_column_has_the_device_s_name(bundle: Bundle, tmp_path: Path) -> None:
    results = judged(bundle, content(bundle), tmp_path)
    assert {(r.case.runtime, r.outcome, r.agreement) for r in results} == {("device:board", "ok", "identical")}
    assert len(results) == len(bundle.vectors(SIGNATURE))


def test_a_verdict_in_the_file_is_not_believed(bundle: Bundle, tmp_path: Path) -> None:
    written = content(bundle)
    written["answers"][0] |= {"verdict": "PASS", "agreement": "identical"}
    output = written["answers"][0]["outputs"][0]
    output["hex"] = np.full(output["shape"], 7, np.float32).tobytes().hex()
    result = judged(bundle, written, tmp_path)[0]
    assert result.outcome == "mismatch"
    assert f"--from {tmp_path / 'device.json'} --artifact" in str(result.reproduce)


@pytest.mark.parametrize(
    ("change", "outcome", "said"),
    [
        ({"hex": "zz"}, "protocol_error", "are not hexadecimal"),
        ({"hex": "00"}, "protocol_error", "do not make a float32 tensor"),
        ({"datatype": "FLOAT"}, "protocol_error", "which crossload does not know"),
        ({"shape": [2**31, 2**31]}, "protocol_error", "do not make a float32 tensor"),
        ({"name": "other"}, "mismatch", "is missing"),
    ],
)
def test_an_answer_that_is_no_tensor_is_an_outcome(bundle: Bundle, tmp_path: Path, change: dict[str, Any], outcome: str, said: str) -> None:
    written = content(bundle)
    written["answers"][0]["outputs"][0] |= change
    result = judged(bundle, written, tmp_path)[0]
    assert (result.outcome, said in str(result.error)) == (outcome, True), result.error


def test_a_missing_answer_and_an_error_of_the_device_are_outcomes(bundle: Bundle, tmp_path: Path) -> None:
    written = content(bundle)
    first = written["answers"][0]
    written["answers"][0] = {"signature": SIGNATURE, "vector": first["vector"], "error": "out of memory"}
    result = judged(bundle, written, tmp_path)[0]
    assert (result.outcome, result.error) == ("run_error", "out of memory")
    written["answers"] = []
    result = judged(bundle, written, tmp_path)[0]
    assert (result.outcome, "has no answer to it" in str(result.error), result.failed) == ("not_run", True, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sha256": "0" * 64}, "answers of another file than this bundle's"),
        ({"vectors": {SIGNATURE: "0" * 64}}, "answers to other requests of three"),
        ({"crossload_device": 2}, "does not hold a device's answers: crossload_device"),
        ({"answers": {}}, "does not hold a device's answers: answers"),
    ],
)
def test_answers_of_another_bundle_or_schema_are_refused(bundle: Bundle, tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(CrossloadError, match=said):
        judged(bundle, content(bundle) | change, tmp_path)


def test_a_file_of_answers_that_does_not_exist_is_called_that(bundle: Bundle, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["verify", str(bundle.root), "--from", str(tmp_path / "nothing.json")])
    assert done.exit_code == 2
    assert f"--from {tmp_path / 'nothing.json'} does not exist" in done.stderr


def of_gpu(bundle: Bundle, delegate: str, change: float, name: str = "phone") -> dict[str, Any]:
    """What a GPU answers to `recorded`: each element less a share of it."""
    written = content(bundle) | {"device": {"name": name, "soc": "chip", "delegate": delegate}}
    for answer, vector in zip(written["answers"], recorded(bundle), strict=True):
        for output in answer["outputs"]:
            array = vector.outputs[output["name"]] * np.float32(1 - change)
            output |= {"shape": list(array.shape), "hex": array.astype("<f4").tobytes().hex()}
    return written


def recorded(bundle: Bundle) -> list[Vector]:
    """The bundle's vectors with answers that are not zero."""
    generator = np.random.default_rng(0)
    return [
        Vector(v.id, v.inputs, {n: generator.normal(size=(4, 3)).astype(np.float32) for n in v.outputs}) for v in bundle.vectors(SIGNATURE)
    ]


def judged_together(bundle: Bundle, tmp_path: Path, *written: dict[str, Any]) -> list[tuple[str, list[Result]]]:
    files = [tmp_path / f"{at}.json" for at in range(len(written))]
    for file, one in zip(files, written, strict=True):
        file.write_text(json.dumps(one), "utf-8")
    plan = Plan(str(bundle.root), signatures=(SIGNATURE,), devices=tuple(map(str, files)))
    found = devices.results(devices.found(bundle, plan), {SIGNATURE: recorded(bundle)}, plan, Tolerances())
    return [(device.name, results) for device, results in found]


def test_answers_that_agree_only_with_float32_forced_are_called_half_precision(bundle: Bundle, tmp_path: Path) -> None:
    half, forced = of_gpu(bundle, "gpu", 1e-3), of_gpu(bundle, "gpu-float32", 0)
    (name, narrow), (other, agreeing) = judged_together(bundle, tmp_path, half, forced)
    assert (name, other) == ("device:phone gpu", "device:phone gpu-float32")
    assert {r.outcome for r in agreeing} == {"ok"}
    found = [(r.outcome, r.cause and r.cause.kind, r.cause and r.cause.evidence) for r in narrow]
    assert set(found) == {("mismatch", "narrower", "device:phone gpu-float32 agrees")}


def test_another_phone_with_float32_forced_says_nothing_of_half_precision(bundle: Bundle, tmp_path: Path) -> None:
    half, forced = of_gpu(bundle, "gpu", 1e-3), of_gpu(bundle, "gpu-float32", 0, "tablet")
    (_, narrow), _ = judged_together(bundle, tmp_path, half, forced)
    assert {r.outcome for r in narrow} == {"mismatch"}
    assert not any(r.cause and "half precision" in r.cause.text for r in narrow)


def test_an_output_that_is_zero_in_every_answer_is_called_that(bundle: Bundle, tmp_path: Path) -> None:
    ((_, results),) = judged_together(bundle, tmp_path, of_gpu(bundle, "gpu", 1))
    assert {r.outcome for r in results} == {"mismatch"}
    assert "is zero in every answer" in str(results[0].cause)


def test_a_zero_output_stays_called_that_where_float32_forced_agrees(bundle: Bundle, tmp_path: Path) -> None:
    (_, zero), _ = judged_together(bundle, tmp_path, of_gpu(bundle, "gpu", 1), of_gpu(bundle, "gpu-float32", 0))
    assert "is zero in every answer" in str(zero[0].cause)
    assert "with float32 forced, device:phone gpu-float32 agrees" in str(zero[0].cause)
