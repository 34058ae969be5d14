"""Inner tensors of a .tflite become outputs, and an operator stands alone; the rest of the file stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossload.artifacts.tflite import flatbuffer_writer, inner, tflite_file
from crossload.edits import tflite_parts
from crossload.errors import CrossloadError
from crossload.releases import tflite_builder
from tests.corpus import handmade


def read(tmp_path: Path, **signatures: tuple[dict[str, int], dict[str, int]]) -> inner.Inner:
    """A file of three tensors and two operators."""
    tensors = [handmade.Tensor("x"), handmade.Tensor("hidden"), handmade.Tensor("y")]
    file = tmp_path / "model.tflite"
    file.write_bytes(handmade.Lite(tensors=tensors, outputs=(2,), signatures=signatures).build())
    return inner.read(file, next(iter(signatures), None))


def test_an_inner_tensor_becomes_an_output_with_a_name(tmp_path: Path) -> None:
    there = read(tmp_path, serve=({"x": 0}, {"y": 2}))
    made = tflite_file.of(tmp_path, tflite_parts.with_outputs(there, "inner", {"x": 0}, {"hidden": 1, "y": 2}))
    assert list(made.signatures) == ["inner"]
    assert {t.name: t.tensor for t in made.signatures["inner"].outputs} == {"hidden": 1, "y": 2}
    assert made.subgraphs[0].outputs == (1, 2)


def test_one_operator_stands_alone(tmp_path: Path) -> None:
    there = read(tmp_path)
    assert [o.op for o in there.operators] == ["FULLY_CONNECTED", "SOFTMAX"]
    (tmp_path / "alone.tflite").write_bytes(tflite_parts.one_operator(there, "serving_default", 1, {"a": 1}, {"b": 2}))
    alone = inner.read(tmp_path / "alone.tflite")
    assert [o.op for o in alone.operators] == ["SOFTMAX"]
    assert (alone.inputs, alone.outputs) == ((1,), (2,))


def test_a_graph_without_a_list_of_outputs_is_refused(tmp_path: Path) -> None:
    """A file that another program wrote: the field is absent from the subgraph's table."""
    names = [tflite_builder.tensor(name, [4], "float32", 0) for name in "xy"]
    operator = {0: ("I", 0), 1: ("i", [0]), 2: ("i", [1])}
    main = {0: names, 1: ("i", [0]), 3: [operator]}
    (tmp_path / "m.tflite").write_bytes(flatbuffer_writer.model({0: ("I", 3), 1: [{0: ("b", 101), 3: ("i", 101)}], 2: [main], 4: [{}]}))
    with pytest.raises(CrossloadError, match="states no inputs or no outputs at all"):
        tflite_parts.with_more_outputs(inner.read(tmp_path / "m.tflite"), [1])


def test_further_outputs_follow_the_file_s_own(tmp_path: Path) -> None:
    made = tflite_file.of(tmp_path, tflite_parts.with_more_outputs(read(tmp_path, serve=({"x": 0}, {"y": 2})), [1]))
    assert made.subgraphs[0].outputs == (2, 1)
    assert [t.name for t in made.signatures["serve"].outputs] == ["y"]
