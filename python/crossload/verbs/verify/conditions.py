"""What may change an answer's last bits: threads, which are pinned where the runtime takes that, oneDNN, the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from crossload.contract.manifest import Reference
from crossload.runtimes.supervisor import ModelSource, Supervisor

# Two, on every machine: a sum over more is rarely cut otherwise, and one core runs two threads as well.
THREADS = 2
_TOLD = {"threads": "threads", "onednn": "oneDNN", "cpu": "CPU features", "arch": "architecture"}


def pins_threads(supervisor: Supervisor) -> bool:
    """Whether this runtime takes the number of threads when it loads a model. Raises WorkerFailure if it does not start."""
    return "threads" in supervisor.identity().parameters.get("options", ())


def pinned(supervisor: Supervisor, source: ModelSource, threads: int = THREADS) -> ModelSource:
    """The model as it is recorded and verified: computed by so many threads if the runtime takes that."""
    return replace(source, options={**source.options, "threads": threads}) if pins_threads(supervisor) else source


def by_reference_kernels(supervisor: Supervisor, source: ModelSource) -> ModelSource:
    """A .tflite as its answers are recorded: by the interpreter's reference kernels, if the runtime has them. Raises WorkerFailure."""
    has = "kernels" in supervisor.identity().parameters.get("options", ())
    return replace(source, options={**source.options, "kernels": "reference"}) if has else source


def identity(supervisor: Supervisor) -> dict[str, Any]:
    """The runtime's identity (`Identity.to_json`) with the threads that compute `pinned` models."""
    return supervisor.identity().to_json() | ({"threads": THREADS} if pins_threads(supervisor) else {})


def reference(supervisor: Supervisor, artifact: str, source: ModelSource) -> Reference:
    """This runtime as the reference of an artifact, loaded as `source`."""
    about = identity(supervisor) | ({"kernels": source.options["kernels"]} if "kernels" in source.options else {})
    scalars = {k: v for k, v in about.items() if isinstance(v, str | int | float | bool) and k not in ("runtime", "version")}
    return Reference(runtime=about["runtime"], version=about["version"], artifact=artifact, environment=scalars)


def differences(references: Sequence[Reference], runtimes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A sentence for each reference that ran in another environment than the same runtime now (`identity`) does."""
    for reference in {r.runtime: r for r in references}.values():
        for now in (r for r in runtimes if r["runtime"] == reference.runtime):
            there = {key: value for key, value in reference.environment.items() if key in _TOLD and key in now and now[key] != value}
            if there:
                said = "; ".join(f"{_TOLD[key]}: {_people(now[key])}, recorded with {_people(value)}" for key, value in there.items())
                yield f"{reference.runtime} runs in another environment than the reference did, which may change last bits: {said}"


def emulations(runtimes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A sentence for the runtimes (`identity`) of each emulated processor."""
    found: dict[str, list[str]] = {}
    for now in runtimes:
        if now.get("emulated"):
            found.setdefault(str(now["emulated"]), []).append(now["runtime"])
    for processor, names in found.items():
        yield f"{', '.join(sorted(names))}: the processor is emulated by qemu ({processor}); its answers count, its times do not"


def _people(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
