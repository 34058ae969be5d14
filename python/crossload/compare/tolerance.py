"""Tolerances: the default of each datatype, the manifest's, the command line's; lists those raised by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from crossload.contract.datatypes import DATATYPES, from_tensorflow
from crossload.contract.manifest import Steps, Tolerance
from crossload.errors import CrossloadError

# atol and rtol are about 100 units in the last place at 1.0 (2^-23 for FP32): the possible loss of a long sum in another order;
# atol is a tenth of it, for sums that cancel. Integers, strings and bools are exact.
DEFAULTS = {
    "FP64": Tolerance(rtol=1e-12, atol=1e-13),
    "FP32": Tolerance(rtol=1e-5, atol=1e-6),
    "FP16": Tolerance(rtol=5e-3, atol=5e-4),
    "BF16": Tolerance(rtol=4e-2, atol=4e-3),
    "COMPLEX64": Tolerance(rtol=1e-5, atol=1e-6),
    "COMPLEX128": Tolerance(rtol=1e-12, atol=1e-13),
}
_EXACT = Tolerance(ulp=0)
# The distance from 1 to the next number: what an element's own last place may be off.
EPSILON = {"FP64": 2**-52, "FP32": 2**-23, "FP16": 2**-10, "BF16": 2**-7, "COMPLEX64": 2**-23, "COMPLEX128": 2**-52}
# The multiple of the rounding that is close: twice the widest of tests/corpus/healthy.py, 16.6 (bilinear_resize in LiteRT).
BOUND = 32.0
# The last places that dequantisation, scale * (stored - zero point), may be off in float32.
_LAST_PLACES = 4


@dataclass
class Tolerances:
    """The limits of `close`: by output name first, then by datatype."""

    given: dict[str, Tolerance] = field(default_factory=dict)

    def given_for(self, output: str, datatype: str) -> Tolerance | None:
        """The tolerance that somebody stated for an output, or for its datatype."""
        return self.given.get(output) or self.given.get(datatype)

    def of(
        self,
        output: str,
        datatype: str,
        rounding: float | None = None,
        largest: Callable[[], float] = lambda: 0.0,
        steps: Steps | None = None,
    ) -> Tolerance:
        """The tolerance of one output: the given one, else its steps, else a multiple of its rounding, else the datatype's default.

        The default's atol is at most its rtol of the reference's largest element; `largest` computes that, 0 where there is none.
        """
        if given := self.given_for(output, datatype):
            return given
        if steps:  # a dequantised float has its own last places beside them
            return Tolerance(rtol=_LAST_PLACES * EPSILON.get(datatype, 0.0), atol=steps.allowed * steps.scale, ulp=0)
        if unit := unit_of(datatype, rounding):
            return Tolerance(rtol=BOUND * unit.rtol, atol=BOUND * unit.atol)
        default = DEFAULTS.get(datatype, _EXACT)
        if default.atol and (scale := largest()):
            return Tolerance(rtol=default.rtol, atol=min(default.atol, default.rtol * scale))
        return default

    def raised(self, outputs: Iterable[tuple[str, str]]) -> list[str]:
        """A sentence for each output (name, datatype) with a tolerance above its datatype's default."""
        said = []
        for output, datatype in dict.fromkeys(outputs):
            used, default = self.of(output, datatype), DEFAULTS.get(datatype, _EXACT)
            wider = [
                f"{k} {getattr(default, k):g} → {getattr(used, k):g}"
                for k in ("rtol", "atol", "ulp")
                if getattr(used, k) > getattr(default, k)
            ]
            if wider:
                said.append(f"tolerance of {output} raised by hand: {', '.join(wider)}")
        return said


def unit_of(datatype: str, rounding: float | None) -> Tolerance | None:
    """One rounding: an element's own last place (`rtol`), and the recorded distance (`atol`); None where that is not known."""
    if rounding is None or datatype not in EPSILON:
        return None
    return Tolerance(rtol=EPSILON[datatype], atol=rounding, ulp=0)


def parse(options: Sequence[str]) -> dict[str, Tolerance]:
    """`FP32:rtol=1e-4,atol=1e-5`, `float32:…` or `OUTPUT:…` as given on the command line; raises CrossloadError."""
    found = {}
    for option in options:
        name, _, rest = option.rpartition(":")
        pairs = re.findall(r"(rtol|atol|ulp)=([0-9.eE+-]+)", rest)
        if not name or not pairs or ",".join(f"{k}={v}" for k, v in pairs) != rest:
            raise CrossloadError(f"--tolerance {option!r}: write DATATYPE or OUTPUT, then :rtol=1e-4,atol=1e-5,ulp=8 (one or more of them)")
        if name.lower() == name and name in {d.tensorflow for d in DATATYPES.values()}:
            name = from_tensorflow(name)
        base = DEFAULTS.get(name, Tolerance())
        try:
            given = {key: int(value) if key == "ulp" else float(value) for key, value in pairs}
            found[name] = base.model_copy(update=given)
        except ValueError as error:
            raise CrossloadError(f"--tolerance {option!r}: not a tolerance: values are positive numbers, and ulp is an integer") from error
    return found
