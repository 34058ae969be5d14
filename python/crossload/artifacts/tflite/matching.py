"""Binds the names of a promised signature to the tensors of a .tflite that has other names, or none: by name, datatype and shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from crossload.artifacts.entries import binding_of
from crossload.artifacts.tflite.tensor_names import readable
from crossload.artifacts.tflite.tflite_file import TFLite
from crossload.contract.datatypes import DATATYPES, for_people
from crossload.contract.manifest import Binding
from crossload.contract.signatures import Signature, TensorSpec, may_be_one_shape
from crossload.errors import ArtifactError

Side = Literal["input", "output"]
How = Literal["chosen", "name", "shape"]


@dataclass(frozen=True)
class Match:
    """A name of the signature, the tensor that it is bound to, and what told so: the caller, the tensor's name, or its form alone."""

    side: Side
    name: str
    tensor: int
    how: How


def match(found: TFLite, name: str, promised: Signature, chosen: Mapping[Side, Mapping[str, str]]) -> tuple[Binding, list[Match]]:
    """The binding of the signature `name` in the file; `chosen` are tensors by name that the caller decided, each a name or an index.

    A file whose SignatureDef has the promised names is bound by its key. Else a tensor fits a name if it has its datatype, and a shape
    that may be the same. Among those that fit, one whose own name has the promised name as its last part wins; else it must be the
    only one. Raises ArtifactError for a name that nothing fits, and for names that several tensors fit, listing them.
    """
    if not any(chosen.values()) and (key := _key(found, name, promised)) is not None:
        return binding_of(found.signatures[key]), []
    inputs = _side(found, "input", promised.inputs, found.inputs, chosen.get("input", {}))
    outputs = _side(found, "output", promised.outputs, found.outputs, chosen.get("output", {}))
    if left := [t for t in found.inputs if t.tensor not in {m.tensor for m in inputs}]:
        raise ArtifactError(f"{found.path} has the input {left[0].name!r} (tensor {left[0].tensor}), which {name!r} does not promise")
    return Binding(inputs={m.name: m.tensor for m in inputs}, outputs={m.name: m.tensor for m in outputs}), [*inputs, *outputs]


def _key(found: TFLite, name: str, promised: Signature) -> str | None:
    """The file's own signature with the promised names, the one called `name` first."""
    wanted = [{t.name: t.datatype for t in side} for side in (promised.inputs, promised.outputs)]
    fitting = [k for k, s in found.signatures.items() if [{t.name: t.datatype for t in side} for side in (s.inputs, s.outputs)] == wanted]
    return name if name in fitting else fitting[0] if len(fitting) == 1 else None


def _side(found: TFLite, side: Side, promised: Sequence[TensorSpec], there: Sequence[TensorSpec], chosen: Mapping[str, str]) -> list[Match]:
    if strange := [n for n in chosen if n not in [t.name for t in promised]]:
        listed = ", ".join(t.name for t in promised)
        raise ArtifactError(f"the signature has no {side} {strange[0]!r}; its {side}s are: {listed}")
    given = found.named(chosen if side == "input" else {}, chosen if side == "output" else {})
    decided = {t.name: t.tensor for t in (given.inputs if side == "input" else given.outputs) if t.name in chosen}
    matches = {n: Match(side, n, at, "chosen") for n, at in decided.items() if isinstance(at, int)}
    names = _names(found, side, there)
    fits = {t.name: [o for o in there if _fits(t, o)] for t in promised}
    while open_names := [t for t in promised if t.name not in matches]:
        taken = {m.tensor for m in matches.values()}
        settled = False
        for spec in open_names:
            free = [o for o in fits[spec.name] if o.tensor not in taken]
            if not free:
                raise ArtifactError(_nothing_fits(found, side, spec, there))
            named = [o for o in free if isinstance(o.tensor, int) and spec.name in names[o.tensor]]
            rivals = [n for n in open_names if n is not spec and any(o in fits[n.name] for o in free)]
            only = named if len(named) == 1 else free if len(free) == 1 and not rivals else []
            if only and isinstance(only[0].tensor, int):
                matches[spec.name] = Match(side, spec.name, only[0].tensor, "name" if named else "shape")
                settled = True
                break
        if not settled:
            raise ArtifactError(_ambiguous(found, side, open_names, [o for o in there if o.tensor not in taken]))
    return [matches[t.name] for t in promised]


def _names(found: TFLite, side: Side, there: Sequence[TensorSpec]) -> dict[int, set[str]]:
    """What each tensor may be called: its own name and its last part, and its names in the file's signatures."""
    short = readable([t.name for t in there], side)
    names = {t.tensor: {t.name, t.name.removesuffix(":0"), s} for t, s in zip(there, short, strict=True) if isinstance(t.tensor, int)}
    for signature in found.signatures.values():
        for spec in signature.inputs if side == "input" else signature.outputs:
            if isinstance(spec.tensor, int):
                names.setdefault(spec.tensor, set()).add(spec.name)
    return names


def _fits(promised: TensorSpec, there: TensorSpec) -> bool:
    return promised.datatype == there.datatype and may_be_one_shape(promised.shape, there.shape)


def _nothing_fits(found: TFLite, side: Side, spec: TensorSpec, there: Sequence[TensorSpec]) -> str:
    return (
        f"{found.path} has no {side} that may be {spec.name!r}, {_form(spec)}; its {side}s are: "
        f"{', '.join(map(_tensor, there))}; a quantised or resized model needs a bundle of its own: crossload export {found.path}"
    )


def _ambiguous(found: TFLite, side: Side, names: Sequence[TensorSpec], there: Sequence[TensorSpec]) -> str:
    asked = ", ".join(f"{t.name!r}, {_form(t)}" for t in names)
    example = there[0].tensor if there else 0
    return (
        f"{found.path} does not tell which of its {side}s is which: {asked}; those that fit: {', '.join(map(_tensor, there))}; "
        f"choose with --{side}-tensor {names[0].name}={example}, and `crossload verify` tells if they are exchanged"
    )


def _tensor(spec: TensorSpec) -> str:
    return f"tensor {spec.tensor} ({spec.name!r}, {_form(spec)})"


def _form(spec: TensorSpec) -> str:
    datatype = for_people(spec.datatype) if spec.datatype in DATATYPES else "unknown type"
    return f"{datatype} {list(spec.shape) if spec.shape is not None else 'of unknown rank'}"
