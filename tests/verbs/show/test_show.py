"""show returns data for Python and text for people: artifacts from their readers, bundles from their manifests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import crossload
from crossload.cli.show import command
from tests import fakes
from tests.corpus.handmade import Lite


def test_an_artifact_is_its_reader_s_result(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(Lite().build())
    found = crossload.show(tmp_path / "m.tflite")
    assert found.format == "tflite"
    assert found.to_json()["format"] == "tflite"


def test_a_bundle_shows_artifacts_signatures_vectors_tolerances_and_its_producer(tmp_path: Path) -> None:
    bundle = fakes.bundle(tmp_path / "b", artifacts=2)
    found = crossload.show(bundle)
    content = found.to_json()
    assert content["format"] == "bundle"
    assert [(a["id"], a["state"]) for a in content["artifacts"]] == [(a.id, "unchanged") for a in found.manifest.artifacts]
    assert content["vectors"][0]["reference"]["runtime"]
    assert content["tolerance"]["FP32"] == {"rtol": 1e-5, "atol": 1e-6, "ulp": 4}
    printed = CliRunner().invoke(command, [str(bundle), "--json"])
    assert json.loads(printed.stdout) == content
    text = CliRunner().invoke(command, [str(bundle)]).stdout
    for word in ("Bundle", "Artifacts", "signature double", "Vectors", "Tolerances", found.manifest.artifacts[0].sha256[:12]):
        assert word in text


def test_a_file_that_is_changed_or_missing_is_shown_as_such(tmp_path: Path) -> None:
    bundle = fakes.bundle(tmp_path / "b", artifacts=2)
    first, second = (bundle / a.path for a in crossload.show(bundle).manifest.artifacts)
    first.write_bytes(b"another")
    second.unlink()
    assert [a["state"] for a in crossload.show(bundle).to_json()["artifacts"]] == ["changed", "missing"]
    assert "changed: export the bundle again" in CliRunner().invoke(command, [str(bundle)]).stdout


def test_a_bundle_whose_manifest_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "crossload.json").write_text("{")
    with pytest.raises(crossload.ManifestError, match="is not JSON"):
        crossload.show(tmp_path)
