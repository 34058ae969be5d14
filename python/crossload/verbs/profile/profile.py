"""The verb `profile`: pairs artifacts with runtimes, measures them, and adds what each layer of a .tflite costs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossload.artifacts.content import in_words
from crossload.artifacts.tflite.layers import Layer, layers
from crossload.contract import datatypes
from crossload.errors import CrossloadError
from crossload.inputs.requests import Requests
from crossload.runtimes import registry
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits
from crossload.verbs.profile.costs import Cost
from crossload.verbs.profile.measure import measure
from crossload.verbs.profile.targets import Target, targets


@dataclass
class Profile:
    """The costs of a model's artifacts. `requests` says, by artifact, what was asked; `layers` has those of each .tflite.

    `left_out` are artifacts that no chosen runtime takes. `noise` is how much longer than its median the slowest tenth of a fixed
    computation took, which ran between the turns; `busy` is the load average before the first one.
    """

    path: str
    costs: list[Cost]
    requests: dict[str, str]
    layers: dict[str, list[Layer]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    noise: float = 0.0
    cpus: int = 1
    busy: float = 0.0

    @property
    def exit_status(self) -> int:
        """0 if each runtime that supports an artifact was measured, 1 if one failed, 3 if nothing was measured."""
        outcomes = {c.outcome for c in self.costs}
        return 3 if "ok" not in outcomes else 1 if outcomes - {"ok", "unsupported"} else 0

    def to_json(self) -> dict[str, Any]:
        """The object of `profile --json`; seconds and bytes."""
        return {
            "crossload": 1,
            "path": self.path,
            "requests": self.requests,
            "machine": {"cpus": self.cpus, "load_average": self.busy, "noise": self.noise},
            "costs": [c.to_json() for c in self.costs],
            "left_out": self.left_out,
            "layers": {artifact: [layer.to_json() for layer in found] for artifact, found in self.layers.items()},
        }


def profile(
    path: str | Path,
    runtimes: Sequence[str] | None = None,
    *,
    artifacts: Sequence[str] | None = None,
    signature: str | None = None,
    tags: Sequence[str] | None = None,
    threads: Sequence[int] | None = None,
    seconds: float = 2.0,
    requests: Requests | None = None,
    limits: Limits | None = None,
    load_options: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Profile:
    """Measure what a bundle's artifacts, or a bare one, cost in each runtime that takes them.

    `runtimes` are names or patterns, by default the default runtimes. `artifacts` chooses some of a bundle. Every model gets one request of
    its signature: the bundle's first recorded one, or the last of `requests`. It is called for `seconds`, after a warm-up, in turns with
    the others. `threads` are the numbers of threads to compute with, where a runtime takes one; by default 1 and one for each processor.

    Raises CrossloadError for input that cannot be used, and if no runtime takes any artifact; what a runtime does is an outcome in a cost.
    """
    numbers = list(dict.fromkeys(threads or (1, os.cpu_count() or 1)))
    if min(numbers) < 1 or not 0 < seconds <= 3600:
        raise CrossloadError("threads are 1 or more, and seconds more than 0 and at most 3600")
    options = dict(load_options or {})
    chosen = targets(Path(path), artifacts, signature, tags, requests or Requests(), options)
    pairs = _pairs(Path(path), chosen, registry.find(list(runtimes) if runtimes else None), options)
    by_layer = {t.artifact: layers(t.source.path, t.key) for t in chosen if t.source.format == "tflite"}
    busy = round(os.getloadavg()[0], 2)
    costs, noise = measure(pairs, numbers, seconds, limits or Limits(), progress, by_operator=True)
    asked = {t.artifact: _asked(t) for t in chosen}
    left_out = [t.artifact for t in chosen if t.artifact not in {c.artifact for c in costs}]
    return Profile(str(path), costs, asked, by_layer, left_out, noise.share(), os.cpu_count() or 1, busy)


def _pairs(path: Path, chosen: Sequence[Target], runtimes: Sequence[Runtime], options: Mapping[str, Any]) -> list[tuple[Target, Runtime]]:
    """Every target in each runtime that takes it; raises CrossloadError where there is none."""
    found: dict[tuple[str, str], tuple[Target, Runtime]] = {}
    for target in chosen:
        for runtime in runtimes:
            if able := registry.able(runtime, target.source.format, options):
                found.setdefault((target.artifact, able.title), (target, able))
    if not found:
        kinds = ", ".join(dict.fromkeys(in_words(t.source.format) for t in chosen))
        raise CrossloadError(
            f"{', '.join(r.name for r in runtimes)}: none takes {path} ({kinds}); `crossload runtimes` lists what each one takes"
        )
    return list(found.values())


def _asked(target: Target) -> str:
    """The request in words."""
    said = ", ".join(f"{n} {datatypes.for_people(datatypes.of_array(a))} {list(a.shape)}" for n, a in target.inputs.items())
    return f"{target.signature}, {target.vector}: {said or 'no inputs'}"
