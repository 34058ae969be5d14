"""The functions of a SavedModel's objects, which Python calls and no signature names (core/protobuf/saved_object_graph.proto)."""

from __future__ import annotations

import shlex
from collections import deque
from typing import Any


def function_names(meta_graph: Any) -> tuple[str, ...]:
    """The traced functions by their path from the root object (`add`, `encoder.call`), the shortest of each.

    Private ones are left out, but `__call__`.
    """
    nodes = meta_graph.object_graph_def.nodes
    found: dict[int, str] = {}
    seen, waiting = {0}, deque([(0, "")])
    while waiting:
        at, path = waiting.popleft()
        for child in nodes[at].children if at < len(nodes) else ():
            if child.node_id in seen or child.node_id >= len(nodes) or _is_private(child.local_name):
                continue
            seen.add(child.node_id)
            name = f"{path}.{child.local_name}".lstrip(".")
            node = nodes[child.node_id]
            if node.WhichOneof("kind") == "function" and node.function.concrete_functions:
                found[child.node_id] = name
            elif child.local_name != "signatures":
                waiting.append((child.node_id, name))
    return tuple(found.values())


def _is_private(name: str) -> bool:
    return name.startswith("_") and name != "__call__"


def unsigned(meta_graph: Any, source: object = "SOURCE") -> str:
    """What a model without a signature says about its functions, and how one becomes a signature; empty if it has none."""
    names = function_names(meta_graph)
    if not names:
        return ""
    some = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    command = shlex.join(["crossload", "convert", str(source), "signed", "--sign", names[0]])
    return f"its functions have no signature: {some}; {command} gives it one"
