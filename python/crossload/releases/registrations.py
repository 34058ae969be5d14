"""What releases of TensorFlow register: ops with their attributes, CPU kernels, the GraphDef version. The data comes from `extraction`."""

from __future__ import annotations

import json
import lzma
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data" / "registrations.json.xz"
# A CPU runs kernels of these devices (core/framework/op_kernel.cc: DEVICE_DEFAULT if the CPU has none of its own).
KERNEL_DEVICES = ("CPU", "DEFAULT")


@dataclass(frozen=True)
class Kernel:
    """A kernel of an op: its label (`_kernel` of a node asks for one), and the datatypes (types.proto) that attributes may have."""

    label: str
    constraints: dict[str, frozenset[int]]


@dataclass(frozen=True)
class Release:
    """A runtime's release: its title (`tensorflow-java@0.4.2`), the TensorFlow inside, its GraphDef version, the datatypes it knows.

    `number` counts releases from the oldest TensorFlow on.
    """

    title: str
    tensorflow: str
    graph_def: int
    datatypes: frozenset[int] = field(repr=False)
    number: int = field(repr=False)

    def op(self, name: str) -> Any:
        """The OpDef of this name (op_def.proto), None if this release does not register it."""
        return _op_def(name, self.number)

    def kernels(self, op: str) -> tuple[Kernel, ...]:
        """The op's kernels on a CPU."""
        return _kernels(op, self.number)


@cache
def releases() -> tuple[Release, ...]:
    """Every release with data, the oldest TensorFlow first."""
    stated = _data()["releases"].items()
    return tuple(
        Release(title, about["tensorflow"], about["graph_def"], frozenset(about["datatypes"]), number)
        for number, (title, about) in enumerate(stated)
    )


def having(op: str, attr: str = "") -> tuple[Release, ...]:
    """The releases that register this op (with this attribute, if given)."""
    found = [r for r in releases() if (known := r.op(op)) is not None and (not attr or any(a.name == attr for a in known.attr))]
    return tuple(found)


@cache
def _data() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(lzma.decompress(DATA.read_bytes()))
    return content


def _entry(kind: str, op: str, number: int) -> Any:
    return next((value for numbers, value in _data()[kind].get(op, ()) if number in numbers), None)


@cache
def _op_def(name: str, number: int) -> Any:
    from google.protobuf import json_format

    from crossload.artifacts.messages import message_class

    stated = _entry("ops", name, number)
    return None if stated is None else json_format.ParseDict(stated, message_class("tensorflow.OpDef")())


@cache
def _kernels(op: str, number: int) -> tuple[Kernel, ...]:
    stated = _entry("kernels", op, number) or ()
    return tuple(Kernel(label, {name: frozenset(types) for name, types in constraints.items()}) for label, constraints in stated)
