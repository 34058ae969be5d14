"""The inside of a .tflite: versions of operators, quantisation, sizes, and the subgraphs that control flow runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import tflite as schema

from crossload.artifacts.tflite import inner
from crossload.errors import ArtifactError
from tests.corpus.handmade import Lite, Tensor


def read(path: Path, made: Lite) -> list[inner.Inner]:
    path.write_bytes(made.build())
    return inner.read_all(path)


def test_every_subgraph_is_read_with_its_name_and_signature(tmp_path: Path) -> None:
    made = Lite(signatures={"serve": ({"x": 0}, {"y": 1})}, repeat_subgraphs=2)
    assert [(g.subgraph, g.name, g.key) for g in read(tmp_path / "m.tflite", made)] == [(0, "main", "serve"), (1, "main", None)]


def test_a_tensor_has_its_quantisation_free_dimensions_and_bytes(tmp_path: Path) -> None:
    int4 = Tensor("y", kind=schema.TensorType.INT4, shape=(3, 3), scale=[0.5, 0.25, 1], zero_point=[0, 1, 2], axis=1)
    (graph,) = read(tmp_path / "m.tflite", Lite(tensors=[Tensor("x", shape=(1, 4), free=(-1, 4)), int4]))
    x, y = graph.tensors
    assert (x.free, x.size_bytes, x.quantised) == ((-1, 4), 16, False)
    assert (y.scale, y.zero_point, y.axis, y.size_bytes) == ((0.5, 0.25, 1.0), (0, 1, 2), 1, 5)


def test_strings_and_absurd_shapes_have_no_size(tmp_path: Path) -> None:
    tensors = [Tensor("x", kind=schema.TensorType.STRING), Tensor("y", shape=(-7, 4))]
    assert [t.size_bytes for t in read(tmp_path / "m.tflite", Lite(tensors=tensors))[0].tensors] == [None, None]


def test_an_operator_that_refers_to_a_missing_tensor_is_damage(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"an operator refers to tensor 1 of 1; copy or convert it again"):
        read(tmp_path / "m.tflite", Lite(tensors=[Tensor("x")], outputs=[0]))


def test_a_real_model_s_operators_have_their_versions(demo: Path) -> None:
    (graph,) = inner.read_all(demo / "model.tflite")
    assert [(o.op, o.version) for o in graph.operators][:2] == [("CONV_2D", 1), ("MAX_POOL_2D", 1)]
    assert inner.read(demo / "model.tflite").operators == graph.operators
