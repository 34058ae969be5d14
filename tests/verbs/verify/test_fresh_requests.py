"""New requests for a bundle: the reference answers them now, and who only knows the recorded answers fails."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from crossload.errors import CrossloadError
from crossload.inputs.requests import Requests
from crossload.verbs.verify import fresh_requests
from crossload.verbs.verify.verify import verify
from tests import ROOT, fakes


def test_a_given_seed_stays_and_no_seed_becomes_a_new_one() -> None:
    assert fresh_requests.seeded(Requests(seed=7)).seed == 7
    assert len({fresh_requests.seeded(Requests()).seed for _ in range(8)}) > 1


def test_a_bundle_that_no_reference_can_answer_anew_is_one_sentence(tmp_path: Path, configure: object) -> None:
    bundle = fakes.bundle(tmp_path / "b")
    manifest = json.loads((bundle / "crossload.json").read_text())
    for artifact in manifest["artifacts"]:
        artifact["format"] = "weights_of_another_kind"
    (bundle / "crossload.json").write_text(json.dumps(manifest))
    with pytest.raises(CrossloadError, match="verify without --fresh"):
        verify(bundle, fresh=2)


@pytest.mark.slow
def test_a_worker_that_replays_the_recorded_answers_fails_on_new_requests(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, str(ROOT / "tests/fakes/replaying_worker.py"), str(demo)]
    file = tmp_path / "configuration.toml"
    environment = f'environment = {{ PYTHONPATH = "{ROOT / "python"}" }}'
    file.write_text(f"[runtimes.replaying]\nformats = ['saved_model']\ncommand = {json.dumps(command)}\n{environment}\n")
    monkeypatch.setenv("CROSSLOAD_CONFIG", str(file))
    assert verify(demo, ["replaying"]).exit_status == 0
    report = verify(demo, ["tensorflow", "replaying"], artifacts=["saved_model"], fresh=3)
    outcomes = {name: {r.outcome for r in report.results if r.case.runtime == name and "fresh" in r.case.vector} for name in report.columns}
    assert outcomes["tensorflow"] == {"ok"}
    assert "mismatch" in outcomes["replaying"]
    assert {"--fresh", "--seed"} < set(report.arguments)
