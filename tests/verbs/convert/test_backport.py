"""Backports in the real releases: each one gives its source's answers there."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossload.artifacts.messages import message_class
from crossload.contract.bundle import open_bundle
from crossload.errors import ConversionRefused
from crossload.report.results import Report
from crossload.verbs.convert.backport import backport_bundle
from crossload.verbs.convert.convert import convert
from crossload.verbs.verify.verify import verify

pytestmark = pytest.mark.slow
LEGACY = "tensorflow-java-legacy"
INT8 = 6  # types.proto
EVERY = ["tensorflow-java@*", LEGACY]


def outcomes(report: Report) -> set[tuple[str, str]]:
    return {(r.case.runtime, r.outcome) for r in report.results}


def test_a_keras_3_bundle_gets_a_backport_that_all_six_releases_run(demo: Path, tmp_path: Path) -> None:
    bundle, added = backport_bundle(demo, tmp_path / "everywhere", EVERY)
    assert [a.id for a in added] == ["saved_model-backported"]  # the frozen graph needs none
    made = added[0].made
    assert made
    assert made.verified
    assert len(made.runtimes or ()) == 6
    assert any("DisableCopyOnRead" in r for r in made.repairs or ())
    assert open_bundle(tmp_path / "everywhere").manifest == bundle.manifest
    report = verify(bundle.root, [LEGACY], artifacts=("saved_model", "saved_model-backported"))
    by_artifact = {a: {r.outcome for r in report.results if r.case.artifact == a} for a in report.rows}
    assert by_artifact == {"saved_model": {"load_error"}, "saved_model-backported": {"ok"}}


def test_a_keras_3_saved_model_becomes_a_graph_for_the_oldest_release(demo: Path, tmp_path: Path) -> None:
    made = convert(demo / "saved_model", tmp_path / "old.pb", runtimes=[LEGACY])
    assert made.report
    assert outcomes(made.report) == {(LEGACY, "ok")}
    assert made.artifact.made
    assert made.artifact.made.runtimes == [f"{LEGACY}@1.15.0"]


def test_an_op_that_nothing_replaces_is_refused_with_the_releases_that_have_it(tmp_path: Path) -> None:
    graph = message_class("tensorflow.GraphDef")()
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    graph.node.add(name="y", op="Xlog1py", input=["x", "x"]).attr["T"].type = 1
    (tmp_path / "young.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(ConversionRefused, match=r"Xlog1py.*2\.4\.1"):
        convert(tmp_path / "young.pb", tmp_path / "old.pb", inputs=("x",), outputs=("y",), runtimes=[LEGACY])
    assert not list(tmp_path.glob("old*"))


def test_a_datatype_without_a_java_type_crosses_a_bridge_after_a_backport(tmp_path: Path) -> None:
    graph = message_class("tensorflow.GraphDef")()
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = INT8
    graph.node.add(name="y", op="Identity", input=["x"]).attr["T"].type = INT8
    (tmp_path / "small.pb").write_bytes(graph.SerializeToString())
    made = convert(tmp_path / "small.pb", tmp_path / "old.pb", inputs=("x",), outputs=("y",), runtimes=[LEGACY])
    assert made.report
    assert outcomes(made.report) == {(LEGACY, "ok")}
    assert {r.note for r in made.report.results} == {"through the bridge: int8 as int32"}
