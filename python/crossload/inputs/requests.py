"""Requests made from a signature: random batches of one and several, zeros, extremes; the same seed gives the same bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise, product
from pathlib import Path
from typing import Any

import numpy as np

from crossload.artifacts.graphs.composites import by_name
from crossload.contract import datatypes, defaults
from crossload.contract.signatures import Signature, TensorSpec
from crossload.contract.vectors import Vector
from crossload.errors import CrossloadError
from crossload.inputs import values
from crossload.inputs.domains import Domain
from crossload.inputs.npz import from_npz

SEVERAL = 3
# The size of a free dimension other than the batch: small, but enough for most convolutional networks.
FREE_DIMENSION = 32
# Sequences of one element, of an odd number, of many.
_LENGTHS = {"short": 1, "odd": 7, "long": 97}
# Extra requests have at most this many bytes together.
_MOST_EXTRA_BYTES = 4 << 20
# Every key or index is asked for once, up to this many.
_MOST_KEYS = 256
# An input of more elements, 1 GiB of float32, is a damaged shape rather than a request.
_MOST_ELEMENTS = 1 << 28
# The shapes of an input of unknown rank, the likely ones first (-1 is the batch), and how many combinations of them are tried.
_RANKS: tuple[tuple[int, ...], ...] = ((-1,), (), (-1, FREE_DIMENSION))
_MOST_RANKS = 12


@dataclass(frozen=True)
class Requests:
    """The requests to make: the number per signature, their seed, shapes for inputs of free shape, and the user's own inputs.

    An element of `inputs` is a mapping of arrays by input, or an .npz file. An export seeds at most `faults` faults into the reference's
    graph and adds requests that detect them. Inputs in `fixed` have this value in every generated request.
    """

    count: int = 8
    seed: int = 0
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    inputs: tuple[Mapping[str, np.ndarray] | Path, ...] = ()
    faults: int = 200
    fixed: Mapping[str, bool | int | float] = field(default_factory=dict)

    def own(self) -> list[Mapping[str, np.ndarray]]:
        """The user's own inputs, read from files; raises CrossloadError for an unreadable file."""
        return [from_npz(own) if isinstance(own, Path) else own for own in self.inputs]


def draw(signature: Signature, requests: Requests, domain: Domain | None = None) -> list[Vector]:
    """The vectors (without outputs) of a signature; `domain` describes its inputs as far as the graph tells (inputs.domains).

    Generated ones are `single_n` (batch 1), `batch_n` (batch 3), `zeros`, `extremes`, with strings `bytes`, and `keys`: every key of a
    table and every index that the graph gathers by, as far as the graph tells. `user_n` are the user's own that fit this signature
    (`check_requests` reports those that fit none). `single_n` omits inputs with a default.
    """
    domain = domain or Domain()
    kinds = ["single", "batch", "zeros", "extremes"] + (["bytes"] if any(t.datatype == "BYTES" for t in signature.inputs) else [])
    if any(_keys(t, domain) for t in signature.inputs):
        kinds.append("keys")
    if not signature.inputs:
        kinds = ["single"]
    names = [f"{kind}_0" if kind in ("single", "batch") else kind for kind in kinds]
    more = 1
    while len(names) < requests.count and signature.inputs:
        names += [f"single_{more}", f"batch_{more}"]
        more += 1
    made = [
        Vector(name, _request(signature, name.split("_")[0], np.random.default_rng([requests.seed, at]), requests, domain))
        for at, name in enumerate(names[: requests.count])
    ]
    made = [replace(v, inputs=_alike(signature, v.inputs)) for v in made]
    for at, own in enumerate(requests.own()):
        with suppress(CrossloadError):
            made.append(Vector(f"user_{at}", complete(signature, own)))
    return made


def of_ranks(signature: Signature, requests: Requests) -> list[Requests]:
    """The requests with a shape for each input of unknown rank, the likely combinations first; the requests alone if there is none.

    The shapes are vectors, scalars and matrices: all inputs alike, then mixed.
    """
    parts = {name for composite in by_name(signature) for name in composite.parts}
    free = [t.name for t in signature.inputs if t.shape is None and t.name not in requests.shapes and t.name not in parts]
    if not free:
        return [requests]
    alike = [(shape,) * len(free) for shape in _RANKS]
    mixed = islice(product(_RANKS, repeat=len(free)), len(_RANKS) ** 4)
    combinations = list(dict.fromkeys([*alike, *mixed]))[:_MOST_RANKS]
    return [replace(requests, shapes={**requests.shapes, **dict(zip(free, shapes, strict=True))}) for shapes in combinations]


