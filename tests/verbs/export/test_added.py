"""A finished .tflite added to a bundle: bound, written beside the others, never over the source."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from crossload.cli import main
from crossload.contract.bundle import open_bundle
from crossload.errors import CrossloadError
from crossload.verbs.export.added import add
from tests.corpus import handmade


def export(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


@pytest.fixture
def phone(demo: Path, tmp_path: Path) -> Path:
    """The demo's .tflite as older converters wrote it: without a signature."""
    file = tmp_path / "phone.tflite"
    file.write_bytes(handmade.unsigned((demo / "model.tflite").read_bytes()))
    return file


def test_the_binding_is_written_into_the_manifest_and_the_source_is_unchanged(demo: Path, phone: Path, tmp_path: Path) -> None:
    before = (demo / "crossload.json").read_bytes()
    made = export(demo, "--add", phone, "-s", "serving_default", "-o", tmp_path / "both")
    assert made.exit_code == 0, made.output
    assert "input pixels: tensor 0, by its name" in made.stdout
    assert ", the only one of its datatype and shape" in made.stdout
    entry = open_bundle(tmp_path / "both").manifest.artifacts[-1]
    assert (entry.id, entry.path) == ("phone", "phone.tflite")
    binding = entry.bindings["serving_default"]
    (named,) = (a.bindings["serving_default"] for a in open_bundle(demo).manifest.artifacts if a.id == "tflite")
    assert (binding.key, binding.inputs, binding.outputs) == (None, named.inputs, named.outputs)
    assert (demo / "crossload.json").read_bytes() == before


def test_a_second_file_of_one_name_gets_another_id(demo: Path, phone: Path, tmp_path: Path) -> None:
    add(demo, phone, tmp_path / "one", signature="serving_default")
    _, entry, _ = add(tmp_path / "one", phone, tmp_path / "two", signature="serving_default")
    assert (entry.id, entry.path) == ("phone-2", "phone-2.tflite")
    assert len(open_bundle(tmp_path / "two").manifest.artifacts) == len(open_bundle(demo).manifest.artifacts) + 2


def test_what_cannot_be_added_is_refused_and_leaves_nothing(demo: Path, phone: Path, tmp_path: Path) -> None:
    with pytest.raises(CrossloadError, match="is not a bundle; write one with `crossload export"):
        add(tmp_path, phone, tmp_path / "out")
    with pytest.raises(CrossloadError, match="has no signature 'serve'"):
        add(demo, phone, tmp_path / "out", signature="serve")
    with pytest.raises(CrossloadError, match=r"--add takes a .tflite, and .* is a GraphDef"):
        add(demo, demo / "frozen_graph.pb", tmp_path / "out")
    with pytest.raises(CrossloadError, match="writing there would change the source"):
        add(demo, phone, demo, overwrite=True, signature="serving_default")
    assert "leave out --count" in export(demo, "--add", phone, "-o", tmp_path / "out", "--count", 3).stderr
    assert "go with --add" in export(demo, "-o", tmp_path / "out", "--output-tensor", "a=1").stderr
    assert not (tmp_path / "out").exists()
