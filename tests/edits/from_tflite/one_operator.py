"""Files of one operator, with options and shapes beyond those that interpreters are asked with (releases.tflite_forms)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from crossload.artifacts.tflite import operator_names
from crossload.contract.signatures import Signature, TensorSpec
from crossload.edits.from_tflite.table import OPERATORS
from crossload.releases import tflite_extraction, tflite_probes
from crossload.releases.tflite_forms import Form
from crossload.releases.tflite_kernels import Interpreter, interpreters
from crossload.releases.tflite_probes import Probe

_SIDES = {"_0": 0, "_1": 1, "_2": 2, "_3": 3, "_4": 4, "_5": 5, "_6": 6, "_7": 7}


def _values(*shape: int, seed: int) -> str:
    drawn = np.random.default_rng(seed).normal(scale=0.5, size=shape).round(3)
    return f"[{','.join(map(str, shape))}]={','.join(map(str, drawn.ravel()))}"


def _wholes(*shape: int, seed: int) -> str:
    drawn = np.random.default_rng(seed).integers(-3, 4, size=shape)
    return f"[{','.join(map(str, shape))}]={','.join(map(str, drawn.ravel()))}"


def _form(tensors: str, combination: str = "float32", /, **options: tuple[str, object]) -> Form:
    return Form(tensors, {_SIDES[n]: value for n, value in options.items()}, (combination,))


def _convolution(
    image: str, filters: str, bias: str, made: str, combination: str = "float32 float32 float32 float32", /, **options: int
) -> Form:
    codes = {"_0": "b", "_3": "b"}
    given = {n: (codes.get(n, "i"), v) for n, v in options.items()}
    return _form(f"A{image} B{filters} C{bias} -> D{made}", combination, **given)


def _conv(stride: int = 1, padding: int = 0, fused: int = 0, dilation: int = 1) -> dict[str, int]:
    return {"_0": padding, "_1": stride, "_2": stride, "_3": fused, "_4": dilation, "_5": dilation}


def _depthwise(stride: tuple[int, int] = (1, 1), padding: int = 0, multiplier: int = 1, dilation: int = 1) -> dict[str, tuple[str, object]]:
    numbers = {"_1": stride[1], "_2": stride[0], "_3": multiplier, "_5": dilation, "_6": dilation}
    return {"_0": ("b", padding), **{n: ("i", v) for n, v in numbers.items()}}


_FILTERS, _BIAS = _values(4, 3, 3, 2, seed=1), _values(4, seed=2)
_SPREAD = _values(1, 3, 3, 4, seed=3)


def _constants(count: int, *shape: int, seed: int) -> str:
    return " ".join("f" + _values(*shape, seed=seed + n) for n in range(count))


def _gates(seed: int = 0, *, made: int = 5, peepholes: str = "- - -", projection: str = "- -") -> str:
    """The weights of an LSTM of 5 units for inputs of 4 numbers."""
    weights, recurrent, biases = _constants(4, 5, 4, seed=seed), _constants(4, 5, made, seed=seed + 4), _constants(4, 5, seed=seed + 8)
    return f"{weights} {recurrent} {peepholes} {biases} {projection}"


def _lstm(gates: str, *, norms: str = "- - - -", made: int = 5, batch: int = 2) -> str:
    return f"f[2,3,4] {gates} v[{batch},{made}] v[{batch},5] {norms} -> f[2,3,{made}]"


_LSTM = _lstm(_gates())
_COUPLED = _LSTM.replace("f" + _values(5, 4, seed=0), "-").replace("f" + _values(5, 5, seed=4), "-").replace("f" + _values(5, seed=8), "-")
_PEEPHOLES, _NORMS = _constants(3, 5, seed=20), _constants(4, 5, seed=23)
_PROJECTED = _gates(made=3, projection=f"f{_values(3, 5, seed=27)} f{_values(3, seed=28)}")
_ALL = _lstm(_gates(made=3, peepholes=_PEEPHOLES, projection=f"f{_values(3, 5, seed=27)} -"), norms=_NORMS, made=3)
_BASIC = f"f[2,4] f[2,5] f{_values(20, 9, seed=29)} f{_values(20, seed=30)} f[2,5] -> f[2,5] f[2,5] f[2,9] f[2,20]"
_BOTH = f"{_gates()} {_gates(30)} {' '.join(['v[2,5]'] * 4)} - - - - - - - - -"
_BOTH_RNN = " ".join(f"f{_values(5, 4, seed=n)} f{_values(5, 5, seed=n + 1)} f{_values(5, seed=n + 2)} v[2,5]" for n in (1, 40))
_RNN_STEP = f"f[2,4] f{_values(5, 4, seed=1)} f{_values(5, 5, seed=2)} f{_values(5, seed=3)} v[2,5] -> f[2,5]"
_SVDF = f"f[2,4] f{_values(6, 4, seed=1)} f{_values(6, 3, seed=2)}"
_SVDF_INT8 = f"A[2,4] B{_wholes(6, 4, seed=1)} C{_wholes(6, 3, seed=2)} D{_wholes(3, seed=3)} E[2,18]! -> F[2,3]"
_BOXES = "f[4,4]=0,0,1,1,0,0.1,1,1.1,0,5,1,6,0,5.05,1,6.1 f[4]"
_RNN = f"f[2,3,4] f{_values(5, 4, seed=1)} f{_values(5, 5, seed=2)} f{_values(5, seed=3)} v[2,5] -> f[2,3,5]"
_POOLED = {"_0": ("b", 0), "_1": ("i", 2), "_2": ("i", 1), "_3": ("i", 2), "_4": ("i", 3)}
MORE: tuple[tuple[str, Form], ...] = (
    ("CONV_2D", _convolution("[2,7,6,2]", _FILTERS, _BIAS, "[2,4,3,4]", **_conv(2, 0, 3))),
    ("CONV_2D", _convolution("[2,7,6,2]", _FILTERS, _BIAS, "[2,5,4,4]", **_conv(1, 1, 1))),
    ("CONV_2D", _convolution("[2,7,6,2]", _FILTERS, _BIAS, "[2,3,2,4]", **_conv(1, 1, 2, 2))),
    ("CONV_2D", _convolution("[2,7,6,4]", _FILTERS, _BIAS, "[2,7,6,4]", **_conv())),
    ("CONV_2D", _convolution("[2,7,6,2]", _values(4, 3, 3, 1, seed=8), _BIAS, "[2,4,3,4]", **_conv(2, 0, 1))),
    ("CONV_2D", _convolution("[1,7,6,2]", _FILTERS.replace("0.", "12."), _BIAS, "[1,7,6,4]", "int8q int8q int32q int8q", **_conv(1, 0, 1))),
    ("CONV_2D", _convolution("[2,7,6,2]", _values(4, 3, 3, 1, seed=8), _BIAS, "[2,4,3,4]", **_conv(2, 0, 1))),
    ("CONV_2D", _convolution("[1,7,6,2]", _FILTERS.replace("0.", "12."), _BIAS, "[1,4,3,4]", "int16q int8q int64q int16q", **_conv(2))),
    ("DEPTHWISE_CONV_2D", _form(f"A[2,7,6,2] A{_SPREAD} A{_BIAS} -> A[2,7,6,4]", **_depthwise(multiplier=2))),
    ("DEPTHWISE_CONV_2D", _form(f"A[2,7,6,4] A{_SPREAD} A{_BIAS} -> A[2,4,3,4]", **_depthwise((2, 2)))),
    ("DEPTHWISE_CONV_2D", _form(f"A[2,7,6,4] A{_SPREAD} A{_BIAS} -> A[2,3,2,4]", **_depthwise(padding=1, dilation=2))),
    ("DEPTHWISE_CONV_2D", _form(f"A[2,7,6,4] A{_SPREAD} A{_BIAS} -> A[2,7,3,4]", **_depthwise((1, 2)))),
    ("DEPTHWISE_CONV_2D", _form(f"A[2,7,6,4] A{_SPREAD} A{_BIAS} -> A[2,3,4,4]", **_depthwise((2, 1), padding=1))),
    ("TRANSPOSE_CONV", _form(f"i[4]=1,8,8,3 A{_values(3, 3, 3, 2, seed=4)} A[1,4,4,2] -> A[1,8,8,3]", _1=("i", 2), _2=("i", 2))),
    ("TRANSPOSE_CONV", _form(f"i[4]=1,9,9,3 A{_values(3, 3, 3, 2, seed=4)} A[1,4,4,2] A{_values(3, seed=5)} -> A[1,9,9,3]",
                             _0=("b", 1), _1=("i", 2), _2=("i", 2))),
    ("CONV_3D", _form(f"A[1,4,5,6,2] A{_values(2, 2, 2, 2, 3, seed=6)} A{_values(3, seed=7)} -> A[1,2,3,3,3]",
                      _1=("i", 2), _2=("i", 2), _3=("i", 2), _5=("i", 1), _6=("i", 1), _7=("i", 1))),
    ("CONV_3D_TRANSPOSE", _form(f"i[5]=1,4,5,6,3 A{_values(2, 2, 2, 3, 2, seed=6)} A[1,2,3,3,2] A{_values(3, seed=7)} -> A[1,4,5,6,3]",
                                _1=("i", 2), _2=("i", 2), _3=("i", 2), _5=("i", 1), _6=("i", 1), _7=("i", 1))),
    ("BROADCAST_TO", _form("A[1,4] i[2]=2,4 -> A[2,4]")),
    ("FULLY_CONNECTED", _form(f"A[2,3,4] A{_values(5, 4, seed=1)} A{_values(5, seed=2)} -> A[2,3,5]", _2=("?", True), _0=("b", 1))),
    ("FULLY_CONNECTED", _form(f"A[4] A{_values(5, 4, seed=1)} A{_values(5, seed=2)} -> A[5]", _2=("?", True), _0=("b", 0))),
    ("FULLY_CONNECTED", _form(f"A[2,3,4] A{_values(5, 4, seed=1)} - -> A[6,5]", _0=("b", 0))),
    ("FULLY_CONNECTED", _form(f"A[2,3,4] A{_values(5, 12, seed=1)} A{_values(5, seed=2)} -> A[2,5]", _0=("b", 3))),
    ("AVERAGE_POOL_2D", _form("A[2,7,6,2] -> A[2,7,3,2]", **_POOLED)),
    ("MAX_POOL_2D", _form("A[2,7,6,2] -> A[2,7,3,2]", **_POOLED)),
    ("L2_POOL_2D", _form("A[2,7,6,2] -> A[2,7,3,2]", **_POOLED)),
    ("BATCH_MATMUL", _form("A[2,4,3] A[2,5,4] -> A[2,3,5]", _0=("?", True), _1=("?", True))),
    ("RESIZE_BILINEAR", _form("A[1,3,4,2] i[2]=5,7 -> A[1,5,7,2]", _2=("?", True))),
    ("RESIZE_BILINEAR", _form("A[1,3,4,2] i[2]=5,7 -> A[1,5,7,2]", _3=("?", True))),
    ("RESIZE_NEAREST_NEIGHBOR", _form("A[1,3,4,2] i[2]=5,7 -> A[1,5,7,2]", _0=("?", True))),
    ("RESIZE_NEAREST_NEIGHBOR", _form("A[1,3,4,2] i[2]=5,7 -> A[1,5,7,2]", _1=("?", True))),
    ("LOCAL_RESPONSE_NORMALIZATION", _form("A[1,2,2,8] -> A[1,2,2,8]", _0=("i", 2), _1=("f", 1.5), _2=("f", 0.25), _3=("f", 0.75))),
    ("STRIDED_SLICE", _form("A[5,6,3] i[3]=3,0,1 i[3]=0,5,0 i[3]=-1,2,1 -> A[3,3]", _0=("i", 2), _1=("i", 0), _4=("i", 4))),
    ("STRIDED_SLICE", _form("A[5,6] i[3]=0,1,0 i[3]=0,2,2 i[3]=1,1,1 -> A[5,1,2]", _1=("i", 1), _0=("i", 1), _3=("i", 2))),
    ("SQUEEZE", _form("A[1,4,1] -> A[1,4]", _0=("i", [2]))),
    ("RESHAPE", _form("A[2,6] -> A[3,4]", _0=("i", [3, 4]))),
    ("GATHER", _form("A[2,4,3] i[2,2]=1,0,3,2 -> A[2,2,3]", _0=("i", 1), _1=("i", 1))),
    ("CONCATENATION", _form("A[2,4] A[2,3] -> A[2,7]", _0=("i", 1))),
    ("PACK", _form("A[2,4] A[2,4] -> A[2,2,4]", _0=("i", 2), _1=("i", 1))),
    ("UNPACK", _form("A[2,3] -> A[2] A[2] A[2]", _0=("i", 3), _1=("i", 1))),
    ("MEAN", _form("A[2,3,4] i[2]=0,2 -> A[1,3,1]", _0=("?", True))),
    ("MEAN", _form("A[2,4,4,3] i[2]=1,2 -> A[2,3]", "int8q", _0=("?", False))),
    ("ONE_HOT", _form("i[4]=0,2,5,1 i[]=3 A[]=2 A[]=-1 -> A[3,4]", _0=("i", 0))),
    ("CUMSUM", _form("A[2,4] i[]=1 -> A[2,4]", _0=("?", True), _1=("?", True))),
    ("MIRROR_PAD", _form("A[2,4] i[2,2]=1,1,2,1 -> A[4,7]", _0=("b", 1))),
    ("GELU", _form("A[2,4] -> A[2,4]", _0=("?", True))),
    ("SOFTMAX", _form("A[2,4] -> A[2,4]", _0=("f", 0.5))),
    ("ADD", _form("A[2,4] A[4]=1,-2,3,-4 -> A[2,4]", _0=("b", 1))),
    ("SUB", _form("A[2,4] A[2,1] -> A[2,4]", _0=("b", 2))),
    ("MUL", _form("A[2,4] A[2,4] -> A[2,4]", _0=("b", 3))),
    ("DIV", _form("A[2,4] A[4]=1,-2,3,-4 -> A[2,4]", "int32")),
    ("PRELU", _form("A[2,4] A[4]=0.5,0.25,2,-1 -> A[2,4]")),
    ("SPLIT_V", _form("A[2,7] i[3]=1,4,2 i[]=1 -> A[2,1] A[2,4] A[2,2]", _0=("i", 3))),
    ("REVERSE_SEQUENCE", _form("A[2,4] i[2]=3,2 -> A[2,4]", _0=("i", 1))),
    ("DYNAMIC_UPDATE_SLICE", _form("A[3,4] A[2,2] i[2]=2,1 -> A[3,4]")),
    ("UNSORTED_SEGMENT_SUM", _form("A[3,2] i[3]=1,0,1 i[]=3 -> A[3,2]")),
    ("UNSORTED_SEGMENT_MAX", _form("A[3,2] i[3]=1,0,1 i[]=2 -> A[2,2]")),
    ("UNSORTED_SEGMENT_MIN", _form("A[3,2] i[3]=1,0,1 i[]=2 -> A[2,2]")),
    ("UNSORTED_SEGMENT_PROD", _form("A[3,2] i[3]=1,0,1 i[]=2 -> A[2,2]")),
    ("BROADCAST_ARGS", _form("i[2] i[2]=1,1 -> i[2]")),
    ("BUCKETIZE", _form("A[2,4] -> i[2,4]", _0=("f", [0.5, 1.0, 2.0]))),
    ("BATCH_TO_SPACE_ND", _form("A[4,2,2,1] i[2]=2 i[2,2]=0,1,1,0 -> A[1,3,3,1]")),
    ("SPACE_TO_BATCH_ND", _form("A[1,3,4,1] i[2]=2 i[2,2]=1,0,0,0 -> A[4,2,2,1]")),
    ("ARG_MAX", _form("A[3,4] i[]=0 -> l[4]", _0=("b", 4))),
    ("RFFT2D", _form("A[2,4] i[2]=2,4 -> B[2,3]", "float32 complex64")),
    ("COMPLEX_ABS", _form("A[2,4] -> f[2,4]", "complex64")),
    ("REAL", _form("A[2,4] -> f[2,4]", "complex64")),
    ("IMAG", _form("A[2,4] -> f[2,4]", "complex64")),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", _form(_LSTM, _0=("b", 4))),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", _form(_lstm(_gates(), batch=3), _0=("b", 4), _3=("?", True))),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", _form(_COUPLED, _0=("b", 4))),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", _form(_lstm(_gates(peepholes=_PEEPHOLES)), _0=("b", 4))),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", _form(_lstm(_PROJECTED, made=3), _0=("b", 4), _1=("f", 0.5), _2=("f", 0.25))),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", _form(_lstm(_gates(), norms=_NORMS), _0=("b", 4))),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", _form(_ALL, _0=("b", 4))),
    ("LSTM", _form(_LSTM.replace("[2,3,", "[2,"), _0=("b", 4))),
    ("LSTM", _form(_ALL.replace("[2,3,", "[2,"), _0=("b", 4))),
    ("LSTM", _form(_BASIC, _0=("b", 4), _3=("b", 1))),
    ("BIDIRECTIONAL_SEQUENCE_LSTM", _form(f"f[2,3,4] {_BOTH} -> f[2,3,5] f[2,3,5]", _0=("b", 4), _4=("?", False))),
    ("BIDIRECTIONAL_SEQUENCE_LSTM", _form(f"f[3,2,4] {_BOTH} -> f[3,2,10]", _0=("b", 4), _3=("?", True), _4=("?", True))),
    ("RNN", _form(_RNN_STEP, _0=("b", 1))),
    ("BIDIRECTIONAL_SEQUENCE_RNN", _form(f"f[2,3,4] {_BOTH_RNN} - - - -> f[2,3,5] f[2,3,5]", _1=("b", 4))),
    ("BIDIRECTIONAL_SEQUENCE_RNN", _form(f"f[3,2,4] {_BOTH_RNN} - - - -> f[3,2,10]", _0=("?", True), _1=("b", 4), _2=("?", True))),
    ("SVDF", _form(f"{_SVDF} f{_values(3, seed=3)} v[2,18] -> f[2,3]", _0=("i", 2), _1=("b", 1))),
    ("SVDF", _form(f"{_SVDF} - v[2,18] -> f[2,6]", _0=("i", 1))),
    ("SVDF", _form(_SVDF_INT8, "int8q int8q int16q int32q int16q int8q", _0=("i", 2), _1=("b", 1))),
    ("NON_MAX_SUPPRESSION_V4", _form(f"{_BOXES} i[]=3 f[]=0.5 f[]=0.1 -> i[3] i[]")),
    ("NON_MAX_SUPPRESSION_V5", _form(f"{_BOXES} i[]=3 f[]=0.5 f[]=0.1 f[]=0 -> i[3] f[3] i[]")),
    ("NON_MAX_SUPPRESSION_V5", _form(f"{_BOXES} i[]=3 f[]=1 f[]=0.1 f[]=0.5 -> i[3] f[3] i[]")),
    ("RANDOM_UNIFORM", _form("i[2]=3,4 -> f[3,4]", _0=("q", 5), _1=("q", 7))),
    ("RANDOM_STANDARD_NORMAL", _form("i[2]=3,4 -> f[3,4]", _0=("q", 5), _1=("q", 7))),
    ("MULTINOMIAL", _form("f[2,4] i[]=6 -> l[2,6]", _0=("q", 5), _1=("q", 7))),
    ("UNIDIRECTIONAL_SEQUENCE_RNN", _form(_RNN, _1=("b", 4))),
)  # fmt: skip
# Plain integers of these widths have no scale; what a kernel does with them differs from release to release.
_DATATYPES = {"float32", "int32", "int64", "bool", "string", "uint8q", "int8q", "int16q", "int32q", "complex64", "-"}


def asked() -> Iterator[Probe]:
    """The files that interpreters are asked with, on the datatypes of converted models, which LiteRT runs."""
    litert = _litert()
    for probe in tflite_probes.probes(operator_names.builtin_codes(), tflite_extraction.unions()):
        answer = litert.answer(probe.op, probe.key)
        named = {name for side in probe.key.split("->") for name in side.split()}
        if probe.op in OPERATORS and " with " not in probe.key and named <= _DATATYPES and answer and answer.outcome == "ok":
            yield probe


def more() -> Iterator[Probe]:
    """The files of `MORE`."""
    codes, unions = operator_names.builtin_codes(), tflite_extraction.unions()
    for number, (op, form) in enumerate(MORE):
        oldest, _ = _litert().versions(op) or (1, 1)
        made = tflite_probes.probe(op, form, form.combinations[0], codes, unions, version=oldest)
        yield Probe(op, f"{made.key}, form {number}", made.file)


def drawn(signature: Signature) -> dict[str, np.ndarray]:
    """A request for a file's signature."""
    random = np.random.default_rng(11)
    return {spec.name: _array(spec, random) for spec in signature.inputs}


def _array(spec: TensorSpec, random: np.random.Generator) -> np.ndarray:
    """Positive numbers, by which any operator divides and of which it takes the root."""
    shape = [abs(d) for d in spec.shape or ()]
    if spec.datatype == "BYTES":
        return np.array(random.choice(["a", "ab", "b"], shape), object)
    if spec.datatype == "BOOL":
        return random.integers(0, 2, shape).astype(bool)
    if spec.datatype.startswith(("FP", "COMPLEX")):
        return random.uniform(0.5, 3, shape).astype({"FP32": np.float32, "COMPLEX64": np.complex64}[spec.datatype])
    return random.integers(1, 4, shape).astype(spec.datatype.lower())


def _litert() -> Interpreter:
    return next(i for i in interpreters() if i.name == "litert")
