"""The supervisor: keeps one runtime's worker alive across artifacts, so that one crash costs one case."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from crossload.contract import vectors
from crossload.contract.frames import Buffer, Frame
from crossload.contract.manifest import Binding, Bridge
from crossload.contract.outcomes import Phase
from crossload.contract.signatures import Signature
from crossload.errors import FrameError, WorkerFailure
from crossload.runtimes import crossing
from crossload.runtimes.process import Launch, Worker
from crossload.support.text import printable

if TYPE_CHECKING:
    import numpy as np

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Limits:
    """Seconds a worker may take to start (first answer), to load and to run; bytes it may hold (None: no limit)."""

    start: float = 120.0
    load: float = 120.0
    run: float = 60.0
    memory: int | None = None


@dataclass(frozen=True)
class Identity:
    """The worker's identity in its own words (`ServerMetadata`)."""

    runtime: str
    version: str
    formats: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The report's form."""
        return {**self.parameters, "runtime": self.runtime, "version": self.version, "formats": list(self.formats)}


@dataclass(frozen=True)
class ModelSource:
    """What a worker is to load; `options` are the user's, for formats that need them (`custom_objects`, `allow_code`).

    `bindings` are by signature. For a signature in `signatures` (from the manifest), the supervisor feeds defaults and can take the bridge.
    `keep_state`: a request's answer may depend on the requests since the load, so a worker does not reset the model before each.
    """

    path: Path
    format: str
    bindings: dict[str, Binding]
    tags: tuple[str, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    signatures: Mapping[str, Signature] = field(default_factory=dict, hash=False)
    keep_state: bool = False

    def parameters(self, bridges: Mapping[str, Bridge]) -> dict[str, Any]:
        """The parameters of `RepositoryModelLoad`, with `bridges` in place of the signatures of the same names."""
        tags = {} if self.tags is None else {"tags": list(self.tags)}
        options = {"options": dict(self.options)} if self.options else {}
        bound = {name: bridges.get(name, binding) for name, binding in self.bindings.items()}
        signatures = {name: {"key": binding.key, "inputs": binding.inputs, "outputs": binding.outputs} for name, binding in bound.items()}
        state = {"keep_state": True} if self.keep_state else {}
        return {"path": str(self.path.resolve()), "format": self.format, "signatures": signatures, **tags, **options, **state}


@dataclass
class Answer:
    """A worker's outputs, the nanoseconds of the runtime's own call (None if unknown), its note, and each operator's time if asked."""

    outputs: dict[str, np.ndarray]
    nanoseconds: int | None = None
    note: str | None = None
    operators: Sequence[Mapping[str, Any]] = ()


class Supervisor:
    """One runtime. Not for several threads at once, except `cancel`."""

    def __init__(self, name: str, launch: Launch, limits: Limits | None = None) -> None:
        """Nothing is started before the first request."""
        self.name = name
        self.deaths: list[str] = []
        self._launch, self._limits = launch, limits or Limits()
        self._worker: Worker | None = None
        self._identity: Identity | None = None
        self._wanted: ModelSource | None = None
        self._loaded: ModelSource | None = None
        self._bridges: dict[str, Bridge] = {}
        self._served: set[Path] = set()
        self._cancelled = False

    def begin(self) -> None:
        """Start the process without waiting for it; the first request waits, and reports a start that failed."""
        with suppress(WorkerFailure):
            self._start()

    def identity(self) -> Identity:
        """Start the worker if necessary and ask for its identity; raises WorkerFailure of phase `start`."""
        self._started()
        assert self._identity
        return self._identity

    def load(self, source: ModelSource) -> str | None:
        """Load a model; returns the worker's note about it. Raises WorkerFailure of phase `start` or `load`."""
        self._wanted, self._loaded = source, None
        try:
            return self._in_fresh_worker_after_crash(self._load)[0]
        except WorkerFailure as failure:
            if (size := source.options.get("arena_bytes")) and failure.outcome in ("crash", "load_error"):
                failure.message += f"; an arena of {size:,} bytes may be too small: `crossload profile` finds the smallest for {self.name}"
            raise

    def infer(self, signature: str, inputs: vectors.Tensors, outputs: list[str]) -> Answer:
        """Run the model loaded last; a fresh worker loads it again if the last one died. Raises WorkerFailure."""
        assert self._wanted, "load first"
        described, bridge = self._wanted.signatures.get(signature), self._bridges.get(signature)
        header = {
            "rpc": "ModelInfer",
            "model_name": "m",
            "parameters": {"signature_name": signature},
            "outputs": [{"name": name} for name in outputs],
        }
        request = vectors.with_tensors(header, inputs=crossing.there(inputs, described, bridge))

        def run() -> Answer:
            if self._loaded is None:
                self._load()
            frame = self._ask(request.header, request.buffers, phase="run", limit=self._limits.run)
            about = frame.header.get("parameters", {})
            answered = crossing.back(self._outputs(frame), described, bridge)
            notes = [n for n in (crossing.note(bridge), about.get("note")) if n]
            return Answer(answered, about.get("nanoseconds"), "; ".join(notes) or None, about.get("operators", ()))

        try:
            answer, retried = self._in_fresh_worker_after_crash(run)
        except WorkerFailure as failure:
            self._explain(failure, signature)
            raise
        answer.note = answer.note or retried
        return answer

    def call(self, header: dict[str, Any], inputs: vectors.Tensors, limit: float) -> dict[str, np.ndarray]:
        """Send any other request of the protocol (`Echo`, `RegisteredOps`); returns its outputs."""
        request = vectors.with_tensors(header, inputs=inputs)
        return self._outputs(self._ask(request.header, request.buffers, phase="run", limit=limit))

    def resident(self) -> int:
        """The bytes that the worker holds; 0 if none runs."""
        return self._worker.resident() if self._worker else 0

    def peak(self) -> int:
        """The most bytes that the worker has held since it started; 0 if none runs, or this kernel does not tell."""
        return self._worker.peak() if self._worker else 0

    def options(self) -> Sequence[str]:
        """The load options that the worker takes beyond those of a format. Raises WorkerFailure of phase `start`."""
        named = self.identity().parameters.get("options", ())
        return tuple(str(name) for name in named) if isinstance(named, list) else ()

    def cancel(self) -> None:
        """Kill the worker from another thread: the request under way ends as `not_run`."""
        self._cancelled = True
        if worker := self._worker:
            worker.kill(cancel=True)

    def close(self) -> str | None:
        """End the worker; returns how it died if it did not exit cleanly (its answers still count, its death is reported)."""
        worker, self._worker, self._loaded = self._worker, None, None
        if worker and self._identity is None:  # it is still starting, and nobody waits for it
            worker.kill()
            return None
        death = worker.close() if worker else None
        if death and not self._cancelled:
            self.deaths.append(death)
            return death
        return None

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _explain(self, failure: WorkerFailure, signature: str) -> None:
        """Put the operator of a .tflite that failed, and what to change, behind the interpreter's own words."""
        if self._wanted and self._wanted.format == "tflite" and failure.outcome in ("run_error", "unsupported"):
            from crossload.artifacts.tflite import shapes

            binding = self._wanted.bindings.get(signature)
            if said := shapes.about(self._wanted.path, binding.key if binding else None, failure.message):
                failure.message = f"{failure.message.rstrip('.')}; {printable(said)}"

    def _load(self) -> str | None:
        assert self._wanted
        self._bridges = crossing.bridges(self._wanted.bindings, self._wanted.signatures, self.identity().parameters.get("datatypes"))
        header = {"rpc": "RepositoryModelLoad", "model_name": "m", "parameters": self._reachable().parameters(self._bridges)}
        frame = self._ask(header, phase="load", limit=self._limits.load)
        self._loaded = self._wanted
        note: str | None = frame.header.get("parameters", {}).get("note")
        return note

    def _reachable(self) -> ModelSource:
        """The model where the worker can read it."""
        assert self._wanted
        if self._launch.stage is None:
            return self._wanted
        stage, options = self._launch.stage, dict(self._wanted.options)
        path = stage.place(self._wanted.path, self._wanted.format)
        if "op_libraries" in options:
            options["op_libraries"] = [str(stage.add(Path(library))) for library in options["op_libraries"]]
        if "custom_objects" in options:
            options["custom_objects"] = str(stage.add(Path(options["custom_objects"])))
        return replace(self._wanted, path=path, options=options)

    def _outputs(self, frame: Frame) -> dict[str, np.ndarray]:
        try:
            return vectors.arrays(frame, "outputs")
        except FrameError as error:
            self._end()
            raise WorkerFailure("protocol_error", "run", f"the worker broke the protocol (run): {error}") from error

    def _in_fresh_worker_after_crash(self, action: Callable[[], _Result]) -> tuple[_Result, str | None]:
        """An earlier model may have damaged the process: after a crash, try once more in a fresh one."""
        assert self._wanted
        others = self._served - {self._wanted.path} if self._worker else set()
        try:
            result: _Result = action()
            retried = None
        except WorkerFailure as failure:
            if failure.outcome != "crash" or failure.phase == "memory" or not others or self._cancelled:
                self._served.add(self._wanted.path)
                raise
            result, retried = action(), f"{failure.message}, in a worker that had served another model before; a fresh worker answered"
            self.deaths.append(retried)
        self._served.add(self._wanted.path)
        return result, retried

    def _ask(self, header: dict[str, Any], buffers: Sequence[Buffer] = (), *, phase: Phase, limit: float) -> Frame:
        worker = self._started()
        try:
            return worker.request(header, buffers, phase=phase, limit=limit)
        except BaseException as error:
            if not isinstance(error, WorkerFailure) or error.outcome in ("crash", "timeout", "protocol_error", "not_run"):
                self._forget()
            raise

    def _started(self) -> Worker:
        if self._cancelled:
            raise WorkerFailure("not_run", "start", "interrupted")
        worker = self._start()
        if self._identity is None:
            try:
                header = worker.request({"rpc": "ServerMetadata"}, phase="start", limit=self._limits.start).header
                found = _identity(self.name, header)
                self._identity = replace(found, parameters={**found.parameters, **self._launch.about})
                if self._launch.release not in ("", self._identity.version):
                    said = f"the worker says that it is {header.get('name')} {self._identity.version}, not {self._launch.release}"
                    raise WorkerFailure("protocol_error", "start", "; ".join(filter(None, (said, self._launch.mend))))
            except WorkerFailure as failure:
                self._end()
                if failure.outcome in ("load_error", "unsupported", "refused"):
                    failure.outcome = "protocol_error"
                raise
            except BaseException:
                self._end()
                raise
        return worker

    def _start(self) -> Worker:
        if self._worker is None:
            self._forget()
            self._worker, self._identity = Worker(self._launch, self._limits.memory), None
            if self._cancelled:  # during the start, before `cancel` could see a process
                self._worker.kill(cancel=True)
        return self._worker

    def _end(self) -> None:
        if self._worker:
            self._worker.kill()
        self._forget()

    def _forget(self) -> None:
        self._served.clear()
        self._worker = self._loaded = None


def _identity(name: str, header: dict[str, Any]) -> Identity:
    """A worker's identity; raises WorkerFailure if parts of the contract are missing or have the wrong type."""
    version, formats, about = header.get("version"), header.get("formats"), header.get("parameters", {})
    wrong = [key for key in ("language", "os", "arch") if not isinstance(about.get(key), str)]
    if not isinstance(formats, list) or not all(isinstance(f, str) for f in formats):
        wrong.insert(0, "formats")
    if not isinstance(version, str):
        wrong.insert(0, "version")
    if wrong:
        raise WorkerFailure("protocol_error", "start", f"the worker's identity (ServerMetadata) lacks {', '.join(wrong)}")
    return Identity(name, str(version), tuple(formats or ()), about)
