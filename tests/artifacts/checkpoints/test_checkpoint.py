"""Checkpoints: TensorFlow's own are read bit for bit, and damaged ones never give wrong values."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload import artifacts
from crossload.artifacts.checkpoints import checkpoint, leveldb_table, slices
from crossload.errors import ArtifactError
from crossload.runtimes import environments, registry
from tests.corpus.checkpoints import FLOAT, INT32, STRING, WEIGHTS, entry, header, index, refusal, small, varied, varint, write

# Writes checkpoints of every kind, and the values that TensorFlow itself reads from them.
TENSORFLOW = """
import os, pickle, sys
import numpy as np, tensorflow as tf
folder, v1 = sys.argv[1], tf.compat.v1
os.chdir(folder)
variables = {"text": tf.Variable(["a", "", "c" * 300]), "bf16": tf.Variable(tf.cast([1.5, -2], tf.bfloat16)),
             "empty": tf.Variable(tf.zeros((0, 3))), "step": tf.Variable(7, dtype=tf.int64)}
saver = tf.train.CheckpointManager(tf.train.Checkpoint(dense=tf.Variable(tf.random.normal((40, 3))), **variables), "objects", 3)
saver.save(), saver.save()
with tf.Graph().as_default(), v1.Session() as session:
    for name in "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool complex64 complex128".split():
        v1.get_variable(f"of/{name}", initializer=np.arange(6).reshape(2, 3).astype(name))
    for n, shape in enumerate(((10, 4), (200, 3), (7,))):
        v1.get_variable(f"part{n}", shape, partitioner=v1.fixed_size_partitioner(3), initializer=v1.random_uniform_initializer())
    for n in range(400):
        v1.get_variable(f"many/of_them_{n}", initializer=float(n))
    session.run(v1.global_variables_initializer())
    os.mkdir("names")
    v1.train.Saver().save(session, os.path.abspath("names/model.ckpt"), global_step=5)
read = {}
for prefix in ("objects/ckpt-2", "names/model.ckpt-5"):
    reader = tf.train.load_checkpoint(prefix)
    read[prefix] = {}
    for name in reader.get_variable_to_shape_map():
        value = reader.get_tensor(name)
        value = np.asarray(value, object if isinstance(value, bytes) else None)
        raw = value.ravel().tolist() if value.dtype == object else value.tobytes()
        read[prefix][name] = (value.dtype.name, value.shape, raw)
pickle.dump(read, open("read.pickle", "wb"))
"""


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with TensorFlow's checkpoints, and with the values that TensorFlow reads from them."""
    folder = tmp_path_factory.mktemp("checkpoints")
    python = environments.prepare(registry.find(["tensorflow+python"])[0].source).argv[0]
    subprocess.run([python, "-c", TENSORFLOW, str(folder)], check=True, capture_output=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["objects/ckpt-2", "names/model.ckpt-5"])
def test_every_tensor_is_read_as_tensorflow_reads_it(written: Path, prefix: str) -> None:
    import pickle

    expected = pickle.loads((written / "read.pickle").read_bytes())[prefix]
    found = checkpoint.read(written / prefix)
    names = [v.name for v in found.variables]
    assert names == sorted(set(expected) - {checkpoint.OBJECT_GRAPH})
    assert (found.object_graph is None) == (checkpoint.OBJECT_GRAPH not in expected)
    for name, (dtype, shape, raw) in expected.items():
        array = found.tensor(name)
        assert (array.dtype.name, array.shape) == (dtype, shape)
        assert (array.ravel().tolist() if dtype == "object" else array.tobytes()) == raw
    parts = {v.name: [extent[0] for extent in v.slices] for v in found.variables if v.slices}
    if prefix.startswith("names"):
        assert parts == {
            "part0": [(0, 4), (4, 3), (7, 3)],
            "part1": [(0, 67), (67, 67), (134, 66)],
            "part2": [(0, 3), (3, 2), (5, 2)],
        }


