"""V1 checkpoints: files of TensorFlow's Saver before V2 are read bit for bit, and damaged files never give wrong values."""

from __future__ import annotations

import json
import pickle
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload import artifacts
from crossload.artifacts.checkpoints import checkpoint, leveldb_table, slices, v1_checkpoint
from crossload.artifacts.checkpoints.checkpoint_protos import messages
from crossload.errors import ArtifactError
from crossload.runtimes import environments, registry
from tests.corpus.checkpoints import FLOAT, INT32, STRING, WEIGHTS, entry, index, refusal, varint, write
from tests.corpus.v1_checkpoints import UPPER, VARIABLES, WHOLE, saved, sharded, small

INT64 = 9

# Writes V1 checkpoints in one file and in shards, and the values that TensorFlow itself restores from them.
TENSORFLOW = """
import os, pickle, sys
import numpy as np, tensorflow as tf
v1 = tf.compat.v1
v1.disable_eager_execution()
os.chdir(sys.argv[1])
read = {}
for folder, sharded in (("one", False), ("several", True)):
    os.mkdir(folder)
    with tf.Graph().as_default(), v1.Session(config=v1.ConfigProto(device_count={"CPU": 3})) as session:
        for n, name in enumerate("float32 float64 int8 int16 int32 int64 uint8 uint16 bool complex64 complex128".split()):
            with tf.device(f"/cpu:{n % 3}"):
                v1.get_variable(f"of/{name}", initializer=(np.arange(6) * 3 - 7 * (name[0] != "u")).reshape(2, 3).astype(name))
        v1.get_variable("text", initializer=tf.constant([b"x" * 300, b"", b"y"]))
        v1.get_variable("empty", initializer=tf.zeros((0, 3)))
        v1.get_variable("large", initializer=np.arange(200_000, dtype=np.float32))
        part = v1.get_variable("part", (10, 4), partitioner=v1.fixed_size_partitioner(3), initializer=v1.random_uniform_initializer())
        v1.train.AdamOptimizer().minimize(sum(tf.reduce_sum(p * p) for p in part))
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver(sharded=sharded, write_version=v1.train.SaverDef.V1)
        saver.save(session, os.path.abspath(f"{folder}/model.ckpt"), global_step=5)
        session.run(v1.global_variables_initializer())
        saver.restore(session, tf.train.latest_checkpoint(folder))
        values = {v.op.name: session.run(v) for v in v1.global_variables() if not v.op.name.startswith("part")}
        values["part"] = np.concatenate([session.run(p) for p in part])
        read[folder] = {n: (np.asarray(v).dtype.name, np.shape(v), np.asarray(v).ravel().tolist()) for n, v in values.items()}
pickle.dump(read, open("read.pickle", "wb"))
"""


def read(path: Path) -> checkpoint.Checkpoint:
    found = artifacts.read(path)
    assert isinstance(found, checkpoint.Checkpoint)
    return found


def test_a_file_and_its_folder_give_the_same_checkpoint(tmp_path: Path) -> None:
    prefix = small(tmp_path)
    for path in (prefix, tmp_path):
        assert artifacts.recognise(path) == "checkpoint"
        found = read(path)
        assert (found.version, found.prefix, found.shards, found.index) == ("v1", prefix, ("model.ckpt",), None)
        assert [(v.name, v.datatype, v.shape, v.size) for v in found.variables] == [
            ("n", "INT32", (2,), 8), ("s", "BYTES", (2,), 0), ("w", "FP32", (4, 3), 48)
        ]  # fmt: skip
        assert found.tensor("n").tolist() == [5, -1]
        assert found.tensor("s").tolist() == [b"ab", b""]
        assert np.array_equal(found.tensor("w"), WEIGHTS)


def test_every_name_of_a_sharded_checkpoint_gives_the_same_checkpoint(tmp_path: Path) -> None:
    prefix = sharded(tmp_path)
    (tmp_path / "model.ckpt.meta").touch()
    pattern = tmp_path / "model.ckpt-?????-of-00002"
    for path in (prefix, pattern, tmp_path / "model.ckpt-00001-of-00002", tmp_path):
        assert artifacts.recognise(path) == "checkpoint"
        found = read(path)
        assert found.prefix == prefix
        assert found.meta_graph == tmp_path / "model.ckpt.meta"
        assert {v.name: v.slices for v in found.variables} == {"n": (), "w": (((0, 2), (0, 3)), ((2, 2), (0, 3)))}
        assert np.array_equal(found.tensor("w"), WEIGHTS)
    assert artifacts.sha256(prefix) != artifacts.sha256(tmp_path / "model.ckpt-00001-of-00002")


