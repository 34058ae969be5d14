"""Damaged .tflite files are read or refused with a sentence by everything that reads them before a runtime starts."""

from __future__ import annotations

import random
from pathlib import Path

from tests import CORPUS
from tests.artifacts.tflite.fuzz import is_read_or_refused, mutants
from tests.corpus.handmade import Lite

SIGNED = Lite(signatures={"s": ({"x": 0}, {"y": 1})}, metadata={"min_runtime_version": b"2.5.0"}).build()


def test_a_seeded_sample_of_damaged_files_is_read_or_refused(tmp_path: Path) -> None:
    source, path = random.Random(15), tmp_path / "fuzzed.tflite"
    results = []
    for content in (SIGNED, *(p.read_bytes() for p in sorted(CORPUS.rglob("*.tflite")))):
        assert is_read_or_refused(content, path)
        results += [is_read_or_refused(data, path) for data in mutants(content, 20, source)]
    assert 0 < sum(results) < len(results)  # some damage is seen, and not all of it is fatal
