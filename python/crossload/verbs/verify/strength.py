"""Strength: how many of the faults seeded into the reference's graph the vectors detect, and which requests are worth keeping for that."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crossload.artifacts.content import in_words
from crossload.artifacts.graphs import protos, saved_model
from crossload.compare.judge import at_least, judge
from crossload.compare.tolerance import Tolerances
from crossload.contract.manifest import Artifact, Binding, SeededFault, Strength, Tolerance
from crossload.contract.signatures import Signature
from crossload.contract.vectors import Vector
from crossload.edits import faults
from crossload.edits.faults import Fault
from crossload.edits.freezing.freeze import freeze
from crossload.edits.freezing.refusal import NeedsTensorFlow
from crossload.errors import ArtifactError, WorkerFailure
from crossload.runtimes.supervisor import ModelSource, Supervisor
from crossload.support import files
from crossload.workers.kit import checkpoint_files

MOST_BYTES = 512 << 20
# Runs for each fault that may be seeded, over all signatures: one that goes unseen costs as many as there are vectors.
_RUNS = 2
# The graph's size up to which all faults are seeded; of a larger one, whose runs take longer, fewer in proportion, and at least these.
_SMALL_BYTES, _FEWEST = 16 << 20, 50


@dataclass(frozen=True)
class Seeding:
    """At most `faults` faults, chosen by `seed`; answers are judged by `tolerance`, as when the bundle is verified."""

    faults: int
    seed: int = 0
    tolerance: Mapping[str, Tolerance] = field(default_factory=dict)
    progress: Callable[[str], None] = lambda _: None


class NotMeasured(Exception):
    """Why the strength of vectors is not known, in one sentence."""


def measure(
    supervisor: Supervisor,
    path: Path,
    artifact: Artifact,
    signatures: Mapping[str, Signature],
    recorded: Mapping[str, list[Vector]],
    seeding: Seeding,
) -> dict[str, Strength]:
    """By signature, how many seeded faults its recorded vectors detect; vectors whose `extra` is true and that detect nothing else go.

    A graph that cannot be frozen without TensorFlow, or that does not repeat the recorded answers, has a Strength that says why nothing
    was measured. The supervisor has another model loaded afterwards.
    """
    try:
        graph = frozen(path, artifact, supervisor.identity().formats)
        most = max(min(seeding.faults, _FEWEST), int(seeding.faults * min(1.0, _SMALL_BYTES / max(graph.ByteSize(), 1))))
        found = faults.seed(graph, most, seeding.seed)
        seeded, moved = faults.with_faults(graph, found)
    except NotMeasured as why:
        return {name: Strength(not_measured=str(why)) for name in recorded}
    bindings = {name: _bound(artifact.bindings[name], moved) for name in recorded}
    with tempfile.TemporaryDirectory(prefix="crossload-") as folder:
        file = Path(folder, "faults.pb")
        file.write_bytes(seeded.SerializeToString())
        try:
            supervisor.load(ModelSource(file, "graph_def", bindings, signatures=signatures))
            result = {}
            for name, vectors in recorded.items():
                reached = faults.needed(graph, (str(t) for t in artifact.bindings[name].outputs.values()))
                own = {n: fault for n, fault in enumerate(found, 1) if fault.node in reached}
                asking = _Asking(supervisor, name, signatures[name], seeding)
                result[name] = _of_signature(asking, own, vectors, _RUNS * most // len(recorded))
            return result
        except WorkerFailure as failure:
            return {name: Strength(not_measured=f"the graph with faults does not run: {failure}"[:300]) for name in recorded}


def frozen(path: Path, artifact: Artifact, formats: tuple[str, ...]) -> Any:
    """The frozen GraphDef of an artifact; raises NotMeasured for one that has none here."""
    if "graph_def" not in formats or artifact.format not in ("graph_def", "saved_model", "checkpoint", "meta_graph"):
        raise NotMeasured(f"{in_words(artifact.format)} has no graph into which faults can be seeded")
    if files.size_bytes(path) > MOST_BYTES:  # before its values are read
        raise NotMeasured(f"the model has more than {MOST_BYTES >> 20} MiB")
    bindings = {name: b.model_dump() for name, b in artifact.bindings.items()}
    try:
        if artifact.format == "graph_def":
            return protos.parse(path, protos.GraphDefProto, "GraphDef")
        if artifact.format == "saved_model":
            meta_graph = saved_model.read(path).meta_graph(artifact.tags).proto
            return freeze(meta_graph, path / "variables" / "variables", bindings, with_tables=True)
        return freeze(*checkpoint_files.meta_graph_of(path, protos.MetaGraphProto), bindings, with_tables=True)
    except NeedsTensorFlow as why:
        raise NotMeasured(f"its graph cannot be frozen without TensorFlow: {why}") from why
    except (ArtifactError, checkpoint_files.CannotRestore, LookupError, ValueError) as error:
        raise NotMeasured(f"its graph cannot be read: {error}") from error


@dataclass
class _Asking:
    """A signature of the graph with faults, asked in the reference's worker."""

    supervisor: Supervisor
    name: str
    signature: Signature
    seeding: Seeding

    def detects(self, vector: Vector, number: int) -> bool:
        """Whether the answer with this fault would not be ok; an error is none. Raises WorkerFailure if the worker ends."""
        inputs = {**vector.inputs, faults.NUMBER: np.array(number, np.int32)}
        try:
            answer = self.supervisor.infer(self.name, inputs, [t.name for t in self.signature.outputs]).outputs
        except WorkerFailure as failure:
            if number == 0 or failure.outcome in ("crash", "timeout", "protocol_error", "not_run"):
                raise
            return True
        whole, _ = judge(vector.outputs, answer, Tolerances(dict(self.seeding.tolerance)), rounding=vector.rounding)
        return not at_least(whole.agreement, "close")


def _of_signature(asking: _Asking, own: Mapping[int, Fault], vectors: list[Vector], most_runs: int) -> Strength:
    """Drops vectors that are `extra` and no fault's first one. Each fault is asked for until a vector detects it."""
    asking.seeding.progress(f"measuring what the vectors of {asking.name} see: at most {len(own)} seeded faults")
    if other := [v.id for v in vectors if asking.detects(v, 0)]:
        return Strength(not_measured=f"its frozen graph answers {other[0]} differently without any fault")
    runs, seeded, unseen, needed = 0, 0, [], set()
    for number, fault in own.items():
        if runs >= most_runs:
            break
        seeded += 1
        for vector in vectors:
            runs += 1
            if asking.detects(vector, number):
                needed.add(vector.id)
                break
        else:
            unseen.append(SeededFault(node=fault.node, kind=fault.kind))
    vectors[:] = [v for v in vectors if v.id in needed or not v.extra]
    return Strength(seeded=seeded, detected=seeded - len(unseen), unseen=sorted(unseen, key=lambda f: (f.node, f.kind)))


def _bound(binding: Binding, moved: Mapping[str, str]) -> Binding:
    """The binding in the graph with faults, whose placeholder for the fault's number is an input of every signature."""
    outputs = {name: moved.get(str(t), t) for name, t in binding.outputs.items()}
    return Binding(inputs={**binding.inputs, faults.NUMBER: f"{faults.NUMBER}:0"}, outputs=outputs)
