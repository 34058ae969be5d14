"""The typed client of a Swift package: a function for each signature, with a struct for its inputs and one for its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crossload.contract.datatypes import for_people
from crossload.contract.signatures import Signature
from crossload.verbs.handoff.c import client as c_client
from crossload.verbs.handoff.ios import names

# By datatype, the Swift type of an element.
TYPES = {
    "BOOL": "Bool",
    "INT8": "Int8",
    "INT16": "Int16",
    "INT32": "Int32",
    "INT64": "Int64",
    "UINT8": "UInt8",
    "UINT16": "UInt16",
    "UINT32": "UInt32",
    "UINT64": "UInt64",
    "FP32": "Float",
    "FP64": "Double",
}
# The datatypes in which SignatureRunner.output(named:) answers: those of Tensor.DataType (Tensor.swift) that have a type above.
READABLE = ("BOOL", "FP32", "FP64", "INT16", "INT32", "INT64", "UINT8")


@dataclass(frozen=True)
class Property:
    """A tensor of a signature: its property in Swift, and what the C project knows of it."""

    swift: str
    field: c_client.Field

    @property
    def type(self) -> str:
        """The Swift type of an element."""
        return TYPES[self.field.datatype]

    @property
    def description(self) -> str:
        """For people: `pixels: float32 [?, 8, 8, 1]`."""
        return f"{self.field.name}: {for_people(self.field.datatype)} {self.field.dimensions}"

    @property
    def shape(self) -> str:
        """The shape as Swift's `[Int?]?`: `[nil, 8, 8, 1]`."""
        shape = self.field.shape
        return "nil" if shape is None else f"[{', '.join('nil' if d < 0 else str(d) for d in shape)}]"

    @property
    def example(self) -> str:
        """A shape that a caller could state: `[1, 8, 8, 1]`."""
        return f"[{', '.join('1' if d < 0 else str(d) for d in self.field.shape or (1,))}]"


@dataclass(frozen=True)
class Method:
    """A signature: its function in Swift, the beginning of its structs' names, and its tensors."""

    swift: str
    type: str
    function: c_client.Function
    inputs: tuple[Property, ...]
    outputs: tuple[Property, ...]


def methods(functions: Sequence[c_client.Function]) -> list[Method]:
    """A method for each of the C project's functions."""
    signatures = [f.signature for f in functions]
    called, types = names.members(signatures), names.types(signatures)
    return [Method(called[f.signature], types[f.signature], f, _properties(f.inputs), _properties(f.outputs)) for f in functions]


def _properties(fields: Sequence[c_client.Field]) -> tuple[Property, ...]:
    called = names.members(f.name for f in fields)
    return tuple(Property(called[f.name], f) for f in fields)


def obstacle(signature: Signature) -> str | None:
    """Why TensorFlow Lite's Swift API cannot call a signature; None if it can."""
    for side, known, does in ((signature.inputs, tuple(TYPES), "takes"), (signature.outputs, READABLE, "reads answers in")):
        for t in side:
            if t.datatype not in known:
                step = "; convert the model with --inference-type float32" if t.datatype == "INT8" else ""
                carried = ", ".join(for_people(d) for d in known)
                return f"{t.name!r} is {for_people(t.datatype)}, and TensorFlow Lite's Swift API {does} {carried}{step}"
            if t.shape is not None and len(t.shape) > c_client.MOST_RANK:
                return f"{t.name!r} has {len(t.shape)} dimensions, and the judge carries at most {c_client.MOST_RANK}"
        if reason := names.unspeakable(t.name for t in side):
            return reason
    return None
