"""The typed client of a C project: a function for each signature, with a struct for its inputs and one for its outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from crossload.contract.datatypes import for_people
from crossload.contract.manifest import Artifact
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import CrossloadError
from crossload.verbs.handoff.c import names

# By datatype, the C type of an element.
TYPES = {
    "BOOL": "bool",
    "INT8": "int8_t",
    "INT16": "int16_t",
    "INT32": "int32_t",
    "INT64": "int64_t",
    "UINT8": "uint8_t",
    "UINT16": "uint16_t",
    "UINT32": "uint32_t",
    "UINT64": "uint64_t",
    "FP32": "float",
    "FP64": "double",
}
MOST_RANK = 8


@dataclass(frozen=True)
class Field:
    """A tensor of a signature: its field in the struct, the file's name for it, its C type, and its shape (None: any rank)."""

    name: str
    tensor: str
    field: str
    datatype: str
    shape: tuple[int, ...] | None

    @property
    def type(self) -> str:
        """The C type of an element."""
        return TYPES[self.datatype]

    @property
    def is_free(self) -> bool:
        """Whether the caller states the shape."""
        return self.shape is None or any(d < 0 for d in self.shape)

    @property
    def dimensions(self) -> str:
        """The shape for people: `[?, 8, 8, 1]`."""
        return "of any shape" if self.shape is None else f"[{', '.join('?' if d < 0 else str(d) for d in self.shape)}]"

    def initial(self, struct: str) -> str:
        """The shape as an initialiser, free dimensions taken from the struct."""
        if self.shape is None:
            return ", ".join(f"{struct}->{self.field}.shape[{at}]" for at in range(MOST_RANK))
        return ", ".join(f"{struct}->{self.field}.shape[{at}]" if d < 0 else str(d) for at, d in enumerate(self.shape)) or "0"

    def rank(self, struct: str) -> str:
        """The rank as an expression."""
        return f"{struct}->{self.field}.rank" if self.shape is None else str(len(self.shape))


@dataclass(frozen=True)
class Function:
    """A signature: its function's name, the file's key, and its tensors."""

    signature: str
    key: str
    name: str
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]


def functions(
    artifact: Artifact, signatures: Mapping[str, Signature], file_names: Mapping[str, Mapping[str, str]], prefix: str
) -> list[Function]:
    """A function for each signature; `file_names` are the file's names of tensors, by signature and the manifest's name.

    Raises CrossloadError for a signature with a datatype or a rank that the client does not carry.
    """
    called = names.identifiers(signatures)
    found = []
    for key, signature in signatures.items():
        file_key = artifact.bindings[key].key or ""
        sides = (_fields(key, side, file_names[key]) for side in (signature.inputs, signature.outputs))
        found.append(Function(key, file_key, f"{prefix}_{names.function(called[key])}", *sides))
    return found


def _fields(signature: str, specs: Iterable[TensorSpec], file_names: Mapping[str, str]) -> tuple[Field, ...]:
    specs = list(specs)
    called = names.identifiers(t.name for t in specs)
    for t in specs:
        if t.datatype not in TYPES:
            raise CrossloadError(
                f"{t.name!r} of {signature} is {for_people(t.datatype)}, and the C client carries bool, integers of 8 to 64 bits, float32 "
                "and float64; hand over an artifact without it"
            )
        if t.shape is not None and len(t.shape) > MOST_RANK:
            raise CrossloadError(f"{t.name!r} of {signature} has {len(t.shape)} dimensions, and the C client carries at most {MOST_RANK}")
    return tuple(Field(t.name, file_names[t.name], called[t.name], t.datatype, None if t.shape is None else tuple(t.shape)) for t in specs)
