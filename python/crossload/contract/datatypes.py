"""The contract's datatypes: their names, TensorFlow's names and enum numbers, sizes, and NumPy's dtypes.

Sources: Open Inference Protocol v2 (`tensor data types`), `tensorflow/core/framework/types.proto` (enum DataType).
NumPy and ml_dtypes are imported only when arrays are made: reading a model's signatures needs neither.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from crossload.errors import FrameError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Datatype:
    """One element type: contract name, TensorFlow name, `types.proto` number, bytes of an element (0: BYTES)."""

    name: str
    tensorflow: str
    enum: int
    size: int


_ALL = (
    Datatype("FP32", "float32", 1, 4),
    Datatype("FP64", "float64", 2, 8),
    Datatype("INT32", "int32", 3, 4),
    Datatype("UINT8", "uint8", 4, 1),
    Datatype("INT16", "int16", 5, 2),
    Datatype("INT8", "int8", 6, 1),
    Datatype("BYTES", "string", 7, 0),
    Datatype("COMPLEX64", "complex64", 8, 8),
    Datatype("INT64", "int64", 9, 8),
    Datatype("BOOL", "bool", 10, 1),
    Datatype("BF16", "bfloat16", 14, 2),
    Datatype("UINT16", "uint16", 17, 2),
    Datatype("COMPLEX128", "complex128", 18, 16),
    Datatype("FP16", "float16", 19, 2),
    Datatype("UINT32", "uint32", 22, 4),
    Datatype("UINT64", "uint64", 23, 8),
    Datatype("FP8_E5M2", "float8_e5m2", 24, 1),
    Datatype("FP8_E4M3FN", "float8_e4m3fn", 25, 1),
    Datatype("INT4", "int4", 29, 1),
    Datatype("UINT4", "uint4", 30, 1),
)
DATATYPES = {d.name: d for d in _ALL}
_BY_ENUM = {d.enum: d for d in _ALL}
_BY_TENSORFLOW = {d.tensorflow: d for d in _ALL}
INTEGER_RANGES = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-(1 << 15), (1 << 15) - 1)}
# The valid byte values of elements narrower than a byte: languages read any other byte differently.
_RANGES = {"BOOL": (0, 1), "INT4": (-8, 7), "UINT4": (0, 15)}
_ML_DTYPES = {"BF16", "FP8_E5M2", "FP8_E4M3FN", "INT4", "UINT4"}


def from_enum(number: int) -> str:
    """The contract's name of a `types.proto` DataType number; a reference type (number + 100) gives its base type.

    A number without a tensor on the wire (resource, variant, quantised types) gives `DT_<number>`.
    """
    found = _BY_ENUM.get(number - 100 if number > 100 else number)
    return found.name if found else f"DT_{number}"


def from_tensorflow(name: str) -> str:
    """The contract's name of TensorFlow's (`float32` gives `FP32`); raises KeyError for a type without tensors on the wire."""
    return _BY_TENSORFLOW[name].name


def for_people(name: str) -> str:
    """TensorFlow's name of the contract's (`FP32` gives `float32`), unknown names as they are."""
    known = DATATYPES.get(name)
    return known.tensorflow if known else name


def size(name: str) -> int:
    """The bytes of an element, 0 for BYTES; raises FrameError for a datatype the contract does not have."""
    return _known(name).size


def numpy_dtype(name: str) -> np.dtype:
    """The NumPy dtype (`object` for BYTES); raises FrameError for a datatype the contract does not have."""
    import numpy as np

    known = _known(name)
    if known.name == "BYTES":
        return np.dtype(object)
    if known.name in _ML_DTYPES:
        import ml_dtypes

        found: np.dtype = np.dtype(getattr(ml_dtypes, known.tensorflow))
        return found
    return np.dtype(known.tensorflow)


def _known(name: str) -> Datatype:
    if name not in DATATYPES:
        raise FrameError(f"datatype {name!r} is not in the contract")
    return DATATYPES[name]


def of_array(array: np.ndarray) -> str:
    """The contract's datatype of an array; text and object arrays are BYTES.

    Raises ValueError for a dtype without a place in the contract (datetimes, records, longdouble).
    """
    return _of_dtype(array.dtype)


@cache  # NumPy computes a dtype's name each time, which slows down small calls
def _of_dtype(dtype: np.dtype) -> str:
    if dtype.kind in "OSU":
        return "BYTES"
    known = _BY_TENSORFLOW.get(dtype.name)
    if known is None:
        raise ValueError(f"arrays of {dtype} cannot be tensors; cast to one of TensorFlow's datatypes first")
    return known.name


def encode(array: np.ndarray) -> bytes | memoryview:
    """An array's bytes on the wire: little-endian, row major; no copy if the array already has this layout."""
    import numpy as np

    if of_array(array) == "BYTES":
        return b"".join(
            struct.pack("<I", len(element)) + element for element in (_as_bytes(e) for e in np.asarray(array, dtype=object).ravel())
        )
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    if array.dtype.name == "int4":
        array = array.astype(np.int8)  # ml_dtypes leaves the upper half of the byte empty, the contract extends the sign
    array = np.ascontiguousarray(array)
    return array.reshape(-1).view(np.uint8).data


def decode(name: str, shape: tuple[int, ...], data: bytes | bytearray | memoryview) -> np.ndarray:
    """The array of these wire bytes: a view of fixed-size data, an object array of `bytes` for BYTES.

    Raises FrameError if the bytes do not fill the shape exactly, or are not valid for the datatype.
    """
    import numpy as np

    dtype = numpy_dtype(name)
    elements = decode_bytes(data) if name == "BYTES" else []
    if -1 in shape:  # NumPy would infer it
        raise FrameError(f"a tensor's shape cannot be {list(shape)}")
    try:
        if name == "BYTES":
            array: np.ndarray = np.empty(len(elements), dtype=object)
            array[:] = elements
        else:
            array = np.frombuffer(data, dtype=dtype)
        array = array.reshape(shape)
    except (ValueError, OverflowError) as error:
        have = f"{len(elements)} elements" if name == "BYTES" else f"{len(data)} bytes"
        raise FrameError(f"{have} do not make a {for_people(name)} tensor of shape {list(shape)}") from error
    if name in _RANGES and array.size:
        low, high, integers = *_RANGES[name], np.frombuffer(data, np.int8 if name == "INT4" else np.uint8)
        if integers.min() < low or integers.max() > high:
            raise FrameError(f"{for_people(name)} tensor: an element's byte is not one of {low} to {high}")
    return array


def decode_bytes(data: bytes | bytearray | memoryview) -> list[bytes]:
    """The elements of a BYTES tensor; raises FrameError when a length points outside the data."""
    view, elements, at = memoryview(data), [], 0
    while at < len(view):
        if at + 4 > len(view):
            raise FrameError("a BYTES tensor ends inside an element's length")
        (length,) = struct.unpack_from("<I", view, at)
        at += 4
        if at + length > len(view):
            raise FrameError("a BYTES tensor ends inside an element")
        elements.append(bytes(view[at : at + length]))
        at += length
    return elements


def _as_bytes(element: object) -> bytes:
    if isinstance(element, bytes):
        return element
    if isinstance(element, str):
        return element.encode("utf-8", "surrogateescape")
    raise ValueError(f"a string tensor holds bytes or text, not {type(element).__name__}")
