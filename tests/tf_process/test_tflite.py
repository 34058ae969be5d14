"""Conversion to .tflite: every kind of source gives TensorFlow's answers in LiteRT, by its names, or is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import crossload
from crossload import artifacts
from crossload.artifacts.tflite import tflite_file
from crossload.edits.tflite_signatures import inject_signatures
from crossload.inputs.requests import Requests
from tests import CORPUS, ROOT
from tests.corpus import checkpoints
from tests.environment import launch_of

pytestmark = pytest.mark.slow
# The loosest answers of quantised weights (float16: 11 bits, dynamic and int8: 8 bits), as a share of 1.
LOOSE = {"float16": 2e-3, "dynamic": 2e-2, "optimized": 2e-2, "int8": 6e-2}
EXACT = ("two", "one_of_two", "fixed", "old", "old_fixed", "old_train", "exported", "graph", "graph_fixed", "graph_inner", "nameless",
         "pruned", "nested", "function", "module", "keras", "closed")  # fmt: skip


def make(*arguments: Path) -> None:
    command = [launch_of("tensorflow+python").argv[0], str(CORPUS / "make_lites.py"), *map(str, arguments)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT / "python")}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="module")
def lites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that make_lites.py fills."""
    folder = tmp_path_factory.mktemp("lites")
    weights = checkpoints.entry(b"", checkpoints.FLOAT, (600_000, 1000), size=2_400_000_000)
    (folder / "large.index").write_bytes(checkpoints.index({b"": checkpoints.header(), b"weights": weights}))
    make(folder)
    return folder


def answers_of(npz: Path) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """Signature to side to name to array."""
    found: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    with np.load(npz) as archive:
        for path, array in archive.items():
            key, side, name = path.split("|")
            found.setdefault(key, {"in": {}, "out": {}})[side][name] = array
    return found


@pytest.mark.parametrize("name", [*EXACT, *LOOSE])
def test_each_signature_answers_in_litert_as_its_source_in_tensorflow(lites: Path, name: str) -> None:
    expected = answers_of(lites / f"{name}.npz")
    assert set(artifacts.read(lites / f"{name}.tflite").to_json()["signatures"]) == set(expected)
    with crossload.load(lites / f"{name}.tflite", "litert") as model:
        for key, sides in expected.items():
            answered = model.signature(key)(**sides["in"])
            assert set(answered) == set(sides["out"])
            for output, array in sides["out"].items():
                assert answered[output].dtype == array.dtype
                np.testing.assert_allclose(answered[output], array, rtol=1e-5, atol=LOOSE.get(name, 0) * np.abs(array).max() + 1e-6)


def test_quantised_files_differ_from_the_float_one(lites: Path) -> None:
    answers = {}
    for name in ("two", *LOOSE):
        with crossload.load(lites / f"{name}.tflite", "litert") as model:
            answers[name] = model.signature("scores")(**answers_of(lites / "two.npz")["scores"]["in"])["scores"]
    for name in LOOSE:
        assert not np.array_equal(answers[name], answers["two"]), name


def test_the_edge_returns_the_indices_that_the_file_has(lites: Path) -> None:
    for name, bindings in json.loads((lites / "bindings.json").read_text()).items():
        signatures = artifacts.read(lites / f"{name}.tflite").to_json()["signatures"]
        for binding in bindings.values():
            for side in ("inputs", "outputs"):
                assert binding[side] == {t["name"]: t["tensor"] for t in signatures[binding["key"]][side]}


def test_given_shapes_are_in_the_file(lites: Path) -> None:
    for name, key, shape in (("fixed", "scores", (3, 4)), ("old_fixed", "logits", (3, 4)), ("graph_fixed", "head", (1, 8, 8, 3))):
        assert tflite_file.read(lites / f"{name}.tflite").signature(key).inputs[0].shape == shape


def test_two_processes_write_the_same_bytes(lites: Path, tmp_path: Path) -> None:
    make(lites, tmp_path)
    written = sorted(p.name for p in tmp_path.iterdir())
    assert written == ["fixed.tflite", "graph.tflite", "int8.tflite", "two.tflite"]
    for name in written:
        assert (tmp_path / name).read_bytes() == (lites / name).read_bytes(), name


def test_a_file_without_a_signature_answers_by_index_and_by_its_new_names_alike(lites: Path, tmp_path: Path) -> None:
    plain = artifacts.read(lites / "unsigned.tflite")
    assert plain.to_json()["signatures"] == {}
    ((_, own),) = artifacts.callable_signatures(plain)  # type: ignore[arg-type]
    signature = own["serving_default"]
    assert [t.name for t in signature.inputs] == ["left", "right"]
    given = {"inputs": {t.name: t.tensor for t in signature.inputs}, "outputs": {f"o{t.tensor}": t.tensor for t in signature.outputs}}
    named = tmp_path / "named.tflite"
    named.write_bytes(inject_signatures(lites / "unsigned.tflite", {"compare": given}))
    asked = answers_of(lites / "two.npz")["compare"]
    for runtime in ("litert", "tflite-micro"):
        inputs = {n: a[:1] if runtime == "tflite-micro" else a for n, a in asked["in"].items()}
        with crossload.load(lites / "unsigned.tflite", runtime) as model, crossload.load(named, runtime) as edited:
            by_index, by_name = model.signature()(**inputs), edited.signature("compare")(**inputs)
        assert len(by_name) == 2
        for spec in signature.outputs:
            assert np.array_equal(by_index[spec.name], by_name[f"o{spec.tensor}"])
        results = {a.tobytes() for a in by_name.values()}
        assert results == {a[: len(inputs["left"])].tobytes() for a in asked["out"].values()}


