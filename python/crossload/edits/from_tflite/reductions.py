"""Operators that reduce dimensions to one value."""

from __future__ import annotations

from crossload.edits.from_tflite.operation import Rewrite

_OPS = {
    "MEAN": "Mean", "SUM": "Sum", "REDUCE_MAX": "Max", "REDUCE_MIN": "Min", "REDUCE_PROD": "Prod", "REDUCE_ANY": "Any", "REDUCE_ALL": "All",
}  # fmt: skip


def _reduced(op: str) -> Rewrite:
    return lambda o: o.add(op, o[0], o[1], keep_dims=o.options["keep_dims"])


OPERATORS: dict[str, Rewrite] = {name: _reduced(op) for name, op in _OPS.items()}
