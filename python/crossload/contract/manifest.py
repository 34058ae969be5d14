"""The manifest `crossload.json`: what a bundle promises (bindings/contract/manifest.schema.json is made from these classes)."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from crossload.contract import typed
from crossload.contract.bridge import CARRIERS
from crossload.contract.datatypes import DATATYPES
from crossload.contract.names import MANIFEST
from crossload.contract.signatures import Signature
from crossload.contract.typed import Part
from crossload.errors import ManifestError
from crossload.support.text import not_json

FILE_NAME = MANIFEST
SCHEMA_VERSION = 1
# In `producer`: what a library of custom ops begins with, before its file's name; the value is its SHA-256.
OP_LIBRARY = "op_library "


@dataclass(kw_only=True)
class Model(Part):
    """Which model the bundle holds."""

    name: str
    version: str = "1"


@dataclass(kw_only=True)
class Bridge(Part):
    """The same computation for a runtime that lacks a datatype of the signature: its inputs and outputs have other datatypes instead.

    `key` is the bridge's own SignatureDef, None in a GraphDef; `inputs` and `outputs` bind every name of the signature. `carriers`
    says which datatype travels as which ({"INT8": "INT32"}); contract.bridge converts there and back; other datatypes stay unchanged.
    """

    key: str | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    carriers: dict[str, str]


@dataclass(kw_only=True)
class Binding(Part):
    """Where a signature's names are in one artifact: `operation:index` in graphs, a tensor index in a .tflite.

    `key` is the SignatureDef's key inside the artifact, None where the artifact has no SignatureDef.
    """

    key: str | None = None
    inputs: dict[str, str | int] = field(default_factory=dict)
    outputs: dict[str, str | int] = field(default_factory=dict)
    bridge: Bridge | None = None


@dataclass(kw_only=True)
class Made(Part):
    """How a conversion made an artifact: the source's format, the formats on the way, whether both gave the same answers.

    `runtimes` are its target runtimes (`convert --runtime`), and `repairs` the changes made for them.
    """

    source: str
    way: list[str]
    verified: bool
    runtimes: list[str] | None = None
    repairs: list[str] | None = None


@dataclass(kw_only=True)
class Quality(Part):
    """How far an output of a quantised artifact is from the float model's, over `rows` requests of `data`; None where it does not apply.

    `decisions` is the share of rows with the same argmax, `flip_margin` the greatest margin that the float model gave a decision that
    changes (a share of the output's range), `sqnr` the signal-to-quantisation-noise ratio in dB; `max_steps` and `mean_steps` are the
    errors in steps of the output's scale. `collapsed` says what makes the output useless.
    """

    signature: str
    output: str
    data: str
    rows: int
    accuracy: float | None = None
    float_accuracy: float | None = None
    decisions: float | None = None
    flip_margin: float | None = None
    sqnr: float | None = None
    cosine: float | None = None
    max_abs: float | None = None
    mean_abs: float | None = None
    max_steps: float | None = None
    mean_steps: float | None = None
    collapsed: str | None = None


@dataclass(kw_only=True)
class Artifact(Part):
    """One saved model in one format; `path` is relative to the bundle. `made` describes its conversion.

    `quality` is what quantisation costs, by output. It is no part of the question whether runtimes agree on the artifact.
    """

    id: str
    format: str
    path: str
    tags: list[str] | None = None
    sha256: str
    bindings: dict[str, Binding] = field(default_factory=dict)
    made: Made | None = None
    quality: list[Quality] = field(default_factory=list)


@dataclass(kw_only=True)
class Reference(Part):
    """The reference that recorded the answers: a fresh process of this runtime on the reloaded artifact; `environment` may change bits."""

    runtime: str
    version: str
    artifact: str
    environment: dict[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(kw_only=True)
class LeftOut(Part):
    """A generated request or a signature that the reference itself could not answer, or a format that cannot express the model."""

    id: str
    reason: str


@dataclass(kw_only=True)
class Rounding(Part):
    """How the rounding beside an output's recorded answers was found, and the greatest of it.

    `float64`: against the same graph in float64, except for the ops in `narrow`, which have no kernel for it and computed in float32;
    `perturbation`: inputs and weights were moved by a random half ULP; `datatype`: neither was possible, so it is a share of the largest
    element.
    """

    origin: Literal["float64", "perturbation", "datatype"]
    largest: float = field(metadata={"minimum": 0})
    narrow: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Steps(Part):
    """How a quantised output is judged: one step is the `scale` that its tensor is stored with, and `allowed` steps are close.

    `scale` is 1 where the answer is the stored integers. `ops` are the file's operators that allow the most steps; `allowed` is more than
    theirs where rounding in one layer was measured to carry further.
    """

    scale: float = field(metadata={"minimum": 0})
    allowed: int = field(metadata={"minimum": 0})
    ops: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not 0 < self.scale < math.inf:
            raise typed.Misfit("scale", f"must be a finite number above 0, not {self.scale}")
        if self.allowed < 0:
            raise typed.Misfit("allowed", f"must be a number of steps, 0 or more, not {self.allowed}")


@dataclass(kw_only=True)
class SeededFault(Part):
    """A fault seeded into the reference's graph: the node, and what was done to it (`zeroed`, `rows 0 and 9 exchanged`)."""

    node: str
    kind: str


@dataclass(kw_only=True)
class Strength(Part):
    """How many faults, seeded one at a time into the reference's frozen graph, the vectors detect; `not_measured` says why not."""

    seeded: int = 0
    detected: int = 0
    unseen: list[SeededFault] = field(default_factory=list)
    not_measured: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.detected <= self.seeded:
            raise typed.Misfit("detected", f"must be a number from 0 to that of the seeded faults, not {self.detected}")


@dataclass(kw_only=True)
class Vectors(Part):
    """A vectors file and its provenance; `rounding` and `steps` are by output. `strength`, which bundles may lack, is what they are worth.

    `state` says why an answer depends on the requests before it. The vectors then are a sequence: the model is loaded afresh before the
    first of them, and asked in the file's order. If any signature has it, the model is loaded afresh before each signature.
    """

    signature: str
    path: str
    count: int
    sha256: str
    seed: int
    reference: Reference
    left_out: list[LeftOut] = field(default_factory=list)
    rounding: dict[str, Rounding] = field(default_factory=dict)
    steps: dict[str, Steps] = field(default_factory=dict)
    strength: Strength | None = None
    state: str | None = None


@dataclass(kw_only=True)
class Tolerance(Part):
    """`close` means |answer - reference| <= atol + rtol * |reference|; `ulp` means at most that many units in the last place."""

    rtol: float = field(default=0.0, metadata={"minimum": 0})
    atol: float = field(default=0.0, metadata={"minimum": 0})
    ulp: int = field(default=4, metadata={"minimum": 0})

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < math.inf:
                raise typed.Misfit(name, f"must be a finite number, 0 or greater, not {value}")


@dataclass(kw_only=True)
class Manifest(Part):
    """`crossload.json`. A key of `tolerance` is a datatype of the contract or an output's name, which wins over its datatype."""

    crossload: Literal[1] = 1
    model: Model
    producer: dict[str, str] = field(default_factory=dict)
    signatures: dict[str, Signature]
    artifacts: list[Artifact]
    left_out: list[LeftOut] = field(default_factory=list)
    vectors: list[Vectors] = field(default_factory=list)
    tolerance: dict[str, Tolerance] = field(default_factory=dict)

    @property
    def op_libraries(self) -> list[str]:
        """The files' names of the libraries of custom ops that the model needs; `producer` has their SHA-256 (contract.op_libraries)."""
        return [key.removeprefix(OP_LIBRARY) for key in self.producer if key.startswith(OP_LIBRARY)]

    def model_dump(self, *, exclude_none: bool = False) -> dict[str, Any]:
        """The plain data, with the signatures as the manifest promises them."""
        signatures = {
            name: s.to_json() | {side: [_promise(t) for t in s.to_json()[side]] for side in ("inputs", "outputs")}
            for name, s in self.signatures.items()
        }
        return super().model_dump(exclude_none=exclude_none) | {"signatures": signatures}

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps(self.model_dump(exclude_none=True), indent=1, ensure_ascii=False) + "\n"


def parse(text: str | bytes, source: Path) -> Manifest:
    """The manifest of this text; raises ManifestError in one sentence, for a newer schema first."""
    try:
        content = json.loads(text, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{source} {not_json(error)}; export the bundle again") from error
    version = content.get("crossload") if isinstance(content, dict) else None
    if not isinstance(version, int):
        raise ManifestError(f"{source} is not a crossload manifest: it has no schema version under the key 'crossload'")
    if version > SCHEMA_VERSION:
        raise ManifestError(
            f"{source} has schema version {version}, this crossload reads up to {SCHEMA_VERSION}; install a newer crossload"
        )
    try:
        manifest = typed.read(Manifest, content)
    except typed.Misfit as error:
        raise ManifestError(f"{source} does not follow the manifest's schema at {error}") from error
    if problem := next(_inconsistencies(manifest), None):
        raise ManifestError(f"{source}: {problem}")
    return manifest


def json_schema() -> str:
    """The text of bindings/contract/manifest.schema.json."""
    from crossload.contract import schema

    return schema.text(Manifest)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys; readers in other languages would choose another value of a repeated key."""
    if twice := _twice(key for key, _ in pairs):
        raise ValueError(f"an object has the key {twice[0]!r} twice")
    return dict(pairs)


def _inconsistencies(manifest: Manifest) -> Iterator[str]:
    """Errors beyond the schema: duplicate and undefined names."""
    for name, signature in manifest.signatures.items():
        for side, tensors in (("inputs", signature.inputs), ("outputs", signature.outputs)):
            yield from (f"signature {name!r} has two {side} {twice!r}" for twice in _twice(t.name for t in tensors))
            unknown = (t for t in tensors if t.datatype not in DATATYPES)
            yield from (f"signature {name!r}, tensor {t.name!r} has the unknown datatype {t.datatype!r}" for t in unknown)
    yield from (f"there are two artifacts {twice!r}" for twice in _twice(a.id for a in manifest.artifacts))
    for artifact in manifest.artifacts:
        for name, binding in artifact.bindings.items():
            if name not in manifest.signatures:
                yield f"artifact {artifact.id!r} binds the signature {name!r}, which the manifest does not describe"
            else:
                yield from (f"artifact {artifact.id!r}, signature {name!r}: {p}" for p in _misbound(manifest.signatures[name], binding))
    yield from (f"there are two vectors files for the signature {twice!r}" for twice in _twice(v.signature for v in manifest.vectors))
    undescribed = (v.signature for v in manifest.vectors if v.signature not in manifest.signatures)
    yield from (f"there are vectors of the signature {name!r}, which it does not describe" for name in undescribed)
    outputs = {t.name for s in manifest.signatures.values() for t in s.outputs}
    never = (name for name in manifest.tolerance if name not in outputs and name not in DATATYPES)
    yield from (f"the tolerance {name!r} is neither an output nor a datatype" for name in never)


def _misbound(signature: Signature, binding: Binding) -> Iterator[str]:
    for side, tensors, bound in (("input", signature.inputs, binding.inputs), ("output", signature.outputs, binding.outputs)):
        names = [t.name for t in tensors]
        yield from (f"it binds the {side} {name!r}, which the signature does not have" for name in bound if name not in names)
        if binding.key is None:  # then the artifact itself does not have the names
            yield from (f"it binds no {side} {name!r}" for name in names if name not in bound)
    if bridge := binding.bridge:
        for side, tensors, crossed in (("input", signature.inputs, bridge.inputs), ("output", signature.outputs, bridge.outputs)):
            if {t.name for t in tensors} != set(crossed):
                yield f"its bridge binds the {side}s {', '.join(sorted(crossed)) or 'none'}, which are not those of the signature"
        yield from (f"its bridge carries {d} as {c}, which is not in the table" for d, c in bridge.carriers.items() if CARRIERS.get(d) != c)


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _promise(tensor: dict[str, Any]) -> dict[str, Any]:
    """A tensor as the manifest promises it; its place in an artifact belongs in the binding."""
    return {k: v for k, v in tensor.items() if k not in ("tensor", "quantization")}
