"""Requests: seeded, in the signature's shapes; user inputs that do not fit are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossload.artifacts.graphs.composites import Composite
from crossload.contract.datatypes import DATATYPES, numpy_dtype, of_array
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import CrossloadError
from crossload.inputs.domains import Domain, Feature
from crossload.inputs.npz import from_npz
from crossload.inputs.requests import Requests, check_requests, complete, draw, extra, kept, of_ranks
from crossload.inputs.tf_example import features_of

OUT = (TensorSpec("y", "FP32", None),)


def signature(*inputs: TensorSpec) -> Signature:
    return Signature(inputs, OUT)


@pytest.mark.parametrize("datatype", DATATYPES)
def test_requests_have_the_datatype_of_the_input(datatype: str) -> None:
    made = draw(signature(TensorSpec("x", datatype, (-1, 2))), Requests())
    assert len(made) == 8
    assert {of_array(v.inputs["x"]) for v in made} == {datatype}


def test_requests_include_batches_of_one_and_several_zeros_and_extremes() -> None:
    made = {v.id: v.inputs["x"] for v in draw(signature(TensorSpec("x", "FP32", (-1, 4))), Requests(count=4))}
    assert made["single_0"].shape == (1, 4)
    assert made["batch_0"].shape == (3, 4)
    assert not made["zeros"].any()
    assert made["extremes"].tolist() != made["zeros"].tolist()


def test_an_input_of_unknown_rank_is_asked_as_a_vector_a_scalar_and_a_matrix() -> None:
    one = signature(TensorSpec("x", "FP32", None), TensorSpec("k", "INT32", (-1,)))
    tried = [{v.id: v.inputs["x"].shape for v in draw(one, r)} for r in of_ranks(one, Requests(count=2))]
    assert [t["batch_0"] for t in tried] == [(3,), (), (3, 32)]
    two = signature(TensorSpec("x", "FP32", None), TensorSpec("y", "FP32", None))
    assert [tuple(r.shapes.values()) for r in of_ranks(two, Requests())][:4] == [((-1,),) * 2, ((),) * 2, ((-1, 32),) * 2, ((-1,), ())]
    assert len(of_ranks(signature(*(TensorSpec(f"x{n}", "FP32", None) for n in range(60))), Requests())) == 12
    given = Requests(shapes={"x": (2, 2)})
    assert of_ranks(one, given) == [given]


def test_the_seed_determines_the_bytes() -> None:
    spec = signature(TensorSpec("x", "FP32", (-1, 4)), TensorSpec("s", "BYTES", (-1,)))

    def made(seed: int) -> list[bytes]:
        return [b"".join([v.inputs["x"].tobytes(), *v.inputs["s"].ravel()]) for v in draw(spec, Requests(seed=seed))]

    assert made(0) == made(0)
    assert made(0) != made(1)


def test_an_input_with_a_default_is_fed_and_omitted() -> None:
    spec = signature(TensorSpec("x", "FP32", (-1,)), TensorSpec("k", "INT32", (), default={"shape": [], "data": [7]}))
    assert complete(spec, {"x": np.float32([1])})["k"] == 7
    made = {v.id: v.inputs for v in draw(spec, Requests())}
    assert made["zeros"]["k"] == 7
    assert list(made["single_0"]) == ["x"]
    assert made["batch_0"]["k"].dtype == np.int32


def test_ragged_components_are_consistent() -> None:
    spec = signature(TensorSpec("x", "FP32", (-1, 3)), TensorSpec("x_1", "INT32", (-1,)), TensorSpec("x_2", "INT64", (-1,)))
    domain = Domain((Composite("ragged", ("x", "x_1", "x_2")),))
    for vector in draw(spec, Requests(count=12), domain):
        outer, inner = vector.inputs["x_1"], vector.inputs["x_2"]
        assert len(outer) - 1 == (3 if vector.id.startswith("batch") else 1)
        assert (len(inner) - 1, vector.inputs["x"].shape) == (outer[-1], (inner[-1], 3))
        assert all(splits[0] == 0 and (np.diff(splits) >= 0).all() for splits in (outer, inner))


def test_a_sparse_input_keeps_the_shape_its_function_states() -> None:
    spec = signature(TensorSpec("x", "INT64", (-1, 2)), TensorSpec("x_1", "FP32", (-1,)), TensorSpec("x_2", "INT64", (2,)))
    domain = Domain((Composite("sparse", ("x", "x_1", "x_2"), (-1, 5)),))
    for vector in draw(spec, Requests(), domain):
        places = vector.inputs["x"].tolist()
        assert vector.inputs["x_2"][1] == 5
        assert places == sorted(places)
        assert len({tuple(p) for p in places}) == len(places) == len(vector.inputs["x_1"])
        assert (vector.inputs["x"] < vector.inputs["x_2"]).all()


def test_strings_and_numbers_are_mostly_known_keys() -> None:
    spec = signature(TensorSpec("words", "BYTES", (-1, 20)), TensorSpec("ids", "INT64", (-1, 20)), TensorSpec("free", "INT64", (-1, 20)))
    made = draw(spec, Requests(), Domain(words=(b"gut", b"schlecht"), keys={"ids": (4711, 815)}))
    drawn = [v.inputs for v in made if v.id.startswith(("single", "batch"))]
    words = [w for v in drawn for w in v["words"].ravel()]
    ids = [n for v in drawn for n in v["ids"].ravel()]
    assert {b"gut", b"schlecht"} < set(words)
    assert {4711, 815} < set(ids)
    assert not {4711, 815} & {n for v in drawn for n in v["free"].ravel()}


def test_indices_are_drawn_over_the_whole_range_and_its_ends() -> None:
    spec = signature(TensorSpec("ids", "INT32", (-1, 50)))
    made = {v.id: v.inputs["ids"] for v in draw(spec, Requests(), Domain(sizes={"ids": 100}))}
    assert all(((ids >= 0) & (ids < 100)).all() and ids.dtype == np.int32 for ids in made.values())
    assert {0, 99} <= set(made["extremes"].ravel())
    assert len({n for ids in made.values() for n in ids.ravel()}) > 90


def test_every_key_and_every_index_is_asked_for_once() -> None:
    spec = signature(TensorSpec("ids", "INT32", (-1, 4)), TensorSpec("codes", "INT64", (-1,)), TensorSpec("text", "BYTES", (-1,)))
    words = tuple(f"w{at}".encode() for at in range(12))
    domain = Domain(words=words, keys={"codes": tuple(range(500, 520))}, sizes={"ids": 77})
    made = next(v.inputs for v in draw(spec, Requests(), domain) if v.id == "keys")
    assert {len(array) for array in made.values()} == {20}
    assert set(made["ids"].ravel().tolist()) == set(range(77))
    assert set(made["codes"].tolist()) == set(range(500, 520))
    assert set(made["text"].tolist()) == set(words)


def test_extra_requests_reach_beyond_the_knees_and_have_other_lengths_and_padding() -> None:
    spec = signature(TensorSpec("x", "FP32", (-1, 8)), TensorSpec("ids", "INT32", (-1, -1)), TensorSpec("flag", "BOOL", ()))
    made = {v.id: v.inputs for v in extra(spec, Requests(), Domain(), [])}
    assert np.abs(made["wide"]["x"]).max() > 6
    assert np.abs(made["faint"]["x"]).max() < 1
    assert (made["positive"]["x"] >= 0).all()
    assert (made["negative"]["x"] <= 0).all()
    assert made["ones"]["flag"]
    assert [made[name]["ids"].shape[1] for name in ("short", "odd", "long")] == [1, 7, 97]
    assert not made["padded"]["ids"][:, -1].all()
    again = extra(spec, Requests(), Domain(), [])
    assert all(np.array_equal(array, made[v.id][name]) for v in again for name, array in v.inputs.items())


def test_the_user_s_own_requests_are_mixed() -> None:
    spec = signature(TensorSpec("x", "FP32", (-1, 50)))
    own = tuple({"x": np.full((1, 50), value, np.float32)} for value in (1, 2))
    drawn = draw(spec, Requests(inputs=own))
    (mixture,) = (v for v in extra(spec, Requests(inputs=own), Domain(), drawn) if v.id.startswith("mixture"))
    assert set(mixture.inputs["x"].ravel().tolist()) == {1.0, 2.0}


def test_extra_requests_are_small_together() -> None:
    spec = signature(TensorSpec("x", "FP32", (-1, 1024, 256)))
    assert sum(v.inputs["x"].nbytes for v in extra(spec, Requests(), Domain(), [])) <= 4 << 20


def test_every_drawn_request_contains_a_known_word() -> None:
    spec = signature(TensorSpec("words", "BYTES", (-1,)))
    for seed in range(20):
        made = draw(spec, Requests(seed=seed), Domain(words=(b"gut", b"schlecht")))
        assert all({b"gut", b"schlecht"} & set(v.inputs["words"]) for v in made if v.id.startswith(("single", "batch")))


def test_tf_examples_have_the_features_that_the_graph_parses() -> None:
    spec = signature(TensorSpec("inputs", "BYTES", (-1,)))
    features = (Feature("age", "FP32", (2,)), Feature("kind", "BYTES", ()), Feature("visits", "INT64", None))
    made = draw(spec, Requests(), Domain(words=(b"gut",), examples={"inputs": features}))
    found = [features_of(e) for v in made for e in v.inputs["inputs"]]
    assert {len(f["age"]) for f in found} == {2}
    assert {len(f["kind"]) for f in found} == {1}
    assert len({len(f["visits"]) for f in found}) > 2
    assert [b"gut"] in [f["kind"] for f in found]


def test_sparse_components_are_consistent() -> None:
    spec = signature(
        TensorSpec("x/values", "FP32", (-1,)), TensorSpec("x/indices", "INT64", (-1, 3)), TensorSpec("x/dense_shape", "INT64", (3,))
    )
    for vector in draw(spec, Requests()):
        values, indices, shape = (vector.inputs[f"x/{part}"] for part in ("values", "indices", "dense_shape"))
        assert indices.shape == (len(values), 3)
        assert (indices < shape).all()


def test_own_inputs_are_assigned_to_fitting_signatures(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x=np.float32([[1, 2]]))
    made = draw(signature(TensorSpec("x", "FP32", (-1, 2))), Requests(count=1, inputs=(from_npz(tmp_path / "mine.npz"),)))
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
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(CrossloadError, match="is one array"):
        from_npz(tmp_path / "one.npy")


ONE, TWO = signature(TensorSpec("x", "FP32", (-1,))), signature(TensorSpec("x", "FP32", (-1,)), TensorSpec("y", "FP32", (-1,)))


def test_own_inputs_of_one_signature_do_not_affect_another_with_shared_names() -> None:
    requests = Requests(count=1, inputs=({"x": np.float32([1])},))
    check_requests(requests, {"one": ONE, "two": TWO})
    assert [[v.id for v in draw(s, requests)] for s in (ONE, TWO)] == [["single_0", "user_0"], ["single_0"]]


@pytest.mark.parametrize(
    ("requests", "says"),
    [
        (Requests(inputs=({"pixles": np.float32([1])},)), "no input 'pixles'"),
        (Requests(inputs=({"x": np.array(["2026-01-01"], "datetime64[D]")},)), "input 'x'.*datetime64"),
        (Requests(inputs=({"x": np.array([1, 2], dtype=object)},)), "'x' is float32; string"),
        (Requests(shapes={"pixles": (1, 2)}), "--shape pixles: there is no such input; the inputs are: x, y"),
    ],
)
def test_requests_that_fit_no_signature_are_refused(requests: Requests, says: str) -> None:
    with pytest.raises(CrossloadError, match=says):
        check_requests(requests, {"one": ONE, "two": TWO})


@pytest.mark.parametrize(
    "data", [{}, {"shape": [2], "data": [1]}, {"shape": [1], "data": ["x"]}, {"shape": [1], "data": [[1, 2]]}, {"shape": 1, "data": 1}]
)
def test_a_default_that_is_not_a_tensor_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(CrossloadError, match="default of the input 'k'"):
        complete(signature(TensorSpec("k", "INT32", (1,), default=data)), {})


def test_a_text_input_takes_text_only() -> None:
    with pytest.raises(CrossloadError, match=r"'s'.*not int"):
        complete(signature(TensorSpec("s", "BYTES", (1,))), {"s": np.array([1], dtype=object)})


@pytest.mark.parametrize(
    ("given", "datatype", "fits"),
    [
        (np.int64([-1]), "UINT64", False),
        (np.uint64([2**63]), "INT64", False),
        (np.int64([7]), "UINT64", True),
        (np.complex64([1 + 2j]), "FP32", False),
        (np.complex64([1]), "FP32", True),
        (np.float32([np.nan]), "INT32", False),
        (np.float32([np.nan]), "FP64", True),
        (np.float64([1e300]), "FP32", False),
        (np.int64([100]), "INT4", False),
    ],
)
def test_conversions_are_lossless(given: np.ndarray, datatype: str, fits: bool) -> None:
    assert kept(given, numpy_dtype(datatype)) is fits


def test_a_list_of_python_s_numbers_takes_the_floating_datatype_of_the_input() -> None:
    spec = Signature((TensorSpec("x", "FP32", (-1, 2)),), ())
    assert complete(spec, {"x": [[0.1, 0.2]]})["x"].dtype == np.float32  # type: ignore[dict-item]
    with pytest.raises(CrossloadError, match="float64 was given and does not convert without loss"):
        complete(spec, {"x": np.array([[0.1, 0.2]])})


def test_two_inputs_of_one_tensor_get_one_value_and_two_are_refused() -> None:
    signature = Signature(tuple(TensorSpec(n, "FP32", (-1, 2), "x:0") for n in ("a", "b")), (TensorSpec("y", "FP32", None, "y:0"),))
    assert all(np.array_equal(v.inputs["a"], v.inputs["b"]) for v in draw(signature, Requests()))
    one = np.float32([[1, 2]])
    assert complete(signature, {"a": one, "b": one.copy()}).keys() == {"a", "b"}
    with pytest.raises(CrossloadError, match="the inputs 'a' and 'b' are one tensor of the graph, and two different values were given"):
        complete(signature, {"a": one, "b": one + 1})


def test_an_absurd_shape_is_refused_before_it_takes_the_memory() -> None:
    with pytest.raises(CrossloadError, match=r"2,147,483,648 elements, and crossload draws at most .*; is the file damaged\?"):
        draw(signature(TensorSpec("x", "FP32", (1 << 16, 1 << 15))), Requests(count=1))
    with pytest.raises(CrossloadError, match=r"choose a smaller one with --shape x=…"):
        draw(signature(TensorSpec("x", "FP32", (-1, 1 << 30))), Requests(count=1))
