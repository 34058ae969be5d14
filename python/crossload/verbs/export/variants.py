"""Quantised variants of a model in its bundle: each is another function, with signatures, recorded answers and a quality of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from crossload.contract import vectors
from crossload.contract.manifest import Artifact, Vectors
from crossload.contract.signatures import Signature
from crossload.errors import ConversionRefused, CrossloadError, ExportRefused
from crossload.inputs import npz
from crossload.inputs.requests import Requests
from crossload.runtimes import environments, registry
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from crossload.support import temporary
from crossload.verbs.convert.quantised import refuse_beyond
from crossload.verbs.verify.quality import QualityTerms, measured, own_signatures, recorded_requests, rows_of
from crossload.verbs.verify.record import record, references

QUANTIZATIONS = ("float16", "dynamic", "int8", "16x8")
FORMATS = tuple(f"tflite:{quantize}" for quantize in QUANTIZATIONS)
_CALIBRATED = ("int8", "16x8")
_ACCEPT = "leave the variant out of --formats, or state the bound that you accept: --bound {bound}"
_WAYS_OUT = (
    f"give --representative and --data real inputs of the whole range, {_ACCEPT}; crossload convert --keep-float leaves layers in float"
)
_WAYS_OUT_OF_WEIGHTS = f"give --data real inputs of the whole range, {_ACCEPT}"  # float16, dynamic: no ranges are measured


@dataclass(frozen=True)
class VariantTerms:
    """What quantised variants are made with: representative inputs (an .npz, or a folder of them), and how their quality is judged.

    `examples`: the representative inputs are the source's own examples, which are recorded as the user's requests, too.
    """

    representative: Path | None = None
    examples: bool = False
    quality: QualityTerms = field(default_factory=QualityTerms)


def quantization_of(format: str) -> str | None:
    """`int8` of `tflite:int8`; None for a plain format."""
    return format.partition(":")[2] or None


def file_of(format: str) -> str:
    """The name of a variant's file."""
    return f"model_{quantization_of(format)}.tflite"


def options_of(format: str, terms: VariantTerms) -> dict[str, Any]:
    """The converter's options for a variant; none for a plain format."""
    quantize = quantization_of(format)
    given = {"representative": str(terms.representative.resolve())} if terms.representative else {}
    return {"quantize": quantize, **given} if quantize else {}


def check(formats: tuple[str, ...], terms: VariantTerms, *, examples: bool) -> None:
    """Raise CrossloadError for a variant whose ranges nothing tells, and for data that cannot be used, before TensorFlow starts.

    `examples`: the source may have its own.
    """
    if terms.representative:
        npz.check_samples(terms.representative)
    terms.quality.check([])
    needing = [f for f in formats if quantization_of(f) in _CALIBRATED]
    if needing and not terms.representative and not examples:
        raise CrossloadError(f"{needing[0]} measures its ranges on representative inputs: give --representative FILE.npz")


@contextmanager
def with_examples(terms: VariantTerms, examples: Mapping[str, np.ndarray] | None) -> Iterator[VariantTerms]:
    """The terms with the source's own example inputs as the representative ones, where no others were given."""
    if terms.representative or not examples:
        yield terms
        return
    with temporary.scratch() as folder:
        file = folder / "example_inputs.npz"
        plain = {name: array.astype("S") if array.dtype == object else array for name, array in examples.items()}  # objects are pickled
        np.savez(file, **plain)  # type: ignore[arg-type]  # NumPy's stubs take each for its allow_pickle
        yield replace(terms, representative=file, examples=True)


@dataclass(frozen=True)
class FloatModel:
    """The float model that the variants come from: its source in the runtime that recorded it."""

    supervisor: Supervisor
    path: Path
    entry: Artifact
    signatures: dict[str, Signature]
    options: Mapping[str, Any]
    keep_state: bool = False


def finish(
    folder: Path,
    made: list[Artifact],
    model: FloatModel,
    terms: VariantTerms,
    requests: Requests,
    limits: Limits,
    alive: Mapping[str, Supervisor],
    stack: ExitStack,
    progress: Callable[[str], None],
    recorded: list[Vectors],
) -> dict[str, Supervisor]:
    """Finish the variants among `made`: there, in the model's signatures, and in `recorded`, in place.

    Returns the living workers; with variants, LiteRT, which answers for them, is among them until `stack` ends.
    """
    living = dict(alive)
    for at, artifact in enumerate(made):
        if quantization_of(artifact.id):
            judge = references("tflite")[0]
            name = registry.shortest_name(judge)
            if name not in living:
                living[name] = stack.enter_context(Supervisor(judge.name, environments.prepare(judge.source, progress), limits))
            made[at], own, added = finished(folder, artifact, model, terms, requests, limits, living[name], progress)
            model.signatures.update(own)
            recorded += added
    return living


def finished(
    folder: Path,
    artifact: Artifact,
    model: FloatModel,
    terms: VariantTerms,
    requests: Requests,
    limits: Limits,
    litert: Supervisor,
    progress: Callable[[str], None],
) -> tuple[Artifact, dict[str, Signature], list[Vectors]]:
    """A variant that was written into `folder`, with its quality; its signatures (`serving_default@int8`) and their recorded answers.

    Raises ExportRefused where a bound of its quality is not met.
    """
    suffix = quantization_of(artifact.id)
    named = {name: f"{name}@{suffix}" for name in artifact.bindings}
    artifact = artifact.model_copy(update={"bindings": {named[n]: b for n, b in artifact.bindings.items()}})
    path = folder / artifact.path
    own = own_signatures(path, artifact.bindings)
    signatures = {new: model.signatures[old] for old, new in named.items()}
    others = replace(requests, inputs=()) if terms.examples else requests
    rows = rows_of(signatures, terms.quality, terms.representative, others, own)
    tags = None if model.entry.tags is None else tuple(model.entry.tags)
    bindings = {new: model.entry.bindings[old] for old, new in named.items()}
    source = ModelSource(model.path, model.entry.format, bindings, tags, model.options, signatures, model.keep_state)
    result = ModelSource(path, "tflite", artifact.bindings, signatures=own)
    found = measured((model.supervisor, source), (litert, result, artifact), rows, progress)
    try:
        refuse_beyond(terms.quality.bounds, found, artifact.id, _WAYS_OUT if suffix in _CALIBRATED else _WAYS_OUT_OF_WEIGHTS)
    except ConversionRefused as refused:
        raise ExportRefused(str(refused), refused.table) from refused
    recorded: list[Vectors] = []
    judge = references("tflite")[0]
    for name, signature in own.items():
        one = artifact.model_copy(update={"bindings": {name: artifact.bindings[name]}})
        asked = recorded_requests(signature, requests, rows[name])
        recorded += record(folder, one, own, asked, limits, progress, [judge], alive={judge.title: litert})[0]
    assert all((folder / vectors.path_of(name)).exists() for name in own)
    return artifact.model_copy(update={"quality": found}), own, recorded
