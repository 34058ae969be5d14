"""A .tflite that is cut, resized, stripped and given metadata: each edit is proved in LiteRT, and what cannot be done is refused."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite

import crossload
from crossload.artifacts.tflite import inner, operator_names, tflite_file
from crossload.contract.sidecar import sidecar_of
from crossload.edits import tflite_edits, tflite_tree
from crossload.errors import ConversionRefused, CrossloadError
from crossload.inputs.requests import Requests
from crossload.releases import tflite_probes
from crossload.releases.tflite_builder import model, tensor
from crossload.releases.tflite_forms import EXTERNAL
from crossload.runtimes.supervisor import Supervisor
from crossload.verbs.convert.convert import Converted, convert
from tests import CORPUS
from tests.environment import launch_of

OPS = tflite.BuiltinOperator
BIAS = np.arange(12, dtype=np.float32)


def op(code: int, inputs: Sequence[int], outputs: Sequence[int], **more: Any) -> dict[int, Any]:
    return {0: ("I", code), 1: ("i", list(inputs)), 2: ("i", list(outputs)), **{int(n[1:]): v for n, v in more.items()}}


def layers(*, to: Sequence[int] = (1, 12), mean: bool = False) -> bytes:
    """y = Reshape(|x|) + bias, with the batch 1 in the Reshape; `other` goes through a NEG of its own, `z`.

    With `mean`, y is less its mean over the batch: rows are not independent.
    """
    names = ["x", "abs", "shape", "flat", "bias", "y", "other", "z", "axis", "mean", "less"]
    shapes = [[1, 2, 6], [1, 2, 6], [len(to)], to, to[-1:], to, [1, 3], [1, 3], [1], [1, 12], to]
    kinds = ["float32", "float32", "int32", *["float32"] * 5, "int32", "float32", "float32"]
    buffers = [0, 0, 1, 0, 2, 0, 0, 0, 3, 0, 0]
    tensors = [tensor(*one) for one in zip(names, shapes, kinds, buffers, strict=True)]
    codes = [(code, "", 1) for code in (OPS.ABS, OPS.RESHAPE, OPS.ADD, OPS.NEG, OPS.MEAN, OPS.SUB)]
    operators = [
        op(0, [0], [1]),
        op(1, [1, 2], [3], _3=("B", 17), _4={0: ("i", list(to))}),
        op(2, [3, 4], [5], _3=("B", 11), _4={}),
        op(3, [6], [7]),
    ]
    ends = ([0, 6], [5, 7])
    if mean:
        ends = ([0], [10])
        operators[3:] = [op(4, [5, 8], [9], _3=("B", 27), _4={0: ("?", True)}), op(5, [5, 9], [10], _3=("B", 28), _4={})]
    constants = [b"", struct.pack(f"<{len(to)}i", *to), BIAS[: to[-1]].tobytes(), struct.pack("<i", 0)]
    return model(codes, tensors, *ends, operators, constants)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "layers.tflite"
    file.write_bytes(layers())
    return file


@pytest.fixture(scope="module")
def alive() -> Iterator[Mapping[str, Supervisor]]:
    """LiteRT, started once for all these tests."""
    with Supervisor("litert", launch_of("litert")) as supervisor:
        yield {"litert": supervisor}


def kind(name: str, folder: Path) -> Path:
    with zipfile.ZipFile(CORPUS / "lite_kinds.zip") as kinds:
        return Path(kinds.extract(name, folder))


def edited(path: Path, alive: Mapping[str, Supervisor], **terms: Any) -> tuple[Converted, inner.Inner, list[str]]:
    """The conversion, the inside of its first subgraph, and what was said."""
    said: list[str] = []
    made = convert(path, path.with_name("edited.tflite"), alive=alive, overwrite=True, progress=said.append, **terms)
    return made, inner.read(made.path), said


def refused(path: Path, **terms: Any) -> str:
    destination = path.with_name("edited.tflite")
    with pytest.raises(CrossloadError) as error:
        convert(path, destination, **terms)
    assert not destination.exists()
    assert not sidecar_of(destination).exists()
    return str(error.value)


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"outputs": ["e=bias"]}, r"the tensor 4 \('bias'\) is a constant of the file, so it cannot become an output"),
        ({"inputs": ["e=bias"]}, r"the tensor 4 \('bias'\) is a constant of the file, so it cannot become an input"),
        ({"outputs": ["e=x"]}, r"the tensor 0 \('x'\) is an input of the graph, so it cannot become an output"),
        ({"inputs": ["e=y"]}, r"the tensor 5 \('y'\) is an output of the graph, which it cannot take"),
        (
            {"outputs": ["e=fla"]},
            "has no output and no inner tensor 'fla'; near it are 'flat'; `crossload show .* --all` lists",
        ),
        ({"outputs": ["e=77"]}, "has no output and no inner tensor '77'"),
        ({"outputs": ["e=flat", "e=abs"]}, "two outputs would be called 'e'"),
        ({"outputs": ["e=flat", "f=3"]}, r"two outputs, one of them 'f', are the tensor 3 \('flat'\); choose one name"),
        ({"outputs": ["e=flat"], "inputs": ["e=flat"]}, "would be an input and an output; leave one out"),
        ({"outputs": ["y=y"], "inputs": ["b=other"]}, r"the outputs do not need the tensor 6 \('other'\); leave out --input-tensor b"),
        ({"inputs": ["other=flat"]}, "two inputs would be called 'other'; write --input-tensor OTHER=TENSOR"),
        ({"inputs": ["e=flat"], "options": {"add_signature": "k"}}, r"cut it without --add-signature, and go on with the result"),
    ],
)
def test_a_tensor_that_a_file_cannot_be_cut_at_is_refused_with_its_reason(path: Path, terms: dict[str, Any], says: str) -> None:
    with pytest.raises(CrossloadError, match=says):
        convert(path, path.with_name("edited.tflite"), **terms)
    assert not path.with_name("edited.tflite").exists()


def test_variables_handles_and_tensors_of_loops_are_no_places_to_cut(tmp_path: Path) -> None:
    variable = refused(kind("lstm.tflite", tmp_path), outputs=["e=sequential/lstm/zeros"])
    assert "is a variable, which keeps its value between calls" in variable
    counter = tmp_path / "counter.tflite"
    counter.write_bytes((CORPUS / "binary" / "counter.tflite").read_bytes())
    assert "is a handle to a variable or a table, which has no value that a caller could pass" in refused(counter, outputs=["e=acc"])
    loop = refused(kind("loop.tflite", tmp_path), outputs=["e=while/mul"])
    assert "the tensor 'while/mul' is in subgraph 2, that of a loop, a branch or another signature" in loop


def test_an_operator_that_makes_a_fed_tensor_and_a_needed_one_is_no_place_to_cut(tmp_path: Path) -> None:
    """It would write over what the caller feeds."""
    tensors = [tensor(n, s, k, b) for n, s, k, b in (("axis", [], "int32", 1), ("x", [4], "float32", 0), ("a", [2], "float32", 0))]
    tensors += [tensor(n, [2], "float32", 0) for n in ("b", "y")]
    operators = [op(0, [0, 1], [2, 3], _3=("B", 35), _4={0: ("i", 2)}), op(1, [2, 3], [4], _3=("B", 11), _4={})]
    path = tmp_path / "split.tflite"
    path.write_bytes(model([(OPS.SPLIT, "", 1), (OPS.ADD, "", 1)], tensors, [1], [4], operators, [b"", bytes(4)]))
    said = refused(path, inputs=["a=a"])
    assert "the tensor 2 ('a') and the tensor 3 ('b') are made by one SPLIT, and both are needed; feed both" in said


def test_edits_of_a_tflite_are_refused_for_other_formats(path: Path, tmp_path: Path) -> None:
    with pytest.raises(CrossloadError, match=r"--strip edits a \.tflite, and this goes from a \.tflite file to a GraphDef"):
        convert(path, tmp_path / "x.pb", options={"strip": True})


def test_metadata_that_is_not_there_or_too_large_is_refused(path: Path, tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as stream:
        stream.truncate(3 << 30)  # a hole: no bytes are written
    assert "metadata of 3,221,225,472 bytes, but a .tflite holds 2 GB in all" in refused(path, options={"set_metadata": {"a": str(huge)}})
    assert "there is no such file; check its path" in refused(path, options={"set_metadata": {"a": str(tmp_path / "none")}})
    assert "--drop-metadata a: " in refused(path, options={"drop_metadata": ["a"]})


def test_what_the_author_says_of_other_outputs_is_dropped_and_that_is_said(path: Path) -> None:
    """Notes on inputs and outputs go by their positions, so after a cut they would be about others."""
    notes, named = path.with_name("notes"), path.with_name("named.tflite")
    notes.write_bytes(b"\4\0\0\0M001")
    convert(path, named, options={"set_metadata": {"TFLITE_METADATA": str(notes), "other": str(notes)}}, verified=False)
    for terms, left in (
        ({"outputs": ["e=flat"]}, ["other"]),
        ({"outputs": ["e=y", "f=z"]}, ["TFLITE_METADATA", "other"]),
        ({"outputs": ["e=flat"], "options": {"add_signature": "k"}}, ["TFLITE_METADATA", "other"]),
    ):
        said: list[str] = []
        made = convert(named, path.with_name("cut.tflite"), verified=False, overwrite=True, progress=said.append, **terms)
        assert [m.name for m in tflite_file.read(made.path).metadata] == left
        assert any("without the metadata 'TFLITE_METADATA'" in line for line in said) == ("TFLITE_METADATA" not in left)


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((0, 2, 6), "has a dimension that is not positive; a .tflite's batch is 1 or more"),
        ((4, 12), "has 2 dimensions, and .* takes"),
        ((4, 3, 6), "of which the batch and open dimensions"),
        ((-1, 2, 6), r"takes \[1, 2, 6\], and \[-1, 2, 6\] leaves open what it fixes; give numbers"),
    ],
)
def test_a_shape_that_the_file_cannot_have_is_refused(path: Path, shape: tuple[int, ...], says: str) -> None:
    with pytest.raises(CrossloadError, match=f"--shape x: .*{says}"):
        convert(path, path.with_name("edited.tflite"), options={"shapes": {"x": shape}}, requests=Requests(shapes={"x": shape}))


@pytest.mark.parametrize("name", ["quantize", "optimize", "inference_type", "keep_float", "allow_flex"])
def test_an_option_of_tflite_s_converter_is_refused_for_a_tflite(path: Path, name: str) -> None:
    said = refused(path, options={name: ["a"] if name == "keep_float" else "int8"})
    assert f"--{name.replace('_', '-')} is for what makes a .tflite, and {path} is one already" in said


def test_a_folder_is_no_destination_for_a_file(path: Path, tmp_path: Path) -> None:
    (folder := tmp_path / "there.tflite").mkdir()
    with pytest.raises(CrossloadError, match=r"there\.tflite is a folder, but .* is one file; name a file in it"):
        convert(path, folder, verified=False)
    assert not list(folder.iterdir())


def test_a_buffer_that_is_not_there_is_not_made_an_empty_one(path: Path) -> None:
    tree = tflite_tree.read(path, path.read_bytes())
    tree["subgraphs"][0]["tensors"][4]["buffer"] = 99
    path.write_bytes(b"".join(bytes(part) for part in tflite_tree.write(path, path.read_bytes(), tree)))
    assert "refers to buffer 99" in refused(path, options={"strip": True}, verified=False)


def rows_mixed() -> bytes:
    """y = softmax over all elements, whatever the batch: Reshape to [1, -1], SOFTMAX, Reshape to [-1, 4]."""
    names, shapes = ["x", "one", "row", "soft", "back", "y"], [[1, 4], [2], [1, 4], [1, 4], [2], [1, 4]]
    kinds, buffers = ["float32", "int32", "float32", "float32", "int32", "float32"], [0, 1, 0, 0, 2, 0]
    tensors = [tensor(*one) for one in zip(names, shapes, kinds, buffers, strict=True)]
    operators = [op(0, [0, 1], [2]), op(1, [2], [3], _3=("B", 9), _4={0: ("f", 1.0)}), op(0, [3, 4], [5])]
    constants = [b"", struct.pack("<2i", 1, -1), struct.pack("<2i", -1, 4)]
    return model([(OPS.RESHAPE, "", 1), (OPS.SOFTMAX, "", 1)], tensors, [0], [5], operators, constants)


@pytest.mark.slow
def test_rows_that_a_reshape_mixes_at_another_batch_are_not_proved(tmp_path: Path, alive: Mapping[str, Supervisor]) -> None:
    (file := tmp_path / "mixed.tflite").write_bytes(rows_mixed())
    shape = {"x": (2, 4)}
    said = refused(file, alive=alive, options={"shapes": shape}, requests=Requests(shapes=shape))
    assert "a row's answer depends on the other rows" in said


@pytest.mark.slow
def test_a_memory_plan_for_other_shapes_goes_with_them(path: Path, alive: Mapping[str, Supervisor], tmp_path: Path) -> None:
    (plan := tmp_path / "plan").write_bytes(struct.pack("<14i", 1, 0, 11, *[-1] * 11))
    planned, _, _ = edited(path, alive, options={"set_metadata": {"OfflineMemoryAllocation": str(plan)}})
    source = planned.path.rename(path.with_name("planned.tflite"))
    for terms in ({"outputs": ["a=abs", "y=y", "z=z"]}, {"options": {"shapes": {"other": (2, 3), "x": (2, 2, 6)}}}):
        shapes = Requests(shapes=terms.get("options", {}).get("shapes", {}))  # type: ignore[attr-defined]
        made, _, _ = edited(source, alive, requests=shapes, **terms)
        assert [m.name for m in tflite_file.read(made.path).metadata] == []


@pytest.mark.slow
def test_a_file_is_cut_and_resized_at_once(demo: Path, tmp_path: Path, alive: Mapping[str, Supervisor]) -> None:
    (source := tmp_path / "model.tflite").write_bytes((demo / "model.tflite").read_bytes())
    dense = next(o for o in inner.read(source).operators if o.op == "FULLY_CONNECTED")
    shape = {"pixels": (4, 8, 8, 1)}
    made, graph, _ = edited(source, alive, inputs=[f"f={dense.inputs[0]}"], options={"shapes": shape}, requests=Requests(shapes=shape))
    assert [graph.tensors[at].shape[0] for at in (*graph.inputs, *graph.outputs)] == [4, 4]
    assert made.report is not None
    assert made.report.exit_status == 0


def test_the_shapes_inside_a_loop_are_not_changed(tmp_path: Path) -> None:
    shape = {"x": (2, 4)}
    said = refused(kind("loop.tflite", tmp_path), options={"shapes": shape}, requests=Requests(shapes=shape))
    assert "has a WHILE, whose inner shapes crossload cannot change; convert the model it was made from, with --shape" in said


@pytest.mark.parametrize(("name", "shapes"), [("lstm", {"input_1": (3, 5, 3)}), ("variable", {"x": (3, 4)})])
def test_a_state_of_one_batch_is_not_given_another(name: str, shapes: dict[str, tuple[int, ...]], tmp_path: Path) -> None:
    said = refused(kind(f"{name}.tflite", tmp_path), options={"shapes": shapes}, requests=Requests(shapes=shapes))
    assert f"{name}.tflite keeps state for a batch of 1 (" in said
    assert "which crossload cannot change; convert the model it was made from, with --shape" in said


@pytest.mark.slow
def test_a_source_that_does_not_run_is_named_and_not_its_copy(tmp_path: Path, alive: Mapping[str, Supervisor]) -> None:
    path = kind("lstm_16x8.tflite", tmp_path)
    said = refused(path, outputs=["e=14"], alive=alive)
    assert said.startswith(f"{path} has no reference answers (litert")


@pytest.mark.slow
def test_inputs_that_are_text_are_resized(tmp_path: Path, alive: Mapping[str, Supervisor]) -> None:
    shapes = {"x": (3,)}
    _, graph, _ = edited(kind("table.tflite", tmp_path), alive, options={"shapes": shapes}, requests=Requests(shapes=shapes))
    assert [graph.tensors[i].shape for i in (*graph.inputs, *graph.outputs)] == [(3,), (3,)]


@pytest.mark.slow
def test_a_file_is_cut_at_an_inner_tensor_and_answers_what_the_source_has_there(path: Path, alive: Mapping[str, Supervisor]) -> None:
    made, graph, said = edited(path, alive, outputs=["embedding=flat"])
    assert [o.op for o in graph.operators] == ["ABS", "RESHAPE"]
    assert [graph.tensors[i].name for i in graph.inputs] == ["x"]  # the cut needs no `other`
    assert any(line.startswith("left: 2 of 4 operators, 4 of 11 tensors") for line in said)
    assert made.report is not None
    assert {r.agreement for r in made.report.results} == {"identical"}
    value = np.linspace(-1, 1, 12, dtype=np.float32).reshape(1, 2, 6)
    with crossload.load(made.path, runtime="litert") as loaded:
        np.testing.assert_array_equal(loaded.signatures["serving_default"](x=value)["embedding"], np.abs(value).reshape(1, 12))


@pytest.mark.slow
def test_the_beginning_is_cut_off_where_an_inner_tensor_is_fed(path: Path, alive: Mapping[str, Supervisor]) -> None:
    made, graph, _ = edited(path, alive, inputs=["embedding=flat"], outputs=["y=y"])
    assert [o.op for o in graph.operators] == ["ADD"]
    assert made.report is not None
    assert len(made.report.results) == 8
    with crossload.load(made.path, runtime="litert") as loaded:
        np.testing.assert_array_equal(loaded.signatures["serving_default"](embedding=np.ones((1, 12), np.float32))["y"], 1 + BIAS[None])
    _, graph, _ = edited(path, alive, inputs=["embedding=flat"])  # all outputs, so the other input stays
    assert [graph.tensors[i].name for i in graph.inputs] == ["other", "flat"]


@pytest.mark.slow
def test_fewer_outputs_take_their_operators_and_inputs_along(path: Path, alive: Mapping[str, Supervisor]) -> None:
    made, graph, _ = edited(path, alive, outputs=["z=z"])
    assert [o.op for o in graph.operators] == ["NEG"]
    assert [t.name for t in graph.tensors] == ["other", "z"]
    assert list(tflite_file.read(made.path).signatures) == ["serving_default"]


@pytest.mark.slow
def test_an_inner_tensor_is_added_beside_the_file_s_own_outputs(path: Path, alive: Mapping[str, Supervisor]) -> None:
    convert(path, path.with_name("named.tflite"), alive=alive)
    made, graph, _ = edited(path.with_name("named.tflite"), alive, outputs=["embedding=flat"], options={"add_signature": "embed"})
    found = tflite_file.read(made.path).signatures
    assert {key: [t.name for t in s.outputs] for key, s in found.items()} == {"serving_default": ["y", "z"], "embed": ["embedding"]}
    assert len(graph.operators) == 4


@pytest.mark.slow
def test_a_wrong_cut_is_not_written(path: Path, alive: Mapping[str, Supervisor], monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof is by the source's values, not by the cut file's own: an edit that damages a constant is noticed."""
    right = tflite_edits.edited

    def wrong(*arguments: Any, **wanted: Any) -> list[Any]:
        return [b"".join(right(*arguments, **wanted)).replace(BIAS.tobytes(), (BIAS + 1).tobytes())]

    monkeypatch.setattr(tflite_edits, "edited", wrong)
    for terms in ({"inputs": ["e=flat"], "outputs": ["y=y"]}, {"outputs": ["y=y"]}, {"options": {"strip": True}}):
        with pytest.raises(ConversionRefused, match=r"edited\.tflite was not written"):
            edited(path, alive, **terms)
        assert not path.with_name("edited.tflite").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["int8-io/int8.tflite", "hybrid/dynamic_range.tflite"])
