"""TensorFlow's checkpoints, V2 (tensor bundles) and V1: the variables without their values, and the value of each on request.

Sources: tensorflow/core/util/tensor_bundle/naming.h and tensorflow/python/training/saver.py (file names);
tensorflow/python/trackable/base.py and tensorflow/python/training/slot_creator.py (names).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from crossload.artifacts.checkpoints import leveldb_table, state_file, v1_checkpoint, v2_checkpoint
from crossload.artifacts.checkpoints.slices import Slice
from crossload.artifacts.checkpoints.state_file import unsharded
from crossload.artifacts.content import is_pointer
from crossload.artifacts.recognition import has_state, index_of, v1_files
from crossload.errors import ArtifactError, FrameError
from crossload.support import files
from crossload.support.text import near

if TYPE_CHECKING:
    import numpy as np

# tensorflow/python/checkpoint/checkpoint.py writes the graph of Python objects under this name (trackable/base.py).
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
# The last part of a slot's name, as TensorFlow 1's own optimizers and moving averages choose it (a second one of its kind ends in _1).
_SLOTS = re.compile(r"(Adam|AdaMax|Momentum|Adagrad|AdagradDA|Adadelta|Ftrl|RMSProp|ExponentialMovingAverage)\w*")


_MOST_LISTED = 1000  # shards in JSON: an index of 100 bytes may claim 99,999


@dataclass(frozen=True)
class Variable:
    """A tensor of the checkpoint: its whole shape, and `size`, its bytes in the shards (0 for strings of a V1 checkpoint).

    `slices` are the parts of a partitioned variable, each a (start, length) per dimension; empty for a variable in one piece.
    `slot_of` is the variable whose optimizer state or moving average this one is.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    size: int
    slices: tuple[Slice, ...] = ()
    slot_of: str | None = None

    def to_json(self) -> dict[str, Any]:
        """An element of `variables` in `show --json`."""
        found = {"name": self.name, "datatype": self.datatype, "shape": list(self.shape), "size_bytes": self.size}
        if self.slices:
            found["slices"] = [[list(extent) for extent in part] for part in self.slices]
        return found | ({"slot_of": self.slot_of} if self.slot_of is not None else {})


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint: `path` as given, `prefix` the common start of its file names, `shards` the names of its data files.

    `variables` are in the order of their names' bytes. `object_graph` is the tensor (not a model variable) in which
    `tf.train.Checkpoint` stores which Python object has which variable. For a V1 checkpoint with missing shards, `variables` has only
    those that the existing shards describe.
    """

    path: Path
    prefix: Path
    version: Literal["v1", "v2"]
    shards: tuple[str, ...]
    variables: list[Variable]
    _values: v2_checkpoint.Bundle | v1_checkpoint.TensorSlices = field(repr=False)
    object_graph: Variable | None = None
    format: Literal["checkpoint"] = "checkpoint"

    @property
    def index(self) -> Path | None:
        """The file that lists the variables; None for V1, where every file lists its own."""
        return self._values.index if isinstance(self._values, v2_checkpoint.Bundle) else None

    @property
    def meta_graph(self) -> Path | None:
        """The .meta file beside it, with its graph."""
        file = self.prefix.with_name(f"{self.prefix.name}.meta")
        return file if file.is_file() else None

    @property
    def producer(self) -> dict[str, str]:
        """The versions that wrote it: empty, because a checkpoint does not record them."""
        return {}

    @cached_property
    def _sizes(self) -> dict[str, int]:
        """The bytes of the shards that exist; the folder is listed once, whatever number of shards the index claims."""
        with suppress(OSError), os.scandir(self.prefix.parent) as entries:
            wanted = set(self.shards)
            return {e.name: e.stat().st_size for e in entries if e.name in wanted and e.is_file()}
        return {}

    @cached_property
    def missing_files(self) -> tuple[str, ...]:
        """Required shards that do not exist."""
        return tuple(name for name in self.shards if name not in self._sizes)

    @property
    def truncated_files(self) -> tuple[str, ...]:
        """Shards that are shorter than the index says, or only Git LFS pointers."""
        needed = self._values.needed_bytes if isinstance(self._values, v2_checkpoint.Bundle) else {}
        parent = self.prefix.parent
        there = ((name, self._sizes[name], size) for name, size in needed.items() if name in self._sizes)
        return tuple(name for name, held, size in there if held < size or is_pointer(parent / name))

    @property
    def diagnosis(self) -> tuple[str, ...]:
        """What is wrong or misleading in its files, with the fix: sentences without the checkpoint's name."""
        return tuple(self._diagnosis())

    @property
    def size_bytes(self) -> int:
        """The bytes of the index and of the existing shards."""
        return sum(self._sizes.values()) + (files.size_bytes(self.index) if self.index else 0)

    def tensor(self, name: str) -> np.ndarray:
        """The value of a variable, its checksum verified; strings are an object array of `bytes`.

        Raises ArtifactError for an unknown name, a missing or short shard, a wrong checksum, and a datatype without values.
        """
        with self._named(name):
            return self._values.tensor(name)

    def chunks(self, name: str) -> Iterator[bytes] | None:
        """A variable's little-endian bytes in row-major order, piece by piece, its checksum verified after the last piece.

        None where its value must be put together first (`tensor`): strings, bools, variables in parts, V1. Raises as `tensor` does.
        """
        if not isinstance(self._values, v2_checkpoint.Bundle):
            return None
        with self._named(name):
            found = self._values.chunks(name)
        return None if found is None else self._pieces(name, found)

    def _pieces(self, name: str, found: Iterator[bytes]) -> Iterator[bytes]:
        with self._named(name):
            yield from found

    @contextmanager
    def _named(self, name: str) -> Iterator[None]:
        """Errors of reading a tensor, as sentences that name it."""
        try:
            yield
        except (KeyError, UnicodeEncodeError):
            about = f"{self.prefix} has no tensor {name!r}{near(name, (v.name for v in self.variables))}"
            raise ArtifactError(f"{about}; `crossload show {self.prefix}` lists what it has") from None
        except (leveldb_table.Damage, FrameError, ValueError, OverflowError) as error:
            raise ArtifactError(f"{self.prefix}: the tensor {name!r} cannot be read ({error}); copy the checkpoint again") from error
        except MemoryError:
            raise ArtifactError(f"{self.prefix}: the tensor {name!r} does not fit into memory; read it on a larger machine") from None

    def to_json(self) -> dict[str, Any]:
        """The object of `show --json`; only the index is hashed, because it holds the checksums of all values (V1 has no index)."""
        return {
            "format": self.format,
            "path": str(self.path),
            "prefix": str(self.prefix),
            "version": self.version,
            "size_bytes": self.size_bytes,
            "index_sha256": files.sha256(self.index) if self.index else None,
            "producer": self.producer,
            "shards": list(self.shards[:_MOST_LISTED]),
            "shard_count": len(self.shards),
            "missing_files": list(self.missing_files[:_MOST_LISTED]),
            "missing_count": len(self.missing_files),
            "truncated_files": list(self.truncated_files[:_MOST_LISTED]),
            "diagnosis": list(self.diagnosis),
            "meta_graph": self.meta_graph.name if self.meta_graph else None,
            "object_graph": self.object_graph.to_json() if self.object_graph else None,
            "variables": [v.to_json() for v in self.variables],
        }

    def _diagnosis(self) -> Iterator[str]:
        if moved := state_file.moved(self.path):
            yield moved
        if self.missing_files:
            lost = "" if self.version == "v2" else "; the variables in them are not listed"
            yield f"incomplete: {_some(self.missing_files)} missing; copy all files of the checkpoint{lost}"
        if self.truncated_files and is_pointer(self.prefix.parent / self.truncated_files[0]):
            yield f"without its values: {self.truncated_files[0]} is only a Git LFS pointer; fetch the file itself with `git lfs pull`"
        elif self.truncated_files:
            yield f"cut off: {_some(self.truncated_files)} shorter than the index says; copy the checkpoint again"
        if self.version == "v2" and (old := v1_files(self.prefix)):
            yield (
                f"files of both versions have this name: TensorFlow reads V2, {self.prefix.name}.index, and never the V1 "
                f"{_some([file.name for file in old])}; move away the files of the version you do not want"
            )
        if self.version == "v1" and index_of(self.prefix).is_file():
            yield (
                f"files of both versions have this name: this is V1, but TensorFlow reads V2, {self.prefix.name}.index, when it is given "
                "the name; move away the files of the version you do not want"
            )


