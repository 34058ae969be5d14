"""Handed-over C projects, built with sanitizers and run against LiteRT's library."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from crossload.artifacts.tflite import inner, tflite_file
from crossload.contract.bundle import open_bundle
from crossload.edits.tflite_signatures import inject_signatures
from crossload.verbs.export.export import export
from crossload.verbs.handoff.handoff import handoff
from crossload.verbs.verify.verify import verify
from tests import CORPUS
from tests.environment import compiled, litert_library

pytestmark = pytest.mark.slow
USE = """
#include <stdio.h>
#include "digits.h"
int main(int count, char **words) {
    static float pixels[3 * 64], probabilities[30];
    char error[512];
    crossload_model *model = count > 1 ? crossload_open(words[1], error, sizeof error) : NULL;
    digits_serving_default_inputs in = {{pixels, {3}}};
    digits_serving_default_outputs out = {{probabilities, 30, 0, {0}}};
    if (model == NULL) return 2;
    if (digits_serving_default(model, &in, &out) != 0) return 3;
    const int32_t *shape = out.probabilities.shape;
    printf("%d [%d, %d] %g\\n", out.probabilities.rank, (int)shape[0], (int)shape[1], probabilities[29]);
    out.probabilities.room = 20;
    if (digits_serving_default(model, &in, &out) == 0) return 4;
    puts(crossload_error(model));
    crossload_close(model);
    return 0;
}
"""


@pytest.fixture(scope="module")
def litert() -> Path:
    return litert_library()


def built(project: Path, litert: Path, *sources: Path) -> Path:
    made = sources or sorted((project / "src").glob("*.c"))
    linked = (f"-L{litert}", "-lLiteRt", "-lm", f"-Wl,-rpath,{litert}")
    return compiled(project / "program", "-std=c99", f"-I{project / 'src'}", *made, *linked)


def run(program: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *map(str, words)], cwd=program.parent, capture_output=True, text=True, check=False)


def test_the_demo_passes_in_c_and_fails_with_a_changed_weight(demo: Path, litert: Path, tmp_path: Path) -> None:
    made = handoff(demo, tmp_path / "digits-c", to="c", artifact="tflite")
    program = built(made.root, litert)
    done = run(program, "--json", "answers.json")
    assert (done.returncode, done.stdout) == (0, f"PASS: {made.vectors} of {made.vectors} vectors agree\n"), done.stderr
    answers = json.loads((made.root / "answers.json").read_text("utf-8"))
    assert answers["sha256"] == made.artifact.sha256
    recorded = {v.id: v for v in open_bundle(demo).vectors("serving_default")}
    (output,) = answers["answers"][0]["outputs"]
    raw = np.frombuffer(bytes.fromhex(output["hex"]), "<f4").reshape(output["shape"])
    np.testing.assert_allclose(raw, recorded[answers["answers"][0]["vector"]].outputs["probabilities"], atol=1e-5)

    report = verify(demo, ["litert"], devices=[made.root / "answers.json"])
    assert {(r.case.runtime, r.outcome) for r in report.results} == {("litert", "ok"), ("device:answers", "ok")}

    file = made.root / "model" / made.artifact.path
    read = inner.read(file)
    start, _ = max((t.extent for t in read.tensors if t.extent and t.datatype == "FP32"), key=lambda extent: extent[1])
    file.write_bytes(read.data[:start] + np.full(100, 3, "<f4").tobytes() + read.data[start + 400 :])
    done = run(program)
    assert done.returncode == 1
    assert "'probabilities' differs by up to" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("FAIL: ")
    assert run(program, "--vectors", "nothing.bin").returncode == 2
    assert "nothing.tflite cannot be read" in run(program, "--model", "nothing.tflite").stderr


def test_the_typed_client_takes_free_dimensions_and_refuses_too_little_room(demo: Path, litert: Path, tmp_path: Path) -> None:
    made = handoff(demo, tmp_path / "digits-c", to="c", artifact="tflite")
    (made.root / "use.c").write_text(USE, "utf-8")
    sources = [p for p in sorted((made.root / "src").glob("*.c")) if p.name not in ("main.c", "vectors.c", "judge.c", "answers.c")]
    done = run(built(made.root, litert, made.root / "use.c", *sources), f"model/{made.artifact.path}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 [3, 10] 0.")
    assert "too little room for an output" in done.stdout


def test_a_model_with_state_and_names_that_are_no_c_passes_as_one_sequence(litert: Path, tmp_path: Path) -> None:
    counter = CORPUS / "binary" / "counter.tflite"
    own = next(iter(tflite_file.read(counter).signatures.values()))
    ((x,), (y,)) = own.inputs, own.outputs
    named = {'"); */ ??/': {"inputs": {"class": int(str(x.tensor))}, "outputs": {"größe %s": int(str(y.tensor))}, "key": "serving_default"}}
    (tmp_path / "1st.tflite").write_bytes(inject_signatures(counter, named))
    bundle = export(tmp_path / "1st.tflite", tmp_path / "bundle")
    made = handoff(bundle.root, tmp_path / "c", to="c")
    done = run(built(made.root, litert))
    assert (done.returncode, done.stdout) == (0, f"PASS: {made.vectors} of {made.vectors} vectors agree\n"), done.stderr
