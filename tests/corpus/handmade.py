"""Artifacts built from messages and builders, without TensorFlow, like those of real exporters, including old and unusual ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers
import tflite
from flatbuffers import flexbuffers
from google.protobuf import text_format

from crossload.artifacts.graphs.protos import SavedModelProto
from crossload.artifacts.messages import message_class

FLOAT, INT32, STRING, INT64, BOOL, RESOURCE = 1, 3, 7, 9, 10, 20


def node(body: Any, name: str, op: str, *inputs: str, shape: Sequence[int] | None = None, **types: int | Sequence[int]) -> Any:
    """Add a node to a GraphDef's or a function's nodes; the keywords are its type attributes."""
    added = body.add(name=name, op=op, input=inputs)
    if shape is not None:
        for size in shape:
            added.attr["shape"].shape.dim.add(size=size)
        added.attr["shape"].shape.SetInParent()
    for key, value in types.items():
        if isinstance(value, int):
            added.attr[key].type = value
        else:
            added.attr[key].list.type.extend(value)
    return added


def tensor_info(info: Any, name: str, dtype: int = FLOAT, shape: Sequence[int] | None = (-1, 4)) -> None:
    """Fill a TensorInfo; shape None means an unknown rank."""
    info.name, info.dtype = name, dtype
    info.tensor_shape.unknown_rank = shape is None
    for size in shape or ():
        info.tensor_shape.dim.add(size=size)


def meta_graph(*tags: str) -> Any:
    """A MetaGraphDef as TensorFlow 2 writes it: one signature, an init op in the form of a signature, a function."""
    made = message_class("tensorflow.MetaGraphDef")()
    info = made.meta_info_def
    info.tags.extend(tags)
    info.tensorflow_version, info.tensorflow_git_version, info.stripped_default_attrs = "2.21.0", "v2.21.0", True
    graph = made.graph_def
    graph.versions.producer = 2474
    node(graph.node, "serving_default_x", "Placeholder", shape=(-1, 4), dtype=FLOAT)
    node(graph.node, "StatefulPartitionedCall", "StatefulPartitionedCall", "serving_default_x", Tin=[FLOAT], Tout=[FLOAT])
    node(graph.node, "NoOp", "NoOp")
    function = graph.library.function.add()
    function.signature.name = "__inference_call"
    node(function.node_def, "matmul", "MatMul", "x", "w", T=FLOAT)
    node(function.node_def, "again", "MatMul", "matmul", "w", T=FLOAT)
    signature = made.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    tensor_info(signature.inputs["x"], "serving_default_x:0")
    tensor_info(signature.outputs["y"], "StatefulPartitionedCall:0", shape=(-1, 2))
    init = made.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"]
    tensor_info(init, "NoOp", dtype=0, shape=None)
    return made


def with_variables(made: Any) -> Any:
    """Add a restored variable to a MetaGraphDef."""
    node(made.graph_def.node, "kernel", "VarHandleOp", dtype=FLOAT)
    made.saver_def.restore_op_name = "StatefulPartitionedCall_1"
    return made


def constant(body: Any, name: str, values: Sequence[float], kind: int = FLOAT) -> Any:
    """Add a constant vector of float32, or of int32."""
    made = node(body, name, "Const", dtype=kind)
    tensor = made.attr["value"].tensor
    tensor.dtype = kind
    tensor.tensor_shape.dim.add(size=len(values))
    (tensor.float_val if kind == FLOAT else tensor.int_val).extend(values)
    return made


def dropout() -> Any:
    """A GraphDef with y = x * random numbers, without a seed."""
    made = message_class("tensorflow.GraphDef")()
    made.versions.producer = 1000
    node(made.node, "x", "Placeholder", shape=(-1, 4), dtype=FLOAT)
    node(made.node, "shape", "Shape", "x", T=FLOAT, out_type=INT32)
    node(made.node, "draw", "RandomUniform", "shape", T=INT32, dtype=FLOAT)
    node(made.node, "y", "Mul", "x", "draw", T=FLOAT)
    return made


def drawn_at_load() -> Any:
    """A MetaGraphDef with y = x * w, whose init op gives w random values: no checkpoint has any."""
    made = message_class("tensorflow.MetaGraphDef")()
    made.meta_info_def.tags.append("serve")
    body = made.graph_def.node
    made.graph_def.versions.producer = 1000
    node(body, "x", "Placeholder", shape=(-1, 4), dtype=FLOAT)
    node(body, "w", "VarHandleOp", shape=(4,), dtype=FLOAT)
    body[-1].attr["shared_name"].s = b"w"
    constant(body, "shape", [4], INT32)
    node(body, "draw", "RandomUniform", "shape", T=INT32, dtype=FLOAT)
    node(body, "assign", "AssignVariableOp", "w", "draw", dtype=FLOAT)
    node(body, "init", "NoOp", "^assign")
    node(body, "read", "ReadVariableOp", "w", dtype=FLOAT)
    node(body, "y", "Mul", "x", "read", T=FLOAT)
    made.collection_def["saved_model_main_op"].node_list.value.append("init")
    signature = made.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    tensor_info(signature.inputs["x"], "x:0")
    tensor_info(signature.outputs["y"], "y:0")
    return made


def one_bad_signature() -> Any:
    """A MetaGraphDef of three signatures: `double` x; `scalar`, whose input of unknown rank is a scalar; `file`, the content of one."""
    made = message_class("tensorflow.MetaGraphDef")()
    made.meta_info_def.tags.append("serve")
    body = made.graph_def.node
    made.graph_def.versions.producer = 1000
    for key, op, kind, shape in (
        ("double", "AddV2", FLOAT, (-1, 4)),
        ("scalar", "EnsureShape", FLOAT, None),
        ("file", "ReadFile", STRING, ()),
    ):
        node(body, f"{key}_x", "Placeholder", dtype=kind, shape=shape)
        node(body, f"{key}_y", op, f"{key}_x", *[f"{key}_x"] * (op == "AddV2"), **({} if op == "ReadFile" else {"T": kind}))
        if op == "EnsureShape":
            body[-1].attr["shape"].shape.SetInParent()
        signature = made.signature_def[key]
        signature.method_name = "tensorflow/serving/predict"
        tensor_info(signature.inputs["x"], f"{key}_x:0", kind, shape)
        tensor_info(signature.outputs["y"], f"{key}_y:0", kind, shape)
    return made


def saved_model(folder: Path, *meta_graphs: Any, text: bool = False) -> Path:
    """Write a SavedModel folder of these MetaGraphDefs."""
    folder.mkdir(parents=True, exist_ok=True)
    message = SavedModelProto(saved_model_schema_version=1, meta_graphs=meta_graphs)
    if text:
        (folder / "saved_model.pbtxt").write_text(text_format.MessageToString(message))
    else:
        (folder / "saved_model.pb").write_bytes(message.SerializeToString(deterministic=True))
    return folder


def graph(*, producer: int = 2474) -> Any:
    """A small classifier, frozen: placeholder, constant, product, softmax, and an assertion beside it."""
    made = message_class("tensorflow.GraphDef")()
    made.versions.producer = producer
    node(made.node, "x", "Placeholder", shape=(-1, 4), dtype=FLOAT)
    node(made.node, "w", "Const", dtype=FLOAT)
    node(made.node, "product", "MatMul", "x", "w", T=FLOAT)
    node(made.node, "check", "Assert", "product", T=[FLOAT])
    node(made.node, "probabilities", "Softmax", "product", "^check", T=FLOAT)
    return made


def write_graph(path: Path, made: Any, *, text: bool = False) -> Path:
    """Write a GraphDef as binary or text, according to the path's suffix."""
    path.write_bytes(text_format.MessageToString(made).encode() if text else made.SerializeToString(deterministic=True))
    return path