def test_a_state_file_may_name_shards_by_their_pattern(tmp_path: Path) -> None:
    prefix = sharded(tmp_path)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-?????-of-00002"')
    assert read(tmp_path).prefix == prefix


def test_a_missing_shard_is_reported(tmp_path: Path) -> None:
    prefix = sharded(tmp_path)
    (tmp_path / "model.ckpt-00001-of-00002").unlink()
    found = read(prefix)
    assert found.missing_files == ("model.ckpt-00001-of-00002",)
    assert "the variables in them are not listed" in found.diagnosis[0]
    assert "do not cover" in refusal(prefix, "w")


def test_shards_of_two_checkpoints_are_not_mixed(tmp_path: Path) -> None:
    prefix = sharded(tmp_path)
    (tmp_path / "model.ckpt-00000-of-00003").write_bytes(index(saved(VARIABLES)))
    assert "model.ckpt-?????-of-00002, model.ckpt-?????-of-00003" in refusal(prefix)


def test_with_both_versions_under_one_name_v2_is_read_and_the_diagnosis_says_so(tmp_path: Path) -> None:
    prefix = write(tmp_path / "model.ckpt", {b"v2": entry(WEIGHTS.tobytes(), FLOAT, (4, 3))})
    sharded(tmp_path)
    found = read(prefix)
    assert (found.version, [v.name for v in found.variables]) == ("v2", ["v2"])
    assert "never the V1 model.ckpt-00000-of-00002, model.ckpt-00001-of-00002" in found.diagnosis[0]
    small(tmp_path)
    assert (read(prefix).version, read(tmp_path / "model.ckpt.index").version) == ("v1", "v2")
    assert "this is V1, but TensorFlow reads V2" in read(prefix).diagnosis[0]


def test_a_v1_file_with_the_name_of_an_index_is_refused(tmp_path: Path) -> None:
    small(tmp_path).rename(tmp_path / "model.ckpt.index")
    assert "rename it to model.ckpt" in refusal(tmp_path / "model.ckpt.index")


def test_a_listed_part_missing_from_its_file_is_refused(tmp_path: Path) -> None:
    entries = saved(VARIABLES)
    del entries[slices.part_key(b"w", WHOLE)]
    (tmp_path / "model.ckpt").write_bytes(index(entries))
    assert "lacks its part" in refusal(tmp_path / "model.ckpt", "w")


@pytest.mark.parametrize(
    ("dtype", "shape", "parts", "said"),
    [
        (FLOAT, (4, 3), {WHOLE: ("float_val", WEIGHTS.tobytes()[:-4])}, "11 values do not fill"),
        (FLOAT, (4, 3), {WHOLE: ("float_val", WEIGHTS.tobytes()[:-1])}, "47 bytes do not decode as FP32"),
        (INT64, (4, 3), {WHOLE: ("float_val", WEIGHTS.tobytes())}, "0 values do not fill"),
        (INT64, (2, 1), {WHOLE: ("int64_val", b"\1\x80")}, "cut off"),
        (INT64, (1, 1), {WHOLE: ("int64_val", b"\x80" * 10 + b"\1")}, "longer than 64 bits"),
        (FLOAT, (4, 3), {UPPER: ("float_val", WEIGHTS[:2].tobytes())}, "do not cover"),
        (FLOAT, (4, 3), {((3, 2), (0, 3)): ("float_val", b"")}, "outside of its shape"),
        (FLOAT, (1 << 40, 3), {WHOLE: ("float_val", WEIGHTS.tobytes())}, "do not fill"),
        (FLOAT, (-1, 3), {}, "no whole shape"),
        (11, (1,), {((0, slices.WHOLE),): ("int_val", b"\1")}, "DT_11"),
    ],
)
def test_values_that_do_not_fill_their_shape_are_refused(tmp_path: Path, dtype: int, shape: Any, parts: Any, said: str) -> None:
    (tmp_path / "model.ckpt").write_bytes(index(saved({"v": (dtype, shape, parts)})))
    assert said in refusal(tmp_path / "model.ckpt", "v")


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    made = messages()["SavedTensorSlices"]()
    made.meta.versions.min_consumer = 2
    (tmp_path / "model.ckpt").write_bytes(index({b"": made.SerializeToString()}))
    assert "newer" in refusal(tmp_path / "model.ckpt")


