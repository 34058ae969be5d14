"""Real values of quantised tensors to stored integers and back, by tensor and by channel."""

from __future__ import annotations

import numpy as np

from crossload.contract.signatures import TensorSpec
from crossload.inputs.quantization import hint, real, stored


def test_a_value_is_stored_as_the_nearest_integer_within_the_datatype() -> None:
    spec = TensorSpec("x", "INT8", None, quantization={"scale": [0.5], "zero_point": [-8]})
    made = stored(np.float32([0, 0.6, 1000, -1000]), spec)
    assert (made.dtype, made.tolist()) == (np.int8, [-8, -7, 127, -128])
    assert real(made, spec).tolist() == [0, 0.5, 67.5, -60]


def test_each_channel_has_its_own_scale() -> None:
    spec = TensorSpec("x", "UINT8", None, quantization={"scale": [1.0, 0.5], "zero_point": [0, 10], "axis": 1})
    assert stored(np.float32([[2, 2]]), spec).tolist() == [[2, 14]]
    assert real(np.uint8([[2, 14]]), spec).tolist() == [[2, 2]]


def test_a_plain_tensor_stays_as_it_is() -> None:
    array, spec = np.float32([0.25]), TensorSpec("x", "FP32", None)
    assert stored(array, spec) is array and real(array, spec) is array and hint(spec, array) == ""
