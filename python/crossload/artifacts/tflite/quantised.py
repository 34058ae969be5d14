"""A quantised .tflite: what it computes in, the real ranges of its inputs, and the steps in which its outputs are judged (schema.fbs)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from crossload.artifacts.tflite import inner
from crossload.artifacts.tflite.inner import Inner, Operator, Tensor
from crossload.contract.datatypes import INTEGER_RANGES
from crossload.contract.manifest import Steps
from crossload.contract.signatures import TensorSpec
from crossload.support.reach import reached

Kind = Literal["float16", "dynamic", "int8", "16x8"]
PEOPLE: Mapping[Kind, str] = {
    "float16": "float16 weights",
    "dynamic": "8-bit weights, float activations",
    "int8": "8-bit weights and activations",
    "16x8": "8-bit weights, 16-bit activations",
}
# The steps that an operator's kernels may be apart. Measured between the kernels of LiteRT 2.3 (reference, its own, XNNPACK),
# TensorFlow 2.21, tflite-runtime 2.14 and TensorFlow Lite Micro, 40 inputs each of seven models in int8 and 16x8: 0 for a model of
# convolutions, max pooling and softmax; 1 with sums (ADD) or tables (TANH); 2 with LEAKY_RELU and LOGISTIC, BATCH_MATMUL, MEAN and
# LayerNormalization (RSQRT, SQUARED_DIFFERENCE), or RESIZE_BILINEAR. Fixed-point rescaling rounds half a step up, or away from zero:
# one step. An operator of several rescalings: two. What only moves integers is exact. Deep models carry it further (17 steps in a
# MobileNetV2 of random weights): verbs.verify.steps measures that.
EXACT = frozenset(
    ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "MAX_POOL_2D", "TRANSPOSE", "PAD", "PADV2", "GATHER", "SLICE", "STRIDED_SLICE", "SPLIT",
     "SPLIT_V", "SQUEEZE", "EXPAND_DIMS", "PACK", "UNPACK", "RELU", "RELU6", "SHAPE", "RESIZE_NEAREST_NEIGHBOR", "DEPTH_TO_SPACE",
     "SPACE_TO_DEPTH", "ARG_MAX", "ARG_MIN", "TILE", "BROADCAST_TO", "REVERSE_V2", "MIRROR_PAD", "REDUCE_MAX", "REDUCE_MIN")
)  # fmt: skip
TWO = frozenset(
    ("TANH", "LOGISTIC", "MEAN", "SUM", "SOFTMAX", "LOG_SOFTMAX", "BATCH_MATMUL", "RSQRT", "EXP", "GELU", "HARD_SWISH", "LEAKY_RELU",
     "L2_NORMALIZATION", "SQUARED_DIFFERENCE", "DIV", "SQRT", "RESIZE_BILINEAR", "UNIDIRECTIONAL_SEQUENCE_LSTM", "SVDF")
)  # fmt: skip


def allowed(op: str) -> int:
    """The steps that an operator allows: 0, 1 or 2."""
    return 0 if op in EXACT else 2 if op in TWO else 1


def kind(path: Path, key: str | None = None) -> Kind | None:
    """What the file computes in, its loops and branches included; None for a float model. Raises ArtifactError for a damaged file."""
    graphs = inner.read_all(path)
    first = next((graph.subgraph for graph in graphs if graph.key == key), 0)
    run = reached([first], lambda at: [called for o in graphs[at].operators for called in o.calls if 0 <= called < len(graphs)])
    tensors = [graphs[at].tensors[index] for at in run for index in _used(graphs[at])]
    # The state of an int8 LSTM or SVDF has 16 bits.
    computed = {t.datatype for t in tensors if t.scale and t.extent is None and not t.variable}
    if "INT16" in computed:
        return "16x8"
    if computed & {"INT8", "UINT8"}:
        return "int8"
    constants = {t.datatype for t in tensors if t.extent is not None and (t.scale or t.datatype == "FP16")}
    return "dynamic" if constants & {"INT8", "UINT8", "INT4"} else "float16" if "FP16" in constants else None


def _used(graph: Inner) -> set[int]:
    return {at for o in graph.operators for at in (*o.inputs, *o.outputs) if at >= 0}


def steps(path: Path, outputs: Mapping[str, str | int], key: str | None = None) -> dict[str, Steps]:
    """The steps of each output (tensor index by name) whose scale the file states; no entry for one that is computed in float.

    Raises ArtifactError for a damaged file.
    """
    graph = inner.read(path, key)
    makers = {at: o for o in graph.operators for at in o.outputs}
    found = {}
    for name, at in outputs.items():
        tensor = graph.tensors[int(at)]
        scale = 1.0 if _is_stored(tensor) else _dequantised(graph, makers.get(tensor.index))
        if scale:
            by_op = {op: allowed(op) for op in _before(makers, tensor.index)}
            most = max(by_op.values(), default=0)
            found[name] = Steps(scale=scale, allowed=most, ops=sorted(op for op, steps in by_op.items() if steps == most) if most else [])
    return found


def ends(path: Path, output: str | int, key: str | None = None) -> tuple[float, float] | None:
    """The real values at both ends of an output's range; None for one that is computed in float. Raises ArtifactError."""
    graph = inner.read(path, key)
    tensor = graph.tensors[int(output)]
    if not _is_stored(tensor):
        maker = next((o for o in graph.operators if tensor.index in o.outputs), None)
        if maker is None or maker.op != "DEQUANTIZE":
            return None
        tensor = graph.tensors[maker.inputs[0]]
    if len(tensor.scale) != 1 or tensor.datatype not in INTEGER_RANGES or tensor.extent is not None:
        return None
    return _real_range(tensor)


def ranges(path: Path, inputs: Mapping[str, TensorSpec], key: str | None = None) -> dict[str, tuple[float, float]]:
    """The range of each input that the file was calibrated for, in the values that the model takes; none for an input of a float graph."""
    graph = inner.read(path, key)
    found: dict[str, tuple[float, float]] = {}
    for name, spec in inputs.items():
        tensor = graph.tensors[int(spec.tensor)] if isinstance(spec.tensor, int) else None
        if tensor is None:
            continue
        if _is_stored(tensor):
            found[name] = INTEGER_RANGES[tensor.datatype]
            continue
        taken = next((graph.tensors[o.outputs[0]] for o in graph.operators if o.op == "QUANTIZE" and tensor.index in o.inputs), None)
        if taken is not None and len(taken.scale) == 1 and taken.datatype in INTEGER_RANGES:
            found[name] = _real_range(taken)
    return found


def _real_range(tensor: Tensor) -> tuple[float, float]:
    zero = tensor.zero_point[0] if tensor.zero_point else 0
    low, high = ((end - zero) * tensor.scale[0] for end in INTEGER_RANGES[tensor.datatype])
    return low, high


def _is_stored(tensor: Tensor) -> bool:
    return bool(tensor.scale) and tensor.datatype in ("INT8", "UINT8", "INT16")


def _dequantised(graph: Inner, maker: Operator | None) -> float | None:
    """The scale of a float output that is made of stored integers alone."""
    if maker is None or maker.op != "DEQUANTIZE":
        return None
    taken = graph.tensors[maker.inputs[0]]
    return taken.scale[0] if len(taken.scale) == 1 and taken.extent is None else None


def _before(makers: Mapping[int, Operator], output: int) -> set[str]:
    """The operators that an output depends on."""
    found, seen, waiting = set(), set(), [output]
    while waiting:
        at = waiting.pop()
        if at in seen or at not in makers:
            continue
        seen.add(at)
        found.add(makers[at].op)
        waiting += makers[at].inputs
    return found