@pytest.mark.slow
def test_a_checkpoint_folder_resolves_to_the_latest_checkpoint(written: Path) -> None:
    assert checkpoint.read(written / "objects").prefix.name == "ckpt-2"
    assert checkpoint.read(written / "names").prefix.name == "model.ckpt-5"  # an absolute path in the state file


def test_prefix_index_and_folder_give_the_same_checkpoint(tmp_path: Path) -> None:
    prefix = small(tmp_path)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "ckpt"\nlast_preserved_timestamp: 1.5\n')
    for path in (prefix, tmp_path / "ckpt.index", tmp_path):
        assert artifacts.recognise(path) == "checkpoint"
        found = artifacts.read(path)
        assert isinstance(found, checkpoint.Checkpoint)
        assert found.prefix == prefix
        assert found.variables == [checkpoint.Variable("dense/kernel", "FP32", (4, 3), 48)]
        assert np.array_equal(found.tensor("dense/kernel"), WEIGHTS)


def test_the_error_for_a_dangling_state_file_lists_the_checkpoints(tmp_path: Path) -> None:
    small(tmp_path)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "ckpt-7"')
    assert "points to 'ckpt-7'" in refusal(tmp_path)
    assert f"crossload checkpoint use {tmp_path} NAME" in refusal(tmp_path)
    assert refusal(tmp_path).endswith(": ckpt")
    for text in ('model_checkpoint_path: "', 'model_checkpoint_path: "\\000"', 'model_checkpoint_path: ""', "model_checkpoint_path: { x"):
        (tmp_path / "checkpoint").write_text(text)
        assert str(tmp_path / "checkpoint") in refusal(tmp_path)


def test_several_checkpoints_without_a_state_file_are_listed(tmp_path: Path) -> None:
    small(tmp_path)
    assert artifacts.read(tmp_path).path == tmp_path
    write(tmp_path / "ckpt.2", {})
    assert refusal(tmp_path).endswith("name one: ckpt, ckpt.2")


def test_listing_needs_no_data_and_no_numpy(tmp_path: Path) -> None:
    prefix = small(tmp_path)
    (tmp_path / "ckpt.data-00000-of-00001").unlink()
    found = checkpoint.read(prefix)
    assert found.missing_files == ("ckpt.data-00000-of-00001",)
    assert found.diagnosis == ("incomplete: ckpt.data-00000-of-00001 is missing; copy all files of the checkpoint",)
    described = json.loads(json.dumps(found.to_json()))
    assert described["variables"] == [{"name": "dense/kernel", "datatype": "FP32", "shape": [4, 3], "size_bytes": 48}]
    assert "ckpt.data-00000-of-00001 is missing" in refusal(prefix, "dense/kernel")


def test_an_index_that_claims_many_shards_costs_one_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = write(tmp_path / "ckpt", {b"w": entry(WEIGHTS.tobytes(), FLOAT, (4, 3))}, num_shards=99_999)
    found = checkpoint.read(prefix)
    listings, scandir = 0, os.scandir

    def counted(folder: Path) -> Any:
        nonlocal listings
        listings += 1
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", counted)
    monkeypatch.setattr(Path, "is_file", lambda self: "data-" in self.name and pytest.fail("a look at each shard"))
    described = found.to_json()
    assert listings <= 2  # the other is for files of V1
    assert (described["shard_count"], described["missing_count"]) == (99_999, 99_999)
    assert len(json.dumps(described)) < 100_000
    assert "ckpt.data-00003-of-99999 and 99995 more are missing" in found.diagnosis[0]


