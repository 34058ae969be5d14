"""Every example in docs/examples/ does what its README says: its run.sh runs in a copy, with this crossload, and prints the proof."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

EXAMPLES = ROOT / "docs" / "examples"
# What the output of an example must say, as regular expressions, in this order.
PROOFS = {
    "keras-to-java-service": (
        r"^Tests run: 9, Failures: 0, Errors: 0, Skipped: 0",
        r"^the service answers (0\.\d{4})\d*, crossload run \1",
    ),
    "spring-boot-service": (
        r"^Tests run: 9, Failures: 0, Errors: 0, Skipped: 0",
        r"^the model is UP: .*saved_model in tensorflow-java 1\.1\.0.*'single_0': '(identical|close)",
        r"^the service answers (0\.\d{4})\d*, crossload run \1",
    ),
    "tf1-checkpoint-to-java": (
        r"^frozen\.pb: graph_def; 9 answers of 1 signature\(s\) agree",
        r"^Tests run: 9, Failures: 0, Errors: 0, Skipped: 0",
        r"^good: 0\.9",
    ),
    "frozen-graph-unknown-inputs": (
        r"^    input   Placeholder .* Placeholder:0 ",
        r"^    output  Softmax .* Softmax:0 ",
        r"no tensor 'Sofmax:0'; near it are 'Softmax'",
        r"^named\.pb: graph_def; 8 answers of 1 signature\(s\) agree",
        r"^16 results: 16 ok$",
    ),
    "tflite-three-interpreters": (r"^gestures\.tflite: tflite; 11 answers of 1 signature\(s\) agree", r"^12 results: 12 ok$"),
    "ci-job": (
        r"^exit status 0: \./ci\.sh bicycles reports$",
        r"^by outcome: \{'total': 27, 'ok': 27\}$",
        r"^exit status 1: \./ci\.sh bicycles strict --agreement identical$",
        r"^exit status 1: crossload verify --from strict/crossload\.json$",
        r"model\.tflite is not the file that was exported",
        r"^exit status 2: \./ci\.sh tampered refused$",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("example", PROOFS)
def test_an_example_runs_and_prints_its_proof(example: str, tmp_path: Path) -> None:
    folder = tmp_path / example
    shutil.copytree(EXAMPLES / example, folder)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "run.sh"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    printed = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)  # Maven ends its colours even where it prints none
    at = 0
    for proof in PROOFS[example]:
        found = re.compile(proof, re.MULTILINE).search(printed, at)
        assert found, f"{proof} is not in:\n{printed[-4000:]}"
        at = found.end()


def test_every_example_is_run_and_listed() -> None:
    folders = {p.name for p in EXAMPLES.iterdir() if p.is_dir()}
    assert folders == set(PROOFS)
    listed = re.findall(r"^\| \[([a-z0-9-]+)\]\(\1/\) \|", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(folders)


@pytest.mark.parametrize("example", PROOFS)
def test_a_readme_is_short_and_names_every_command(example: str) -> None:
    readme = (EXAMPLES / example / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 40
    script = (EXAMPLES / example / "run.sh").read_text(encoding="utf-8")
    verbs = set(re.findall(r"^(?:expect \d )?(crossload [a-z]+)", script, re.MULTILINE))
    assert verbs
    assert not {v for v in verbs if v not in readme}
