"""V1 checkpoints (tf.train.Saver of TensorFlow before 0.12, and with SaverDef.V1): tables whose first value describes the others.

Sources: tensorflow/core/util/saved_tensor_slice.proto, tensor_slice_writer.h and tensor_slice_reader.cc.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload.artifacts.checkpoints import leveldb_table, slices
from crossload.artifacts.checkpoints.checkpoint_protos import messages
from crossload.artifacts.checkpoints.slices import Slice
from crossload.artifacts.graphs import protos
from crossload.contract.datatypes import DATATYPES, from_enum, numpy_dtype
from crossload.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np

_VERSION = 1  # tensorflow/core/public/version.h, TF_CHECKPOINT_VERSION
_MOST_TENSORS = 1 << 20
_FIXED = {"FP32": "float_val", "FP64": "double_val", "COMPLEX64": "scomplex_val", "COMPLEX128": "dcomplex_val"}
_VARINTS = {
    "INT64": "int64_val", "BOOL": "bool_val", "FP16": "half_val", "BF16": "half_val", "UINT32": "uint32_val", "UINT64": "uint64_val",
    "INT32": "int_val", "INT16": "int_val", "UINT16": "int_val", "INT8": "int_val", "UINT8": "int_val",
}  # fmt: skip


@dataclass
class Tensor:
    """A variable as the files describe it: its whole shape, and its parts, each with its file."""

    datatype: str
    shape: tuple[int, ...]
    parts: list[tuple[Slice, Path]]


@dataclass(frozen=True)
class TensorSlices:
    """The files of a checkpoint and their tensors, by name."""

    files: tuple[Path, ...]
    held: dict[bytes, Tensor]

    def tensors(self) -> Iterator[tuple[str, str, tuple[int, ...], int, tuple[Slice, ...]]]:
        """Name, datatype, shape, bytes and parts (none for a variable in one piece), in the order of the names' bytes.

        The bytes are those of the values in memory; 0 for strings, because only the values have their lengths.
        """
        for name, found in sorted(self.held.items()):
            whole = tuple((0, size) for size in found.shape)
            parts = tuple(slices.extents(part, found.shape) for part, _ in found.parts)
            elements = sum(math.prod(length for _, length in part) for part in parts)
            size = elements * DATATYPES[found.datatype].size if found.datatype in DATATYPES else 0
            yield name.decode("utf-8", "surrogateescape"), found.datatype, found.shape, size, () if parts == (whole,) else parts

    def tensor(self, name: str) -> np.ndarray:
        """A variable's value; raises KeyError for an unknown one, Damage or ArtifactError for damaged bytes."""
        key = name.encode("utf-8", "surrogateescape")
        found = self.held[key]
        if found.datatype != "BYTES" and found.datatype not in _FIXED | _VARINTS:
            raise ArtifactError(f"{self.files[0]}: the tensor {name!r} has no values to read: its datatype is {found.datatype}")
        # Every element takes at least a byte, so the files bound the memory.
        if math.prod(found.shape) > sum(file.stat().st_size for file in self.files):
            raise leveldb_table.Damage(f"the files do not fill the shape {list(found.shape)}")
        return slices.joined(
            found.shape,
            numpy_dtype(found.datatype),
            [
                (slices.extents(part, found.shape), lambda part=part, file=file: _values(file, key, part, found))  # type: ignore[misc]
                for part, file in found.parts
            ],
        )


def is_first(key: bytes, value: bytes) -> bool:
    """Whether a table's first entry is that of a V1 checkpoint: a message; in a V2 index it begins with a number."""
    return not key and value[:1] == b"\x0a"


def read(files: tuple[Path, ...]) -> TensorSlices:
    """Read the descriptions in a checkpoint's files, one file or all shards; raises ArtifactError where one is damaged."""
    held: dict[bytes, Tensor] = {}
    for file in files:
        key, value = leveldb_table.first(file)
        if not is_first(key, value):
            raise ArtifactError(f"{file} is not a V1 checkpoint, or is corrupt: its first entry does not describe it; copy it again")
        for described in _meta(file, value).tensor:
            _add(held, file, described)
            if len(held) > _MOST_TENSORS:
                raise ArtifactError(f"{file} lists more than {_MOST_TENSORS:,} tensors; it is corrupt")
    return TensorSlices(files, held)


