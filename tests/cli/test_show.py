"""`crossload show`: everything about an artifact, on a page or as JSON; and errors for bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from crossload.artifacts.canonical import cost
from crossload.cli import COMMANDS, main
from crossload.support.text import printable
from tests.corpus import checkpoints, handmade, meta_graphs
from tests.corpus.handmade import Lite, Tensor


def show(path: Path, *options: str) -> str:
    result = run("show", str(path), *options)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def line(page: str, beginning: str) -> str:
    return next(row for row in page.splitlines() if row.strip().startswith(beginning))


def test_an_op_that_touches_files_is_named_however_rare_it_is(tmp_path: Path) -> None:
    made = handmade.graph()
    for kind in range(14):
        for n in range(2):
            handmade.node(made.node, f"n{kind}_{n}", f"Op{kind}")
    handmade.node(made.node, "read", "ReadFile", "n0_0")
    (tmp_path / "m.pb").write_bytes(made.SerializeToString())
    assert ", ReadFile 1, … 7 more, --all shows them" in line(show(tmp_path / "m.pb"), "ops:")
    assert "more, --all" not in line(show(tmp_path / "m.pb", "--all"), "ops:")


def test_the_parts_of_a_sparse_and_of_a_ragged_input_are_shown_as_parts_of_one(tmp_path: Path) -> None:
    made = handmade.meta_graph("serve")
    inputs = made.signature_def["serving_default"].inputs
    for name, kind in (
        ("s/indices", handmade.INT64),
        ("s/values", handmade.FLOAT),
        ("s/dense_shape", handmade.INT64),
        ("r/0", handmade.FLOAT),
        ("r/1", handmade.INT64),
    ):
        handmade.tensor_info(inputs[name], f"{name}:0", kind, shape=(-1,))
    page = show(handmade.saved_model(tmp_path / "m", made))
    parts = "of one sparse tensor: s/indices, s/values, s/dense_shape"
    for name, role in (("indices", "indices"), ("values", "values"), ("dense_shape", "dense shape")):
        assert f"{role} {parts}" in next(row for row in page.splitlines() if f"s/{name} " in row)
    assert page.count("of one ragged tensor: r/0, r/1") == 2


def test_options_of_one_format_say_in_words_what_the_artifact_is(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(Lite().build())
    assert (
        "is a .tflite file, and --tensor reads values only from checkpoints"
        in run("show", str(tmp_path / "m.tflite"), "--tensor", "x").stderr
    )
    assert "is a .tflite file, and --nodes lists nodes of" in run("show", str(tmp_path / "m.tflite"), "--nodes", "*").stderr


def test_a_saved_models_page_has_what_a_caller_needs(tmp_path: Path) -> None:
    made = handmade.meta_graph("serve")
    signature = made.signature_def["serving_default"]
    handmade.tensor_info(signature.inputs["rate"], "rate:0", shape=())
    signature.defaults["rate"].dtype = handmade.FLOAT
    signature.defaults["rate"].float_val.append(0.5)
    handmade.tensor_info(signature.inputs["text"], "text:0", dtype=handmade.STRING, shape=None)
    page = show(handmade.saved_model(tmp_path / "m", made, handmade.meta_graph()))
    assert line(page, "input   x").split() == ["input", "x", "float32", "(-1,", "4)", "serving_default_x:0"]
    assert line(page, "input   rate").split() == ["input", "rate", "float32", "()", "rate:0", "default", "0.5"]
    assert line(page, "input   text").split() == ["input", "text", "string", "unknown", "rank", "text:0"]
    assert line(page, "output  y").split() == ["output", "y", "float32", "(-1,", "2)", "StatefulPartitionedCall:0"]
    assert "tags: serve" in page
    assert "the empty tag set" in page
    assert "tensorflow/serving/predict" in page
    assert "__saved_model_init_op = NoOp" in page
    assert "TensorFlow 2.21.0 (v2.21.0), graph version 2474" in page
    assert "MatMul 2" in line(page, "ops: 5")


def test_a_missing_shard_is_on_the_page_and_in_json(tmp_path: Path) -> None:
    folder = handmade.saved_model(tmp_path / "m", handmade.with_variables(handmade.meta_graph("serve")))
    assert "incomplete: variables/variables.index missing" in show(folder)
    assert json.loads(show(folder, "--json"))["missing_files"] == ["variables/variables.index"]


def test_omitted_lines_are_counted_and_all_shows_them(tmp_path: Path) -> None:
    made = handmade.graph()
    for n in range(20):
        handmade.node(made.node, f"n{n}", f"OwnOp{n:02}", "probabilities")
    path = handmade.write_graph(tmp_path / "g.pb", made)
    short, whole = show(path), show(path, "--all")
    assert "… 13 more, --all shows them" in line(short, "ops: 25")
    assert "OwnOp19 1" not in short
    assert "OwnOp19 1" in line(whole, "ops: 25")
    assert "more, --all" not in whole


def test_a_graphs_page_says_that_its_names_are_candidates(tmp_path: Path) -> None:
    made = handmade.graph()
    handmade.node(made.node, "labels", "Placeholder", dtype=handmade.INT64)
    page = show(handmade.write_graph(tmp_path / "g.pb", made))
    assert "Candidates" in page
    assert line(page, "input").split() == ["input", "x", "float32", "(-1,", "4)", "x:0", "placeholder"]
    assert line(page, "output").split()[:2] == ["output", "probabilities"]
    assert line(page, "output").endswith("probabilities:0  a head by its name; nothing takes its result")
    assert "no output depends on: labels" in page


def test_a_metas_page_has_signatures_variables_and_obstacles(tmp_path: Path) -> None:
    page = show(meta_graphs.write(tmp_path / "model-3.meta", meta_graphs.made()))
    assert line(page, "output").split()[:2] == ["output", "probabilities"]
    assert line(page, "w:0").split()[:2] == ["w:0", "float32"]
    assert "saver: V2; save/restore_all restores from the prefix in save/Const:0" in page
    assert "! no checkpoint of the same name (model-3.index)" in page
    assert "collections: train_op (1), trainable_variables (1), variables (1)" in page


def test_the_canonical_hash_is_on_the_page_and_in_json(tmp_path: Path) -> None:
    path = handmade.write_graph(tmp_path / "g.pb", handmade.graph())
    found = json.loads(show(path, "--json"))["canonical_sha256"]
    assert line(show(path), "canonical").split() == ["canonical", "sha256", found]
    text = handmade.write_graph(tmp_path / "g.pbtxt", handmade.graph(), text=True)
    assert json.loads(show(text, "--json"))["canonical_sha256"] == found


def test_the_canonical_hash_of_variables_is_on_the_page_when_it_is_asked_for(tmp_path: Path) -> None:
    prefix = checkpoints.small(tmp_path)
    found = json.loads(show(prefix, "--json"))["canonical_sha256"]
    assert "--hash computes it" in line(show(prefix), "canonical")
    assert line(show(prefix, "--hash"), "canonical").split() == ["canonical", "sha256", found]


def test_an_artifact_too_large_or_incomplete_for_a_canonical_hash_is_shown_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    incomplete = handmade.saved_model(tmp_path / "m", handmade.with_variables(handmade.meta_graph("serve")))
    assert json.loads(show(incomplete, "--json"))["canonical_sha256"] is None
    assert "cannot be computed (" in line(show(incomplete), "canonical")
    assert "is missing" in run("show", str(incomplete), "--hash").stderr
    path = handmade.write_graph(tmp_path / "g.pb", handmade.graph())
    for limit in ("MOST_BYTES", "MOST_NODES"):
        with monkeypatch.context() as narrow:
            narrow.setattr(cost, limit, 2)
            assert json.loads(show(path, "--json"))["canonical_sha256"] is None
            assert "not computed above" in line(show(path), "canonical")
            assert json.loads(show(path, "--json", "--hash"))["canonical_sha256"]


def test_nodes_are_listed_with_what_they_take_and_give(tmp_path: Path) -> None:
    made = handmade.graph()
    made.node[2].device = "/device:GPU:0"
    path = handmade.write_graph(tmp_path / "g.pb", made)
    assert line(show(path, "--nodes"), "x ").split() == ["x", "Placeholder", "float32", "(-1,", "4)"]
    assert show(path, "--nodes", "MatMul").split() == ["product", "MatMul", "float32", "<-", "x,", "w", "on", "/device:GPU:0"]
    assert [n["name"] for n in json.loads(show(path, "--nodes", "p*", "--json"))["nodes"]] == ["product", "probabilities"]
    meta = show(meta_graphs.write(tmp_path / "m.meta", meta_graphs.made()), "--nodes", "w")
    assert line(meta, "w/Assign").split() == ["w/Assign", "AssignVariableOp", "<-", "w,", "w/initial"]


def test_a_saved_models_nodes_are_those_of_each_meta_graph_and_function(tmp_path: Path) -> None:
    folder = handmade.saved_model(tmp_path / "m", handmade.meta_graph("serve"), handmade.meta_graph("serve", "gpu"))
    page = show(folder, "--nodes", "MatMul")
    assert [row for row in page.splitlines() if "tags" in row] == ["MetaGraph  tags: serve", "MetaGraph  tags: serve, gpu"]
    assert "function __inference_call" in page
    assert json.loads(show(folder, "--nodes", "again", "--json"))["nodes"][1]["tags"] == ["serve", "gpu"]


def test_a_pattern_without_a_match_is_answered_with_near_names(tmp_path: Path) -> None:
    path = handmade.write_graph(tmp_path / "g.pb", handmade.graph())
    result = run("show", str(path), "--nodes", "softmacks")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no node 'softmacks'; near it are 'Softmax'" in result.stderr
    (tmp_path / "m.tflite").write_bytes(Lite().build())
    assert "of TensorFlow's graphs only" in run("show", str(tmp_path / "m.tflite"), "--nodes").stderr


def test_a_tflites_page_flags_flex_and_custom_ops_and_shows_quantisation(tmp_path: Path) -> None:
    tensors = [Tensor("x", kind=9, scale=[0.5], zero_point=[-128]), Tensor("y", kind=9, scale=[0.25, 0.5], zero_point=[0, 1], axis=1)]
    (tmp_path / "m.tflite").write_bytes(
        Lite(tensors=tensors, operators=[9, "FlexInv", "Own"], metadata={"min_runtime_version": b"1.5.0"}).build()
    )
    page = show(tmp_path / "m.tflite")
    assert "int8  (1, 4)  tensor 0  scale 0.5, zero point -128" in page
    assert "2 scales on axis 1: 0.25, 0.5; zero points 0, 1" in page
    assert "Flex ops need TensorFlow's kernels" in page
    assert "flex ops: 1 of 1 kinds: FlexInv 1" in page
    assert "custom ops: 1 of 1 kinds: Own 1" in page
    assert "min_runtime_version = 1.5.0" in page
    assert "made by an unknown version, for TFLite runtimes from 1.5.0" in page
    assert "no signature" in page


def test_control_characters_in_names_are_escaped(tmp_path: Path) -> None:
    made = handmade.meta_graph("serve\x1b[2J")
    handmade.tensor_info(made.signature_def["evil\r\x1b]0;title\x07"].inputs["a\nb\u202e"], "x\x9b31m:0")
    handmade.tensor_info(made.signature_def["evil\r\x1b]0;title\x07"].outputs["y"], "y:0")
    folder = handmade.saved_model(tmp_path / "m", made)
    page = show(folder, "--all")
    assert all(c.isprintable() for c in page.replace("\n", ""))
    assert "a\\nb\\u202e" in page
    assert all(" " <= c < "\x7f" for c in show(folder, "--json").replace("\n", ""))
    assert "missing\\x1b" in run("show", "missing\x1b").stderr


def test_bytes_that_are_not_text_are_shown_as_bytes() -> None:
    assert printable("a\udcff\ud800\t") == "a\\xff\\ud800\\t"
    assert printable("größe/東京") == "größe/東京"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_bad_input_is_one_sentence_and_status_2(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "bad.pb").write_bytes(b"\n\xff\xff")
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "bad.pb", tmp_path / "missing", tmp_path / "empty"):
        result = run("show", str(path), *options)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert result.stderr.startswith(f"crossload: {path}")
        assert result.stderr.count("\n") == 1


def test_a_misused_command_is_status_2() -> None:
    assert run("show").exit_code == 2
    assert run("shwo", "x").exit_code == 2
    assert run("show", "x", "--jsn").exit_code == 2


def crossload(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "crossload.cli", *arguments]
    return subprocess.run(command, capture_output=True, check=False, env={**os.environ, **environment})


def test_a_file_that_cannot_be_read_to_its_end_is_status_2(tmp_path: Path) -> None:
    # A process's memory is a regular file whose first byte cannot be read, not even by root.
    folder = handmade.saved_model(tmp_path / "m", handmade.meta_graph("serve"))
    (folder / "fingerprint.pb").symlink_to("/proc/self/mem")
    for path in (folder, folder / "fingerprint.pb"):
        result = run("show", str(path))
        assert result.exit_code == 2
        assert result.stderr.startswith(f"crossload: {path} cannot be read: ")
        assert result.stdout == ""


def test_no_traceback_reaches_the_user(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(b"\xff\xff\xff\x7fTFL3")
    found = crossload("show", str(tmp_path / "m.tflite"))
    assert found.returncode == 2
    assert found.stderr.startswith(b"crossload: ")
    assert found.stderr.count(b"\n") == 1


def test_a_terminal_without_unicode_still_shows_the_page(tmp_path: Path) -> None:
    made = handmade.meta_graph("東京")
    found = crossload("show", str(handmade.saved_model(tmp_path / "m", made)), PYTHONIOENCODING="latin-1")
    assert found.returncode == 0
    assert b"\\u6771\\u4eac" in found.stdout


def test_a_closed_output_pipe_is_not_an_error(tmp_path: Path) -> None:
    folder = handmade.saved_model(tmp_path / "m", handmade.meta_graph("serve"))
    with subprocess.Popen(
        [sys.executable, "-m", "crossload.cli", "show", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_help_lists_every_command_and_imports_none() -> None:
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from crossload.cli import main\n"
        "print(CliRunner().invoke(main, ['--help']).output)\n"
        f"print([c for c in {[c for c, _ in COMMANDS]} if f'crossload.cli.{{c}}' in sys.modules])\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert all(f"\n  {name} " in found for name, _ in COMMANDS)
    assert found.endswith("\n[]\n")


@pytest.mark.parametrize("name", [name for name, _ in COMMANDS])
def test_every_command_teaches_with_an_example(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"crossload {name} " in result.output


def test_the_version_is_the_packages() -> None:
    assert run("--version").output.split()[-1].startswith("0.")


def test_a_checkpoints_page_lists_variables_and_tensor_prints_a_value(tmp_path: Path) -> None:
    prefix = checkpoints.small(tmp_path)
    page = show(prefix)
    assert line(page, "dense/kernel").split() == ["dense/kernel", "float32", "(4,", "3)", "48", "bytes"]
    assert "[ 9., 10., 11.]" in show(prefix, "--tensor", "dense/kernel")
    value = json.loads(show(prefix, "--tensor", "dense/kernel", "--json"))
    assert value == {"name": "dense/kernel", "datatype": "FP32", "shape": [4, 3], "data": [float(n) for n in range(12)]}
    assert "near it are 'dense/kernel'" in run("show", str(prefix), "--tensor", "kernel").stderr
    graph = handmade.write_graph(tmp_path / "g.pb", handmade.graph())
    assert "only from checkpoints" in run("show", str(graph), "--tensor", "x").stderr
