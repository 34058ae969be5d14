"""The same graph in float64: the distance to its answers is what narrower arithmetic rounds away.

An op that has no float64 kernel, and an argument that is always float32, stay as they are, between casts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from crossload.contract.datatypes import from_enum, numpy_dtype
from crossload.errors import CrossloadError
from crossload.releases.nodes import datatypes_of, kernel_problem, problems
from crossload.releases.registrations import Release

# types.proto: float32, bfloat16 and float16 become float64 (DT_DOUBLE), complex64 becomes complex128.
_WIDER = {1: 2, 14: 2, 19: 2, 8: 18}
MOST_BYTES = 512 << 20
# What feeds a graph keeps its datatype; and what draws numbers (by name) would draw others in float64.
_KEPT = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault", "_Arg")

# By a node's name: the datatypes of its outputs, by the output's argument in its OpDef.
_Given = Mapping[str, Mapping[str, list[int]]]


class NotWidened(CrossloadError):
    """A graph that cannot be computed in float64."""


def widened(graph: Any, release: Release) -> tuple[Any, list[str]]:
    """The GraphDef with every tensor of float32, float16 and bfloat16 computed in float64, under the same names, functions included.

    complex64 becomes complex128; placeholders keep their datatypes. Also returns the ops that still give a narrower datatype. Raises
    NotWidened for a graph that draws random numbers, has functions of any datatype, or ops that the release does not have, or is too large.
    """
    if graph.ByteSize() > MOST_BYTES:
        raise NotWidened(f"the graph has more than {MOST_BYTES >> 20} MiB")
    wide = type(graph)()
    wide.CopyFrom(graph)
    ops = _Ops(wide, release)
    bodies = [wide.node, *(f.node_def for f in wide.library.function)]
    for nodes in bodies:
        _check(nodes, ops)
    for function in wide.library.function:
        for argument in (*function.signature.input_arg, *function.signature.output_arg):
            argument.type = _WIDER.get(argument.type, argument.type)
    for nodes in bodies:
        for node in nodes:
            _widen(node, graph.versions.producer, ops)
    narrow = {n.op for nodes in bodies for n in nodes if n.op not in _KEPT and not _WIDER.keys().isdisjoint(ops.gives(n))}
    _cast_graph(wide, ops)
    for function in wide.library.function:
        _cast_body(function, ops)
    return wide, sorted(narrow)


class _Ops:
    """The OpDefs of a release, and the graph's own functions, which are ops too."""

    def __init__(self, graph: Any, release: Release) -> None:
        self.release = release
        self.functions = {f.signature.name: f for f in graph.library.function}

    def of(self, node: Any) -> Any:
        """The OpDef of a node, None if there is none."""
        return self.functions[node.op].signature if node.op in self.functions else self.release.op(node.op)

    def taken(self, node: Any) -> list[int]:
        """The datatypes (types.proto) of a node's inputs."""
        return datatypes_of(node, self.of(node), self.of(node).input_arg) or []

    def gives(self, node: Any) -> list[int]:
        """The datatypes of a node's outputs."""
        return datatypes_of(node, self.of(node), self.of(node).output_arg) or []

    def given(self, nodes: Iterable[Any]) -> _Given:
        """The datatypes of the outputs of nodes."""
        return {n.name: {a.name: datatypes_of(n, self.of(n), [a]) or [] for a in self.of(n).output_arg} for n in nodes}


def _check(nodes: Iterable[Any], ops: _Ops) -> None:
    for node in nodes:
        op = ops.of(node)
        if op is None:
            raise NotWidened(f"{node.name!r} is a {node.op}, which TensorFlow {ops.release.tensorflow} does not have")
        if node.op in ops.functions and op.attr:
            raise NotWidened(f"{node.name!r} calls {node.op}, a function of any datatype")
        if op.is_stateful and ("Random" in node.op or "Multinomial" in node.op):
            raise NotWidened(f"{node.name!r} ({node.op}) draws random numbers")


