"""Damaged and hostile files are read or refused in one sentence, without any other exception."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload import artifacts
from crossload.cli.show import command
from crossload.errors import ArtifactError
from tests.corpus import handmade, meta_graphs

_SIGNED = {"serving_default": ({"pixels": 0}, {"probabilities": 1})}
WHOLE = {
    "saved_model": handmade.with_variables(handmade.meta_graph("serve")),
    "graph_def": handmade.graph(),
    "meta_graph": meta_graphs.made(),
    "tflite": handmade.Lite(signatures=_SIGNED, metadata={"min_runtime_version": b"1.5.0"}, operators=[3, 9, "FlexInv"]),
}


def whole(kind: str, folder: Path) -> bytes:
    """The bytes of a valid file of this format."""
    if kind == "saved_model":
        return (handmade.saved_model(folder, WHOLE[kind]) / "saved_model.pb").read_bytes()
    return WHOLE[kind].build() if kind == "tflite" else handmade.write_graph(folder, WHOLE[kind]).read_bytes()


def survives(kind: str, data: bytes, folder: Path) -> bool:
    """Whether the file was read: if so, everything that the commands use must work; if not, one sentence must name the file."""
    path = file = folder / "artifact"
    if kind == "saved_model":
        path.mkdir(exist_ok=True)
        file = path / "saved_model.pb"
    file.write_bytes(data)
    try:
        found = artifacts.read(path)
    except ArtifactError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
        return False
    json.dumps(found.to_json(), allow_nan=False)
    command.callback((path,), False, True)  # type: ignore[misc]
    try:
        artifacts.callable_signatures(found)
    except ArtifactError as error:
        assert str(path) in str(error)
    return True


@pytest.mark.parametrize("kind", WHOLE)
def test_truncated_files_are_refused_and_complete_ones_are_read(tmp_path: Path, kind: str) -> None:
    data = whole(kind, tmp_path / "whole")
    assert survives(kind, data, tmp_path)
    read = [length for length in range(len(data)) if survives(kind, data[:length], tmp_path)]
    if kind == "tflite":
        # Only the padding after the last referenced byte may be missing.
        assert not [length for length in read if data[length:].strip(b"\0")]
    elif kind == "saved_model":
        assert not read
    else:
        # A GraphDef has no end mark: cut between two fields it is a smaller GraphDef. The same holds for a .meta after its graph.
        assert len(read) <= 12


@pytest.mark.parametrize("kind", WHOLE)
@given(data=st.data())
def test_flipped_bytes_are_read_or_refused(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    content = bytearray(whole(kind, tmp_path / "whole"))
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), min_size=1, max_size=8)):
        content[at] = value
    survives(kind, bytes(content), tmp_path)


@pytest.mark.parametrize("kind", WHOLE)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path: Path, kind: str, content: bytes) -> None:
    survives(kind, b"\x1c\0\0\0TFL3" + content if kind == "tflite" else content, tmp_path)


@given(text=st.text(alphabet=st.sampled_from('node{}: name"op\n<>[]xX0189-.#\\'), max_size=60))
def test_any_text_is_read_or_refused(tmp_path: Path, text: str) -> None:
    survives("graph_def", f'node {{ name: "x" op: "NoOp" }} {text}'.encode(), tmp_path)


def test_text_nested_ten_thousand_deep_is_refused(tmp_path: Path) -> None:
    deep = 'node { attr { value { list { func { attr { value { func { attr { value { func { name: "x" ' * 1000
    (tmp_path / "g.pbtxt").write_text(deep)
    with pytest.raises(ArtifactError, match="truncated or corrupt"):
        artifacts.read(tmp_path / "g.pbtxt")
    nested = "node { attr { key: 'a' value { func { " + "attr { key: 'a' value { func { " * 5000
    (tmp_path / "g.pbtxt").write_text(nested)
    with pytest.raises(ArtifactError, match="truncated or corrupt"):
        artifacts.read(tmp_path / "g.pbtxt")
