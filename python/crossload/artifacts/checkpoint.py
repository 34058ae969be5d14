"""TensorFlow's V2 checkpoints (tensor bundles): the variables from the index alone, their values from the shards.

Sources: tensorflow/core/protobuf/tensor_bundle.proto; tensorflow/core/util/tensor_bundle/naming.h (file names).
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import google_crc32c

from crossload import files
from crossload.artifacts import bundle, protos, table
from crossload.artifacts.bundle import Slice
from crossload.artifacts.content import head
from crossload.artifacts.recognition import STATE_FILE, has_state, index_of
from crossload.contract.datatypes import from_enum, numpy_dtype
from crossload.errors import ArtifactError, FrameError
from crossload.text import printable

if TYPE_CHECKING:
    import numpy as np

# tensorflow/python/checkpoint/checkpoint.py writes the graph of Python objects under this name (trackable/base.py).
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_BUNDLE_VERSION = 1
# tensorflow/core/framework/tensor_shape.h: the greatest rank.
_MOST_DIMENSIONS = 254
_MOST_VARIABLES = 1 << 20
_MOST_PART_KEYS = 1 << 27  # bytes: every part repeats its variable's name
_MOST_SHARDS = 99_999  # five digits of a name


@dataclass(frozen=True)
class Variable:
    """A tensor of the checkpoint: its shape is the whole one, `size` its bytes in the shards.

    `slices` are the parts of a partitioned variable, each a (start, length) for every dimension; none for a variable in one piece.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    size: int
    slices: tuple[Slice, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """An element of `variables` in `show --json`."""
        found = {"name": self.name, "datatype": self.datatype, "shape": list(self.shape), "size_bytes": self.size}
        return found | ({"slices": [[list(extent) for extent in part] for part in self.slices]} if self.slices else {})


@dataclass(frozen=True)
class _Entry:
    """Where the bytes of a tensor, or of a part of one, are."""

    datatype: str
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int
    slices: tuple[Slice, ...]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint: `path` as it was given, `prefix` what its files' names begin with, `shards` the names that its data must have.

    `variables` are in the order of their names' bytes. `object_graph` is the tensor, no variable of the model, in which
    `tf.train.Checkpoint` stores which Python object has which variable.
    """

    path: Path
    prefix: Path
    shards: tuple[str, ...]
    variables: list[Variable]
    object_graph: Variable | None = None
    big_endian: bool = False
    format: Literal["checkpoint"] = "checkpoint"
    _entries: dict[bytes, _Entry] = field(default_factory=dict, repr=False)

    @property
    def index(self) -> Path:
        """The file that lists the variables."""
        return index_of(self.prefix)

    @property
    def producer(self) -> dict[str, str]:
        """The versions that wrote it: a checkpoint does not say."""
        return {}

    @property
    def missing_files(self) -> tuple[str, ...]:
        """Shards that must be there and are not."""
        return tuple(name for name in self.shards if not (self.prefix.parent / name).is_file())

    @property
    def size_bytes(self) -> int:
        """The bytes of the index and of the shards that are there."""
        there = (self.prefix.parent / name for name in self.shards)
        return self.index.stat().st_size + sum(file.stat().st_size for file in there if file.is_file())

    def tensor(self, name: str) -> np.ndarray:
        """The value of a variable, its checksum verified; strings are an object array of `bytes`.

        Raises ArtifactError for a name that is not there, a missing or short shard, a wrong checksum, and a datatype without values.
        """
        try:
            entry = self._entries.get(name.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError:
            entry = None
        if entry is None:
            raise ArtifactError(f"{self.prefix} has no tensor {name!r}{self._near(name)}; `crossload show {self.prefix}` lists what it has")
        try:
            return self._joined(name, entry) if entry.slices else self._read(name, entry)
        except (table.Damage, FrameError, ValueError, OverflowError) as error:
            raise ArtifactError(f"{self.prefix}: the tensor {name!r} cannot be read ({error}); copy the checkpoint again") from error
        except MemoryError:
            raise ArtifactError(f"{self.prefix}: the tensor {name!r} does not fit into memory; read it on a larger machine") from None

    def to_json(self) -> dict[str, Any]:
        """The object of `show --json`; of the files only the index is hashed: the checksums of all values are in it."""
        return {
            "format": self.format,
            "path": str(self.path),
            "prefix": str(self.prefix),
            "size_bytes": self.size_bytes,
            "index_sha256": files.sha256(self.index),
            "producer": self.producer,
            "shards": list(self.shards),
            "missing_files": list(self.missing_files),
            "object_graph": self.object_graph.to_json() if self.object_graph else None,
            "variables": [v.to_json() for v in self.variables],
        }

    def _near(self, name: str) -> str:
        from difflib import get_close_matches

        names = [v.name for v in self.variables[:10_000] if len(v.name) < 512]
        near = [n for n in names if name and name in n][:3] or get_close_matches(name[:512], names, 3, 0.5)
        return f"; near it are {', '.join(repr(n) for n in near)}" if near else ""

    def _joined(self, name: str, whole: _Entry) -> np.ndarray:
        """A partitioned variable; its parts must cover the whole shape exactly once, else its memory would not be bounded by its files."""
        import numpy as np

        count = math.prod(whole.shape)
        parts, elements = [], 0
        for part in whole.slices:
            extents = bundle.extents(part, whole.shape)
            entry = self._entries.get(bundle.part_key(name.encode("utf-8", "surrogateescape"), part))
            if entry is None or entry.datatype != whole.datatype or entry.shape != tuple(length for _, length in extents) or entry.slices:
                raise table.Damage(f"its part {list(extents)} is not in the index, or is of another datatype or shape")
            _check_size(entry)
            parts.append((tuple(slice(start, start + length) for start, length in extents), entry))
            elements += math.prod(entry.shape)
        if elements != count:
            raise table.Damage("its parts do not cover its shape")
        if sum(entry.size for _, entry in parts) > self.size_bytes:
            raise table.Damage("its parts have more bytes than the shards")
        joined = np.empty(whole.shape, numpy_dtype(whole.datatype))
        covered = np.zeros(whole.shape, bool)
        for region, entry in parts:
            if covered[region].any():
                raise table.Damage("its parts overlap")
            covered[region] = True
            joined[region] = self._read(name, entry)
        return joined

    def _read(self, name: str, entry: _Entry) -> np.ndarray:
        import numpy as np

        if self.big_endian:
            raise ArtifactError(f"{self.prefix}: the tensor {name!r} is big-endian, which is not read; save it on a little-endian machine")
        if entry.datatype.startswith("DT_"):
            raise ArtifactError(f"{self.prefix}: the tensor {name!r} has no values to read: its datatype is {entry.datatype}")
        _check_size(entry)
        count = math.prod(entry.shape)
        shard, data = self._shard(entry.shard), self._bytes(name, entry)
        if entry.datatype == "BYTES":
            texts, crc = bundle.strings(data, count)
        else:
            crc = google_crc32c.value(data)
        if table.masked(crc) != entry.crc:
            raise ArtifactError(f"{shard} is corrupt: the checksum of the tensor {name!r} is wrong; copy the checkpoint again")
        if entry.datatype == "BYTES":
            array = np.empty(count, object)
            array[:] = texts
        else:
            # A byte of a bool is true whatever its value is, as in TensorFlow.
            array = (
                np.frombuffer(data, np.uint8).astype(bool) if entry.datatype == "BOOL" else np.frombuffer(data, numpy_dtype(entry.datatype))
            )
        return array.reshape(entry.shape)

    def _shard(self, number: int) -> Path:
        return self.prefix.parent / self.shards[number]

    def _bytes(self, name: str, entry: _Entry) -> bytes:
        """An entry's bytes; raises ArtifactError where the shard does not have them all."""
        shard = self._shard(entry.shard)
        try:
            with shard.open("rb") as stream:
                there = stream.seek(0, os.SEEK_END)
                if entry.offset + entry.size > there:
                    raise ArtifactError(
                        f"{shard} is too short for the tensor {name!r}, which ends at byte {entry.offset + entry.size:,}: "
                        f"the file has {there:,}; copy the checkpoint again"
                    )
                stream.seek(entry.offset)
                data = stream.read(entry.size)
                if len(data) != entry.size:
                    raise ArtifactError(f"{shard} became shorter while the tensor {name!r} was read; copy the checkpoint again")
                return data
        except FileNotFoundError:
            raise ArtifactError(f"{shard} is missing, and the tensor {name!r} is in it; copy all files of the checkpoint") from None
        except OSError as error:
            raise ArtifactError(f"{shard} cannot be read for the tensor {name!r}: {error.strerror}; check its permissions") from error


def read(path: Path) -> Checkpoint:
    """Read the index of a checkpoint: `path` is its prefix, its index, or a folder whose state file `checkpoint` names it.

    Raises ArtifactError for a state file that points nowhere, a folder with several checkpoints and no state file, and a damaged index.
    """
    prefix = _prefix(path)
    index = index_of(prefix)
    header, entries = None, dict[bytes, _Entry]()
    parts: set[bytes] = set()
    part_keys = 0
    for key, value in table.read(index):
        if len(entries) == _MOST_VARIABLES:
            raise ArtifactError(f"{index} lists more than {_MOST_VARIABLES:,} tensors; it is corrupt")
        if not key:
            header = _header(index, value)
            continue
        if header is None:
            break
        entries[key] = entry = _entry(index, key, value, header.num_shards)
        part_keys += len(entry.slices) * len(key)
        if part_keys > _MOST_PART_KEYS:
            raise _corrupt(index, "its variables have too many parts")
        parts.update(bundle.part_key(key, part) for part in entry.slices)
    if header is None:
        raise ArtifactError(f"{index} is no checkpoint index, or a corrupt one: it has no header; copy the checkpoint again")
    listed = [_variable(key, entries) for key in entries if key not in parts]
    return Checkpoint(
        path=path,
        prefix=prefix,
        shards=tuple(f"{prefix.name}.data-{n:05}-of-{header.num_shards:05}" for n in range(header.num_shards)),
        variables=[v for v in listed if v.name != OBJECT_GRAPH],
        object_graph=next((v for v in listed if v.name == OBJECT_GRAPH), None),
        big_endian=header.endianness == 1,
        _entries=entries,
    )


def _prefix(path: Path) -> Path:
    if path.is_dir():
        return _latest(path) if has_state(path) else _only(path)
    if path.is_file():
        # The name is what leads to the shards, so an index of another name has none.
        return path.with_name(path.name.removesuffix(".index"))
    return path


def _latest(folder: Path) -> Path:
    """The checkpoint that the state file, a CheckpointState in text (checkpoint_state.proto), calls the latest."""
    from google.protobuf import text_format
    from google.protobuf.message import DecodeError

    state = folder / STATE_FILE
    try:
        found = text_format.Parse(head(state), bundle.messages()["CheckpointState"](), allow_unknown_field=True)
        prefix = folder / str(found.model_checkpoint_path)  # an absolute path replaces the folder
        there = bool(found.model_checkpoint_path) and bool(prefix.name) and index_of(prefix).is_file()
    except (text_format.ParseError, DecodeError, ValueError, RecursionError, OSError) as error:
        cause = " ".join(str(error).split())[:200]
        raise ArtifactError(f"{state} is no checkpoint state file, or a corrupt one ({printable(cause)}); name the checkpoint") from error
    if not there:
        raise ArtifactError(
            f"{state} points to {found.model_checkpoint_path!r}, but there is no such index ({prefix.name}.index); "
            f"copy the checkpoint, too, or name another: {_listed(folder)}"
        )
    return prefix


def _only(folder: Path) -> Path:
    indexes = sorted(folder.glob("*.index"))
    if len(indexes) != 1:
        raise ArtifactError(
            f"{folder} holds {len(indexes)} checkpoints and no state file that names the latest; name one: {_listed(folder)}"
        )
    return indexes[0].with_suffix("")


def _listed(folder: Path) -> str:
    names = sorted(p.name.removesuffix(".index") for p in folder.glob("*.index"))
    return (", ".join(names[:8]) or "the folder has none") + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _parsed(index: Path, message: str, value: bytes, what: str) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return bundle.messages()[message].FromString(value)
    except (DecodeError, RuntimeError) as error:
        raise _corrupt(index, f"{what} does not decode") from error


def _corrupt(index: Path, cause: str) -> ArtifactError:
    return ArtifactError(f"{index} is a corrupt checkpoint index ({cause}); copy the checkpoint again")


def _header(index: Path, value: bytes) -> Any:
    header = _parsed(index, "BundleHeaderProto", value, "its header")
    if header.version.min_consumer > _BUNDLE_VERSION:
        raise ArtifactError(
            f"{index} is of bundle version {header.version.min_consumer}; TensorFlow's is {_BUNDLE_VERSION}, so it is newer"
        )
    if not 0 < header.num_shards <= _MOST_SHARDS:
        raise _corrupt(index, f"it has {header.num_shards} shards")
    return header


def _entry(index: Path, key: bytes, value: bytes, shards: int) -> _Entry:
    what = f"the entry of {key.decode('utf-8', 'surrogateescape')[:200]!r}"
    proto = _parsed(index, "BundleEntryProto", value, what)
    shape = protos.shape(proto.shape)
    if shape is None or -1 in shape or len(shape) > _MOST_DIMENSIONS:
        raise _corrupt(index, f"{what} has no whole shape")
    if not 0 <= proto.shard_id < shards or proto.offset < 0 or proto.size < 0:
        raise _corrupt(index, f"{what} points outside of the {shards} shards")
    slices = tuple(tuple((e.start, e.length if e.HasField("length") else bundle.WHOLE) for e in part.extent) for part in proto.slices)
    for part in slices:
        extents = bundle.extents(part, shape)
        if len(part) != len(shape) or any(s < 0 or n < 0 or s + n > size for (s, n), size in zip(extents, shape, strict=True)):
            raise _corrupt(index, f"{what} has a part outside of its shape")
    return _Entry(from_enum(proto.dtype), shape, proto.shard_id, proto.offset, proto.size, proto.crc32c, slices)


def _check_size(entry: _Entry) -> None:
    """Raises Damage, before any memory is asked for, where the bytes cannot fill the shape (a string has a byte of length at least)."""
    least = math.prod(entry.shape) * (1 if entry.datatype == "BYTES" else numpy_dtype(entry.datatype).itemsize)
    if least > entry.size or (least < entry.size and entry.datatype != "BYTES"):
        raise table.Damage(f"{entry.size} bytes do not fill the shape {list(entry.shape)}")


def _variable(key: bytes, entries: dict[bytes, _Entry]) -> Variable:
    entry = entries[key]
    there = (entries.get(bundle.part_key(key, part)) for part in entry.slices)
    size = sum(part.size for part in there if part) if entry.slices else entry.size
    slices = tuple(bundle.extents(part, entry.shape) for part in entry.slices)
    return Variable(key.decode("utf-8", "surrogateescape"), entry.datatype, entry.shape, size, slices)
