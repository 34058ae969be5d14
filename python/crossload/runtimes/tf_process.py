"""The core's side of the TensorFlow process: find a Python with TensorFlow, run steps there, report what went wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from crossload.errors import CrossloadError
from crossload.runtimes import environments, registry
from crossload.runtimes.environments import Script
from crossload.runtimes.registry import Runtime

Progress = Callable[[str], None]


# What the process can do; tf_process.steps has a function of each name.
StepName = Literal[
    "export_source",
    "export_keras",
    "save_keras",
    "build_from_meta_graph",
    "build_from_graph_def",
    "freeze_saved_model",
    "freeze_graph_def",
    "convert_saved_model",
    "convert_graph_def",
    "save_checkpoint",
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
    """What the steps made: the bindings of each artifact (None if it states them itself), or why an optional step failed."""

    bindings: list[dict[str, Any] | None]
    errors: list[str | None]
    producer: dict[str, str]


def run(steps: Sequence[Step], python: Path, about: str, progress: Progress = lambda _: None) -> Made:
    """Do the steps in one process of `python`. Raises CrossloadError with `about` and the reason that the process gives."""
    with tempfile.TemporaryDirectory(prefix="crossload-") as scratch:
        room = Path(scratch)
        # The process sees this package alone, not the libraries beside it, which belong to another environment.
        (room / "path").mkdir()
        (room / "path" / "crossload").symlink_to(Path(__file__).parent.parent, target_is_directory=True)
        job, result_file = room / "job.json", room / "result.json"
        job.write_text(json.dumps({"steps": [s.to_json() for s in steps], "result": str(result_file)}), encoding="utf-8")
        status, tail = _watched([str(python), "-m", "crossload.tf_process", str(job)], room, progress)
        result = json.loads(result_file.read_text(encoding="utf-8")) if result_file.exists() else {}
    if status == 0 and "error" not in result:
        made = result["made"]
        return Made([m.get("bindings") for m in made], [m.get("error") for m in made], dict(result["producer"]))
    if "No space left on device" in "\n".join([str(result.get("error")), *tail]):
        raise CrossloadError(f"no space is left on the disk of {steps[-1].target.parent.parent}; free some and try again")
    reason = result.get("error") or f"the TensorFlow process ended with status {status}: " + " | ".join(tail[-3:])
    raise CrossloadError(f"{about}: {reason}")


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


def _watched(command: list[str], room: Path, progress: Progress) -> tuple[int, list[str]]:
    """Run the process to its end, passing on what it prints; its exit status and the last lines of its standard error."""
    environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, "PYTHONPATH": str(room / "path"), "PYTHONUNBUFFERED": "1"}
    with (room / "stderr").open("w+b") as stderr:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=environment, stdin=subprocess.DEVNULL, text=True)
        try:
            assert child.stdout
            with child.stdout:
                for line in child.stdout:
                    progress(line.rstrip("\n"))
            status = child.wait()
        finally:
            child.kill()
            child.wait()
        stderr.seek(0)
        return status, stderr.read().decode("utf-8", "replace").splitlines()[-15:]
