"""Which weight or node of an artifact is not as in the bundle's other artifacts: a cause that the answers alone do not show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ml_dtypes
import numpy as np

from crossload.artifacts.tflite import inner
from crossload.contract.causes import Cause, Confidence, Kind
from crossload.errors import CrossloadError
from crossload.runtimes.supervisor import ModelSource
from crossload.verbs.verify import inner_graph
from crossload.verbs.verify.inner_graph import Difference

# More differences than this are no fault of a node, but another graph.
_FEW = 4
_MOST_PAIRS = 64
_CLOSE = 0.98
Answers = Sequence[tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]]


def cause(source: ModelSource, others: Sequence[ModelSource], signature: str, answers: Answers) -> Cause | None:
    """The cause from the artifact itself, beside the bundle's other artifacts of the same signature. None if nothing tells."""
    graphs = [o for o in others if o.format in inner_graph.GRAPHS and signature in o.bindings and o.path != source.path]
    if source.format == "tflite":
        return _of_tflite(source, graphs, answers)
    if source.format not in inner_graph.GRAPHS:
        return None
    own = inner_graph.of(source)
    for other in graphs:
        try:
            found = inner_graph.differences(inner_graph.of(other), own)
        except CrossloadError:
            continue
        if found:
            return _of_nodes(source, other, found, dict(inner_graph.weights(own)))
    return None


def _of_nodes(source: ModelSource, other: ModelSource, found: Sequence[Difference], own: Mapping[str, np.ndarray]) -> Cause | None:
    """The cause from the nodes that differ."""
    beside = f"in the bundle's {other.format}"
    valued = [d for d in found if d.values is not None]
    if len(valued) < len(found):
        wired = [d for d in found if d.values is None]
        if len(wired) > _FEW:
            return None
        more = f", and {len(wired) - 1} more" if len(wired) > 1 else ""
        return Cause(kind="op", text=f"the node {wired[0].name!r} {wired[0].what}{more}", evidence=f"compared with the nodes {beside}")
    said = [_said(d, valued) for d in valued]
    stored = source.format == "saved_model"
    noun = "variable" if stored else "constant"
    if stored and len(valued) > 1 and len(valued) >= min(len(own), max(2, len(own) - 1)):
        text = "every variable holds other values: another checkpoint's, or initial ones"
        return Cause(kind="stale", text=text, evidence=f"none of {len(valued)} is as {beside}")
    if stored and any(word in said[0] for word in ("is zero", "is one everywhere")):
        text = f"the {noun} {valued[0].name!r} {said[0]}: initial or never restored"
        return Cause(kind="stale", text=text, evidence=f"it has other values {beside}")
    more = f", and {len(valued) - 1} more" if len(valued) > 1 else ""
    kind: Kind = "narrower" if "rounded" in said[0] else "weights"
    return Cause(kind=kind, text=f"the {noun} {valued[0].name!r} {said[0]}{more}", evidence=f"compared with its values {beside}")


def _said(difference: Difference, all_of_them: Sequence[Difference]) -> str:
    assert difference.values
    wanted, got = difference.values
    for one in all_of_them:
        if one is not difference and one.values and np.array_equal(one.values[0], got):
            return f"holds the values of {one.name!r}"
    return how(wanted, got)


def how(wanted: np.ndarray, got: np.ndarray) -> str:
    """How an array differs from the wanted one, in a few words that follow its name."""
    if wanted.shape != got.shape:
        if wanted.size == got.size and np.array_equal(np.sort(wanted, axis=None), np.sort(got, axis=None)):
            return "has its axes in another order"
        return f"has the shape {list(got.shape)} instead of {list(wanted.shape)}"
    one, other = wanted.astype(np.float64), got.astype(np.float64)
    if not other.any():
        return "is zero"
    if (other == 1).all():
        return "is one everywhere"
    if np.array_equal(other, -one):
        return "is negated"
    for name, dtype in (("float16", np.float16), ("bfloat16", ml_dtypes.bfloat16)):
        if np.array_equal(one.astype(dtype).astype(np.float64), other):
            return f"is rounded to {name}"
    if one.ndim > 1 and any(np.array_equal(np.flip(one, axis), other) for axis in range(one.ndim)):
        return "is reversed along an axis"
    if np.array_equal(np.sort(one, axis=None), np.sort(other, axis=None)):
        return "has its elements in another order"
    differing = one != other
    if differing.sum() == 1:
        at = [int(i) for i in np.argwhere(differing)[0]]
        return f"differs in the one element {at}: {other[differing][0]:.4g} instead of {one[differing][0]:.4g}"
    size = float(np.vdot(one, one))
    scale = float(np.vdot(one, other)) / size if size else 0.0
    if scale and np.abs(other - scale * one).max() <= 1e-5 * np.abs(other).max():
        return f"is scaled by {scale:.4g}"
    return f"differs in {int(differing.sum()):,} of {one.size:,} elements, by up to {np.abs(other - one).max():.3g}"


