"""The table of judgements for every language's judge: Python's judge gives it, and its script writes it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from crossload.compare.judge import judge
from crossload.compare.tolerance import Tolerances
from crossload.contract import datatypes
from crossload.contract.manifest import Steps, Tolerance
from crossload.contract.outcomes import AGREEMENTS
from tests import CONTRACT

TABLE = json.loads((CONTRACT / "judgements.json").read_text())


def outputs(tensors: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    return {t["name"]: datatypes.decode(t["datatype"], tuple(t["shape"]), bytes.fromhex(t["hex"])) for t in tensors}


@pytest.mark.parametrize("case", TABLE, ids=[c["name"] for c in TABLE])
def test_python_judges_as_in_the_table(case: dict[str, Any]) -> None:
    tolerances = Tolerances({name: Tolerance(**t) for name, t in case["tolerance"].items()})
    rounding = {t["name"]: t["rounding"] for t in case["reference"] if "rounding" in t}
    steps = {t["name"]: Steps(scale=t["scale"], allowed=t["steps"]) for t in case["reference"] if "scale" in t}
    judged, _ = judge(outputs(case["reference"]), outputs(case["answer"]), tolerances, nan=case["nan"], rounding=rounding, steps=steps)
    assert judged.agreement == case["agreement"]
    assert judged.metrics == pytest.approx(case["metrics"], rel=1e-12, abs=0)
    assert judged.metrics.get("max_ulp") == case["metrics"].get("max_ulp")


def test_the_table_has_every_agreement_and_every_datatype() -> None:
    assert {c["agreement"] for c in TABLE} == set(AGREEMENTS)
    assert {t["datatype"] for c in TABLE for t in c["reference"]} == set(datatypes.DATATYPES)


def test_the_table_matches_its_script() -> None:
    made = subprocess.run([sys.executable, CONTRACT / "make_judgements.py"], capture_output=True, check=True, text=True).stdout
    kept = [{k: c[k] for k in ("name", "reference", "answer", "tolerance", "nan", "agreement")} for c in TABLE]
    assert [{k: c[k] for k in ("name", "reference", "answer", "tolerance", "nan", "agreement")} for c in json.loads(made)] == kept
