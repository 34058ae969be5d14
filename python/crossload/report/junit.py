"""JUnit XML for CI servers: one test suite per runtime, one test case per result."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from crossload.report.results import Report, Result

# XML 1.0, production [2] Char: characters that a worker's stderr may contain and an XML file may not.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(report: Report) -> str:
    """The report's JUnit XML: `mismatch` is a failure, `unsupported` is skipped, every other outcome that is not ok is an error."""
    root = ElementTree.Element("testsuites", name=_text(f"crossload {report.bundle}"))
    emulated = {str(r["runtime"]): str(r["emulated"]) for r in report.runtimes if r.get("emulated")}
    for runtime in dict.fromkeys(r.case.runtime for r in report.results):
        results = [r for r in report.results if r.case.runtime == runtime]
        kinds = [_kind(r) for r in results]
        suite = ElementTree.SubElement(root, "testsuite", name=_text(runtime), tests=str(len(results)))
        for plural, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(plural, str(kinds.count(kind)))
        suite.set("time", f"{sum(r.seconds or 0 for r in results):.6f}")
        if runtime in emulated:
            properties = ElementTree.SubElement(suite, "properties")
            ElementTree.SubElement(properties, "property", name="emulated", value=_text(emulated[runtime]))
        for result, kind in zip(results, kinds, strict=True):
            _add(suite, result, kind)
    _add_uncompared(root, report.uncompared)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _kind(result: Result) -> str:
    return {"ok": "", "mismatch": "failure", "unsupported": "skipped"}.get(result.outcome, "error")


def _add(suite: ElementTree.Element, result: Result, kind: str) -> None:
    case = result.case
    name = _text(f"{case.signature}/{case.vector}")
    element = ElementTree.SubElement(suite, "testcase", classname=_text(f"{case.artifact}.{case.runtime}"), name=name)
    element.set("time", f"{result.seconds or 0:.6f}")
    if kind:
        message = f"{result.outcome}: {result.error or result.agreement}"
        problem = ElementTree.SubElement(element, kind, message=_text(message))
        if kind != "skipped":
            problem.set("type", result.outcome)
        lines = (result.cause and f"cause: {result.cause}", result.reproduce and f"reproduce: {result.reproduce}", result.stderr)
        problem.text = _text("\n".join(t for t in lines if t))
    if result.outcome in ("ok", "mismatch"):
        about = {"agreement": result.agreement, **result.metrics}
        ElementTree.SubElement(element, "system-out").text = _text(", ".join(f"{k} {v}" for k, v in about.items()))


def _add_uncompared(root: ElementTree.Element, uncompared: list[str]) -> None:
    """The artifacts and runtimes without a comparison: a server that reads only this file must not see them as successes."""
    if not uncompared:
        return
    count = str(len(uncompared))
    suite = ElementTree.SubElement(root, "testsuite", name="crossload", tests=count, failures="0", errors=count, skipped="0", time="0")
    for said in uncompared:
        element = ElementTree.SubElement(suite, "testcase", classname="crossload", name=_text(said), time="0")
        ElementTree.SubElement(element, "error", message=_text(said), type="not_run")


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
