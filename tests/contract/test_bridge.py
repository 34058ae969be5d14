"""Bridges: every datatype that a release of TensorFlow Java lacks round-trips bit for bit through one that all releases have."""

from __future__ import annotations

import json
import runpy
from typing import Any

import numpy as np
import pytest

from crossload.contract import bridge, datatypes
from crossload.errors import FrameError
from tests import CONTRACT

VALUES: list[dict[str, Any]] = json.loads((CONTRACT / "bridge.json").read_text())


def sides(value: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    own = datatypes.decode(value["datatype"], tuple(value["shape"]), bytes.fromhex(value["bytes"]))
    return own, datatypes.decode(value["carrier"], tuple(value["carrier_shape"]), bytes.fromhex(value["carrier_bytes"]))


def test_every_datatype_has_a_carrier_or_is_in_every_release() -> None:
    assert {*bridge.CARRIERS, *bridge.EVERYWHERE} == set(datatypes.DATATYPES)
    assert set(bridge.CARRIERS.values()) <= set(bridge.EVERYWHERE)


def test_every_pair_has_example_values_and_is_listed_in_the_contract() -> None:
    assert {(v["datatype"], v["carrier"]) for v in VALUES} == set(bridge.CARRIERS.items())
    text = (CONTRACT / "README.md").read_text(encoding="utf-8")
    assert not [d for d, c in bridge.CARRIERS.items() if f"| `{d}` | `{c}` |" not in text]


def test_the_example_values_match_their_script(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(CONTRACT / "make_bridge.py"), run_name="__main__")
    assert capsys.readouterr().out == (CONTRACT / "bridge.json").read_text()


@pytest.mark.parametrize("value", VALUES, ids=lambda v: f"{v['datatype']}{v['shape']}")
def test_a_value_round_trips_through_its_carrier_bit_for_bit(value: dict[str, Any]) -> None:
    own, carried = sides(value)
    assert bytes(datatypes.encode(bridge.to_carrier(own))).hex() == value["carrier_bytes"]
    assert bridge.to_carrier(own).shape == carried.shape
    back = bridge.from_carrier(carried, value["datatype"])
    assert (bytes(datatypes.encode(back)).hex(), back.shape, back.dtype) == (value["bytes"], own.shape, own.dtype)


@pytest.mark.parametrize("datatype", bridge.CARRIERS)
def test_an_empty_tensor_keeps_its_shape(datatype: str) -> None:
    own = np.zeros((2, 0, 3), datatypes.numpy_dtype(datatype))
    back = bridge.from_carrier(bridge.to_carrier(own), datatype)
    assert (back.shape, back.dtype) == (own.shape, own.dtype)


@pytest.mark.parametrize(
    ("array", "datatype", "says"),
    [
        (np.array([128], np.int32), "INT8", "is no int8: a value does not fit"),
        (np.array([-1], np.int32), "UINT16", "is no uint16: a value does not fit"),
        (np.array([8], np.int32), "INT4", "is no int4: a value does not fit"),
        (np.array([1 + 2**-12], np.float32), "FP16", "is no float16: a value does not fit"),
        (np.array([1e6], np.float32), "FP16", "is no float16: a value does not fit"),
        (np.array([1, 2, 3], np.float32), "COMPLEX64", "with a last axis of 2, and the shape [3] came back"),
        (np.array([1], np.int64), "INT8", "int8 travels as int32, and int64 came back"),
    ],
)
def test_a_returned_value_outside_the_datatype_is_refused(array: np.ndarray, datatype: str, says: str) -> None:
    with pytest.raises(FrameError) as refused:
        bridge.from_carrier(array, datatype)
    assert says in str(refused.value)
