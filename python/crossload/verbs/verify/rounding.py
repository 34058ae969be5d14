"""How far rounding alone moves the reference's answers: against the same graph in float64, else when inputs and weights are moved."""

from __future__ import annotations

import glob
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from crossload.artifacts.graphs import protos, saved_model
from crossload.artifacts.tflite.flatbuffer import FlatbufferError
from crossload.compare import ulp
from crossload.compare.tolerance import BOUND, DEFAULTS, EPSILON
from crossload.contract import datatypes
from crossload.contract.manifest import Binding, Rounding
from crossload.contract.signatures import Signature
from crossload.contract.vectors import Vector
from crossload.edits import half_step, half_ulp
from crossload.edits.float64 import MOST_BYTES, NotWidened, widened
from crossload.edits.freezing.freeze import freeze
from crossload.edits.freezing.refusal import NeedsTensorFlow
from crossload.errors import ArtifactError, WorkerFailure
from crossload.releases.registrations import releases
from crossload.runtimes.supervisor import ModelSource, Supervisor
from crossload.support import files, temporary
from crossload.verbs.verify.conditions import pinned, pins_threads
from crossload.workers.kit import checkpoint_files

Origin = Literal["float64", "perturbation", "datatype"]
_Answers = Mapping[str, list[Mapping[str, np.ndarray]]]  # by signature, one a vector
# An answer that rounding moves by more than this share of it could not be told from another one at the bound.
_MOST = 1 / (4 * BOUND)
# Hybrid kernels (8-bit weights, float activations) round activations to 8 bits as they run, each its own way, so that they are apart by
# that noise itself: by at most 0.91 of what moving the weights by as much noise does (LiteRT 2.3's reference, own and XNNPACK's kernels
# and TensorFlow Lite 2.18's, in a MobileNetV2, a keyword spotter and the demo's digits). Twice that is close.
_HYBRID = 2 / BOUND
# The times that inputs and weights are moved, unless that takes longer.
_ROUNDS, _SECONDS = 3, 20.0


def measure(
    supervisor: Supervisor, source: ModelSource, signatures: Mapping[str, Signature], recorded: Mapping[str, list[Vector]]
) -> dict[str, dict[str, Rounding]]:
    """Put the rounding beside the recorded answers, in place; returns, by signature and output, where it comes from.

    `source` is the model that answered, as it was loaded; if it keeps state, a signature's answers are one sequence after a load. The
    supervisor has another model loaded afterwards.
    """
    outputs = {n: [t.name for t in s.outputs if t.datatype in EPSILON] for n, s in signatures.items() if n in recorded}
    found = _Measured(supervisor, source, recorded, {n: names for n, names in outputs.items() if names})
    with temporary.scratch() as folder:
        for step in (found.by_float64, found.by_perturbation, found.by_hybrid, found.by_threads) if found.outputs else ():
            with suppress(WorkerFailure):
                step(folder)
    return found.written()


def distance(answer: np.ndarray, other: np.ndarray) -> float | None:
    """The greatest distance of an answer to another one beyond an element's own last place; None where no element is finite in both."""
    epsilon = EPSILON[datatypes.of_array(answer)]
    if answer.shape != other.shape:
        return None
    one, two = _wide(answer), _wide(other)
    finite = np.isfinite(one) & np.isfinite(two)
    if not finite.any():
        return None
    return float(np.maximum(np.abs(one[finite] - two[finite]) - epsilon * np.abs(one[finite]), 0).max())


def clamped(found: float, datatype: str, scale: float) -> float:
    """A distance as it is recorded, for an answer whose largest element is `scale`.

    At least half a unit in the last place of it, and at most the share of it that still tells answers apart.
    """
    return min(max(found, EPSILON[datatype] / 2 * scale), _MOST * scale)


def scale_of(answer: np.ndarray) -> float | None:
    """The largest finite magnitude of an answer; None where it has none."""
    wide = np.abs(_wide(answer))
    finite = wide[np.isfinite(wide)]
    return float(finite.max()) if finite.size else None


def _wide(array: np.ndarray) -> np.ndarray:
    return array.astype(np.complex128).view(np.float64) if array.dtype.kind == "c" else array.astype(np.float64)


def _default(answer: np.ndarray) -> float:
    """The distance relative to the largest element whose multiple is the default tolerance of the datatype."""
    return DEFAULTS[datatypes.of_array(answer)].rtol / BOUND


