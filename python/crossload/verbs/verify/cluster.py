"""Lanes of a run over many files on a Ray cluster: an actor a lane, with workers that live across its files.

Every machine of the cluster needs crossload of this version with Ray, and the files under the same paths. Ray's dashboard and its
reports of usage are left off.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import crossload
from crossload.errors import CrossloadError
from crossload.report.results import Case, Report, Result
from crossload.runtimes import registry
from crossload.verbs.verify.many import LocalLane
from crossload.verbs.verify.plan import Plan
from crossload.verbs.verify.run import NONE

HERE = "ray"
_SECONDS_TO_CONNECT = 5.0
_ATTEMPTS = 3
# How often a lane looks whether the cluster still has a machine while it waits for an answer.
_SECONDS_BETWEEN_LOOKS = 10.0


@contextmanager
def connected(address: str) -> Iterator[tuple[Callable[[Plan], RemoteLane], int]]:
    """A maker of lanes on the cluster at `address`, and how many it has room for: one for each of its CPUs.

    `ray://HOST:PORT` is a cluster's client server; `ray` is the cluster that this machine is part of. Raises CrossloadError if Ray is
    not installed, if no cluster is there, and if its machines have no crossload of this version.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError as error:
        raise CrossloadError(f"--on {address} needs Ray: install it beside crossload with `pip install 'crossload[ray]'`") from error
    _check(address)
    handler = signal.getsignal(signal.SIGTERM)
    try:
        _join(ray, address)
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray takes it over
    try:
        _check_version(ray, address)
        yield lambda plan: RemoteLane(ray, plan), max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        ray.shutdown()


def _join(ray: Any, address: str) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            ray.init("auto" if address == HERE else address, logging_level="ERROR", log_to_driver=False)
            return
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            if "Initialization failure" in str(error) and attempt + 1 < _ATTEMPTS:
                continue  # a cluster that was started a moment ago
            reason = " ".join(line.strip() for line in str(error).splitlines()[:2]) or type(error).__name__
            raise CrossloadError(f"there is no Ray cluster to use at {address}: {reason}; `ray start --head` starts one") from error


def _check(address: str) -> None:
    """Ray would try for half a minute to reach a cluster that is not there."""
    if address == HERE:
        return
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not address.startswith("ray://") or not host or not port:
        raise CrossloadError(f"--on {address!r}: write ray://HOST:PORT, or ray for the cluster that this machine is part of")
    try:
        socket.create_connection((host, port), timeout=_SECONDS_TO_CONNECT).close()
    except OSError as error:
        raise CrossloadError(
            f"there is no Ray cluster at {address}: {error.strerror or error}; `ray start --head` starts one, which listens on port 10001"
        ) from error


def _check_version(ray: Any, address: str) -> None:
    try:
        there = ray.get(ray.remote(num_cpus=0)(_version).remote())
    except Exception as error:
        raise CrossloadError(
            f"the machines of {address} cannot import crossload ({_last_line(error)}); "
            f"install crossload {crossload.__version__} with Ray on each"
        ) from error
    if there != crossload.__version__:
        raise CrossloadError(
            f"the machines of {address} have crossload {there}, this one has {crossload.__version__}; install the same on each"
        )


def _version() -> str:
    return crossload.__version__


class Actor:
    """A lane on a machine of the cluster; reports cross as JSON."""

    def __init__(self, plan: Plan, folder: str) -> None:
        if plan.configuration:
            os.environ["CROSSLOAD_CONFIG"] = plan.configuration
        with suppress(OSError):  # a file that is not here says so in its own row
            os.chdir(folder)
        self._lane = LocalLane(plan, lambda _: None).__enter__()

    def verify(self, path: str) -> str:
        """The report of a file."""
        return self._lane.verify(path).to_json(indent=None)

    def deaths(self) -> list[str]:
        """What befell the lane's workers; ends them."""
        found = self._lane.deaths()
        self._lane.__exit__(None, None, None)
        return found


class RemoteLane:
    """A lane whose actor may be lost with its machine: its file is then verified once more, by an actor elsewhere."""

    def __init__(self, ray: Any, plan: Plan) -> None:
        self._ray, self._plan, self._cancelled = ray, plan, False
        self._actor: Any = None

    def __enter__(self) -> RemoteLane:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._actor is not None:
            with suppress(Exception):  # it may be gone already
                self._ray.kill(self._actor)

    def verify(self, path: str) -> Report:
        """One file; losing the machine twice is a `crash`."""
        lost: list[str] = []
        while len(lost) < 2 and not self._cancelled:
            if self._actor is None:
                self._actor = self._ray.remote(num_cpus=1)(Actor).remote(self._plan, str(Path.cwd()))
            try:
                report = Report.parsed(self._answer(self._actor.verify.remote(path)))
            except self._ray.exceptions.RayActorError as error:
                self._actor = None
                lost.append(_last_line(error))
                continue
            report.cautions += [f"it was verified again elsewhere, for its process on the cluster was lost ({reason})" for reason in lost]
            return report
        columns = [registry.shortest_name(r) for r in self._plan.chosen()]
        outcome, error_text = (
            ("not_run", "interrupted") if self._cancelled else ("crash", f"its process on the cluster was lost twice: {lost[-1]}")
        )
        case = Case("artifact", NONE, NONE, NONE)
        return Report(path, ["artifact"], columns, results=[Result(case, outcome, error=error_text)])  # type: ignore[arg-type]

    def deaths(self) -> list[str]:
        """What befell the lane's workers."""
        if self._actor is None:
            return []
        try:
            return list(self._ray.get(self._actor.deaths.remote()))
        except self._ray.exceptions.RayActorError:
            return []

    def cancel(self) -> None:
        """End the actor, and with it the file under way."""
        self._cancelled = True
        self.__exit__(None, None, None)

    def _answer(self, promise: Any) -> str:
        while True:
            try:
                return str(self._ray.get(promise, timeout=_SECONDS_BETWEEN_LOOKS))
            except self._ray.exceptions.GetTimeoutError:
                if self._ray.cluster_resources().get("CPU", 0) < 1:
                    raise CrossloadError("the cluster has lost its last machine; --resume goes on once it is back") from None


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
