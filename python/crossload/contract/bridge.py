"""Bridges: a tensor of a datatype that a runtime lacks travels as one that every runtime has, and back, bit for bit.

The table is in bindings/contract/README.md; bindings/contract/bridge.json has values of every pair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossload.contract import datatypes
from crossload.errors import FrameError

if TYPE_CHECKING:
    import numpy as np

# The datatypes with a tensor type in every release of TensorFlow Java.
EVERYWHERE = ("BOOL", "BYTES", "FP32", "FP64", "INT32", "INT64", "UINT8")
_CAST = {
    "INT8": "INT32", "INT16": "INT32", "UINT16": "INT32", "UINT32": "INT64", "INT4": "INT32", "UINT4": "INT32",
    "FP16": "FP32", "BF16": "FP32", "FP8_E4M3FN": "FP32", "FP8_E5M2": "FP32",
}  # fmt: skip
# The same bytes under another datatype; a complex number is two floats, in a last axis of 2.
_SAME_BITS = {"UINT64": "INT64", "COMPLEX64": "FP32", "COMPLEX128": "FP64"}
CARRIERS = _CAST | _SAME_BITS


def is_cast(datatype: str) -> bool:
    """Whether the carrier keeps the values (a cast), not the bits."""
    return datatype in _CAST


def to_carrier(array: np.ndarray) -> np.ndarray:
    """The array in its carrier datatype, in the same shape; complex numbers get a last axis of 2 (real, imaginary)."""
    import numpy as np

    datatype = datatypes.of_array(array)
    carrier = datatypes.numpy_dtype(CARRIERS[datatype])
    if is_cast(datatype):
        return array.astype(carrier)
    flat: np.ndarray = np.ascontiguousarray(array).reshape(-1).view(carrier)
    return flat.reshape((*array.shape, 2) if datatype.startswith("COMPLEX") else array.shape)


def from_carrier(array: np.ndarray, datatype: str) -> np.ndarray:
    """The array of `datatype` in its carrier; raises FrameError if the carrier's values do not fit that datatype."""
    import numpy as np

    people = datatypes.for_people(datatype)
    got = datatypes.of_array(array)
    if got != CARRIERS[datatype]:
        raise FrameError(f"{people} travels as {datatypes.for_people(CARRIERS[datatype])}, and {datatypes.for_people(got)} came back")
    wanted = datatypes.numpy_dtype(datatype)
    if is_cast(datatype):
        with np.errstate(invalid="ignore", over="ignore"):
            made = array.astype(wanted)
        if not np.array_equal(made.astype(array.dtype), array, equal_nan=array.dtype.kind == "f"):
            raise FrameError(f"what came back as {datatypes.for_people(got)} is no {people}: a value does not fit")
        return made
    shape = array.shape
    if datatype.startswith("COMPLEX"):
        if shape[-1:] != (2,):
            raise FrameError(f"{people} travels with a last axis of 2, and the shape {list(shape)} came back")
        shape = shape[:-1]
    flat: np.ndarray = np.ascontiguousarray(array).reshape(-1).view(wanted)
    return flat.reshape(shape)
