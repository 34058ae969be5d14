"""What a layer costs, against a count of each product by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from crossload.artifacts.tflite import layers
from crossload.artifacts.tflite.inner import Inner, Operator, Tensor


def graph(
    op: str, inputs: Sequence[Sequence[int] | None], output: Sequence[int], constants: Sequence[int] = (), kind: str = "FP32"
) -> Inner:
    """A subgraph of one operator; the inputs at the positions `constants` have values in the file."""
    size = {"FP32": 4, "INT8": 1}[kind]
    tensors = []
    for at, shape in enumerate(s for s in (*inputs, output) if s is not None):
        count = 1
        for d in shape:
            count *= d
        tensors.append(Tensor(at, f"t{at}", kind, tuple(shape), (), (), (0, count * size) if at in constants else None))
    at, indices = 0, []
    for shape in inputs:
        indices.append(-1 if shape is None else at)
        at += shape is not None
    operator = Operator(op, tuple(indices), (len(tensors) - 1,))
    return Inner(b"", None, 0, tuple(tensors), (operator,), (0,), (len(tensors) - 1,))


@pytest.mark.parametrize(
    ("op", "inputs", "output", "macs"),
    [
        ("CONV_2D", [(1, 8, 8, 3), (16, 5, 5, 3), (16,)], (1, 4, 4, 16), 4 * 4 * 16 * 5 * 5 * 3),
        ("CONV_2D", [(1, 8, 8, 4), (16, 1, 1, 2), (16,)], (1, 8, 8, 16), 8 * 8 * 16 * 2),  # two groups
        ("DEPTHWISE_CONV_2D", [(1, 8, 8, 3), (1, 3, 3, 6), (6,)], (1, 8, 8, 6), 8 * 8 * 6 * 3 * 3),
        ("FULLY_CONNECTED", [(2, 7), (5, 7), None], (2, 5), 2 * 5 * 7),
        ("TRANSPOSE_CONV", [(4,), (6, 3, 3, 2), (1, 4, 4, 2)], (1, 8, 8, 6), 4 * 4 * 2 * 6 * 3 * 3),
        ("CONV_3D", [(1, 4, 4, 4, 2), (3, 3, 3, 2, 5)], (1, 2, 2, 2, 5), 2 * 2 * 2 * 5 * 3 * 3 * 3 * 2),
        ("BATCH_MATMUL", [(3, 4, 5), (3, 5, 6)], (3, 4, 6), 3 * 4 * 6 * 5),
        ("BATCH_MATMUL", [(3, 5, 4), (3, 5, 6)], (3, 4, 6), 3 * 4 * 6 * 5),  # the first one is turned
        ("SOFTMAX", [(1, 10)], (1, 10), 0),
    ],
)
def test_multiplications_are_those_of_the_loops(op: str, inputs: list[tuple[int, ...] | None], output: tuple[int, ...], macs: int) -> None:
    (layer,) = layers.of(graph(op, inputs, output))
    assert (layer.op, layer.macs) == (op, macs)


def test_bytes_of_constants_and_of_activations_are_apart() -> None:
    (layer,) = layers.of(graph("FULLY_CONNECTED", [(1, 7), (5, 7)], (1, 5), constants=[1], kind="INT8"))
    assert (layer.weight_bytes, layer.activation_bytes) == (35, 12)


def test_a_step_of_a_recurrent_layer_meets_all_its_matrices() -> None:
    (layer,) = layers.of(graph("UNIDIRECTIONAL_SEQUENCE_LSTM", [(1, 9, 4), (6, 4), (6, 6), (6,)], (1, 9, 6), constants=[1, 2, 3]))
    assert layer.macs == 9 * (6 * 4 + 6 * 6)
