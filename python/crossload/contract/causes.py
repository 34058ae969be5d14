"""Causes: the closed words for what best explains a mismatch, with its evidence and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from crossload.contract.typed import Part

Kind = Literal[
    "activation", "clipped", "constant", "exchanged_inputs", "exchanged_outputs", "infinite", "layout", "nan", "narrower", "negated",
    "one_class", "one_element", "op", "permuted", "quantised", "random", "rolled", "rounding", "rows", "scaled", "shifted", "signature",
    "stale", "state", "transposed", "unknown", "weights", "zero",
]  # fmt: skip
Confidence = Literal["high", "low", "none"]


@dataclass(kw_only=True)
class Cause(Part):
    """What best explains a mismatch. `confidence` is none for `unknown`, and low where another cause could look the same."""

    kind: Kind
    text: str
    evidence: str = ""
    confidence: Confidence = "high"

    def __str__(self) -> str:
        sure = {"high": "", "low": "perhaps ", "none": ""}[self.confidence]
        return f"{sure}{self.text}" + (f" ({self.evidence})" if self.evidence else "")


_NEXT = "crossload diagnose finds the first inner tensor that differs"
UNKNOWN = Cause(kind="unknown", text="not known", evidence=_NEXT, confidence="none")
