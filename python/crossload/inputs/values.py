"""Values drawn for requests: of every datatype, of tables' keys, of the parts of composite tensors, of tf.Examples; seeded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from crossload.artifacts.graphs.composites import Composite
from crossload.contract import datatypes
from crossload.contract.signatures import TensorSpec
from crossload.inputs.domains import Domain, Feature
from crossload.inputs.tf_example import tf_example

_WORDS = [
    "the",
    "a",
    "model",
    "answer",
    "same",
    "java",
    "phone",
    "python",
    "not",
    "good",
    "bad",
    "great",
    "terrible",
    "film",
    "seven",
    "42",
    "naïve",
    "東京",
    "ok",
]
_SENTENCES = (1, 1, 2, 4, 7)  # words per string: tables look up single words
_HARD_TEXT = ("", " ", "UPPER lower", "Grüße, 世界 🌍", "tab\tand\nnewline", "x" * 300)
_HARD_BYTES = (b"\0", b"a\0b", b"\xff\xfe\x80", b"")
# The share of values that are in a table: most, so that a table with wrong values cannot pass; not all, because missing keys also have
# an answer.
_KNOWN = 0.7
_WIDE = 8.0
_MOST_IN_A_ROW = 4
_FREE_DIMENSION_OF_SPARSE = 8


def values(spec: TensorSpec, shape: tuple[int, ...], kind: str, random: np.random.Generator, domain: Domain) -> np.ndarray:
    """An input's values: indices over the whole range that the graph gathers from, a mix of known and unknown keys of its tables."""
    if size := domain.sizes.get(spec.name):
        found = _indices(size, shape, kind, random).astype(datatypes.numpy_dtype(spec.datatype))
        return _padded(found, random) if kind == "padded" else found
    if (within := domain.ranges.get(spec.name)) and kind != "zeros":
        return _calibrated(within, spec.datatype, shape, kind, random)
    made = of_datatype(spec.datatype, shape, kind, random, domain.words)
    keys = domain.keys.get(spec.name)
    if keys and kind == "keys":
        return _each_once(np.array(keys, made.dtype), shape, random)
    if keys and kind not in ("zeros", "extremes"):
        known = random.choice(np.array(keys, made.dtype), shape)
        made = np.where(random.random(shape) < _KNOWN, known, made)
    return _padded(made, random) if kind == "padded" and "INT" in spec.datatype else made


def _calibrated(within: tuple[float, float], datatype: str, shape: tuple[int, ...], kind: str, random: np.random.Generator) -> np.ndarray:
    """Values over the range that a quantised input was calibrated for; the extremes are its ends and what lies beyond, which saturates."""
    low, high = within
    dtype = datatypes.numpy_dtype(datatype)
    if kind == "extremes":
        beyond = [] if "INT" in datatype else [low - (high - low), high + (high - low)]
        return random.permutation(np.resize([low, high, *beyond], shape).ravel()).reshape(shape).astype(dtype)
    drawn = random.uniform(low, high, shape)
    return (np.round(drawn) if "INT" in datatype else drawn).astype(dtype)