@dataclass
class Tensor:
    """A tensor of a .tflite; `kind` is a number of the enum TensorType."""

    name: str
    kind: int = tflite.TensorType.FLOAT32
    shape: Sequence[int] = (1, 4)
    free: Sequence[int] = ()
    scale: Sequence[float] = ()
    zero_point: Sequence[int] = ()
    axis: int = 0
    has_rank: bool = False
    variable: bool = False


@dataclass
class Lite:
    """A .tflite of one subgraph; an operator is a number of BuiltinOperator, or the name of a custom op."""

    tensors: Sequence[Tensor] = (Tensor("x", free=(-1, 4)), Tensor("y", shape=(1, 2), free=(-1, 2)))
    inputs: Sequence[int] = (0,)
    outputs: Sequence[int] = (1,)
    operators: Sequence[int | str] = (tflite.BuiltinOperator.FULLY_CONNECTED, tflite.BuiltinOperator.SOFTMAX)
    signatures: dict[str, tuple[dict[str, int], dict[str, int]]] = field(default_factory=dict)
    metadata: dict[str, bytes] = field(default_factory=dict)
    buffers: Sequence[tuple[int, int]] = ()  # offset and size of those after the flatbuffer
    custom_options: bytes = b""
    repeat_operators: int = 1
    repeat_subgraphs: int = 1

    def build(self) -> bytes:
        """The file's bytes, written by the builder functions that flatc generated from the schema."""
        b = flatbuffers.Builder(1024)
        codes = list(dict.fromkeys(self.operators))
        written_codes = [_operator_code(b, code) for code in codes]
        operators = [_operator(b, codes.index(code), self.custom_options) for code in self.operators] * self.repeat_operators
        tensors = [_tensor(b, t) for t in self.tensors]
        subgraphs = [self._subgraph(b, tensors, operators)] * self.repeat_subgraphs
        signatures = [_signature(b, key, *sides) for key, sides in self.signatures.items()]
        blobs = [b.CreateByteVector(data) for data in self.metadata.values()]
        buffers = [_buffer(b)] + [_buffer(b, data=blob) for blob in blobs] + [_buffer(b, extent=extent) for extent in self.buffers]
        metadata = [_metadata(b, name, at) for at, name in enumerate(self.metadata, 1)]
        description = b.CreateString("made by hand")
        vectors = [_offsets(b, items) for items in (written_codes, subgraphs, buffers, metadata, signatures)]
        tflite.ModelStart(b)
        tflite.ModelAddVersion(b, 3)
        tflite.ModelAddOperatorCodes(b, vectors[0])
        tflite.ModelAddSubgraphs(b, vectors[1])
        tflite.ModelAddDescription(b, description)
        tflite.ModelAddBuffers(b, vectors[2])
        tflite.ModelAddMetadata(b, vectors[3])
        tflite.ModelAddSignatureDefs(b, vectors[4])
        b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
        return bytes(b.Output())

    def _subgraph(self, b: Any, tensors: list[int], operators: list[int]) -> int:
        name = b.CreateString("main")
        vectors = [_offsets(b, tensors), _numbers(b, self.inputs), _numbers(b, self.outputs), _offsets(b, operators)]
        tflite.SubGraphStart(b)
        tflite.SubGraphAddTensors(b, vectors[0])
        tflite.SubGraphAddInputs(b, vectors[1])
        tflite.SubGraphAddOutputs(b, vectors[2])
        tflite.SubGraphAddOperators(b, vectors[3])
        tflite.SubGraphAddName(b, name)
        return int(tflite.SubGraphEnd(b))


