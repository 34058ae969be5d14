"""`crossload convert`: what it writes and prints; bad input is one sentence and leaves nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from crossload import artifacts
from crossload.contract.sidecar import sidecar_of

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-m", "crossload.cli"]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)


def refused(*arguments: str | Path, status: int = 2) -> str:
    done = run("convert", *arguments)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_a_nameless_output_gets_a_name_and_later_steps_read_it_from_the_manifest(sources: Path, tmp_path: Path) -> None:
    named = tmp_path / "named.pb"
    done = run("convert", sources / "graph.pb", named, "--output-tensor", "my scores=StatefulPartitionedCall", "--count", "2")
    assert done.returncode == 0, done.stderr
    assert "path: graph_def → graph_def" in done.stderr
    assert "2 answers of 1 signature(s) agree: identical" in done.stdout
    assert [t.name for t in artifacts.read(named).to_json() and artifacts.read(named).outputs] == ["my.scores"]
    stated = json.loads(sidecar_of(named).read_text())
    assert stated["artifacts"][0]["bindings"]["serving_default"]["outputs"] == {"my scores": "my.scores:0"}
    asked = run("run", named, "--input", "serving_default_left=[[1,2,3,4]]", "--input", "serving_default_right=[[1,1,1,1]]")
    assert asked.stdout.startswith("my scores: float32 [1, 3]")


def test_an_inner_tensor_becomes_an_input_and_earlier_nodes_are_dropped(sources: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pb"
    nodes = artifacts.read(sources / "graph.pb").nodes()
    tanh, softmax = (next(n.name for n in nodes if n.op == op) for op in ("Tanh", "Softmax"))
    done = run("convert", sources / "graph.pb", cut, "--input-tensor", f"hidden={tanh}", "--output-tensor", f"scores={softmax}")
    assert done.returncode == 0, done.stderr
    left = [n.op for n in artifacts.read(cut).nodes()]
    assert "Softmax" in left
    assert "Tanh" not in left
    said = refused(sources / "graph.pb", tmp_path / "x.pb", "--input-tensor", tanh, "--output-tensor", "StatefulPartitionedCall")
    assert "the outputs also need serving_default_left, serving_default_right: also name the tensors that feed them as inputs" in said


def test_a_quantised_result_is_refused_by_its_bounds_alone(sources: Path, tmp_path: Path) -> None:
    drawn = np.random.default_rng(0)
    np.savez(tmp_path / "ranges.npz", left=np.full((1, 4), 0.01, np.float32), right=np.zeros((1, 4), np.float32))
    rows = {name: drawn.normal(size=(32, 4)).astype(np.float32) for name in ("left", "right")}
    np.savez(tmp_path / "data.npz", **rows, kind=np.zeros(32, np.int64))
    quantized = [sources / "saved_model", tmp_path / "small.tflite", "--quantize", "int8"]
    arguments = [*quantized, "--representative", tmp_path / "ranges.npz", "--data", tmp_path / "data.npz"]
    done = run("convert", *arguments)
    *figures, said = done.stderr.splitlines()
    assert done.returncode == 1
    assert "small.tflite was not written: " in said
    assert [line for line in figures if "32 rows of data.npz" in line]
    assert figures[-1].startswith("bounds: ")
    assert "--bound " in said
    assert not (tmp_path / "small.tflite").exists()
    assert "no array 'kin' for --labels; it has: left, right, kind" in refused(*arguments, "--labels", "kin")
    done = run("convert", *arguments, "--no-verify")
    assert done.returncode == 0, done.stderr
    assert json.loads(sidecar_of(tmp_path / "small.tflite").read_text())["artifacts"][0]["made"]["verified"] is False
    done = run("convert", *quantized, "--representative", tmp_path / "data.npz", "--inference-type", "int8", "--overwrite")
    assert done.returncode == 0, done.stderr
    assert "note: tflite against the float model" not in done.stdout, "the table says it"
    (described,) = json.loads(sidecar_of(tmp_path / "small.tflite").read_text())["artifacts"]
    assert {q["output"] for q in described["quality"]} >= {"scores"}
    assert all(q["max_steps"] < 20 for q in described["quality"])
    done = run("verify", tmp_path / "small.tflite", "--runtime", "litert,tflite-runtime")
    assert done.returncode == 0, done.stdout
    assert "against the float model" in done.stdout


def test_checkpoints_are_added_to_a_folder_and_the_oldest_go(sources: Path, tmp_path: Path) -> None:
    folder = tmp_path / "training"
    for step in ("1", "2", "3"):
        done = run("convert", sources / "saved_model", folder, "--to", "checkpoint", "--global-step", step, "--max-to-keep", "2",
                   "--pad-step-number", "--no-verify")  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in folder.glob("*.index")) == ["model.ckpt-00000002.index", "model.ckpt-00000003.index"]
    state = (folder / "checkpoint").read_text()
    assert state.splitlines()[0] == 'model_checkpoint_path: "model.ckpt-00000003"'
    assert str(tmp_path) not in state
    asked = run("checkpoint", "use", folder, "model.ckpt-00000002")
    assert asked.returncode == 0, asked.stderr
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_absolute_paths_are_those_of_the_folder_and_nothing_outside_a_copy_is_deleted(sources: Path, tmp_path: Path) -> None:
    folder = tmp_path / "training"
    for step in ("1", "2"):
        done = run("convert", sources / "saved_model", folder, "--to", "checkpoint", "--global-step", step, "--max-to-keep", "1",
                   "--absolute-paths", "--no-verify")  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert (folder / "checkpoint").read_text().splitlines() == [
            f'model_checkpoint_path: "{folder}/model.ckpt-{step}"', f'all_model_checkpoint_paths: "{folder}/model.ckpt-{step}"'
        ]  # fmt: skip
        assert [p.name for p in folder.glob("*.index")] == [f"model.ckpt-{step}.index"]


def test_nothing_is_written_into_the_source(sources: Path) -> None:
    source = sources / "saved_model"
    before = sorted(source.rglob("*"))
    assert f"is inside {source}" in refused(source, source / "frozen.pb")
    assert sorted(source.rglob("*")) == before


def test_a_v1_sharded_checkpoint_with_other_names_is_written_and_read(sources: Path, tmp_path: Path) -> None:
    names = [v.name for v in artifacts.read(sources / "checkpoint").variables]
    done = run("convert", sources / "saved_model", tmp_path / "old", "--to", "checkpoint", "--checkpoint-format", "v1", "--sharded",
               "--name", "old", "--variable", f"{names[0]}=renamed", "--no-verify", "--without-graph")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [v.name for v in artifacts.read(tmp_path / "old").variables] == ["renamed"]
    assert not list((tmp_path / "old").glob("*.meta"))


def test_version_directories_count_up_as_serving_reads_them(sources: Path, tmp_path: Path) -> None:
    (tmp_path / "served" / "7").mkdir(parents=True)
    done = run("convert", sources / "saved_model", tmp_path / "served", "--to", "saved_model", "--version-directory", "--warm-up",
               "--to-tags", "serve,cpu", "--count", "2")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "served").iterdir()) == ["7", "8", "8.crossload.json"]
    assert (tmp_path / "served" / "8" / "assets.extra" / "tf_serving_warmup_requests").stat().st_size > 0
    assert artifacts.read(tmp_path / "served" / "8").meta_graphs[0].tags == ("serve", "cpu")


def test_a_tflite_is_cut_and_described_without_tensorflow(sources: Path, tmp_path: Path) -> None:
    about, made = tmp_path / "about.txt", tmp_path / "hidden.tflite"
    about.write_text("the hidden layer")
    options = ["--output-tensor", "hidden=functional_1/dense_1/Tanh", "--set-metadata", f"about={about}", "--description", "hidden"]
    done = run("convert", sources / "model.tflite", made, *options, "--strip-names")
    assert done.returncode == 0, done.stderr
    assert "left: 3 of 6 operators, 6 of 11 tensors, " in done.stderr
    assert "agree: identical" in done.stdout
    found = artifacts.read(made)
    assert [t.name for t in found.signatures["serving_default"].outputs] == ["hidden"]  # type: ignore[union-attr]
    page = run("show", made, "--all").stdout
    assert "metadata: about = the hidden layer" in page
    assert "description: hidden" in page
    assert "dense_1/MatMul" not in page


def test_an_edit_that_cannot_be_done_is_one_sentence(sources: Path, tmp_path: Path) -> None:
    tflite, target = sources / "model.tflite", tmp_path / "x.tflite"
    assert "--set-metadata 'about': write NAME=FILE" in refused(tflite, target, "--set-metadata", "about")
    twice = refused(tflite, target, "--set-metadata", "a=one", "--set-metadata", "a=two")
    assert "--set-metadata: 'a' is given twice, as one and as two; leave one out" in twice
    assert "has no output and no inner tensor 'Tan'; near it are" in refused(tflite, target, "--output-tensor", "h=Tan")
    assert "--strip edits a .tflite, and this goes from a SavedModel to a .tflite file" in refused(
        sources / "saved_model", target, "--strip"
    )
    assert "--shape left: [0, 4] has a dimension that is not positive" in refused(tflite, target, "--shape", "left=0,4")
    (tmp_path / "half.tflite").write_bytes(tflite.read_bytes()[:900])
    assert "half.tflite is a truncated or corrupt .tflite" in refused(tmp_path / "half.tflite", target, "--strip")
    assert not target.exists()


def test_a_wrong_tensor_name_lists_near_names(sources: Path, tmp_path: Path) -> None:
    said = refused(sources / "graph.pb", tmp_path / "x.pb", "--output-tensor", "StatefulPartitionedCal")
    assert "has no tensor 'StatefulPartitionedCal'" in said
    assert "StatefulPartitionedCall" in said.partition("near")[2]


def test_a_graph_that_is_not_frozen_is_recognised(sources: Path, tmp_path: Path) -> None:
    meta = artifacts.read(sources / "checkpoint" / "model.ckpt-12.meta")
    (tmp_path / "thawed.pb").write_bytes(meta.proto.graph_def.SerializeToString())
    said = refused(tmp_path / "thawed.pb", tmp_path / "x.tflite", "--output-tensor", "StatefulPartitionedCall")
    assert "is not frozen: it holds" in said
    assert "convert the SavedModel, or the .meta with its checkpoint" in said


@pytest.mark.parametrize(
    ("source", "destination", "more", "sentence"),
    [
        ("nothing", "x.pb", [], "does not exist"),
        ("saved_model", "x.pb", ["--to", "tflite"], "x.pb is a name for graph_def, but --to is tflite"),
        ("saved_model", "x", ["--to", "onnx"], "there is no format 'onnx' to convert to; there are: saved_model"),
        ("model.tflite", "x.keras", [], "a .tflite file cannot become a .keras file; it can become: saved_model, graph_def, tflite"),
        ("saved_model", "x", ["--tags", "train"], "has no MetaGraph with the tags train; its tag sets are: serve"),
        ("saved_model", "x", ["--signature", "sevring_default"], "has no signature 'sevring_default'"),
        ("saved_model", "x.pb", ["--load-with", "tensorflow@1.0"], "there is no runtime 'tensorflow@1.0'"),
        ("saved_model", "x.tflite", ["--warm-up"], "--warm-up writes the compared requests into a SavedModel"),
        ("model.h5", "x", ["--weights", "none.h5"], "none.h5 (--weights) does not exist"),
        ("graph.pb", "x", ["--output-tensor", "="], "write name=operation:index, or operation:index"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    sources: Path, tmp_path: Path, source: str, destination: str, more: list[str], sentence: str
) -> None:
    assert sentence in refused(sources / source, tmp_path / destination, *more)
    assert list(tmp_path.iterdir()) == []


def test_overwrite_replaces_only_an_artifact_of_the_same_kind(sources: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.pb"
    there.write_text("mine")
    assert "--overwrite replaces it" in refused(sources / "saved_model", there)
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.txt").write_text("years of work")
    assert "is not a folder with an artifact, but a SavedModel is one" in refused(sources / "graph.pb", folder, "--overwrite")
    assert there.read_text() == "mine"


def test_a_manifest_that_describes_another_file_is_refused(sources: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model.tflite"
    copy.write_bytes((sources / "model.tflite").read_bytes() + b"\0")
    sidecar_of(copy).write_bytes(sidecar_of(sources / "model.tflite").read_bytes())
    done = run("run", copy)
    assert done.returncode == 2
    assert "describes a different model.tflite" in done.stderr


def wait_for_partial(process: subprocess.Popen[str], folder: Path) -> None:
    """Wait until a conversion to .tflite, which takes its time, has begun to write."""
    while not any(p.name.startswith(".x.tflite.partial-") for p in folder.iterdir()):
        assert process.poll() is None
        time.sleep(0.05)


def test_a_second_conversion_to_the_same_destination_fails_with_one_sentence(sources: Path, tmp_path: Path) -> None:
    arguments = [*COMMAND, "convert", str(sources / "saved_model"), str(tmp_path / "x.tflite"), "--no-verify"]
    first = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    assert first.stderr
    wait_for_partial(first, tmp_path)
    second = subprocess.run(arguments, capture_output=True, text=True, check=False)
    first.communicate(timeout=120)
    assert (first.returncode, second.returncode) == (0, 2)
    assert "another conversion is writing" in second.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.tflite", "x.tflite.crossload.json"]


def test_an_interrupted_conversion_leaves_nothing_behind(sources: Path, tmp_path: Path) -> None:
    child = subprocess.Popen(
        [*COMMAND, "convert", str(sources / "saved_model"), str(tmp_path / "x.tflite")], stderr=subprocess.PIPE, text=True
    )
    wait_for_partial(child, tmp_path)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "nothing half-written is left behind" in said
    assert list(tmp_path.iterdir()) == []
