"""The questions about operators that need others beside them: loops, branches, initialisers, variables and tables, and what they run."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crossload.releases.tflite_builder import constant, model, subgraph, tensor
from crossload.releases.tflite_kernels import NOT_ASKED, TYPES, UNASSIGNED, key_of, without_kernel

_CARRIED = (*(t for t in TYPES if t not in NOT_ASKED), "int8q", "uint8q", "int16q")
_SHAPE = (1, 4)
_CUSTOM = "crossload-unknown"
Question = tuple[str, str, bytes]


def questions(codes: Mapping[str, int]) -> Iterator[Question]:
    """The operator, the key of the answer, the file; `codes` are the numbers of BuiltinOperator."""
    writer = _Writer(codes)
    for datatype in _CARRIED:
        yield "WHILE", key_of([datatype], [datatype]), writer.loop(datatype)
        yield "IF", key_of(["bool", datatype], [datatype]), writer.branch(datatype)
        variable = writer.variable(datatype)
        yield "ASSIGN_VARIABLE", key_of(["resource", datatype], []), variable
        yield "READ_VARIABLE", key_of(["resource"], [datatype]), variable
    yield "READ_VARIABLE", f"{key_of(['resource'], ['float32'])} with {UNASSIGNED}", writer.variable("float32", assigned=False)
    yield "VAR_HANDLE", key_of([], ["resource"]), writer.variable("float32")
    yield "CALL_ONCE", key_of([], []), writer.initialiser()
    for key, value in (("string", "int64"), ("int64", "string")):
        table = writer.table(key, value)
        yield "HASHTABLE_IMPORT", key_of(["resource", key, value], []), table
        yield "HASHTABLE_FIND", key_of(["resource", key, value], [value]), table
    yield "HASHTABLE", key_of([], ["resource"]), writer.table("string", "int64")
    yield "", without_kernel("WHILE"), writer.loop("float32", _CUSTOM)
    yield "", without_kernel("IF"), writer.branch("float32", _CUSTOM)
    yield "", without_kernel("CALL_ONCE"), writer.initialiser(_CUSTOM)


class _Writer:
    """Files of several operators."""

    def __init__(self, codes: Mapping[str, int]) -> None:
        self.codes = codes

    def loop(self, datatype: str, custom: str = "") -> bytes:
        """A loop that runs its body once: a counter, and a value that the body hands on, or gives to a custom op."""
        tensors = [tensor("i", (1,), "int32", 1), _value("x", datatype), tensor("n", (1,), "int32", 0), _value("y", datatype)]
        condition = subgraph(
            [tensor("i", (1,), "int32", 0), _value("x", datatype), tensor("one", (1,), "int32", 2), tensor("c", (1,), "bool", 0)],
            [0, 1],
            [3],
            [_operator(1, [0, 2], [3])],
        )
        inside = [tensor("i", (1,), "int32", 0), _value("x", datatype), tensor("one", (1,), "int32", 2), tensor("n", (1,), "int32", 0)]
        operators = [_operator(2, [0, 2], [3])]
        if custom:
            inside.append(_value("y", datatype))
            operators.append(_operator(3, [1], [4]))
        body = subgraph(inside, [0, 1], [3, 4 if custom else 1], operators)
        loop = _operator(0, [0, 1], [2, 3], "WhileOptions", {0: ("i", 1), 1: ("i", 2)})
        counted = [b"", *(struct.pack("<i", n) for n in (0, 1))]
        return self._model(["WHILE", "LESS", "ADD", custom], tensors, [1], [3], [loop], counted, [condition, body])

    def branch(self, datatype: str, custom: str = "") -> bytes:
        """A branch whose two bodies hand a value on, or give it to a custom op."""
        tensors = [tensor("c", (1,), "bool", 0), _value("x", datatype), _value("y", datatype)]
        inside = [_value("x", datatype)] + ([_value("y", datatype)] if custom else [])
        body = subgraph(inside, [0], [len(inside) - 1], [_operator(1, [0], [1])] if custom else [])
        branch = _operator(0, [0, 1], [2], "IfOptions", {0: ("i", 1), 1: ("i", 2)})
        return self._model(["IF", custom], tensors, [0, 1], [2], [branch], [b""], [body, body])

    def variable(self, datatype: str, *, assigned: bool = True) -> bytes:
        """A value that goes into a variable and comes out; or the variable has none."""
        tensors = [_value("x", datatype), tensor("h", (), "resource", 0), _value("y", datatype)]
        operators = [self._handle(0, 1), *([_operator(1, [1, 0], [])] if assigned else []), _operator(2, [1], [2])]
        return self._model(["VAR_HANDLE", "ASSIGN_VARIABLE", "READ_VARIABLE"], tensors, [0], [2], operators, [b""])

    def initialiser(self, custom: str = "") -> bytes:
        """A variable that a subgraph initialises before the first call, perhaps by a custom op."""
        tensors = [_value("x", "float32"), tensor("h", (), "resource", 0), _value("v", "float32"), _value("y", "float32")]
        once = _operator(0, [], [], "CallOnceOptions", {0: ("i", 1)})
        operators = [once, self._handle(1, 1), _operator(3, [1], [2]), _operator(4, [0, 2], [3])]
        inside = [tensor("h", (), "resource", 0), tensor("v", _SHAPE, "float32", 1), _value("w", "float32")]
        initialising = [self._handle(1, 0), *([_operator(5, [1], [2])] if custom else []), _operator(2, [0, 2 if custom else 1], [])]
        values = constant("float32", _SHAPE, [1.0]) or b""
        names = ["CALL_ONCE", "VAR_HANDLE", "ASSIGN_VARIABLE", "READ_VARIABLE", "ADD", custom]
        return self._model(names, tensors, [0], [3], operators, [b"", values], [subgraph(inside, [], [], initialising)])

    def table(self, key: str, value: str) -> bytes:
        """A table of two entries, and a look-up."""
        tensors = [
            tensor("x", (1,), key, 0), tensor("h", (1,), "resource", 0), tensor("keys", (2,), key, 1), tensor("values", (2,), value, 2),
            tensor("default", (1,), value, 3), tensor("y", (1,), value, 0),
        ]  # fmt: skip
        options = {0: ("i", 1), 1: ("b", TYPES.index(key)), 2: ("b", TYPES.index(value))}
        table = _operator(0, [], [1], "HashtableOptions", options)
        operators = [table, _operator(1, [1, 2, 3], []), _operator(2, [1, 0, 4], [5])]
        buffers = [b"", _entries(key, 2), _entries(value, 2), _entries(value, 1)]
        return self._model(["HASHTABLE", "HASHTABLE_IMPORT", "HASHTABLE_FIND"], tensors, [0], [5], operators, buffers)

    def _handle(self, code: int, at: int) -> dict[int, Any]:
        return _operator(code, [], [at], "VarHandleOptions", {0: "", 1: "v"})

    def _model(self, names: Sequence[str], *parts: Any) -> bytes:
        codes = [(self.codes.get(n, self.codes["CUSTOM"]), "" if n in self.codes else n, 1) for n in names if n]
        return model(codes, *parts)


def _value(name: str, datatype: str) -> dict[int, Any]:
    return tensor(name, _SHAPE, datatype, 0)


def _operator(
    code: int, inputs: Sequence[int], outputs: Sequence[int], options: str = "", fields: Mapping[int, Any] | None = None
) -> dict[int, Any]:
    import tflite

    made: dict[int, Any] = {0: ("I", code), 1: ("i", list(inputs)), 2: ("i", list(outputs))}
    if options:
        made |= {3: ("B", getattr(tflite.BuiltinOptions, options)), 4: fields}
    return made


def _entries(datatype: str, count: int) -> bytes:
    """So many different values; a tensor of strings holds their number, their offsets and the last one's end, then the bytes."""
    if datatype != "string":
        return constant(datatype, (count,), [float(n) for n in range(count)]) or b""
    start = 4 * (count + 2)
    return struct.pack(f"<{count + 2}i", count, *(start + n for n in range(count + 1))) + b"ab"[:count]
