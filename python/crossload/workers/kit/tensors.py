"""Tensors of the contract as NumPy arrays and back (bindings/contract/README.md, section Frame)."""

from __future__ import annotations

import struct
from itertools import chain

import ml_dtypes
import numpy as np

DTYPES = {
    "BOOL": np.dtype(bool),
    "BYTES": np.dtype(object),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "COMPLEX64": np.dtype(np.complex64),
    "COMPLEX128": np.dtype(np.complex128),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "INT4": np.dtype(ml_dtypes.int4),
    "UINT4": np.dtype(ml_dtypes.uint4),
    "FP8_E4M3FN": np.dtype(ml_dtypes.float8_e4m3fn),
    "FP8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
    **{f"{sign}INT{bits}": np.dtype(f"{sign.lower()}int{bits}") for sign in ("", "U") for bits in (8, 16, 32, 64)},
}
ITEMSIZES = {name: 0 if dtype.hasobject else dtype.itemsize for name, dtype in DTYPES.items()}  # 0: each element has its own
_DATATYPES = {dtype: name for name, dtype in DTYPES.items()}


def datatype_of(dtype: np.dtype | type) -> str:
    """The contract's datatype of a NumPy dtype; raises ValueError where there is none."""
    dtype = np.dtype(dtype)
    if dtype.kind in "OSU":
        return "BYTES"
    if dtype not in _DATATYPES:
        what = "a resource" if dtype.fields else f"an array of {dtype}"
        raise ValueError(f"{what} cannot be sent as a tensor")
    return _DATATYPES[dtype]


def for_people(datatype: str) -> str:
    """TensorFlow's name of a datatype: NumPy's, but for strings."""
    return "string" if datatype == "BYTES" else DTYPES[datatype].name


def decode(datatype: str, shape: list[int], data: np.ndarray) -> np.ndarray:
    """The array of a tensor's bytes (`data`: uint8, one dimension), sharing them; an object array of `bytes` for BYTES.

    Raises ValueError where the strings do not fill the shape exactly.
    """
    if datatype != "BYTES":
        return data.view(DTYPES[datatype]).reshape(shape)
    packed, elements, at = data.tobytes(), [], 0
    while at < len(packed):
        start = at + 4
        at = start + int.from_bytes(packed[at:start], "little")
        if start > len(packed) or at > len(packed):
            raise ValueError("a BYTES tensor ends inside an element")
        elements.append(packed[start:at])
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    return array.reshape(shape)


def encode(array: np.ndarray) -> memoryview:
    """An array's bytes on the wire, without a copy where it is in row-major order already."""
    datatype = datatype_of(array.dtype)
    if datatype == "BYTES":
        texts = [e if isinstance(e, bytes) else str(e).encode() for e in array.ravel()]
        return memoryview(b"".join(chain.from_iterable((struct.pack("<I", len(t)), t) for t in texts)))
    if datatype == "INT4":  # ml_dtypes leaves the upper half of the byte open; the contract extends the sign
        array = array.astype(np.int8)
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
