"""Many files in one run: workers live across all of them, one report, resumable.

The files are shared out to lanes; a lane has a worker of each runtime, and one more of each that records reference answers.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol

from crossload import artifacts
from crossload.contract.bundle import is_bundle
from crossload.contract.outcomes import COMPARED
from crossload.errors import CrossloadError, EnvironmentProblem
from crossload.report.results import Case, Report, Result
from crossload.runtimes import environments, registry
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Supervisor
from crossload.verbs.verify.plan import Plan
from crossload.verbs.verify.record import references
from crossload.verbs.verify.run import NONE, Progress
from crossload.verbs.verify.verify import verify_plan

# A worker that holds so much more than after its first file is replaced: a runtime may leak a little with each model.
GROWTH = 2 << 30
OnFile = Callable[[Report], None]
# What a lane says: a file's report, cautions of its end, a fault of the core, and None when it ends.
_Events = queue.SimpleQueue["Report | list[str] | BaseException | None"]


class Lane(Protocol):
    """What verifies one file after the other: workers here (LocalLane), or an actor on a cluster (verbs.verify.cluster)."""

    def __enter__(self) -> Lane: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def verify(self, path: str) -> Report:
        """One file; whatever keeps it from being verified is a result."""

    def cancel(self) -> None:
        """End the file under way, from another thread."""

    def deaths(self) -> list[str]:
        """What befell the workers, once all files are done."""


@dataclass
class LocalLane:
    """Workers that live across files: `alive` by name for comparing, `recorders` by title for recording."""

    plan: Plan
    progress: Progress
    alive: dict[str, Supervisor] = field(default_factory=dict)
    recorders: dict[str, Supervisor] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    _held: dict[int, int] = field(default_factory=dict)

    def __enter__(self) -> LocalLane:
        """Prepare the environments; a worker starts when the first file needs it. A runtime that is not ready says so with each file."""
        for runtime in self.plan.chosen():
            for one in filter(None, (runtime, registry.one(runtime.fallback) if runtime.fallback else None)):
                self._add(self.alive, registry.shortest_name(one), one)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def deaths(self) -> list[str]:
        """How the comparing workers died; ends them."""
        self._stack.close()
        return [f"{name}: {death}; its answers are kept" for name, worker in self.alive.items() for death in worker.deaths]

    def _add(self, pool: dict[str, Supervisor], name: str, runtime: Runtime) -> None:
        if name not in pool:
            with suppress(EnvironmentProblem):
                launch = environments.prepare(runtime.source, self.progress)
                pool[name] = self._stack.enter_context(Supervisor(name if pool is self.alive else runtime.name, launch, self.plan.limits))

    def verify(self, path: str) -> Report:
        """One file; whatever keeps it from being verified is a result."""
        plan = replace(self.plan, path=path)
        try:
            if not is_bundle(Path(path)):
                for one in references(artifacts.recognise(Path(path)), wall=self.plan.wall)[:1]:
                    self._add(self.recorders, one.title, one)
            report = verify_plan(plan, alive=self.alive, recorders=self.recorders)
        except CrossloadError as error:
            columns = [registry.shortest_name(r) for r in plan.chosen()]
            report = Report(path, ["artifact"], columns)
            report.results = [Result(Case("artifact", NONE, NONE, NONE), "not_run", error=str(error), reproduce=plan.to_command())]
        report.cautions += self._recycle()
        if _has_settled(report) and not any(r.outcome == "not_run" for r in report.results):
            report.files = {path: _digest(path)}
        return report

    def cancel(self) -> None:
        for supervisor in (*self.alive.values(), *self.recorders.values()):
            supervisor.cancel()

    def _recycle(self) -> Iterator[str]:
        for supervisor in (*self.alive.values(), *self.recorders.values()):
            held = supervisor.resident()
            first = self._held.setdefault(id(supervisor), held) if held else 0
            if first and held - first > GROWTH:
                supervisor.close()
                del self._held[id(supervisor)]
                yield f"the worker of {supervisor.name} had grown from {first >> 20} to {held >> 20} MiB and was replaced"


def verify_many(
    paths: Sequence[str],
    plan: Plan,
    *,
    jobs: int = 1,
    make_lane: Callable[[Plan], Lane] | None = None,
    earlier: Report | None = None,
    progress: Progress = lambda _: None,
    on_file: OnFile = lambda _: None,
) -> Report:
    """Verify files one after the other, `jobs` at a time, with the plan's options; the report has a row for each artifact of each.

    `make_lane` makes what verifies files one after the other, by default workers on this machine. `earlier` is the report of a run that
    did not reach its end: files that it settled, and that are unchanged, are not verified again. `on_file` gets each file's part of the
    report. After KeyboardInterrupt the report holds the files so far (`interrupted`).
    Raises CrossloadError for unknown runtimes.
    """
    columns = [registry.shortest_name(r) for r in plan.chosen()]
    left = unsettled(paths, earlier)
    whole = _settled(earlier, set(paths) - set(left)) if earlier else Report("")
    whole.bundle, whole.columns = f"{len(paths)} files", columns
    whole.arguments = [*paths, *replace(plan, path="").to_arguments()[1:]]
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for path in left:
        waiting.put(path)
    done: _Events = queue.SimpleQueue()
    lanes = [make_lane(plan) if make_lane else LocalLane(plan, progress) for _ in range(min(jobs, len(left)))]
    threads = [threading.Thread(target=_work, args=(lane, waiting, done), daemon=True) for lane in lanes]
    try:
        for thread in threads:
            thread.start()
        for event in _events(done, len(threads)):
            if isinstance(event, list):
                whole.cautions += event
            else:
                on_file(event)
                _add(whole, event)
    except KeyboardInterrupt:
        whole.interrupted = True
    finally:
        while not waiting.empty():
            waiting.get()
        for lane in lanes:
            lane.cancel()
        for thread in threads:
            if thread.ident:
                thread.join()
    places = {path: at for at, path in enumerate(paths)}
    whole.rows.sort(key=lambda row: places.get(row, places.get(row.rpartition(":")[0], 0)))
    settled = {r.case.runtime for r in whole.results}
    whole.uncompared += [f"nothing was compared in {c}: it takes none of the files" for c in columns if plan.runtimes and c not in settled]
    return whole


def _events(done: _Events, running: int) -> Iterator[Report | list[str]]:
    """What the lanes say until all have ended; raises a fault of the core."""
    while running:
        event = done.get()
        if isinstance(event, BaseException):
            raise event
        if event is None:
            running -= 1
        else:
            yield event


def _work(lane: Lane, waiting: queue.SimpleQueue[str], done: _Events) -> None:
    try:
        with lane:
            while True:
                try:
                    path = waiting.get_nowait()
                except queue.Empty:
                    break
                done.put(lane.verify(path))
            done.put(lane.deaths())
    except BaseException as error:  # noqa: BLE001 - a fault of the core itself must reach the user, not end a thread silently
        done.put(error)
    done.put(None)


def _add(whole: Report, part: Report) -> None:
    """Put a file's report into the whole one; its artifacts are named by the file."""
    path = part.bundle
    names = {row: path if len(part.rows) < 2 else f"{path}:{row}" for row in part.rows}
    whole.rows += names.values()
    whole.columns += [c for c in part.columns if c not in whole.columns]
    for result in part.results:
        result.case = replace(result.case, artifact=names.get(result.case.artifact, path))
    whole.results += part.results
    whole.runtimes += [r for r in part.runtimes if r not in whole.runtimes]
    whole.cautions += [f"{path}: {caution}" for caution in part.cautions]
    whole.files |= part.files
    if not _has_settled(part):
        why = "every case is unsupported" if part.results else "no runtime takes it"
        whole.uncompared.append(f"nothing was compared of {path}: {why}")


