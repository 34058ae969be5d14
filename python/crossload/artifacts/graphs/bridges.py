"""Bridges in a graph: the names of their nodes and SignatureDefs (edits.bridges adds them)."""

from __future__ import annotations

KEY = "crossload_bridge_"  # the prefix of the signature's key
SCOPE = "crossload_bridge/"


def is_bridge(node_name: str) -> bool:
    """Whether a node with this name belongs to a bridge."""
    return node_name.startswith(SCOPE)
