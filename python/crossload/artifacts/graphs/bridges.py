"""Bridges as they stand in a graph: what their nodes and SignatureDefs are called (edits.bridges puts them there)."""

from __future__ import annotations

KEY = "crossload_bridge_"  # before the key of the signature
SCOPE = "crossload_bridge/"


def is_bridge(node_name: str) -> bool:
    """Whether a node of this name is part of a bridge."""
    return node_name.startswith(SCOPE)