def _of_tflite(source: ModelSource, graphs: Sequence[ModelSource], answers: Answers) -> Cause | None:
    """Quantised or narrow weights, or the weights that no graph of the bundle holds."""
    there = inner.read(source.path)
    constants = [t for t in there.tensors if t.extent]
    near = _cosine(answers) >= _CLOSE
    if narrow := [t for t in constants if t.quantised and t.datatype in ("INT8", "UINT8", "INT4", "INT16")]:
        said = f"{len(narrow)} of its constants are {narrow[0].datatype.lower()}, as {narrow[0].name!r}"
        return Cause(kind="quantised", text="the model is quantised", evidence=said, confidence="high" if near else "low")
    if halves := [t for t in constants if t.datatype in ("FP16", "BF16")]:
        said = f"{len(halves)} of its constants are narrower floats, as {halves[0].name!r}"
        return Cause(
            kind="narrower", text="the model's weights are rounded to float16", evidence=said, confidence="high" if near else "low"
        )
    values = {t.name: v for t in constants if t.datatype == "FP32" and (v := there.value(t)) is not None and v.size > 3}
    for graph in graphs:
        try:
            other = {n: v for n, v in inner_graph.weights(inner_graph.of(graph)) if v.size > 3}
        except CrossloadError:
            continue
        if found := _unmatched(values, other):
            kind: Kind = "narrower" if "rounded" in found else "weights"
            sure: Confidence = "low" if "scaled" in found else "high"  # converters multiply factors into weights
            return Cause(kind=kind, text=found, evidence=f"its other weights are those of the bundle's {graph.format}", confidence=sure)
    return None


def _unmatched(own: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> str | None:
    """The weight that no weight of the graph equals, whatever the order of its axes; None if many are so (a converter fused them)."""
    known = {_multiset(v) for v in other.values()}
    strange = {n: v for n, v in own.items() if _multiset(v) not in known}
    held = {_multiset(v) for v in own.values()}
    missing = {n: v for n, v in other.items() if _multiset(v) not in held}
    if not strange or len(strange) > 2 or (len(strange) == len(own) > 1) or len(own) > _MOST_PAIRS:
        return None
    name, value = next(iter(strange.items()))
    pairs = [(n, v) for n, v in missing.items() if v.size == value.size]
    if len(pairs) != 1:
        return None
    wanted = pairs[0][1]
    for axes in _axes(wanted, value):
        said = how(np.transpose(wanted, axes).reshape(value.shape), value)
        if "elements" not in said or "one element" in said:
            return f"the constant {name!r} {said}"
    if len(strange) == len(own):  # nothing shows that the others are the graph's
        return None
    return f"the constant {name!r} is not the weight {pairs[0][0]!r} of the graph"


def _axes(wanted: np.ndarray, value: np.ndarray) -> list[tuple[int, ...]]:
    """The orders in which TFLite keeps weights: as they are, transposed (Dense), the last axis first (Conv2D)."""
    n = wanted.ndim
    orders = [tuple(range(n)), tuple(reversed(range(n))), (n - 1, *range(n - 1))]
    return [o for o in dict.fromkeys(orders) if wanted.size == value.size]


def _multiset(value: np.ndarray) -> bytes:
    return np.sort(value, axis=None).astype(np.float64).tobytes()


def _cosine(answers: Answers) -> float:
    """The cosine of all answers that are numbers and their references."""
    both = [(r[n], a[n]) for r, a in answers for n in r if n in a and r[n].dtype.kind not in "OSUbc" and r[n].shape == a[n].shape]
    pairs = [(r.astype(np.float64).ravel(), a.astype(np.float64).ravel()) for r, a in both]
    if not pairs:
        return 0.0
    one, other = (np.concatenate([p[i] for p in pairs]) for i in (0, 1))
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.vdot(one, other)) / size if size else 0.0
