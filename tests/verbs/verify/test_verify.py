"""Verify: every wrong answer is caught, one crash costs one case, nothing passes by being absent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from crossload.compare.tolerance import parse
from crossload.errors import CrossloadError
from crossload.inputs.requests import Requests
from crossload.report.junit import to_junit
from crossload.report.results import Report
from crossload.runtimes import environments, registry
from crossload.runtimes.process import Launch
from crossload.runtimes.supervisor import Limits
from crossload.verbs.verify.verify import verify
from tests import fakes

Configure = Callable[..., None]
QUICK = Limits(start=5, load=5, run=1)


def change(bundle: Path, how: Callable[[Any], object]) -> None:
    file = bundle / "crossload.json"
    content = json.loads(file.read_text())
    how(content)
    file.write_text(json.dumps(content))


def outcomes(report: Report) -> list[str]:
    return [r.outcome for r in report.results]


def test_an_honest_runtime_is_ok_and_identical(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    report = verify(fakes.bundle(tmp_path / "b"), ["honest"])
    assert outcomes(report) == ["ok"] * 3
    assert {r.agreement for r in report.results} == {"identical"}
    assert report.exit_status == 0
    assert report.runtimes[0]["version"] == "1.0"


@pytest.mark.parametrize(
    ("lie", "says"),
    [
        ("wrong-value", "differs by up to 1"),
        ("wrong-datatype", "'y' is int32"),
        ("wrong-shape", "shape [3, 1]"),
        ("fewer-rows", "shape [1]"),
        ("missing-output", "is missing"),
        ("extra-output", "was not asked for"),
        ("nan", "NaN where the reference has none"),
    ],
)
def test_a_wrong_answer_is_a_mismatch_that_names_the_difference(tmp_path: Path, configure: Configure, lie: str, says: str) -> None:
    configure(liar=f"{lie}:run")
    report = verify(fakes.bundle(tmp_path / "b"), ["liar"], limits=QUICK)
    assert outcomes(report) == ["mismatch"] * 3
    assert says in str(report.results[0].error)
    assert report.exit_status == 1


def test_one_crash_costs_one_case(tmp_path: Path, configure: Configure) -> None:
    configure(tmp_path / "once", crashes="die:run")
    report = verify(fakes.bundle(tmp_path / "b", artifacts=2), ["crashes"], limits=QUICK)
    assert outcomes(report) == ["crash", *["ok"] * 5]
    assert "SIGSEGV" in str(report.results[0].error)


def test_one_runtime_that_dies_leaves_the_others_alone(tmp_path: Path, configure: Configure) -> None:
    configure(dies="die:start", hangs="hang:load", honest="honest")
    limits = Limits(start=5, load=1, run=1)
    report = verify(fakes.bundle(tmp_path / "b"), ["dies", "hangs", "honest"], limits=limits)
    by_runtime = {name: {r.outcome for r in report.results if r.case.runtime == name} for name in ("dies", "hangs", "honest")}
    assert by_runtime == {"dies": {"crash"}, "hangs": {"timeout"}, "honest": {"ok"}}
    assert len(report.results) == 9


def test_a_model_that_kills_every_worker_is_given_up_visibly(tmp_path: Path, configure: Configure) -> None:
    configure(dies="die:run")
    report = verify(fakes.bundle(tmp_path / "b", count=5), ["dies"], limits=QUICK)
    assert outcomes(report) == ["crash", "crash", "crash", "not_run", "not_run"]
    assert report.exit_status == 1


def test_what_a_runtime_cannot_carry_is_unsupported_and_compares_nothing(
    tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_CODE", "UNIMPLEMENTED")
    configure(small="error:run")
    report = verify(fakes.bundle(tmp_path / "b"), ["small"], limits=QUICK)
    assert outcomes(report) == ["unsupported"] * 3
    assert report.exit_status == 3


def test_a_named_runtime_that_takes_no_artifact_is_reported_and_fails(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    report = verify(fakes.bundle(tmp_path / "b"), ["honest", "tensorflow"])
    assert outcomes(report) == ["ok"] * 3
    assert report.uncompared == ["nothing was compared in tensorflow: it takes no chosen artifact or vector"]
    assert report.exit_status == 3
    assert "nothing was compared in tensorflow" in to_junit(report)


def test_a_named_runtime_that_carries_nothing_is_reported_while_another_passes(
    tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_CODE", "UNIMPLEMENTED")
    configure(honest="honest", small="error:run")
    report = verify(fakes.bundle(tmp_path / "b"), ["honest", "small"])
    assert report.uncompared == ["nothing was compared in small: every case is unsupported"]
    assert report.exit_status == 3


def test_an_artifact_that_no_default_runtime_takes_is_reported_and_fails(
    tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(honest="honest")
    monkeypatch.setattr(registry, "BUILT_IN", ())
    configuration = tmp_path / "configuration.toml"
    configuration.write_text(configuration.read_text() + "default = true\n")
    bundle = fakes.bundle(tmp_path / "b", artifacts=2)
    change(bundle, lambda m: m["artifacts"][1].update(format="checkpoint"))
    report = verify(bundle)
    assert report.uncompared == ["nothing was compared of model1: no chosen runtime takes it"]
    assert report.exit_status == 3
    assert verify(bundle, ["honest"]).exit_status == 0


@pytest.mark.parametrize(
    ("unmake", "says"),
    [
        (lambda m: m.update(vectors=[]), "no vectors are recorded for double"),
        (lambda m: m["artifacts"][1].update(bindings={}), "the artifact has no signature"),
    ],
)
def test_a_signature_without_vectors_or_an_artifact_without_signatures_is_not_run(
    tmp_path: Path, configure: Configure, unmake: Callable[[Any], object], says: str
) -> None:
    configure(honest="honest")
    bundle = fakes.bundle(tmp_path / "b", artifacts=2)
    change(bundle, unmake)
    report = verify(bundle, ["honest"])
    missing = [r for r in report.results if r.outcome == "not_run"]
    assert says in str(missing[-1].error)
    assert missing[-1].case.artifact == "model1"
    assert str(missing[-1].reproduce).endswith("--artifact model1" if says.startswith("the") else "--signature double")
    assert report.exit_status == 1


def test_an_empty_vectors_file_is_not_run(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    report = verify(fakes.bundle(tmp_path / "b", count=0), ["honest"])
    assert (outcomes(report), report.exit_status) == (["not_run"], 1)


def test_options_that_a_bundle_cannot_follow_are_refused(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    with pytest.raises(CrossloadError, match="recorded answers"):
        verify(fakes.bundle(tmp_path / "b"), ["honest"], requests=Requests(seed=7))


def test_an_unknown_artifact_runtime_or_signature_lists_the_known_ones(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    bundle = fakes.bundle(tmp_path / "b")
    with pytest.raises(CrossloadError, match=r"no artifact 'x'.*model0"):
        verify(bundle, ["honest"], artifacts=("x",))
    with pytest.raises(CrossloadError, match=r"no signature 'x'.*double"):
        verify(bundle, ["honest"], signatures=("x",))
    with pytest.raises(CrossloadError, match=r"no vector 'x'.*v0, v1, v2"):
        verify(bundle, ["honest"], vectors=("v0", "x"))
    with pytest.raises(CrossloadError, match=r"no output or datatype 'z'.*y, FP32"):
        verify(bundle, ["honest"], tolerance=parse(["z:atol=1"]))
    with pytest.raises(CrossloadError, match=r"near it are 'honest'"):
        verify(bundle, ["honst"])


def test_a_death_at_exit_is_reported_and_its_answers_are_kept(tmp_path: Path, configure: Configure) -> None:
    configure(dies="die-at-exit")
    report = verify(fakes.bundle(tmp_path / "b"), ["dies"])
    assert outcomes(report) == ["ok"] * 3
    assert any("SIGABRT" in c and "answers are kept" in c for c in report.cautions)


def test_a_raised_tolerance_passes_and_is_shown(tmp_path: Path, configure: Configure) -> None:
    configure(liar="wrong-value:run")
    report = verify(fakes.bundle(tmp_path / "b"), ["liar"], tolerance=parse(["float32:atol=1"]))
    assert outcomes(report) == ["ok"] * 3
    assert any("raised by hand: atol 1e-06 → 1" in c for c in report.cautions)


def test_the_tolerance_printed_beside_a_failure_does_pass(tmp_path: Path, configure: Configure) -> None:
    configure(liar="wrong-value:run")
    bundle = fakes.bundle(tmp_path / "b")
    report = verify(bundle, ["liar"])
    atol = str(report.results[0].error).split("atol=")[1].split()[0]
    again = verify(bundle, ["liar"], tolerance=parse([f"y:atol={atol},rtol=1e-5"]), vectors=("v0",))
    assert outcomes(again) == ["ok"]


def test_a_closer_agreement_can_be_required(tmp_path: Path, configure: Configure) -> None:
    configure(liar="wrong-value:run")
    assert outcomes(verify(fakes.bundle(tmp_path / "b"), ["liar"], tolerance=parse(["y:atol=1"]), agreement="ulp")) == ["mismatch"] * 3


def in_shell(command: str) -> subprocess.CompletedProcess[str]:
    """A command that the report prints, as its reader runs it: without the environment of the run that failed."""
    environment = {k: v for k, v in os.environ.items() if k != "CROSSLOAD_CONFIG"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=False)


def test_every_failure_ends_with_a_command_that_reproduces_it(tmp_path: Path, configure: Configure) -> None:
    configure(liar="wrong-value:run")
    bundle = fakes.bundle(tmp_path / "b")
    result = verify(bundle, ["liar"]).results[0]
    done = in_shell(str(result.reproduce))
    assert done.returncode == 1
    assert "1 result: 1 mismatch" in done.stdout


def test_the_junit_report_counts_what_the_report_counts(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest", liar="wrong-value:run", dies="die:load")
    report = verify(fakes.bundle(tmp_path / "b"), ["honest", "liar", "dies"], limits=QUICK)
    suites = {s.get("name"): s.attrib for s in ElementTree.fromstring(to_junit(report))}
    assert suites["honest"]["failures"] == suites["honest"]["errors"] == "0"
    assert suites["liar"]["failures"] == "3"
    assert suites["dies"]["errors"] == "3"


def test_ctrl_c_leaves_a_readable_partial_report(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest", hangs="hang:run")
    bundle, file = fakes.bundle(tmp_path / "b"), tmp_path / "report.json"
    arguments = ["verify", str(bundle), "--runtime", "honest,hangs", "--json", str(file), "--verbose"]
    child = subprocess.Popen([sys.executable, "-m", "crossload.cli", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stderr
    for _ in range(3):
        child.stderr.readline()
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "Traceback" not in out + err
    report = json.loads(file.read_text())
    assert report["interrupted"] is True
    assert report["summary"] == {"total": 6, "ok": 3, "not_run": 3}


def test_no_worker_outlives_the_run(tmp_path: Path, configure: Configure) -> None:
    configure(hangs="hang:run")
    verify(fakes.bundle(tmp_path / "b"), ["hangs"], limits=Limits(run=0.3), vectors=("v0",))
    children = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True, check=False).stdout
    assert "fakes/worker.py" not in children


def test_vectors_that_all_have_one_answer_are_a_caution(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    bundle = fakes.bundle(tmp_path / "b", count=1)
    assert not verify(bundle, ["honest"]).cautions
    assert not verify(fakes.bundle(tmp_path / "c"), ["honest"]).cautions
    assert verify(fakes.bundle(tmp_path / "d", constant=True), ["honest"]).cautions == [
        "every vector of double has the same answer in y: agreement on it proves little"
    ]


def test_an_interrupt_while_an_environment_is_made_starts_no_worker(
    tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(slow="hang:start")
    made = environments.prepare

    def slowly(source: environments.Source, progress: environments.Progress) -> Launch:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)
        return made(source, progress)

    monkeypatch.setattr(environments, "prepare", slowly)
    report = verify(fakes.bundle(tmp_path / "b"), ["slow"], limits=Limits(start=60))
    assert report.interrupted
    assert outcomes(report) == ["not_run"] * 3
    children = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True, check=False).stdout
    assert "fakes/worker.py" not in children


def test_a_malformed_answer_is_an_outcome_and_the_run_goes_on(
    tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_HEADER", json.dumps({"parameters": {"nanoseconds": "soon"}}))
    configure(odd="header:run", honest="honest")
    report = verify(fakes.bundle(tmp_path / "b"), ["odd", "honest"], limits=QUICK)
    assert {(r.case.runtime, r.outcome) for r in report.results} == {("odd", "protocol_error"), ("honest", "ok")}


def test_a_plan_made_in_python_is_in_the_command_that_reproduces(tmp_path: Path, configure: Configure) -> None:
    configure(liar="wrong-value:run")
    result = verify(
        fakes.bundle(tmp_path / "b"),
        ["liar"],
        tolerance=parse(["y:atol=0.5"]),
        agreement="ulp",
        nan="forbid",
        limits=Limits(run=7, memory=1 << 30),
    ).results[0]
    assert str(result.reproduce).endswith(
        "--agreement ulp --nan forbid --tolerance y:rtol=0.0,atol=0.5,ulp=4 --time-limit run=7 --memory-limit 1073741824"
    )
    done = in_shell(str(result.reproduce))
    assert (done.returncode, str(result.error) in done.stdout) == (1, True)
