"""A worker that computes nothing: it answers with what `vectors/` of the bundle in the first argument recorded for the same inputs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from crossload.workers.kit import wire

wire.own_streams()

import numpy as np  # noqa: E402

from crossload.contract import vectors  # noqa: E402
from crossload.workers.kit.serving import Answer, Request, Server  # noqa: E402

BUNDLE = Path(sys.argv[1])
RECORDED = {
    (entry["signature"], *(array.tobytes() for array in vector.inputs.values())): vector.outputs
    for entry in json.loads((BUNDLE / "crossload.json").read_text(encoding="utf-8"))["vectors"]
    for vector in vectors.read(BUNDLE / entry["path"])
}


class Replay:
    note = None

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        known = RECORDED.get((signature, *(array.tobytes() for array in inputs.values()))) or next(iter(RECORDED.values()))
        return Answer({name: np.asarray(known[name]) for name in outputs}, 1)


def load(request: Request) -> Replay:
    return Replay()


Server("replaying", "1", ["saved_model"], load, {}).serve()
