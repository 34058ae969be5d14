"""Names bound to a .tflite's tensors: by name, datatype and shape; what these do not tell is listed, never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload.artifacts.tflite import tflite_file
from crossload.artifacts.tflite.matching import match
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import ArtifactError
from tests.corpus.handmade import Lite, Tensor

INT32 = 2
PROMISED = Signature(
    (TensorSpec("image", "FP32", (-1, 4)), TensorSpec("ids", "INT32", (-1, 4))),
    (TensorSpec("kind", "FP32", (-1, 2)), TensorSpec("mood", "FP32", (-1, 2))),
)


def lite(*outputs: Tensor, signatures: dict[str, tuple[dict[str, int], dict[str, int]]] | None = None) -> tflite_file.TFLite:
    tensors = [Tensor("a"), Tensor("b", kind=INT32), *outputs]
    data = Lite(tensors=tensors, inputs=[0, 1], outputs=list(range(2, len(tensors))), signatures=signatures or {}).build()
    return tflite_file.of(Path("m.tflite"), data)


def out(name: str, size: int = 2) -> Tensor:
    return Tensor(name, shape=(1, size))


def test_datatype_and_name_tell_inputs_and_outputs_apart_whatever_their_order() -> None:
    binding, matches = match(lite(out("model/mood/Softmax"), out("serving/kind")), "serve", PROMISED, {"output": {"mood": "2"}})
    assert binding.inputs == {"image": 0, "ids": 1}
    assert binding.outputs == {"kind": 3, "mood": 2}
    assert binding.key is None
    assert [(m.name, m.how) for m in matches] == [("image", "shape"), ("ids", "shape"), ("kind", "name"), ("mood", "chosen")]


def test_the_last_one_left_is_bound_by_its_form() -> None:
    _, matches = match(lite(out("StatefulPartitionedCall:0"), out("head/kind")), "serve", PROMISED, {})
    assert {m.name: (m.tensor, m.how) for m in matches if m.side == "output"} == {"kind": (3, "name"), "mood": (2, "shape")}


def test_outputs_of_one_form_without_names_are_listed_with_the_way_to_choose() -> None:
    with pytest.raises(ArtifactError, match=r"does not tell which of its outputs is which: 'kind', float32 \[-1, 2\], 'mood'.*") as refused:
        match(lite(out("Identity:0"), out("Identity_1:0")), "serve", PROMISED, {})
    assert "tensor 2 ('Identity:0', float32 [1, 2]), tensor 3" in str(refused.value)
    assert "--output-tensor kind=2" in str(refused.value)


def test_a_choice_settles_the_rest() -> None:
    binding, _ = match(lite(out("Identity:0"), out("Identity_1:0")), "serve", PROMISED, {"output": {"kind": "Identity_1:0"}})
    assert binding.outputs == {"kind": 3, "mood": 2}


def test_a_signature_of_the_file_with_the_promised_names_is_called_by_its_key() -> None:
    signatures = {"other": ({"image": 0, "ids": 1}, {"kind": 3, "mood": 2})}
    binding, matches = match(lite(out("a"), out("b"), signatures=signatures), "serve", PROMISED, {})
    assert (binding.key, binding.outputs, matches) == ("other", {"kind": 3, "mood": 2}, [])


def test_names_of_another_signature_of_the_file_help() -> None:
    signatures = {"s": ({"x": 0, "ids": 1}, {"kind": 3, "mood": 2})}
    binding, _ = match(lite(out("Identity:0"), out("Identity_1:0"), signatures=signatures), "serve", PROMISED, {})
    assert (binding.key, binding.outputs) == (None, {"kind": 3, "mood": 2})


@pytest.mark.parametrize(
    ("outputs", "chosen", "message"),
    [
        ([out("kind", 3), out("mood")], {}, r"no output that may be 'kind', float32 \[-1, 2\]; its outputs are: tensor 2"),
        ([out("kind"), out("mood")], {"kin": "2"}, "the signature has no output 'kin'; its outputs are: kind, mood"),
        ([out("kind"), out("mood")], {"kind": "9"}, "has no output '9'"),
    ],
)
def test_what_cannot_be_bound_is_refused(outputs: list[Tensor], chosen: dict[str, str], message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        match(lite(*outputs), "serve", PROMISED, {"output": chosen})


def test_an_input_that_nobody_promises_is_refused() -> None:
    promised = Signature(PROMISED.inputs[:1], PROMISED.outputs)
    with pytest.raises(ArtifactError, match=r"has the input 'b' \(tensor 1\), which 'serve' does not promise"):
        match(lite(out("kind"), out("mood")), "serve", promised, {})


@given(st.permutations(["kind", "mood", "third"]), st.permutations(["kind", "mood", "third"]))
def test_names_are_enough_in_any_order(promised: list[str], there: list[str]) -> None:
    signature = Signature(PROMISED.inputs, tuple(TensorSpec(n, "FP32", (-1, 2)) for n in promised))
    binding, _ = match(lite(*(out(f"head/{n}") for n in there)), "serve", signature, {})
    assert binding.outputs == {n: 2 + there.index(n) for n in promised}
