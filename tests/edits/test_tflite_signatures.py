"""SignatureDefs added to a .tflite: the names are in it, all other bytes are unchanged; unsuitable files are refused."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload import artifacts
from crossload.artifacts.tflite import tflite_file
from crossload.edits.tflite_edits import tflite_to_tflite
from crossload.edits.tflite_signatures import inject_signatures
from crossload.errors import ArtifactError, CrossloadError
from tests.corpus.handmade import Lite, Tensor

NAMED = {"serving_default": {"inputs": {"pixels": 0}, "outputs": {"probabilities": 1}}}


def names(data: bytes) -> dict[str, list[dict[str, Any]]]:
    found = tflite_file.of(Path("m.tflite"), data)
    return {key: [{t.name: t.tensor for t in side} for side in (s.inputs, s.outputs)] for key, s in found.signatures.items()}


def test_the_signature_is_added_and_the_old_file_follows_unchanged() -> None:
    plain = Lite(metadata={"min_runtime_version": b"1.5.0"}).build()
    edited = inject_signatures(plain, NAMED)
    assert names(edited) == {"serving_default": [{"pixels": 0}, {"probabilities": 1}]}
    assert edited.endswith(plain)
    assert (len(edited) - len(plain)) % 16 == 0


def test_everything_else_reads_as_before(tmp_path: Path) -> None:
    tensors = [Tensor("x", free=(-1, 4)), Tensor("y", kind=9, scale=[0.5], zero_point=[-3])]
    made = Lite(tensors=tensors, metadata={"min_runtime_version": b"1.5.0", "notes": bytes(300)}, operators=[9, "Own"])
    before, after = tmp_path / "a.tflite", tmp_path / "b.tflite"
    before.write_bytes(made.build())
    after.write_bytes(inject_signatures(before, NAMED))
    own = ("path", "size_bytes", "sha256", "signatures")
    plain, edited = ({k: v for k, v in artifacts.read(p).to_json().items() if k not in own} for p in (before, after))
    assert edited == plain


def test_an_existing_signature_can_be_renamed() -> None:
    several = Lite(signatures={"first": ({"x": 0}, {"y": 1}), "second": ({"x": 0}, {"y": 1})}, repeat_subgraphs=2).build()
    edited = inject_signatures(several, {"other": {"key": "second", "inputs": {"a": 0}, "outputs": {"b": 1}}})
    assert names(edited) == {"other": [{"a": 0}, {"b": 1}]}


def test_a_file_with_the_same_signatures_is_unchanged() -> None:
    named = Lite(signatures={"serving_default": ({"pixels": 0}, {"probabilities": 1})}).build()
    assert inject_signatures(named, NAMED) == named
    assert inject_signatures(inject_signatures(Lite().build(), NAMED), NAMED) == inject_signatures(Lite().build(), NAMED)


@given(key=st.text(max_size=20), taken=st.text(min_size=1), made=st.text(min_size=1))
def test_any_name_round_trips(key: str, taken: str, made: str) -> None:
    edited = inject_signatures(Lite().build(), {key: {"inputs": {taken: 0}, "outputs": {made: 1}}})
    assert names(edited) == {key: [{taken: 0}, {made: 1}]}


def test_the_label_archive_after_the_model_is_found_at_its_new_offset() -> None:
    archive = io.BytesIO(Lite().build())
    with zipfile.ZipFile(archive, "a") as labels:
        labels.writestr("labels.txt", "cat\ndog\n")
        labels.writestr("more.txt", "bird\n", zipfile.ZIP_DEFLATED)
    edited = inject_signatures(archive.getvalue(), NAMED)
    with zipfile.ZipFile(io.BytesIO(edited)) as labels:
        assert labels.read("labels.txt") == b"cat\ndog\n"
        assert labels.read("more.txt") == b"bird\n"
        # Python tolerates offsets that are wrong by a constant; readers on phones follow them exactly.
        directory = struct.unpack_from("<I", edited, edited.rindex(b"PK\5\6") + 16)[0]
        assert edited[directory : directory + 4] == b"PK\1\2"
        for entry in labels.infolist():
            assert edited[entry.header_offset : entry.header_offset + 4] == b"PK\3\4"
            at = edited.index(entry.filename.encode(), directory) - 46
            assert struct.unpack_from("<I", edited, at + 42)[0] == entry.header_offset


@pytest.mark.parametrize(
    ("signature", "says"),
    [
        ({"inputs": {"x": 1}, "outputs": {"y": 1}}, "input 'x' of the signature 'k' is the tensor 1, .* its inputs are the tensors 0"),
        ({"inputs": {"x": 0}, "outputs": {"y": 7}}, "output 'y' of the signature 'k' is the tensor 7, .* its outputs are the tensors 1"),
        ({"inputs": {}, "outputs": {"y": 1}}, "has no name for the input tensor 0; name all inputs"),
        ({"inputs": {"x": 0, "z": 0}, "outputs": {"y": 1}}, "has one input under two names"),
        ({"inputs": {"x": 0}, "outputs": {}}, "has no output; name at least one"),
    ],
)
def test_a_signature_that_does_not_fit_is_refused(signature: dict[str, dict[str, int]], says: str) -> None:
    with pytest.raises(CrossloadError, match=says):
        inject_signatures(Lite().build(), {"k": signature})


def test_weights_after_the_flatbuffer_cannot_have_anything_put_before_them(tmp_path: Path) -> None:
    data = Lite(buffers=[(4096, 100)]).build().ljust(4096, b"\0") + bytes(range(100))
    source, target = tmp_path / "large.tflite", tmp_path / "x.tflite"
    source.write_bytes(data)
    with pytest.raises(CrossloadError, match=r"large\.tflite has weights after its flatbuffer"):
        inject_signatures(source, NAMED)
    tflite_to_tflite(source, target, NAMED, {})  # writes the file anew
    made = target.read_bytes()
    assert names(made) == {"serving_default": [{"pixels": 0}, {"probabilities": 1}]}
    assert made.endswith(bytes(range(100)))
    assert inject_signatures(made, NAMED) == made  # nothing is changed, so nothing is refused


def test_a_file_that_is_not_a_tflite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="it lacks the identifier TFL3"):
        inject_signatures(b"PK\3\4" + bytes(100), NAMED)


@given(st.data())
def test_damaged_bytes_are_refused_or_stay_readable(data: st.DataObject) -> None:
    archive = io.BytesIO(Lite(signatures={"a": ({"x": 0}, {"y": 1})}, metadata={"m": b"text"}).build())
    with zipfile.ZipFile(archive, "a") as labels:
        labels.writestr("labels.txt", "cat\n")
    damaged = bytearray(archive.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(8, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        edited = inject_signatures(bytes(damaged[: data.draw(st.integers(8, len(damaged)))]), NAMED)
    except CrossloadError:
        return
    assert names(edited) == {"serving_default": [{"pixels": 0}, {"probabilities": 1}]}
