"""Every operator of a .tflite with what an interpreter asks of it: its version, its tensors' datatypes, its options, what it calls."""

from __future__ import annotations

import mmap
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

from crossload.artifacts.content import head
from crossload.artifacts.tflite import flatbuffer, inner, operator_names
from crossload.artifacts.tflite.flatbuffer import FlatbufferError
from crossload.support.reach import endless


@dataclass(frozen=True)
class Code:
    """An entry of the file's list of operators: `kind` is builtin, flex or custom."""

    kind: str
    op: str
    version: int


@dataclass(frozen=True)
class Operand:
    """A tensor of an operator: its number in the enum TensorType (-1: absent), whether it has a scale, its values' place if constant.

    `computed`: its value comes from an operator or from the caller, rather than from the file; `open`: the file leaves a dimension to
    the run, and `shape` has 1 there; `index` is its place in the subgraph.
    """

    number: int
    quantised: bool = False
    shape: tuple[int, ...] = ()
    extent: tuple[int, int] | None = None
    computed: bool = False
    open: bool = False
    index: int = -1


@dataclass(frozen=True)
class Node:
    """An operator in use; `options` are the places of its options' fields, `calls` the subgraphs that it runs."""

    number: int
    code: Code
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    options: Mapping[int, tuple[int, int]]
    calls: tuple[int, ...] = ()


@dataclass(frozen=True)
class Graph:
    """A .tflite's operators by subgraph.

    `subgraph_of` has the subgraph of each signature's key; `external`: there are weights after the flatbuffer; `extent`: where the last
    buffer inside it ends; `largest`: the elements of the largest tensor; `unmade`: the first subgraph's outputs that are neither inputs,
    constants, nor made by an operator; `nameless`: its inputs and outputs without a name of their own.
    """

    data: flatbuffer.Buffer
    codes: tuple[Code, ...]
    subgraphs: tuple[tuple[Node, ...], ...]
    subgraph_of: Mapping[str, int]
    external: bool
    extent: int
    largest: int
    unmade: tuple[int, ...]
    nameless: tuple[int, ...]

    def option(self, node: Node, field: int) -> int:
        """The integer in a field of an operator's options; 0 where it is absent."""
        start, end = node.options.get(field, (0, 0))
        return int.from_bytes(self.data[start : min(end, start + 4)], "little", signed=True)

    def calls(self, subgraph: int) -> Iterator[int]:
        """The subgraphs that operators of this one run."""
        return (called for node in self.subgraphs[subgraph] for called in node.calls)

    def prepared(self, subgraph: int) -> Iterator[tuple[int, str, Node]]:
        """The operators of this subgraph and of all that it runs, in the order in which they are prepared; each subgraph counts once.

        With each, the subgraph that it is in, and the operator that runs that one: CALL_ONCE wherever it is above, empty for the first.
        """
        met, waiting = {subgraph}, [(subgraph, "", node) for node in reversed(self.subgraphs[subgraph])]
        while waiting:
            at, by, node = waiting.pop()
            yield at, by, node
            for called in (c for c in reversed(node.calls) if c not in met and 0 <= c < len(self.subgraphs)):
                met.add(called)
                runner = by if by == "CALL_ONCE" else node.code.op
                waiting += [(called, runner, n) for n in reversed(self.subgraphs[called])]

    def is_read_from_values(self, subgraph: int, operand: Operand) -> bool:
        """Whether an operand depends on the values that the subgraph is given, and not on their shapes alone."""
        made_by = {o.index: node for node in self.subgraphs[subgraph] for o in node.outputs}
        met, waiting = {operand.index}, [operand]
        while waiting:
            one = waiting.pop()
            if not one.computed:
                continue
            if (node := made_by.get(one.index)) is None:
                return True
            if node.code.op not in ("SHAPE", "RANK"):
                waiting += [o for o in node.inputs if o.index not in met]
                met.update(o.index for o in node.inputs)
        return False

    @cached_property
    def assigns(self) -> bool:
        """Whether any operator of the file gives a variable a value."""
        return any(node.code.op == "ASSIGN_VARIABLE" for nodes in self.subgraphs for node in nodes)

    @cached_property
    def recursive(self) -> bool:
        """Whether a subgraph runs itself, directly or not: no interpreter can unfold that."""
        return bool(endless({at: self.calls(at) for at in range(len(self.subgraphs))}))

    def integers(self, operand: Operand) -> list[int]:
        """The values of a constant of int32 or int64, at most 1,024 of them; empty for any other tensor."""
        code = {2: "i", 4: "q"}.get(operand.number)
        if code is None or operand.extent is None:
            return []
        start, length = operand.extent
        count = min(length // struct.calcsize(code), 1024)
        return list(struct.unpack_from(f"<{count}{code}", self.data, start))


def read(path: Path) -> Graph:
    """Read a .tflite's operators; raises ArtifactError for a damaged file."""
    head(path)
    with path.open("rb") as stream:
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)  # closed with the last reader; weights are not read
    with inner.damage(path):
        return _graph(data, inner.decoded(data))


