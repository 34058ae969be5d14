"""TFLite files, written by the schema's own builder functions and read with every offset checked."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest
import tflite as schema

from crossload import artifacts
from crossload.artifacts.tflite import tflite_file
from crossload.contract.signatures import TensorSpec
from crossload.errors import ArtifactError
from tests.corpus.handmade import Lite, Tensor

SIGNED = {"serving_default": ({"pixels": 0}, {"probabilities": 1})}


def read(path: Path, made: Lite | bytes) -> tflite_file.TFLite:
    path.write_bytes(made if isinstance(made, bytes) else made.build())
    found = artifacts.read(path)
    assert isinstance(found, tflite_file.TFLite)
    return found


def test_a_signature_names_tensors_by_index(tmp_path: Path) -> None:
    found = read(tmp_path / "m.tflite", Lite(signatures=SIGNED)).signature("serving_default")
    assert found.inputs == (TensorSpec("pixels", "FP32", (-1, 4), 0),)
    assert found.outputs == (TensorSpec("probabilities", "FP32", (-1, 2), 1),)
    assert found.key == "serving_default"


def test_without_signatures_the_tensors_own_names_are_used(tmp_path: Path) -> None:
    found = read(tmp_path / "m.tflite", Lite())
    assert found.signatures == {}
    assert found.signature() == tflite_file.Signature((TensorSpec("x", "FP32", (-1, 4), 0),), (TensorSpec("y", "FP32", (-1, 2), 1),))
    assert [(tags, list(own)) for tags, own in artifacts.callable_signatures(found)] == [(None, ["serving_default"])]
    assert artifacts.callable_signatures(found)[0][1]["serving_default"].key is None


def test_tensors_with_the_same_name_or_none_are_distinguished_by_index(tmp_path: Path) -> None:
    made = Lite(tensors=[Tensor("x"), Tensor("x"), Tensor(""), Tensor("y")], inputs=[0, 1, 2], outputs=[3])
    assert [t.name for t in read(tmp_path / "m.tflite", made).inputs] == ["x#0", "x#1", "#2"]


def test_the_error_for_an_unknown_signature_lists_the_available_ones(tmp_path: Path) -> None:
    found = read(tmp_path / "m.tflite", Lite(signatures={**SIGNED, "a/b": ({"x": 0}, {"y": 1})}))
    with pytest.raises(ArtifactError, match="no signature 'train'; choose one of: 'serving_default', 'a/b'"):
        found.signature("train")
    with pytest.raises(ArtifactError, match="more than one signature"):
        found.signature()


def test_builtin_flex_and_custom_ops_are_counted_separately(tmp_path: Path) -> None:
    builtin = schema.BuiltinOperator
    operators = [
        builtin.CONV_2D,
        builtin.CONV_2D,
        builtin.BROADCAST_TO,
        builtin.STABLEHLO_ADD,
        "FlexMatrixInverse",
        "TFLite_Detection_PostProcess",
        999,
    ]
    found = read(tmp_path / "m.tflite", Lite(operators=operators))
    assert found.ops == {
        "builtin": {"CONV_2D": 2, "BROADCAST_TO": 1, "BUILTIN_999": 1, "STABLEHLO_ADD": 1},
        "flex": {"FlexMatrixInverse": 1},
        "custom": {"TFLite_Detection_PostProcess": 1},
    }


@pytest.mark.parametrize("kind", [name for name in vars(schema.TensorType) if name.isupper()])
def test_every_tensor_type_has_its_datatype(tmp_path: Path, kind: str) -> None:
    names = {"FLOAT": "FP", "STRING": "BYTES", "BFLOAT": "BF", "RESOURCE": "DT_20", "VARIANT": "DT_21"}
    expected = next((kind.replace(old, new) for old, new in names.items() if kind.startswith(old)), kind)
    found = read(tmp_path / "m.tflite", Lite(tensors=[Tensor("x", kind=getattr(schema.TensorType, kind)), Tensor("y")]))
    assert found.inputs[0].datatype == expected


def test_a_newer_tensor_type_is_listed_as_unknown(tmp_path: Path) -> None:
    assert read(tmp_path / "m.tflite", Lite(tensors=[Tensor("x", kind=99), Tensor("y")])).inputs[0].datatype == "DT_0"


def test_quantisation_is_read_per_tensor_and_per_channel(tmp_path: Path) -> None:
    int8 = schema.TensorType.INT8
    made = Lite(
        tensors=[
            Tensor("x", kind=int8, scale=[0.5], zero_point=[-128]),
            Tensor("y", kind=int8, scale=[0.25, 2.0], zero_point=[0, 1], axis=1),
        ]
    )
    found = read(tmp_path / "m.tflite", made)
    assert found.inputs[0].quantization == {"scale": [0.5], "zero_point": [-128], "axis": 0}
    assert found.outputs[0].quantization == {"scale": [0.25, 2.0], "zero_point": [0, 1], "axis": 1}


def test_metadata_is_listed_with_sizes_and_short_texts(tmp_path: Path) -> None:
    metadata = {"min_runtime_version": b"1.14.0" + bytes(10), "TFLITE_METADATA": bytes(5000)}
    found = read(tmp_path / "m.tflite", Lite(metadata=metadata))
    assert [(m.name, m.size_bytes, m.text) for m in found.metadata] == [
        ("min_runtime_version", 16, "1.14.0"),
        ("TFLITE_METADATA", 5000, None),
    ]
    assert found.producer == {"min_runtime_version": "1.14.0"}
    assert found.description == "made by hand"


def test_weights_after_the_flatbuffer_are_counted_and_must_be_complete(tmp_path: Path) -> None:
    end = len(Lite(buffers=[(1 << 20, 100)]).build())
    data = Lite(buffers=[(end, 100)]).build()
    assert read(tmp_path / "m.tflite", data + bytes(100)).external_bytes == 100
    with pytest.raises(ArtifactError, match="a buffer of 100 bytes"):
        read(tmp_path / "m.tflite", data + bytes(99))


@pytest.mark.parametrize(
    "made",
    [
        Lite(inputs=[7]),
        Lite(outputs=[-1]),
        Lite(signatures={"a": ({"x": 9}, {"y": 1})}),
        Lite(repeat_subgraphs=0),
    ],
)
def test_an_index_out_of_range_is_refused(tmp_path: Path, made: Lite) -> None:
    with pytest.raises(ArtifactError, match="truncated or corrupt"):
        read(tmp_path / "m.tflite", made)


def test_a_small_file_cannot_expand_to_millions_of_tables(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ArtifactError, match="the same bytes too often"):
        read(tmp_path / "m.tflite", Lite(repeat_operators=20_000, repeat_subgraphs=20_000))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def test_a_length_of_four_billion_is_refused_at_once(tmp_path: Path) -> None:
    made = bytearray(Lite().build())
    at = made.index(b"made by hand") - 4
    made[at : at + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(ArtifactError, match="it refers to 4294967295 bytes"):
        read(tmp_path / "m.tflite", bytes(made))


def test_json_has_the_three_kinds_of_ops(tmp_path: Path) -> None:
    found = json.loads(json.dumps(read(tmp_path / "m.tflite", Lite(signatures=SIGNED)).to_json(), allow_nan=False))
    assert found["ops"] == {"builtin": {"FULLY_CONNECTED": 1, "SOFTMAX": 1}, "flex": {}, "custom": {}}
    assert found["signatures"]["serving_default"]["inputs"] == [{"name": "pixels", "datatype": "FP32", "shape": [-1, 4], "tensor": 0}]
    assert found["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4], "tensor": 0}]
    assert found["subgraphs"] == [{"name": "main", "tensors": 2, "operators": 2, "inputs": [0], "outputs": [1]}]