def _has_settled(part: Report) -> bool:
    return any(r.failed or r.outcome in COMPARED for r in part.results)


def unsettled(paths: Sequence[str], earlier: Report | None) -> list[str]:
    """The files that an earlier report does not settle, or that have changed since."""
    known = earlier.files if earlier else {}
    return [path for path in paths if path not in known or known[path] != _digest(path)]


def _settled(earlier: Report, paths: set[str]) -> Report:
    """The part of an earlier report about these files."""

    def is_kept(row: str) -> bool:
        return row in paths or row.rpartition(":")[0] in paths

    return Report(
        "",
        [row for row in earlier.rows if is_kept(row)],
        runtimes=earlier.runtimes,
        results=[r for r in earlier.results if is_kept(r.case.artifact)],
        cautions=[c for c in earlier.cautions if is_kept(c.partition(": ")[0])],
        files={path: digest for path, digest in earlier.files.items() if path in paths},
    )


def _digest(path: str) -> str:
    try:
        return artifacts.sha256(Path(path))
    except OSError:
        return ""


def read_journal(file: Path) -> Report:
    """What the journal of an interrupted run holds: a line for each file that was finished; a last line cut short is left out."""
    whole = Report("")
    for line in file.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):
            _add(whole, Report.parsed(line))
    return whole