def unsigned(data: bytes) -> bytes:
    """A .tflite without its SignatureDefs: the root table's vtable says that the field (number 7) is absent."""
    edited = bytearray(data)
    root = int.from_bytes(data[:4], "little")
    vtable = root - int.from_bytes(data[root : root + 4], "little", signed=True)
    edited[vtable + 4 + 2 * 7 : vtable + 6 + 2 * 7] = b"\0\0"
    return bytes(edited)


def signal_energy() -> bytes:
    """A .tflite of an op of TensorFlow Lite Micro's signal library: the squares of two complex numbers of int16."""
    options = flexbuffers.Builder()
    with options.Map():
        options.Int("start_index", 0)
        options.Int("end_index", 2)
    tensors = (Tensor("x", tflite.TensorType.INT16, (2,)), Tensor("y", tflite.TensorType.UINT32, (2,)))
    return Lite(tensors, operators=("SignalEnergy",), custom_options=bytes(options.Finish())).build()


def _vector(b: Any, items: Sequence[Any], width: int, prepend: Callable[[Any], None]) -> int:
    b.StartVector(width, len(items), width)
    for item in reversed(items):
        prepend(item)
    return int(b.EndVector())


def _offsets(b: Any, items: Sequence[int]) -> int:
    return _vector(b, items, 4, b.PrependUOffsetTRelative)


