"""Quantised variants of a bundle: functions of their own, with their own names, answers and quality."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import crossload
from crossload.errors import CrossloadError, ExportRefused
from crossload.inputs.requests import Requests


def test_an_int8_variant_without_inputs_to_calibrate_on_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(CrossloadError, match="tflite:int8 measures its ranges on representative inputs: give --representative"):
        crossload.export("saved_model", tmp_path / "b", formats=["saved_model", "tflite:int8"])
    with pytest.raises(CrossloadError, match="no export format 'tflite:int4'"):
        crossload.export("saved_model", tmp_path / "b", formats=["tflite:int4"])
    np.savez(tmp_path / "rows.npz", x=np.array([0.5, np.nan], np.float32))
    with pytest.raises(CrossloadError, match="'x' has NaN, which no range holds; leave those rows out"):
        crossload.export("saved_model", tmp_path / "b", formats=["tflite:int8"], representative=tmp_path / "rows.npz")


@pytest.mark.slow
def test_variants_lie_side_by_side_and_are_judged_by_their_own_answers(sources: Path, tmp_path: Path) -> None:
    drawn = np.random.default_rng(0)
    rows = {name: drawn.normal(size=(40, 4)).astype(np.float32) for name in ("left", "right")}
    np.savez(tmp_path / "rows.npz", **rows)  # type: ignore[arg-type]
    formats = ["saved_model", "tflite", "tflite:int8"]
    terms = {"representative": tmp_path / "rows.npz", "requests": Requests(4, faults=0)}
    bundle = crossload.export(str(sources / "saved_model"), tmp_path / "b", formats=formats, **terms)  # type: ignore[arg-type]
    assert [a.id for a in bundle.manifest.artifacts] == formats
    variant = bundle.manifest.artifacts[-1]
    assert set(variant.bindings) == {f"{name}@int8" for name in bundle.manifest.artifacts[1].bindings}
    assert {q.data for q in variant.quality} == {"rows.npz"}
    recorded = [v for v in bundle.manifest.vectors if v.reference.artifact == "tflite:int8"]
    assert all(v.reference.environment["kernels"] == "reference" and v.steps for v in recorded)
    report = crossload.verify(tmp_path / "b", ["litert", "tflite-runtime"], artifacts=["tflite:int8"])
    assert report.exit_status == 0, report.first_failure
    assert all("steps" in r.metrics for r in report.results)
    assert any("tflite:int8 against the float model" in c for c in report.cautions)
    strict = crossload.QualityTerms(bounds=crossload.Bounds(sqnr=90))
    with pytest.raises(ExportRefused, match=r"(?s)SQNR .* \(bound: 90 dB\).*--bound sqnr="):
        crossload.export(str(sources / "saved_model"), tmp_path / "c", formats=formats[::2], quality=strict, **terms)  # type: ignore[arg-type]
    assert not (tmp_path / "c").exists()
