"""A worker on the kit of the real ones, whose model returns its inputs; the first argument says how it lies about shared memory."""

from __future__ import annotations

import os
import sys

behaviour = sys.argv[1]
if behaviour == "blind":
    os.environ["CROSSLOAD_SHARED_MEMORY"] = "0,1"

from crossload.workers.kit import shared_memory, wire  # noqa: E402

wire.own_streams()

import numpy as np  # noqa: E402

from crossload.workers.kit.serving import Answer, Request, Server  # noqa: E402

REQUESTS, ANSWERS = map(int, os.environ["CROSSLOAD_SHARED_MEMORY"].split(","))
_put = shared_memory.put


def put(entries: list, buffers: list) -> list:
    rest = _put(entries, buffers)
    for entry in entries if behaviour.startswith("offset ") else ():
        entry["parameters"]["shared_memory_offset"] = {"true": True, "text": "0"}.get(behaviour[7:]) or int(behaviour[7:])
    if behaviour == "shorten":
        os.ftruncate(ANSWERS, 0)
    return rest


shared_memory.put = put


class Identity:
    """Outputs are the inputs."""

    note = None

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        return Answer({name: inputs[name] for name in outputs}, 1)


def load(request: Request) -> Identity:
    return Identity()


Server("sharing", "1", ["tflite"], load, {}).serve()
