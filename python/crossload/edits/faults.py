"""Faults in a frozen graph, for measuring what vectors detect: one graph that computes as before, or with the fault whose number is fed.

Each fault is a branch beside a tensor (Switch and Merge, control_flow_ops.cc): it costs nothing while another number is fed. Functions'
bodies and the insides of TensorFlow 1's loops stay as they are.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossload.artifacts.graphs import protos
from crossload.artifacts.graphs.graph import operation_of
from crossload.contract.datatypes import from_enum, numpy_dtype
from crossload.support.reach import reached

NUMBER = "crossload_fault"  # the placeholder that takes the number of a fault; 0 is none
_FLOATS = (1, 2, 14, 19)  # types.proto: DT_FLOAT, DT_DOUBLE, DT_BFLOAT16, DT_HALF
_INT32, _STRING, _INT64, _BOOL = 3, 7, 9, 10
# What an activation may be replaced by: without its knee or saturation, or with one that it lacks.
_ACTIVATIONS = {
    "Relu": ("Identity", "Relu6"), "Relu6": ("Identity", "Relu"), "LeakyRelu": ("Identity", "Relu"), "Elu": ("Relu", "Selu"),
    "Selu": ("Relu", "Elu"), "Softplus": ("Relu",), "Sigmoid": ("Tanh",), "Tanh": ("Identity", "Sigmoid"), "Softsign": ("Tanh",),
    "Softmax": ("Sigmoid",), "Erf": ("Tanh",),
}  # fmt: skip
_CLIPS = {"Minimum": (0, 1), "Maximum": (0, 1), "ClipByValue": (0,)}
_GATHERS = ("Gather", "GatherV2")
_LOOKUPS = ("LookupTableFind", "LookupTableFindV2")
_FILLERS = ("InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2")
_PAIRS = 3  # exchanged rows of one table, beside the first with the last


@dataclass(frozen=True)
class Fault:
    """A change of what a node gives, or of what it takes as its input `at`; `kind` says which in words.

    `datatype` (types.proto) is that of the tensor; `make` adds the nodes that compute the wrong one.
    """

    node: str
    kind: str
    at: int | None
    datatype: int
    make: Callable[[_Branch], str]


def seed(graph: Any, most: int, seed: int = 0) -> list[Fault]:
    """At most `most` faults of a frozen GraphDef, in an order that is the same for the same seed and that takes the kinds in turn.

    A fault that changes no value (zeros negated, equal rows exchanged) is none.
    """
    random = np.random.default_rng(seed)
    kinds: dict[str, list[tuple[Fault, Callable[[], bool]]]] = defaultdict(list)
    for fault, changes in _candidates(_Graph(graph), random):
        kinds[fault.kind.partition(" ")[0]].append((fault, changes))
    found: list[Fault] = []
    waiting = [[one[at] for at in random.permutation(len(one))] for _, one in sorted(kinds.items())]
    while waiting and len(found) < most:
        for candidates in waiting:
            while candidates:
                fault, changes = candidates.pop()
                if changes():
                    found.append(fault)
                    break
        waiting = [candidates for candidates in waiting if candidates]
    return found[:most]


def with_faults(graph: Any, faults: Sequence[Fault]) -> tuple[Any, dict[str, str]]:
    """A copy of the graph in which fault `faults[n - 1]` happens if `n` is fed to `NUMBER`; and the new tensors of changed outputs."""
    made = type(graph)()
    made.CopyFrom(graph)
    number = made.node.add(name=NUMBER, op="Placeholder")
    number.attr["dtype"].type = _INT32
    number.attr["shape"].shape.SetInParent()
    known = _Graph(graph)
    nodes = {node.name: node for node in made.node}
    users = _users(made)
    changed: dict[str, str] = {}
    # What nodes give first: what they take may be one of these tensors.
    for n, fault in sorted(enumerate(faults, 1), key=lambda numbered: numbered[1].at is not None):
        node = nodes[fault.node]
        source = f"{node.name}:0" if fault.at is None else node.input[fault.at]
        current = changed.get(node.name, source) if fault.at is None else source
        branch = _Branch(made, n, known.nodes[fault.node], fault.datatype, current)
        result = branch.merged(fault.make(branch))
        if fault.at is not None:
            node.input[fault.at] = result
            continue
        changed[node.name] = result
        for user, at in users[node.name]:
            user.input[at] = result
    return made, {f"{name}:0": f"{tensor}:0" for name, tensor in changed.items()}


def needed(graph: Any, outputs: Iterable[str]) -> set[str]:
    """The names of the nodes that these tensors need."""
    nodes = {node.name: node for node in graph.node}
    return reached(
        (operation_of(o) for o in outputs), lambda name: [operation_of(at) for at in nodes[name].input if operation_of(at) in nodes]
    )


class _Graph:
    """What the faults ask of a frozen graph."""

    def __init__(self, graph: Any) -> None:
        self.nodes: dict[str, Any] = {node.name: node for node in graph.node}
        self.users = _users(graph)
        entered = [n.name for n in graph.node if n.op in ("Enter", "RefEnter")]
        self.in_loops = reached(entered, lambda name: [u.name for u, _ in self.users[name] if u.op not in ("Exit", "RefExit")])
        self.has_loops = bool(entered)

    def origin(self, at: str) -> Any:
        """The node behind identities."""
        node = self.nodes.get(operation_of(at))
        while node is not None and node.op == "Identity" and node.input:
            node = self.nodes.get(operation_of(node.input[0]))
        return node

    def constant(self, at: str) -> np.ndarray | None:
        """The value of a constant behind identities, None for anything else."""
        node = self.origin(at)
        return _array(node.attr["value"].tensor) if node is not None and node.op == "Const" else None


class _Branch:
    """The nodes of one fault in the graph: what follows `taken` is computed only if its number is fed."""

    def __init__(self, graph: Any, number: int, node: Any, datatype: int, current: str) -> None:
        """`node` as it was before any fault; `current` is the tensor to change, perhaps changed by other faults already."""
        self._graph, self._prefix, self.node, self.datatype = graph, f"crossload_faults/{number}", node, datatype
        mine = self.const(np.array(number, np.int32))
        self._active = self.add("Equal", [NUMBER, mine], T=_INT32)
        self._current = current
        self._else, self.value = self._switched(current, datatype)

    def _switched(self, tensor: str, datatype: int) -> tuple[str, str]:
        name = self.add("Switch", [tensor, self._active], T=datatype)
        return name, f"{name}:1"

    def taken(self, at: int) -> str:
        """The node's input, in the branch."""
        return self._switched(self.node.input[at], self.datatype)[1]

    def merged(self, faulty: str) -> str:
        """The tensor that is as before, or with the fault."""
        merge = self.add("Merge", [self._else, faulty], T=self.datatype)
        self._graph.node[-1].attr["N"].i = 2
        return merge

    def add(self, op: str, inputs: Sequence[str], **types: int) -> str:
        """A node; returns its name."""
        made = self._graph.node.add(name=f"{self._prefix}/{len(self._graph.node)}", op=op, input=inputs)
        for name, number in types.items():
            made.attr[name].type = number
        return str(made.name)

    def unary(self, op: str, tensor: str) -> str:
        """A node of one input of the fault's datatype."""
        return self.add(op, [tensor], T=self.datatype)

    def const(self, array: np.ndarray, number: int = _INT32) -> str:
        """A constant of the datatype `number`."""
        name = self.add("Const", [], dtype=number)
        tensor = self._graph.node[-1].attr["value"].tensor
        tensor.dtype = number
        tensor.tensor_shape.SetInParent()
        for size in array.shape:
            tensor.tensor_shape.dim.add(size=size)
        if number == _STRING:
            tensor.string_val.extend(array.ravel().tolist())
        else:
            tensor.tensor_content = array.tobytes()
        return name


