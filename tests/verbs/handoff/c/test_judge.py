"""The judge in C agrees with Python's on every shared case that a .tflite can give."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from crossload.compare.tolerance import Tolerances
from crossload.contract import datatypes
from crossload.contract.manifest import Artifact, Manifest, Model, Reference, Steps, Tolerance, Vectors
from crossload.contract.vectors import Vector
from crossload.verbs.handoff.c import project, recorded
from crossload.verbs.handoff.c.client import TYPES, Field, Function
from tests import ROOT
from tests.environment import compiled

SOURCES = Path(project.__file__).parent / "sources"
CASES = [
    case
    for case in json.loads((ROOT / "bindings/contract/judgements.json").read_text("utf-8"))
    if case["nan"] == "same"
    and all([t["name"] for t in case[side]] == ["y"] and case[side][0]["datatype"] in TYPES for side in ("reference", "answer"))
]
ARTIFACT = Artifact(id="m", format="tflite", path="m.tflite", sha256="0" * 64)
MANIFEST = Manifest(
    model=Model(name="m"),
    signatures={},
    artifacts=[ARTIFACT],
    vectors=[Vectors(signature="s", path="s", count=0, sha256="", seed=0, reference=Reference(runtime="r", version="1", artifact="m"))],
)
MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include "vectors.h"
static crossload_tensor of(const crossload_stored *s, FILE *file) {
    crossload_tensor made = {s->name, s->datatype, s->rank, {0}, malloc(s->bytes + 1), s->bytes};
    for (int at = 0; at < s->rank; at++) made.shape[at] = s->shape[at];
    if (fseek(file, (long)s->at, SEEK_SET) != 0 || fread(made.data, 1, s->bytes, file) != s->bytes) exit(2);
    return made;
}
int main(int count, char **words) {
    FILE *file = count > 1 ? fopen(words[1], "rb") : NULL;
    if (file == NULL) return 2;
    for (size_t at = 0; at < crossload_suites[0].vector_count; at++) {
        const crossload_vector *v = &crossload_suites[0].vectors[at];
        crossload_tensor answer = of(v->inputs, file), reference = of(v->outputs, file);
        crossload_judgement j = crossload_judge(&reference, &answer, v->bounds);
        printf("%s %.17g %.17g %.17g\\n", crossload_agreement_name(j.agreement), j.max_abs, j.roundings, j.steps);
        free(answer.data);
        free(reference.data);
    }
    fclose(file);
    return 0;
}
"""


def array(tensor: dict[str, Any]) -> np.ndarray:
    return datatypes.decode(tensor["datatype"], tuple(tensor["shape"]), bytes.fromhex(tensor["hex"]))


def vector(case: dict[str, Any]) -> Vector:
    (reference,), (answer,) = case["reference"], case["answer"]
    rounding = {"y": reference["rounding"]} if "rounding" in reference else {}
    steps = {"y": Steps(scale=reference["scale"], allowed=reference["steps"])} if "scale" in reference else {}
    return Vector(case["name"], {"answer": array(answer)}, {"y": array(reference)}, rounding, steps)


def test_the_judge_in_c_says_what_python_s_says(tmp_path: Path) -> None:
    function = Function("s", "s", "s", (Field("answer", "answer", "answer", "FP32", None),), (Field("y", "y", "y", "FP32", None),))
    with (tmp_path / "cases.bin").open("wb") as stream:
        tables = []
        for case in CASES:
            given = Tolerances({name: Tolerance(**t) for name, t in case["tolerance"].items()})
            tables += recorded.written(stream, function, [vector(case)], given)
    (tmp_path / "vectors.c").write_text(project.tables([function], {"s": tables}, MANIFEST), "utf-8")
    (tmp_path / "main.c").write_text(MAIN, "utf-8")
    sources = [tmp_path / "main.c", tmp_path / "vectors.c", SOURCES / "judge.c", SOURCES / "tensors.c"]
    program = compiled(tmp_path / "judge", "-std=c99", f"-I{SOURCES}", *sources, "-lm")
    done = subprocess.run([program, tmp_path / "cases.bin"], capture_output=True, text=True, check=True)
    said = [line.split() for line in done.stdout.splitlines()]
    assert len(said) == len(CASES) > 100
    assert {c["name"]: s[0] for c, s in zip(CASES, said, strict=True)} == {c["name"]: c["agreement"] for c in CASES}
    for case, (agreement, max_abs, roundings, steps) in zip(CASES, said, strict=True):
        for name, value in (("max_abs", max_abs), ("rounding", roundings), ("steps", steps)):
            if agreement != "identical" and case["metrics"].get(name) is not None:
                np.testing.assert_allclose(float(value), case["metrics"][name], rtol=1e-9, err_msg=f"{case['name']}: {name}")
