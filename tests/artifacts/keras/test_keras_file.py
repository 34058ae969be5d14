"""Keras files are read without Keras: content is described, code is flagged, damaged files are refused in one sentence."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossload import artifacts
from crossload.artifacts.keras import hdf5
from crossload.artifacts.keras.keras_file import Keras
from crossload.cli.show import command
from crossload.errors import ArtifactError
from tests.corpus.keras_files import SMALL, Config, entry, functional, layer, lists, tree, whole_h5, zipped

EXPLOSIVE = {"class_name": "__lambda__", "config": {"code": "4wAA", "defaults": None, "closure": None}}


def keras(path: Path) -> Keras:
    found = artifacts.read(path)
    assert isinstance(found, Keras)
    assert artifacts.recognise(path) == found.format
    json.dumps(found.to_json(), allow_nan=False)
    command.callback((path,), False, True)  # type: ignore[misc]
    return found


def refusal(path: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        artifacts.read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("make", [whole_h5, zipped])
def test_a_whole_model_is_described_with_layers_weights_and_optimizer(tmp_path: Path, make: Callable[..., Path]) -> None:
    found = keras(make(tmp_path / "model"))
    assert [(n.path, n.class_name) for n in found.layers] == [("x", "InputLayer"), ("head", "Dense")]
    assert [w.shape for w in found.weights] == [(4, 2), (2,)]
    assert found.generation == int(found.producer["keras"][0])
    if make is zipped:
        assert found.optimizer == {"class": "adam", "state": True}
    else:
        assert found.weights[1].to_json() == {"name": "head/bias:0", "datatype": "FP16", "shape": [2]}
        assert found.optimizer is None and found.producer == {"keras": "2.15.0", "backend": "tensorflow"}


def test_compressed_weights_are_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "model", compression=zipfile.ZIP_DEFLATED)
    assert len(keras(path).weights) == 2
    monkeypatch.setattr("crossload.artifacts.keras.keras_file._MOST_COMPRESSED", 100)
    assert "without compression" in refusal(path)
    monkeypatch.setattr("crossload.artifacts.keras.keras_file._MOST_CONFIG", 10)
    assert "more than any model has" in refusal(path)


@pytest.mark.parametrize("part", ["config.json", "model.weights.h5"])
def test_a_part_that_unpacks_to_far_more_than_the_archive_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, b"{" + b" " * ((65 << 20) if name == "model.weights.h5" else (5 << 20)) + b"}")
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_, **__: pytest.fail("unpacked"))
    monkeypatch.setattr("crossload.artifacts.keras.keras_file._json", lambda *_: {}) if part == "model.weights.h5" else None
    assert re.search(rf"m.keras has [0-9,]+ bytes, but its {part} unpacks to .* pack it again without compression", refusal(path))


def test_the_time_for_an_hdf5_file_grows_with_its_size() -> None:
    assert hdf5.allowed_seconds(50_000) < 2
    assert hdf5.allowed_seconds(4_400_000) > 40  # ten thousand objects, which take five seconds
    assert hdf5.allowed_seconds(1 << 40) == 60
    assert hdf5.allowed_seconds(10 << 30, digests=True) > 500


def test_an_hdf5_file_that_takes_too_long_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        for number in range(20_000):  # eight seconds in a process that is allowed one
            file.create_group(str(number))
    monkeypatch.setattr(hdf5, "allowed_seconds", lambda *_, **__: 0)
    sentence = refusal(path)
    assert sentence.startswith(f"{path} is a corrupt HDF5 file (the HDF5 library takes too long")


@pytest.mark.parametrize(("named", "generation"), [(True, 3), (False, 2)])
def test_weights_in_the_newer_layout_have_their_own_format(tmp_path: Path, named: bool, generation: int) -> None:
    found = keras(tree(tmp_path / "m.weights.h5", named))
    assert (found.format, found.generation) == ("keras_weights", generation)
    assert [w.name for w in found.weights] == ["layers/dense/vars/0", "layers/dense/vars/1"]
    with pytest.raises(ArtifactError, match="weights without a model"):
        artifacts.callable_signatures(found)


def test_weights_in_the_older_layout_without_a_version_are_keras_1s(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        lists(file)
    found = keras(tmp_path / "w.h5")
    assert (found.format, found.generation, len(found.weights)) == ("keras_weights", 1, 2)


def test_names_split_over_several_attributes_are_joined(tmp_path: Path) -> None:
    with h5py.File(whole_h5(tmp_path / "m.h5"), "r+") as file:
        group = file["model_weights"]
        lists(group.create_group("again"))
        group.move("again/head", "second")
        del group.attrs["layer_names"]
        group.attrs["layer_names0"], group.attrs["layer_names1"] = np.array(["head"], "S"), np.array(["second"], "S")
    assert [w.name for w in keras(tmp_path / "m.h5").weights] == [
        "head/kernel:0",
        "head/bias:0",
        "second/head/kernel:0",
        "second/head/bias:0",
    ]


@pytest.mark.parametrize(
    ("last", "datatype"),
    [
        (layer("Dense", "y", dtype="float32"), "FP32"),
        (layer("LSTM", "y", dtype={"class_name": "DTypePolicy", "config": {"name": "float64"}}), "FP64"),
        (layer("Dense", "y", dtype="mixed_float16"), "DT_0"),
        (layer("Dense", "y", dtype=None), "DT_0"),
        (layer("Lambda", "y", dtype="float32"), "DT_0"),
        (layer("StringLookup", "y", dtype="int64"), "DT_0"),
        ({**layer("Dense", "y", dtype="float32"), "module": "mine.layers"}, "DT_0"),
    ],
)
def test_an_output_has_the_datatype_in_which_its_layer_computes(tmp_path: Path, last: dict[str, Any], datatype: str) -> None:
    config = functional(entry("x", [None, 4]), last, inputs=["x", 0, 0], outputs=["y", 0, 0])
    (output,) = keras(whole_h5(tmp_path / "m.h5", config)).signature().outputs
    assert output.datatype == datatype


@pytest.mark.parametrize(
    ("inputs", "outputs", "names", "given"),
    [
        (["a", 0, 0], ["y", 0, 0], ["a"], ["y"]),
        ([["b", 0, 0], ["a", 0, 0]], [["z", 0, 0], ["y", 0, 0]], ["b", "a"], ["z", "y"]),
        ({"b": ["b", 0, 0], "a": ["a", 0, 0]}, {"second": ["y", 0, 0], "first": ["z", 0, 0]}, ["a", "b"], ["first", "second"]),
        ([["a", 0, 0]], [["y", 0, 0], ["y", 1, 0]], ["a"], ["y", "y_1"]),
    ],
)
def test_a_signature_has_the_order_and_positions_of_the_loaded_model(
    tmp_path: Path, inputs: Any, outputs: Any, names: Any, given: Any
) -> None:
    config = functional(
        entry("a", [None, 4]), entry("b", [2, None], "int32"), layer("Dense", "y"), layer("Dense", "z"), inputs=inputs, outputs=outputs
    )
    ((tags, signatures),) = artifacts.callable_signatures(keras(whole_h5(tmp_path / "m.h5", config)))
    signature = signatures["serving_default"]
    assert tags is None and signature.key is None
    assert [(t.name, t.tensor) for t in signature.inputs] == [(n, at) for at, n in enumerate(names)]
    assert [(t.name, t.tensor, t.datatype, t.shape) for t in signature.outputs] == [(n, at, "FP32", None) for at, n in enumerate(given)]
    kinds = {t.name: (t.datatype, t.shape) for t in signature.inputs}
    assert kinds["a"] == ("FP32", (-1, 4)) and kinds.get("b", ("INT32", (2, -1))) == ("INT32", (2, -1))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ([layer("Dense", "d", "", batch_input_shape=[None, 3])], ("d_input", "FP32", (-1, 3))),
        ([layer("Embedding", "e", "", batch_input_shape=[None, 9], input_dtype="int32")], ("e_input", "INT32", (-1, 9))),
        ({"name": "s", "layers": [entry("given", [None, 5]), layer("Dense", "d")]}, ("given", "FP32", (-1, 5))),
        ({"name": "s", "layers": [layer("Dense", "d")], "build_input_shape": [None, 7]}, ("d_input", "FP32", (-1, 7))),
        ({"name": "s", "layers": [{"class_name": "Sequential", "config": [entry("x.", [1])]}, layer("Dense", "d")]}, ("x_", "FP32", (1,))),
    ],
)
def test_the_input_of_a_sequential_is_found_in_every_generation(tmp_path: Path, config: Any, expected: Any) -> None:
    signature = keras(whole_h5(tmp_path / "m.h5", {"class_name": "Sequential", "config": config}, None)).signature()
    assert [(t.name, t.datatype, t.shape) for t in signature.inputs] == [expected]
    assert len(signature.outputs) == 1


def test_an_input_that_is_not_a_tensor_cannot_be_called(tmp_path: Path) -> None:
    config = functional(entry("x", [None, 4], sparse=True), layer("Dense", "y"), inputs=["x", 0, 0], outputs=["y", 0, 0])
    assert artifacts.callable_signatures(keras(whole_h5(tmp_path / "m.h5", config))) == [(None, {})]


def test_nested_models_and_wrapped_layers_are_listed_by_their_path(tmp_path: Path) -> None:
    wrapped = layer("Bidirectional", "both", layer=layer("LSTM", "lstm"))
    inner = layer("Sequential", "inner", layers=[layer("Dense", "d"), wrapped])
    config = functional(entry("x", [None, 4]), inner, inputs=["x", 0, 0], outputs=["inner", 0, 0])
    assert [n.path for n in keras(zipped(tmp_path / "m.keras", config)).layers] == [
        "x",
        "inner",
        "inner/d",
        "inner/both",
        "inner/both/lstm",
    ]


@pytest.mark.parametrize(
    "node",
    [
        layer("Lambda", "f", function=EXPLOSIVE),
        layer("Lambda", "f", "", function=["4wAA", None, None], function_type="lambda"),
        layer("Lambda", "f", "", function="twice", function_type="function", output_shape=["4wAA", None, None], output_shape_type="lambda"),
        layer("Dense", "f", activation=EXPLOSIVE),
        layer("TimeDistributed", "f", layer={"class_name": "Dense", "config": {"activation": EXPLOSIVE}}),
    ],
)
def test_bytecode_is_flagged_everywhere_and_never_unmarshalled(tmp_path: Path, node: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    import marshal

    monkeypatch.setattr(marshal, "loads", lambda *_: pytest.fail("bytecode was unmarshalled"))
    found = keras(whole_h5(tmp_path / "m.h5", functional(entry("x", [1]), node, inputs=["x", 0, 0], outputs=["f", 0, 0])))
    assert [c.layer for c in found.code if c.kind == "bytecode"] == ["f"]
    assert "--allow-code" in found.remedy


def test_a_function_by_name_is_listed_as_required(tmp_path: Path) -> None:
    named = {"module": "builtins", "class_name": "function", "config": "twice", "registered_name": "function"}
    found = keras(zipped(tmp_path / "m.keras", functional(layer("Lambda", "f", function=named), inputs=[], outputs=[])))
    assert found.to_json()["lambdas"] == [{"layer": "f", "kind": "function", "function": "twice"}]
    assert found.custom_classes == ("twice",)


def test_custom_objects_are_named_in_every_form(tmp_path: Path) -> None:
    nodes = [
        layer("Scale", "a", None) | {"registered_name": "mine>Scale"},
        layer("Other", "b", ""),
        layer("Dense", "c", "", activation="wavy"),
        layer("Layer", "d", "elsewhere.layers"),
        layer("Dense", "e", "keras_like.layers"),
        layer(
            "Dense", "f", "keras.layers", kernel_initializer={"module": "mine", "class_name": "Init", "config": {}, "registered_name": None}
        ),
        layer("Conv2D", "g", "tensorflow.python.keras.layers", activation="relu"),
    ]
    found = keras(whole_h5(tmp_path / "m.h5", functional(*nodes, inputs=[], outputs=[])))
    assert set(found.custom_classes) == {"mine>Scale", "Other", "wavy", "Layer", "Dense", "Init"}
    assert "--custom-objects" in found.remedy


def test_mixed_precision_is_counted_in_every_generation(tmp_path: Path) -> None:
    forms: list[Any] = ["mixed_float16", {"class_name": "Policy", "config": {"name": "mixed_float16"}}]
    forms += [{"module": "keras", "class_name": "DTypePolicy", "config": {"name": "mixed_bfloat16"}, "registered_name": None}, "float32"]
    nodes = [layer("Dense", f"d{at}", dtype=form) for at, form in enumerate(forms)]
    found = keras(whole_h5(tmp_path / "m.h5", functional(*nodes, inputs=[], outputs=[])))
    assert found.dtype_policies == {"mixed_float16": 2, "mixed_bfloat16": 1}
    assert found.custom_classes == ()


@pytest.mark.parametrize(
    ("config", "version", "words"),
    [
        (SMALL, "3.15.1", "Keras 3 loads it."),
        (SMALL, "2.15.0", "tensorflow@2.15.1"),
        (functional(layer("TFOpLambda", "relu"), inputs=[], outputs=[]), "2.6.0", "no layer for relu (TFOpLambda)"),
        ({"class_name": "Sequential", "config": [layer("Dense", "d", "", output_dim=2)]}, None, "rewrites its config and weights"),
        ({"class_name": "Sequential", "config": [layer("Highway", "h", "")]}, "1.2.2", "h (Highway)"),
        ({"class_name": "Sequential", "config": [layer("Embedding", "e", "")]}, "1.2.2", "no Keras can have written"),
    ],
)
def test_the_remedy_says_which_keras_loads_the_file(tmp_path: Path, config: Config, version: str | None, words: str) -> None:
    assert words in keras(whole_h5(tmp_path / "m.h5", config, version)).remedy


def test_a_model_of_a_custom_class_has_no_known_inputs(tmp_path: Path) -> None:
    found = keras(whole_h5(tmp_path / "m.h5", {"class_name": "Mine", "config": {}}, "3.15.1"))
    assert found.custom_classes == ("Mine",)
    with pytest.raises(ArtifactError, match="whose config names no inputs"):
        artifacts.callable_signatures(found)


def test_links_are_not_followed_and_external_ones_are_flagged(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret["values"] = np.zeros(3)
    with h5py.File(whole_h5(tmp_path / "m.h5"), "r+") as file:
        file["model_weights/out"] = h5py.ExternalLink("secret.h5", "/values")
        file["model_weights/circle"] = h5py.SoftLink("/model_weights")
        file["model_weights/round"] = file["model_weights"]
        file.create_dataset("raw", (3,), "f4", external=[("secret.bin", 0, 12)])
    found = keras(tmp_path / "m.h5")
    assert set(found.external) == {"raw", "model_weights/out"}
    assert len(found.weights) == 2 and "in other files" in found.remedy


def test_impossible_sizes_are_listed_but_not_read(tmp_path: Path) -> None:
    with h5py.File(whole_h5(tmp_path / "m.h5"), "r+") as file:
        head = file["model_weights/head"]
        head.create_dataset("huge", (1 << 40, 1 << 20), "f8", chunks=(1, 1024))
        head.attrs["weight_names"] = np.array(["huge"], "S")
    assert keras(tmp_path / "m.h5").weights[0].shape == (1 << 40, 1 << 20)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "names no class"),
        ("[" * 100_000, "JSON nested too deeply"),
        ('{"class_name": "Sequential", "config": ' + '{"a":' * 200 + "1" + "}" * 201, "nested deeper"),
    ],
)
def test_an_invalid_config_is_refused(tmp_path: Path, config: str, words: str) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w", track_order=True, libver="latest") as file:  # this layout holds attributes above 64 kB
        file.attrs["model_config"] = config
    assert words in refusal(path)


def test_the_error_for_other_hdf5_files_lists_their_content(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["train/images"] = np.zeros(3)
    assert "not a Keras model" in refusal(tmp_path / "data.h5")
    assert "train" in refusal(tmp_path / "data.h5")


def test_a_missing_listed_weight_makes_the_file_incomplete(tmp_path: Path) -> None:
    with h5py.File(whole_h5(tmp_path / "m.h5"), "r+") as file:
        del file["model_weights/head/head/bias:0"]
    assert "'head/bias:0' of layer 'head'" in refusal(tmp_path / "m.h5")


def test_damage_inside_a_zip_is_refused(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "m.keras").read_bytes()
    cut = tmp_path / "cut.keras"
    for missing in ("config.json", "model.weights.h5"):
        with zipfile.ZipFile(tmp_path / "m.keras") as old, zipfile.ZipFile(cut, "w") as new:
            for name in old.namelist():
                if name != missing:
                    new.writestr(name, old.read(name))
        assert ("not a .keras file" if missing == "config.json" else "no model.weights.h5") in refusal(cut)
    damaged = bytearray(whole)
    at = whole.index(b"\x89HDF")
    damaged[at : at + 64] = bytes(64)
    cut.write_bytes(damaged)
    assert "model.weights.h5 in it" in refusal(cut)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage that makes the library hang is detected in two seconds of processor time."""
    monkeypatch.setattr(hdf5, "allowed_seconds", lambda *_, **__: 2)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("make", [whole_h5, tree, zipped])
