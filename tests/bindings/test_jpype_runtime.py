"""The runtime tensorflow-java-jpype: on the same vectors it gives the outcomes of TensorFlow Java in its own JVM."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossload.inputs.requests import Requests
from crossload.report.results import Report
from crossload.runtimes import environments, registry
from crossload.runtimes.selftest import certify
from crossload.runtimes.supervisor import Limits, Supervisor
from crossload.verbs.verify import record
from crossload.verbs.verify.verify import verify
from tests import ROOT
from tests.verbs.verify.test_corpus import GRAPHS, bundle

pytestmark = pytest.mark.slow
JPYPE, JAVA = "tensorflow-java-jpype", "tensorflow-java"


@pytest.fixture(scope="module")
def report(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Every graph of the corpus in both."""
    runtime = registry.one("tensorflow")
    launch = environments.prepare(runtime.source)
    with Supervisor(runtime.name, launch) as reference:
        made = bundle(
            corpus,
            tmp_path_factory.mktemp("bundle"),
            ["identity", *GRAPHS],
            lambda root, artifact, named: record.record_with(reference, root, artifact, named, Requests(count=3)),
        )
    return verify(made, [JPYPE, JAVA])


def test_every_outcome_agreement_and_reason_is_tensorflow_java_s_own(report: Report) -> None:
    told = {
        name: {
            (r.case.artifact, r.case.signature, r.case.vector): (r.outcome, r.agreement, r.error)
            for r in report.results
            if r.case.runtime == name
        }
        for name in (JPYPE, JAVA)
    }
    assert len(told[JAVA]) > 100
    assert {outcome for outcome, _, _ in told[JAVA].values()} >= {"ok", "unsupported", "load_error"}
    assert told[JPYPE] == told[JAVA]


def test_no_worker_died(report: Report) -> None:
    assert not [c for c in report.cautions if "died" in c]


def test_its_identity_is_complete(report: Report) -> None:
    java, jpype = (next(r for r in report.runtimes if r["runtime"] == name) for name in (JAVA, JPYPE))
    assert jpype["version"] == java["version"] == registry.one(JPYPE).version
    assert jpype["native"] == java["native"]
    assert str(jpype["language"]).startswith("Python 3")


def test_it_is_certified() -> None:
    about, not_carried = certify(registry.one(JPYPE), Limits())
    assert about.startswith("tensorflow-java-jpype 1.1.0, Python 3")
    assert not not_carried


def test_it_is_not_a_default_runtime() -> None:
    assert JPYPE not in [r.name for r in registry.find()]


def test_the_worker_s_binding_is_the_package_of_bindings_jpype() -> None:
    assert ROOT / "bindings" / "jpype" == registry.BINDING
    assert (registry.BINDING / "crossload_jpype" / "__init__.py").is_file()
