"""Quantised tensors of a .tflite: real values to stored integers and back, real = scale * (stored - zero point) (schema.fbs)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crossload.contract import datatypes
from crossload.contract.signatures import Signature, TensorSpec


def stored(array: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """The stored integers nearest to the real values, cut to the datatype's range; unchanged if the tensor is not quantised."""
    if spec.quantization is None:
        return array
    scale, zero = _parameters(spec, np.ndim(array))
    dtype = datatypes.numpy_dtype(spec.datatype)
    limits = np.iinfo(dtype)
    nearest: np.ndarray = np.clip(np.round(np.asarray(array, np.float64) / scale) + zero, limits.min, limits.max)
    return nearest.astype(dtype)


def real(array: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """The real values of stored integers, as float32; unchanged if the tensor is not quantised."""
    if spec.quantization is None:
        return array
    scale, zero = _parameters(spec, array.ndim)
    return np.asarray(scale * (array.astype(np.float64) - zero), np.float32)


def inputs(signature: Signature, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A request in real values as the model takes it."""
    specs = {t.name: t for t in signature.inputs}
    return {name: stored(array, specs[name]) if name in specs else array for name, array in given.items()}


def outputs(signature: Signature, answered: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """An answer in real values."""
    specs = {t.name: t for t in signature.outputs}
    return {name: real(array, specs[name]) if name in specs else array for name, array in answered.items()}


def hint(spec: TensorSpec, array: np.ndarray) -> str:
    """What to add to the refusal of real values for a quantised input: scale, zero point, the first value as it would be stored."""
    if spec.quantization is None or array.dtype.kind not in "fiu" or not array.size:
        return ""
    scale, zero = spec.quantization["scale"], spec.quantization["zero_point"]
    parts = f"scale {scale[0]:.9g}, zero point {zero[0]}" if len(scale) == 1 else f"{len(scale)} scales"
    first = array.ravel()[:1]
    return (
        f"; it is quantised ({parts}): {first[0]:.9g} is stored as {stored(array, spec).ravel()[0]}, "
        "and `crossload run --real-values` converts inputs and outputs"
    )


def _parameters(spec: TensorSpec, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Scale and zero point, shaped to the axis of a tensor quantised by channel."""
    assert spec.quantization
    scale, zero = (np.asarray(spec.quantization[key], np.float64) for key in ("scale", "zero_point"))
    if scale.size == 1:
        return scale.reshape(()), zero.reshape(-1)[:1].reshape(()) if zero.size else np.float64(0)
    shape = [1] * rank
    shape[spec.quantization.get("axis", 0)] = scale.size
    return scale.reshape(shape), (zero if zero.size else np.zeros_like(scale)).reshape(shape)