@given(data=st.data())
@settings(max_examples=8)
def test_damaged_files_are_read_or_refused_even_if_the_library_crashes(
    tmp_path: Path, make: Callable[[Path], Path], data: st.DataObject
) -> None:
    content = bytearray(make(tmp_path / "whole").read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(16, len(content)))]
    for at, value in data.draw(st.lists(st.tuples(st.integers(8, len(content) - 1), st.integers(0, 255)), max_size=8)):
        content[at] = value
    path = tmp_path / "damaged"
    path.write_bytes(content)
    try:
        found = artifacts.read(path)
    except ArtifactError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        json.dumps(found.to_json(), allow_nan=False)
        command.callback((path,), False, True)  # type: ignore[misc]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["class_name", "config", "layers", "name", "module", "input_layers", "output_layers"]), inner)
        | st.fixed_dictionaries({"class_name": st.sampled_from(["Sequential", "Dense", "Lambda", "Merge", "GRU"]), "config": inner})
    ),
    max_leaves=30,
)


@given(inside=_json, version=st.sampled_from([None, "1.2.2", "2.3.0", "3.0.0"]))
def test_any_config_is_described_or_refused(tmp_path: Path, inside: Any, version: str | None) -> None:
    from crossload.artifacts.keras import keras_file as module

    (tmp_path / "m").touch()
    text = json.dumps({"class_name": "Sequential", "config": inside})
    try:
        found = module.described(tmp_path / "m", "keras_h5", text, hdf5.Contents(), version, None)
        json.dumps(found.to_json(), allow_nan=False)
        command_lines = artifacts.callable_signatures(found)
    except ArtifactError as error:
        assert str(tmp_path) in str(error)
    else:
        assert len(command_lines) == 1