def read(path: Path) -> Checkpoint:
    """Read the variables' descriptions: `path` is the checkpoint's prefix, its index, a V1 file, or a folder whose state file names one.

    If V1 and V2 have the same prefix, the prefix means V2, as in TensorFlow; a V1 file's own name means that file.
    Raises ArtifactError for a state file that points nowhere, a folder with several checkpoints and no state file, and damaged files.
    """
    prefix = _prefix(path)
    named = prefix.is_file() and path == prefix
    if index_of(prefix).is_file() and not (named and _is_v1(prefix)):
        index = index_of(prefix)
    elif files_ := v1_files(prefix):
        return _v1(path, prefix, files_)
    else:
        index = prefix if prefix.is_file() else index_of(prefix)  # a renamed index still lists its variables
    if index.is_file() and _is_v1(index):
        raise ArtifactError(f"{index} is a V1 checkpoint with the name of a V2 index; rename it to {prefix.name}")
    found = v2_checkpoint.read(index, prefix.name)
    listed = [Variable(*tensor) for tensor in found.tensors()]
    graph = next((v for v in listed if v.name == OBJECT_GRAPH), None)
    return Checkpoint(path, prefix, "v2", found.shards, _with_slots(v for v in listed if v.name != OBJECT_GRAPH), found, graph)


