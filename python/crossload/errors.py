"""The errors of crossload, each one sentence: the file, the cause, the next step.

CrossloadError            input that cannot be used (exit status 2)
├── ArtifactError         a path that is not an artifact, or an unreadable artifact
├── ManifestError         a bundle whose manifest, files or hashes are wrong
├── EnvironmentProblem    a runtime whose environment cannot be set up
├── ModelError            a model that TensorFlow's process cannot load, export or convert
├── NoReference           no runtime can give the reference answers
├── RunFailed             a runtime that did not answer (exit status 1)
├── ConversionRefused     a conversion whose result answers differently (exit status 1)
└── ExportRefused         a bundle whose artifacts answer differently (exit status 1)
WorkerFailure             a request to a worker that got no usable answer
FrameError                bytes that are not a frame of the contract (a ValueError)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossload.support.text import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from crossload.contract.outcomes import Outcome, Phase


class CrossloadError(Exception):
    """A command that cannot run as given; the CLI prints the message and exits with `exit_status`.

    Whatever a message quotes (a path, a name in a model, a worker's text) is escaped here: it stays one line and cannot control a terminal.
    Of one that is longer than MOST_SENTENCE (support.text), the middle is left out. `table` has the figures that led to it, line by line.
    """

    exit_status = 2

    def __init__(self, message: str, table: Sequence[str] = ()) -> None:
        super().__init__(printable(shortened(message)))
        self.table = tuple(printable(line) for line in table)


class ArtifactError(CrossloadError):
    """A path that is not an artifact, or an artifact that crossload cannot read."""


class ManifestError(CrossloadError):
    """A bundle whose manifest, files or hashes are wrong."""


class EnvironmentProblem(CrossloadError):
    """A runtime environment that cannot be set up; the message ends with the fix."""


class ModelError(CrossloadError):
    """A model that TensorFlow's process cannot load, export or convert, and what its author can do."""


class NoReference(CrossloadError):
    """No runtime that could be the reference loads the artifact and answers; `failures` lists what each (by its title) did instead."""

    def __init__(self, artifact: Path, failures: list[tuple[str, WorkerFailure]]) -> None:
        said = "; ".join(f"{runtime}: {failure.outcome}: {failure}" for runtime, failure in failures)
        self.advice = next((failure.advice for _, failure in failures if failure.advice), "")
        super().__init__(f"{artifact} has no reference answers ({said}){self.advice}")
        self.failures = failures


class RunFailed(CrossloadError):
    """A runtime did not answer for a model; the outcome says what it did instead."""

    exit_status = 1

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


class ConversionRefused(CrossloadError):
    """A conversion that crossload discarded because its result does not answer as its source does."""

    exit_status = 1


class ExportRefused(CrossloadError):
    """A bundle that was not written because an artifact does not answer as the reference does."""

    exit_status = 1


@dataclass
class WorkerFailure(Exception):
    """A request that got no usable answer.

    The process is gone when this is raised for `crash`, `timeout` and `protocol_error`, and alive for the others (the worker answered
    with an error). `message` is one line, with a worker's text escaped and shortened like all foreign text; `stderr` is its unchanged tail;
    `advice`, the end of a sentence, is what to do about it.
    """

    outcome: Outcome
    phase: Phase
    message: str
    stderr: str = ""
    advice: str = ""

    def __post_init__(self) -> None:
        self.message = printable(shortened(self.message))

    def __str__(self) -> str:
        return self.message


class FrameError(ValueError):
    """Bytes that are not a frame of the contract (bindings/contract/README.md)."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(shortened(message)))
