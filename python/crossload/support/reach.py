"""Reachability: everything that a start leads to, in any graph."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

_Node = TypeVar("_Node", bound=Hashable)


def reached(start: Iterable[_Node], follow: Callable[[_Node], Iterable[_Node]]) -> set[_Node]:
    """The nodes of `start` and all that `follow` leads to from them, each followed once."""
    found: set[_Node] = set()
    waiting = list(start)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(follow(node))
    return found
