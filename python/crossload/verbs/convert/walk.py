"""The walk over the planner's edges, from an artifact to the last format; steps that need TensorFlow share one process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from crossload import artifacts
from crossload.artifacts.entries import bindings_in
from crossload.artifacts.recognition import index_of, v1_files
from crossload.contract.manifest import Artifact
from crossload.edits import checkpoint_folders, meta_graphs
from crossload.edits.freezing.refusal import NeedsTensorFlow
from crossload.errors import CrossloadError
from crossload.inputs.npz import check_samples
from crossload.runtimes import tf_process
from crossload.runtimes.tf_process import Step
from crossload.verbs.convert.edges import Edge

FOLDERS = ("saved_model", "checkpoint", "tensorboard")
_FILES = ("custom_objects", "weights", "representative")


def resolved(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a conversion with absolute file paths, for edges that run in another process; raises CrossloadError."""
    files = {name: Path(options[name]).resolve() for name in _FILES if options.get(name)}
    for name, file in files.items():
        if not file.exists() and not index_of(file).is_file() and not v1_files(file):
            raise CrossloadError(f"{file} (--{name.replace('_', '-')}) does not exist; check its path")
    libraries = [str(Path(p).resolve()) for p in options.get("op_libraries") or ()]
    if representative := files.get("representative"):
        check_samples(representative)
    return {**options, **{name: str(file) for name, file in files.items()}, **({"op_libraries": libraries} if libraries else {})}


def walk(
    entry: Artifact,
    path: Sequence[Edge],
    room: Path,
    destination: Path,
    options: Mapping[str, Any],
    load_with: str,
    progress: Callable[[str], None],
) -> tuple[Path, dict[str, Any] | None]:
    """Walk the edges inside `room`; returns the last artifact, named like `destination`, and its bindings from the last edge.

    `options` go to the edges: `optimize`, `quantize`, `representative`, `allow_flex`, `keep_variables`, `custom_objects`,
    `allow_code`, `op_libraries`, `weights`, `by_name`, `name_outputs`, and the Saver's; `to_tags` are the tags of a written SavedModel.
    """
    bindings: dict[str, Any] | None = {name: b.model_dump() for name, b in entry.bindings.items()}
    # The result will be moved again: only the core knows its final place.
    given_options = {name: value for name, value in options.items() if name not in ("to_tags", "absolute_paths")}
    here, tags, steps = Path(entry.path), entry.tags, list[Step]()

    def in_tensorflow() -> dict[str, Any] | None:
        """Run the collected steps in one process."""
        python = tf_process.python_with_tensorflow(runtime=load_with, progress=progress)
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
        own_options = {**given_options, "tags": tags}
        if callable(edge.by):
            bindings = in_tensorflow() if steps else bindings
            progress(f"making the {edge.target}")
            bindings = edge.by(here, target, bindings or {}, own_options)
        # If TensorFlow makes the source, its process makes the result, too.
        elif steps or not (edited := without_tensorflow(edge, here, target, bindings or {}, own_options, progress)):
            given = None if steps else bindings
            steps.append(Step(edge.by, here, target, f"making the {edge.target}", given, own_options))
        else:
            bindings = edited
        # A SavedModel that is copied keeps its tags; one that is built has TensorFlow's usual ones.
        here, tags = target, tags if edge.source == edge.target == "saved_model" else ["serve"]
    bindings = in_tensorflow() if steps else bindings
    if path[-1].target == "saved_model" and options.get("to_tags"):
        retagged = room / "tagged" / destination.name
        bindings = meta_graphs.of_saved_model(here, retagged, bindings or {}, {"tags": tags, "to_tags": options["to_tags"]})
        here = retagged
    return here, bindings


def without_tensorflow(
    edge: Edge, source: Path, target: Path, bindings: dict[str, Any], options: dict[str, Any], progress: Callable[[str], None]
) -> dict[str, Any] | None:
    """The bindings of what the edge's own edit made; None if it has none, or if TensorFlow's process must make it."""
    if edge.edit is None:
        return None
    progress(f"making the {edge.target}")
    try:
        return edge.edit(source, target, bindings, options)
    except NeedsTensorFlow as reason:
        progress(f"TensorFlow makes the {edge.target}: {reason}")
        return None


def made(target: str, result: Path, bound: Mapping[str, Any] | None, *, without_graph: bool = False) -> Artifact:
    """The manifest's entry of the result; its hash is that of its final place."""
    bindings = {} if target == "tensorboard" or without_graph else bindings_in(result, bound)
    tags = list(artifacts.callable_signatures(artifacts.read(result))[0][0] or ()) if target == "saved_model" else None
    return Artifact(id=target, format=target, path=str(result), tags=tags, sha256="", bindings=bindings)
