"""Vectors: recorded requests and the reference's responses, a file of frames (bindings/contract/README.md, section Vectors file)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from crossload.contract import datatypes, frames
from crossload.contract.manifest import Steps
from crossload.contract.signatures import Signature
from crossload.errors import FrameError, ManifestError

if TYPE_CHECKING:
    import numpy as np

Tensors = Mapping[str, "np.ndarray"]


@dataclass
class Vector:
    """One request and, once recorded, its answer. String tensors are object arrays of bytes.

    `rounding` is how far rounding alone puts outputs from exact ones: absolute, by name, as far as it is known. `steps` are the scales of
    quantised outputs, and how many steps of them are close. An `extra` one is kept only if it detects faults that no other one detects.
    """

    id: str
    inputs: Tensors
    outputs: Tensors = field(default_factory=dict)
    rounding: Mapping[str, float] = field(default_factory=dict)
    steps: Mapping[str, Steps] = field(default_factory=dict)
    extra: bool = False


def misfit(vector: Vector, signature: Signature) -> str | None:
    """Why a recorded vector does not fit this signature: an input or output is missing, extra, or of another datatype."""
    for side, specs, tensors in (("input", signature.inputs, vector.inputs), ("output", signature.outputs, vector.outputs)):
        wanted = {t.name: t.datatype for t in specs}
        for name in [t.name for t in specs if t.name not in tensors and t.default is None]:
            return f"it lacks the {side} {name!r}"
        for name, array in tensors.items():
            if name not in wanted:
                return f"it has the {side} {name!r}, which the signature does not have"
            got = datatypes.of_array(array)
            if wanted[name] in datatypes.DATATYPES and got != wanted[name]:
                return f"its {name!r} is {datatypes.for_people(got)}, the signature's is {datatypes.for_people(wanted[name])}"
    return None


def path_of(signature: str) -> str:
    """The vectors file of a signature, relative to the bundle; keys with slashes stay one file."""
    return f"vectors/{quote(signature, safe='').replace('.', '%2E')}.oip"


def with_tensors(header: dict[str, Any], **sides: Tensors) -> frames.Frame:
    """A frame of this header and these `inputs` or `outputs`."""
    buffers: list[frames.Buffer] = []
    header = dict(header)
    for side in ("inputs", "outputs"):
        if side not in sides:
            continue
        encoded = {name: datatypes.encode(array) for name, array in sides[side].items()}
        header[side] = [
            frames.tensor_entry(name, datatypes.of_array(array), array.shape, len(encoded[name])) for name, array in sides[side].items()
        ]
        buffers += encoded.values()
    return frames.Frame(header, buffers)


def arrays(frame: frames.Frame, side: str) -> dict[str, np.ndarray]:
    """The frame's `inputs` or `outputs` as arrays."""
    return {name: datatypes.decode(*tensor) for name, tensor in frame.tensors(side).items()}


def write(path: Path, signature: str, vectors: Iterable[Vector]) -> None:
    """Write a vectors file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        for vector in vectors:
            request = {"id": vector.id, "parameters": {"signature_name": signature}}
            frames.write(stream, with_tensors(request, inputs=vector.inputs))
            response = with_tensors({"id": vector.id}, outputs=vector.outputs)
            for entry in response.header["outputs"]:
                if entry["name"] in vector.rounding:
                    entry["parameters"]["rounding"] = vector.rounding[entry["name"]]
                if steps := vector.steps.get(entry["name"]):
                    entry["parameters"] |= {"scale": steps.scale, "steps": steps.allowed}
            frames.write(stream, response)


def read(path: Path, count: int | None = None) -> list[Vector]:
    """The vectors of a file; raises ManifestError when it is damaged or does not hold `count` of them."""
    try:
        with path.open("rb") as stream:
            found = list(frames.read_all(stream))
        if len(found) % 2:
            raise FrameError("the last request has no response")
        vectors = []
        for request, response in zip(found[::2], found[1::2], strict=True):
            if request.header.get("id") != response.header.get("id"):
                raise FrameError(f"request {request.header.get('id')!r} is followed by response {response.header.get('id')!r}")
            if not isinstance(request.header.get("id"), str):
                raise FrameError("a vector has no name (the id of its request)")
            rounding = frames.rounding(response.header)
            steps = {n: Steps(scale=scale, allowed=allowed) for n, (scale, allowed) in frames.steps(response.header).items()}
            vectors.append(Vector(request.header["id"], arrays(request, "inputs"), arrays(response, "outputs"), rounding, steps))
    except (FrameError, OSError) as error:
        raise ManifestError(f"{path} cannot be read as vectors: {error}") from error
    if count is not None and len(vectors) != count:
        raise ManifestError(f"{path} holds {len(vectors)} vectors, the manifest promises {count}")
    return vectors
