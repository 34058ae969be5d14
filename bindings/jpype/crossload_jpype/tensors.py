"""NumPy arrays as the bytes that TensorFlow Java exchanges: datatypes by the contract's names, strings with their lengths."""

from __future__ import annotations

import struct

import ml_dtypes
import numpy as np

_INTEGERS = {f"{sign}INT{bits}": np.dtype(f"{sign.lower()}int{bits}") for sign in ("", "U") for bits in (8, 16, 32, 64)}
_SMALL = {
    "BF16": "bfloat16",
    "INT4": "int4",
    "UINT4": "uint4",
    "FP8_E4M3FN": "float8_e4m3fn",
    "FP8_E5M2": "float8_e5m2",
}
DTYPES: dict[str, np.dtype] = {
    "BOOL": np.dtype(bool),
    "BYTES": np.dtype(object),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "COMPLEX64": np.dtype(np.complex64),
    "COMPLEX128": np.dtype(np.complex128),
    **{name: np.dtype(getattr(ml_dtypes, dtype)) for name, dtype in _SMALL.items()},
    **_INTEGERS,
}
_DATATYPES = {dtype: name for name, dtype in DTYPES.items()}


def datatype_of(dtype: np.dtype) -> str:
    """The contract's datatype of a NumPy dtype; raises ValueError for a dtype without one."""
    if dtype.kind in "OSU":
        return "BYTES"
    if dtype not in _DATATYPES:
        raise ValueError(f"arrays of {dtype} have no datatype in the contract")
    return _DATATYPES[dtype]


def for_people(datatype: str) -> str:
    """TensorFlow's name of a datatype: NumPy's, but `string` for BYTES."""
    return "string" if datatype == "BYTES" else DTYPES[datatype].name


def to_bytes(array: np.ndarray) -> memoryview:
    """The array's bytes in row-major order, copied only if they lie in another order; each string is its uint32 length and its bytes."""
    if datatype_of(array.dtype) == "BYTES":
        texts = [element if isinstance(element, bytes) else str(element).encode() for element in array.ravel()]
        return memoryview(b"".join(part for text in texts for part in (struct.pack("<I", len(text)), text)))
    if array.dtype == DTYPES["INT4"]:  # ml_dtypes leaves the upper half of the byte open; the contract extends the sign
        array = array.astype(np.int8)
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def strings(packed: bytes, shape: list[int]) -> np.ndarray:
    """The object array of `bytes` that `to_bytes` packed; raises ValueError where they do not fill the shape."""
    elements, at = [], 0
    while at < len(packed):
        (length,) = struct.unpack_from("<I", packed, at)
        elements.append(packed[at + 4 : at + 4 + length])
        at += 4 + length
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    return array.reshape(shape)
