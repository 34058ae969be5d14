"""Lookup tables in a frozen graph give the same answers, including defaults, or the graph is refused with the reason."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests import CORPUS, ROOT
from tests.environment import launch_of

pytestmark = pytest.mark.slow
MAKER = CORPUS / "make_tables.py"


def test_tables_of_every_kind_answer_from_constants_or_are_refused_with_the_reason() -> None:
    kinds = ("static", "mutable", "dense", "empty", "vectors")
    command = [launch_of("tensorflow+python").argv[0], str(MAKER), *kinds]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT / "python")})
    assert done.returncode == 0, done.stderr[-3000:]
    said = dict(zip(kinds, json.loads(done.stdout.splitlines()[-1]), strict=True))
    assert said["static"] == ["b", "?", "a", "?"]
    assert said["mutable"] == [2.5, -1.0, 1.5, 3.5]
    assert said["dense"] == [2.5, 0.5, 1.5, 3.5]
    assert "is empty" in said["empty"]
    assert "has tensors as keys or values" in said["vectors"]
