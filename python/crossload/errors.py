"""The errors of crossload, each one sentence: the file, the cause, the next step.

CrossloadError            input that cannot be used (exit status 2)
├── ArtifactError         a path that is no artifact, or an artifact that cannot be read
├── ManifestError         a bundle whose manifest, files or hashes cannot be relied on
├── EnvironmentProblem    a runtime whose environment cannot be made
├── ModelError            a model that TensorFlow's process cannot load, export or convert
├── NoReference           no runtime that could be the reference answers
├── RunFailed             a runtime that did not answer (exit status 1)
├── ConversionRefused     a conversion whose result answers differently (exit status 1)
└── ExportRefused         a bundle whose artifacts answer differently (exit status 1)
WorkerFailure             a request to a worker that got no usable answer
FrameError                bytes that are no frame of the contract (a ValueError)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossload.support.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from crossload.contract.outcomes import Outcome, Phase
    from crossload.runtimes.registry import Runtime


class CrossloadError(Exception):
    """A command that cannot be carried out as given; the CLI prints the sentence and exits with `exit_status`.

    Whatever a message quotes (a path, a name in a model, a worker's words) is escaped here: it stays one line and cannot steer a terminal.
    """

    exit_status = 2

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class ArtifactError(CrossloadError):
    """A path that is no artifact, or an artifact that cannot be read."""


class ManifestError(CrossloadError):
    """A bundle whose manifest, files or hashes cannot be relied on."""


class EnvironmentProblem(CrossloadError):
    """A runtime's environment that cannot be made; the sentence ends with what mends it."""


class ModelError(CrossloadError):
    """A model that TensorFlow's process cannot load, export or convert, and what its author can do."""


class NoReference(CrossloadError):
    """No runtime that could be the reference loads and answers; `failures` says what each did instead."""

    def __init__(self, artifact: Path, failures: list[tuple[Runtime, WorkerFailure]]) -> None:
        said = "; ".join(f"{runtime.title}: {failure.outcome}: {failure}" for runtime, failure in failures)
        self.advice = ""
        if any(failure.outcome == "run_error" for _, failure in failures):
            self.advice = "; give inputs that the model takes with --inputs FILE.npz, or shapes with --shape NAME=1,224,224,3"
        super().__init__(f"{artifact} has no reference answers ({said}){self.advice}")
        self.failures = failures


class RunFailed(CrossloadError):
    """What a runtime did with a model other than answer."""

    exit_status = 1

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


class ConversionRefused(CrossloadError):
    """A conversion that was not handed over because its result does not answer as its source does."""

    exit_status = 1


class ExportRefused(CrossloadError):
    """A bundle that was not written because an artifact does not answer as the reference does."""

    exit_status = 1


@dataclass
class WorkerFailure(Exception):
    """A request that got no usable answer.

    The process is gone when this is raised for `crash`, `timeout` and `protocol_error`, and alive for the others (the worker answered
    with an error). `message` is one line: what a worker says is escaped as everything foreign is; `stderr` is as it was written.
    """

    outcome: Outcome
    phase: Phase
    message: str
    stderr: str = ""

    def __post_init__(self) -> None:
        self.message = printable(self.message)

    def __str__(self) -> str:
        return self.message


class FrameError(ValueError):
    """Bytes that are no frame of the contract (bindings/contract/README.md)."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))
