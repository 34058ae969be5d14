"""Quality: ask the float model and the quantised artifact for the same rows of data, and measure how far their answers are apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from crossload.artifacts.tflite import quantised, tflite_file
from crossload.compare import quality
from crossload.compare.quality import Bounds
from crossload.contract import datatypes
from crossload.contract.manifest import Artifact, Binding, Quality, Steps
from crossload.contract.signatures import Signature
from crossload.errors import CrossloadError
from crossload.inputs import npz, quantization, representative
from crossload.inputs.requests import Requests, draw
from crossload.runtimes.supervisor import ModelSource, Supervisor

_MOST_REQUESTS = 2000
Answered = list[Mapping[str, np.ndarray]]
# Rows of the data among the requests that the quantised artifact's own answers are recorded for.
_RECORDED = 4


@dataclass(frozen=True)
class QualityTerms:
    """On what a quantised artifact is compared with the float model, and what it must keep.

    `data` is an .npz with rows of inputs by name, or a folder of them; `labels` names the array in it that has the class of each row.
    """

    data: Path | None = None
    labels: str | None = None
    bounds: Bounds = field(default_factory=Bounds)

    def check(self, inputs: Sequence[str]) -> None:
        """Raise CrossloadError for data that cannot be used, before any work starts."""
        if self.labels and not self.data:
            raise CrossloadError(f"--labels {self.labels} names an array in --data FILE.npz: name the file, too")
        if self.data:
            npz.check_samples(self.data)
            if self.labels:
                self._labels(inputs)

    def labels_of(self) -> np.ndarray | None:
        """The class ids by row."""
        return self._labels([]) if self.labels else None

    def _labels(self, inputs: Sequence[str]) -> np.ndarray:
        assert self.data and self.labels
        files = npz.files_of(self.data)
        read = [npz.from_npz(file) for file in files]
        for file, arrays in zip(files, read, strict=True):
            if self.labels not in arrays:
                raise CrossloadError(f"{file} has no array {self.labels!r} for --labels; it has: {', '.join(arrays) or 'none'}")
        rows = {len(a[n]) for a in read for n in inputs if n in a and a[n].ndim}
        found = np.concatenate([np.atleast_1d(a[self.labels]).ravel() for a in read])
        if found.dtype.kind not in "iu":
            raise CrossloadError(
                f"the labels {self.labels!r} in {self.data} are {found.dtype}; they must be integers, the class of each row"
            )
        if rows and len(files) == 1 and found.size not in rows:
            raise CrossloadError(f"{self.data} has {found.size} labels {self.labels!r} for {rows.pop()} rows; write a label for each row")
        return found


@dataclass(frozen=True)
class Rows:
    """The requests of a signature in the float model's values, what they were taken from, and their labels."""

    requests: list[Mapping[str, np.ndarray]]
    data: str
    labels: np.ndarray | None = None