def _candidates(graph: _Graph, random: np.random.Generator) -> Iterator[tuple[Fault, Callable[[], bool]]]:
    """Every fault, with whether it changes anything; values are read only when that is asked."""
    tables = {operation_of(n.input[0]): n for n in graph.nodes.values() if n.op in _FILLERS and len(n.input) > 2}
    conditions: set[str] = set()
    for node in graph.nodes.values():
        if node.name in graph.in_loops or (graph.has_loops and any(at.startswith("^") for at in node.input)):
            continue
        if node.op == "Const" and node.attr["dtype"].type in _FLOATS and _is_weight(graph, node):
            yield from _of_weight(node)
        elif node.op in (*_ACTIVATIONS, *_CLIPS) and node.attr["T"].type in _FLOATS:
            yield from ((fault, _always) for fault in _of_activation(node))
        elif node.op in ("Select", "SelectV2") or (node.op in ("If", "StatelessIf") and node.attr["Tcond"].type == _BOOL):
            yield from ((fault, _always) for fault in _of_condition(node.name, 0))
        elif node.op == "Switch" and (condition := operation_of(node.input[1])) not in conditions:
            conditions.add(condition)  # all the switches of a branch have one
            yield from ((fault, _always) for fault in _of_condition(condition, None))
        elif node.op in _GATHERS:
            axis = graph.constant(node.input[2]) if node.op == "GatherV2" else np.array(0)
            rows = graph.constant(node.input[0])
            if rows is not None and rows.ndim and axis is not None and int(axis) == 0:
                yield from _exchanges(node, "Tindices", np.arange(len(rows)), rows, random)
        elif node.op in _LOOKUPS and (table := tables.get(operation_of(node.input[0]))) is not None:
            keys, values = graph.constant(table.input[1]), graph.constant(table.input[2])
            if keys is not None and values is not None and keys.ndim == 1 and len(keys) == len(values):
                yield from _exchanges(node, "Tin", keys, values, random)


