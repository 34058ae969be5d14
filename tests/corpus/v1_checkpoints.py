"""V1 checkpoints made byte by byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crossload.artifacts.checkpoints import slices
from crossload.artifacts.checkpoints.checkpoint_protos import messages
from crossload.artifacts.checkpoints.slices import Slice
from tests.corpus.checkpoints import FLOAT, INT32, STRING, WEIGHTS, index


def saved(variables: dict[str, Any]) -> dict[bytes, bytes]:
    """The entries of a V1 file: for each variable its enum, its whole shape, and by part the field and the value of its data."""
    made, values = messages()["SavedTensorSlices"](), {}
    made.meta.SetInParent()
    for name, (dtype, shape, parts) in variables.items():
        described = made.meta.tensor.add(name=name.encode(), type=dtype)
        described.shape.SetInParent()
        for dimension in shape:
            described.shape.dim.add(size=dimension)
        for part, (held, value) in parts.items():
            to(described.slice.add(), part)
            one = messages()["SavedTensorSlices"]()
            one.data.name = name.encode()
            to(one.data.slice, part)
            setattr(one.data.data, held, value) if isinstance(value, bytes) else one.data.data.string_val.extend(value)
            values[slices.part_key(name.encode(), part)] = one.SerializeToString()
    return {b"": made.SerializeToString(), **dict(sorted(values.items()))}


def to(proto: Any, part: Slice) -> None:
    for start, length in part:
        extent = proto.extent.add(start=start) if length != slices.WHOLE else proto.extent.add()
        if length != slices.WHOLE:
            extent.length = length


WHOLE: Slice = ((0, slices.WHOLE), (0, slices.WHOLE))

UPPER: Slice = ((0, 2), (0, slices.WHOLE))

LOWER: Slice = ((2, 2), (0, slices.WHOLE))

VARIABLES: dict[str, Any] = {
    "n": (INT32, (2,), {((0, slices.WHOLE),): ("int_val", b"\x05" + b"\xff" * 9 + b"\x01")}),
    "s": (STRING, (2,), {((0, slices.WHOLE),): ("string_val", [b"ab", b""])}),
    "w": (FLOAT, (4, 3), {WHOLE: ("float_val", WEIGHTS.tobytes())}),
}


def small(folder: Path) -> Path:
    (folder / "model.ckpt").write_bytes(index(saved(VARIABLES)))
    return folder / "model.ckpt"


def sharded(folder: Path) -> Path:
    """A partitioned variable in two shards, and another in only one of them."""
    halves = {part: ("float_val", WEIGHTS[rows].tobytes()) for part, rows in ((UPPER, slice(2)), (LOWER, slice(2, 4)))}
    first = {"w": (FLOAT, (4, 3), {UPPER: halves[UPPER]}), "n": VARIABLES["n"]}
    (folder / "model.ckpt-00000-of-00002").write_bytes(index(saved(first)))
    (folder / "model.ckpt-00001-of-00002").write_bytes(index(saved({"w": (FLOAT, (4, 3), {LOWER: halves[LOWER]})})))
    return folder / "model.ckpt"