def rows_of(
    signatures: Mapping[str, Signature], terms: QualityTerms, given: Path | None, requests: Requests, shapes: Mapping[str, Signature]
) -> dict[str, Rows]:
    """By signature, the rows to compare on: those of `terms`, else the representative inputs and the user's own, else generated ones.

    `signatures` are the float model's, `shapes` the quantised artifact's, whose batch the rows have. Raises CrossloadError, ModelError.
    """
    path = terms.data or given
    found: dict[str, Rows] = {}
    asked = {name: _specs(signatures[name], shapes[name]) for name in shapes}
    samples = representative.samples(path, asked) if path else []
    every_label = terms.labels_of()
    for name in shapes:
        own = [v for v in draw(signatures[name], requests) if terms.data is None and v.id.startswith("user_")]
        rows = [inputs for key, inputs in samples if key == name]
        every = -(-len(rows) // _MOST_REQUESTS) or 1
        labels = every_label
        if labels is not None and rows and labels.size % len(rows) == 0:
            labels = labels.reshape(len(rows), -1)[::every].ravel()
        taken = [*rows[::every], *(v.inputs for v in own)]
        named = [path.name] if path and rows else []
        said = " and ".join([*named, *(["your inputs"] if own else [])])
        if not taken:
            # Both ends of every range are no data: what saturates there says nothing of a model's answers.
            taken = [v.inputs for v in draw(signatures[name], requests) if v.id != "extremes"]
            said = "generated requests"
        found[name] = Rows(taken, said, labels)
    return found


def measured(
    float_model: tuple[Supervisor, ModelSource],
    result: tuple[Supervisor, ModelSource, Artifact],
    rows: Mapping[str, Rows],
    progress: Callable[[str], None],
) -> list[Quality]:
    """The quality of each output of the artifact, a .tflite that takes and gives integers or real values. Raises WorkerFailure.

    The rows are one sequence for both, in their order after a load, if the float model's source keeps state (`keep_state`).
    """
    supervisor, source, artifact = result
    source = replace(source, keep_state=float_model[1].keep_state)
    own = own_signatures(source.path, artifact.bindings)
    reference = answered(*float_model, {n: (rows[n].requests, float_model[1].signatures[n]) for n in own})
    answers = answered(supervisor, source, {n: ([quantization.inputs(s, r) for r in rows[n].requests], s) for n, s in own.items()})
    found = []
    for name, signature in own.items():
        progress(f"comparing {len(rows[name].requests)} answers of {name} with the float model's ({rows[name].data})")
        found += judged(source, name, signature, reference[name], answers[name], rows[name])
    return found


def judged(source: ModelSource, name: str, signature: Signature, reference: Answered, answers: Answered, rows: Rows) -> list[Quality]:
    """The quality of a signature's outputs, each in steps where the artifact is a .tflite that states its scale."""
    binding, lite = source.bindings[name], source.format == "tflite"
    steps = quantised.steps(source.path, binding.outputs, binding.key) if lite else {}
    found = []
    for spec in signature.outputs:
        if spec.datatype in ("BYTES", "BOOL") or spec.name not in reference[0]:
            continue
        real = [quantization.real(a[spec.name], spec) for a in answers]
        scale = _real_scale(steps.get(spec.name), spec.quantization)
        low_high = quantised.ends(source.path, binding.outputs[spec.name], binding.key) if lite else None
        given = quality.Answers([a[spec.name] for a in reference], real, rows.labels, scale, low_high)
        found.append(quality.measure(name, spec.name, rows.data, given))
    return found


def recorded_requests(signature: Signature, requests: Requests, rows: Rows) -> Requests:
    """The requests for the artifact's own answers: some rows of the data, the user's own, and generated ones, in the artifact's values."""
    chosen = [*rows.requests[:: max(1, len(rows.requests) // _RECORDED)][:_RECORDED]]
    own = [quantization.inputs(signature, r) for r in chosen]
    return replace(requests, inputs=tuple(own), count=max(1, requests.count - len(own)), shapes={})


def own_signatures(path: Path, bindings: Mapping[str, Binding]) -> dict[str, Signature]:
    """The signatures of a .tflite as the file has them, by the artifact's names for them; with their quantisation."""
    found = tflite_file.read(path, ops=False)
    return {name: found.signature(binding.key) for name, binding in bindings.items()}


def answered(
    supervisor: Supervisor, source: ModelSource, asked: Mapping[str, tuple[Sequence[Mapping[str, np.ndarray]], Signature]]
) -> dict[str, Answered]:
    """By signature, the answers to its requests in this order, of the model loaded anew. Raises WorkerFailure."""
    found: dict[str, Answered] = {}
    for name, (requests, signature) in asked.items():
        if source.keep_state or not found:
            supervisor.load(source)
        found[name] = [supervisor.infer(name, r, [t.name for t in signature.outputs]).outputs for r in requests]
    return found


def _real_scale(steps: Steps | None, stored: Mapping[str, object] | None) -> float | None:
    """One step in real values."""
    if steps is None:
        return None
    scale = stored["scale"] if stored else [steps.scale]
    return float(scale[0]) if isinstance(scale, list) and len(scale) == 1 else None


def _specs(float_model: Signature, own: Signature) -> representative.Specs:
    """Inputs as the float model takes them, in the shapes that the .tflite was written with."""
    shapes = {t.name: t.shape for t in own.inputs}
    return {t.name: (datatypes.numpy_dtype(t.datatype), _free(shapes.get(t.name, t.shape))) for t in float_model.inputs if t.name in shapes}


def _free(shape: tuple[int, ...] | None) -> tuple[int | None, ...] | None:
    return None if shape is None else tuple(None if d < 0 else d for d in shape)