def extra(signature: Signature, requests: Requests, domain: Domain, drawn: Sequence[Vector]) -> list[Vector]:
    """More vectors, each worth keeping only if it detects what the `drawn` ones do not.

    Floats beyond the knees of activations, small ones that saturate nothing, of one sign, of pixels; ones; sequences of other lengths,
    or that end in padding; mixtures of the user's own inputs.
    """
    datatypes_of = {t.datatype for t in signature.inputs}
    kinds = ["wide", "faint", "positive", "negative", "pixels"] if any(d.startswith(("FP", "BF")) for d in datatypes_of) else []
    kinds += ["ones"] if any("INT" in d or d == "BOOL" for d in datatypes_of) else []
    kinds += ["padded"] if any("INT" in t.datatype and len(t.shape or ()) > 1 for t in signature.inputs) else []
    kinds += [*_LENGTHS] if any(-1 in (t.shape or ())[1:] and t.name not in requests.shapes for t in signature.inputs) else []
    found, total = [], 0
    randoms = [np.random.default_rng([requests.seed, 1000 + at]) for at in range(len(kinds))]
    made = [(kind, _request(signature, kind, random, requests, domain)) for kind, random in zip(kinds, randoms, strict=True)]
    for name, drawn_inputs in [*made, *_mixtures([v for v in drawn if v.id.startswith("user_")], requests.seed)]:
        inputs = _alike(signature, drawn_inputs)
        total += sum(array.nbytes for array in inputs.values())
        if total <= _MOST_EXTRA_BYTES:
            found.append(Vector(name, inputs, extra=True))
    return found


def _mixtures(own: Sequence[Vector], seed: int) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Two of the user's own requests of the same shapes, each element from one of them."""
    for at, (one, other) in enumerate(pairwise(own)):
        if all(one.inputs[n].shape == other.inputs[n].shape for n in one.inputs):
            random = np.random.default_rng([seed, 2000 + at])
            mixed = {n: np.where(random.random(a.shape) < 0.5, a, other.inputs[n]) for n, a in one.inputs.items()}
            yield f"mixture_{at}", {n: array.astype(one.inputs[n].dtype) for n, array in mixed.items()}


def check_requests(requests: Requests, signatures: Mapping[str, Signature]) -> None:
    """Raise CrossloadError for own inputs that fit no signature and for shapes of unknown inputs, which would have no effect."""
    inputs = list(dict.fromkeys(t.name for s in signatures.values() for t in s.inputs))
    for name in requests.shapes:
        if name not in inputs:
            raise CrossloadError(f"--shape {name}: there is no such input; the inputs are: {', '.join(inputs)}")
    for own in requests.own():
        problems = []
        for signature in signatures.values():
            try:
                complete(signature, own)
                break
            except CrossloadError as error:
                problems.append(error)
        else:
            raise problems[0]


