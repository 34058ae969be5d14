"""The steps of a quantised .tflite's outputs: what its operators allow, and how far their rounding carries to the outputs."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from crossload.artifacts.tflite import inner, quantised
from crossload.contract.manifest import Artifact, Steps
from crossload.contract.vectors import Vector
from crossload.edits import half_step
from crossload.errors import WorkerFailure
from crossload.runtimes.supervisor import ModelSource, Supervisor
from crossload.support import files, temporary

_ROUNDS = 3
_MOST_BYTES = 256 << 20


def of_artifact(path: Path, artifact: Artifact) -> dict[str, dict[str, Steps]] | None:
    """By signature, the steps of a quantised .tflite's outputs as its operators allow them; None for another artifact."""
    if artifact.format != "tflite":
        return None
    keys = {name: b.key for name, b in artifact.bindings.items()}
    if not any(quantised.kind(path, key) for key in keys.values()):
        return None
    return {name: quantised.steps(path, b.outputs, b.key) for name, b in artifact.bindings.items()}


def carried(
    supervisor: Supervisor,
    source: ModelSource,
    steps: Mapping[str, Mapping[str, Steps]],
    recorded: Mapping[str, list[Vector]],
    sequences: Collection[str] = (),
) -> dict[str, dict[str, Steps]]:
    """The steps, raised to what the recorded answers move by when every layer rounds otherwise (edits.half_step).

    A deep model carries the half step by which kernels may round apart from layer to layer, as float models carry a half ULP. The
    runtime that recorded them answers again, those of the signatures in `sequences` as one sequence after a load; it has another model
    loaded afterwards.
    """
    found = {name: dict(by_output) for name, by_output in steps.items()}
    if files.size_bytes(source.path) > _MOST_BYTES:
        return found
    with temporary.scratch() as folder:
        for name, by_output in found.items():
            graph = inner.read(source.path, source.bindings[name].key)
            for round_ in range(_ROUNDS if by_output and recorded.get(name) else 0):
                data = half_step.tflite(graph, np.random.default_rng(round_))
                if data is None:
                    break
                file = folder / f"{round_}.tflite"
                file.write_bytes(data)
                try:
                    supervisor.load(replace(source, path=file, keep_state=name in sequences))
                    moved = [supervisor.infer(name, v.inputs, list(by_output)).outputs for v in recorded[name]]
                except WorkerFailure:
                    break
                for output, one in by_output.items():
                    most = max(_apart(v.outputs[output], m[output]) / one.scale for v, m in zip(recorded[name], moved, strict=True))
                    if (by := math.floor(most + 0.5)) > one.allowed:
                        by_output[output] = one.model_copy(update={"allowed": by})
    return found


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max(initial=0.0)) if one.shape == other.shape else 0.0
