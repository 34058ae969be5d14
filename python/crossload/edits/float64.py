"""The same graph in float64: the distance to its answers is what narrower arithmetic rounds away.

An op that has no float64 kernel, and an argument that is always float32, stay as they are, between casts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crossload.contract.datatypes import from_enum
from crossload.errors import CrossloadError
from crossload.releases.nodes import datatypes_of, kernel_problem, problems
from crossload.releases.registrations import Release

_DOUBLE = 2  # types.proto: DT_DOUBLE
_NARROW = (1, 14, 19)  # DT_FLOAT, DT_BFLOAT16, DT_HALF
_MOST_BYTES = 512 << 20
# What feeds a graph keeps its datatype; and what draws numbers (by name) would draw others in float64.
_KEPT = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault", "_Arg")


class NotWidened(CrossloadError):
    """A graph that cannot be computed in float64."""


def widened(graph: Any, release: Release) -> Any:
    """The GraphDef with every tensor of float32, float16 and bfloat16 computed in float64, under the same names.

    Placeholders keep their datatypes. Raises NotWidened for a graph that calls functions, draws random numbers, or is too large.
    """
    _check(graph, release)
    wide = type(graph)()
    wide.versions.CopyFrom(graph.versions)
    for node in graph.node:
        wide.node.add().CopyFrom(node)
        if node.op not in _KEPT and "Random" not in node.op:
            _widen(wide.node[-1])
            if kernel_problem(wide.node[-1], release, {}) or any(problems(wide.node[-1], release, graph.versions.producer, {})):
                wide.node[-1].CopyFrom(node)
    given = {node.name: _datatypes(node, release, "output_arg") for node in wide.node}
    casts: dict[tuple[str, int], str] = {}
    for node in list(wide.node):
        for at, wanted in enumerate(_datatypes(node, release, "input_arg")):
            name, _, index = node.input[at].partition(":")
            there = given[name][int(index or 0)] if int(index or 0) < len(given[name]) else wanted
            if there != wanted and {there, wanted} <= {_DOUBLE, *_NARROW}:
                key = f"{name}:{index or 0}", wanted
                if key not in casts:
                    casts[key] = f"{name}/crossload_cast_{len(casts)}"
                    _cast(wide.node.add(name=casts[key], op="Cast", input=[key[0]]), there, wanted)
                node.input[at] = casts[key]
    return wide


def _datatypes(node: Any, release: Release, side: str) -> list[int]:
    op = release.op(node.op)
    return datatypes_of(node, op, getattr(op, side)) or []


def _cast(node: Any, there: int, wanted: int) -> None:
    node.attr["SrcT"].type = there
    node.attr["DstT"].type = wanted


def _check(graph: Any, release: Release) -> None:
    if graph.ByteSize() > _MOST_BYTES:
        raise NotWidened(f"the graph has more than {_MOST_BYTES >> 20} MiB")
    functions = {f.signature.name for f in graph.library.function}
    for node in graph.node:
        op = release.op(node.op)
        if node.op in functions or any(f in functions for f in _named(node)):
            raise NotWidened(f"{node.name!r} ({node.op}) calls a function")
        if op is None:
            raise NotWidened(f"{node.name!r} is a {node.op}, which TensorFlow {release.tensorflow} does not have")
        if op.is_stateful and ("Random" in node.op or "Multinomial" in node.op):
            raise NotWidened(f"{node.name!r} ({node.op}) draws random numbers")


def _named(node: Any) -> Iterator[str]:
    for value in node.attr.values():
        if value.WhichOneof("value") == "func":
            yield value.func.name
        yield from (f.name for f in value.list.func)


def _widen(node: Any) -> None:
    for value in node.attr.values():
        which = value.WhichOneof("value")
        if which == "type" and value.type in _NARROW:
            value.type = _DOUBLE
        elif which == "list":
            for at, number in enumerate(value.list.type):
                if number in _NARROW:
                    value.list.type[at] = _DOUBLE
        elif which == "tensor" and value.tensor.dtype in _NARROW:
            _widen_tensor(value.tensor)


def _widen_tensor(tensor: Any) -> None:
    """tensor.proto: the bytes of `tensor_content`, or one number or more in the field of the datatype."""
    import numpy as np

    from crossload.contract.datatypes import numpy_dtype

    narrow = numpy_dtype(from_enum(tensor.dtype))
    if tensor.tensor_content:
        values = np.frombuffer(tensor.tensor_content, narrow)
    elif tensor.dtype == 1:
        values = np.array(tensor.float_val, np.float32)
    else:  # the bits of a 16-bit float
        values = np.array(tensor.half_val, np.uint16).view(narrow)
    packed = bool(tensor.tensor_content)
    for field in ("tensor_content", "float_val", "half_val"):
        tensor.ClearField(field)
    tensor.dtype = _DOUBLE
    if packed:
        tensor.tensor_content = values.astype("<f8").tobytes()
    else:
        tensor.double_val.extend(values.astype(np.float64).tolist())
