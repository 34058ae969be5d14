"""SavedModel folders, read without TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from crossload import artifacts
from crossload.artifacts.graphs import protos, saved_model
from crossload.artifacts.messages import message_class
from crossload.cli.pages.page import Page
from crossload.cli.pages.saved_model import lines as page_of
from crossload.contract import datatypes
from crossload.contract.defaults import array as array_of
from crossload.contract.signatures import TensorSpec
from crossload.errors import ArtifactError
from tests.corpus import handmade


def read(path: Path) -> saved_model.SavedModel:
    found = artifacts.read(path)
    assert isinstance(found, saved_model.SavedModel)
    return found


def test_a_signature_has_names_datatypes_shapes_and_tensors(tmp_path: Path) -> None:
    found = read(handmade.saved_model(tmp_path / "m", handmade.meta_graph("serve")))
    signature = found.signature("serving_default")
    assert signature.inputs == (TensorSpec("x", "FP32", (-1, 4), "serving_default_x:0"),)
    assert signature.outputs == (TensorSpec("y", "FP32", (-1, 2), "StatefulPartitionedCall:0"),)
    assert signature.method_name == "tensorflow/serving/predict"
    assert signature.key == "serving_default"
    assert found.producer == {"tensorflow": "2.21.0"}


def test_text_reads_the_same_as_binary(tmp_path: Path) -> None:
    binary = read(handmade.saved_model(tmp_path / "binary", handmade.meta_graph("serve")))
    text = read(handmade.saved_model(tmp_path / "text", handmade.meta_graph("serve"), text=True))
    assert text.meta_graphs == binary.meta_graphs


def test_ops_inside_functions_are_counted(tmp_path: Path) -> None:
    found = read(handmade.saved_model(tmp_path / "m", handmade.meta_graph("serve")))
    assert found.meta_graphs[0].ops == {"MatMul": 2, "NoOp": 1, "Placeholder": 1, "StatefulPartitionedCall": 1}
    assert next(iter(found.meta_graphs[0].ops)) == "MatMul"
    assert found.meta_graphs[0].functions == 1


def test_the_init_op_is_not_a_signature(tmp_path: Path) -> None:
    found = read(handmade.saved_model(tmp_path / "m", handmade.meta_graph("serve")))
    assert list(found.meta_graphs[0].signatures) == ["serving_default"]
    assert found.meta_graphs[0].init_ops == {"__saved_model_init_op": "NoOp"}


def test_slashes_in_keys_and_names_are_kept(tmp_path: Path) -> None:
    made = handmade.meta_graph("serve")
    signature = made.signature_def["a/b/c"]
    handmade.tensor_info(signature.inputs["image/encoded"], "image/encoded:0", dtype=handmade.STRING, shape=(-1,))
    handmade.tensor_info(signature.outputs["scores/0"], "heads/scores:3")
    found = read(handmade.saved_model(tmp_path / "m", made)).signature("a/b/c")
    assert found.inputs == (TensorSpec("image/encoded", "BYTES", (-1,), "image/encoded:0"),)
    assert found.outputs[0].name == "scores/0"


@pytest.mark.parametrize("tags", [(), ("eval",), ("serve", "gpu"), ("train", "räder/3")])
def test_a_single_meta_graph_is_found_whatever_its_tags(tmp_path: Path, tags: tuple[str, ...]) -> None:
    found = read(handmade.saved_model(tmp_path / "m", handmade.meta_graph(*tags)))
    assert found.meta_graph().tags == tags
    assert found.meta_graph(reversed(tags)).tags == tags


def test_the_meta_graph_tagged_serve_is_the_default(tmp_path: Path) -> None:
    made = handmade.saved_model(tmp_path / "m", handmade.meta_graph("train"), handmade.meta_graph("serve"), handmade.meta_graph())
    found = read(made)
    assert [m.tags for m in found.meta_graphs] == [("train",), ("serve",), ()]
    assert found.meta_graph().tags == ("serve",)
    assert found.meta_graph(["train"]).tags == ("train",)
    assert found.meta_graph([]).tags == ()


def test_errors_for_unknown_tags_and_signatures_list_the_available_ones(tmp_path: Path) -> None:
    found = read(handmade.saved_model(tmp_path / "m", handmade.meta_graph("train"), handmade.meta_graph("eval", "tpu")))
    with pytest.raises(ArtifactError, match=r"tags \{'serve'\}.*\{'train'\}, \{'eval', 'tpu'\}"):
        found.meta_graph(["serve"])
    with pytest.raises(ArtifactError, match=r"several MetaGraphs; choose one of \{'train'\}, \{'eval', 'tpu'\}"):
        found.meta_graph()
    with pytest.raises(ArtifactError, match=r"no signature 'predict'.*'serving_default'"):
        found.signature("predict", ["train"])


@pytest.mark.parametrize(("shape", "rank"), [((-1, 100), 2), (None, -1)])
def test_a_sparse_tensor_has_three_tensors(tmp_path: Path, shape: tuple[int, ...] | None, rank: int) -> None:
    made = handmade.meta_graph("serve")
    info = made.signature_def["serving_default"].inputs["ids"]
    info.dtype = handmade.INT32
    info.tensor_shape.unknown_rank = shape is None
    for size in shape or ():
        info.tensor_shape.dim.add(size=size)
    info.coo_sparse.values_tensor_name, info.coo_sparse.indices_tensor_name = "v:0", "i:0"
    info.coo_sparse.dense_shape_tensor_name = "s:0"
    found = read(handmade.saved_model(tmp_path / "m", made)).signature("serving_default")
    assert found.inputs[:3] == (
        TensorSpec("ids/values", "INT32", (-1,), "v:0"),
        TensorSpec("ids/indices", "INT64", (-1, rank), "i:0"),
        TensorSpec("ids/dense_shape", "INT64", (rank,), "s:0"),
    )


def test_a_composite_tensor_is_listed_by_its_components(tmp_path: Path) -> None:
    made = handmade.meta_graph("serve")
    composite = made.signature_def["serving_default"].outputs["ragged"].composite_tensor
    handmade.tensor_info(composite.components.add(), "flat:0", shape=(-1,))
    handmade.tensor_info(composite.components.add(), "splits:0", dtype=handmade.INT64, shape=(-1,))
    found = read(handmade.saved_model(tmp_path / "m", made)).signature("serving_default")
    assert [(t.name, t.datatype, t.tensor) for t in found.outputs[:2]] == [
        ("ragged/0", "FP32", "flat:0"),
        ("ragged/1", "INT64", "splits:0"),
    ]


def test_scalar_unknown_rank_and_missing_shape_are_distinguished(tmp_path: Path) -> None:
    made = handmade.meta_graph("serve")
    inputs = made.signature_def["serving_default"].inputs
    handmade.tensor_info(inputs["a_scalar"], "a:0", shape=())
    handmade.tensor_info(inputs["b_unknown"], "b:0", shape=None)
    inputs["c_unstated"].name, inputs["c_unstated"].dtype = "c:0", handmade.FLOAT
    found = read(handmade.saved_model(tmp_path / "m", made)).signature("serving_default")
    assert [t.shape for t in found.inputs] == [(), None, None, (-1, 4)]


def test_a_resource_stays_visible_but_its_signature_cannot_be_called(tmp_path: Path) -> None:
    made = handmade.meta_graph("serve")
    handmade.tensor_info(made.signature_def["table"].inputs["handle"], "t:0", dtype=handmade.RESOURCE, shape=())
    handmade.tensor_info(made.signature_def["table"].outputs["size"], "s:0", dtype=handmade.INT64, shape=())
    found = read(handmade.saved_model(tmp_path / "m", made))
    assert found.signature("table").inputs[0].datatype == "DT_20"
    [(tags, signatures)] = artifacts.callable_signatures(found)
    assert (tags, list(signatures)) == (("serve",), ["serving_default"])


def test_a_model_without_variables_needs_no_variables_folder(tmp_path: Path) -> None:
    found = read(handmade.saved_model(tmp_path / "m", handmade.meta_graph("serve")))
    found.check_complete()
    assert not found.has_variables


def test_variables_that_nothing_restores_need_no_variables_folder(tmp_path: Path) -> None:
    made = handmade.with_variables(handmade.meta_graph("serve"))
    made.ClearField("saver_def")
    read(handmade.saved_model(tmp_path / "m", made)).check_complete()


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ([], "variables/variables.index"),
        (["variables.data-00000-of-00001"], "variables/variables.index"),
        (["variables.index"], "variables/variables.data-00000-of-00001"),
        (["variables.index", "variables.data-00000-of-00003", "variables.data-00002-of-00003"], "variables/variables.data-00001-of-00003"),
    ],
)
def test_a_missing_part_of_the_variables_is_named(tmp_path: Path, there: list[str], missing: str) -> None:
    folder = handmade.saved_model(tmp_path / "m", handmade.with_variables(handmade.meta_graph("serve")))
    (folder / "variables").mkdir()
    for name in there:
        (folder / "variables" / name).write_bytes(b"x")
    found = read(folder)
    assert found.missing_files == (missing,)
    with pytest.raises(ArtifactError, match=f"{missing} is missing"):
        found.check_complete()
    with pytest.raises(ArtifactError, match=missing):
        artifacts.callable_signatures(found)


def test_complete_variables_are_complete(tmp_path: Path) -> None:
    folder = handmade.saved_model(tmp_path / "m", handmade.with_variables(handmade.meta_graph("serve")))
    (folder / "variables").mkdir()
    for name in ("variables.index", "variables.data-00000-of-00002", "variables.data-00001-of-00002"):
        (folder / "variables" / name).write_bytes(b"x")
    assert read(folder).missing_files == ()


def test_a_missing_asset_that_no_operation_reads_is_a_warning(tmp_path: Path) -> None:
    made = handmade.meta_graph("serve")
    made.asset_file_def.add(filename="vocabulary.txt").tensor_info.name = "Const:0"
    found = read(handmade.saved_model(tmp_path / "m", made))
    found.check_complete()
    assert (found.missing_files, found.unread_assets) == ((), ("assets/vocabulary.txt",))
    assert any("no operation reads it" in line for line in page_of(found, Page()))


def test_a_missing_asset_that_an_initialiser_reads_is_named(tmp_path: Path) -> None:
    made = handmade.meta_graph("serve")
    made.asset_file_def.add(filename="vocabulary.txt").tensor_info.name = "Const:0"
    made.graph_def.node.add(name="init", op="InitializeTableFromTextFileV2", input=["table", "Const"])
    folder = handmade.saved_model(tmp_path / "m", made)
    with pytest.raises(ArtifactError, match=r"assets/vocabulary\.txt is missing"):
        read(folder).check_complete()
    (folder / "assets").mkdir()
    (folder / "assets" / "vocabulary.txt").write_text("a\nb\n")
    read(folder).check_complete()
    assert read(folder).assets == ("assets/vocabulary.txt",)


def with_default(folder: Path, proto: Any) -> dict[str, Any]:
    made = handmade.meta_graph("serve")
    signature = made.signature_def["serving_default"]
    handmade.tensor_info(signature.inputs["option"], "option:0", dtype=proto.dtype, shape=[d.size for d in proto.tensor_shape.dim])
    signature.defaults["option"].CopyFrom(proto)
    spec = next(t for t in read(handmade.saved_model(folder, made)).signature("serving_default").inputs if t.name == "option")
    json.dumps(spec.to_json(), allow_nan=False)
    assert spec.default is not None
    return spec.default


def tensor(dtype: int, shape: tuple[int, ...], **values: Any) -> Any:
    made = message_class("tensorflow.TensorProto")(dtype=dtype, **values)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made


@pytest.mark.parametrize(
    ("proto", "data"),
    [
        (tensor(1, (), float_val=[0.5]), [0.5]),
        (tensor(1, (2, 2), float_val=[1.0, 2.0]), [1.0, 2.0, 2.0, 2.0]),
        (tensor(1, (3,)), [0.0, 0.0, 0.0]),
        (tensor(1, (0,)), []),
        (tensor(1, (3,), float_val=[float("nan"), float("inf"), float("-inf")]), ["NaN", "Infinity", "-Infinity"]),
        (tensor(3, (2,), tensor_content=b"\1\0\0\0\xff\xff\xff\xff"), [1, -1]),
        (tensor(6, (2,), int_val=[-3]), [-3, -3]),
        (tensor(7, (3,), string_val=[b"a\0b", b"\xff"]), ["a\0b", "\udcff", "\udcff"]),
        (tensor(7, (1,)), [""]),
        (tensor(8, (2,), scomplex_val=[1.0, -2.0]), [[1.0, -2.0], [1.0, -2.0]]),
        (tensor(8, (1,)), [[0.0, 0.0]]),
        (tensor(9, (), int64_val=[1 << 62]), [1 << 62]),
        (tensor(10, (2,), bool_val=[True]), [True, True]),
        (tensor(10, (2,), tensor_content=b"\0\1"), [False, True]),
        (tensor(14, (), half_val=[0x3FC0]), [1.5]),
        (tensor(19, (), half_val=[0x3E00]), [1.5]),
        (tensor(23, (), uint64_val=[(1 << 64) - 1]), [(1 << 64) - 1]),
        (tensor(24, (), float8_val=b"\x3e"), [1.5]),
    ],
)
def test_a_default_value_is_decoded(tmp_path: Path, proto: Any, data: list[Any]) -> None:
    found = with_default(tmp_path / "m", proto)
    assert found == {"shape": [d.size for d in proto.tensor_shape.dim], "data": data}


@pytest.mark.parametrize("datatype", [d.name for d in datatypes.DATATYPES.values() if d.name != "BYTES"])
def test_a_default_value_of_every_datatype_is_the_array_that_was_stored(tmp_path: Path, datatype: str) -> None:
    dtype = datatypes.numpy_dtype(datatype)
    last = 5 if datatype.startswith("U") else -2
    stored = np.array([True, False, True]) if datatype == "BOOL" else np.array([0, 1, 3, last]).astype(dtype)
    enum = datatypes.DATATYPES[datatype].enum
    proto = tensor(enum, stored.shape, tensor_content=stored.tobytes())
    found = TensorSpec("x", datatype, stored.shape, default=with_default(tmp_path / "m", proto))
    np.testing.assert_array_equal(array_of(found), stored)


@pytest.mark.parametrize(("enum", "dtype"), [(24, ml_dtypes.float8_e5m2), (25, ml_dtypes.float8_e4m3fn)])
def test_every_float8_has_the_value_of_ml_dtypes(enum: int, dtype: Any) -> None:
    every = bytes(range(256))
    found = protos.default(tensor(enum, (256,), tensor_content=every), Path("m"), "x")["data"]
    np.testing.assert_array_equal(np.array([float(v) for v in found]), np.frombuffer(every, dtype).astype(np.float64))


@pytest.mark.parametrize(
    "proto",
    [
        tensor(1, (2,), float_val=[1.0, 2.0, 3.0]),
        tensor(3, (2,), tensor_content=b"\1\0\0"),
        tensor(1, (1 << 40,), float_val=[0.0]),
        tensor(1, (1 << 40, 1 << 40)),
        tensor(20, ()),
        tensor(8, (1,), scomplex_val=[1.0]),
        tensor(19, (), half_val=[1 << 20]),
    ],
)
def test_a_default_value_that_does_not_fit_its_shape_is_refused(tmp_path: Path, proto: Any) -> None:
    with pytest.raises(ArtifactError, match=r"serving_default/option.*corrupt"):
        with_default(tmp_path / "m", proto)


def test_json_uses_the_keys_of_the_manifest(tmp_path: Path) -> None:
    folder = handmade.saved_model(tmp_path / "m", handmade.meta_graph("serve"))
    found = json.loads(json.dumps(read(folder).to_json(), allow_nan=False))
    assert found["format"] == "saved_model"
    assert found["size_bytes"] == (folder / "saved_model.pb").stat().st_size
    [meta_graph] = found["meta_graphs"]
    assert meta_graph["tags"] == ["serve"]
    assert meta_graph["signatures"]["serving_default"]["inputs"] == [
        {"name": "x", "datatype": "FP32", "shape": [-1, 4], "tensor": "serving_default_x:0"}
    ]
    assert meta_graph["ops"]["MatMul"] == 2


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    message = protos.SavedModelProto(saved_model_schema_version=2, meta_graphs=[handmade.meta_graph("serve")])
    (folder / "saved_model.pb").write_bytes(message.SerializeToString())
    with pytest.raises(ArtifactError, match="schema version 2"):
        artifacts.read(folder)
