"""Nodes that no rule can tell apart: a graph of 200,000 nodes has a few hundred kinds, and each is checked once in a release.

A node's kind is all that the rules read: its op, its device, its attributes as far as an OpDef can constrain them, and the kinds of
the nodes that its inputs come from. Names are left out; where a kind has a problem, the rules look at each of its nodes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Hashable, Iterable, Mapping
from typing import Any

# Strings that name a resource and that no OpDef constrains: each variable has its own.
_NAMES = frozenset({"shared_name", "container", "debug_name", "cluster_name", "config_proto", "executor_type"})
# Values that no OpDef constrains.
_FREE = frozenset({"tensor", "shape", "f", "b", "placeholder", None})
_LONG = 256

Kind = Hashable
_Source = Callable[[str], Hashable]


class Kinds:
    """The kinds of nodes, numbered as they are met. A node names functions: only whether they are among `functions` counts."""

    def __init__(self, functions: Container[str]) -> None:
        self._functions = functions
        self._numbers: dict[Hashable, int] = {}
        self._met: dict[bytes, int] = {}
        self._nameless: Any = None

    def of_graph(self, nodes: Mapping[str, Any]) -> dict[Kind, list[Any]]:
        """A graph's own nodes by kind; an input is `node:index`."""
        own = {name: self._own(node) for name, node in nodes.items()}

        def source(text: str) -> Hashable:
            name, _, index = text.partition(":")
            return own.get(name), index

        found: dict[Kind, list[Any]] = {}
        for name, node in nodes.items():
            found.setdefault(self._with_inputs(own[name], node, source), []).append(node)
        return found

    def of_body(self, body: Any) -> dict[Kind, Any]:
        """One node of each kind in a FunctionDef; an input is an argument or `node:argument:index`."""
        own = {node.name: self._own(node) for node in body.node_def}
        arguments = {a.name: (a.type, a.number_attr, a.type_list_attr) for a in body.signature.input_arg}

        def source(text: str) -> Hashable:
            name, _, rest = text.partition(":")
            return arguments.get(name, own.get(name)), rest

        return {self._with_inputs(own[node.name], node, source): node for node in body.node_def}

    def _with_inputs(self, own: int, node: Any, source: _Source) -> Kind:
        return own, *(source(text) for text in node.input if not text.startswith("^"))

    def _own(self, node: Any) -> int:
        if node.ByteSize() > _LONG:
            return self._number(node)
        # Most nodes differ from one met before in nothing but their name and inputs: comparing bytes is cheaper than reading attributes.
        self._nameless = self._nameless or type(node)()
        self._nameless.CopyFrom(node)
        self._nameless.ClearField("name")
        self._nameless.ClearField("input")
        content = self._nameless.SerializeToString(deterministic=True)
        if content not in self._met:
            self._met[content] = self._number(node)
        return self._met[content]

    def _number(self, node: Any) -> int:
        kind = node.op, node.device, frozenset(_attributes(node, self._functions))
        return self._numbers.setdefault(kind, len(self._numbers))


def _attributes(node: Any, functions: Container[str]) -> Iterable[tuple[str, Hashable]]:
    for name, value in node.attr.items():
        which = value.WhichOneof("value")
        if which in _FREE or (which == "s" and name in _NAMES):
            yield name, which or ""
        elif which == "func":
            yield name, not value.func.name or value.func.name in functions
        elif which == "list" and value.ByteSize() > _LONG:
            yield name, hashlib.sha256(value.SerializeToString()).digest()
        elif not name.startswith("_") or name == "_kernel":
            yield name, value.SerializeToString()
