"""A bundle's promises: nothing missing, changed, newer or outside is ever used; the schema that others read is the one we keep."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossload.contract import manifest, vectors
from crossload.contract.bundle import open_bundle
from crossload.errors import ManifestError
from tests import fakes

SCHEMA = Path(__file__).parents[2] / "bindings" / "contract" / "manifest.schema.json"


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


def test_the_manifest_survives_its_own_text(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert manifest.parse(opened.manifest.to_json(), bundle) == opened.manifest


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m.update(crossload=2), "schema version 2, this crossload reads up to 1; install a newer crossload"),
        (lambda m: m.pop("crossload"), "is no crossload manifest"),
        (lambda m: m.pop("signatures"), "signatures: field required"),
        (lambda m: m["tolerance"].update(FP32={"rtoll": 1}), "tolerance.FP32.rtoll"),
        (lambda m: m["artifacts"][0].update(path="gone.tflite"), "gone.tflite, which is missing"),
        (lambda m: m["artifacts"][0].update(path="../../../etc/hostname"), "lies outside the bundle"),
        (lambda m: m["vectors"][0].update(path="/etc/hostname"), "lies outside the bundle"),
        (lambda m: m["artifacts"][0].update(sha256="0" * 64), "is not the file that was exported"),
        (lambda m: m["signatures"]["double"]["inputs"][0].update(datatype="FLOAT"), "unknown datatype 'FLOAT'"),
        (lambda m: m["artifacts"][0]["bindings"].update(other={}), "which the manifest does not describe"),
    ],
)
def test_a_manifest_that_cannot_be_relied_on_is_refused_in_one_sentence(bundle: Path, change: Callable[[Any], object], says: str) -> None:
    edit(bundle, change)
    with pytest.raises(ManifestError) as caught:
        open_bundle(bundle)
    assert says in str(caught.value)
    assert "crossload.json" in str(caught.value) or "model0" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"crossload": "1"}', '{"crossload": 1}'])
def test_a_manifest_that_is_no_manifest_is_refused(bundle: Path, text: str) -> None:
    (bundle / "crossload.json").write_text(text)
    with pytest.raises(ManifestError):
        open_bundle(bundle)


def test_one_changed_byte_anywhere_is_noticed(bundle: Path) -> None:
    for file in (bundle / "model0.tflite", bundle / "vectors" / "double.oip"):
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(ManifestError, match="its sha256 differs"):
            open_bundle(bundle)
        file.write_bytes(whole)
    open_bundle(bundle)


def test_fewer_vectors_than_promised_are_noticed(bundle: Path) -> None:
    edit(bundle, lambda m: m["vectors"][0].update(count=4))
    with pytest.raises(ManifestError, match="holds 3 vectors, the manifest promises 4"):
        open_bundle(bundle).vectors("double")


def test_vectors_of_every_kind_survive_their_file(tmp_path: Path) -> None:
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


def test_the_published_schema_is_the_one_the_classes_make() -> None:
    assert SCHEMA.read_text() == manifest.json_schema(), "make schema writes it anew"
