"""What a manifest says of an artifact's signatures, against what the artifact itself says: its receiver calls it by the latter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from crossload import artifacts
from crossload.contract.causes import Cause, Kind
from crossload.contract.datatypes import DATATYPES, for_people
from crossload.contract.manifest import Artifact
from crossload.contract.signatures import Signature, TensorSpec, may_be_one_shape
from crossload.errors import CrossloadError

_EXCHANGED: dict[str, Kind] = {"input": "exchanged_inputs", "output": "exchanged_outputs"}


def contradictions(path: Path, artifact: Artifact, signatures: Mapping[str, Signature]) -> dict[str, Cause]:
    """By signature, the first contradiction: exchanged, missing, extra or renamed tensors, other datatypes or shapes.

    Nothing for artifacts without signatures of their own (a GraphDef, some .tflite), and for one that crossload cannot read.
    """
    keys = {name: binding.key for name, binding in artifact.bindings.items() if binding.key is not None}
    if not keys:
        return {}
    try:
        own = _own(path, artifact)
    except CrossloadError:
        return {}
    found = {}
    for name, key in keys.items():
        if key not in own:
            there = ", ".join(map(repr, own)) or "none"
            text = f"{artifact.id} has no signature {key!r}, which the manifest calls {name!r}; it has: {there}"
            found[name] = Cause(kind="signature", text=text)
        elif said := next(_differences(artifact, name, signatures[name], own[key]), None):
            found[name] = said.model_copy(
                update={"text": f"{artifact.id} is not what the manifest says: {said.text}; export the bundle again"}
            )
    return found


def _own(path: Path, artifact: Artifact) -> dict[str, Signature]:
    for tags, signatures in artifacts.callable_signatures(artifacts.read(path)):
        if artifact.tags is None or tags is None or set(tags) == set(artifact.tags):
            return {str(s.key): s for s in signatures.values() if s.key is not None}
    return {}


def _differences(artifact: Artifact, name: str, promised: Signature, own: Signature) -> Iterator[Cause]:
    binding = artifact.bindings[name]
    for side, wanted, there, bound in (
        ("input", promised.inputs, own.inputs, binding.inputs),
        ("output", promised.outputs, own.outputs, binding.outputs),
    ):
        yield from _of_side(side, wanted, {t.name: t for t in there}, bound)


def _of_side(side: str, wanted: Sequence[TensorSpec], there: Mapping[str, TensorSpec], bound: Mapping[str, str | int]) -> Iterator[Cause]:
    names = [t.name for t in wanted]
    for n in (n for n in names if n not in there):
        yield _contradiction(f"its signature has no {side} {n!r}; it has: {', '.join(there) or 'none'}")
    for n in (n for n in there if n not in names):
        yield _contradiction(f"its signature has the {side} {n!r}, too, which the manifest does not describe")
    places = {str(there[n].tensor): n for n in names}
    for spec in wanted:
        own = there[spec.name]
        place = bound.get(spec.name)
        if place is not None and own.tensor is not None and str(place) != str(own.tensor):
            said = f"its signature has the {side} {spec.name!r} at {own.tensor}, the manifest at {place}"
            if other := places.get(str(place)):
                yield Cause(kind=_EXCHANGED[side], text=f"{said}, which its signature calls {other!r}: are the {side}s exchanged?")
            yield _contradiction(said)
        if own.datatype in DATATYPES and own.datatype != spec.datatype:
            yield _contradiction(f"its {side} {spec.name!r} is {for_people(own.datatype)}, in the manifest {for_people(spec.datatype)}")
        if own.shape is not None and spec.shape is not None and not may_be_one_shape(own.shape, spec.shape):
            yield _contradiction(f"its {side} {spec.name!r} has the shape {list(own.shape)}, in the manifest {list(spec.shape)}")


def _contradiction(text: str) -> Cause:
    return Cause(kind="signature", text=text)
