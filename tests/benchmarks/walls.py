"""What a wall costs: the start of a worker and a small call behind each wall that stands here, against the local worker in turns.

Alone: `python -m tests.benchmarks.walls`. The container needs an engine with the image of litert (`crossload runtimes build litert`).
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np

from crossload.contract.bundle import open_bundle
from crossload.errors import EnvironmentProblem
from crossload.runtimes import environments, registry
from crossload.runtimes.supervisor import ModelSource, Supervisor

STARTS, CALLS = 7, 2_000
GOAL_SECONDS = 1e-4


def rows(bundle: Path) -> list[tuple[str, str, str, bool]]:
    """A row for each wall: what, the figures, the difference, and whether a call costs at most 0.1 ms more."""
    found = []
    for wall in registry.WALLS:
        try:
            launches = [environments.prepare(registry.one(name).source) for name in ("litert", f"{wall}:litert")]
        except EnvironmentProblem as problem:
            found.append((f"a worker behind {wall}", "not measured", str(problem), True))
            continue
        starts: list[list[float]] = [[], []]
        for _ in range(STARTS):  # in turns: what else the machine does meets both
            for launch, seconds in zip(launches, starts, strict=True):
                begun = time.perf_counter()
                with Supervisor("litert", launch) as worker:
                    worker.identity()
                    seconds.append(time.perf_counter() - begun)
        calls = _calls(bundle, launches)
        here, there = (statistics.median(s) for s in starts)
        # The fastest tenth: what else the machine does only adds to a call, and adds more where more processes take part.
        one, other = (statistics.quantiles(s, n=10)[0] for s in calls)
        more = other - one
        found.append((f"the start of a worker behind {wall}", f"{there:.2f} s, local {here:.2f} s", f"{there - here:.2f} s more", True))
        said = f"{more * 1e3:.3f} ms more (goal: at most 0.1 ms)"
        found.append((f"a small call through {wall}", f"{other * 1e3:.3f} ms, local {one * 1e3:.3f} ms", said, more <= GOAL_SECONDS))
    return found


def _calls(bundle: Path, launches: list[environments.Launch]) -> list[list[float]]:
    """The seconds of each worker's calls, which take turns."""
    opened = open_bundle(bundle)
    artifact = next(a for a in opened.manifest.artifacts if a.format == "tflite")
    (name, signature), *_ = opened.manifest.signatures.items()
    request = {i.name: np.zeros([max(d, 1) for d in i.shape], np.float32) for i in signature.inputs}
    outputs = [o.name for o in signature.outputs]
    workers = [Supervisor("litert", launch) for launch in launches]
    found: list[list[float]] = [[] for _ in workers]
    try:
        for worker in workers:
            worker.load(ModelSource(opened.path(artifact), artifact.format, artifact.bindings, signatures={name: signature}))
            worker.infer(name, request, outputs)
        for _ in range(CALLS):
            for worker, seconds in zip(workers, found, strict=True):
                begun = time.perf_counter()
                worker.infer(name, request, outputs)
                seconds.append(time.perf_counter() - begun)
    finally:
        for worker in workers:
            worker.close()
    return found


if __name__ == "__main__":
    for row in rows(Path("build/demo/digits")):
        print("| " + " | ".join(row[:3]) + " |", flush=True)
