"""TFRecord files: our own and TensorBoard's files are read back; damage is always reported."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.summary.writer.record_writer import RecordWriter

from crossload.artifacts import tfrecord
from crossload.errors import ArtifactError


def written(records: list[bytes]) -> bytes:
    stream = io.BytesIO()
    for record in records:
        tfrecord.write(stream, record)
    return stream.getvalue()


@given(records=st.lists(st.binary(max_size=50), max_size=5))
def test_records_round_trip_in_tensorboards_framing(tmp_path: Path, records: list[bytes]) -> None:
    stream = io.BytesIO()
    theirs = RecordWriter(stream)
    for record in records:
        theirs.write(record)
    assert written(records) == stream.getvalue()
    (tmp_path / "records").write_bytes(stream.getvalue())
    assert list(tfrecord.read(tmp_path / "records")) == records


@given(data=st.data())
def test_a_changed_byte_is_detected(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(written([b"one", b"", b"three"]))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    (tmp_path / "records").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"records is not a TFRecord file.*record [123]"):
        list(tfrecord.read(tmp_path / "records"))


def test_a_file_cut_off_inside_a_record_is_refused(tmp_path: Path) -> None:
    whole = written([b"one", b"two"])
    for length in (1, 11, 12, 18, 20, len(whole) - 1):
        (tmp_path / "records").write_bytes(whole[:length])
        with pytest.raises(ArtifactError, match="cut off"):
            list(tfrecord.read(tmp_path / "records"))


def test_a_length_beyond_the_file_is_refused(tmp_path: Path) -> None:
    length = (1 << 62).to_bytes(8, "little")
    (tmp_path / "records").write_bytes(length + tfrecord._checksum(length) + b"x" * 100)
    with pytest.raises(ArtifactError, match=f"{1 << 62} bytes are cut off"):
        list(tfrecord.read(tmp_path / "records"))


def test_a_missing_file_gives_a_one_line_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="cannot be read"):
        list(tfrecord.read(tmp_path / "none"))
