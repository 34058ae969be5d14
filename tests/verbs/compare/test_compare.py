"""Variants side by side: all answer the same rows, and what one misses or cannot do is in its row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import crossload
from crossload.cli import main
from crossload.contract.bundle import open_bundle
from crossload.contract.manifest import FILE_NAME
from crossload.errors import CrossloadError, RunFailed
from crossload.support import files
from tests import fakes
from tests.corpus.handmade import Lite

QUICK = {"seconds": 0.1}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle with two .tflite files that a fake runs, and a parser reads."""
    root = fakes.bundle(tmp_path / "bundle", artifacts=2)
    manifest = open_bundle(root).manifest
    for artifact in manifest.artifacts:
        (root / artifact.path).write_bytes(Lite(signatures={"double": ({"x": 0}, {"y": 1})}).build())
        artifact.sha256 = files.sha256(root / artifact.path)
    (root / FILE_NAME).write_text(manifest.to_json(), encoding="utf-8")
    return root


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


def test_every_artifact_has_a_row_with_size_agreement_and_latency(bundle: Path, configure: Callable[..., None], tmp_path: Path) -> None:
    configure(fake="honest", **{"tflite-micro": "die:load"})
    out = tmp_path / "c.json", tmp_path / "c.svg"
    result = command(bundle, "--runtime", "fake", "--seconds", "0.1", "--json", out[0], "--plot", out[1])
    assert result.exit_code == 0, result.output
    assert "double against model0, on 9 rows of the recorded requests" in result.stdout
    assert "no arena model1: the worker died (load): killed by SIGSEGV" in result.stdout
    found = json.loads(out[0].read_text())
    assert (found["reference"], found["rows"]) == ("model0", 9), "three requests of three rows"
    assert [(v["artifact"], v["kind"], v["quality"][0]["max_abs"]) for v in found["variants"]] == [
        ("model0", "float", 0.0),
        ("model1", "float", 0.0),
    ]
    assert all(v["cost"]["latency"]["p50"] == pytest.approx(1e-6) for v in found["variants"])
    assert all(v["size_bytes"] == (bundle / "model0.tflite").stat().st_size for v in found["variants"])
    assert all(text in out[1].read_text() for text in ("model0", "model1", "latency (p50)", "worst error"))


def test_a_float_model_that_does_not_answer_ends_the_comparison(bundle: Path, configure: Callable[..., None]) -> None:
    configure(fake="error:run", **{"tflite-micro": "honest"})
    with pytest.raises(RunFailed, match=r"the float model model0 does not answer \(run_error\): the fake declines"):
        crossload.compare_variants(bundle, runtime="fake", **QUICK)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--artifact", "model2"], "has no artifact 'model2'; it has: model0, model1"),
        (["--runtime", "tensorflow"], "does not run .tflite files; name one that does: litert"),
        (["--labels", "y"], "--labels y names an array in --data FILE.npz"),
        (["--bound", "speed=1"], "--bound 'speed=1': write NAME=NUMBER"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_starts(bundle: Path, arguments: list[str], said: str) -> None:
    result = command(bundle, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "asking" not in result.stderr


def test_one_artifact_alone_is_pointed_to_export_and_profile(bundle: Path) -> None:
    with pytest.raises(CrossloadError, match=r"is no bundle; `crossload export SOURCE .* and `crossload profile` measures one artifact"):
        crossload.compare_variants(bundle / "model0.tflite")


@pytest.mark.slow
def test_the_demos_tflite_is_compared_with_its_saved_model_on_labelled_rows(demo: Path, tmp_path: Path) -> None:
    recorded = open_bundle(demo).vectors("serving_default")
    pixels = next(v for v in recorded if v.id == "user_0").inputs["pixels"]
    labels = np.argmax(next(v for v in recorded if v.id == "user_0").outputs["probabilities"], axis=1)
    np.savez(tmp_path / "rows.npz", pixels=pixels, digit=labels)
    terms = crossload.QualityTerms(tmp_path / "rows.npz", "digit", crossload.Bounds(sqnr=300))
    found = crossload.compare_variants(demo, artifacts=["saved_model", "tflite"], quality=terms, **QUICK)  # type: ignore[arg-type]
    model, lite = found.variants
    assert (found.reference, found.rows) == ("saved_model", len(pixels))
    assert [q.accuracy for v in found.variants for q in v.quality] == [1.0, 1.0], "the labels are the model's own decisions"
    assert model.quality[0].max_abs == 0
    assert 0 < (lite.quality[0].max_abs or 0) < 1e-4
    assert lite.unmet
    assert not model.unmet
    assert "SQNR" in lite.unmet[0]
    assert found.exit_status == 1
    assert lite.arena
    assert lite.size_bytes == (demo / "model.tflite").stat().st_size
