"""What a .tflite computes in, told from its tensors."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest

from crossload.artifacts.tflite import quantised
from tests import CORPUS


@pytest.mark.parametrize(("name", "kind"), [("lstm", None), ("lstm_int8", "int8"), ("lstm_dynamic", "dynamic")])
def test_the_16_bits_of_a_state_make_no_file_one_of_16_bit_activations(name: str, kind: str | None, tmp_path: Path) -> None:
    with ZipFile(CORPUS / "lite_kinds.zip") as archive:
        assert quantised.kind(Path(archive.extract(f"{name}.tflite", tmp_path))) == kind
