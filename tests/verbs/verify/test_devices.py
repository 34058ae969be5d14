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
