"""The operators that interpreters are asked about: their tensors, options and combinations of datatypes (schema.fbs for the fields).

A form such as `A[1,4] i[1]=0 -> A[1]` names an operator's tensors: a letter of a combination (A, B, C …) or i for int32, l for int64,
f for float32, b for bool, v for a variable of float32; the shape; the values of a constant (the last one repeats), or none for an input.
`-` is an absent tensor, as in a combination; `~` in a combination leaves the tensor out. After the shape, `!` makes a tensor a variable
and `@-11` gives it the scale 2^-11.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossload.releases.tflite_kernels import NOT_ASKED, TYPES

# Datatypes of quantised tensors end in q; the rest are plain numbers.
_QUANTISED = ("uint8q", "int8q", "int16q")
_EACH = (*(t for t in TYPES if t not in NOT_ASKED), *_QUANTISED)
_CONV: tuple[str, ...] = (
    "float32 float32 float32 float32", "uint8q uint8q int32q uint8q", "int8q int8q int32q int8q", "int16q int8q int64q int16q",
    "int16q int8q int32q int16q", "float32 int8q float32 float32", "float32 uint8q float32 float32", "int8q int4q int32q int8q",
    "float32 int4q float32 float32", "float32 float16 float32 float32", "float16 float16 float16 float16", "float32 float32 - float32",
    "bfloat16 bfloat16 bfloat16 bfloat16", "float64 float64 float64 float64", "int32 int32 int32 int32", "float32 float16 float16 float32",
)  # fmt: skip
# Without a bias: an absent tensor, or none at all.
_CONV += tuple(
    f"{a} {w} {bias} {a}"
    for a, w in (("float32", "float32"), ("float32", "int8q"), ("float32", "uint8q"), ("float32", "int4q"), ("int8q", "int8q"),
                 ("uint8q", "uint8q"), ("int16q", "int8q"), ("int8q", "int4q"))
    for bias in ("-", "~")
)  # fmt: skip
_PAIRS = tuple(f"{a} {b}" for a, b in itertools.product(_EACH, _EACH))
_QUANTIZE = tuple(f"{a} {b}" for a, b in itertools.product(("float32", *_QUANTISED, "int32q"), (*_QUANTISED, "int32q", "int4q")))
_DEQUANTIZE = tuple(f"{a} {b}" for a in (*_QUANTISED, "int32q", "int4q", "float16", "bfloat16") for b in ("float32", "float16"))
_INDEXED = tuple(f"{a} {i}" for a, i in itertools.product(_EACH, ("int16", "int32", "int64")))
ELEMENTWISE = (
    "ABS", "CEIL", "COS", "ELU", "EXP", "FLOOR", "HARD_SWISH", "LOG", "LOGISTIC", "LOGICAL_NOT", "LOG_SOFTMAX", "L2_NORMALIZATION", "NEG",
    "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "ROUND", "RSQRT", "SIGN", "SIN", "SQRT", "SQUARE", "TANH", "ZEROS_LIKE", "GELU",
)  # fmt: skip
BINARY = (
    "ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "POW", "FLOOR_DIV", "FLOOR_MOD", "SQUARED_DIFFERENCE", "PRELU", "LOGICAL_AND",
    "LOGICAL_OR", "BITWISE_XOR", "RIGHT_SHIFT", "ATAN2",
)  # fmt: skip
COMPARISONS = ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")
REDUCERS = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL")


@dataclass(frozen=True)
class Form:
    """An operator's tensors, its options' fields by number, and the combinations to ask with.

    A field is a struct code and a value; a letter for a value is the number of that letter's datatype.
    """

    tensors: str
    options: Mapping[int, tuple[str, Any]]
    combinations: Sequence[str] = _EACH
    intermediates: str = ""


def _f(tensors: str, combinations: Sequence[str] = _EACH, /, **options: Any) -> Form:
    return Form(tensors, {int(n[1:]): value for n, value in options.items()}, combinations)


_STRIDES = {"_1": ("i", 1), "_2": ("i", 1)}
_POOL = {**_STRIDES, "_3": ("i", 2), "_4": ("i", 2)}
FORMS: dict[str, Form] = {
    **dict.fromkeys(ELEMENTWISE, _f("A[1,4] -> A[1,4]")),
    "SOFTMAX": _f("A[1,4] -> A[1,4]", _0=("f", 1.0)),
    "LEAKY_RELU": _f("A[1,4] -> A[1,4]", _0=("f", 0.5)),
    **dict.fromkeys(BINARY, _f("A[1,4] A[1,4] -> A[1,4]")),
    **dict.fromkeys(COMPARISONS, _f("A[1,4] A[1,4] -> b[1,4]")),
    **dict.fromkeys(REDUCERS, _f("A[1,4] i[1]=1 -> A[1]")),
    "CONV_2D": _f("A[1,4,4,2] B[3,1,1,2]=1 C[3]=1 -> D[1,4,4,3]", _CONV, **_STRIDES, _4=("i", 1), _5=("i", 1), _6=("b", "C")),
    "DEPTHWISE_CONV_2D": _f("A[1,4,4,2] B[1,1,1,2]=1 C[2]=1 -> D[1,4,4,2]", _CONV, **_STRIDES, _3=("i", 1), _5=("i", 1), _6=("i", 1)),
    "TRANSPOSE_CONV": _f("i[4]=1,4,4,3 B[3,1,1,2]=1 A[1,4,4,2] C[3]=1 -> D[1,4,4,3]", _CONV, **_STRIDES, _4=("b", "C")),
    "FULLY_CONNECTED": _f("A[1,4] B[3,4]=1 C[3]=1 -> D[1,3]", _CONV, _4=("b", "C")),
    "BATCH_MATMUL": _f("A[1,2,4] B[1,4,3] -> C[1,2,3]", tuple(f"{t} {t} {t}" for t in _EACH)),
    "AVERAGE_POOL_2D": _f("A[1,4,4,2] -> A[1,4,4,2]", **_POOL),
    "MAX_POOL_2D": _f("A[1,4,4,2] -> A[1,4,4,2]", **_POOL),
    "L2_POOL_2D": _f("A[1,4,4,2] -> A[1,4,4,2]", **_POOL),
    "LOCAL_RESPONSE_NORMALIZATION": _f("A[1,4,4,2] -> A[1,4,4,2]", _0=("i", 1), _1=("f", 1.0), _2=("f", 1.0), _3=("f", 0.5)),
    "CONCATENATION": _f("A[1,4] A[1,4] -> A[2,4]"),
    "ADD_N": _f("A[1,4] A[1,4] -> A[1,4]"),
    "RESHAPE": _f("A[1,4] i[2]=2,2 -> A[2,2]"),
    "SQUEEZE": _f("A[1,4] -> A[4]"),
    "EXPAND_DIMS": _f("A[1,4] i[1]=0 -> A[1,1,4]"),
    "TRANSPOSE": _f("A[1,4] i[2]=1,0 -> A[4,1]"),
    "PAD": _f("A[1,4] i[2,2]=1 -> A[3,6]"),
    "PADV2": _f("A[1,4] i[2,2]=1 A[1]=0 -> A[3,6]"),
    "MIRROR_PAD": _f("A[1,4] i[2,2]=0,0,1,1 -> A[1,6]", _0=("b", 0)),
    "SLICE": _f("A[1,4] i[2]=0 i[2]=1 -> A[1,1]"),
    "STRIDED_SLICE": _f("A[1,4] i[2]=0 i[2]=1,2 i[2]=1 -> A[1,2]"),
    "SPLIT": _f("i[1]=1 A[1,4] -> A[1,2] A[1,2]", _0=("i", 2)),
    "SPLIT_V": _f("A[1,4] i[2]=2 i[1]=1 -> A[1,2] A[1,2]", _0=("i", 2)),
    "PACK": _f("A[1,4] A[1,4] -> A[2,1,4]", _0=("i", 2)),
    "UNPACK": _f("A[2,4] -> A[4] A[4]", _0=("i", 2)),
    "TILE": _f("A[1,4] i[2]=2,1 -> A[2,4]"),
    "BROADCAST_TO": _f("A[1,4] i[2]=2,4 -> A[2,4]"),
    "REVERSE_V2": _f("A[1,4] i[1]=1 -> A[1,4]"),
    "FILL": _f("i[2]=1,4 A[] -> A[1,4]"),
    "GATHER": _f("A[2,4] B[1]=0 -> A[1,4]", _INDEXED),
    "GATHER_ND": _f("A[2,4] B[1,1]=0 -> A[1,4]", _INDEXED),
    "SCATTER_ND": _f("i[1,1]=0 A[1,4] i[2]=2,4 -> A[2,4]"),
    "ARG_MAX": _f("A[1,4] i[1]=1 -> i[1]", _0=("b", 2)),
    "ARG_MIN": _f("A[1,4] i[1]=1 -> i[1]", _0=("b", 2)),
    "TOPK_V2": _f("A[1,4] i[]=2 -> A[1,2] i[1,2]"),
    "ONE_HOT": _f("i[2]=0 i[]=3 A[]=1 A[]=0 -> A[2,3]", _0=("i", -1)),
    "CUMSUM": _f("A[1,4] i[]=1 -> A[1,4]"),
    "SELECT": _f("b[1,4] A[1,4] A[1,4] -> A[1,4]"),
    "SELECT_V2": _f("b[1,4] A[1,4] A[1,4] -> A[1,4]"),
    "WHERE": _f("A[1,4] -> l[4,2]"),
    "SHAPE": _f("A[1,4] -> i[2]", _0=("b", 2)),
    "RANK": _f("A[1,4] -> i[]"),
    "UNIQUE": _f("A[4] -> A[4] i[4]", _0=("b", 2)),
    "RANGE": _f("A[]=0 A[]=4 A[]=1 -> A[4]"),
    "CAST": _f("A[1,4] -> B[1,4]", _PAIRS),
    "BITCAST": _f("A[1,4] -> A[1,4]"),
    "QUANTIZE": _f("A[1,4] -> B[1,4]", _QUANTIZE),
    "DEQUANTIZE": _f("A[1,4] -> B[1,4]", _DEQUANTIZE),
    "FAKE_QUANT": _f("A[1,4] -> A[1,4]", _0=("f", -1.0), _1=("f", 1.0), _2=("i", 8)),
    "RESIZE_BILINEAR": _f("A[1,2,2,2] i[2]=4 -> A[1,4,4,2]"),
    "RESIZE_NEAREST_NEIGHBOR": _f("A[1,2,2,2] i[2]=4 -> A[1,4,4,2]"),
    "SPACE_TO_DEPTH": _f("A[1,4,4,1] -> A[1,2,2,4]", _0=("i", 2)),
    "DEPTH_TO_SPACE": _f("A[1,2,2,4] -> A[1,4,4,1]", _0=("i", 2)),
    "SPACE_TO_BATCH_ND": _f("A[1,4,4,1] i[2]=2 i[2,2]=0 -> A[4,2,2,1]"),
    "BATCH_TO_SPACE_ND": _f("A[4,2,2,1] i[2]=2 i[2,2]=0 -> A[1,4,4,1]"),
    "MATRIX_DIAG": _f("A[1,4] -> A[1,4,4]"),
    "MATRIX_SET_DIAG": _f("A[1,4,4] A[1,4] -> A[1,4,4]"),
    "SEGMENT_SUM": _f("A[2,4] i[2]=0,1 -> A[2,4]"),
    "REVERSE_SEQUENCE": _f("A[2,4] i[2]=1 -> A[2,4]", _0=("i", 1)),
    "SPARSE_TO_DENSE": _f("i[1,1]=1 i[1]=4 A[1]=1 A[]=0 -> A[4]"),
    "EMBEDDING_LOOKUP": _f("i[1]=0 A[2,4]=1 -> B[1,4]", (*(f"{t} {t}" for t in _EACH), "int8q float32", "uint8q float32", "int4q float32")),
    "DYNAMIC_UPDATE_SLICE": _f("A[2,4] A[1,4] i[2]=0 -> A[2,4]"),
    "SVDF": _f("A[1,4] B[2,4]=1 C[2,2]=1 - v[1,4] -> D[1,2]", ("float32 float32 float32 float32",), _0=("i", 1)),
}  # fmt: skip
_GATES = "B[4,3]=1 B[4,3]=1 B[4,3]=1 B[4,3]=1 B[4,4]=1 B[4,4]=1 B[4,4]=1 B[4,4]=1"
_WITHOUT_INPUT_GATE = "- B[4,3]=1 B[4,3]=1 B[4,3]=1 - B[4,4]=1 B[4,4]=1 B[4,4]=1"
_BIASES = "C[4]=0 C[4]=0 C[4]=0 C[4]=0"
_STATES = "D[1,4]! E[1,4]!@-11"
_NONE, _NO_LAYER_NORM = "- - -", "- - - -"
_FLOATING = (*(f"float32 {w} float32 float32 float32" for w in ("float32", "int8q", "uint8q", "int4q", "float16")),)
_INTEGER = ("int8q int8q int32q int8q int16q", "int16q int8q int32q int16q int16q", "int16q int8q int64q int16q int16q")
_INTERMEDIATES = "h[0]@-12 h[0]@-12 h[0]@-12 h[0]@-12 D[0]@-7"
_HALF = f"{_GATES} {_NONE} {_BIASES} - -"
# Further forms of operators, whose tensors are optional ones: LSTM with and without layer normalisation's, coupled gates, peepholes, a
# projection; SVDF with a bias.
MORE: tuple[tuple[str, Form], ...] = (
    *(
        (op, Form(f"A[{shape}3] {inside} -> A[{shape}4]", {0: ("b", 4)}, kinds, intermediates))
        for op, shape in (("UNIDIRECTIONAL_SEQUENCE_LSTM", "1,2,"), ("LSTM", "1,"))
        for inside, kinds, intermediates in (
            (f"{_HALF} {_STATES} {_NO_LAYER_NORM}", _FLOATING, ""),
            (f"{_HALF} {_STATES}", _FLOATING, ""),
            (f"{_HALF} {_STATES} {_NO_LAYER_NORM}", _INTEGER, _INTERMEDIATES),
            (f"{_HALF} {_STATES}", _INTEGER, _INTERMEDIATES),
        )
    ),
    *(
        ("BIDIRECTIONAL_SEQUENCE_LSTM",
         Form(f"A[1,2,3] {_HALF} {_HALF} {_STATES} {_STATES} - {_NO_LAYER_NORM} {_NO_LAYER_NORM} -> {outputs}",
              {0: ("b", 4), 3: ("?", merged), 4: ("?", False)}, _FLOATING))
        for outputs, merged in (("A[1,2,4] A[1,2,4]", False), ("A[1,2,8]", True))
    ),
    ("RNN", Form("A[1,3] B[4,3]=1 B[4,4]=1 C[4]=0 D[1,4]! -> A[1,4]", {0: ("b", 4)}, _FLOATING)),
    ("UNIDIRECTIONAL_SEQUENCE_RNN",
     Form("A[1,2,3] B[4,3]=1 B[4,4]=1 C[4]=0 D[1,4]! -> A[1,2,4]", {0: ("?", False), 1: ("b", 4)}, _FLOATING)),
    ("BIDIRECTIONAL_SEQUENCE_RNN",
     Form("A[1,2,3] B[4,3]=1 B[4,4]=1 C[4]=0 D[1,4]! B[4,3]=1 B[4,4]=1 C[4]=0 D[1,4]! - - - -> A[1,2,4] A[1,2,4]",
          {0: ("?", False), 1: ("b", 4)}, _FLOATING)),
    ("SVDF", Form("A[1,4] B[2,4]=1 C[2,2]=1 D[2]=0 E[1,4]! -> F[1,2]", {0: ("i", 1), 1: ("b", 1)},
                  ("float32 float32 float32 float32 float32 float32", "float32 int8q float32 float32 float32 float32",
                   "int8q int8q int16q int32q int16q int8q", "int8q int8q int8q int32q int8q int8q"))),
    ("SVDF", Form("A[1,4] B[2,4]=1 C[2,2]=1 - E[1,4]! -> F[1,2]", {0: ("i", 1)}, ("float32 int8q float32 - float32 float32",))),
)  # fmt: skip
# What an LSTM may have beside its gates, by the first operand that has it (its absence, of the input gate): the operands' forms.
PEEPHOLES, PROJECTION, LAYER_NORM, NO_INPUT_GATE = "peepholes", "a projection", "layer normalisation", "no input gate"
NO_VARIABLE = "a state that is no variable"
_LSTM_PARTS = {
    NO_VARIABLE: f"{_HALF} D[1,4] E[1,4] {_NO_LAYER_NORM}",
    PEEPHOLES: f"{_GATES} C[4]=1 C[4]=1 C[4]=1 {_BIASES} - - {_STATES} {_NO_LAYER_NORM}",
    PROJECTION: f"{_GATES} {_NONE} {_BIASES} B[4,4]=1 C[4]=0 {_STATES} {_NO_LAYER_NORM}",
    LAYER_NORM: f"{_GATES} {_NONE} {_BIASES} - - {_STATES} C[4]=1 C[4]=1 C[4]=1 C[4]=1",
    NO_INPUT_GATE: f"{_WITHOUT_INPUT_GATE} {_NONE} - C[4]=0 C[4]=0 C[4]=0 - - {_STATES} {_NO_LAYER_NORM}",
}
BEYOND = "an index beyond the end"
# Options and values on which an interpreter does otherwise than with plain ones: by the name of the hazard, its operator and form.
HAZARDS: tuple[tuple[str, str, Form], ...] = (
    ("a stride of 0", "CONV_2D", Form(FORMS["CONV_2D"].tensors, {0: ("b", 1), 4: ("i", 1), 5: ("i", 1)}, _CONV[:3])),
    ("a split into 0", "SPLIT", Form("i[1]=1 A[1,4] -> A[1,2] A[1,2]", {}, ("float32",))),
    (BEYOND, "SPARSE_TO_DENSE", Form("i[1,1]=9 i[1]=4 A[1]=1 A[]=0 -> A[4]", {}, ("float32",))),
    *(
        (part, op, Form(f"A[{shape}3] {inside} -> A[{shape}4]", {0: ("b", 4)}, _FLOATING[:3]))
        for op, shape in (("UNIDIRECTIONAL_SEQUENCE_LSTM", "1,2,"), ("LSTM", "1,"))
        for part, inside in _LSTM_PARTS.items()
    ),
)
# Files that are out of the ordinary as a whole.
CYCLE, EXTERNAL = "a subgraph that runs itself", "weights after the flatbuffer"
# The range of an output that a kernel demands: scale and zero point.
OUTPUT_QUANTISATION = {
    ("SOFTMAX", "int8q"): (1 / 256, -128), ("SOFTMAX", "uint8q"): (1 / 256, 0), ("SOFTMAX", "int16q"): (1 / 32768, 0),
    ("LOGISTIC", "int8q"): (1 / 256, -128), ("LOGISTIC", "uint8q"): (1 / 256, 0), ("LOGISTIC", "int16q"): (1 / 32768, 0),
    ("TANH", "int8q"): (1 / 128, 0), ("TANH", "uint8q"): (1 / 128, 128), ("TANH", "int16q"): (1 / 32768, 0),
    ("LOG_SOFTMAX", "int8q"): (16 / 256, 127), ("LOG_SOFTMAX", "uint8q"): (16 / 256, 255),
    ("L2_NORMALIZATION", "int8q"): (1 / 128, 0), ("L2_NORMALIZATION", "uint8q"): (1 / 128, 128),
}  # fmt: skip