class _Measured:
    """The distances found so far, by signature, output and vector, and their origins."""

    def __init__(
        self, supervisor: Supervisor, source: ModelSource, recorded: Mapping[str, list[Vector]], outputs: Mapping[str, list[str]]
    ) -> None:
        self.outputs = outputs
        self._supervisor, self._source, self._recorded = supervisor, source, recorded
        self._distances = {(n, o): [0.0 for _ in recorded[n]] for n, names in outputs.items() for o in names}
        self._origins: dict[tuple[str, str], Origin] = dict.fromkeys(self._distances, "datatype")
        self._kept: list[str] = []
        self._frozen = self._freeze()

    def by_float64(self, folder: Path) -> None:
        """Compare the answers with those of the same graph in float64, where there is one."""
        if self._frozen is None or not any(a.dtype.itemsize < 8 for a in self._floats()):
            return
        try:
            graph, self._kept = widened(self._frozen, releases()[-1])
        except (NotWidened, LookupError, ValueError):
            return
        exact = self._answers(self._graph(folder / "float64.pb", graph))
        for key in self._distances:
            if all(v.outputs[key[1]].dtype.itemsize < a[key[1]].dtype.itemsize for v, a in self._pairs(key, exact)):
                self._origins[key] = "float64"
                self._widen(key, exact)

    def by_perturbation(self, folder: Path) -> None:
        """Compare the answers with those to moved inputs, by moved weights where these can be written, where nothing is known yet.

        An answer that is not repeated (a random op, state) says nothing about rounding, nor does one that never changes.
        """
        unknown = [key for key, origin in self._origins.items() if origin == "datatype"]
        if not unknown:
            return
        again = self._answers(self._source)
        unknown = [key for key in unknown if not self._changed(key, again)]
        started = time.monotonic()
        for turn, (model, random) in enumerate(self._moved(folder)):
            if not unknown or (turn and time.monotonic() - started > _SECONDS):
                break
            moved = self._answers(model, random)
            for key in unknown:
                if self._changed(key, moved):
                    self._origins[key] = "perturbation"
                self._widen(key, moved)
        for key in unknown:
            self._level(key, at_least_the_default=self._frozen is None and self._source.format != "tflite")

    def by_hybrid(self, folder: Path) -> None:
        """Compare the answers of a .tflite that rounds activations as it runs with those to weights that are moved as much.

        An answer that hardly moves (a decided softmax) is told apart by the default at least: three rounds say little of its tail.
        """
        if self._source.format != "tflite" or files.size_bytes(self._source.path) > MOST_BYTES:
            return
        for round_ in range(_ROUNDS):
            data = half_step.hybrid(self._source.path, np.random.default_rng(round_))
            if data is None:
                return
            file = folder / f"hybrid-{round_}.tflite"
            file.write_bytes(data)
            moved = self._answers(replace(self._source, path=file))
            for key in self._distances:
                if self._changed(key, moved):
                    self._origins[key] = "perturbation"
                self._widen(key, moved, share=_HYBRID)
                answers = [v.outputs[key[1]] for v in self._recorded[key[0]]]
                least = [_default(a) * (scale_of(a) or 0.0) for a in answers]
                self._distances[key] = [max(pair) for pair in zip(self._distances[key], least, strict=True)]

    def by_threads(self, _: Path) -> None:
        """Compare the answers with those of one thread; not of the small models that answer the largest request alike."""
        if not pins_threads(self._supervisor):
            return
        model = pinned(self._supervisor, self._source, 1)
        largest = {n: max(range(len(v)), key=lambda at: sum(i.nbytes for i in v[at].inputs.values())) for n, v in self._recorded.items()}
        one = self._answers(model, only=largest)
        measured = [key for key, origin in self._origins.items() if origin != "datatype"]
        if all(self._recorded[n][largest[n]].outputs[o].tobytes() == one[n][0][o].tobytes() for n, o in measured):
            return
        whole = self._answers(model)
        for key in measured:
            self._widen(key, whole)

    def written(self) -> dict[str, dict[str, Rounding]]:
        """Put the distances into the recorded vectors; returns the manifest's entries."""
        for name, outputs in self.outputs.items():
            for at, vector in enumerate(self._recorded[name]):
                values = {o: self._rounding((name, o), at) for o in outputs}
                self._recorded[name][at] = replace(vector, rounding={o: value for o, value in values.items() if value is not None})
        return {name: {o: self._entry((name, o)) for o in outputs} for name, outputs in self.outputs.items()}

    def _entry(self, key: tuple[str, str]) -> Rounding:
        largest = max((v.rounding.get(key[1], 0.0) for v in self._recorded[key[0]]), default=0.0)
        origin = self._origins[key]
        return Rounding(origin=origin, largest=largest, narrow=self._kept if origin == "float64" else [])

    def _rounding(self, key: tuple[str, str], at: int) -> float | None:
        """None where no element is finite. Zeros have no scale: the largest of the output's other answers is theirs."""
        answers = [v.outputs[key[1]] for v in self._recorded[key[0]]]
        scale = scale_of(answers[at])
        if scale is None:
            return None
        scale = scale or max(scale_of(a) or 0.0 for a in answers)
        found = _default(answers[at]) * scale if self._origins[key] == "datatype" else self._distances[key][at]
        return clamped(found, datatypes.of_array(answers[at]), scale)

    def _level(self, key: tuple[str, str], *, at_least_the_default: bool) -> None:
        """A vector's inputs may leave nothing to move (zeros): the greatest relative distance of an output is that of all its answers."""
        answers = [v.outputs[key[1]] for v in self._recorded[key[0]]]
        scales = [scale_of(a) or 0.0 for a in answers]
        share = max((d / s for d, s in zip(self._distances[key], scales, strict=True) if s), default=0.0)
        if at_least_the_default:
            share = max(share, _default(answers[0]))
        self._distances[key] = [share * scale for scale in scales]

    def _changed(self, key: tuple[str, str], others: _Answers) -> bool:
        return any(vector.outputs[key[1]].tobytes() != other[key[1]].tobytes() for vector, other in self._pairs(key, others))

    def _widen(self, key: tuple[str, str], others: _Answers, share: float = 1.0) -> None:
        found = [share * (distance(vector.outputs[key[1]], other[key[1]]) or 0.0) for vector, other in self._pairs(key, others)]
        self._distances[key] = [max(a, b) for a, b in zip(self._distances[key], found, strict=True)]

    def _pairs(self, key: tuple[str, str], others: _Answers) -> list[tuple[Vector, Mapping[str, np.ndarray]]]:
        return list(zip(self._recorded[key[0]], others[key[0]], strict=True))

    def _floats(self) -> list[np.ndarray]:
        return [v.outputs[o] for n, names in self.outputs.items() for v in self._recorded[n][:1] for o in names]

    def _answers(
        self, model: ModelSource, random: np.random.Generator | None = None, only: Mapping[str, int] | None = None
    ) -> dict[str, list[Mapping[str, np.ndarray]]]:
        """A model's answers to the recorded requests, whose floats `random` moves; or to one of each signature. Raises WorkerFailure."""
        kinds = {a.dtype for a in self._floats()}
        found: dict[str, list[Mapping[str, np.ndarray]]] = {}
        for name, outputs in self.outputs.items():
            if model.keep_state or not found:
                self._supervisor.load(model)
            vectors = self._recorded[name] if only is None else [self._recorded[name][only[name]]]
            found[name] = []
            for vector in vectors:
                inputs = vector.inputs
                if random is not None:
                    inputs = {n: ulp.moved(a, random) if a.dtype in kinds else a for n, a in inputs.items()}
                found[name].append(self._supervisor.infer(name, inputs, outputs).outputs)
        return found

    def _moved(self, folder: Path) -> Iterator[tuple[ModelSource, np.random.Generator]]:
        """The model with its weights moved, where they can be written, and what moves the inputs likewise."""
        kinds = {datatypes.of_array(a) for a in self._floats()}
        for round_ in range(_ROUNDS):
            random = np.random.default_rng(round_)
            if self._frozen is not None:
                yield self._graph(folder / f"{round_}.pb", half_ulp.graph(self._frozen, kinds, random)), random
            elif self._source.format == "tflite" and files.size_bytes(self._source.path) <= MOST_BYTES:
                with suppress(FlatbufferError):
                    file = folder / f"{round_}.tflite"
                    file.write_bytes(half_ulp.tflite(self._source.path.read_bytes(), kinds, random))
                    yield replace(self._source, path=file), random
            else:
                yield self._source, random

    def _graph(self, file: Path, graph: Any) -> ModelSource:
        file.write_bytes(graph.SerializeToString())
        bindings = {n: Binding(inputs=b.inputs, outputs=b.outputs) for n, b in self._source.bindings.items()}
        return ModelSource(file, "graph_def", bindings, options=self._source.options, signatures=self._source.signatures)

    def _freeze(self) -> Any:
        """The model as a frozen graph; None for what only TensorFlow can freeze, and for another format."""
        source = self._source
        if source.keep_state:
            return None  # a frozen variable forgets
        prefixed = () if source.path.exists() else source.path.parent.glob(f"{glob.escape(source.path.name)}*")  # of a checkpoint
        if "graph_def" not in self._supervisor.identity().formats or sum(map(files.size_bytes, prefixed or [source.path])) > MOST_BYTES:
            return None  # before its values are read
        bindings = {name: b.model_dump() for name, b in source.bindings.items()}
        try:
            if source.format == "graph_def":
                return protos.parse(source.path, protos.GraphDefProto, "GraphDef")
            if source.format == "saved_model":
                meta_graph = saved_model.read(source.path).meta_graph(list(source.tags or ())).proto
                return freeze(meta_graph, source.path / "variables" / "variables", bindings)
            if source.format in ("checkpoint", "meta_graph"):
                meta_graph, prefix = checkpoint_files.meta_graph_of(source.path, protos.MetaGraphProto)
                return freeze(meta_graph, prefix, bindings)
        except (NeedsTensorFlow, ArtifactError, checkpoint_files.CannotRestore, LookupError, ValueError):
            pass
        return None
