"""What a tensor bundle's bytes mean: its messages, the keys of parts, and string tensors.

Sources: tensorflow/core/protobuf/tensor_bundle.proto; tensorflow/core/util/tensor_bundle/tensor_bundle.cc (strings, checksums);
tensorflow/core/util/saved_tensor_slice_util.cc and tensorflow/core/lib/strings/ordered_code.cc (keys of parts).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import google_crc32c

from crossload.artifacts import table

WHOLE = -1  # a part's length along a dimension that is not divided

# A part of a tensor: (start, length) for each dimension.
Slice = tuple[tuple[int, int], ...]


@cache
def messages() -> dict[str, Any]:
    """The messages of tensor_bundle.proto, tensor_slice.proto and checkpoint_state.proto, as far as they are read here.

    Fields that are left out keep their place on the wire; enums are declared as the numbers that they are there.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from tensorboard.compat.proto import tensor_shape_pb2, versions_pb2

    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="crossload/tensor_bundle.proto", package="crossload", syntax="proto2")
    file.dependency.extend([tensor_shape_pb2.DESCRIPTOR.name, versions_pb2.DESCRIPTOR.name])
    shape, version = (m.DESCRIPTOR.full_name for m in (tensor_shape_pb2.TensorShapeProto, versions_pb2.VersionDef))
    int32, int64, text = kind.TYPE_INT32, kind.TYPE_INT64, kind.TYPE_STRING
    declared: dict[str, tuple[tuple[str, int, Any], ...]] = {
        "Extent": (("start", 1, int64), ("length", 2, int64)),
        "TensorSliceProto": (("extent", 1, ["crossload.Extent"]),),
        "BundleHeaderProto": (("num_shards", 1, int32), ("endianness", 2, int32), ("version", 3, version)),
        "BundleEntryProto": (
            ("dtype", 1, int32), ("shape", 2, shape), ("shard_id", 3, int32), ("offset", 4, int64), ("size", 5, int64),
            ("crc32c", 6, kind.TYPE_FIXED32), ("slices", 7, ["crossload.TensorSliceProto"]),
        ),
        "CheckpointState": (("model_checkpoint_path", 1, text),),
    }  # fmt: skip
    for name, fields in declared.items():
        message = file.message_type.add(name=name)
        for field_name, number, of in fields:
            added = message.field.add(name=field_name, number=number, label=kind.LABEL_OPTIONAL)
            if isinstance(of, int):
                added.type = of
            else:
                added.type, added.type_name = kind.TYPE_MESSAGE, f".{of if isinstance(of, str) else of[0]}"
                added.label = kind.LABEL_OPTIONAL if isinstance(of, str) else kind.LABEL_REPEATED
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"crossload.{name}")) for name in declared}


def extents(part: Slice, shape: tuple[int, ...]) -> Slice:
    """A part with every length written out."""
    return tuple((start, size if length == WHOLE else length) for (start, length), size in zip(part, shape, strict=False))


def part_key(name: bytes, part: Slice) -> bytes:
    """The key of a partitioned variable's part: 0, its name, the rank, and starts and lengths, all so written that bytes sort as values."""
    # Both escapes hold both bytes, so one must not see what the other wrote.
    escaped = re.sub(rb"[\0\xff]", lambda c: b"\0\xff" if c[0] == b"\0" else b"\xff\0", name)
    numbers = b"".join(_signed(number) for extent in part for number in extent)
    return b"\0" + escaped + b"\0\1" + (bytes((1, len(part))) if part else b"\0") + numbers


def _signed(value: int) -> bytes:
    """A number in as many bytes as it needs, seven bits in each: leading ones (of a negative value: zeros) tell how many, as in UTF-8."""
    length = (value if value >= 0 else ~value).bit_length() // 7 + 1
    mark = ((1 << length) - 1) << (7 * length)
    return ((value & ((1 << 8 * length) - 1)) ^ mark).to_bytes(length, "big")


def strings(data: bytes, count: int) -> tuple[list[bytes], int]:
    """A string tensor's elements and its CRC32C, over the lengths as fixed integers, their own checksum, and the strings.

    On disk: the lengths as varints, their masked checksum, the strings (tensor_bundle.cc, WriteStringTensor).
    """
    if count > len(data):
        raise table.Damage(f"{len(data)} bytes do not hold {count} strings")
    at, lengths = 0, []
    for _ in range(count):
        length, at = table.varint(data, at)
        lengths.append(length)
    crc = google_crc32c.value(b"".join(n.to_bytes(4 if n < 1 << 32 else 8, "little") for n in lengths))
    stored, at = data[at : at + 4], at + 4
    if int.from_bytes(stored, "little") != table.masked(crc):
        raise table.Damage("the checksum of its strings' lengths is wrong")
    if at + sum(lengths) != len(data):
        raise table.Damage(f"its strings do not fill its {len(data)} bytes")
    crc = google_crc32c.extend(google_crc32c.extend(crc, stored), data[at:])
    strings = []
    for length in lengths:
        strings.append(data[at : at + length])
        at += length
    return strings, crc