def _meta(file: Path, value: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        meta = messages()["SavedTensorSlices"].FromString(value).meta
    except (DecodeError, RuntimeError) as error:
        raise _corrupt(file, "the description of its tensors does not decode") from error
    if meta.versions.min_consumer > _VERSION:
        raise ArtifactError(f"{file} needs checkpoint version {meta.versions.min_consumer}, newer than TensorFlow's {_VERSION}")
    return meta


def _add(held: dict[bytes, Tensor], file: Path, described: Any) -> None:
    name, shape, datatype = bytes(described.name), protos.shape(described.shape), from_enum(described.type)
    what = repr(name.decode("utf-8", "surrogateescape")[:200])
    if shape is None or -1 in shape or len(shape) > slices.MOST_DIMENSIONS:
        raise _corrupt(file, f"{what} has no whole shape")
    known = held.setdefault(name, Tensor(datatype, shape, []))
    if (known.datatype, known.shape) != (datatype, shape):
        raise _corrupt(file, f"{what} has a different datatype or shape in the previous shard")
    for proto in described.slice:
        part = slices.of_proto(proto)
        if not slices.is_inside(part, shape):
            raise _corrupt(file, f"{what} has a part outside of its shape")
        known.parts.append((part, file))


def _values(file: Path, name: bytes, part: Slice, tensor: Tensor) -> np.ndarray:
    """A part's values, in its shape; its block's checksum is verified."""
    import numpy as np
    from google.protobuf.message import DecodeError

    value = leveldb_table.find(file, slices.part_key(name, part))
    if value is None:
        raise leveldb_table.Damage(f"{file.name} lacks its part {list(slices.extents(part, tensor.shape))}")
    try:
        saved = messages()["SavedTensorSlices"].FromString(value).data
    except (DecodeError, RuntimeError) as error:
        raise leveldb_table.Damage("its values do not decode") from error
    shape = tuple(length for _, length in slices.extents(part, tensor.shape))
    dtype, count = numpy_dtype(tensor.datatype), math.prod(shape)
    if tensor.datatype == "BYTES":
        array: np.ndarray = np.empty(len(saved.data.string_val), object)
        array[:] = saved.data.string_val
    elif tensor.datatype in _FIXED:
        data = getattr(saved.data, _FIXED[tensor.datatype])
        if len(data) % dtype.itemsize:
            raise leveldb_table.Damage(f"{len(data)} bytes do not decode as {tensor.datatype}")
        array = np.frombuffer(data, dtype)
    else:
        numbers = varints(getattr(saved.data, _VARINTS[tensor.datatype]))
        # Halves are stored as the integers of their bits (tensor.proto, half_val).
        array = numbers.astype(np.uint16).view(dtype) if tensor.datatype in ("FP16", "BF16") else numbers.astype(dtype)
    if array.size != count:
        raise leveldb_table.Damage(f"{array.size} values do not fill the shape {list(shape)}")
    return array.reshape(shape)


def varints(data: bytes) -> np.ndarray:
    """Packed varints as int64 (the bits of a uint64); raises Damage for other bytes."""
    import numpy as np

    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw < 0x80)
    if raw.size and (not ends.size or ends[-1] != raw.size - 1):
        raise leveldb_table.Damage("a number is cut off")
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))[: ends.size]
    lengths = ends - starts + 1
    if lengths.size and lengths.max() > 10:
        raise leveldb_table.Damage("a number is longer than 64 bits")
    numbers = np.zeros(ends.size, np.uint64)
    for place in range(int(lengths.max()) if lengths.size else 0):
        longer = lengths > place
        numbers[longer] |= (raw[starts[longer] + place] & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * place)
    return numbers.view(np.int64)


def _corrupt(file: Path, cause: str) -> ArtifactError:
    return ArtifactError(f"{file} is a corrupt V1 checkpoint ({cause}); copy the checkpoint again")
