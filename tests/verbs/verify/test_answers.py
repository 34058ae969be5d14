"""What answers tell of a signature: datatypes, and dimensions that the requests had a chance to change."""

from __future__ import annotations

import numpy as np
import pytest

from crossload.contract.signatures import Signature, TensorSpec
from crossload.contract.vectors import Vector
from crossload.verbs.verify.answers import completed

Shape = tuple[int, ...]


def learnt(taken: Shape | None, *pairs: tuple[Shape, Shape]) -> TensorSpec:
    """The output of a signature whose input has the shape `taken`, from the shapes of requests and answers."""
    signature = Signature((TensorSpec("x", "FP32", taken),), (TensorSpec("y", "DT_0", None),))
    return completed(signature, [Vector("v", {"x": np.zeros(x, np.float32)}, {"y": np.zeros(y, np.int32)}) for x, y in pairs]).outputs[0]


@pytest.mark.parametrize(
    ("taken", "pairs", "shape"),
    [
        ((-1, 4), [((1, 4), (1, 2)), ((3, 4), (3, 2))], (-1, 2)),
        ((-1, 4), [((1, 4), (1, 2))], (-1, -1)),
        ((-1, -1), [((1, 5), (1, 2)), ((3, 5), (3, 2))], (-1, -1)),
        ((-1, -1), [((1, 5), (1, 2)), ((3, 7), (3, 2))], (-1, 2)),
        ((1, 4), [((1, 4), (1, 2))], (1, 2)),
        (None, [((1, 4), (1, 2)), ((3, 4), (3, 2))], (-1, 2)),
        (None, [((2, 4), (2, 2))], (-1, -1)),
        (None, [((), (2,))], (2,)),
        ((-1, 4), [((1, 4), (1,)), ((3, 4), (3, 1))], None),
    ],
)
def test_a_dimension_is_stated_if_the_requests_could_have_changed_it(
    taken: Shape | None, pairs: list[tuple[Shape, Shape]], shape: Shape | None
) -> None:
    found = learnt(taken, *pairs)
    assert (found.datatype, found.shape) == ("INT32", shape)
