"""Datatypes: arrays round-trip over the wire bit for bit, and names and numbers match TensorFlow's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto import types_pb2

from crossload.contract import datatypes
from crossload.contract.datatypes import DATATYPES
from crossload.errors import FrameError

FIXED = sorted(name for name, d in DATATYPES.items() if d.size)
shapes = st.lists(st.integers(0, 3), max_size=6).map(tuple)


@given(st.sampled_from(FIXED), shapes, st.data())
def test_fixed_size_elements_round_trip_bit_for_bit(name: str, shape: tuple[int, ...], data: st.DataObject) -> None:
    size = int(np.prod(shape, dtype=int)) * DATATYPES[name].size
    bits = {"BOOL": range(2), "UINT4": range(16), "INT4": [*range(8), *range(248, 256)]}.get(name, range(256))
    element = st.sampled_from(bits)
    wire = bytes(data.draw(st.lists(element, min_size=size, max_size=size)))
    array = datatypes.decode(name, shape, wire)
    assert (array.shape, datatypes.of_array(array), bytes(datatypes.encode(array))) == (shape, name, wire)


@given(st.lists(st.binary(max_size=6)))
def test_strings_of_any_bytes_round_trip(elements: list[bytes]) -> None:
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    assert datatypes.decode("BYTES", (len(elements),), datatypes.encode(array)).tolist() == elements


def test_text_is_utf8_on_the_wire() -> None:
    assert bytes(datatypes.encode(np.array(["ä"]))) == b"\x02\0\0\0\xc3\xa4"


@pytest.mark.parametrize("name", sorted(DATATYPES))
def test_names_and_numbers_are_those_of_types_proto(name: str) -> None:
    known = DATATYPES[name]
    number = getattr(
        types_pb2,
        {"float32": "DT_FLOAT", "float64": "DT_DOUBLE", "float16": "DT_HALF"}.get(known.tensorflow, f"DT_{known.tensorflow.upper()}"),
    )
    assert known.enum == number
    assert datatypes.from_enum(number) == datatypes.from_enum(number + 100) == name
    assert datatypes.from_tensorflow(datatypes.for_people(name)) == name


@pytest.mark.parametrize("name", FIXED)
def test_an_element_has_numpys_size(name: str) -> None:
    assert datatypes.numpy_dtype(name).itemsize == DATATYPES[name].size


def test_a_type_without_tensors_on_the_wire_keeps_its_number() -> None:
    assert datatypes.from_enum(types_pb2.DT_RESOURCE) == "DT_20"


@pytest.mark.parametrize(
    "array", [np.arange(4, dtype=">i4"), np.arange(8, dtype="<i4")[::2], np.asfortranarray(np.arange(6, dtype="<i4").reshape(2, 3))]
)
def test_arrays_of_any_layout_are_little_endian_and_row_major_on_the_wire(array: np.ndarray) -> None:
    assert bytes(datatypes.encode(array)) == array.astype("<i4").tobytes(order="C")


def test_an_array_in_wire_layout_is_not_copied() -> None:
    array = np.zeros(4, "float32")
    encoded = datatypes.encode(array)
    array[0] = 1
    assert bytes(encoded[:4]) == b"\0\0\x80\x3f"


@pytest.mark.parametrize(
    ("name", "shape", "data"),
    [
        ("FP32", (2,), bytes(4)),
        ("FP32", (1,), bytes(5)),
        ("FP32", (-1,), bytes(8)),
        ("FP32", (1,) * 100, bytes(4)),
        ("BOOL", (2,), b"\x01\x02"),
        ("BYTES", (2,), bytes(4)),
        ("BYTES", (0,), bytes(4)),
        ("BYTES", (-1,), bytes(4)),
        ("BYTES", (1 << 40, 1 << 40), bytes(4)),
        ("BYTES", (1,), b"\x05\0\0\0abcd"),
        ("BYTES", (1,), b"\x05\0"),
        ("FP31", (1,), bytes(4)),
    ],
)
def test_bytes_that_are_not_the_tensor_are_refused(name: str, shape: tuple[int, ...], data: bytes) -> None:
    with pytest.raises(FrameError):
        datatypes.decode(name, shape, data)


@pytest.mark.parametrize("array", [np.zeros(1, "datetime64[s]"), np.zeros(1, "longdouble"), np.zeros(1, [("a", "i4")])])
def test_an_array_without_a_datatype_in_the_contract_is_refused(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cast"):
        datatypes.of_array(array)


def test_a_string_tensor_of_other_objects_is_refused() -> None:
    with pytest.raises(ValueError, match="bytes or text, not int"):
        datatypes.encode(np.array([1, "a"], dtype=object))


def test_int4_is_sign_extended_on_the_wire() -> None:
    import ml_dtypes
    import numpy as np

    assert bytes(datatypes.encode(np.array([-8, -1, 0, 7], ml_dtypes.int4))) == b"\xf8\xff\x00\x07"
