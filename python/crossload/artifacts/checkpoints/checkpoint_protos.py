"""The messages of TensorFlow's checkpoints, of both versions and of the state file, reduced to the fields that crossload reads.

Sources: tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/framework/tensor_slice.proto,
tensorflow/core/util/saved_tensor_slice.proto, tensorflow/python/training/checkpoint_state.proto.
"""

from __future__ import annotations

from typing import Any

from crossload.support.once import once


@once
def messages() -> dict[str, Any]:
    """The classes by name.

    Omitted fields keep their numbers; enums are declared as numbers, as on the wire. The values of a V1 checkpoint are packed fields of a
    TensorProto (tensor.proto): they are declared as bytes, because parsing would otherwise create millions of Python numbers.
    """
    from google.protobuf import descriptor_pb2

    from crossload.artifacts.messages import declare, file_of, message_class

    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="crossload/tensor_bundle.proto", package="crossload", syntax="proto2")
    shape, version = "tensorflow.TensorShapeProto", "tensorflow.VersionDef"
    file.dependency.extend([file_of(shape), file_of(version)])
    int32, int64, text, raw, double = kind.TYPE_INT32, kind.TYPE_INT64, kind.TYPE_STRING, kind.TYPE_BYTES, kind.TYPE_DOUBLE
    # A field's name, its number, and its type: a scalar's type, a message's name, or [many] of either.
    declared: dict[str, tuple[tuple[str, int, Any], ...]] = {
        "Extent": (("start", 1, int64), ("length", 2, int64)),
        "TensorSliceProto": (("extent", 1, ["crossload.Extent"]),),
        "BundleHeaderProto": (("num_shards", 1, int32), ("endianness", 2, int32), ("version", 3, version)),
        "BundleEntryProto": (
            ("dtype", 1, int32), ("shape", 2, shape), ("shard_id", 3, int32), ("offset", 4, int64), ("size", 5, int64),
            ("crc32c", 6, kind.TYPE_FIXED32), ("slices", 7, ["crossload.TensorSliceProto"]),
        ),
        "SavedSliceMeta": (("name", 1, raw), ("shape", 2, shape), ("type", 3, int32), ("slice", 4, ["crossload.TensorSliceProto"])),
        "SavedTensorSliceMeta": (("tensor", 1, ["crossload.SavedSliceMeta"]), ("versions", 2, version)),
        "SliceValues": (
            ("float_val", 5, raw), ("double_val", 6, raw), ("int_val", 7, raw), ("string_val", 8, [raw]), ("scomplex_val", 9, raw),
            ("int64_val", 10, raw), ("bool_val", 11, raw), ("dcomplex_val", 12, raw), ("half_val", 13, raw), ("uint32_val", 16, raw),
            ("uint64_val", 17, raw),
        ),
        "SavedSlice": (("name", 1, raw), ("slice", 2, "crossload.TensorSliceProto"), ("data", 3, "crossload.SliceValues")),
        "SavedTensorSlices": (("meta", 1, "crossload.SavedTensorSliceMeta"), ("data", 2, "crossload.SavedSlice")),
        "CheckpointState": (
            ("model_checkpoint_path", 1, text), ("all_model_checkpoint_paths", 2, [text]),
            ("all_model_checkpoint_timestamps", 3, [double]), ("last_preserved_timestamp", 4, double),
        ),
    }  # fmt: skip
    for name, fields in declared.items():
        message = file.message_type.add(name=name)
        for field_name, number, holds in fields:
            of = holds[0] if isinstance(holds, list) else holds
            added = message.field.add(name=field_name, number=number)
            added.label = kind.LABEL_REPEATED if isinstance(holds, list) else kind.LABEL_OPTIONAL
            if isinstance(of, int):
                added.type = of
            else:
                added.type, added.type_name = kind.TYPE_MESSAGE, f".{of}"
    declare(file.SerializeToString())
    return {name: message_class(f"crossload.{name}") for name in declared}
