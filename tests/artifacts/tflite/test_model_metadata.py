"""What an author wrote into a .tflite: it is told, and a damaged statement does not hide the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import pytest
from click.testing import CliRunner

from crossload.artifacts.tflite import model_metadata
from crossload.artifacts.tflite.flatbuffer import FlatbufferError
from crossload.artifacts.tflite.model_metadata import TensorNotes
from crossload.cli import main
from tests.corpus.handmade import Lite

Slots = Mapping[int, Any]


def table(b: Any, slots: Slots) -> int:
    """A table with these fields: a text, a dict (a table), a list of either or of floats, or a whole number of one byte."""
    written = {number: _written(b, value) for number, value in slots.items() if not isinstance(value, int)}
    b.StartObject(max(slots, default=-1) + 1)
    for number, value in slots.items():
        if isinstance(value, int):
            b.PrependUint8Slot(number, value, 0)
        else:
            b.PrependUOffsetTRelativeSlot(number, written[number], 0)
    return int(b.EndObject())


def _written(b: Any, value: object) -> int:
    if isinstance(value, str):
        return int(b.CreateString(value))
    if isinstance(value, Mapping):
        return table(b, value)
    assert isinstance(value, Sequence)
    floats = [v for v in value if isinstance(v, float)]
    offsets = [_written(b, v) for v in value if not isinstance(v, float)]
    b.StartVector(4, len(value), 4)
    for number in reversed(floats):
        b.PrependFloat32(number)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def statement(slots: Slots, identifier: bytes = b"M001") -> bytes:
    b = flatbuffers.Builder(256)
    b.Finish(table(b, slots), file_identifier=identifier)
    return bytes(b.Output())


IMAGE = {
    0: "image",
    1: "a photograph",
    4: [{0: 1, 1: {0: [127.5], 1: [127.5, 120.0]}}, {0: 4, 1: {}}],
    5: {0: [255.0], 1: [0.0]},
}
SCORES = {0: "probability", 6: [{0: "labels.txt"}]}
WHOLE = {0: "Flowers", 2: "v2", 3: [{2: [IMAGE], 3: [SCORES]}], 4: "a gardener", 5: "Apache-2.0", 6: [{0: "README.txt"}]}


def model(path: Path, content: bytes) -> Path:
    path.write_bytes(Lite(metadata={"min_runtime_version": b"1.5.0", "TFLITE_METADATA": content}).build())
    return path


def test_the_author_s_statements_are_read(tmp_path: Path) -> None:
    found = model_metadata.read(model(tmp_path / "m.tflite", statement(WHOLE)))
    assert found
    assert found.facts == {"name": "Flowers", "version": "v2", "author": "a gardener", "license": "Apache-2.0", "files": "README.txt"}
    steps = ("(x - 127.5) / [127.5, 120]", "BERT tokenizer")
    assert found.inputs == (TensorNotes("image", "a photograph", "0 to 255", steps),)
    assert found.outputs == (TensorNotes("probability", files=("labels.txt",)),)


def test_show_tells_them(tmp_path: Path) -> None:
    path = model(tmp_path / "m.tflite", statement(WHOLE))
    done = CliRunner().invoke(main, ["show", str(path)])
    assert done.exit_code == 0
    assert "license: Apache-2.0" in done.stdout
    assert "input image: a photograph; values 0 to 255; (x - 127.5) / [127.5, 120]; BERT tokenizer" in done.stdout
    assert '"steps": [' in CliRunner().invoke(main, ["show", "--json", str(path)]).stdout


def test_a_file_without_statements_has_none(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(Lite().build())
    assert model_metadata.read(tmp_path / "m.tflite") is None
    assert model_metadata.read(model(tmp_path / "empty.tflite", statement({}))) == model_metadata.ModelMetadata({}, (), ())


@pytest.mark.parametrize("content", [b"text, no flatbuffer", statement(WHOLE, b"M999"), *(statement(WHOLE)[:n] for n in range(8, 300, 37))])
def test_damaged_statements_do_not_hide_the_model(tmp_path: Path, content: bytes) -> None:
    path = model(tmp_path / "m.tflite", content)
    with pytest.raises(FlatbufferError):
        model_metadata.read(path)
    done = CliRunner().invoke(main, ["show", str(path)])
    assert done.exit_code == 0
    assert "builtin ops: 2 of 2 kinds" in done.stdout
    assert "is a truncated or corrupt .tflite" in done.stdout
