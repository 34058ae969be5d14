"""The warm-up file in TensorFlow Serving: Serving's own messages, TensorFlow's own session, the recorded answers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import uv

from crossload import tf_example
from crossload.artifacts import tfrecord
from crossload.contract.bundle import open_bundle
from tests import environment
from tests.edits.test_warmup import logs

pytestmark = pytest.mark.slow
SERVING = Path(__file__).parent / "read_warmup.py"
API = Path(__file__).parent / "serving_api.txt"


def crossload(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "crossload.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model, its bundle, and Serving's messages in `api`."""
    folder = tmp_path_factory.mktemp("serving")
    install = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", API, "--target", folder / "api"]
    python = environment.launch_of("tensorflow+python").argv[0]
    subprocess.run([*install, "--python", python], check=True)
    serving(folder, "make", folder / "model")
    np.savez(folder / "people.npz", inputs=np.array([tf_example({"age": [30], "name": ["x"]}), tf_example({"age": [41], "name": ["ü"]})]))
    export = ["export", folder / "model", "-o", folder / "bundle", "--formats", "saved_model", "--input-file", folder / "people.npz"]
    done = crossload(*export, "--warm-up", "--name", "people", "--count", "5")
    assert done.returncode == 0, done.stderr
    assert "not in the warm-up file: own: its method is 'tensorflow/serving/own_method'" in done.stderr
    return folder


def serving(folder: Path, *arguments: str | Path) -> None:
    python = environment.launch_of("tensorflow+python").argv[0]
    with_api = {**os.environ, "PYTHONPATH": str(folder / "api")}
    done = subprocess.run([python, SERVING, *arguments], env=with_api, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def plain(array: np.ndarray) -> np.ndarray:
    """The value in a form that .npz can store."""
    return array.astype(np.float32 if array.dtype.isbuiltin != 1 else np.bytes_ if array.dtype == object else array.dtype)


def test_servings_own_messages_parse_every_request_and_the_answers_match(room: Path) -> None:
    serving(room, "warm", room / "bundle" / "saved_model", room / "answers.npz")
    answers: dict[str, dict[str, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
    kinds: dict[str, set[str]] = defaultdict(set)
    with np.load(room / "answers.npz") as found:
        for name in sorted(found):
            _, kind, model, signature, output = name.split("/")
            assert model == "people"
            answers[signature][output].append(found[name])
            kinds[signature].add(kind)
    bundle = open_bundle(room / "bundle")
    assert answers.keys() == bundle.manifest.signatures.keys() - {"own"}
    for signature, outputs in answers.items():
        recorded = bundle.vectors(signature)
        for output, got in outputs.items():
            assert len(got) == len(recorded) >= 2
            for answer, vector in zip(got, recorded, strict=True):
                np.testing.assert_array_equal(answer, plain(vector.outputs[output]), err_msg=f"{signature}/{vector.id}/{output}")
    assert (kinds["classify"], kinds["regress"], kinds["int4"]) == ({"classify_log"}, {"regress_log"}, {"predict_log"})


def test_the_hash_of_the_bundle_covers_the_warm_up_file(room: Path) -> None:
    path = room / "bundle" / "saved_model" / "assets.extra" / "tf_serving_warmup_requests"
    assert len(logs(path)) == sum(v.count for v in open_bundle(room / "bundle").manifest.vectors if v.signature != "own")
    assert crossload("verify", room / "bundle", "--runtime", "tensorflow").returncode == 0


def test_an_existing_warm_up_file_is_not_replaced(room: Path) -> None:
    done = crossload("export", room / "bundle" / "saved_model", "-o", room / "again", "--warm-up")
    assert done.returncode == 2
    assert "has a warm-up file already" in done.stderr
    assert not (room / "again").exists()
    export = [
        "export",
        room / "bundle" / "saved_model",
        "-o",
        room / "kept",
        "--formats",
        "saved_model",
        "--input-file",
        room / "people.npz",
    ]
    kept = crossload(*export, "--count", "1")
    assert kept.returncode == 0, kept.stderr
    records = [list(tfrecord.read(room / b / "saved_model" / "assets.extra" / "tf_serving_warmup_requests")) for b in ("bundle", "kept")]
    assert records[0] == records[1]


def test_a_bundle_without_a_saved_model_gets_no_warm_up_file(room: Path) -> None:
    done = crossload("export", room / "model", "-o", room / "frozen", "--formats", "graph_def", "--warm-up")
    assert done.returncode == 2
    assert "add saved_model to its formats" in done.stderr


def test_tf_examples_on_the_command_line_match_the_model(room: Path) -> None:
    text = '[{"age": [30], "name": ["x"]}, {"name": [{"b64": "eQ=="}], "age": 41}, {}]'
    done = crossload("run", room / "model", "-s", "classify", "-s", "regress", "--input-examples", f"inputs={text}", "-r", "tensorflow")
    assert done.returncode == 0, done.stderr
    assert "regress/outputs: float32 [3, 1]\n[[15. ],\n [20.5],\n [ 0. ]]" in done.stdout
    assert "[[b'x', b'x!'],\n [b'y', b'y!'],\n [b'', b'!']]" in done.stdout