def _numbers(b: Any, items: Sequence[int]) -> int:
    return _vector(b, items, 4, b.PrependInt32)


def _operator_code(b: Any, code: int | str) -> int:
    custom = b.CreateString(code) if isinstance(code, str) else None
    number = tflite.BuiltinOperator.CUSTOM if isinstance(code, str) else code
    tflite.OperatorCodeStart(b)
    # As in the converter: old readers see 127 for codes that do not fit their byte.
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(number, 127))
    tflite.OperatorCodeAddBuiltinCode(b, number)
    if custom is not None:
        tflite.OperatorCodeAddCustomCode(b, custom)
    return int(tflite.OperatorCodeEnd(b))


def _operator(b: Any, code: int, custom_options: bytes = b"") -> int:
    inputs, outputs = _numbers(b, [0]), _numbers(b, [1])
    options = b.CreateByteVector(custom_options) if custom_options else None
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, code)
    tflite.OperatorAddInputs(b, inputs)
    tflite.OperatorAddOutputs(b, outputs)
    if options is not None:
        tflite.OperatorAddCustomOptions(b, options)
    return int(tflite.OperatorEnd(b))


def _tensor(b: Any, tensor: Tensor) -> int:
    name, shape, free = b.CreateString(tensor.name), _numbers(b, tensor.shape), _numbers(b, tensor.free)
    quantization = _quantization(b, tensor) if tensor.scale else None
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, tensor.kind)
    tflite.TensorAddName(b, name)
    if quantization is not None:
        tflite.TensorAddQuantization(b, quantization)
    if tensor.free:
        tflite.TensorAddShapeSignature(b, free)
    if tensor.has_rank:
        tflite.TensorAddHasRank(b, True)
    if tensor.variable:
        tflite.TensorAddIsVariable(b, True)
    return int(tflite.TensorEnd(b))


def _quantization(b: Any, tensor: Tensor) -> int:
    scale, zero_point = _vector(b, tensor.scale, 4, b.PrependFloat32), _vector(b, tensor.zero_point, 8, b.PrependInt64)
    tflite.QuantizationParametersStart(b)
    tflite.QuantizationParametersAddScale(b, scale)
    tflite.QuantizationParametersAddZeroPoint(b, zero_point)
    tflite.QuantizationParametersAddQuantizedDimension(b, tensor.axis)
    return int(tflite.QuantizationParametersEnd(b))


def _buffer(b: Any, data: int | None = None, extent: tuple[int, int] | None = None) -> int:
    tflite.BufferStart(b)
    if data is not None:
        tflite.BufferAddData(b, data)
    if extent is not None:
        tflite.BufferAddOffset(b, extent[0])
        tflite.BufferAddSize(b, extent[1])
    return int(tflite.BufferEnd(b))


def _metadata(b: Any, name: str, buffer: int) -> int:
    written = b.CreateString(name)
    tflite.MetadataStart(b)
    tflite.MetadataAddName(b, written)
    tflite.MetadataAddBuffer(b, buffer)
    return int(tflite.MetadataEnd(b))


def _signature(b: Any, key: str, inputs: dict[str, int], outputs: dict[str, int]) -> int:
    written_key = b.CreateString(key)
    sides = [_offsets(b, [_tensor_map(b, name, at) for name, at in side.items()]) for side in (inputs, outputs)]
    tflite.SignatureDefStart(b)
    tflite.SignatureDefAddInputs(b, sides[0])
    tflite.SignatureDefAddOutputs(b, sides[1])
    tflite.SignatureDefAddSignatureKey(b, written_key)
    tflite.SignatureDefAddSubgraphIndex(b, 0)
    return int(tflite.SignatureDefEnd(b))


def _tensor_map(b: Any, name: str, index: int) -> int:
    written = b.CreateString(name)
    tflite.TensorMapStart(b)
    tflite.TensorMapAddName(b, written)
    tflite.TensorMapAddTensorIndex(b, index)
    return int(tflite.TensorMapEnd(b))
