"""The values of a checkpoint as TensorProtos (tensor.proto)."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from crossload.artifacts.checkpoints import checkpoint
from crossload.contract.datatypes import DATATYPES, from_enum
from crossload.edits.freezing.refusal import NeedsTensorFlow, unreadable_as_refusal
from crossload.edits.freezing.restoring import Stored


class Filling(Protocol):
    """What gives a variable's TensorProto its value; `Values.fill` says how it is called."""

    def fill(self, tensor: Any, where: Stored, datatype: int, shape: tuple[int, ...] | None, /) -> None: ...


class NoValues:
    """Values without content: for a frozen graph that is examined and never run."""

    def fill(self, tensor: Any, where: Stored, datatype: int, shape: tuple[int, ...] | None, /) -> None:
        """Give the TensorProto its datatype and shape alone."""
        tensor.dtype = datatype
        tensor.tensor_shape.SetInParent()
        for size in shape or ():
            tensor.tensor_shape.dim.add(size=max(size, 0))


class Values:
    """The tensors of the checkpoint with this prefix."""

    def __init__(self, prefix: Path) -> None:
        """Reads nothing yet: a graph may need no values."""
        self._prefix = prefix

    @cached_property
    def _checkpoint(self) -> checkpoint.Checkpoint:
        with unreadable_as_refusal():
            return checkpoint.read(self._prefix)

    @cached_property
    def _variables(self) -> dict[str, checkpoint.Variable]:
        return {v.name: v for v in self._checkpoint.variables}

    def fill(self, tensor: Any, where: Stored, datatype: int, shape: tuple[int, ...] | None, /) -> None:
        """Fill a TensorProto with a tensor of the checkpoint, or with a part of it.

        `datatype` is a number of types.proto, `shape` that of the graph (-1: any size, None: any rank). Raises NeedsTensorFlow if the
        checkpoint does not have the tensor in this datatype and shape, or if it cannot be read.
        """
        found = self._variables.get(where.name)
        if found is None:
            raise NeedsTensorFlow(f"the checkpoint has no tensor {where.name!r}")
        if found.datatype != from_enum(datatype) or found.datatype not in DATATYPES:
            raise NeedsTensorFlow(f"the tensor {where.name!r} is {found.datatype} in the checkpoint and {from_enum(datatype)} in the graph")
        region = _extents(where.part, found.shape) if where.part else [(0, size) for size in found.shape]
        own = tuple(length for _, length in region)
        if shape is not None and (len(shape) != len(own) or any(a not in (-1, b) for a, b in zip(shape, own, strict=True))):
            raise NeedsTensorFlow(f"the variable of {where.name!r} is {list(shape)} in the graph and {list(own)} in the checkpoint")
        tensor.dtype = datatype
        tensor.tensor_shape.SetInParent()
        for size in own:
            tensor.tensor_shape.dim.add(size=size)
        with unreadable_as_refusal():
            pieces = None if where.part else self._checkpoint.chunks(where.name)
            if pieces is not None:
                tensor.tensor_content = b"".join(pieces)
                return
            array = self._checkpoint.tensor(where.name)[tuple(slice(start, start + length) for start, length in region)]
        if array.dtype == object:
            tensor.string_val.extend(array.ravel())
        else:
            tensor.tensor_content = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _extents(part: str, whole: tuple[int, ...]) -> list[tuple[int, int]]:
    """Start and length in each dimension of a RestoreV2's part: `<dims> <start,length or ->:…` (save_restore_tensor.cc)."""
    *dims, spec = part.split()
    try:
        pairs = [(0, size) if b == "-" else tuple(map(int, b.split(","))) for b, size in zip(spec.split(":"), whole, strict=True)]
        region = [(start, length) for start, length in pairs]
        if tuple(map(int, dims)) == whole and all(0 <= s <= s + n <= size for (s, n), size in zip(region, whole, strict=True)):
            return region
    except ValueError:
        pass
    raise NeedsTensorFlow(f"{part!r} is not a part of a tensor of the shape {list(whole)}")
