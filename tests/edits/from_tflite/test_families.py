"""Families of networks answer in TensorFlow as in LiteRT; the quick ones here, all six by hand (docs/guides/mobile.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossload.inputs.requests import Requests
from crossload.verbs.convert.convert import convert
from tests import CORPUS
from tests.environment import made_once, with_tensorflow

pytestmark = pytest.mark.slow
NAMES = ("EfficientNetB0", "ConvNeXtTiny", "Xception")


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "keras_families", lambda folder: with_tensorflow(CORPUS / "keras_families.py", folder, *NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_a_family_answers_in_tensorflow_as_in_litert(name: str, families: Path, tmp_path: Path) -> None:
    made = convert(families / f"{name}.tflite", tmp_path / "m.pb", requests=Requests(count=3, faults=0))
    assert made.report
    assert [r.outcome for r in made.report.results] == ["ok"] * 3
