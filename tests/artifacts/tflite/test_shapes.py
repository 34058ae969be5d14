"""A batch that is written into a .tflite: found in the file, and named behind an interpreter's own error."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossload.artifacts.tflite import inner, shapes, tflite_file
from crossload.artifacts.tflite.inner import Inner, Operator, Tensor
from tests.corpus import handmade
from tests.corpus.handmade import Lite


def tensor(index: int, shape: tuple[int, ...], free: tuple[int, ...] = ()) -> Tensor:
    return Tensor(index, f"t{index}", "FP32", shape, (), (), None, free=free)


def graph(op: str, made: Tensor, *others: Tensor) -> Inner:
    x = tensor(0, (1, 8), (-1, 8))
    operator = Operator(op, (0, *(t.index for t in others)), (made.index,))
    tensors = {t.index: t for t in (x, made, *others)}
    return Inner(b"", None, 0, tuple(tensors.get(n) or tensor(n, (1,)) for n in range(1 + max(tensors))), (operator,), (0,), (made.index,))


@pytest.mark.parametrize(
    ("op", "made", "batch", "remedy"),
    [
        ("RESHAPE", tensor(1, (1, 4, 2)), 1, "write -1 for the batch in the model (tf.reshape(x, [-1, 4, 2]))"),
        ("RESHAPE", tensor(1, (6, 4)), 3, "has the fixed shape [6, 4]"),
        ("ADD", tensor(1, (4, 8)), 4, "joins the batch with a value of the fixed batch 4: give that one row, or tf.shape(x)[0] rows"),
        ("CONCATENATION", tensor(1, (1, 16)), 1, "give that tf.shape(x)[0] rows in the model"),
        ("BROADCAST_TO", tensor(1, (4, 8)), 4, "take the batch from tf.shape(x)[0]"),
    ],
)
def test_an_operator_that_loses_the_batch_is_found_with_what_to_change(op: str, made: Tensor, batch: int, remedy: str) -> None:
    (found,) = shapes.fixed_batches(graph(op, made))
    assert (found.at, found.op, found.batch) == (0, op, batch)
    assert remedy in found.sentence


@pytest.mark.parametrize(
    ("op", "made"),
    [
        ("RESHAPE", tensor(1, (1, 4, 2), (-1, 4, 2))),
        ("ADD", tensor(1, (1, 8), (-1, 8))),
        ("SHAPE", tensor(1, (2,))),
        ("MEAN", tensor(1, (8,))),
        ("RESHAPE", tensor(1, ())),
    ],
)
def test_what_keeps_or_may_lose_the_batch_is_not_blamed(op: str, made: Tensor) -> None:
    assert shapes.fixed_batches(graph(op, made)) == []


def test_a_real_model_of_a_free_batch_has_none(demo: Path) -> None:
    assert shapes.fixed_batches(inner.read_all(demo / "model.tflite")[0]) == []


def test_an_error_that_names_a_node_gets_the_node_s_value(demo: Path) -> None:
    said = shapes.about(demo / "model.tflite", "serving_default", "x != y Node number 1 (MAX_POOL_2D) failed to prepare.")
    assert said.startswith("operator #1 MAX_POOL_2D makes 'digits")
    assert said.endswith("which the file has as [-1, 4, 4, 16]")


@pytest.mark.parametrize("error", ["Node number 1 (ADD) failed", "Node number 99 (ADD) failed", "out of memory"])
def test_an_error_about_no_operator_of_the_graph_is_left_as_it_is(demo: Path, tmp_path: Path, error: str) -> None:
    assert shapes.about(demo / "model.tflite", "serving_default", error) == ""
    assert shapes.about(tmp_path / "gone.tflite", None, error) == ""


def test_a_tensor_without_dimensions_has_any_rank_where_the_file_tells_ranks(tmp_path: Path) -> None:
    scalar, known = handmade.Tensor("x", shape=()), handmade.Tensor("y")
    (tmp_path / "old.tflite").write_bytes(Lite(tensors=[scalar, known]).build())
    assert tflite_file.read(tmp_path / "old.tflite").inputs[0].shape == ()
    known.has_rank = True
    (tmp_path / "new.tflite").write_bytes(Lite(tensors=[scalar, known]).build())
    assert tflite_file.read(tmp_path / "new.tflite").inputs[0].shape is None
    scalar.has_rank = True
    (tmp_path / "scalar.tflite").write_bytes(Lite(tensors=[scalar, known]).build())
    assert tflite_file.read(tmp_path / "scalar.tflite").inputs[0].shape == ()
