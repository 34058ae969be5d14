"""A .tflite read as a tree and written again is the same model; what the schema does not have is refused, not lost."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload.artifacts.canonical import canonical_tflite
from crossload.artifacts.tflite import flatbuffer, inner, operator_names, tflite_file
from crossload.artifacts.tflite.flatbuffer_writer import Inline, Packed
from crossload.artifacts.tflite.schema import MODEL
from crossload.edits import tflite_tree
from crossload.errors import ArtifactError, CrossloadError
from crossload.releases import tflite_builder, tflite_extraction
from tests import CORPUS
from tests.corpus.handmade import Lite, Tensor


def corpus() -> Iterator[tuple[str, bytes]]:
    """Every .tflite of the corpus by its name."""
    with zipfile.ZipFile(CORPUS / "lite_kinds.zip") as kinds:
        yield from ((name, kinds.read(name)) for name in kinds.namelist())
    for path in sorted(CORPUS.rglob("*.tflite")):
        yield str(path.relative_to(CORPUS)), path.read_bytes()


def again(data: bytes, path: Path = Path("m.tflite")) -> bytes:
    return b"".join(tflite_tree.write(path, data, tflite_tree.read(path, data)))


def plain(data: bytes, tree: Any) -> Any:
    """A tree with the bytes of its vectors in place of their extents."""
    if isinstance(tree, dict):
        return {name: plain(data, value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [plain(data, value) for value in tree]
    if isinstance(tree, tuple):
        return data[tree[0] : sum(tree)]
    # Padding after a number is not part of it.
    return tree.data.rstrip(b"\0") if isinstance(tree, Inline) else tree


@pytest.mark.parametrize(("name", "data"), list(corpus()))
def test_a_file_that_is_read_and_written_is_the_same_model_field_by_field(name: str, data: bytes, tmp_path: Path) -> None:
    made = again(data)
    before, after = (plain(d, tflite_tree.read(Path(name), d)) for d in (data, made))
    assert before == after
    for file, content in (("a.tflite", data), ("b.tflite", made)):
        (tmp_path / file).write_bytes(content)
    assert canonical_tflite.digest(tmp_path / "a.tflite") == canonical_tflite.digest(tmp_path / "b.tflite")
    for graph in inner.read_all(tmp_path / "b.tflite"):
        assert all(t.extent[0] % 16 == 0 for t in graph.tensors if t.extent), "weights are aligned"
    assert len(made) <= len(data) * 1.05 + 256


def test_a_file_of_every_operator_is_the_same_model_field_by_field() -> None:
    """The questions that interpreters are asked: small files of each builtin operator, with its options."""
    asked: dict[str, bytes] = {}
    for op, _, file in tflite_extraction.kernel_files(operator_names.builtin_codes()):
        asked.setdefault(op, file)
    for op, data in asked.items():
        made = again(data)
        assert plain(data, tflite_tree.read(Path(op), data)) == plain(made, tflite_tree.read(Path(op), made)), op
    assert len(asked) > 130


def test_packed_files_and_metadata_stay() -> None:
    archive = io.BytesIO(Lite(metadata={"notes": bytes(range(100))}).build())
    with zipfile.ZipFile(archive, "a") as labels:
        labels.writestr("labels.txt", "cat\ndog\n")
        labels.writestr("more.txt", "bird\n" * 50, zipfile.ZIP_DEFLATED)
    made = again(archive.getvalue())
    with zipfile.ZipFile(io.BytesIO(made)) as labels:
        assert labels.read("labels.txt") == b"cat\ndog\n"
        assert labels.read("more.txt") == b"bird\n" * 50
        for entry in labels.infolist():
            assert made[entry.header_offset : entry.header_offset + 4] == b"PK\3\4"
    start, size = tflite_file.metadata_extent(made, "notes") or (0, 0)
    assert made[start : start + size] == bytes(range(100))


def test_weights_behind_the_flatbuffer_move_with_it() -> None:
    data = Lite(buffers=[(4096, 100), (4300, 8)]).build().ljust(4096, b"\0") + bytes(range(100)) + bytes(104) + b"eight by"
    made = again(data)
    found = flatbuffer.decode(made, MODEL)["buffers"]
    (first, second) = [b for b in found if b["offset"] > 1]
    assert made[first["offset"] : first["offset"] + first["size"]] == bytes(range(100))
    assert made[second["offset"] : second["offset"] + second["size"]] == b"eight by"
    assert first["offset"] % 64 == second["offset"] % 64 == 0


def test_scales_of_blocks_options_of_a_custom_operator_and_vectors_in_options_stay() -> None:
    """Tables that no converter at hand writes: block-wise scales (details), a composite with a name, sparse indices."""
    blocks = {4: ("B", 2), 5: {0: ("i", 1), 1: ("i", -1), 2: ("i", 32)}}
    sparsity = {
        0: ("i", [0, 1]),
        2: [{0: ("b", 1), 2: ("B", 3), 3: {0: Packed(b"\1\2\3", 1)}, 4: ("B", 2), 5: {0: Packed(b"\1\0\2\0", 2)}}],
    }
    tensors = [
        {**tflite_builder.tensor("x", [2, 4], "float32", 0), 4: blocks, 6: sparsity, 9: [{0: ("i", [2]), 1: ("b", 1)}]},
        tflite_builder.tensor("y", [2, 4], "float32", 0),
    ]
    operator = {1: ("i", [0]), 2: ("i", [1]), 11: ("B", 21), 12: {0: "name", 1: ("i", 1), 2: Packed(b"abc", 1), 4: ("i", 3)}, 13: ("i", 7)}
    data = tflite_builder.model([(206, "", 1)], tensors, [0], [1], [operator], others=[tflite_builder.subgraph(tensors, [0], [1], [])])
    made = again(data)
    before, after = (plain(d, tflite_tree.read(Path("m"), d)) for d in (data, made))
    assert before == after
    tree = tflite_tree.read(Path("m"), made)
    options = tree["subgraphs"][0]["operators"][0]["options_2"]
    assert options[0].data == b"name"
    assert tflite_tree.numbers(options, 1) == [1]
    assert tflite_tree.numbers(tree["subgraphs"][0]["tensors"][0]["quantization"]["details"], 1) == [-1]


def with_field(data: bytes, number: int) -> bytes:
    """The file with a further field of its root table, as a newer schema would have it: an edit of a table that is written at the end."""
    import flatbuffers

    builder = flatbuffers.Builder(64)
    builder.StartObject(number + 1)
    builder.PrependUint32Slot(0, 3, 0)
    builder.PrependUint32Slot(number, 77, 0)
    builder.Finish(builder.EndObject())
    root = bytes(builder.Output())
    made = bytearray(data.ljust(-(-len(data) // 8) * 8, b"\0"))
    struct.pack_into("<I", made, 0, len(made) + struct.unpack_from("<I", root)[0])
    return bytes(made + root)


def test_a_field_that_the_schema_does_not_have_is_refused_rather_than_lost() -> None:
    with pytest.raises(CrossloadError, match=r"m\.tflite is of a newer schema than crossload knows \(field 12 of the table"):
        again(with_field(Lite().build(), 12))
    operator = {1: ("i", [0]), 2: ("i", [1]), 3: ("B", 9), 4: {0: ("f", 1.0), 1: ("i", 5)}}  # SoftmaxOptions has one field
    tensors = [tflite_builder.tensor(name, [4], "float32", 0) for name in ("x", "y")]
    with pytest.raises(CrossloadError, match="field 1 of options of the kind 9"):
        again(tflite_builder.model([(25, "", 1)], tensors, [0], [1], [operator]))
    operator[3] = ("B", 200)
    with pytest.raises(CrossloadError, match="options of the kind 200"):
        again(tflite_builder.model([(25, "", 1)], tensors, [0], [1], [operator]))


@given(st.data())
def test_damaged_bytes_are_refused_or_written_as_they_read(data: st.DataObject) -> None:
    tensors = [Tensor("x", free=(-1, 4)), Tensor("y", kind=9, scale=[0.5], zero_point=[-3])]
    whole = Lite(tensors=tensors, signatures={"a": ({"x": 0}, {"y": 1})}, metadata={"m": b"text"}, operators=[9, "Own"]).build()
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(8, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(8, len(damaged)))])
    try:
        made = again(cut)
    except CrossloadError:
        return
    assert plain(made, tflite_tree.read(Path("m"), made)) == plain(cut, tflite_tree.read(Path("m"), cut))


def test_a_truncated_file_is_refused_with_its_name() -> None:
    with pytest.raises(ArtifactError, match=r"m\.tflite is a truncated or corrupt \.tflite"):
        again(Lite().build()[:300])
