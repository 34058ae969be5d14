"""What is changed in a source before it is converted: signatures renamed, dropped and made of functions, inputs pinned, tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crossload
from crossload import artifacts
from crossload.errors import CrossloadError
from crossload.verbs.convert.convert import convert
from crossload.verbs.convert.prepare import names_of
from crossload.verbs.convert.sign import named_functions
from crossload.verbs.export.export import export
from tests import CORPUS
from tests.corpus import handmade
from tests.corpus.handmade import Lite

BROUGHT = CORPUS / "brought"
THERE = ["score", "embed", "a=b"]


def test_signatures_are_chosen_renamed_and_dropped_by_name() -> None:
    assert names_of(["serving_default=score"], [], THERE) == (["score"], {"score": "serving_default"})
    assert names_of(["a=b"], [], THERE) == (["a=b"], {})  # a key of its own
    assert names_of(None, ["embed"], THERE) == (["score", "a=b"], {})


@pytest.mark.parametrize(
    ("names", "drop", "cause"),
    [
        (["new=scor"], [], "there is no signature 'scor'; near it are 'score'"),
        ([], ["scor"], "there is no signature 'scor'; near it are 'score'"),
        ([], THERE, "--drop-signature leaves no signature"),
        (["score=embed", "score"], [], "two signatures would be called 'score'"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(names: list[str], drop: list[str], cause: str) -> None:
    with pytest.raises(CrossloadError, match=cause):
        names_of(names, drop, THERE)


def test_an_input_to_pin_must_be_one_of_a_graph(tmp_path: Path) -> None:
    graph = BROUGHT / "keep-prob" / "graph.pb"
    with pytest.raises(CrossloadError, match="--pin keep: there is no such input; near it are 'keep_prob'; there are: x, keep_prob"):
        convert(graph, tmp_path / "x.pb", options={"pinned": {"keep": 1.0}})
    with pytest.raises(CrossloadError, match=r"--pin takes GraphDef, SavedModel, checkpoint, \.meta file, and this is a \.keras file"):
        convert(BROUGHT / "lstm-states" / "encoder.keras", tmp_path / "x.pb", options={"pinned": {"tokens": 1.0}})


def test_a_signature_is_added_to_a_tflite_beside_its_own(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(Lite(signatures={"first": ({"pixels": 0}, {"scores": 1})}).build())
    convert(path, tmp_path / "two.tflite", options={"add_signature": "second"}, outputs=["best=scores"], verified=False)
    found = artifacts.read(tmp_path / "two.tflite").signatures  # type: ignore[union-attr]
    assert {key: [[t.name for t in side] for side in (s.inputs, s.outputs)] for key, s in found.items()} == {
        "first": [["pixels"], ["scores"]],
        "second": [["pixels"], ["best"]],
    }
    path.write_bytes(Lite().build())
    convert(path, tmp_path / "one.tflite", options={"add_signature": "serve"}, inputs=["pixels=0"], verified=False)
    assert list(artifacts.read(tmp_path / "one.tflite").signatures) == ["serve"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("source", "more", "cause"),
    [
        ("m.tflite", {}, "has a signature 'first'; choose another name, or rename that one with --signature NEW=first"),
        ("m.tflite", {"signatures": ["first"]}, "--add-signature keeps the file's signatures: leave out --signature"),
        ("free.tflite", {"pinned": {"x": 1.0}}, r"--pin takes GraphDef, .* and this is a \.tflite file"),
        ("g.pb", {}, r"--add-signature takes a \.tflite, and .*g.pb is a GraphDef; name tensors with --output-tensor"),
    ],
)
def test_a_signature_that_cannot_be_added_is_refused(tmp_path: Path, source: str, more: dict[str, Any], cause: str) -> None:
    (tmp_path / "m.tflite").write_bytes(Lite(signatures={"first": ({"x": 0}, {"y": 1})}).build())
    (tmp_path / "free.tflite").write_bytes(Lite().build())
    (tmp_path / "g.pb").write_bytes(handmade.dropout().SerializeToString())
    options = {"add_signature": "first", "pinned": more.pop("pinned", {})}
    with pytest.raises(CrossloadError, match=cause):
        convert(tmp_path / source, tmp_path / "out.tflite", options=options, **more)


@pytest.mark.slow
def test_a_quantised_tflite_under_other_names_answers_the_same(tmp_path: Path) -> None:
    made = convert(BROUGHT / "int8-io" / "int8.tflite", tmp_path / "named.tflite", signatures=["serve=serving_default"])
    assert made.report
    assert {r.agreement for r in made.report.results} == {"identical"}
    assert list(artifacts.read(made.path).signatures) == ["serve"]  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_pinned_dropout_repeats_itself(tmp_path: Path) -> None:
    graph = BROUGHT / "keep-prob" / "graph.pb"
    for target in ("x.pb", "saved"):
        made = convert(graph, tmp_path / target, options={"pinned": {"keep_prob": 1.0}})
        assert made.report and made.report.exit_status == 0
        once, again = (crossload.run(tmp_path / target, {"x": np.float32([[1, 2, 3, 4]])})["output"] for _ in range(2))
        assert np.array_equal(once, again)
    bundle = export(str(graph), tmp_path / "bundle", pinned={"keep_prob": np.float32(1)})
    assert [t.name for t in bundle.manifest.signatures["serving_default"].inputs] == ["x"]


def test_a_function_to_sign_is_named_by_its_path_and_its_key(tmp_path: Path) -> None:
    there = ("add", "encoder.call")
    assert named_functions(["add", "serving_default=encoder.call"], there, tmp_path) == {"add": "add", "serving_default": "encoder.call"}
    with pytest.raises(CrossloadError, match=r"--sign ad: .* has no function 'ad'; near it are 'add'; there are: add, encoder.call"):
        named_functions(["ad"], there, tmp_path)
    with pytest.raises(CrossloadError, match="two functions would be the signature 'add'"):
        named_functions(["add", "add=encoder.call"], there, tmp_path)
    with pytest.raises(CrossloadError, match=r"--sign takes the functions of a SavedModel, and .* is a GraphDef"):
        convert(BROUGHT / "keep-prob" / "graph.pb", tmp_path / "x", options={"sign": ["add"]})


@pytest.mark.slow
def test_functions_without_a_signature_become_signatures_that_answer(tmp_path: Path) -> None:
    source = BROUGHT / "no-signature" / "saved_model"
    with pytest.raises(CrossloadError, match=rf"add, square; crossload convert {source} signed --sign add gives it one"):
        crossload.load(source)
    made = convert(source, tmp_path / "signed", options={"sign": ["serving_default=add", "square"]})
    assert made.report
    assert made.report.exit_status == 0
    assert list(made.artifact.bindings) == ["serving_default", "square"]
    x, y = np.float32(1.5), np.float32(2)
    assert crossload.run(tmp_path / "signed", {"x": x, "y": y}, signature="serving_default")["output_0"] == 6.5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model.ckpt", "model.ckpt.meta"])
def test_an_input_of_a_checkpoint_is_pinned_and_the_checkpoint_stays(name: str, tmp_path: Path) -> None:
    source = BROUGHT / "frozen-batchnorm-float-ref" / name
    before = artifacts.sha256(source)
    made = convert(source, tmp_path / "x.pb", outputs=["prob"])
    assert made.report
    assert made.report.exit_status == 0
    assert "compared with phase_train=false alone: with another value it keeps state" in str(made.report.cautions)
    made = convert(source, tmp_path / "y.pb", outputs=["prob"], options={"pinned": {"phase_train": False}})
    assert made.report
    assert made.report.exit_status == 0
    assert list(made.artifact.bindings["serving_default"].inputs) == ["x"]
    assert artifacts.sha256(source) == before


@pytest.mark.slow
def test_a_renamed_signature_is_called_by_its_new_name_in_either_loader_and_tags_follow(tmp_path: Path) -> None:
    source = BROUGHT / "rename-signature" / "saved_model"
    made = convert(source, tmp_path / "train", signatures=["serving_default=image_quality"], options={"to_tags": ["train"]})
    assert made.report and made.report.exit_status == 0
    made = convert(tmp_path / "train", tmp_path / "serve", tags=["train"], options={"to_tags": ["serve"]})
    assert made.report and made.report.exit_status == 0
    ((tags, signatures),) = artifacts.callable_signatures(artifacts.read(tmp_path / "serve"))
    assert (tags, list(signatures)) == (("serve",), ["serving_default"])
    x = {"input_image": np.float32([[1, 2, 3, 4]])}
    answers = [crossload.run(tmp_path / "serve", x, signature="serving_default", runtime=r) for r in ("tensorflow", "tensorflow+python")]
    np.testing.assert_allclose(answers[0]["quality_prediction"], answers[1]["quality_prediction"])