def test_shards_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    prefix = sharded(tmp_path)
    (tmp_path / "model.ckpt-00001-of-00002").write_bytes(index(saved({"w": (INT32, (4, 3), {})})))
    assert "a different datatype or shape" in refusal(prefix)


def test_only_the_beginning_of_a_large_block_is_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = tmp_path / "model.ckpt"
    long = (STRING, (1,), {((0, slices.WHOLE),): ("string_val", [b"x" * 300])})
    prefix.write_bytes(index(saved({**VARIABLES, "x": long})))
    expected = leveldb_table.first(prefix)
    # The real limit of 64 MiB is reduced below the size of this file's only block.
    monkeypatch.setattr(leveldb_table, "_MOST_BLOCK", 300)
    monkeypatch.setattr(leveldb_table, "_CHUNK", 7)
    assert leveldb_table.first(prefix) == expected
    data = bytearray(prefix.read_bytes())
    data[400] ^= 1
    prefix.write_bytes(data)
    assert "checksum of the block at 0" in refusal(prefix)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30))
def test_numbers_are_decoded_as_protobuf_encodes_them(numbers: list[int]) -> None:
    packed = b"".join(varint(number & (1 << 64) - 1) for number in numbers)
    assert v1_checkpoint.varints(packed).tolist() == numbers


@pytest.mark.parametrize(("dtype", "name"), [(19, "float16"), (14, "bfloat16")])
def test_halves_are_decoded_from_the_bits_of_integers(tmp_path: Path, dtype: int, name: str) -> None:
    import ml_dtypes

    values = np.array([1.5, -2, 0.1], getattr(ml_dtypes, name, name))
    packed = b"".join(varint(int(bits)) for bits in values.view(np.uint16))
    (tmp_path / "model.ckpt").write_bytes(index(saved({"h": (dtype, (3,), {((0, slices.WHOLE),): ("half_val", packed)})})))
    assert read(tmp_path / "model.ckpt").tensor("h").tobytes() == values.tobytes()


def survives(path: Path) -> bool:
    try:
        found = read(path)
        json.dumps(found.to_json(), allow_nan=False)
        for variable in found.variables:
            found.tensor(variable.name)
    except ArtifactError as error:
        assert "\n" not in str(error)
        return False
    return True


def test_every_byte_of_a_file_is_checked(tmp_path: Path) -> None:
    prefix = small(tmp_path)
    data = prefix.read_bytes()
    assert survives(prefix)
    end = len(data) - 48  # the footer has no checksum, and its padding has no meaning
    for at in range(end):
        prefix.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert not survives(prefix)
    for length in range(len(data)):
        prefix.write_bytes(data[:length])
        assert not survives(prefix)


@given(content=st.binary(max_size=120), key=st.sampled_from([b"", slices.part_key(b"w", WHOLE)]), behind=st.booleans())
def test_any_message_with_correct_checksums_is_read_or_refused(tmp_path: Path, content: bytes, key: bytes, behind: bool) -> None:
    entries = saved(VARIABLES)
    entries[key] = (entries[key] if behind else b"\x0a") + content
    (tmp_path / "model.ckpt").write_bytes(index(entries))
    survives(tmp_path / "model.ckpt")


@pytest.mark.slow
def test_every_tensor_is_read_as_tensorflow_restores_it(tmp_path: Path) -> None:
    python = environments.prepare(registry.find(["tensorflow+python"])[0].source).argv[0]
    subprocess.run([python, "-c", TENSORFLOW, str(tmp_path)], check=True, capture_output=True)
    for folder, expected in pickle.loads((tmp_path / "read.pickle").read_bytes()).items():
        found = read(tmp_path / folder)
        assert found.version == "v1"
        assert len(found.shards) == {"one": 1, "several": 4}[folder]
        assert found.meta_graph is not None
        assert {v.name for v in found.variables} >= set(expected)
        for name, (dtype, shape, values) in expected.items():
            array = found.tensor(name)
            assert (array.dtype.name, array.shape, array.ravel().tolist()) == (dtype, shape, values)
        assert {v.name: v.slot_of for v in found.variables if v.slot_of} == {"part/Adam": "part", "part/Adam_1": "part"}
        assert len(next(v for v in found.variables if v.name == "part").slices) == 3
