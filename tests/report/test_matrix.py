"""The matrix: a cell shows the worst result, identical failures appear once, foreign names are escaped."""

from __future__ import annotations

import pytest
from rich.console import Console

from crossload.contract.causes import Cause
from crossload.contract.outcomes import OUTCOMES
from crossload.report.matrix import line, show
from crossload.report.results import Case, Report, Result


def shown(report: Report) -> str:
    console = Console(width=160, highlight=False, force_terminal=False)
    with console.capture() as captured:
        show(report, console)
    return captured.get()


def result(outcome: str = "ok", vector: str = "v0", runtime: str = "fake", artifact: str = "model", **more: object) -> Result:
    return Result(Case(artifact, runtime, "serve", vector), outcome, **more)  # type: ignore[arg-type]


def report(*results: Result, **more: object) -> Report:
    columns = list(dict.fromkeys(r.case.runtime for r in results))
    return Report("bundle", ["model"], columns, [{"runtime": c, "version": "1.0"} for c in columns], list(results), **more)  # type: ignore[arg-type]


def cell(*results: Result) -> str:
    row = next(r for r in shown(report(*results)).splitlines() if r.startswith("│model"))
    return row.strip("│").split("│")[1].strip()


@pytest.mark.parametrize(
    ("results", "text"),
    [
        ([result(agreement="identical", metrics={"max_ulp": 0})], "ok 1 identical"),
        ([result(agreement="identical"), result(vector="v1", agreement="ulp", metrics={"max_ulp": 3})], "ok 2 3 ULP"),
        ([result(agreement="ulp", metrics={"max_ulp": 3}), result(vector="v1", agreement="ulp", metrics={"max_ulp": 2})], "ok 2 3 ULP"),
        ([result(agreement="close", metrics={"max_ulp": 90, "max_abs": 1e-6})], "ok 1 close 90 ULP"),
        ([result(agreement="close", metrics={"max_ulp": 90, "max_abs": 1e-6, "rounding": 2.345})], "ok 1 close 2.3 × rounding"),
        ([result(agreement="close", metrics={"max_ulp": 10**6, "max_abs": 1.5e-6})], "ok 1 close 1.5e-06"),
        ([result(agreement="close", metrics={"max_abs": 1.0})], "ok 1 close"),
        ([result(agreement="identical"), result("crash", "v1", error="died")], "crash 1/2"),
        ([result("unsupported", error="no")], "unsupported"),
    ],
)
def test_a_cell_shows_the_worst(results: list[Result], text: str) -> None:
    assert cell(*results) == text


def test_a_runtime_without_support_for_the_format_has_a_dash() -> None:
    both = report(result(agreement="identical"))
    both.columns.append("other")
    row = next(r for r in shown(both).splitlines() if "model" in r)
    assert "–" in row


def test_the_heading_of_an_emulated_runtime_says_so() -> None:
    one = report(result(agreement="identical"))
    one.runtimes[0]["emulated"] = "cortex-a76 on x86_64"
    assert "1.0 emulated" in shown(one)


def test_identical_failures_appear_once_with_command_and_stderr_tail() -> None:
    died = {"error": "it died", "stderr": "\n".join(f"line {n}" for n in range(9)), "reproduce": "crossload verify bundle --vector v0"}
    text = shown(report(result("crash", **died), result("crash", "v1", **died)))
    assert text.count("it died") == 1
    assert "crash fake on model, serve/v0 (and 1 more alike): it died" in text
    assert "reproduce: crossload verify bundle --vector v0" in text
    assert "line 8" in text
    assert "line 3" not in text
    assert text.rstrip().endswith("2 results: 2 crash")


