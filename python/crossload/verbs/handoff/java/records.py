"""A signature in Java: records for its inputs and outputs, and the expressions that convert them to tensors and back.

An array stands for a tensor if its length determines the shape (at most one free dimension); a scalar is a plain value; a tensor with
more free dimensions, or without an array type in Java, stays an `io.crossload.HostTensor`, which keeps its shape. An input whose two
dimensions are both free may also be given as an array of rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crossload.contract import datatypes
from crossload.contract.signatures import Signature, TensorSpec
from crossload.contract.vectors import Vector
from crossload.verbs.handoff.java import names
from crossload.verbs.handoff.java.examples import Example
from crossload.verbs.handoff.java.layout import Call

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Kind:
    """An element in Java: its type, its box type (nullable), HostTensor's accessor, its factory and what that takes before the array."""

    element: str
    box: str
    accessor: str
    told: tuple[str, ...] = ()
    factory: str = "over"


_KINDS = {
    "FP32": Kind("float", "Float", "floats()"),
    "FP64": Kind("double", "Double", "doubles()"),
    "INT8": Kind("byte", "Byte", "bytes()"),
    "UINT8": Kind("byte", "Byte", "bytes()", ("Datatype.UINT8",)),
    "INT32": Kind("int", "Integer", "ints()"),
    "INT64": Kind("long", "Long", "longs()"),
    "BOOL": Kind("boolean", "Boolean", "booleans()", factory="of"),
    "BYTES": Kind("String", "String", "strings()", factory="of"),
}
_PRIMITIVES = frozenset(kind.element for kind in _KINDS.values()) - {"String"}
# Those that include free.j2 have the method that the expressions call.
TEMPLATES = Path(__file__).parent / "templates"
_INT_MAX = 2**31 - 1
_MOST_SHOWN = 6
HARD_BYTES = "bytes"  # the generated request whose strings are deliberately not text (crossload.inputs.requests)


@dataclass(frozen=True)
class Component:
    """One input or output: its name in the signature and in Java, its type there, and its Javadoc.

    `to_tensor` converts it to a tensor inside the client; `suffix` converts a tensor to it; `rows` is the kind of its elements if it may
    be given as an array of rows; `example` is the class that makes its elements, if they are tf.Examples.
    """

    name: str
    java: str
    type: str
    description: str
    to_tensor: Call | str
    suffix: str
    optional: bool
    rows: Kind | None = None
    example: Example | None = None

    @property
    def declaration(self) -> str:
        """The declaration, for a record component or a parameter."""
        return f"{self.type} {self.java}"

    @property
    def declaration_of_rows(self) -> str:
        """The declaration of a parameter that takes rows, where the component can be given so."""
        return f"{self.rows.element}[][] {self.java}" if self.rows else self.declaration

    @property
    def from_rows(self) -> Call | str:
        """The component, made of rows where it was given so."""
        return Call("Rows.of(", (*self.rows.told, f'"{self.java}"', self.java)) if self.rows else self.java

    @property
    def checked(self) -> bool:
        """Whether null must be refused: a primitive cannot be null, and null stands for the default of an input that has one."""
        return not self.optional and self.type not in _PRIMITIVES

    @property
    def by_elements(self) -> bool:
        """Whether Java would compare it by identity."""
        return self.type.endswith("]") or self.type == "HostTensor"

    @property
    def default(self) -> str:
        """Null as this component: a constructor that takes rows has null in the same place."""
        return "(HostTensor) null" if self.rows else "null"

    def shown(self, value: str) -> str:
        """The value as text."""
        if not self.type.endswith("]"):
            return value
        return f"Arrays.{'deepToString' if self.type.endswith('[][]') else 'toString'}({value})"

    def of(self, tensors: str) -> str:
        """The value, taken from a map of tensors by the signature's names."""
        return f"{tensors}.get({names.literal(self.name)}){self.suffix}"


@dataclass(frozen=True)
class Method:
    """A signature as a method: its key, its name, its two records, and the first of its vectors."""

    key: str
    java: str
    inputs_type: str
    outputs_type: str
    inputs: tuple[Component, ...]
    outputs: tuple[Component, ...]
    first: Vector | None

    @property
    def required(self) -> tuple[Component, ...]:
        """The inputs without a default."""
        return tuple(c for c in self.inputs if not c.optional)

    @property
    def with_defaults(self) -> tuple[str, ...]:
        """The arguments that the short constructor of the inputs passes to the long one."""
        return tuple(c.default if c.optional else c.java for c in self.inputs)

    @property
    def with_rows(self) -> tuple[Call | str, ...]:
        """The arguments that a constructor that takes rows passes to the one that takes tensors."""
        return tuple(c.from_rows for c in self.inputs)

    @property
    def with_rows_and_defaults(self) -> tuple[Call | str, ...]:
        """The same for a constructor that takes rows and leaves out what has a default."""
        return tuple(c.default if c.optional else c.from_rows for c in self.inputs)

    def first_inputs(self, tensors: str) -> tuple[str, ...]:
        """The components of the inputs for the first vector, taken from a map of its tensors."""
        fed = self.first.inputs if self.first else {}
        return tuple(c.of(tensors) if c.name in fed else c.default for c in self.inputs)