def _is_weight(graph: _Graph, node: Any) -> bool:
    """A value with a dimension, or a variable's: that one is read through an identity, a constant of the code is not."""
    users = [u for u, _ in graph.users[node.name]]
    return len(node.attr["value"].tensor.tensor_shape.dim) > 0 or (bool(users) and all(u.op == "Identity" for u in users))


def _of_weight(node: Any) -> Iterator[tuple[Fault, Callable[[], bool]]]:
    tensor = node.attr["value"].tensor
    datatype = node.attr["dtype"].type
    shape = protos.shape(tensor.tensor_shape) or ()
    if math.prod(shape) == 0:
        return

    def value() -> np.ndarray:
        return _array(tensor)

    def differs(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[], bool]:
        return lambda: not np.array_equal(change(value()), value(), equal_nan=True)

    yield Fault(node.name, "zeroed", None, datatype, lambda b: b.unary("ZerosLike", b.value)), differs(np.zeros_like)
    yield Fault(node.name, "negated", None, datatype, lambda b: b.unary("Neg", b.value)), differs(np.negative)
    axes = [at for at, size in enumerate(shape) if size > 1]
    if axes:

        def moved(b: _Branch) -> str:
            inputs = [b.value, b.const(np.array(1, np.int32)), b.const(np.array(axes[-1], np.int32))]
            return b.add("Roll", inputs, T=b.datatype, Tshift=_INT32, Taxis=_INT32)

        yield Fault(node.name, "moved by one place", None, datatype, moved), differs(lambda w: np.roll(w, 1, axes[-1]))
    if len(shape) <= 1:
        at = math.prod(shape) // 2

        def one_changed(b: _Branch) -> str:
            array = value()
            more = np.zeros(array.shape, array.dtype)
            more.reshape(-1)[at] = max(float(np.abs(np.where(np.isfinite(array), array, 0)).max()) / 2, 0.1)
            return b.add("AddV2", [b.value, b.const(more, b.datatype)], T=b.datatype)

        yield Fault(node.name, f"changed at [{at}]" if shape else "changed", None, datatype, one_changed), _always