def test_near_equal_failures_are_one_block_with_a_count() -> None:
    says = "Shape of tensor _arg_{0}_{1} [{1}] is not compatible with expected shape [{0}]."
    text = shown(report(*(result("run_error", f"v{n}", error=says.format(n, n + 1)) for n in range(12))))
    assert "run_error fake on model, serve/v0 (and 11 more like it): Shape of tensor _arg_0_1" in text
    assert text.count("Shape of tensor") == 1
    refuse = [result("load_error", runtime=name, error=f"{name} is older than the graph") for name in ("java@1.0", "java@0.5", "java@0.4")]
    assert "load_error java@1.0 on model, serve/v0 (and 2 more like it, also in java@0.5, java@0.4): java@1.0 is" in shown(report(*refuse))
    text = shown(report(result("run_error", error="no 'x'"), result("run_error", "v1", error="out of memory")))
    assert "no 'x'" in text
    assert "out of memory" in text


def test_of_near_equal_mismatches_the_worst_is_shown_and_another_output_or_artifact_is_another_block() -> None:
    differ = [result("mismatch", f"v{n}", error=f"'y' differs by up to {n}.5", metrics={"max_ulp": n}) for n in range(3)]
    text = shown(
        report(
            *differ, result("mismatch", error="'z' differs by up to 7"), result("mismatch", artifact="b", error="'y' differs by up to 8")
        )
    )
    assert "mismatch fake on model, serve/v2 (and 2 more like it): 'y' differs by up to 2.5" in text
    assert text.count("differs by") == 3


def test_the_cause_of_a_signature_appears_once() -> None:
    cause = Cause(kind="rolled", text="'y' is rolled by 2", evidence="rolled back, all 2 answers agree")
    text = shown(report(*(result("mismatch", f"v{n}", error=f"differs by {n}", cause=cause) for n in range(2))))
    assert text.count("cause: 'y' is rolled by 2 (rolled back, all 2 answers agree)") == 1


def test_unsupported_reasons_appear_once_with_a_count() -> None:
    text = shown(report(*(result("unsupported", f"v{n}", error="no batch") for n in range(3))))
    assert "unsupported fake on model, 3×: no batch" in text


def test_artifacts_without_a_comparison_are_listed() -> None:
    text = shown(report(result(agreement="identical"), uncompared=["nothing was compared in litert: it takes no chosen artifact"]))
    assert "nothing was compared in litert: it takes no chosen artifact; `crossload runtimes` lists the formats" in text


def test_cautions_and_notes_are_shown_once_each() -> None:
    text = shown(report(*(result(vector=f"v{n}", note="by the plain kernels") for n in range(3)), cautions=["tolerance raised by hand"]))
    assert text.count("note fake on model: by the plain kernels") == 1
    assert text.count("note tolerance raised by hand") == 1


@pytest.mark.parametrize("nasty", ["[/red]", "[bold]x", "\x1b[2J", "a\rb", "back\\", "\u202e", "[link=file:///x]y[/link]"])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_foreign_name_is_escaped(nasty: str, outcome: str) -> None:
    odd = result(outcome, nasty, nasty, nasty, error=nasty, stderr=nasty, note=nasty, agreement="close", reproduce=nasty)
    whole = Report(nasty, [nasty], [nasty], [{"runtime": nasty, "version": nasty}], [odd], [nasty], [nasty])
    console = Console(width=400, highlight=False, force_terminal=False)
    with console.capture() as captured:
        console.print(line(odd))
    for text in (shown(whole), captured.get()):
        assert nasty.encode("unicode_escape").decode().replace("\\\\", "\\") in text
        assert not any(c in text for c in "\x1b\r\u202e")


def test_many_runtimes_become_rows_with_full_names() -> None:
    names = [f"tensorflow-java@{n}.0.0-release" for n in range(9)]
    text = shown(report(*(result(runtime=name, agreement="identical") for name in names)))
    rows = [next(r for r in text.splitlines() if name in r) for name in names]
    assert all("ok 1 identical" in row for row in rows)


def test_the_frames_of_a_java_stack_trace_are_left_out() -> None:
    trace = "what is wrong\n\tat io.crossload.Worker.answer(Worker.java:1)\n\tat io.crossload.Main.main(Main.java:2)"
    text = shown(report(result("load_error", error="no", stderr=trace)))
    assert "what is wrong" in text
    assert "Main.java" not in text
