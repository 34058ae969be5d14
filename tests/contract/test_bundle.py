"""Bundles: missing, changed, newer and outside files are refused; the published schema matches the code."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossload.contract import manifest, vectors
from crossload.contract.bundle import open_bundle
from crossload.errors import ManifestError
from crossload.support import files
from tests import CONTRACT, fakes

SCHEMA = CONTRACT / "manifest.schema.json"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return fakes.bundle(tmp_path / "b")


def edit(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    file = bundle / "crossload.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_a_whole_bundle_opens_and_gives_its_vectors(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert [v.id for v in opened.vectors("double")] == ["v0", "v1", "v2"]
    assert opened.vectors("double")[1].outputs["y"].tolist() == [4, 8, 12]


def test_the_manifest_round_trips_through_its_text(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert manifest.parse(opened.manifest.to_json(), bundle) == opened.manifest


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m.update(crossload=2), "schema version 2, this crossload reads up to 1; install a newer crossload"),
        (lambda m: m.pop("crossload"), "is not a crossload manifest"),
        (lambda m: m.pop("signatures"), "signatures: field required"),
        (lambda m: m["tolerance"].update(FP32={"rtoll": 1}), "tolerance.FP32.rtoll"),
        (lambda m: m["tolerance"].update(FP32={"rtol": -1}), "tolerance.FP32.rtol: must be a finite number"),
        (lambda m: m["vectors"][0].update(count=str(m["vectors"][0]["count"])), "vectors.0.count: must be an integer, not a string"),
        (lambda m: m.update(crossload=True), "crossload: must be one of 1"),
        (lambda m: m["artifacts"][0].update(path="gone.tflite"), "gone.tflite, which is missing"),
        (lambda m: m["artifacts"][0].update(path="../../../etc/hostname"), "lies outside the bundle"),
        (lambda m: m["vectors"][0].update(path="/etc/hostname"), "lies outside the bundle"),
        (lambda m: m["artifacts"][0].update(sha256="0" * 64), "is not the file that was exported"),
        (lambda m: m["signatures"]["double"]["inputs"][0].update(datatype="FLOAT"), "unknown datatype 'FLOAT'"),
        (lambda m: m["artifacts"][0]["bindings"].update(other={}), "which the manifest does not describe"),
        (lambda m: m["artifacts"].append(m["artifacts"][0]), "two artifacts 'model0'"),
        (lambda m: m["signatures"]["double"]["inputs"].append(m["signatures"]["double"]["inputs"][0]), "has two inputs 'x'"),
        (lambda m: m["vectors"].append(m["vectors"][0]), "two vectors files for the signature 'double'"),
        (lambda m: m["vectors"][0].update(signature="other"), "vectors of the signature 'other', which it does not describe"),
        (lambda m: m["tolerance"].update(FP23={"rtol": 1}), "the tolerance 'FP23' is neither an output nor a datatype"),
        (lambda m: m["tolerance"].update(FP32={"rtol": math.inf}), "finite number"),
        (lambda m: m["artifacts"][0]["bindings"]["double"]["outputs"].update(z=1), "binds the output 'z'"),
        (lambda m: m["artifacts"][0]["bindings"]["double"].update(key=None, inputs={}), "binds no input 'x'"),
        (lambda m: m["artifacts"][0].update(path="a\0b"), "'a\\x00b'"),
        (lambda m: m["vectors"][0].update(strength={"seeded": 4, "detected": 5}), "vectors.0.strength.detected: must be a number from 0"),
    ],
)
def test_an_inconsistent_manifest_is_refused_in_one_sentence(bundle: Path, change: Callable[[Any], object], says: str) -> None:
    edit(bundle, change)
    with pytest.raises(ManifestError) as caught:
        open_bundle(bundle)
    assert says in str(caught.value)
    assert "crossload.json" in str(caught.value) or "model0" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 200000, "[]", "null", '{"crossload": "1"}', '{"crossload": 1}', '{"crossload": 1, "crossload": 1}']
)
def test_a_file_that_is_not_a_manifest_is_refused(bundle: Path, text: str) -> None:
    (bundle / "crossload.json").write_text(text)
    with pytest.raises(ManifestError):
        open_bundle(bundle)


def folder_artifact(bundle: Path) -> Path:
    """The bundle's artifact as a folder, like a SavedModel."""
    folder = bundle / "model"
    folder.mkdir()
    (bundle / "model0.tflite").rename(folder / "saved_model.pb")
    (folder / "variables").mkdir()
    (folder / "variables" / "data").write_bytes(b"weights")
    return folder


