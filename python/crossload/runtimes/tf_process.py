"""The core's side of the TensorFlow process: find a Python with TensorFlow, run steps there, report what went wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from crossload.errors import CrossloadError
from crossload.runtimes import environments, registry
from crossload.runtimes.descendants import Descendants
from crossload.runtimes.environments import Script
from crossload.runtimes.process import describe_exit
from crossload.runtimes.registry import Runtime
from crossload.support import temporary

Progress = Callable[[str], None]
# A process that holds so many bytes more than after its first job is replaced: TensorFlow keeps something of each model.
GROWTH = 2 << 30

# TensorFlow 2.21's calibrator dies of Keras 3's SimpleRNN, GRU and LSTM, not of every loop.
_UNMEASURED = (
    "measuring ranges killed it, as the loop of a recurrent layer does: build the layer with unroll=True, or take float16 or dynamic, "
    "which measure nothing"
)


# What the process can do; tf_process.steps has a function of each name.
StepName = Literal[
    "export_source",
    "export_keras",
    "save_keras",
    "build_from_meta_graph",
    "build_from_graph_def",
    "freeze_saved_model",
    "freeze_meta_graph",
    "freeze_graph_def",
    "convert_saved_model",
    "convert_graph_def",
    "save_checkpoint",
    "sign_functions",
]


@dataclass(frozen=True)
class Step:
    """One artifact made from another: the step `name` is called with source, target, bindings and options.

    Without bindings, the step takes those of the step that made its source. An `optional` step may fail without ending the others.
    """

    name: StepName
    source: Path
    target: Path
    says: str
    bindings: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    optional: bool = False

    def to_json(self) -> dict[str, Any]:
        """The job's form."""
        return {
            "name": self.name,
            "source": str(self.source),
            "target": str(self.target),
            "says": self.says,
            "bindings": self.bindings,
            "options": dict(self.options),
            "optional": self.optional,
        }


@dataclass(frozen=True)
class Made:
    """What the steps made: the bindings of each artifact (None if it states them itself), or why an optional step failed.

    `is_fresh`: the model's own code left TensorFlow as it is after its import.
    """

    bindings: list[dict[str, Any] | None]
    errors: list[str | None]
    producer: dict[str, str]
    is_fresh: bool = True


class _Process:
    """A running TensorFlow process: it takes one job after the other, until `close`."""

    def __init__(self, python: Path) -> None:
        self._open = ExitStack()
        self._room = self._open.enter_context(temporary.scratch())
        # The process sees this package alone, not the libraries beside it, which belong to another environment.
        (self._room / "path").mkdir()
        (self._room / "path" / "crossload").symlink_to(Path(__file__).parent.parent, target_is_directory=True)
        (self._room / "temporary").mkdir()
        self._stderr = (self._room / "stderr").open("w+b")
        environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, "PYTHONPATH": str(self._room / "path"), "PYTHONUNBUFFERED": "1"}
        environment["TMPDIR"] = str(self._room / "temporary")  # so that nothing is left of a process that was killed
        command = [str(python), "-m", "crossload.tf_process"]
        self._descendants = Descendants()
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**environment, **self._descendants.environment},
            text=True,
            errors="replace",
        )
        self._first = 0
        self._jobs = 0
        self.is_fresh = True

    def do(self, steps: Sequence[Step], progress: Progress) -> tuple[dict[str, Any], list[str]]:
        """Do a job, passing on what the process prints; its result ({} if the process ended) and the last lines of standard error."""
        self._jobs += 1
        job, result_file = self._room / f"job-{self._jobs}.json", self._room / f"result-{self._jobs}.json"
        done = f"\0{job} is done"  # the line that ends the job's output
        text = json.dumps({"steps": [s.to_json() for s in steps], "result": str(result_file), "done": done})
        job.write_text(text, encoding="utf-8")
        begins = self._stderr.seek(0, os.SEEK_END)
        assert self._child.stdin and self._child.stdout
        with suppress(BrokenPipeError):
            self._child.stdin.write(f"{job}\n")
            self._child.stdin.flush()
        for line in self._child.stdout:
            printed, ended, _ = line.rstrip("\n").partition(done)
            if printed or not ended:
                progress(printed)
            if ended:
                break
        else:
            self._child.wait()
        self._stderr.seek(begins)
        tail = self._stderr.read().decode("utf-8", "replace").splitlines()[-15:]
        result = json.loads(result_file.read_text(encoding="utf-8")) if result_file.exists() else {}
        self.is_fresh = result.get("is_fresh", self.is_fresh)
        return result, tail

    @property
    def status(self) -> int | None:
        """The exit status of a process that has ended."""
        return self._child.poll()

    def has_grown(self) -> bool:
        """Whether it holds so much more memory than after its first job that another should go on."""
        import psutil

        try:
            held = psutil.Process(self._child.pid).memory_info().rss
        except psutil.Error:
            return True
        self._first = self._first or held
        return bool(held - self._first > GROWTH)

    def close(self, *, kill: bool = False) -> None:
        """End the process, after what it is doing, or at once."""
        if kill:
            self._child.kill()
        assert self._child.stdin and self._child.stdout
        with suppress(BrokenPipeError):
            self._child.stdin.close()
        self._child.stdout.close()
        self._child.wait()
        self._descendants.kill()
        self._stderr.close()
        self._open.close()


