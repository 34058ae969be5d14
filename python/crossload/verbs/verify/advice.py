"""What to type where the reference answers no request of a signature: a value that was tried, or that the graph states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from crossload import artifacts
from crossload.artifacts.graphs.declared_inputs import disagreement
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import CrossloadError, WorkerFailure
from crossload.inputs.domains import Domain
from crossload.inputs.requests import Requests, draw
from crossload.runtimes.supervisor import Supervisor

_PLAIN = "; give inputs that the model takes with --input-file FILE.npz"
# Sizes of images and windows that people train with.
_SIZES = (*range(1, 33), 36, 40, 48, 50, 56, 60, 64, 72, 80, 96, 100, 112, 128, 150, 160, 192, 200, 224, 227, 229, 240, 256, 299, 300, 320)
_MOST_VALUES = 1 << 20


def advice(
    supervisor: Supervisor, path: Path, kind: str, tags: tuple[str, ...] | None, signature: Signature, requests: Requests, domain: Domain
) -> str:
    """The end of the sentence that says that a loaded model answered nothing; `signature` has the artifact's own tensors."""
    try:
        nodes = artifacts.graph_of(path, tags).nodes if kind in ("saved_model", "meta_graph") else {}
        if wrong := disagreement(nodes, signature):
            return f"; {wrong.sentence}"
        for shapes in _candidates(signature, requests):
            if _answers(supervisor, signature, replace(requests, count=2, inputs=(), shapes=shapes), domain):
                return "; with " + " ".join(f"--shape {n}={','.join(map(str, s))}" for n, s in shapes.items()) + " it answers"
    except (CrossloadError, WorkerFailure):  # the model that failed once may end its worker
        pass
    return _PLAIN


def _answers(supervisor: Supervisor, signature: Signature, requests: Requests, domain: Domain) -> bool:
    """Whether a request of one row and one of several are answered; raises WorkerFailure if the worker does not live on."""
    for vector in draw(signature, requests, domain):
        try:
            supervisor.infer(str(signature.key), vector.inputs, [t.name for t in signature.outputs])
        except WorkerFailure as failure:
            if failure.outcome != "run_error":
                raise
            return False
    return True


def _candidates(signature: Signature, requests: Requests) -> Iterator[dict[str, tuple[int, ...]]]:
    """Shapes to try, the small ones first: all open dimensions but the batch of one size."""
    open_ones = [t for t in signature.inputs if t.name not in requests.shapes and (t.shape is None or -1 in t.shape[1:])]
    if not open_ones:
        return
    for rank in (2, 3, 4) if any(t.shape is None for t in open_ones) else (0,):
        for size in _SIZES:
            for channels in (1, 3) if rank == 4 else (size,):
                shapes = {t.name: _filled(t, size, rank, channels) for t in open_ones}
                if all(_size(s) <= _MOST_VALUES for s in shapes.values()):
                    yield {**requests.shapes, **shapes}


def _filled(spec: TensorSpec, size: int, rank: int, channels: int) -> tuple[int, ...]:
    if spec.shape is None:
        return (-1, *[size] * (rank - 2), channels)
    return tuple(d if at == 0 or d != -1 else size for at, d in enumerate(spec.shape))


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for dimension in shape:
        size *= abs(dimension)
    return size