def test_errors_for_damaged_data_give_name_and_cause(tmp_path: Path) -> None:
    prefix = small(tmp_path)
    data = tmp_path / "ckpt.data-00000-of-00001"
    data.write_bytes(WEIGHTS.tobytes()[:-1] + b"\x01")
    sentence = refusal(prefix, "dense/kernel")
    assert str(data) in sentence
    assert "checksum of the tensor 'dense/kernel'" in sentence
    stored, computed = (leveldb_table.masked(google_crc32c.value(b)) for b in (WEIGHTS.tobytes(), data.read_bytes()))
    assert f"({stored:#010x} is stored, {computed:#010x} computed)" in sentence
    assert checkpoint.read(prefix).diagnosis == ()
    data.write_bytes(WEIGHTS.tobytes()[:-1])
    assert f"{data} is too short" in refusal(prefix, "dense/kernel")
    assert checkpoint.read(prefix).truncated_files == (data.name,)
    assert "cut off" in checkpoint.read(prefix).diagnosis[0]


def test_a_checkpoint_without_its_values_has_nothing_to_call(tmp_path: Path) -> None:
    prefix = small(tmp_path)
    data = next(tmp_path.glob("*.data-*"))
    data.unlink()
    with pytest.raises(ArtifactError, match=rf"{re.escape(str(prefix))} is incomplete: {data.name} is missing; copy all files"):
        artifacts.callable_signatures(artifacts.read(prefix))


def test_the_error_for_a_damaged_index_block_shows_both_checksums(tmp_path: Path) -> None:
    file = small(tmp_path).with_name("ckpt.index")
    data = bytearray(file.read_bytes())
    data[9] ^= 1
    file.write_bytes(data)
    assert re.search(r"the checksum of the block at 0 is wrong: 0x[0-9a-f]{8} is stored, 0x[0-9a-f]{8} computed", refusal(file))


def test_a_slot_names_its_variable(tmp_path: Path) -> None:
    float4, scalar = entry(WEIGHTS.tobytes(), FLOAT, (4, 3)), entry(WEIGHTS.tobytes()[:4], FLOAT, ())
    key, value = "model/kernel/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE", "model/kernel/.ATTRIBUTES/VARIABLE_VALUE"
    names = {key: float4, value: float4, "step": scalar, "step/of_its_own": scalar, "step/ExponentialMovingAverage": scalar}
    names |= {"w": float4, "w/Adam": float4, "w/Adam_1": float4, "w/adam_m": float4, "w/Ftrl": scalar, "w/b": scalar, "x/Adam": float4}
    found = checkpoint.read(write(tmp_path / "ckpt", {k.encode(): v for k, v in sorted(names.items())}))
    slots = dict.fromkeys(("w/Adam", "w/Adam_1", "w/adam_m", "w/Ftrl"), "w") | {key: value, "step/ExponentialMovingAverage": "step"}
    assert {v.name: v.slot_of for v in found.variables if v.slot_of} == slots
    described = {v["name"]: v for v in found.to_json()["variables"]}
    assert described["w/Adam"]["slot_of"] == "w"
    assert "slot_of" not in described["w"]


def test_values_of_a_big_endian_machine_are_byte_swapped(tmp_path: Path) -> None:
    complex64 = np.array([1 + 2j, -3j], np.complex64)
    parts = [WEIGHTS.byteswap().tobytes(), complex64.byteswap().tobytes(), np.array([True, False]).tobytes()]
    # A string's four-byte length and its checksum are also big-endian.
    crc = google_crc32c.value((2).to_bytes(4, "big"))
    stored = leveldb_table.masked(crc).to_bytes(4, "big")
    texts = b"\2" + stored + b"ab"
    entries = {
        b"c": entry(parts[1], 8, (2,), offset=48),
        b"o": entry(parts[2], 10, (2,), offset=64),
        b"s": entry((2).to_bytes(4, "big") + stored + b"ab", STRING, (1,), offset=66, size=len(texts)),
        b"w": entry(parts[0], FLOAT, (4, 3)),
    }
    found = checkpoint.read(write(tmp_path / "ckpt", entries, b"".join(parts) + texts, endianness=1))
    for name, value in (("c", complex64), ("o", [True, False]), ("s", [b"ab"]), ("w", WEIGHTS)):
        assert found.tensor(name).tolist() == np.asarray(value, object if name == "s" else None).tolist()


