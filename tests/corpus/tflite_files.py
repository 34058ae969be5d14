"""The corpus's .tflite files: converted here, and some damaged on purpose. Only make_models.py imports this."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import flatbuffers
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

# Converter and interpreter have different lists of datatypes; the converter refuses those that are missing here.
DATATYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "float16", "float32", "float64", "complex64", "string")
RETYPED = (
    ("bfloat16", "float16", schema.TensorType.BFLOAT16),
    ("uint64", "int64", schema.TensorType.UINT64),
    ("complex128", "complex64", schema.TensorType.COMPLEX128),
    ("int4", "int8", schema.TensorType.INT4),
    ("uint4", "uint8", schema.TensorType.UINT4),
)


def _convert(
    function: Callable[..., object], *specs: tf.TensorSpec, settle: Callable[[tf.lite.TFLiteConverter], None] | None = None
) -> bytes:
    module = tf.Module()
    module.serve = tf.function(function, input_signature=specs)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"serving_default": module.serve})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if settle:
            settle(converter)
        converted: bytes = converter.convert()
    return converted


def _edited(data: bytes, edit: Callable[[schema.ModelT], None]) -> bytes:
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    edit(model)
    builder = flatbuffers.Builder(1 << 12)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _maker(name: str, doc: str, make: Callable[[], bytes]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(make())

    write.__name__, write.__doc__ = name, doc
    return write


def _identity(datatype: str) -> bytes:
    return _convert(lambda x: {"y": tf.reshape(x, [-1, 3])}, tf.TensorSpec([None, 3], tf.dtypes.as_dtype(datatype), "x"))


def _plus_one(shape: list[int | None]) -> bytes:
    return _convert(lambda x: {"y": x + 1.0}, tf.TensorSpec(shape, tf.float32, "x"))


def _network(x: tf.Tensor) -> dict[str, tf.Tensor]:
    random = np.random.default_rng(7)
    filters = tf.constant(random.normal(size=(3, 3, 1, 4)), tf.float32)
    weights = tf.constant(random.normal(size=(64, 10)) / 8, tf.float32)
    convolved = tf.nn.relu(tf.nn.conv2d(x, filters, 2, "SAME"))
    return {"probabilities": tf.nn.softmax(tf.matmul(tf.reshape(convolved, [-1, 64]), weights))}


PIXELS = tf.TensorSpec([None, 8, 8, 1], tf.float32, "pixels")


def _quantise(converter: tf.lite.TFLiteConverter) -> None:
    random = np.random.default_rng(3)
    samples = random.uniform(size=(20, 1, 8, 8, 1)).astype(np.float32)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([s] for s in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8


def _allow_flex(converter: tf.lite.TFLiteConverter) -> None:
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]


def _several_signatures() -> bytes:
    module = tf.Module()
    spec = tf.TensorSpec([None, 3], tf.float32, "x")
    module.add_one = tf.function(lambda x: {"y": x + 1.0}, input_signature=[spec])
    module.double = tf.function(lambda x: {"y": x * 2.0}, input_signature=[spec])
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"add_one": module.add_one, "double": module.double})
        converted: bytes = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["add_one", "double"]).convert()
    return converted


def _retyped(datatype: str, number: int) -> bytes:
    """A reshape in a datatype that the converter cannot write: the tensors' datatype is changed afterwards."""

    def edit(model: schema.ModelT) -> None:
        graph = model.subgraphs[0]
        for index in (*graph.inputs, *graph.outputs):
            graph.tensors[index].type = number

    return _edited(_identity(datatype), edit)


def _with_option(data: bytes, option: str, value: int) -> bytes:
    def edit(model: schema.ModelT) -> None:
        for operator in model.subgraphs[0].operators:
            if hasattr(operator.builtinOptions, option):
                setattr(operator.builtinOptions, option, value)

    return _edited(data, edit)


def _newer_ops(model: schema.ModelT) -> None:
    for code in model.operatorCodes:
        code.version = 99


