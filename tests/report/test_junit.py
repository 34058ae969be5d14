"""JUnit XML: the counts match the report, every failure is visible, and the file is always valid XML."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from crossload.contract.causes import Cause
from crossload.contract.outcomes import OUTCOMES
from crossload.report.junit import to_junit
from crossload.report.results import Case, Report, Result


def suites(report: Report) -> list[ElementTree.Element]:
    return ElementTree.fromstring(to_junit(report)).findall("testsuite")


def result(outcome: str, runtime: str = "fake", **more: object) -> Result:
    return Result(Case("model", runtime, "serve", f"v-{outcome}"), outcome, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_has_one_kind(outcome: str) -> None:
    (suite,) = suites(Report("b", results=[result(outcome, error="why", agreement="close")]))
    kind = {"ok": None, "mismatch": "failure", "unsupported": "skipped"}.get(outcome, "error")
    (case,) = suite
    assert [e.tag for e in case if e.tag != "system-out"] == ([kind] if kind else [])
    counted = {"failure": "failures", "error": "errors", "skipped": "skipped"}
    assert {k: suite.get(v) for k, v in counted.items()} == {k: "1" if k == kind else "0" for k in counted}


def test_a_suite_is_a_runtime_and_a_case_has_agreement_and_time() -> None:
    fine = result("ok", agreement="ulp", metrics={"max_ulp": 3}, seconds=0.5)
    one, two = suites(Report("b", results=[fine, result("crash", "other", error="died")]))
    assert [(s.get("name"), s.get("tests"), s.get("time")) for s in (one, two)] == [("fake", "1", "0.500000"), ("other", "1", "0.000000")]
    assert one[0].attrib == {"classname": "model.fake", "name": "serve/v-ok", "time": "0.500000"}
    assert one[0].findtext("system-out") == "agreement ulp, max_ulp 3"


def test_a_failure_keeps_its_reason_its_command_and_stderr() -> None:
    (suite,) = suites(Report("b", results=[result("crash", error="died", reproduce="crossload verify b", stderr="Fatal: x")]))
    problem = suite[0][0]
    assert problem.attrib == {"message": "crash: died", "type": "crash"}
    assert problem.text == "reproduce: crossload verify b\nFatal: x"


def test_a_suite_says_which_processor_was_emulated() -> None:
    runtimes = [{"runtime": "fake", "version": "1", "emulated": "cortex-a76 on x86_64"}, {"runtime": "other", "version": "1"}]
    one, two = suites(Report("b", runtimes=runtimes, results=[result("ok"), result("ok", "other")]))
    assert [(p.get("name"), p.get("value")) for p in one.iterfind("properties/property")] == [("emulated", "cortex-a76 on x86_64")]
    assert two.find("properties") is None


def test_a_mismatch_has_its_cause() -> None:
    cause = Cause(kind="random", text="the answer is random", evidence="asked twice", confidence="low")
    (suite,) = suites(Report("b", results=[result("mismatch", error="differs", cause=cause)]))
    assert suite[0][0].text == "cause: perhaps the answer is random (asked twice)"


def test_a_request_without_a_comparison_is_a_separate_error() -> None:
    fine, absent = suites(Report("b", results=[result("ok")], uncompared=["nothing was compared in litert: it takes no chosen artifact"]))
    assert (fine.get("errors"), absent.get("errors"), absent.get("tests")) == ("0", "1", "1")
    assert absent[0].get("name") == absent[0][0].get("message") == "nothing was compared in litert: it takes no chosen artifact"


def test_characters_outside_xml_are_replaced() -> None:
    nasty = "\0\x1b[31m\ud800\uffff<&>\"']]>"
    case = Case(nasty, nasty, nasty, nasty)
    report = Report(nasty, results=[Result(case, "crash", error=nasty, stderr=nasty), Result(case, "mismatch", nasty)], uncompared=[nasty])
    assert suites(report)[0].get("name") == "\ufffd\ufffd[31m\ufffd\ufffd<&>\"']]>"