def _each_once(keys: np.ndarray, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """The keys in random order, from the beginning again if there are fewer than elements."""
    return np.resize(random.permutation(keys), shape)


def _padded(array: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Each row ends in zeros, from a random place on: as sequences are padded."""
    if array.ndim < 2:
        return array
    ends = random.integers(0, array.shape[-1] + 1, (*array.shape[:-1], 1))
    return np.where(np.arange(array.shape[-1]) < ends, array, 0).astype(array.dtype)


def _indices(size: int, shape: tuple[int, ...], kind: str, random: np.random.Generator) -> np.ndarray:
    """Indices below `size`; the extremes are the first, the last, and those beside them."""
    if kind == "zeros":
        return np.zeros(shape, np.int64)
    if kind == "extremes":
        ends = np.array([0, size - 1, min(1, size - 1), max(size - 2, 0)])
        return random.permutation(np.resize(ends, shape).ravel()).reshape(shape)
    if kind == "keys":
        return _each_once(np.arange(size), shape, random)
    return np.full(shape, min(1, size - 1)) if kind == "ones" else random.integers(0, size, shape)


def of_datatype(datatype: str, shape: tuple[int, ...], kind: str, random: np.random.Generator, words: Sequence[bytes] = ()) -> np.ndarray:
    """Values of a datatype; some strings come from `words`."""
    if datatype == "BYTES":
        return _strings(shape, kind, random, words)
    dtype = datatypes.numpy_dtype(datatype)
    if kind == "zeros":
        return np.zeros(shape, dtype)
    if kind == "extremes":
        return random.permutation(np.resize(_extremes(datatype), shape).ravel()).reshape(shape).astype(dtype)
    if kind == "ones":
        return np.ones(shape, dtype)
    if datatype == "BOOL":
        return random.integers(0, 2, shape).astype(dtype)
    if "INT" in datatype:
        # Integers are mostly indices, counts or pixels: most models accept small ones.
        return random.integers(0, 256 if datatype == "UINT8" else 4 if datatype.endswith("INT4") else 10, shape).astype(dtype)
    if datatype.startswith("COMPLEX"):
        return (random.standard_normal(shape) + 1j * random.standard_normal(shape)).astype(dtype)
    return _floats(shape, kind, random).astype(dtype)


def _floats(shape: tuple[int, ...], kind: str, random: np.random.Generator) -> np.ndarray:
    """Numbers around 0, most beyond the knees of activations if `wide`, before any saturation if `faint`, of one sign, or of pixels."""
    if kind == "pixels":
        return random.uniform(0, 255, shape)
    drawn = random.standard_normal(shape)
    if kind in ("positive", "negative"):
        return _WIDE * np.abs(drawn) * (1 if kind == "positive" else -1)
    return drawn * {"wide": _WIDE, "faint": 1 / _WIDE}.get(kind, 1)


def _extremes(datatype: str) -> np.ndarray:
    """Both ends of a datatype's usual input range: the whole range for small integers, that of pixels for floats."""
    if datatype == "BOOL":
        return np.array([False, True])
    if datatype in ("INT4", "UINT4"):
        return np.array([-8, 7] if datatype == "INT4" else [0, 15])
    if "INT" in datatype:
        info = np.iinfo(datatypes.numpy_dtype(datatype))
        return np.array([info.min, info.max, 0, 1], dtype=info.dtype)
    if datatype.startswith("COMPLEX"):
        return np.array([255 + 0j, -255j, 0, -0.0, 1 - 1j])
    if datatype.startswith("FP8"):
        return np.array([-8.0, 8.0, 0.0, -0.0, 1.0])
    return np.array([-255.0, 255.0, 0.0, -0.0, 1.0, -1.0])


def _strings(shape: tuple[int, ...], kind: str, random: np.random.Generator, known: Sequence[bytes]) -> np.ndarray:
    array = np.empty(shape, dtype=object)
    order = random.permutation(len(known)) if kind == "keys" else ()
    for at in np.ndindex(*shape):
        if kind == "extremes":
            array[at] = _HARD_TEXT[int(random.integers(len(_HARD_TEXT)))].encode()
        elif kind == "bytes":
            array[at] = _HARD_BYTES[int(random.integers(len(_HARD_BYTES)))]
        elif known and kind == "keys":
            array[at] = known[order[np.ravel_multi_index(at, shape) % len(known)]]
        elif known and kind != "zeros" and not any(at):  # every request contains at least one known word alone
            array[at] = known[int(random.integers(len(known)))]
        elif known and kind != "zeros" and random.random() < _KNOWN:
            array[at] = b" ".join(known[int(random.integers(len(known)))] for _ in range(int(random.choice(_SENTENCES))))
        else:
            words = [_WORDS[int(random.integers(len(_WORDS)))] for _ in range(0 if kind == "zeros" else int(random.choice(_SENTENCES)))]
            array[at] = " ".join(words).encode()
    return array


def composite(
    of: Composite, specs: Mapping[str, TensorSpec], kind: str, batch: int, random: np.random.Generator, domain: Domain
) -> dict[str, np.ndarray]:
    """The parts of a composite tensor, which must fit each other."""
    parts = [specs[name] for name in of.parts]
    return (_sparse if of.kind == "sparse" else _ragged)(of, parts, kind, batch, random, domain)


def _ragged(
    of: Composite, parts: Sequence[TensorSpec], kind: str, batch: int, random: np.random.Generator, domain: Domain
) -> dict[str, np.ndarray]:
    """Row splits that start with 0 and never decrease; each level's length follows from the one before (tf.RaggedTensor)."""
    flat, *splits = parts
    made, rows = {}, batch
    for level in splits:
        lengths = random.integers(0, _MOST_IN_A_ROW + 1, rows)
        lengths[:1] = max(1, int(lengths[0])) if kind != "extremes" else lengths[:1]
        made[level.name] = np.concatenate([[0], np.cumsum(lengths)]).astype(datatypes.numpy_dtype(level.datatype))
        rows = int(lengths.sum())
    inner = tuple(_FREE_DIMENSION_OF_SPARSE if d == -1 else d for d in (flat.shape or (-1,))[1:])
    return {flat.name: values(flat, (rows, *inner), kind, random, domain), **made}


def _sparse(
    of: Composite, parts: Sequence[TensorSpec], kind: str, batch: int, random: np.random.Generator, domain: Domain
) -> dict[str, np.ndarray]:
    """Distinct indices in range, in canonical order (tf.SparseTensor)."""
    indices, flat, dense_shape = parts
    rank = next((t.shape[at] for t, at in ((dense_shape, 0), (indices, 1)) if t.shape and len(t.shape) > at and t.shape[at] > 0), 2)
    stated = of.shape if of.shape is not None and len(of.shape) == rank else (-1,) * rank
    shape = tuple((batch if at == 0 else _FREE_DIMENSION_OF_SPARSE) if d == -1 else d for at, d in enumerate(stated))
    count = 0 if kind == "zeros" else max(1, int(np.prod(shape)) // 4)
    places = np.sort(random.choice(int(np.prod(shape)), count, replace=False))
    return {
        flat.name: values(flat, (count,), kind, random, domain),
        indices.name: np.stack(np.unravel_index(places, shape), axis=-1).astype(np.int64).reshape(count, rank),
        dense_shape.name: np.array(shape, dtype=np.int64),
    }


def examples(features: Sequence[Feature], shape: tuple[int, ...], kind: str, random: np.random.Generator, domain: Domain) -> np.ndarray:
    """Serialised tf.Examples with the features that the graph parses; features of any length have up to four values."""
    made = np.empty(shape, dtype=object)
    for at in np.ndindex(*shape):
        made[at] = tf_example({f.name: _feature(f, kind, random, domain) for f in features})
    return made


def _feature(feature: Feature, kind: str, random: np.random.Generator, domain: Domain) -> list[object]:
    length = (int(random.integers(_MOST_IN_A_ROW + 1)),) if feature.shape is None else feature.shape
    size = tuple(int(random.integers(1, _MOST_IN_A_ROW + 1)) if d == -1 else d for d in length)
    # Integers in an Example are identifiers and counts: few models accept the ends of int64.
    calm = "single" if kind == "extremes" and feature.datatype == "INT64" else kind
    found: list[object] = of_datatype(feature.datatype, size, calm, random, domain.words).ravel().tolist()
    return found