def test_quantised_files_are_cut_and_stripped(name: str, tmp_path: Path, alive: Mapping[str, Supervisor]) -> None:
    path = tmp_path / "quantised.tflite"
    path.write_bytes((CORPUS / "brought" / name).read_bytes())
    before = inner.read(path)
    middle = before.operators[len(before.operators) // 2].outputs[0]
    made, graph, _ = edited(path, alive, outputs=[f"middle={middle}"], options={"strip_names": True})
    assert len(graph.operators) < len(before.operators)
    assert made.report is not None
    assert made.report.exit_status == 0


@pytest.mark.slow
def test_another_batch_is_proved_row_by_row_where_a_reshape_holds_the_old_one(path: Path, alive: Mapping[str, Supervisor]) -> None:
    shapes = {"x": (4, 2, 6), "other": (4, 3)}
    made, graph, _ = edited(path, alive, options={"shapes": shapes}, requests=Requests(shapes=shapes))
    assert [graph.tensors[i].shape for i in (*graph.inputs, *graph.outputs)] == [(4, 2, 6), (4, 3), (4, 12), (4, 3)]
    assert {t.name: t.shape for t in graph.tensors}["flat"] == (4, 12)
    assert made.report is not None
    assert len(made.report.results) == 8
    report = crossload.verify(made.path, ["litert", "tflite-runtime", "tflite-micro"])
    assert report.exit_status == 0  # TensorFlow Lite Micro takes shapes from the file
    assert all(r.outcome == "ok" for r in report.results)
    again = path.with_name("one.tflite")
    back = {"x": (2, 2, 6), "other": (2, 3)}
    convert(made.path, again, alive=alive, options={"shapes": back}, requests=Requests(shapes=back))
    assert inner.read(again).tensors[graph.outputs[0]].shape == (2, 12)


@pytest.mark.slow
def test_another_batch_of_a_file_that_can_be_resized_is_proved_against_the_source(tmp_path: Path, alive: Mapping[str, Supervisor]) -> None:
    path = tmp_path / "dynamic_range.tflite"
    path.write_bytes((CORPUS / "brought" / "hybrid" / "dynamic_range.tflite").read_bytes())
    (spec,) = tflite_file.read(path).inputs
    assert spec.shape
    name = next(iter(tflite_file.read(path).signatures.values())).inputs[0].name
    shape = {name: (5, *spec.shape[1:])}
    made, graph, _ = edited(path, alive, options={"shapes": shape}, requests=Requests(shapes=shape))
    assert {graph.tensors[i].shape[0] for i in (*graph.inputs, *graph.outputs)} == {5}
    assert not any(-1 in t.free for t in graph.tensors)
    assert crossload.verify(made.path, ["litert"]).exit_status == 0


@pytest.mark.slow
def test_a_signature_is_renamed_and_resized_at_once(path: Path, alive: Mapping[str, Supervisor]) -> None:
    convert(path, path.with_name("named.tflite"), alive=alive)
    shapes = {"x": (2, 2, 6), "other": (2, 3)}
    terms = {"signatures": ["serve=serving_default"], "options": {"shapes": shapes}, "requests": Requests(shapes=shapes)}
    made, _, _ = edited(path.with_name("named.tflite"), alive, **terms)
    (signature,) = tflite_file.read(made.path).signatures.values()
    assert (signature.key, [t.shape for t in signature.inputs]) == ("serve", [(2, 2, 6), (2, 3)])
    assert made.artifact.bindings.keys() == {"serve"}


@pytest.mark.slow
def test_a_reshape_that_does_not_begin_with_the_batch_is_named(tmp_path: Path, alive: Mapping[str, Supervisor]) -> None:
    path = tmp_path / "layers.tflite"
    path.write_bytes(layers(to=(2, 6)))
    shapes = {"x": (4, 2, 6), "other": (4, 3)}
    said = refused(path, options={"shapes": shapes}, requests=Requests(shapes=shapes), alive=alive)
    assert "cannot take x [4, 2, 6], other [4, 3]: " in said
    assert "operator #1 RESHAPE ('flat') has the fixed shape [2, 6]" in said


@pytest.mark.slow
def test_a_file_whose_rows_depend_on_each_other_is_not_put_together_from_rows(tmp_path: Path, alive: Mapping[str, Supervisor]) -> None:
    path = tmp_path / "layers.tflite"
    path.write_bytes(layers(mean=True))
    shapes = {"x": (4, 2, 6)}
    said = refused(path, options={"shapes": shapes}, requests=Requests(shapes=shapes), alive=alive)
    assert "edited.tflite was not written" in said


@pytest.mark.slow
def test_weights_behind_the_flatbuffer_are_found_after_an_edit(tmp_path: Path, alive: Mapping[str, Supervisor]) -> None:
    """As in files of more than 2 GB."""
    path = tmp_path / "large.tflite"
    path.write_bytes(next(p.file for p in tflite_probes.special(operator_names.builtin_codes()) if p.key == EXTERNAL))
    made, graph, _ = edited(path, alive, outputs=["sum=y"], options={"strip": True, "description": "moved"})
    assert made.report is not None
    assert {r.outcome for r in made.report.results} == {"ok"}
    (weights,) = [t.extent for t in graph.tensors if t.extent]
    assert made.path.read_bytes()[weights[0] : sum(weights)] == struct.pack("<4f", 1, 2, 3, 4)
    assert tflite_file.read(made.path).external_bytes == 16


@pytest.mark.slow
def test_metadata_and_a_description_are_written_and_the_answers_stay(path: Path, alive: Mapping[str, Supervisor]) -> None:
    about = path.with_name("about.txt")
    about.write_text("made for tests")
    made, _, _ = edited(path, alive, options={"set_metadata": {"about": str(about)}, "description": "layers"})
    found = tflite_file.read(made.path)
    assert [(m.name, m.text) for m in found.metadata] == [("about", "made for tests")]
    assert found.description == "layers"
    _, _, said = edited(made.path.rename(path), alive, options={"drop_metadata": ["about"]})
    assert any(line.endswith("; without the metadata 'about'") for line in said)
