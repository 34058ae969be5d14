"""The smallest arena in which a microcontroller's interpreter runs a model, found by trying: its own account leaves out what it frees."""

from __future__ import annotations

from dataclasses import replace

from crossload.errors import WorkerFailure
from crossload.runtimes.process import Launch
from crossload.runtimes.supervisor import Limits, Supervisor
from crossload.verbs.profile.targets import Target

# The load option of a worker that takes the arena's size.
OPTION = "arena_bytes"
_FIRST = 1 << 10
_MOST = 1 << 30
# TensorFlow Lite Micro aligns its arena to 16 bytes (MicroArenaBufferAlignment).
_ALIGNED = 16


def smallest(runtime: str, launch: Launch, target: Target, limits: Limits) -> int | None:
    """The bytes, a multiple of 16; None if not even a gigabyte is enough.

    Doubled until the model answers, then halved: an arena that is too small may kill the worker, which the next try starts anew.
    """
    with Supervisor(runtime, launch, limits) as supervisor:
        most = _FIRST
        while not runs(supervisor, target, most):
            if most >= _MOST:
                return None
            most *= 2
        least = most // 2 if most > _FIRST else 0
        while most - least > _ALIGNED:
            middle = (least + most) // 2 // _ALIGNED * _ALIGNED
            least, most = (least, middle) if runs(supervisor, target, middle) else (middle, most)
        return most


def runs(supervisor: Supervisor, target: Target, size: int) -> bool:
    """Whether the model loads and answers in an arena of so many bytes."""
    if not size:
        return False
    source = replace(target.source, options={**target.source.options, OPTION: size})
    try:
        supervisor.load(source)
        supervisor.infer(target.signature, target.inputs, list(target.outputs))
    except WorkerFailure:
        return False
    return True