def named(components: Iterable[Component]) -> list[str]:
    """Each component's name as a literal, and its value: the arguments of the generated `Values.of`."""
    return [part for c in components for part in (f'"{c.java}"', c.java)]


def row_kinds(made: Iterable[Method]) -> list[Kind]:
    """The kinds of elements that some input takes in rows; one of those that make the same method of `Rows`."""
    return list({(c.rows.element, bool(c.rows.told)): c.rows for m in made for c in m.inputs if c.rows}.values())


def methods(
    signatures: Mapping[str, Signature], vectors: Mapping[str, list[Vector]], parsed: Mapping[str, Mapping[str, Example]] | None = None
) -> list[Method]:
    """One method per signature, in the manifest's order. Recorded strings decide whether a string tensor is text or bytes.

    `parsed` are the classes of the tf.Examples in string inputs, by signature and input; these are bytes.
    """
    java, types = names.members(signatures), names.types(signatures)
    usual = {key: [v for v in vectors.get(key, []) if v.id != HARD_BYTES] for key in signatures}
    return [
        Method(
            key,
            java[key],
            f"{types[key]}Inputs",
            f"{types[key]}Outputs",
            _components(signature.inputs, [v.inputs for v in usual[key]], (parsed or {}).get(key, {})),
            _components(signature.outputs, [v.outputs for v in usual[key]], {}),
            next(iter(vectors.get(key, [])), None),
        )
        for key, signature in signatures.items()
    ]


def _components(
    specs: Iterable[TensorSpec], recorded: list[Mapping[str, np.ndarray]], parsed: Mapping[str, Example]
) -> tuple[Component, ...]:
    specs = tuple(specs)
    java = names.members(s.name for s in specs)
    return tuple(_component(s, java[s.name], [r[s.name] for r in recorded if s.name in r], parsed.get(s.name)) for s in specs)


def _component(spec: TensorSpec, java: str, recorded: list[np.ndarray], example: Example | None) -> Component:
    given, optional, kind = f"inputs.{java}()", spec.default is not None, _KINDS.get(spec.datatype)
    to_tensor: Call | str
    binary = example is not None or (spec.datatype == "BYTES" and not all(_is_text(e) for array in recorded for e in array.ravel()))
    if kind is None or not _told_by_length(spec.shape):
        made = Component(spec.name, java, "HostTensor", _description(spec), given, ".copy()", optional, example=example)
        if kind is None or spec.shape != (-1, -1) or binary:
            return made
        return replace(made, rows=kind)
    if binary:
        java_type, suffix = "byte[][]", ".byteStrings().toArray(byte[][]::new)"
        to_tensor = Call("HostTensor.ofBytes(", (f"List.of({given})", *_dimensions(spec, java)))
    elif spec.shape == ():
        java_type = kind.box if optional else kind.element
        array = f"new {kind.element}[] {{{given}}}"
        to_tensor, suffix = Call(f"HostTensor.{kind.factory}(", (*kind.told, array)), f".{kind.accessor}[0]"
    else:
        java_type, suffix = f"{kind.element}[]", f".{kind.accessor}"
        to_tensor = Call(f"HostTensor.{kind.factory}(", (*kind.told, given, *_dimensions(spec, java)))
    return Component(spec.name, java, java_type, _description(spec), to_tensor, suffix, optional, example=example)


def _told_by_length(shape: tuple[int, ...] | None) -> bool:
    """Whether the number of elements determines the shape."""
    return shape is not None and shape.count(-1) <= 1 and 0 < math.prod(d for d in shape if d != -1) <= _INT_MAX


def _dimensions(spec: TensorSpec, java: str) -> tuple[str, ...]:
    shape, length = spec.shape or (), f"inputs.{java}().length"
    step = math.prod(d for d in shape if d != -1)
    free = length if step == 1 else f'free("{java}", {length}, {step})'
    return tuple(free if d == -1 else str(d) for d in shape)


def _is_text(element: bytes) -> bool:
    try:
        text = element.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c in "\t\n\r" for c in text)


def _description(spec: TensorSpec) -> str:
    if spec.shape is None:
        shape = "of any shape"
    elif not spec.shape:
        shape = "a scalar"
    else:
        shape = f"shape [{', '.join('any' if d == -1 else str(d) for d in spec.shape)}]"
    told = f"{datatypes.for_people(spec.datatype)}, {shape}"
    if spec.default is None:
        return told
    data = spec.default.get("data", [])
    shown = ", ".join(str(v) for v in data[:_MOST_SHOWN]) + (", …" if len(data) > _MOST_SHOWN else "")
    return f"{told}; null: the default ({shown})"
