"""Real .tflite files fail in their own ways, and each is an outcome with the reason: on the device only, on the desktop only, unlike."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from crossload.artifacts.tflite import operator_names
from crossload.releases import tflite_extraction
from crossload.releases.tflite_forms import EXTERNAL
from crossload.releases.tflite_kernels import UNASSIGNED
from crossload.verbs.verify.verify import verify
from tests import CORPUS
from tests.corpus.handmade import signal_energy

pytestmark = pytest.mark.slow


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.tflite"


def said(file: Path, *runtimes: str) -> dict[str, tuple[set[str], str]]:
    """The outcomes of each runtime, and the words of the first that is not ok."""
    results = verify(file, runtimes).results
    outcomes = {name: {r.outcome for r in results if r.case.runtime == name} for name in runtimes}
    return {
        n: (found, next((r.error or "" for r in results if r.case.runtime == n and r.outcome != "ok"), "")) for n, found in outcomes.items()
    }


def question(op: str, key: str) -> bytes:
    """The file of a question that interpreters were asked."""
    return next(content for o, k, content in tflite_extraction.kernel_files(operator_names.builtin_codes()) if (o, k) == (op, key))


def of_kind(name: str, file: Path) -> Path:
    """A file that the converter wrote."""
    with zipfile.ZipFile(CORPUS / "lite_kinds.zip") as kinds:
        file.write_bytes(kinds.read(f"{name}.tflite"))
    return file


def test_a_model_for_the_device_alone_is_unsupported_on_the_desktop(file: Path) -> None:
    file.write_bytes(signal_energy())
    found = said(file, "tflite-micro", "litert")
    assert found["tflite-micro"][0] == {"ok"} and found["litert"][0] == {"unsupported"}
    assert "does not have the custom op SignalEnergy; it is built into tflite-micro@" in found["litert"][1]


def test_a_model_for_the_desktop_alone_is_unsupported_on_the_device(file: Path) -> None:
    found = said(of_kind("loop_gelu", file), "litert", "tflite-micro")
    assert found["litert"][0] == {"ok"} and found["tflite-micro"][0] == {"unsupported"}
    assert "does not have the operator GELU; would run in: litert@" in found["tflite-micro"][1]


def test_a_file_that_kills_the_older_runtime_runs_in_the_newer_one_and_the_reason_is_named(file: Path) -> None:
    file.write_bytes(question("LESS", "float32->bool with a broadcast of rank 5"))
    found = said(file, "litert", "tflite-runtime")
    assert found["litert"][0] == {"ok"} and "crash" in found["tflite-runtime"][0]
    assert "dies of LESS on float32 → bool with a broadcast of rank 5" in found["tflite-runtime"][1]


def test_a_file_that_the_older_runtime_runs_is_refused_by_the_newer_one_and_the_reason_is_named(file: Path) -> None:
    file.write_bytes(question("SIGN", "int16->int16"))
    found = said(file, "litert", "tflite-runtime")
    # The older kernel writes nothing: its answer is what was in memory, and may come again or not.
    assert found["tflite-runtime"][0] <= {"ok", "mismatch", "not_run"} and found["litert"][0] == {"run_error"}
    assert "fails when it runs SIGN on int16 → int16" in found["litert"][1]


def test_a_variable_without_a_value_is_read_by_the_newer_runtime_and_fails_in_the_older_one(file: Path) -> None:
    file.write_bytes(question("READ_VARIABLE", f"resource->float32 with {UNASSIGNED}"))
    found = said(file, "litert", "tflite-runtime")
    assert found["litert"][0] <= {"ok", "mismatch"}  # what it reads is chance
    assert found["tflite-runtime"][0] == {"run_error"}
    assert "fails when it runs READ_VARIABLE on resource → float32 with nothing that assigns it" in found["tflite-runtime"][1]


def test_an_answer_that_is_off_without_a_word_is_a_mismatch(file: Path) -> None:
    file.write_bytes(question("", EXTERNAL))
    found = said(file, "litert", "tflite-micro")
    assert found["litert"][0] == {"ok"} and found["tflite-micro"][0] == {"mismatch"}


def test_the_delegate_alone_fails_where_the_interpreter_falls_back_on_its_own_kernels(corpus: Path) -> None:
    found = said(corpus / "tflite_fails_on_xnnpack.tflite", "litert", "litert+xnnpack")
    assert found["litert"][0] == {"ok"} and found["litert+xnnpack"][0] <= {"run_error", "load_error"}