def _of_activation(node: Any) -> Iterator[Fault]:
    for other in _ACTIVATIONS.get(node.op, ()):
        yield Fault(node.name, f"replaced: {node.op} by {other}", None, node.attr["T"].type, _replacement(other))
    for at in _CLIPS.get(node.op, ()):
        yield Fault(node.name, f"replaced: {node.op} by its input {at}", None, node.attr["T"].type, _passing(at))


def _of_condition(name: str, at: int | None) -> Iterator[Fault]:
    yield Fault(name, "forced true", at, _BOOL, lambda b: b.add("LogicalOr", [b.value, b.const(np.array(True), _BOOL)]))
    yield Fault(name, "forced false", at, _BOOL, lambda b: b.add("LogicalAnd", [b.value, b.const(np.array(False), _BOOL)]))


def _replacement(op: str) -> Callable[[_Branch], str]:
    return lambda b: b.unary(op, b.taken(0))


def _passing(at: int) -> Callable[[_Branch], str]:
    return lambda b: b.add("AddV2", [b.taken(at), b.unary("ZerosLike", b.value)], T=b.datatype)  # in the shape of the result


def _exchanges(
    node: Any, attribute: str, keys: np.ndarray, rows: np.ndarray, random: np.random.Generator
) -> Iterator[tuple[Fault, Callable[[], bool]]]:
    """Two rows of a table exchanged: whoever asks for one gets the other."""
    if len(keys) < 2:
        return
    pairs = [(0, len(keys) - 1), *(tuple(sorted(random.choice(len(keys), 2, replace=False).tolist())) for _ in range(_PAIRS))]
    for one, other in dict.fromkeys(pairs):
        text = f"rows {_text(keys[one])} and {_text(keys[other])} exchanged"
        yield Fault(node.name, text, 1, node.attr[attribute].type, _exchange(keys[one], keys[other])), _differ(rows[one], rows[other])


def _exchange(one: Any, other: Any) -> Callable[[_Branch], str]:
    def make(b: _Branch) -> str:
        dtype = object if b.datatype == _STRING else numpy_dtype(from_enum(b.datatype))
        first, second = (b.const(np.array(key, dtype), b.datatype) for key in (one, other))
        is_first, is_second = (b.add("Equal", [b.value, key], T=b.datatype) for key in (first, second))
        inner = b.add("SelectV2", [is_second, first, b.value], T=b.datatype)
        return b.add("SelectV2", [is_first, second, inner], T=b.datatype)

    return make


def _differ(one: Any, other: Any) -> Callable[[], bool]:
    return lambda: not np.array_equal(one, other)


def _always() -> bool:
    return True


def _text(key: Any) -> str:
    return repr(key.decode("utf-8", "replace")) if isinstance(key, bytes) else str(key)


def _users(graph: Any) -> Mapping[str, list[tuple[Any, int]]]:
    """By the name of a node: who takes its first output, and as which input."""
    found: dict[str, list[tuple[Any, int]]] = defaultdict(list)
    for node in graph.node:
        for at, source in enumerate(node.input):
            if not source.startswith("^") and source.removesuffix(":0") == operation_of(source):
                found[operation_of(source)].append((node, at))
    return found


def _array(tensor: Any) -> np.ndarray:
    """A TensorProto's value (tensor.proto); the writer may drop a tail of equal elements."""
    datatype = from_enum(tensor.dtype)
    shape = protos.shape(tensor.tensor_shape) or ()
    if datatype == "BYTES":
        texts = list(tensor.string_val) or [b""]
        array = np.empty(math.prod(shape), object)
        array[:] = [*texts, *[texts[-1]] * (array.size - len(texts))]
        return array.reshape(shape)
    data, _ = protos.packed(tensor, datatype) or (b"", 0)
    values = np.frombuffer(data, numpy_dtype(datatype))
    return np.concatenate([values, np.full(math.prod(shape) - values.size, values[-1])]).reshape(shape)
