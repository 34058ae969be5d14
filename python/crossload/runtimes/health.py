"""The state of a runtime: ready, or what is missing and how to fix it; certified, if its worker passed the self-test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from crossload.contract.datatypes import for_people
from crossload.errors import CrossloadError, WorkerFailure
from crossload.runtimes import environments
from crossload.runtimes.registry import Runtime
from crossload.runtimes.selftest import certify
from crossload.runtimes.supervisor import Limits


@dataclass(frozen=True)
class Status:
    """A runtime and its state; `mend` is a command or an action that fixes it, `identity` the worker's own, `failed` whether it failed."""

    runtime: Runtime
    state: str
    mend: str | None = None
    identity: str | None = None
    failed: bool = False

    @property
    def ready(self) -> bool:
        """Whether the runtime can be used now."""
        return self.mend is None and not self.failed

    def to_json(self) -> dict[str, Any]:
        """An element of `crossload runtimes --json`."""
        about = self.runtime
        row = {
            "runtime": about.name,
            "version": about.version,
            "formats": list(about.formats),
            "default": about.default,
            "state": self.state,
        }
        return {**row, **{k: v for k, v in (("mend", self.mend), ("identity", self.identity)) if v}}


def status(
    runtime: Runtime,
    *,
    prepare: bool = False,
    check: bool = False,
    limits: Limits | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Status:
    """The runtime's state; `prepare` makes its environment first, `check` starts and certifies its worker."""
    try:
        if prepare or check:
            environments.prepare(runtime.source, progress)
        problem = environments.missing(runtime.source)
        found = Status(runtime, "ready") if problem is None else Status(runtime, *problem)
        if not check:
            return found
        identity, not_carried = certify(runtime, limits or Limits())
        lacks = f" (not carried: {', '.join(map(for_people, not_carried))})" if not_carried else ""
        return replace(found, state=f"certified: tensors come back as they were sent{lacks}", identity=identity)
    except (CrossloadError, WorkerFailure) as error:
        return Status(runtime, str(error), failed=True)
