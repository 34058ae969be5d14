"""The core's side of TensorFlow's process: which Python it is of, how many there are, and what it says when it ends."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from crossload.errors import CrossloadError
from crossload.runtimes import tf_process
from crossload.runtimes.tf_process import Step, kept
from tests.fakes import WORKER


@pytest.mark.parametrize("name", ["litert", "tensorflow-java", "tensorflow-java-jpype"])
def test_a_runtime_without_python_tensorflow_loads_no_source(name: str) -> None:
    with pytest.raises(CrossloadError, match=f"{name}@.* has no Python TensorFlow that could load a source; --load-with takes tensorflow"):
        tf_process.loader(name)


@pytest.mark.parametrize("name", ["tensorflow", "tensorflow@2.15.1", "tensorflow+python@2.15.1"])
def test_both_releases_of_python_tensorflow_load_sources(name: str) -> None:
    assert tf_process.loader(name).name == "tensorflow+python"


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An executable that stands for a Python with TensorFlow (fakes/python_with_tensorflow.py)."""
    file = tmp_path / "python"
    file.write_text(f"#!/bin/sh\nexec {sys.executable} {WORKER.with_name('python_with_tensorflow.py')}\n")
    file.chmod(0o755)
    return file


def step(source: str = "source") -> Step:
    return Step("freeze_saved_model", Path(source), Path("folder/target"), "freezing")


def process_of(python: Path, source: str = "source") -> int:
    """The process that does a step."""
    (bindings,) = tf_process.run([step(source)], python, "a").bindings
    assert bindings
    return int(bindings["pid"])


def test_jobs_have_a_process_each_unless_it_is_kept_and_none_is_left(python: Path) -> None:
    assert process_of(python) != process_of(python)
    with kept():
        pid = process_of(python)
        assert process_of(python) == pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_process_in_which_a_model_changed_tensorflow_is_not_kept(python: Path) -> None:
    with kept():
        made = tf_process.run([step("spoil")], python, "a")
        assert not made.is_fresh
        assert made.bindings[0] != {"pid": process_of(python)}


def test_a_process_that_died_is_replaced(python: Path) -> None:
    with kept():
        pid = process_of(python)
        with pytest.raises(CrossloadError, match=r"a: the TensorFlow process died, freezing \(exit status 7\): out of memory"):
            process_of(python, "die")
        assert process_of(python) != pid


def test_an_optional_step_that_kills_the_process_fails_alone(python: Path) -> None:
    steps = [replace(step(name), optional=True) for name in ("first", "crash", "last")]
    made = tf_process.run(steps, python, "a")
    assert made.errors == [None, "the TensorFlow process died, freezing (killed by SIGSEGV)", None]
    first, none, last = made.bindings
    assert none is None
    assert first != last
    with pytest.raises(CrossloadError, match=r"a: the TensorFlow process died, freezing \(killed by SIGSEGV\)"):
        tf_process.run([step("crash")], python, "a")


def test_a_job_that_fails_says_of_what_and_its_process_goes_on(python: Path) -> None:
    with kept():
        pid = process_of(python)
        with pytest.raises(CrossloadError, match="the model cannot be exported: it holds a queue"):
            tf_process.run([step("fail")], python, "the model cannot be exported")
        assert process_of(python) == pid


def test_what_a_model_s_code_prints_is_passed_on(python: Path) -> None:
    printed: list[str] = []
    tf_process.run([step("print")], python, "a", printed.append)
    assert printed == ["epoch 1", "epoch 2"]
