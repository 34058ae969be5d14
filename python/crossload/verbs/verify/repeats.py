"""Whether the reference repeats its own answers: asked twice, and asked again after a fresh load."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from crossload.artifacts.graphs.hidden_state import Hidden
from crossload.compare.tolerance import EPSILON
from crossload.contract import datatypes
from crossload.contract.vectors import Tensors, Vector

Ask = Callable[[Vector], Tensors]
# Threads add in another order each time, which moves an answer by roundings; a random draw moves it by a share of its size.
_SAME = 1e-4
_SAME_ROUNDINGS = 8


def repeated(vectors: Sequence[Vector], ask: Ask, *, exactly: bool = False) -> bool:
    """Whether these answers are given again, in this order; `exactly`: in the same bits."""
    same = _identical if exactly else _equal
    return all(_same(vector.outputs, ask(vector), same) for vector in vectors)


def why_state(hidden: Hidden) -> str:
    """Why an answer depends on the requests before it: the ops that say so, else what was observed."""
    named = (*hidden.changing, *hidden.random)
    return f"it keeps state ({_some(named)})" if named else "the same request asked twice is answered differently, and alike after a load"


def why_not(hidden: Hidden) -> str:
    """Why the reference does not repeat its answers, and what to do."""
    if hidden.at_load:
        cause = f"loading gives random values to the variable {_some(hidden.at_load)}, for which no checkpoint holds a value"
        cure = "export the model with all its variables"
    elif hidden.reads_clock:
        cause = f"it reads the clock ({_some(hidden.random)})"
        cure = "export the model with the time as an input"
    elif hidden.random:
        cause = f"it draws at random ({_some(hidden.random)})"
        cure = "export the model without its random ops (dropout: training=False, keep_prob=1)"
    else:
        cause = "the same request is answered differently after each load"
        cure = "export the model without random ops, and with all its variables"
    return f"the reference does not repeat its own answers: {cause}; {cure}"


def _some(named: Sequence[str]) -> str:
    return ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")


def _same(recorded: Tensors, again: Tensors, same: Callable[[np.ndarray, np.ndarray], bool]) -> bool:
    return all(name in again and same(array, again[name]) for name, array in recorded.items())


def _identical(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and bytes(datatypes.encode(a)) == bytes(datatypes.encode(b))


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype == object or a.dtype.kind in "biu":
        return bool((a == b).all())
    if a.tobytes() == b.tobytes():
        return True
    wide = np.complex128 if a.dtype.kind == "c" else np.float64
    left, right = a.astype(wide), b.astype(wide)
    finite = np.isfinite(left)
    if not (finite == np.isfinite(right)).all() or not finite.any():
        return bool((finite == np.isfinite(right)).all())
    share = max(_SAME, _SAME_ROUNDINGS * EPSILON.get(datatypes.of_array(a), 0.0))
    return bool(np.abs(left - right)[finite].max() <= share * np.abs(left)[finite].max())