def _graph(data: flatbuffer.Buffer, found: dict[str, Any]) -> Graph:
    codes = tuple(Code(*operator_names.op_of(c), max(1, c["version"])) for c in found["operator_codes"])
    subgraphs = tuple(
        tuple(_node(data, n, o, codes, subgraph["tensors"], found["buffers"]) for n, o in enumerate(subgraph["operators"]))
        for subgraph in found["subgraphs"]
    )
    return Graph(
        data,
        codes,
        subgraphs,
        {d["key"] or "": int(d["subgraph_index"]) for d in found["signature_defs"]},
        any(b["offset"] > 1 for b in found["buffers"]),
        max((sum(b["data"]) for b in found["buffers"] if b["data"]), default=0),
        max((prod(max(0, d) for d in t["shape"]) for s in found["subgraphs"] for t in s["tensors"]), default=0),
        _unmade(found["subgraphs"][0], found["buffers"]) if subgraphs else (),
        _nameless(found["subgraphs"][0]) if subgraphs else (),
    )


def _nameless(subgraph: dict[str, Any]) -> tuple[int, ...]:
    names = {at: subgraph["tensors"][at]["name"] for side in ("inputs", "outputs") for at in subgraph[side]}
    times = Counter(names.values())
    return tuple(sorted(at for at, name in names.items() if not name or times[name] > 1))


def _unmade(subgraph: dict[str, Any], buffers: list[Any]) -> tuple[int, ...]:
    made = {*subgraph["inputs"], *(at for o in subgraph["operators"] for at in o["outputs"])}
    tensors = subgraph["tensors"]
    held = {n for n, t in enumerate(tensors) if t["is_variable"] or (t["buffer"] < len(buffers) and _is_filled(buffers[t["buffer"]]))}
    return tuple(at for at in subgraph["outputs"] if at not in made | held)


def _is_filled(buffer: dict[str, Any]) -> bool:
    return bool(buffer["data"] and buffer["data"][1]) or buffer["offset"] > 1


def _node(
    data: flatbuffer.Buffer, number: int, operator: dict[str, Any], codes: tuple[Code, ...], tensors: list[Any], buffers: list[Any]
) -> Node:
    if not 0 <= operator["code"] < len(codes):
        raise FlatbufferError(f"it refers to operator code {operator['code']} of {len(codes)}")
    inputs, outputs = (tuple(_operand(at, tensors, buffers) for at in operator[side]) for side in ("inputs", "outputs"))
    code = codes[operator["code"]]
    return Node(number, code, inputs, outputs, operator["options"] or {}, inner.calls(data, code.op, operator))


def _operand(at: int, tensors: list[Any], buffers: list[Any]) -> Operand:
    if at == -1:
        return Operand(-1)
    if not 0 <= at < len(tensors):
        raise FlatbufferError(f"it refers to tensor {at} of {len(tensors)}")
    tensor = tensors[at]
    extent = buffers[tensor["buffer"]]["data"] if tensor["buffer"] < len(buffers) else None
    quantised = bool(tensor["quantization"] and tensor["quantization"]["scale"])
    filled = tensor["buffer"] < len(buffers) and _is_filled(buffers[tensor["buffer"]])
    computed = not filled and not tensor["is_variable"]
    is_open = -1 in tensor["shape_signature"]
    return Operand(tensor["type"], quantised, tuple(tensor["shape"]), extent if extent and extent[1] else None, computed, is_open, at)
