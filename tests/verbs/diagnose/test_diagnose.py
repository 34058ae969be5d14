"""Diagnose finds the first inner tensor that differs, across formats and runtimes, and writes the operation alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from crossload.cli import main
from crossload.errors import CrossloadError
from crossload.verbs.diagnose.diagnose import diagnose
from tests.faults import catalogue


def faulty(demo: Path, folder: Path, where: str, name: str) -> Path:
    """A copy of the demo's bundle with a fault of the catalogue."""
    shutil.copytree(demo, folder)
    fault = next(f for f in catalogue.FAULTS if (f.where, f.name) == (where, name))
    assert fault.apply(folder)
    catalogue.mend(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["tensorflow", "tensorflow-java"])
def test_a_replaced_activation_of_a_graph_is_the_first_difference(runtime: str, demo: Path, tmp_path: Path) -> None:
    bundle = faulty(demo, tmp_path / "b", "graph_def", "relu → elu")
    found = diagnose(bundle, artifact="graph_def", runtime=runtime)
    assert found.op == "Elu"
    assert found.layer is not None and found.layer.endswith("/conv2d_1")
    assert [agrees for _, agrees in found.inputs] == [True]
    assert "is Elu, Relu in the other" in str(found.why)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["litert", "tflite-runtime"])
def test_a_changed_weight_of_a_tflite_is_found_at_its_operator(runtime: str, demo: Path, tmp_path: Path) -> None:
    bundle = faulty(demo, tmp_path / "b", "tflite", "largest weight negated")
    found = diagnose(bundle, artifact="tflite", runtime=runtime, reproducer=tmp_path / "alone")
    assert found.op == "FULLY_CONNECTED"
    assert "is negated" in str(found.why)
    command = (tmp_path / "alone" / "README.md").read_text(encoding="utf-8").split("```sh\n")[1].splitlines()[0].split()
    done = subprocess.run(
        [sys.executable, "-m", "crossload.cli", *command[1:], "--output-file", "out.npz"], cwd=tmp_path / "alone", check=False
    )
    assert done.returncode == 0
    again, then = np.load(tmp_path / "alone" / "out.npz")["y"], np.load(tmp_path / "alone" / "answer.npz")["y"]
    assert np.allclose(again, then, 1e-5, 1e-5)


@pytest.mark.slow
def test_a_sound_artifact_has_no_difference(demo: Path) -> None:
    done = CliRunner().invoke(main, ["diagnose", str(demo), "--artifact", "tflite", "--runtime", "litert", "--json"])
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert "tensor" not in found
    assert len(found["distances"]) == found["compared"] > 4


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"artifact": "graph", "runtime": "tensorflow"}, "near it are 'graph_def'"),
        ({"artifact": "saved_model", "runtime": "litert"}, "litert@.* takes no saved_model"),
        ({"artifact": "tflite", "runtime": "litert", "against": "nothing"}, "--against names neither another graph"),
        ({"runtime": "tensorflow"}, "name the artifact with --artifact"),
        ({"artifact": "tflite", "runtime": "litert", "signature": "train"}, "name a signature of tflite"),
        ({"artifact": "tflite", "runtime": "litert", "vector": "none"}, "there is no vector 'none'"),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_those_that_are(options: dict[str, str], says: str, demo: Path) -> None:
    with pytest.raises(CrossloadError, match=says):
        diagnose(demo, **options)  # type: ignore[arg-type]


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CrossloadError, match="is not a bundle"):
        diagnose(tmp_path, runtime="litert")


def test_a_reproducer_does_not_replace_another_folder(demo: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("x", encoding="utf-8")
    with pytest.raises(CrossloadError, match="is not a reproducer"):
        diagnose(demo, artifact="tflite", runtime="litert", reproducer=tmp_path / "mine", overwrite=True)
