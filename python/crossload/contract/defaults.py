"""Defaults of inputs: the value of an input that is not fed, as an array (SignatureDef.defaults, in the manifest's form)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crossload.contract import datatypes
from crossload.contract.signatures import TensorSpec
from crossload.errors import CrossloadError

if TYPE_CHECKING:
    import numpy as np


def array(spec: TensorSpec) -> np.ndarray:
    """The array of an input's default value; raises CrossloadError for one that is not a tensor of its datatype."""
    try:
        return _array(spec, spec.default or {})
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CrossloadError(
            f"the default of the input {spec.name!r} is not a {datatypes.for_people(spec.datatype)} tensor ({error})"
        ) from error


def _array(spec: TensorSpec, stated: Mapping[str, Any]) -> np.ndarray:
    import numpy as np

    values = [v.encode("utf-8", "surrogateescape") if isinstance(v, str) and spec.datatype == "BYTES" else v for v in stated["data"]]
    if spec.datatype.startswith("COMPLEX"):
        values = [complex(*map(float, v)) if isinstance(v, list | tuple) else v for v in values]
    elif spec.datatype != "BYTES":
        values = [float(v) if isinstance(v, str) else v for v in values]
    made = np.empty(len(values), dtype=datatypes.numpy_dtype(spec.datatype))
    made[:] = values
    shaped: np.ndarray = made.reshape(stated["shape"])
    return shaped
