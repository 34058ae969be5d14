"""The promises of promises.py, tested in one process with a JVM."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
HELPERS = {"raises", "sample", "same", "resident"}
TREE = ast.parse(Path(__file__).with_name("promises.py").read_text(encoding="utf-8"))
PROMISES = [n.name for n in TREE.body if isinstance(n, ast.FunctionDef) and n.name not in HELPERS and not n.name.startswith("_")]


@pytest.mark.parametrize("promise", PROMISES)
def test_the_binding_keeps_its_promise(keeps: Callable[[str], None], promise: str) -> None:
    keeps(promise)
