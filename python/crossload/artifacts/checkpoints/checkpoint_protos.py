"""The messages of TensorFlow's checkpoints, of both versions and of the state file, reduced to the fields that crossload reads.

Sources: tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/framework/tensor_slice.proto,
tensorflow/core/util/saved_tensor_slice.proto, tensorflow/python/training/checkpoint_state.proto.
"""

from __future__ import annotations

from typing import Any

from crossload.artifacts.declaration import declare
from crossload.artifacts.messages import message_class
from crossload.support.once import once


@once
def messages() -> dict[str, Any]:
    """The classes by name.

    Omitted fields keep their numbers; enums are declared as numbers, as on the wire. The values of a V1 checkpoint are packed fields of a
    TensorProto (tensor.proto): they are declared as bytes, because parsing would otherwise create millions of Python numbers.
    """
    shape, version = message_class("tensorflow.TensorShapeProto"), message_class("tensorflow.VersionDef")
    return declare(
        "crossload.checkpoint",
        {
            "Extent": [("start", 1, "int64"), ("length", 2, "int64")],
            "TensorSliceProto": [("extent", 1, ["Extent"])],
            "BundleHeaderProto": [("num_shards", 1, "int32"), ("endianness", 2, "int32"), ("version", 3, version)],
            "BundleEntryProto": [
                ("dtype", 1, "int32"), ("shape", 2, shape), ("shard_id", 3, "int32"), ("offset", 4, "int64"), ("size", 5, "int64"),
                ("crc32c", 6, "fixed32"), ("slices", 7, ["TensorSliceProto"]),
            ],
            "SavedSliceMeta": [("name", 1, "bytes"), ("shape", 2, shape), ("type", 3, "int32"), ("slice", 4, ["TensorSliceProto"])],
            "SavedTensorSliceMeta": [("tensor", 1, ["SavedSliceMeta"]), ("versions", 2, version)],
            "SliceValues": [
                ("float_val", 5, "bytes"), ("double_val", 6, "bytes"), ("int_val", 7, "bytes"), ("string_val", 8, ["bytes"]),
                ("scomplex_val", 9, "bytes"), ("int64_val", 10, "bytes"), ("bool_val", 11, "bytes"), ("dcomplex_val", 12, "bytes"),
                ("half_val", 13, "bytes"), ("uint32_val", 16, "bytes"), ("uint64_val", 17, "bytes"),
            ],
            "SavedSlice": [("name", 1, "bytes"), ("slice", 2, "TensorSliceProto"), ("data", 3, "SliceValues")],
            "SavedTensorSlices": [("meta", 1, "SavedTensorSliceMeta"), ("data", 2, "SavedSlice")],
            "CheckpointState": [
                ("model_checkpoint_path", 1, "string"), ("all_model_checkpoint_paths", 2, ["string"]),
                ("all_model_checkpoint_timestamps", 3, ["double"]), ("last_preserved_timestamp", 4, "double"),
            ],
        },
        syntax="proto2",
    )  # fmt: skip
