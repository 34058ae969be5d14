"""The wall of an engine: a worker in a container of its image, without network, rights, or any file but the artifact.

The engine's default seccomp profile stays: it permits what is listed, which is stricter than a list of what is denied.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from crossload.runtimes.process import Launch
from crossload.runtimes.walls import engine, foreign, images
from crossload.runtimes.walls.limits import BOUNDS
from crossload.runtimes.walls.stage import Stage

if TYPE_CHECKING:
    from crossload.runtimes.registry import Runtime

_NOBODY = "65534:65534"


def confined(runtime: Runtime, progress: Callable[[str], None] = lambda _: None) -> Launch:
    """How the worker of a runtime starts in a container; raises EnvironmentProblem without an engine or a fitting image."""
    client = engine.connect()
    if gone := engine.reap(client):
        progress(f"removed {gone} container(s) of a crossload that is gone")
    name, command = images.name_of(runtime), images.entrypoint(client, runtime)
    processor = foreign.emulated(client, name, runtime.platform) if runtime.platform else None
    if processor is None:
        return launch(name, command)
    return replace(launch(name, command, processor), about={"emulated": f"{processor.model} on {foreign.architecture(client)}"})


def launch(image: str, command: list[str], processor: foreign.Processor | None = None) -> Launch:
    """How a worker in any image starts; `command` is the worker's, which /bin/sh of the image starts, on an emulated `processor`."""
    stage = Stage()
    name = f"crossload-{stage.folder.name.rpartition('-')[2]}".lower()
    specification: dict[str, Any] = {"image": image, "command": command, "options": options(stage, name)}
    if processor:
        specification["options"]["environment"] = {"QEMU_CPU": processor.model}
        specification["cpuinfo"] = processor.cpuinfo
    argv = (sys.executable, "-m", "crossload.runtimes.walls.relay", json.dumps(specification))
    return Launch(argv, stage=stage, after=lambda: _remove(name))


def options(stage: Stage, name: str) -> dict[str, Any]:
    """The keywords of the SDK's `containers.create`: everything that the wall is made of."""
    return {
        "name": name,
        "labels": {engine.OWNER: engine.owner()},
        "user": _NOBODY,
        "network_mode": "none",
        "read_only": True,
        "tmpfs": {"/tmp": f"rw,noexec,nosuid,nodev,size={BOUNDS.temporary}"},
        "volumes": {str(stage.folder): {"bind": str(stage.folder), "mode": "ro"}},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": BOUNDS.memory,
        "memswap_limit": BOUNDS.memory,
        "pids_limit": BOUNDS.processes,
        "ulimits": _ulimits(),
        "log_config": {"type": "none"},
        "healthcheck": {"test": ["NONE"]},
        "stdin_open": False,
        "detach": True,
        "init": True,
    }


def _ulimits() -> list[Any]:
    from docker.types import Ulimit

    found = {"fsize": BOUNDS.file_size, "core": 0, "cpu": BOUNDS.processor_seconds}
    return [Ulimit(name=name, soft=value, hard=value) for name, value in found.items()]


def _remove(name: str) -> None:
    """Remove a container whose relay was killed."""
    with suppress(Exception):
        engine.connect().containers.get(name).remove(force=True)
