"""Projects for TensorFlow Lite Micro, built with sanitizers against its sources of 2020 and run; the release of today answers the same
vectors in its Python interpreter."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from crossload.artifacts.tflite import inner
from crossload.verbs.export.export import export
from crossload.verbs.handoff.handed import Handoff
from crossload.verbs.handoff.handoff import handoff
from crossload.verbs.verify.verify import verify
from tests import CORPUS
from tests.environment import made_once, tflm_tree, with_tensorflow
from tests.verbs.handoff.tflm.test_project import TODAY, checked

pytestmark = pytest.mark.slow
# The interpreter of 2020 keeps a whole TfLiteTensor for each tensor, so it needs more than the one that was measured.
_SANITIZED = "-O0 -g -fsanitize=address,undefined -fno-sanitize-recover=all -DCROSSLOAD_ARENA_BYTES=65536"


@pytest.fixture(scope="module")
def models(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "micro", lambda folder: with_tensorflow(CORPUS / "make_micro.py", folder, demo / "saved_model"))


def handed(model: Path, folder: Path) -> Handoff:
    bundle = export(model, folder / "bundle")
    made = handoff(bundle.root, folder / "project", to="tflm")
    report = verify(bundle.root, ["tflite-micro"])
    assert {r.outcome for r in report.results} == {"ok"}
    return made


def make(project: Path) -> subprocess.CompletedProcess[str]:
    words = [f"TFLM={tflm_tree()}", "CXXSTD=c++11", f"CFLAGS={_SANITIZED}", f"CXXFLAGS={_SANITIZED}"]
    return subprocess.run(["make", "-s", "-C", project, *words], capture_output=True, text=True, check=False)


def test_the_demo_passes_and_its_answers_are_judged_here_and_a_changed_weight_fails(models: Path, tmp_path: Path) -> None:
    made = handed(models / "digits.tflite", tmp_path)
    done = make(made.root)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(rf"arena: \d+ of 65536 bytes in use\nPASS: {made.vectors} of {made.vectors} vectors agree\n", done.stdout)

    answers = subprocess.run([made.root / "build" / "verify", "--answers", "host"], capture_output=True, text=True, check=True)
    (tmp_path / "answers.json").write_text(answers.stdout, "utf-8")
    report = verify(tmp_path / "bundle", ["litert"], devices=[tmp_path / "answers.json"])
    assert {(r.case.runtime, r.outcome) for r in report.results} == {("litert", "ok"), ("device:host", "ok")}

    read = inner.read(models / "digits.tflite")
    start, length = max((t.extent for t in read.tensors if t.extent and t.datatype == "INT8"), key=lambda extent: extent[1])
    array = made.root / "src" / "model.cpp"
    before, brace, rest = array.read_text("utf-8").partition("{\n")
    numbers, end, after = rest.partition("};")
    changed = [f"0x{b:02x}" for b in bytes.fromhex(re.sub(r"0x|,|\s", "", numbers))]
    changed[start : start + length] = ["0x7f"] * length
    array.write_text(before + brace + ",".join(changed) + end + after, "utf-8")
    done = make(made.root)
    assert done.returncode != 0
    assert "'scores' differs by up to" in done.stdout
    assert re.search(rf"\nFAIL: \d of {made.vectors} vectors agree\n$", done.stdout)


@pytest.mark.parametrize("name", ["unrolled", "two"])
def test_a_model_passes(models: Path, tmp_path: Path, name: str) -> None:
    made = handed(models / f"{name}.tflite", tmp_path)
    done = make(made.root)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"PASS: {made.vectors} of {made.vectors} vectors agree\n")


def test_a_keyword_spotter_passes_in_a_build_by_cmake(models: Path, tmp_path: Path) -> None:
    made = handed(models / "keywords.tflite", tmp_path)
    options = [f"-DTFLM={tflm_tree()}", "-DCMAKE_CXX_STANDARD=11", f"-DCMAKE_C_FLAGS={_SANITIZED}", f"-DCMAKE_CXX_FLAGS={_SANITIZED}"]
    build = made.root / "build"
    for words in (["cmake", "-B", build, "-S", made.root, *options], ["cmake", "--build", build]):
        subprocess.run(words, check=True, capture_output=True)
    done = subprocess.run(["ctest", "--test-dir", build, "-V"], capture_output=True, text=True, check=True)
    assert f"PASS: {made.vectors} of {made.vectors} vectors agree" in done.stdout


@pytest.mark.parametrize("model", ["recurrent", "counter"])
def test_loops_and_variables_which_the_sources_of_2020_lack_fit_the_api_of_today(models: Path, tmp_path: Path, model: str) -> None:
    path = CORPUS / "binary" / "counter.tflite" if model == "counter" else models / f"{model}.tflite"
    checked(handed(path, tmp_path).root, TODAY, "c++17")


def test_an_arena_that_is_too_small_is_said(models: Path, tmp_path: Path) -> None:
    export(models / "two.tflite", tmp_path / "bundle")
    made = handoff(tmp_path / "bundle", tmp_path / "project", to="tflm", arena=256)
    words = [f"TFLM={tflm_tree()}", "CXXSTD=c++11"]
    done = subprocess.run(["make", "-s", "-C", made.root, *words], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stdout.startswith("FAIL: AllocateTensors fails in an arena of 256 bytes")
