"""The functions of a SavedModel's objects, which Python calls and no signature names (core/protobuf/saved_object_graph.proto)."""

from __future__ import annotations

from collections import deque
from typing import Any


def function_names(meta_graph: Any) -> tuple[str, ...]:
    """The traced functions by their path from the root object (`add`, `encoder.call`), the shortest of each; private ones are left out."""
    nodes = meta_graph.object_graph_def.nodes
    found: dict[int, str] = {}
    seen, waiting = {0}, deque([(0, "")])
    while waiting:
        at, path = waiting.popleft()
        for child in nodes[at].children if at < len(nodes) else ():
            if child.node_id in seen or child.node_id >= len(nodes) or child.local_name.startswith("_"):
                continue
            seen.add(child.node_id)
            name = f"{path}.{child.local_name}".lstrip(".")
            node = nodes[child.node_id]
            if node.WhichOneof("kind") == "function" and node.function.concrete_functions:
                found[child.node_id] = name
            elif child.local_name != "signatures":
                waiting.append((child.node_id, name))
    return tuple(found.values())


def unsigned(meta_graph: Any) -> str:
    """What a model without a signature says about its functions, and how one becomes a signature; empty if it has none."""
    names = function_names(meta_graph)
    if not names:
        return ""
    some = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return (
        f"its functions have no signature: {some}; in Python, model = tf.saved_model.load(SOURCE), then "
        f"tf.saved_model.save(model, DESTINATION, signatures=model.{names[0]}) gives it one"
    )