def test_an_index_with_compressed_blocks_is_read(tmp_path: Path) -> None:
    prefix = small(tmp_path)
    entries = dict(leveldb_table.read(prefix.with_name("ckpt.index")))
    prefix.with_name("ckpt.index").write_bytes(index(entries, kind=1))
    assert [v.name for v in checkpoint.read(prefix).variables] == ["dense/kernel"]


def test_the_error_for_an_unknown_name_lists_near_names(tmp_path: Path) -> None:
    assert "near it are 'dense/kernel'" in refusal(small(tmp_path), "dense/kernle")
    assert "near it are 'dense/kernel'" in refusal(small(tmp_path), "kernel")


def test_parts_must_cover_their_variable_exactly_once(tmp_path: Path) -> None:
    first, second = ((0, 2), (0, 3)), ((2, 2), (0, 3))
    half = WEIGHTS.tobytes()[:24]

    def variable(*parts: Any) -> Path:
        keys = {slices.part_key(b"v", part): entry(half, FLOAT, (2, 3)) for part in parts}
        return write(tmp_path / "ckpt", {**dict(sorted(keys.items())), b"v": entry(b"", FLOAT, (4, 3), parts=parts)})

    found = checkpoint.read(variable(first, second))
    assert [(v.name, v.shape, v.size, v.slices) for v in found.variables] == [("v", (4, 3), 48, (first, second))]
    assert np.array_equal(found.tensor("v"), np.concatenate([WEIGHTS[:2]] * 2))
    assert "do not cover" in refusal(variable(first), "v")
    assert "overlap" in refusal(variable(first, first), "v")
    assert "overlap" in refusal(variable(first, ((1, 2), (0, 3))), "v")
    assert "outside of its shape" in refusal(variable(first, ((3, 2), (0, 3))))
    huge = ((0, 1 << 40), (0, 3))
    keys = {slices.part_key(b"v", huge): entry(half, FLOAT, (1 << 40, 3)), b"v": entry(b"", FLOAT, (1 << 40, 3), parts=(huge,))}
    assert "do not fill" in refusal(write(tmp_path / "ckpt", keys), "v")
    alone = write(tmp_path / "ckpt", {b"v": entry(b"", FLOAT, (4, 3), parts=(first, second))})
    assert "not in the index" in refusal(alone, "v")


@given(name=st.binary(max_size=6), parts=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=2))
def test_keys_of_parts_sort_like_their_values(name: bytes, parts: list[int]) -> None:
    low, high = sorted(parts)
    assert (slices.part_key(name, ((low, 1),)) < slices.part_key(name, ((high, 1),))) == (low < high)


def test_a_small_file_cannot_allocate_much_memory(tmp_path: Path) -> None:
    for shape, size, dtype in (((1 << 40,), 1 << 42, FLOAT), ((1 << 40,), 48, FLOAT), ((1 << 40,), 48, STRING), ((0, 1 << 62), 0, FLOAT)):
        prefix = write(tmp_path / "ckpt", {b"v": entry(b"", dtype, shape, size=size)})
        assert "tensor 'v'" in refusal(prefix, "v")
    with_shards = index({b"": header(num_shards=1 << 30)})
    (tmp_path / "ckpt.index").write_bytes(with_shards)
    assert "shards" in refusal(prefix)


def test_a_small_index_cannot_decode_to_huge_names(tmp_path: Path) -> None:
    parts = tuple(((n, 1),) for n in range(3000))
    (tmp_path / "ckpt.index").write_bytes(index({b"": header(), b"v" * 50_000: entry(b"", FLOAT, (3000,), parts=parts)}))
    assert "too many parts" in refusal(tmp_path / "ckpt")
    # Every key is the previous one plus a byte.
    value = entry(b"", FLOAT, (0,))
    grown = b"".join(varint(n) + b"\1" + varint(len(value)) + b"a" + value for n in range(20_000))
    (tmp_path / "ckpt.index").write_bytes(index({b"": header()}, more=grown))
    assert "its names have more than" in refusal(tmp_path / "ckpt")


