"""Requests: seeded, shaped as the signature says, and the user's inputs refused when they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossload.contract.datatypes import DATATYPES, of_array
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import CrossloadError
from crossload.requests import Wishes, complete, from_npz, requests

OUT = (TensorSpec("y", "FP32", None),)


def signature(*inputs: TensorSpec) -> Signature:
    return Signature(inputs, OUT)


@pytest.mark.parametrize("datatype", DATATYPES)
def test_every_datatype_gets_requests_of_its_datatype(datatype: str) -> None:
    made = requests(signature(TensorSpec("x", datatype, (-1, 2))), Wishes())
    assert len(made) == 8
    assert {of_array(v.inputs["x"]) for v in made} == {datatype}


def test_there_is_a_batch_of_one_one_of_several_zeros_and_extremes() -> None:
    made = {v.id: v.inputs["x"] for v in requests(signature(TensorSpec("x", "FP32", (-1, 4))), Wishes(count=4))}
    assert made["single_0"].shape == (1, 4)
    assert made["batch_0"].shape == (3, 4)
    assert not made["zeros"].any()
    assert made["extremes"].tolist() != made["zeros"].tolist()


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    spec = signature(TensorSpec("x", "FP32", (-1, 4)), TensorSpec("s", "BYTES", (-1,)))

    def made(seed: int) -> list[bytes]:
        return [b"".join([v.inputs["x"].tobytes(), *v.inputs["s"].ravel()]) for v in requests(spec, Wishes(seed=seed))]

    assert made(0) == made(0)
    assert made(0) != made(1)


def test_a_default_value_is_fed_and_kept() -> None:
    spec = signature(TensorSpec("x", "FP32", (-1,)), TensorSpec("k", "INT32", (), default={"shape": [], "data": [7]}))
    assert complete(spec, {"x": np.float32([1])})["k"] == 7
    assert requests(spec, Wishes())[0].inputs["k"] == 7


def test_sparse_components_belong_together() -> None:
    spec = signature(
        TensorSpec("x/values", "FP32", (-1,)), TensorSpec("x/indices", "INT64", (-1, 3)), TensorSpec("x/dense_shape", "INT64", (3,))
    )
    for vector in requests(spec, Wishes()):
        values, indices, shape = (vector.inputs[f"x/{part}"] for part in ("values", "indices", "dense_shape"))
        assert indices.shape == (len(values), 3)
        assert (indices < shape).all()


def test_own_inputs_go_to_the_signature_they_fit(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x=np.float32([[1, 2]]))
    made = requests(signature(TensorSpec("x", "FP32", (-1, 2))), Wishes(count=1, inputs=(from_npz(tmp_path / "mine.npz"),)))
    assert [v.id for v in made] == ["single_0", "user_0"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"z": np.zeros((1, 2))}, "no input 'z'; the signature takes: x"),
        ({}, "the input 'x' is missing"),
        ({"x": np.zeros((1, 3), np.float32)}, r"shape \[-1, 2\] \(-1 is any\); \[1, 3\]"),
        ({"x": np.zeros((2,), np.float32)}, "shape"),
        ({"x": np.array([["a", "b"]])}, "is float32; string was given"),
        ({"x": np.float64([[0.1, 1]])}, "does not convert without loss"),
    ],
)
def test_an_input_that_does_not_fit_is_named(given: dict[str, np.ndarray], says: str) -> None:
    with pytest.raises(CrossloadError, match=says):
        complete(signature(TensorSpec("x", "FP32", (-1, 2))), given)


def test_pickled_inputs_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", x=np.array([object()], dtype=object))
    with pytest.raises(CrossloadError, match=r"cannot be read as \.npz"):
        from_npz(tmp_path / "evil.npz")
    (tmp_path / "no.npz").write_bytes(b"PK\3\4 but no zip")
    with pytest.raises(CrossloadError, match="cannot be read"):
        from_npz(tmp_path / "no.npz")