def sign(bundle: Path, folder: Path) -> None:
    edit(bundle, lambda m: m["artifacts"][0].update(path=folder.name, sha256=files.sha256(folder)))


def test_a_linked_folder_inside_an_artifact_is_refused(bundle: Path, tmp_path: Path) -> None:
    folder = folder_artifact(bundle)
    (folder / "variables").rename(tmp_path / "elsewhere")
    (folder / "variables").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    sign(bundle, folder)
    with pytest.raises(ManifestError, match=r"variables.*symbolic link"):
        open_bundle(bundle)


def test_a_file_inside_an_artifact_that_links_out_of_the_bundle_is_refused(bundle: Path, tmp_path: Path) -> None:
    folder = folder_artifact(bundle)
    (folder / "variables" / "data").rename(tmp_path / "data")
    (folder / "variables" / "data").symlink_to(tmp_path / "data")
    sign(bundle, folder)
    with pytest.raises(ManifestError, match="lies outside the bundle"):
        open_bundle(bundle)


def test_special_files_are_refused_without_waiting(bundle: Path) -> None:
    (bundle / "model0.tflite").unlink()
    os.mkfifo(bundle / "model0.tflite")
    with pytest.raises(ManifestError, match="neither a file nor a folder"):
        open_bundle(bundle)


def test_a_loop_of_links_is_refused(bundle: Path) -> None:
    (bundle / "model0.tflite").unlink()
    (bundle / "model0.tflite").symlink_to("model0.tflite")
    with pytest.raises(ManifestError):
        open_bundle(bundle)


X = np.ones(2, np.float32)


@pytest.mark.parametrize(
    ("recorded", "says"),
    [
        ([vectors.Vector("v", {"x": X}, {})], "lacks the output 'y'"),
        ([vectors.Vector("v", {"x": X}, {"y": X, "z": X})], "has the output 'z'"),
        ([vectors.Vector("v", {}, {"y": X})], "lacks the input 'x'"),
        ([vectors.Vector("v", {"x": X.astype(int)}, {"y": X})], "its 'x' is int64"),
        ([vectors.Vector("v", {"x": X}, {"y": X.astype(bool)})], "its 'y' is bool"),
        ([vectors.Vector("v", {"x": X}, {"y": X})] * 2, "two vectors 'v'"),
    ],
)
def test_vectors_that_do_not_fit_their_signature_are_refused(bundle: Path, recorded: list[vectors.Vector], says: str) -> None:
    file = bundle / "vectors" / "double.oip"
    vectors.write(file, "double", recorded)
    edit(bundle, lambda m: m["vectors"][0].update(count=len(recorded), sha256=files.sha256(file)))
    with pytest.raises(ManifestError, match=says):
        open_bundle(bundle).vectors("double")


def test_one_changed_byte_anywhere_is_detected(bundle: Path) -> None:
    for file in (bundle / "model0.tflite", bundle / "vectors" / "double.oip"):
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(ManifestError, match="its sha256 differs"):
            open_bundle(bundle)
        file.write_bytes(whole)
    open_bundle(bundle)


def test_fewer_vectors_than_promised_are_detected(bundle: Path) -> None:
    edit(bundle, lambda m: m["vectors"][0].update(count=4))
    with pytest.raises(ManifestError, match="holds 3 vectors, the manifest promises 4"):
        open_bundle(bundle).vectors("double")


def test_vectors_of_every_kind_round_trip(tmp_path: Path) -> None:
    strings = np.empty((2, 2), object)
    strings[:] = [[b"", b"\0"], [b"\xff", b"text"]]
    sent = [
        vectors.Vector("a", {"s": strings, "b": np.array(True)}, {"y": np.zeros((0, 3), np.int8)}),
        vectors.Vector("b", {}, {"z": np.array(1 + 2j, np.complex64)}),
    ]
    vectors.write(tmp_path / "v.oip", "sig", sent)
    for before, after in zip(sent, vectors.read(tmp_path / "v.oip", 2), strict=True):
        assert before.id == after.id
        for side in ("inputs", "outputs"):
            one, two = getattr(before, side), getattr(after, side)
            assert list(one) == list(two)
            assert all(one[n].dtype == two[n].dtype and one[n].shape == two[n].shape and (one[n] == two[n]).all() for n in one)


def test_a_signature_with_slashes_has_one_file_inside_the_folder() -> None:
    assert vectors.path_of("a/b..c") == "vectors/a%2Fb%2E%2Ec.oip"


def test_the_published_schema_matches_the_classes() -> None:
    assert SCHEMA.read_text() == manifest.json_schema(), "make schema writes it anew"
