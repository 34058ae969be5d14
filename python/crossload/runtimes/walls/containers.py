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
    about = {"emulated": f"{processor.model} on {foreign.architecture(client)}"} if processor else {}
    return replace(launch(name, command, processor), release=runtime.version, mend=images.mend(runtime), about=about)


def launch(image: str, command: list[str], processor: foreign.Processor | None = None) -> Launch:
    """How a worker in any image starts; `command` is the worker's, which /bin/sh of the image starts, on an emulated `processor`."""
    stage = Stage()
    name = f"crossload-{stage.folder.name.rpartition('-')[2]}".lower()
    specification: dict[str, Any] = {"image": image, "command": command, "options": options(stage, name)}
    if processor:
        specification["options"]["environment"] = {"QEMU_CPU": processor.model}
        specification["cpuinfo"] = processor.cpuinfo
    argv = (sys.executable, "-m", "crossload.runtimes.walls.relay", json.dumps(specification))
    return Launch(argv, stage=stage, ends=lambda: _remove(name))


def options(stage: Stage, name: str) -> dict[str, Any]:
    """The keywords of the SDK's `containers.create`: everything that the wall is made of."""
    return {
        "name": name,
        "labels": {engine.OWNER: engine.owner()},
        "user": _NOBODY,
        "network_mode": "none",
        "read_only": True,
        "tmpfs": {"/tmp": f"rw,noexec,nosuid,nodev,size={BOUNDS.temporary}"},
        "mounts": [engine.mount(stage.folder, str(stage.folder))],
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


def _remove(name: str) -> str:
    """Remove a container whose relay is being killed; says so if it had as many processes as it may have."""
    said = ""
    with suppress(Exception):
        container = engine.connect().containers.get(name)
        with suppress(Exception):  # an engine that cannot tell still removes
            found = container.stats(stream=False, one_shot=True).get("pids_stats", {}).get("current", 0)
            if found >= BOUNDS.processes:
                said = f"it had {found} processes, the limit is {BOUNDS.processes}"
        container.remove(force=True)
    return said