def _widen(node: Any, producer: int, ops: _Ops) -> None:
    """Widen a node's attributes, unless it would have no kernel then."""
    if node.op in _KEPT or "Random" in node.op:
        return
    before = type(node)()
    before.CopyFrom(node)
    for attr in ops.of(node).attr:  # a SavedModel leaves out what has its default
        if attr.type == "type" and attr.name not in node.attr and attr.default_value.type in _WIDER:
            node.attr[attr.name].type = attr.default_value.type
    for value in node.attr.values():
        which = value.WhichOneof("value")
        if which == "type" and value.type in _WIDER:
            value.type = _WIDER[value.type]
        elif which == "list":
            for at, number in enumerate(value.list.type):
                if number in _WIDER:
                    value.list.type[at] = _WIDER[number]
        elif which == "tensor" and value.tensor.dtype in _WIDER:
            _widen_tensor(value.tensor)
    if kernel_problem(node, ops.release, ops.functions) or any(problems(node, ops.release, producer, ops.functions)):
        node.CopyFrom(before)


def _widen_tensor(tensor: Any) -> None:
    """tensor.proto: the bytes of `tensor_content`, or one number or more in the field of the datatype."""
    import numpy as np

    narrow = numpy_dtype(from_enum(tensor.dtype))
    if tensor.tensor_content:
        values = np.frombuffer(tensor.tensor_content, narrow)
    elif tensor.dtype == 1:
        values = np.array(tensor.float_val, np.float32)
    elif tensor.dtype == 8:  # pairs of real and imaginary parts
        values = np.array(tensor.scomplex_val, np.float32)
    else:  # the bits of a 16-bit float
        values = np.array(tensor.half_val, np.uint16).view(narrow)
    packed = bool(tensor.tensor_content)
    for field in ("tensor_content", "float_val", "half_val", "scomplex_val"):
        tensor.ClearField(field)
    tensor.dtype = _WIDER[tensor.dtype]
    if packed:
        tensor.tensor_content = values.astype(numpy_dtype(from_enum(tensor.dtype)).newbyteorder("<")).tobytes()
    else:
        (tensor.double_val if tensor.dtype == 2 else tensor.dcomplex_val).extend(values.astype(np.float64).tolist())


def _cast_graph(graph: Any, ops: _Ops) -> None:
    given = ops.given(graph.node)
    flat = {name: [number for numbers in outputs.values() for number in numbers] for name, outputs in given.items()}

    def datatype(source: str) -> int | None:
        name, _, index = source.partition(":")
        return flat[name][int(index or 0)] if name in flat and int(index or 0) < len(flat[name]) else None

    _Casts(graph.node, datatype, "").between(ops)


def _cast_body(function: Any, ops: _Ops) -> None:
    arguments = {a.name: a.type for a in function.signature.input_arg}
    given = ops.given(function.node_def)

    def datatype(source: str) -> int | None:
        name, *rest = source.split(":")
        if name in arguments:
            return int(arguments[name])
        numbers = given.get(name, {}).get(rest[0], []) if len(rest) == 2 else []
        return numbers[int(rest[1])] if len(rest) == 2 and int(rest[1]) < len(numbers) else None

    casts = _Casts(function.node_def, datatype, ":y:0")
    casts.between(ops)
    for output in function.signature.output_arg:
        function.ret[output.name] = casts.of(function.ret[output.name], output.type)


class _Casts:
    """The casts of one graph or body: a tensor is cast once, however often it is taken. `suffix` names a Cast's output there."""

    def __init__(self, nodes: Any, datatype: Callable[[str], int | None], suffix: str) -> None:
        self._nodes, self._datatype, self._suffix = nodes, datatype, suffix
        self._made: dict[tuple[str, int], str] = {}

    def between(self, ops: _Ops) -> None:
        """Cast every input that has another datatype than its node takes."""
        for node in list(self._nodes):
            for at, wanted in enumerate(ops.taken(node)):
                node.input[at] = self.of(node.input[at], wanted)

    def of(self, source: str, wanted: int) -> str:
        """The tensor of this datatype: `source`, or its cast."""
        there = self._datatype(source)
        if there == wanted or there is None or _WIDER.get(there, there) != _WIDER.get(wanted, wanted):
            return source
        if (source, wanted) not in self._made:
            cast = self._nodes.add(name=f"{source.partition(':')[0]}/crossload_cast_{len(self._made)}", op="Cast", input=[source])
            cast.attr["SrcT"].type, cast.attr["DstT"].type = there, wanted
            self._made[source, wanted] = cast.name + self._suffix
        return self._made[source, wanted]