_kept: ContextVar[dict[Path, _Process] | None] = ContextVar("_kept", default=None)


@contextmanager
def kept() -> Iterator[None]:
    """Inside the block, all jobs of a Python go to one process, which ends with the block.

    One that ended, has grown, or in which a model's own code changed how TensorFlow works (no eager execution, say) is replaced.
    """
    living: dict[Path, _Process] = {}
    token = _kept.set(living)
    try:
        yield
    finally:
        _kept.reset(token)
        for process in living.values():
            process.close(kill=True)


@contextmanager
def _process(python: Path) -> Iterator[_Process]:
    living = _kept.get()
    process = living.pop(python, None) if living is not None else None
    if process and process.status is not None:
        process.close()
        process = None
    process = process or _Process(python)
    try:
        yield process
    except BaseException:
        process.close(kill=True)
        raise
    if living is None or process.status is not None or not process.is_fresh or process.has_grown():
        process.close()
    else:
        living[python] = process


def run(steps: Sequence[Step], python: Path, about: str, progress: Progress = lambda _: None) -> Made:
    """Do the steps in one process of `python`. Raises CrossloadError with `about` and the reason that the process gives.

    If an optional step kills the process, that is its error, and the steps after it, which must have bindings of their own, run in
    another one.
    """
    with _process(python) as process:
        result, tail = process.do(steps, progress)
        status = process.status
    made = result.get("made", [])
    bindings, errors = [m.get("bindings") for m in made], [m.get("error") for m in made]
    if "is_fresh" in result:
        return Made(bindings, errors, dict(result["producer"]), result["is_fresh"])
    if "No space left on device" in "\n".join([str(result.get("error")), *tail]):
        raise CrossloadError(f"no space is left on the disk of {steps[-1].target.parent.parent}; free some and try again")
    if "error" in result:
        raise CrossloadError(f"{about}: {result['error']}")
    died, *rest = steps[len(made) :]
    reason = f"the TensorFlow process died, {died.says} ({describe_exit(status or 0)})"
    if (status or 0) >= 0 and tail:
        reason += ": " + " | ".join(tail[-3:])
    if died.options.get("quantize") in ("int8", "16x8"):
        reason += f"; {_UNMEASURED}"
    if not died.optional:
        raise CrossloadError(f"{about}: {reason}")
    after = run(rest, python, about, progress) if rest else Made([], [], {})
    return Made([*bindings, None, *after.bindings], [*errors, reason, *after.errors], after.producer, after.is_fresh)


def python_with_tensorflow(script: Path | None = None, runtime: str = "tensorflow", progress: Progress = lambda _: None) -> Path:
    """The script's own environment (its PEP 723 header), else this one if it has TensorFlow, else the named runtime's."""
    if script and environments.header_of(script):
        return Path(environments.prepare(Script(script.resolve()), progress).argv[0])
    if runtime == "tensorflow" and importlib.util.find_spec("tensorflow"):
        return Path(sys.executable)
    return Path(environments.prepare(loader(runtime).source, progress).argv[0])


def loader(name: str) -> Runtime:
    """The runtime of this name, whose Python has TensorFlow; raises CrossloadError for another runtime."""
    found = registry.one(name)
    found = registry.one(found.fallback) if found.fallback else found
    if not isinstance(found.source, Script) or found.source.embeds or "saved_model" not in found.formats:
        raise CrossloadError(
            f"{found.title} has no Python TensorFlow that could load a source; --load-with takes tensorflow, or tensorflow@2.15.1"
        )
    return found
