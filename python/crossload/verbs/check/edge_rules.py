"""The edges of a graph: an input must exist and have the datatype that the op takes.

Sources: tensorflow/core/common_runtime/graph_constructor.cc (MakeEdge) for a graph's own nodes, whose inputs are `node:index`;
tensorflow/core/framework/function.cc (AddInput, BuildInputArgIndex) for a body's, whose inputs are `node:argument:index`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from crossload.contract.datatypes import for_people, from_enum
from crossload.releases.nodes import REFERENCE, datatypes_of
from crossload.releases.registrations import Release

# From an input's text: its datatype, None if that is open, or what is wrong with it.
_Source = Callable[[str], int | str | None]


def in_graph(node: Any, nodes: Mapping[str, Any], functions: Mapping[str, Any], release: Release) -> str | None:
    """What is wrong with the inputs of a graph's own node, in one sentence; None if nothing is."""

    def source(text: str) -> int | str | None:
        name, _, index = text.partition(":")
        op = _op(nodes[name], functions, release) if name in nodes and (index or "0").isdecimal() else None
        there = None if op is None else datatypes_of(nodes[name], op, op.output_arg)
        if there is None or int(index or 0) < len(there):
            return None if there is None else there[int(index or 0)]
        return f"takes output {index or 0} of {name!r}, which has {len(there)}"

    return _problem(node, functions, release, source)


def in_body(body: Any, functions: Mapping[str, Any], release: Release, chosen: Iterable[Any] | None = None) -> dict[str, str]:
    """For each node of a FunctionDef (or each of these) with wrong inputs, what is wrong with them, in one sentence."""
    nodes = {n.name: n for n in body.node_def}
    arguments = {a.name: a for a in body.signature.input_arg}

    def source(text: str) -> int | str | None:
        name, *rest = text.split(":")
        if name in arguments:
            plain = arguments[name].type and not (arguments[name].number_attr or arguments[name].type_list_attr)
            return arguments[name].type if plain and not rest else None
        if name not in nodes:
            return f"takes {text!r}, which the function does not have"
        op = _op(nodes[name], functions, release)
        if op is None or len(rest) != 2 or not rest[1].isdecimal():
            return None
        there = datatypes_of(nodes[name], op, [argument for argument in op.output_arg if argument.name == rest[0]])
        if there is None or int(rest[1]) < len(there):
            return None if there is None else there[int(rest[1])]
        return f"takes {text!r}, an output that {nodes[name].op} does not have"

    found = {node.name: _problem(node, functions, release, source) for node in (body.node_def if chosen is None else chosen)}
    return {name: said for name, said in found.items() if said}


def _problem(node: Any, functions: Mapping[str, Any], release: Release, source: _Source) -> str | None:
    given = [source(text) for text in node.input if not text.startswith("^")]
    for found in given:
        if isinstance(found, str):
            return f"{node.op} {found}"
    op = _op(node, functions, release)
    taken = None if op is None else datatypes_of(node, op, op.input_arg)
    if taken is None or None in given:
        return None
    for text, number, wanted in zip(node.input, given, taken, strict=False):
        if isinstance(number, int) and number != wanted and number - REFERENCE != wanted:
            return f"{node.op} takes {_people(wanted)} but gets the {_people(number)} of {text!r}"
    return None


def _op(node: Any, functions: Mapping[str, Any], release: Release) -> Any:
    return functions[node.op].signature if node.op in functions else release.op(node.op)


def _people(number: int) -> str:
    name = for_people(from_enum(number)) if number else "no datatype"
    return f"reference to {name}" if number >= REFERENCE else name
