"""What TensorFlow Lite Micro needs to know of a .tflite: its operators, the shapes that it was written with, its arena."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from crossload.artifacts.tflite import inner, nodes
from crossload.contract.bundle import Bundle
from crossload.contract.manifest import Artifact
from crossload.contract.signatures import Signature, TensorSpec
from crossload.contract.vectors import Vector
from crossload.errors import CrossloadError
from crossload.runtimes import environments
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, ModelSource
from crossload.verbs.handoff.tflm.operators import Registered, registered
from crossload.verbs.profile import arena
from crossload.verbs.profile.targets import Target

_VARIABLE = "VAR_HANDLE"


@dataclass(frozen=True)
class Places:
    """Where a signature's tensors are among the interpreter's inputs and outputs, by the manifest's names."""

    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


@dataclass(frozen=True)
class Micro:
    """A .tflite for TensorFlow Lite Micro; `variables` is the number of its resource variables, `float_bytes` what float32 constants take.

    `signatures` have the shapes that the file was written with: TensorFlow Lite Micro runs no others.
    """

    data: bytes
    operators: tuple[Registered, ...]
    variables: int
    signatures: dict[str, Signature]
    places: dict[str, Places]
    float_bytes: int


def read(path: Path, artifact: Artifact, signatures: Mapping[str, Signature]) -> Micro:
    """Read a .tflite whose signatures `check` has found to be those of the first subgraph; raises ArtifactError for a damaged file."""
    graph, first = nodes.read(path), inner.read(path)
    shaped, places = {}, {}
    for name, signature in signatures.items():
        binding = artifact.bindings[name]
        inputs, outputs = _shaped(signature.inputs, binding.inputs, first), _shaped(signature.outputs, binding.outputs, first)
        shaped[name] = replace(signature, inputs=inputs, outputs=outputs)
        places[name] = Places(_positions(binding.inputs, first.inputs), _positions(binding.outputs, first.outputs))
    variables = sum(node.code.op == _VARIABLE for subgraph in graph.subgraphs for node in subgraph)
    large = sum(t.extent[1] for t in first.tensors if t.extent and t.datatype == "FP32")
    return Micro(path.read_bytes(), registered(graph), variables, shaped, places, large)


def _positions(bound: Mapping[str, str | int], there: tuple[int, ...]) -> dict[str, int]:
    return {name: there.index(int(tensor)) for name, tensor in bound.items()}


def _shaped(specs: tuple[TensorSpec, ...], bound: Mapping[str, str | int], graph: inner.Inner) -> tuple[TensorSpec, ...]:
    return tuple(replace(spec, shape=graph.tensors[int(bound[spec.name])].shape) for spec in specs)


def answerable(path: Path, name: str, signature: Signature, vectors: list[Vector]) -> list[Vector]:
    """The vectors in the shapes that the file was written with; raises CrossloadError if there are none."""
    shapes = {t.name: t.shape for t in signature.inputs}
    fitting = [v for v in vectors if all(v.inputs[n].shape == shape for n, shape in shapes.items())]
    if not fitting:
        asked = " ".join(f"--shape {n}={','.join(map(str, shape or ()))}" for n, shape in shapes.items())
        raise CrossloadError(
            f"TensorFlow Lite Micro runs {path} in the shapes that it was written with, and no recorded request of {name} has them; record "
            f"some: crossload export {path} -o BUNDLE {asked}"
        )
    return fitting


def smallest_arena(
    source: Bundle,
    artifact: Artifact,
    signatures: Mapping[str, Signature],
    request: Vector,
    runtime: Runtime,
    progress: Callable[[str], None],
) -> int:
    """The bytes of the smallest arena in which the runtime answers one request of the first signature, to 16 bytes.

    Raises EnvironmentProblem if the runtime is not to be had, and CrossloadError if it does not answer in a gigabyte.
    """
    name, signature = next(iter(signatures.items()))
    launch = environments.prepare(runtime.source, progress)
    model = ModelSource(source.path(artifact), artifact.format, {name: artifact.bindings[name]}, signatures={name: signature})
    target = Target(artifact.id, model, name, tuple(t.name for t in signature.outputs), request.inputs, request.id)
    progress(f"searching the smallest arena of {artifact.id} in {runtime.title}")
    found = arena.smallest(runtime.name, launch, target, Limits())
    if found is None:
        raise CrossloadError(
            f"{runtime.title} does not answer {request.id} of {name} in any arena; crossload verify {source.root} --runtime {runtime.name} "
            f"--artifact {artifact.id} says why"
        )
    return found
