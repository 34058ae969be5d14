"""Many files in one run: one report, nothing lost, nothing passes by being absent."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crossload.artifacts.search import expanded
from crossload.cli.many import journal_of
from crossload.report.results import Report
from crossload.runtimes.supervisor import Limits
from crossload.verbs.verify import many
from crossload.verbs.verify.plan import Plan
from tests import fakes

Configure = Callable[..., None]


@pytest.fixture
def bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Five bundles of two vectors each, in a folder below the working folder."""
    monkeypatch.chdir(tmp_path)
    for name in "abcde":
        fakes.bundle(tmp_path / "models" / name, count=2)
    return expanded(["models"])


def plan(*runtimes: str) -> Plan:
    return Plan("", runtimes, limits=Limits(start=20, load=5, run=5))


def crossload(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "crossload.cli", "verify", *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("jobs", [1, 2, 9])
def test_each_file_is_a_row_in_the_order_given(bundles: list[str], configure: Configure, jobs: int) -> None:
    configure(honest="honest")
    seen: list[str] = []
    report = many.verify_many(bundles, plan("honest"), jobs=jobs, on_file=lambda part: seen.append(part.bundle))
    assert report.rows == bundles == [f"models/{name}" for name in "abcde"]
    assert sorted(seen) == bundles
    assert report.summary() == {"total": 10, "ok": 10}
    assert report.exit_status == 0


def test_one_worker_of_a_runtime_serves_all_files(bundles: list[str], configure: Configure, tmp_path: Path) -> None:
    configure(tmp_path / "once", dies="die:start")  # a second process would not die any more
    report = many.verify_many(bundles, plan("dies"))
    assert report.summary() == {"total": 10, "ok": 8, "crash": 2}


def test_a_file_that_cannot_be_verified_fails_and_the_others_go_on(bundles: list[str], configure: Configure) -> None:
    configure(honest="honest")
    (Path("models") / "b" / "crossload.json").write_text("{")
    Path("models/x.tflite").write_bytes(b"")
    report = many.verify_many(expanded(["models"]), plan("honest"))
    assert report.summary() == {"total": 10, "ok": 8, "not_run": 2}
    failed = {r.case.artifact: str(r.error) for r in report.results if r.failed}
    assert set(failed) == {"models/b", "models/x.tflite"} and "is empty" in failed["models/x.tflite"]
    assert report.exit_status == 1
    vanished = many.verify_many(["models/none.tflite"], plan("honest"))
    assert [r.outcome for r in vanished.results] == ["not_run"]


def test_a_runtime_that_takes_none_of_the_files_does_not_pass(bundles: list[str], configure: Configure) -> None:
    configure(honest="honest")
    report = many.verify_many(bundles, plan("honest", "tensorflow"))
    assert report.exit_status == 3
    assert report.uncompared == ["nothing was compared in tensorflow: it takes none of the files"]


def test_a_file_that_no_runtime_takes_does_not_pass(bundles: list[str], configure: Configure) -> None:
    configure(honest="honest")
    manifest = Path(bundles[0], "crossload.json")
    manifest.write_text(manifest.read_text().replace('"format": "tflite"', '"format": "keras"'))
    report = many.verify_many(bundles, plan("honest"))
    assert report.exit_status == 3
    assert report.uncompared == ["nothing was compared of models/a: no runtime takes it"]
    assert set(report.files) == set(bundles[1:])


def test_files_of_an_earlier_run_that_are_unchanged_are_not_verified_again(bundles: list[str], configure: Configure) -> None:
    configure(honest="honest")
    earlier = many.verify_many(bundles[:3], plan("honest"))
    (Path(bundles[0]) / "note.txt").write_text("changed")
    seen: list[str] = []
    whole = many.verify_many(bundles, plan("honest"), earlier=earlier, on_file=lambda part: seen.append(part.bundle))
    assert sorted(seen) == [bundles[0], *bundles[3:]]
    assert whole.summary() == {"total": 10, "ok": 10}
    assert whole.rows == bundles


def test_ctrl_c_writes_what_is_finished_and_a_resumed_run_does_the_rest(bundles: list[str], configure: Configure, tmp_path: Path) -> None:
    # The first run's worker hangs at the first file; where `hung` exists, it answers.
    configure(tmp_path / "hung", honest="hang:run")
    child = crossload(*bundles, "--runtime", "honest", "--time-limit", "run=3600", "--json", "report.json")
    while not (tmp_path / "hung").exists():
        assert child.poll() is None
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130 and "Traceback" not in err
    assert Report.read("report.json").interrupted
    assert not journal_of(Path("report.json")).exists()
    resumed = crossload(*bundles, "--runtime", "honest", "--resume", "report.json")
    out, err = resumed.communicate(timeout=60)
    assert resumed.returncode == 0, err
    assert "10 results: 10 ok" in out
    assert not Report.read("report.json").interrupted


def test_a_killed_run_leaves_a_journal_that_the_next_one_goes_on_with(bundles: list[str], configure: Configure) -> None:
    configure(honest="honest")
    lines: list[str] = []
    many.verify_many(bundles[:2], plan("honest"), on_file=lambda part: lines.append(part.to_json(indent=None)))
    journal_of(Path("report.json")).write_text("".join(lines) + lines[0][:40])
    resumed = crossload(*bundles, "--runtime", "honest", "--resume", "report.json")
    out, err = resumed.communicate(timeout=60)
    assert resumed.returncode == 0, err
    assert "10 results: 10 ok" in out and "3 of 3" in err
    assert not journal_of(Path("report.json")).exists()


def test_the_files_in_which_something_failed_are_repeated_from_the_report(bundles: list[str], configure: Configure) -> None:
    configure(honest="honest")
    manifest = Path("models/b/crossload.json")
    whole = manifest.read_text()
    manifest.write_text("{")
    first = crossload("models", "--runtime", "honest", "--json", "report.json")
    first.communicate(timeout=60)
    assert first.returncode == 1
    manifest.write_text(whole)
    again = crossload("--from", "report.json")
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    assert "models/b" in out and "2 results: 2 ok" in out


def test_standard_input_is_a_list_of_files(bundles: list[str], configure: Configure) -> None:
    configure(honest="honest")
    listed = crossload("-", "--runtime", "honest")
    out, err = listed.communicate("models/a\nmodels/b\n", timeout=60)
    assert listed.returncode == 0, err
    assert "4 results: 4 ok" in out


def test_a_worker_that_grows_is_replaced_and_the_report_says_so(
    bundles: list[str], configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(honest="honest")
    monkeypatch.setattr(many, "GROWTH", -1)
    report = many.verify_many(bundles, plan("honest"))
    assert report.summary() == {"total": 10, "ok": 10}
    assert sum("had grown from" in caution for caution in report.cautions) == 5


def test_a_matrix_of_many_rows_shows_those_that_failed(bundles: list[str], configure: Configure) -> None:
    configure(honest="honest")
    for number in range(45):
        Path(f"models/link{number:02}").symlink_to("a")
    (Path("models") / "c" / "crossload.json").write_text("{")
    child = crossload("models", "--runtime", "honest")
    out, _ = child.communicate(timeout=120)
    assert child.returncode == 1
    assert "49 more" in out and "models/c" in out and "models/link00" not in out


def test_bad_words_are_one_sentence_and_status_2(bundles: list[str]) -> None:
    for arguments in (("models", "--resume", "none.json"), ("-",), ("models", "--runtime", "no-such"), ("models", "--jobs", "0")):
        child = crossload(*arguments)
        out, err = child.communicate("", timeout=60)
        assert child.returncode == 2 and "Traceback" not in err, (arguments, out, err)
