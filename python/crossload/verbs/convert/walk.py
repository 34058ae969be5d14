"""The walk over the planner's edges: from an artifact to the last format, steps that need TensorFlow gathered in one process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossload import artifacts
from crossload.artifacts.entries import bindings_in
from crossload.artifacts.recognition import index_of, v1_files
from crossload.contract.manifest import Artifact
from crossload.edits import checkpoint_folders, meta_graphs
from crossload.errors import CrossloadError
from crossload.runtimes import tf_process
from crossload.runtimes.tf_process import Step
from crossload.verbs.convert.edges import Edge

FOLDERS = ("saved_model", "checkpoint", "tensorboard")
_FILES = ("custom_objects", "weights", "representative")


@dataclass(frozen=True)
class Wanted:
    """What of the source is converted, and how; None means what the source itself says.

    `inputs` and `outputs` are `name=operation:index` or `operation:index`, for graphs without a signature of their own.
    `options` go to the edges: `optimize`, `quantize`, `representative`, `allow_flex`, `keep_variables`, `custom_objects`,
    `allow_code`, `weights`, `by_name`, `to_tags`, and the Saver's.
    """

    tags: tuple[str, ...] | None = None
    signatures: tuple[str, ...] | None = None
    inputs: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def for_edges(self) -> dict[str, Any]:
        """The options as the edges get them: files by their absolute paths, for the edges run elsewhere. Raises CrossloadError."""
        files_named = {k: str(Path(self.options[k]).resolve()) for k in _FILES if self.options.get(k)}
        for name, file in files_named.items():
            if not Path(file).exists() and not index_of(Path(file)).is_file() and not v1_files(Path(file)):
                raise CrossloadError(f"{file} (--{name.replace('_', '-')}) is not there")
        # What is made here is moved once more: where it will be, only the core knows.
        return (
            {k: v for k, v in self.options.items() if k not in ("to_tags", "absolute_paths")}
            | files_named
            | {"name_outputs": bool(self.outputs)}
        )


def walk(
    entry: Artifact,
    path: Sequence[Edge],
    room: Path,
    destination: Path,
    wanted: Wanted,
    runtime: str,
    progress: Callable[[str], None],
) -> tuple[Path, dict[str, Any] | None]:
    """Go over the edges inside `room`; the last artifact, called as `destination` is, and its bindings as the last edge gives them."""
    bindings: dict[str, Any] | None = {name: b.model_dump() for name, b in entry.bindings.items()}
    options = wanted.for_edges()
    here, tags, steps = Path(entry.path), entry.tags, list[Step]()

    def in_tensorflow() -> dict[str, Any] | None:
        """Do the steps that have gathered, in one process."""
        python = tf_process.python_with_tensorflow(runtime=runtime, progress=progress)
        made = tf_process.run(steps, python, f"{entry.path} cannot be converted", progress)
        steps.clear()
        return made.bindings[-1]

    for at, edge in enumerate(path):
        target = room / str(at) / (destination.name if at == len(path) - 1 else edge.target)
        target.parent.mkdir(parents=True)
        if edge.target == "checkpoint" and destination.is_dir():
            shutil.copytree(destination, target, copy_function=os.link)
            checkpoint_folders.respell(target)
        elif edge.target in FOLDERS:
            target.mkdir()
        if callable(edge.by):
            bindings = in_tensorflow() if steps else bindings
            progress(f"making the {edge.target}")
            bindings = edge.by(here, target, bindings or {}, {**options, "tags": tags})
        else:
            given = None if steps else bindings
            steps.append(Step(edge.by, here, target, f"making the {edge.target}", given, {**options, "tags": tags}))
        here, tags = target, ["serve"]
    bindings = in_tensorflow() if steps else bindings
    if path[-1].target == "saved_model" and wanted.options.get("to_tags"):
        retagged = room / "tagged" / destination.name
        bindings = meta_graphs.of_saved_model(here, retagged, bindings or {}, {"tags": tags, "to_tags": wanted.options["to_tags"]})
        here = retagged
    return here, bindings


def made(target: str, result: Path, bound: Mapping[str, Any] | None, *, without_graph: bool = False) -> Artifact:
    """What was made, as the manifest will describe it; its hash is that of where it will be."""
    bindings = {} if target == "tensorboard" or without_graph else bindings_in(result, bound)
    tags = list(artifacts.callable_signatures(artifacts.read(result))[0][0] or ()) if target == "saved_model" else None
    return Artifact(id=target, format=target, path=str(result), tags=tags, sha256="", bindings=bindings)
