"""A worker that doubles, and says in its note what lies around the artifact that it was given; with `edit` it writes into the artifact."""

from __future__ import annotations

import sys
from pathlib import Path

from crossload.workers.kit import wire

wire.own_streams()

import numpy as np  # noqa: E402

from crossload.workers.kit.serving import Answer, Request, Server  # noqa: E402


class Double:
    def __init__(self, path: Path) -> None:
        self.note = f"beside: {', '.join(sorted(p.name for p in path.resolve().parent.iterdir()))}"

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        return Answer({"y": 2 * inputs["x"]}, 1)


def load(request: Request) -> Double:
    path = Path(request.path)
    if "edit" in sys.argv:
        path.write_bytes(b"another")
    return Double(path)


Server("meddling", "1", ["tflite"], load, {}).serve()