def complete(signature: Signature, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inputs in the signature's order and datatypes, defaults filled in.

    Raises CrossloadError naming the input that is unknown, missing, or has the wrong datatype or shape.
    """
    there = [t.name for t in signature.inputs]
    for name in inputs:
        if name not in there:
            raise CrossloadError(f"there is no input {name!r}; the signature takes: {', '.join(there) or 'no inputs'}")
    completed = {}
    for spec in signature.inputs:
        if spec.name in inputs:
            completed[spec.name] = fit(spec, _as_array(inputs[spec.name], spec))
        elif spec.default is not None:
            completed[spec.name] = defaults.array(spec)
        else:
            raise CrossloadError(f"the input {spec.name!r} is missing; the signature takes: {', '.join(there)}")
    for one, other in _shared(signature):
        if one in completed and other in completed and not _same(completed[one], completed[other]):
            raise CrossloadError(
                f"the inputs {one!r} and {other!r} are one tensor of the graph, and two different values were given for it"
            )
    return completed


def _shared(signature: Signature) -> list[tuple[str, str]]:
    """Pairs of inputs that are bound to one tensor: whoever feeds both has one of the values win, or the runtime abort."""
    first: dict[str | int, str] = {}
    return [(owner, t.name) for t in signature.inputs if t.tensor is not None and (owner := first.setdefault(t.tensor, t.name)) != t.name]


def _alike(signature: Signature, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inputs, those of one tensor with one value."""
    owners = {other: one for one, other in _shared(signature)}
    return {n: inputs.get(owners.get(n, n), array) for n, array in inputs.items()}


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    if object in (one.dtype, other.dtype):
        return one.shape == other.shape and bool((one == other).all())
    return one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()


def _as_array(value: Any, spec: TensorSpec) -> np.ndarray:
    """The value as an array; Python's own numbers, which have no datatype, take the input's floating one, as literals do."""
    array = np.asarray(value)
    if not hasattr(value, "dtype") and array.dtype.kind == "f" and spec.datatype.startswith(("FP", "BF")):
        return array.astype(datatypes.numpy_dtype(spec.datatype))
    return array


def fit(spec: TensorSpec, array: np.ndarray) -> np.ndarray:
    """The array converted to the input's datatype without loss; raises CrossloadError if datatype or shape do not fit."""
    people = datatypes.for_people
    try:
        got = datatypes.of_array(array)
        if got == spec.datatype == "BYTES":
            datatypes.encode(array)
    except ValueError as error:
        raise CrossloadError(f"the input {spec.name!r} is {people(spec.datatype)}: {error}") from error
    if got != spec.datatype:
        wanted = datatypes.numpy_dtype(spec.datatype)
        if spec.datatype == "BYTES":
            raise CrossloadError(f"the input {spec.name!r} takes strings, and {people(got)} was given; give text, bytes or a file's bytes")
        if got == "BYTES" or not kept(array, wanted):
            from crossload.inputs import quantization

            raise CrossloadError(
                f"the input {spec.name!r} is {people(spec.datatype)}; {people(got)} was given and does not convert without loss"
                f"{quantization.hint(spec, array)}"
            )
        array = array.astype(wanted)
    if spec.shape is not None and not _fits(spec.shape, array.shape):
        raise CrossloadError(f"the input {spec.name!r} has shape {list(spec.shape)} (-1 is any); {list(array.shape)} was given")
    return array


def kept(array: np.ndarray, dtype: np.dtype) -> bool:
    """Whether every value survives the conversion to `dtype`: the round trip is equal, and no sign has wrapped around."""
    if array.dtype.kind == "c" != dtype.kind:
        return not array.imag.any() and kept(array.real, dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        made = array.astype(dtype)
        same = np.array_equal(made.astype(array.dtype), array, equal_nan=array.dtype.kind in "fc")
    wrapped = {"iu": array, "ui": made}.get(array.dtype.kind + dtype.kind)
    return same and (wrapped is None or not (wrapped < 0).any())


def rows(
    signature: Signature, kind: str, random: np.random.Generator, requests: Requests, domain: Domain, count: int
) -> dict[str, np.ndarray]:
    """The inputs of one request of a kind, with `count` rows."""
    return _alike(signature, _request(signature, kind, random, requests, domain, count))


def _request(
    signature: Signature, kind: str, random: np.random.Generator, requests: Requests, domain: Domain, batch: int | None = None
) -> dict[str, np.ndarray]:
    made: dict[str, np.ndarray] = {}
    specs = {spec.name: spec for spec in signature.inputs}
    batch = batch or _batch(kind, signature, domain)
    parts = {name: composite for composite in domain.composites or by_name(signature) for name in composite.parts}
    for spec in signature.inputs:
        if spec.name in made:
            continue
        if spec.name in requests.fixed:
            shape = _drawable(spec, _shape(spec, kind, requests, batch))
            made[spec.name] = np.full(shape, requests.fixed[spec.name], datatypes.numpy_dtype(spec.datatype))
        elif spec.name in parts:
            made |= values.composite(parts[spec.name], specs, kind, batch, random, domain)
        elif spec.default is not None and kind == "single":
            continue
        elif spec.default is not None and kind == "zeros":
            made[spec.name] = defaults.array(spec)
        elif features := domain.examples.get(spec.name):
            made[spec.name] = values.examples(features, _shape(spec, kind, requests, batch), kind, random, domain)
        else:
            made[spec.name] = values.values(spec, _drawable(spec, _shape(spec, kind, requests, batch)), kind, random, domain)
    return {spec.name: made[spec.name] for spec in signature.inputs if spec.name in made}


def _batch(kind: str, signature: Signature, domain: Domain) -> int:
    if kind == "keys":
        return max(1, *(-(-min(_keys(t, domain), _MOST_KEYS) // _row(t)) for t in signature.inputs))
    return 1 if kind in ("single", "zeros", "extremes") else SEVERAL


def _keys(spec: TensorSpec, domain: Domain) -> int:
    """How many keys or indices the graph has for an input."""
    return domain.sizes.get(spec.name) or len(domain.keys.get(spec.name, ())) or (len(domain.words) if spec.datatype == "BYTES" else 0)


def _row(spec: TensorSpec) -> int:
    """The elements of one row of a batch."""
    return max(1, math.prod(FREE_DIMENSION if d == -1 else d for d in (spec.shape or ())[1:]))


def _shape(spec: TensorSpec, kind: str, requests: Requests, batch: int) -> tuple[int, ...]:
    """The shape with its free dimensions filled in; the first is the batch."""
    wished = requests.shapes.get(spec.name)
    if wished is not None and spec.shape is not None and not _fits(spec.shape, wished):
        raise CrossloadError(f"--shape {spec.name}: the input has shape {list(spec.shape)} (-1 is any), which {list(wished)} does not fit")
    if wished is not None:
        return tuple(batch if d == -1 else d for d in wished)
    if spec.shape is None:
        return (batch,)
    return tuple((batch if at == 0 else _LENGTHS.get(kind, FREE_DIMENSION)) if d == -1 else d for at, d in enumerate(spec.shape))


def _drawable(spec: TensorSpec, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape; raises CrossloadError for one of more elements than fit a request."""
    if (count := math.prod(shape)) > _MOST_ELEMENTS:
        free = spec.shape is not None and -1 in spec.shape
        step = f"choose a smaller one with --shape {spec.name}=…" if free else "is the file damaged? Convert it again"
        said = f"the input {spec.name!r} has the shape {list(shape)}: {count:,} elements, and crossload draws at most {_MOST_ELEMENTS:,}"
        raise CrossloadError(f"{said}; {step}")
    return shape


def _fits(wanted: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return len(wanted) == len(shape) and all(want == -1 or have in (-1, want) for want, have in zip(wanted, shape, strict=True))
