"""Arrays that stress a wire format: for every datatype, values that casts, text and padding would change."""

from __future__ import annotations

import numpy as np

from crossload.contract import datatypes

SHAPES = {"scalar": (), "empty": (0,), "empty in the middle": (2, 0, 3), "rank 6": (1, 2, 1, 3, 1, 2)}


def array_of(tensorflow_name: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array of this datatype and shape: extremes, infinities, NaNs with a payload, NUL bytes, invalid UTF-8."""
    name, count = datatypes.from_tensorflow(tensorflow_name), int(np.prod(shape))
    if name == "BYTES":
        elements = [b"", b"\0", b"end\0\0", b"\xff\xfe no UTF-8", "Grüße".encode(), b"a" * 300]
        array = np.empty(count, dtype=object)
        array[:] = [elements[i % len(elements)] for i in range(count)]
        return array.reshape(shape)
    dtype = datatypes.numpy_dtype(name)
    random = np.random.default_rng(5)
    if name == "BOOL":
        return random.integers(0, 2, shape).astype(bool)
    if name in ("INT4", "UINT4"):
        return random.integers(-8 if name == "INT4" else 0, 8, shape).astype(dtype)
    return np.frombuffer(random.bytes(count * dtype.itemsize), dtype=dtype).reshape(shape)  # all bit patterns are valid


def same_bytes(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal in datatype, shape and every bit."""
    if one.dtype == datatypes.numpy_dtype("INT4") == other.dtype:  # ml_dtypes leaves the upper half of the byte undefined
        one, other = one.astype(np.int8), other.astype(np.int8)
    return one.shape == other.shape and one.dtype == other.dtype and bytes(datatypes.encode(one)) == bytes(datatypes.encode(other))