def _v1(path: Path, prefix: Path, there: tuple[Path, ...]) -> Checkpoint:
    counts = {file.name[-5:] for file in there if file.name != prefix.name}
    if len(counts) > 1:
        raise ArtifactError(
            f"{prefix} has shards of several checkpoints ({', '.join(f'{prefix.name}-?????-of-{n}' for n in sorted(counts))}); "
            "move away those that do not belong together"
        )
    expected = [f"{prefix.name}-{n:05}-of-{count}" for count in counts for n in range(int(count))]
    if counts and (prefix.name in {file.name for file in there}):
        # A file in one piece beside shards: for TensorFlow the name means the file.
        there, expected = (prefix,), []
    found = v1_checkpoint.read(there)
    listed = _with_slots(Variable(*tensor) for tensor in found.tensors())
    return Checkpoint(path, prefix, "v1", tuple(expected) or (prefix.name,), listed, found)


def _is_v1(file: Path) -> bool:
    try:
        return v1_checkpoint.is_first(*leveldb_table.first(file))
    except ArtifactError:
        return False  # its reader reports what is wrong with it


def _prefix(path: Path) -> Path:
    if path.is_dir():
        return state_file.latest(path) if has_state(path) else _only(path)
    if path.is_file():
        # TensorFlow finds the shards by the index's name, so an index of another name has none.
        name = path.name.removesuffix(".index")
        return path.with_name(name) if name != path.name else unsharded(path)
    return unsharded(path)


def _only(folder: Path) -> Path:
    found = state_file.prefixes(folder)
    if len(found) != 1:
        raise ArtifactError(
            f"{folder} holds {len(found)} checkpoints and no state file that names the latest; name one: {state_file.listed(folder)}"
        )
    return found[0]


def _with_slots(variables: Iterable[Variable]) -> list[Variable]:
    """The variables, with `slot_of` set for slots.

    `tf.train.Checkpoint` marks a slot in its key. TensorFlow 1's Saver writes `<variable>/<slot>`: a name that is another variable's
    name plus one part is its slot if that part is a known slot name, or if both have the same shape and are not scalars.
    """
    known = {v.name: v for v in variables}
    return [v if (of := _slot_of(v, known)) is None else replace(v, slot_of=of) for v in known.values()]


def _slot_of(variable: Variable, known: dict[str, Variable]) -> str | None:
    owner, mark, _ = variable.name.partition("/.OPTIMIZER_SLOT/")
    if mark:
        return f"{owner}/.ATTRIBUTES/VARIABLE_VALUE"
    owner, _, last = variable.name.rpartition("/")
    of = known.get(owner)
    if of is None or not (_SLOTS.fullmatch(last) or (variable.shape and (variable.shape, variable.datatype) == (of.shape, of.datatype))):
        return None
    return owner


def _some(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(found[:4]) + (f" and {len(found) - 4} more are" if len(found) > 4 else " is" if len(found) == 1 else " are")
