"""The questions about ranks, broadcasts and computed operands: the forms of operators at every rank (notation: `tflite_forms`).

In a shape here `*` stands for as many dimensions of 2 as the rank, `-` for one less, `.` for as many ones, `%` for 1 and 2 in turn, and
`n` for the rank itself; `=^` are the axes in reverse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from crossload.releases.tflite_forms import BINARY, COMPARISONS, ELEMENTWISE, FORMS, REDUCERS, Form

# What an interpreter does at the last rank stands for those above it.
RANKS = range(9)
_PLAIN, _WHOLE = ("float32", "int8q"), ("int32", "bool")
_OF_INTEGERS = ("LOGICAL_NOT", "LOGICAL_AND", "LOGICAL_OR", "BITWISE_XOR", "RIGHT_SHIFT", "REDUCE_ANY", "REDUCE_ALL", "WHERE")
_RANKED: dict[str, str] = {
    **dict.fromkeys((*ELEMENTWISE, "SOFTMAX", "LEAKY_RELU"), "A[*] -> A[*]"),
    **dict.fromkeys((*BINARY, "BATCH_MATMUL"), "A[*] A[*] -> A[*]"),
    **dict.fromkeys(COMPARISONS, "A[*] A[*] -> b[*]"),
    **dict.fromkeys(REDUCERS, "A[*] i[1]=0 -> A[-]"),
    "FULLY_CONNECTED": "A[*] B[2,2]=1 C[2]=1 -> D[*]",
    "CONCATENATION": "A[*] A[*] -> A[4,-]",
    "RESHAPE": "A[*] i[n]=2 -> A[*]",
    "SQUEEZE": "A[1,-] -> A[-]",
    "EXPAND_DIMS": "A[-] i[1]=0 -> A[1,-]",
    "TRANSPOSE": "A[*] i[n]=^ -> A[*]",
    "PAD": "A[*] i[n,2]=0 -> A[*]",
    "PADV2": "A[*] i[n,2]=0 A[1]=0 -> A[*]",
    "MIRROR_PAD": "A[*] i[n,2]=0 -> A[*]",
    "SLICE": "A[*] i[n]=0 i[n]=2 -> A[*]",
    "STRIDED_SLICE": "A[*] i[n]=0 i[n]=2 i[n]=2 -> A[.]",
    "SPLIT": "i[1]=0 A[*] -> A[1,-] A[1,-]",
    "SPLIT_V": "A[*] i[2]=1 i[1]=0 -> A[1,-] A[1,-]",
    "PACK": "A[-] A[-] -> A[2,-]",
    "UNPACK": "A[*] -> A[-] A[-]",
    "TILE": "A[*] i[n]=1 -> A[*]",
    "BROADCAST_TO": "A[1] i[n]=2 -> A[*]",
    "REVERSE_V2": "A[*] i[1]=0 -> A[*]",
    "FILL": "i[n]=2 A[] -> A[*]",
    "GATHER": "A[*] B[1]=0 -> A[1,-]",
    "GATHER_ND": "A[*] B[1,1]=0 -> A[1,-]",
    "SCATTER_ND": "i[1,1]=0 A[1,-] i[n]=2 -> A[*]",
    **dict.fromkeys(("ARG_MAX", "ARG_MIN"), "A[*] i[1]=0 -> i[-]"),
    "TOPK_V2": "A[*] i[]=2 -> A[*] i[*]",
    "ONE_HOT": "i[-]=0 i[]=2 A[]=1 A[]=0 -> A[*]",
    "CUMSUM": "A[*] i[]=0 -> A[*]",
    **dict.fromkeys(("SELECT", "SELECT_V2"), "b[*] A[*] A[*] -> A[*]"),
    "WHERE": "A[*] -> l[1,n]",
    "SHAPE": "A[*] -> i[n]",
    "RANK": "A[*] -> i[]",
    "CAST": "A[*] -> B[*]",
    "QUANTIZE": "A[*] -> B[*]",
    "DEQUANTIZE": "A[*] -> B[*]",
    "MATRIX_DIAG": "A[-] -> A[*]",
    "MATRIX_SET_DIAG": "A[*] A[-] -> A[*]",
    "SEGMENT_SUM": "A[*] i[2]=0,1 -> A[*]",
    "REVERSE_SEQUENCE": "A[*] i[2]=1 -> A[*]",
    "DYNAMIC_UPDATE_SLICE": "A[*] A[1,-] i[n]=0 -> A[*]",
}
# Operators that only certain ranks make sense for.
_LEAST = {
    "BATCH_MATMUL": 2,
    "SEGMENT_SUM": 1,
    "TOPK_V2": 1,
    "CUMSUM": 1,
    "FULLY_CONNECTED": 2,
    "REVERSE_SEQUENCE": 2,
    "MATRIX_DIAG": 2,
    "MATRIX_SET_DIAG": 2,
}
_OF_BATCHES = {
    "SPACE_TO_BATCH_ND": "A[1,4,1] i[1]=2 i[1,2]=0 -> A[2,2,1]",
    "BATCH_TO_SPACE_ND": "A[2,2,1] i[1]=2 i[1,2]=0 -> A[1,4,1]",
}
_COMBINATIONS = {
    "FULLY_CONNECTED": ("float32 float32 float32 float32", "int8q int8q int32q int8q", "float32 int8q float32 float32"),
    "GATHER": ("float32 int32", "int8q int32", "int32 int32"),
    "GATHER_ND": ("float32 int32", "int8q int32", "int32 int32"),
    "BATCH_MATMUL": ("float32 float32 float32", "int8q int8q int8q"),
    "CAST": ("float32 int32", "int32 float32", "int64 int32", "bool float32"),
    "QUANTIZE": ("float32 int8q", "int8q int8q", "uint8q int8q"),
    "DEQUANTIZE": ("int8q float32", "uint8q float32"),
}
_BROADCASTS = {
    **dict.fromkeys(BINARY, "A[*] A[{}] -> A[*]"),
    **dict.fromkeys(COMPARISONS, "A[*] A[{}] -> b[*]"),
    "SELECT_V2": "b[{}] A[*] A[*] -> A[*]",
    "BATCH_MATMUL": "A[*] A[{},2,2] -> A[*]",
}
BROADCASTING = tuple(_BROADCASTS)
_KEEP_DIMENSIONS = {2: ("?", True)}


def at_ranks() -> Iterator[tuple[str, str, Form]]:
    """Operators by rank: the hazard in words (`rank`, `broadcast`), the operator, and its form with its combinations."""
    for op, text in _RANKED.items():
        for number in RANKS:
            # A scalar has no axis to name and no dimension to take away.
            if number >= _LEAST.get(op, 1 if re.search(r"\[[^\]]*[-n]|i\[1\]=0", text) else 0):
                yield rank(number), op, _at(op, text, number)
    for op, text in _OF_BATCHES.items():
        yield rank(3), op, _at(op, text, 3)
    for op, text in _BROADCASTS.items():
        for number in RANKS[1:]:
            if op != "BATCH_MATMUL":
                yield broadcast(number, scalar=True), op, _at(op, text.format("1"), number)
                yield broadcast(number), op, _at(op, text.format("%"), number)
            elif number > 2:
                yield broadcast(number), op, _at(op, text.format(",".join(str(1 + at % 2) for at in range(number - 2))), number)


def rank(number: int) -> str:
    """The hazard of tensors of this many dimensions, in the words of the data."""
    return f"rank {min(number, RANKS[-1])}"


def broadcast(number: int, *, scalar: bool = False) -> str:
    """The hazard of an operator on tensors of unlike shapes, one of them of a single element if `scalar`."""
    return f"a {'scalar broadcast' if scalar else 'broadcast'} of rank {min(number, RANKS[-1])}"


def computed(position: int) -> str:
    """The hazard of an operand that other files have as a constant."""
    return f"input {position} computed"


def _at(op: str, text: str, number: int) -> Form:
    twos = {
        "*": ["2"] * number,
        "-": ["2"] * (number - 1),
        "%": [str(1 + at % 2) for at in range(number)],
        "n": [str(number)],
        ".": ["1"] * number,
    }

    def shape(found: re.Match[str]) -> str:
        return "[" + ",".join(d for part in found[1].split(",") for d in twos.get(part, [part] if part else [])) + "]"

    written = re.sub(r"\[([^\]]*)\]", shape, text)
    written = written.replace("=^", "=" + ",".join(str(at) for at in reversed(range(number))) if number else "=0")
    known = FORMS[op]
    options = {**known.options, **(_KEEP_DIMENSIONS if op == "FULLY_CONNECTED" else {})}
    return replace(known, tensors=written, options=options, combinations=_COMBINATIONS.get(op, _WHOLE if op in _OF_INTEGERS else _PLAIN))
