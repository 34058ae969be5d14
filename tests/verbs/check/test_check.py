"""Which artifacts of a bundle are checked or left out with the reason, and the exit status."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossload.contract.manifest import Artifact, Binding, Manifest, Model
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import CrossloadError
from crossload.support import files
from crossload.verbs.check.check import Check, Checked, check
from crossload.verbs.check.prediction import Prediction
from tests.corpus import keras_files
from tests.corpus.checked_graphs import LEGACY, RELEASES, graph_of, saved_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A SavedModel of two MetaGraphs: the one for serving loads everywhere, that for training has an op of nobody's."""
    path = tmp_path / "model"
    saved = saved_model(path, graph_of())
    training = saved.meta_graphs.add()
    training.CopyFrom(saved.meta_graphs[0])
    training.meta_info_def.tags[:] = ["train"]
    training.graph_def.node[1].op = "NoSuchOp"
    (path / "saved_model.pb").write_bytes(saved.SerializeToString())
    return path


def of(*rows: str) -> list[Checked]:
    """An artifact with a prediction of each outcome."""
    signatures = [{} if outcome == "ok" else {"s": outcome} for outcome in rows]
    predictions = [Prediction(Path("graph.pb"), f"r{number}", "2.0.0", (), named) for number, named in enumerate(signatures)]
    return [Checked("graph", "graph_def", predictions, [])]


@pytest.mark.parametrize(
    ("artifacts", "by_name", "status"),
    [
        (of("ok", "ok"), True, 0),
        (of("ok", "run_error"), True, 1),
        (of("ok", "run_error"), False, 0),
        (of("unsupported", "load_error"), False, 1),
        ([*of("ok"), *of("load_error")], False, 1),
    ],
)
def test_every_named_release_must_run_it_else_one_for_each_artifact(artifacts: list[Checked], by_name: bool, status: int) -> None:
    assert Check("model", artifacts, [], by_name).exit_status == status


def test_every_meta_graph_is_checked_and_tags_choose_one(model: Path) -> None:
    both = check(model, [LEGACY])
    assert [entry.predictions[0].outcome for entry in both.artifacts] == ["ok", "load_error"]
    (training,) = check(model, [LEGACY], tags=["train"]).artifacts
    assert (training.predictions[0].outcome, training.would_do) == ("load_error", [])


def test_a_name_is_a_release_or_a_pattern_or_the_newest_of_a_runtime_and_counts_once(model: Path) -> None:
    def titles(*names: str) -> list[str]:
        return [p.runtime for p in check(model, names, tags=["serve"]).artifacts[0].predictions]

    assert titles() == RELEASES
    assert titles("tensorflow-java") == ["tensorflow-java@1.1.0"]
    assert titles("tensorflow-java@1.0.0", "tensorflow-java@1.*") == ["tensorflow-java@1.0.0", "tensorflow-java@1.1.0"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of a GraphDef and a .tflite."""
    root = tmp_path / "bundle"
    root.mkdir()
    (root / "graph.pb").write_bytes(graph_of().SerializeToString())
    (root / "model.tflite").write_bytes(b"never read")
    entries = [
        Artifact(
            id=name.partition(".")[0],
            format=format,
            path=name,
            sha256=files.sha256(root / name),
            bindings={"s": Binding(inputs={"x": "x:0"}, outputs={"y": "y:0"})},
        )
        for name, format in (("graph.pb", "graph_def"), ("model.tflite", "tflite"))
    ]
    spec = (TensorSpec("x", "FP32", None),), (TensorSpec("y", "FP32", None),)
    manifest = Manifest(model=Model(name="m"), producer={}, signatures={"s": Signature(*spec)}, artifacts=entries, vectors=[])
    files.write_text(root / "crossload.json", manifest.to_json())
    return root


def test_a_bundle_s_artifacts_are_checked_or_left_out_with_the_reason(bundle: Path) -> None:
    found = check(bundle, ["tensorflow-java"])
    assert [(entry.id, entry.predictions[0].signatures) for entry in found.artifacts] == [("graph", {"s": "ok"})]
    assert found.left_out == ["model (tflite): none of the named releases takes a tflite; without --runtime, all that do are asked"]


def test_a_format_that_cannot_be_checked_is_refused_with_the_command_that_can(tmp_path: Path) -> None:
    model = keras_files.zipped(tmp_path / "m.keras")
    with pytest.raises(CrossloadError, match=r"nothing to check \(keras: check covers only .*; `crossload verify` runs others\)"):
        check(model)