def test_invalid_indexes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ckpt.index"
    some = {b"a": entry(b"", FLOAT, (0,))}
    for content, said in (
        (index({b"": header(), **some}, kind=2), "unknown compression (type 2)"),
        (index(some), "no header"),
        (index({b"": header(), b"b": some[b"a"], **some}), "not in order"),
        (index({b"": header(version={"min_consumer": 2})}), "newer"),
        (index({b"": header(), b"a": entry(b"", FLOAT, (-1,))}), "no whole shape"),
        (index({b"": header(), b"a": b"\xff"}), "does not decode"),
    ):
        path.write_bytes(content)
        assert said in refusal(path)


def survives(prefix: Path) -> bool:
    try:
        found = artifacts.read(prefix.with_name("ckpt.index"))
        assert isinstance(found, checkpoint.Checkpoint)
        json.dumps(found.to_json(), allow_nan=False)
        for variable in found.variables:
            found.tensor(variable.name)
    except ArtifactError as error:
        assert "\n" not in str(error)
        return False
    return True


def test_strings_are_read_and_every_byte_is_checked(tmp_path: Path) -> None:
    prefix, _ = varied(tmp_path)
    assert checkpoint.read(prefix).tensor("s").tolist() == [b"ab", b"", b"c"]
    shard = prefix.with_name("ckpt.data-00000-of-00001")
    data = shard.read_bytes()
    for at in range(len(data)):
        shard.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert not survives(prefix)


def test_a_truncated_index_is_refused(tmp_path: Path) -> None:
    prefix, data = varied(tmp_path)
    assert survives(prefix)
    for length in range(len(data)):
        prefix.with_name("ckpt.index").write_bytes(data[:length])
        assert not survives(prefix)


@given(data=st.data())
def test_flipped_bytes_are_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    prefix, content = varied(tmp_path)
    changed = bytearray(content)
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), min_size=1, max_size=8)):
        changed[at] = value
    prefix.with_name("ckpt.index").write_bytes(changed)
    survives(prefix)


@given(value=st.binary(max_size=60), head=st.booleans())
def test_any_message_with_correct_checksums_is_read_or_refused(tmp_path: Path, value: bytes, head: bool) -> None:
    write(tmp_path / "ckpt", {})
    entries = {b"": value} if head else {b"": header(), b"v": entry(b"", INT32, (0,)) + value}
    (tmp_path / "ckpt.index").write_bytes(index(entries))
    survives(tmp_path / "ckpt")


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_a_value_in_pieces_is_the_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr("crossload.artifacts.checkpoints.v2_checkpoint._PIECE", piece)
    found = checkpoint.read(small(tmp_path))
    in_pieces = {v.name: chunks for v in found.variables if (chunks := found.chunks(v.name)) is not None}
    assert "dense/kernel" in in_pieces
    for name, chunks in in_pieces.items():
        assert b"".join(chunks) == found.tensor(name).tobytes()


def test_a_damaged_value_in_pieces_is_refused_after_the_last(tmp_path: Path) -> None:
    prefix = small(tmp_path)
    (shard,) = tmp_path.glob("*.data-*")
    data = bytearray(shard.read_bytes())
    data[0] ^= 1
    shard.write_bytes(bytes(data))
    found = checkpoint.read(prefix)
    damaged = 0
    for variable in found.variables:
        chunks = found.chunks(variable.name)
        try:
            list(chunks or ())
        except ArtifactError as error:
            damaged += "the checksum of the tensor" in str(error)
    assert damaged == 1


def test_an_index_that_is_a_git_lfs_pointer_is_called_one(tmp_path: Path) -> None:
    prefix = small(tmp_path)
    prefix.with_name(f"{prefix.name}.index").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 136\n")
    assert refusal(prefix).endswith(f"{prefix.name}.index is only a Git LFS pointer; fetch the file itself with `git lfs pull`")
