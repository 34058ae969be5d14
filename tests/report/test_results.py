"""Reports round-trip and can be merged; other files are refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossload import Case, Cause, CrossloadError, Report, Result
from crossload.contract.outcomes import OUTCOMES


def report(*results: Result, bundle: str = "digits") -> Report:
    return Report(bundle, ["tflite"], ["litert"], [{"runtime": "litert", "version": "2.3.0"}], list(results), arguments=[bundle])


def result(vector: str, outcome: str = "ok") -> Result:
    return Result(
        Case("tflite", "litert", "serving_default", vector),
        outcome,  # type: ignore[arg-type]
        "close",
        {"max_ulp": 3},
        {"y": "close"},
        "why",
        "stderr\n",
        "a note",
        0.5,
        "crossload verify digits",
        Cause(kind="rolled", text="'y' is rolled by 1 along axis 1", evidence="rolled back, all 8 answers agree"),
    )


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_report_round_trips(tmp_path: Path, outcome: str) -> None:
    written = report(result("a", outcome), result("b"))
    written.cautions, written.uncompared, written.interrupted = ["careful"], ["nothing of x"], True
    (tmp_path / "r.json").write_text(written.to_json(), encoding="utf-8")
    assert Report.read(tmp_path / "r.json") == written


def test_a_report_of_an_earlier_crossload_is_read(tmp_path: Path) -> None:
    content = json.loads(report(result("a")).to_json())
    for added in ("arguments", "artifacts", "asked"):
        del content[added]
    (tmp_path / "r.json").write_text(json.dumps(content))
    found = Report.read(tmp_path / "r.json")
    assert (found.rows, found.columns, found.arguments) == (["tflite"], ["litert"], [])


def test_a_later_result_of_a_case_replaces_an_earlier_one() -> None:
    merged = Report.merged([report(result("a", "crash"), result("b")), report(result("a"))])
    assert [(r.case.vector, r.outcome) for r in merged.results] == [("a", "ok"), ("b", "ok")]
    assert merged.exit_status == 0


def test_reports_of_two_bundles_are_not_merged() -> None:
    with pytest.raises(CrossloadError, match="of 2: digits, others"):
        Report.merged([report(), report(bundle="others")])


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"crossload": 2, "bundle": "b", "results": []}', '{"crossload": 1, "bundle": "b", "results": [{}]}', "\0"]
)
def test_a_file_that_is_not_a_report_gives_a_one_line_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(CrossloadError, match=r"r\.json is not a report: .*--json FILE` writes one"):
        Report.read(tmp_path / "r.json")


def test_the_error_for_a_missing_report_names_it(tmp_path: Path) -> None:
    with pytest.raises(CrossloadError, match=r"gone\.json cannot be read: No such file"):
        Report.read(tmp_path / "gone.json")
