"""Reachability: everything that a start leads to, in any graph."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
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


def endless(edges: Mapping[_Node, Iterable[_Node]]) -> set[_Node]:
    """The nodes from which a way never has to end: those of a circle, and those that lead to one. Ends of edges that are no nodes end.

    Every edge is followed once.
    """
    onward = {node: {end for end in ends if end in edges} for node, ends in edges.items()}
    before: dict[_Node, list[_Node]] = {node: [] for node in onward}
    for node, ends in onward.items():
        for end in ends:
            before[end].append(node)
    ending = [node for node, ends in onward.items() if not ends]
    while ending:
        done = ending.pop()
        del onward[done]
        for node in before[done]:
            onward[node].discard(done)
            if not onward[node]:
                ending.append(node)
    return set(onward)
