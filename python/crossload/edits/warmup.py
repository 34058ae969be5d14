"""The warm-up file of a SavedModel: recorded requests that TensorFlow Serving runs before it serves the model.

Sources: tensorflow_serving/apis/prediction_log.proto and what it imports; servables/tensorflow/saved_model_warmup_util.h (where, how
many), predict_util.cc, classifier.cc and regressor.cc (refusals: after one refused record Serving does not serve the model).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload.artifacts import tfrecord
from crossload.artifacts.declaration import declare
from crossload.artifacts.graphs import protos, saved_model
from crossload.artifacts.messages import message_class
from crossload.artifacts.recognition import saved_model_file
from crossload.contract import datatypes, vectors
from crossload.contract.manifest import Artifact, Vectors
from crossload.contract.vectors import Vector
from crossload.errors import CrossloadError
from crossload.inputs.tf_example import is_example
from crossload.support import files
from crossload.support.once import once

if TYPE_CHECKING:
    import numpy as np

FILE = "assets.extra/tf_serving_warmup_requests"
MOST_RECORDS = 1000
_PREDICT, _CLASSIFY, _REGRESS = (f"tensorflow/serving/{method}" for method in ("predict", "classify", "regress"))
# The maximum size of a message in every protobuf implementation, minus the fields around the tensors.
_MOST_BYTES = (1 << 31) - (1 << 20)


@dataclass(frozen=True)
class WarmUp:
    """The written file, its number of requests, and the reasons why signatures (or single vectors, `signature/id`) are left out."""

    path: Path
    records: int
    left_out: dict[str, str] = field(default_factory=dict)


def write_warmup(
    folder: Path,
    model_name: str,
    recorded: Mapping[str, Sequence[Vector]],
    *,
    tags: Sequence[str] | None = None,
    most: int = MOST_RECORDS,
    overwrite: bool = False,
) -> WarmUp:
    """Write the warm-up file into the SavedModel `folder`, whole or not at all; the same vectors always give the same bytes.

    `recorded` are vectors with answers, by the keys of the signatures of the MetaGraph `tags` (None: the only one, or the one tagged
    `serve`). At most `most` records are written, the signatures taking turns. A classify or regress signature with requests of
    serialised tf.Examples gets records of that method, every other one records of predict.
    Raises CrossloadError for a folder that is not a SavedModel, an unknown key, an existing file, and without records to write.
    """
    path = folder / FILE
    if not 1 <= most <= MOST_RECORDS:
        raise CrossloadError(f"{path} cannot have {most} records; TensorFlow Serving takes 1 to {MOST_RECORDS}")
    if path.exists() and not overwrite:
        raise CrossloadError(f"{path} exists; remove it first, or keep it")
    definitions = _definitions(folder, tags)
    if unknown := [key for key in recorded if key not in definitions]:
        raise CrossloadError(f"{folder} has no signature {unknown[0]!r}; it has: {', '.join(definitions) or 'none'}")
    left_out = {key: reason for key in recorded if (reason := _refusal(definitions[key]))}
    records: list[bytes] = []
    for key, vector in _in_turns({key: own for key, own in recorded.items() if key not in left_out}):
        if len(records) == most:
            left_out[f"{key}/{vector.id}"] = f"the file has {most} records already"
        elif sum(_size(array) for array in vector.inputs.values()) > _MOST_BYTES:
            left_out[f"{key}/{vector.id}"] = "it is larger than 2 GiB, the limit of a record"
        else:
            records.append(_record(model_name, key, definitions[key], vector))
    if not records:
        reasons = "; ".join(f"{what}: {why}" for what, why in left_out.items()) or "it has no recorded requests"
        raise CrossloadError(f"{folder} gets no warm-up file ({reasons})")
    with files.written_whole(path) as partial, partial.open("wb") as stream:
        for record in records:
            tfrecord.write(stream, record)
    return WarmUp(path, len(records), left_out)


def check(root: Path, artifacts: Sequence[Artifact], formats: Sequence[str] | None) -> None:
    """Raise CrossloadError, before the work starts, if `warm_up_bundle` would find no SavedModel, or an existing warm-up file in it."""
    there = [a for a in artifacts if a.format == "saved_model"]
    if not there or (formats and "saved_model" not in formats):
        raise CrossloadError("a warm-up file needs a SavedModel, and the bundle will have none; add saved_model to its formats")
    if (root / there[0].path / FILE).exists():
        raise CrossloadError(f"the SavedModel has a warm-up file already ({FILE}), which is kept; leave out --warm-up")


def warm_up_bundle(root: Path, model_name: str, artifacts: Sequence[Artifact], recorded: Sequence[Vectors]) -> WarmUp:
    """Write the warm-up file of a bundle's SavedModel from the recorded vectors, and update the artifact's hash.

    Of several MetaGraphs, Serving loads the one tagged `serve`. Call `check` first; raises CrossloadError as `write_warmup` does.
    """
    candidates = [a for a in artifacts if a.format == "saved_model"]
    chosen = next((a for a in candidates if a.tags == ["serve"]), candidates[0])
    own = {
        chosen.bindings[v.signature].key or v.signature: vectors.read(root / v.path, v.count)
        for v in recorded
        if v.signature in chosen.bindings
    }
    made = write_warmup(root / chosen.path, model_name, own, tags=chosen.tags)
    for artifact in candidates:
        if artifact.path == chosen.path:
            artifact.sha256 = files.sha256(root / artifact.path)
    return made


def _definitions(folder: Path, tags: Sequence[str] | None) -> dict[str, Any]:
    """The unchanged SignatureDefs by key: only they state which names a request may use."""
    chosen = saved_model.read(folder).meta_graph(tags)
    file = saved_model_file(folder)
    proto = protos.parse(file, protos.SavedModelProto, "SavedModel")
    meta_graph = next(m for m in proto.meta_graphs if tuple(m.meta_info_def.tags) == chosen.tags)
    return {key: meta_graph.signature_def[key] for key in chosen.signatures}


def _refusal(definition: Any) -> str | None:
    """Why Serving refuses requests for this signature."""
    if definition.method_name not in (_PREDICT, _CLASSIFY, _REGRESS):
        return f"its method is {definition.method_name!r}, but TensorFlow Serving knows only {_PREDICT}, classify and regress"
    for side in (definition.inputs, definition.outputs):
        for name in sorted(side):
            if side[name].WhichOneof("encoding") != "name":
                return f"its {name!r} is a sparse or composite tensor, which TensorFlow Serving does not take or give"
    return None


def _in_turns(recorded: Mapping[str, Sequence[Vector]]) -> Iterator[tuple[str, Vector]]:
    """The first vector of each signature, then the second of each, and so on."""
    for row in zip_longest(*([(key, vector) for vector in own] for key, own in recorded.items())):
        yield from (turn for turn in row if turn)


def _record(model_name: str, key: str, definition: Any, vector: Vector) -> bytes:
    """A serialised PredictionLog with the request."""
    log = _messages()["PredictionLog"]()
    if log_type := _examples_log(definition, vector):
        request = getattr(log, log_type).request
        request.input.example_list.examples.extend(vector.inputs["inputs"].tolist())
    else:
        request = log.predict_log.request
        for name, array in vector.inputs.items():
            _fill(request.inputs[name], array)
        for name in definition.defaults:  # inputs that a recorded request omits
            if name not in vector.inputs:
                request.inputs[name].CopyFrom(definition.defaults[name])
    request.model_spec.name, request.model_spec.signature_name = model_name, key
    return bytes(log.SerializeToString(deterministic=True))


def _examples_log(definition: Any, vector: Vector) -> str | None:
    """The log of a classification or regression whose request and response Serving accepts; None if it must be a predict record."""
    asked = vector.inputs.get("inputs")
    if list(vector.inputs) != ["inputs"] or asked is None or asked.dtype != object or asked.ndim != 1 or not asked.size:
        return None
    if not all(isinstance(e, bytes) and is_example(e) for e in asked):
        return None
    rows, answers = asked.shape[0], dict(vector.outputs)
    if definition.method_name == _REGRESS:
        answer = answers.pop("outputs", None)
        fits = answer is not None and not answers and answer.dtype == "float32" and answer.shape in ((rows,), (rows, 1))
        return "regress_log" if fits else None
    if definition.method_name == _CLASSIFY:
        named = {name: answers.pop(name) for name in ("classes", "scores") if name in answers}
        shapes = {a.shape for a in named.values()}
        kinds = {"classes": "object", "scores": "float32"}
        fits = len(shapes) == 1 and not answers and all(a.dtype == kinds[name] for name, a in named.items())
        return "classify_log" if fits and all(len(s) == 2 and s[0] == rows for s in shapes) else None
    return None


def _fill(proto: Any, array: np.ndarray) -> None:
    """Fill a TensorProto from an array (tensor.proto; tensor.cc, Tensor::FromProto)."""
    datatype = datatypes.of_array(array)
    proto.dtype = datatypes.DATATYPES[datatype].enum
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if datatype == "BYTES":
        proto.string_val.extend(array.reshape(-1).tolist())
    elif datatype in ("INT4", "UINT4"):
        # The layout of 4-bit elements in tensor_content differs between releases; as numbers every release reads them the same.
        proto.int_val.extend(int(v) for v in array.reshape(-1))
    else:
        proto.tensor_content = bytes(datatypes.encode(array))


def _size(array: np.ndarray) -> int:
    return sum(map(len, array.reshape(-1))) if array.dtype == object else array.nbytes


@once
def _messages() -> dict[str, Any]:
    """prediction_log.proto and what it imports, as far as requests need it; an Example is declared as its bytes on the wire."""
    return declare(
        "crossload.serving",
        {
            "ModelSpec": [("name", 1, "string"), ("signature_name", 3, "string")],
            "PredictRequest": [("model_spec", 1, "ModelSpec"), ("inputs", 2, {"string": message_class("tensorflow.TensorProto")})],
            "ExampleList": [("examples", 1, ["bytes"])],
            "Input": [("example_list", 1, "ExampleList")],
            "ExamplesRequest": [("model_spec", 1, "ModelSpec"), ("input", 2, "Input")],
            "PredictLog": [("request", 1, "PredictRequest")],
            "ExamplesLog": [("request", 1, "ExamplesRequest")],
            "PredictionLog": [("classify_log", 2, "ExamplesLog"), ("regress_log", 3, "ExamplesLog"), ("predict_log", 6, "PredictLog")],
        },
        oneofs={"PredictionLog": "log_type"},
    )