def _huge_input_scale(model: schema.ModelT) -> None:
    """XNNPACK refuses a convolution where input scale times filter scale is 256 times the output's or more, after taking the node."""
    graph = model.subgraphs[0]
    quantization = graph.tensors[graph.inputs[0]].quantization
    quantization.scale = np.asarray(quantization.scale) * np.float32(1e6)


def _sparse_beyond_the_end() -> bytes:
    """SPARSE_TO_DENSE of tflite-runtime trusts its indices: 64 values into 16 places write beyond the arena, and free() detects it."""
    indices = np.arange(64, dtype=np.int32)

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        dense = tf.raw_ops.SparseToDense(sparse_indices=indices[:, None], output_shape=[64], sparse_values=x, default_value=0.0)
        return {"y": dense}

    def edit(model: schema.ModelT) -> None:
        graph = model.subgraphs[0]
        for buffer in model.buffers:
            if buffer.data is not None and bytes(buffer.data) == np.int32(64).tobytes():
                buffer.data = np.frombuffer(np.int32(16).tobytes(), np.uint8)
        graph.tensors[graph.outputs[0]].shape = [16]

    return _edited(_convert(serve, tf.TensorSpec([64], tf.float32, "x")), edit)


def _halves(x: tf.Tensor) -> dict[str, tf.Tensor]:
    first, second = tf.split(x, 2, axis=1)
    return {"first": first, "second": second}


def _without_signatures(model: schema.ModelT) -> None:
    model.signatureDefs = None


MAKERS = [
    *(_maker(f"tflite_identity_{d}", f"A reshape that changes nothing, in {d}.", lambda d=d: _identity(d)) for d in DATATYPES),
    _maker("tflite_scalar", "A scalar plus one.", lambda: _plus_one([])),
    _maker("tflite_rank_6", "A tensor of rank 6 plus one.", lambda: _plus_one([None, 1, 2, 1, 2, 3])),
    _maker("tflite_cnn", "A float network with a free batch dimension.", lambda: _convert(_network, PIXELS)),
    _maker(
        "tflite_cnn_int8", "The same network with int8 weights, inputs and outputs.", lambda: _convert(_network, PIXELS, settle=_quantise)
    ),
    _maker(
        "tflite_no_signature", "The same network without a SignatureDef.", lambda: _edited(_convert(_network, PIXELS), _without_signatures)
    ),
    _maker("tflite_several_signatures", "Two signatures, each with its own subgraph.", _several_signatures),
    _maker(
        "tflite_flex",
        "An op of TensorFlow's own (Select TF): no interpreter from a package index has it.",
        lambda: _convert(lambda x: {"y": tf.linalg.inv(x)}, tf.TensorSpec([None, 2, 2], tf.float32, "x"), settle=_allow_flex),
    ),
    *(
        _maker(f"tflite_identity_{new}", f"A reshape that changes nothing, in {new}.", lambda old=old, number=number: _retyped(old, number))
        for new, old, number in RETYPED
    ),
    _maker("tflite_newer_op", "Ops of a version that no interpreter supports.", lambda: _edited(_convert(_network, PIXELS), _newer_ops)),
    _maker(
        "tflite_fails_on_xnnpack",
        "A scale that LiteRT's XNNPACK refuses too late to leave the node to the interpreter's own kernel.",
        lambda: _edited(_convert(_network, PIXELS, settle=_quantise), _huge_input_scale),
    ),
    _maker(
        "tflite_stride_zero",
        "A convolution of stride 0: tflite-runtime divides by it and crashes, LiteRT refuses it.",
        lambda: _with_option(_convert(_network, PIXELS), "strideW", 0),
    ),
    _maker(
        "tflite_split_zero",
        "A split into 0 parts: LiteRT crashes, tflite-runtime refuses it.",
        lambda: _with_option(_convert(_halves, tf.TensorSpec([1, 4], tf.float32, "x")), "numSplits", 0),
    ),
    _maker("tflite_dies_at_exit", "tflite-runtime answers with a damaged heap, and crashes at exit.", _sparse_beyond_the_end),
]
