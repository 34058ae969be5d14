"""The functions that a node names (node_def.proto, attr_value.proto)."""

from __future__ import annotations

from typing import Any


def functions_named(node: Any) -> set[str]:
    """The names that may be functions of the graph's library: the node's op, and those in its attributes."""
    return {node.op, *(f.name for a in node.attr.values() for f in (a.func, *a.list.func))}