def test_a_renamed_signature_stays_on_its_own_subgraph(lites: Path, tmp_path: Path) -> None:
    bindings = json.loads((lites / "bindings.json").read_text())["two"]
    renamed = tmp_path / "renamed.tflite"
    renamed.write_bytes(inject_signatures(lites / "two.tflite", {"a": bindings["compare"], "b": bindings["scores"]}))
    expected = answers_of(lites / "two.npz")
    with crossload.load(renamed, "litert") as model:
        for name, key in (("a", "compare"), ("b", "scores")):
            answered = model.signature(name)(**expected[key]["in"])
            for output, array in expected[key]["out"].items():
                np.testing.assert_allclose(answered[output], array, rtol=1e-5, atol=1e-6)


def test_a_quantised_file_keeps_its_quantisation_under_new_names(lites: Path, tmp_path: Path) -> None:
    bindings = json.loads((lites / "bindings.json").read_text())["int8"]
    renamed = tmp_path / "renamed.tflite"
    renamed.write_bytes(inject_signatures(lites / "int8.tflite", {"again": bindings["scores"]}))
    asked = answers_of(lites / "int8.npz")["scores"]["in"]
    with crossload.load(lites / "int8.tflite", "litert") as before, crossload.load(renamed, "litert") as after:
        old, new = before.signature("scores")(**asked), after.signature("again")(**asked)
    assert all(np.array_equal(old[name], new[name]) for name in old)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "wrong_output",
            "ModelError: the graph has no tensor 'head/probability:0' for the outputs of 'head'; near it are 'head/probabilities'",
        ),
        ("inverse", "ModelError: TFLite does not have its operation MatrixInverse"),
        ("open", "the input 'image' is of unknown rank: give its shape with --shape"),
        ("misfit", "ModelError: the input 'image' has the shape (None, None, None, 3), so it cannot become (1, 8, 8, 4)"),
        ("misnamed", "ModelError: there is no input 'imag' for --shape; near it are 'image'; the inputs are: image"),
        ("unranged", "ModelError: int8 measures the ranges of a model on representative inputs: give --representative FILE.npz"),
        ("badly_ranged", "two.npz has no representative inputs for the signature"),
        ("unknown", "ModelError: there is no quantisation 'int4'; there are: float16, dynamic, int8"),
        ("shapeless", "ModelError: the tf.function has no input_signature"),
        ("no_tags", "ModelError: no MetaGraph has the tags cpu; there are: serve,gpu; train"),
        ("no_key", "ModelError: there is no signature 'score'; near it are 'scores'; there are: compare, scores"),
        ("none", "ModelError: the SavedModel has no signature"),
        ("too_large", "ModelError: the variables are 2,400,000,000 bytes, and a .tflite has at most 2,147,483,647"),
    ],
)
def test_a_failed_conversion_names_the_reason_and_leaves_no_file(lites: Path, name: str, says: str) -> None:
    said = json.loads((lites / "refused.json").read_text())
    assert says in said[name]
    assert not (lites / f"{name}.tflite").exists()


def test_nothing_else_was_refused(lites: Path) -> None:
    refused = json.loads((lites / "refused.json").read_text())
    assert len(refused) == 13
    assert refused.keys().isdisjoint([*EXACT, *LOOSE])


def test_select_tf_operations_stay_on_request_and_are_reported(lites: Path) -> None:
    assert artifacts.read(lites / "flex.tflite").to_json()["ops"]["flex"] == {"FlexMatrixInverse": 1}


def test_a_keras_lstm_is_refused_with_the_converter_s_cause_and_with_the_shape_that_converts_it(tmp_path: Path) -> None:
    encoder, lite = CORPUS / "brought" / "lstm-states" / "encoder.keras", tmp_path / "e.tflite"
    with pytest.raises(crossload.CrossloadError, match=r"element_shape to be static.*its open batch is the cause: with --shape") as refused:
        crossload.convert(encoder, lite)
    hint = re.search(r"--shape (\w+)=(\S+) it converts$", str(refused.value))
    assert hint
    for shape in ([int(d) for d in hint[2].split(",")], [1, 6, 5]):
        made = crossload.convert(encoder, lite, options={"shapes": {hint[1]: shape}}, requests=Requests(shapes={hint[1]: tuple(shape)}),
                                 overwrite=True)  # fmt: skip
        assert made.report and made.report.exit_status == 0


def test_a_loop_that_would_read_variables_gets_constants(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text(
        (CORPUS / "sources" / "lstm_module.py").read_text().replace("ENCODER", str(CORPUS / "brought/lstm-states/encoder.keras"))
    )
    bundle = crossload.export(f"{source}:model", tmp_path / "bundle", formats=["tflite"])
    assert [a.format for a in bundle.manifest.artifacts] == ["tflite"]
