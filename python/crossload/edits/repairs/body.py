"""The nodes of a graph or of one of its functions, and how new ones are added to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from crossload.artifacts.graphs.graph import operation_of
from crossload.releases.registrations import releases


class Body(NamedTuple):
    """The nodes of a graph, or of a function of it; `arguments` are those of a function: tensors without a node."""

    function: str
    nodes: Any
    arguments: frozenset[str]

    def add(self, name: str, op: str, inputs: Iterable[str]) -> tuple[Any, str]:
        """A new node, and its first output's tensor. A number follows the name if another node or an argument has it already."""
        taken = {n.name for n in self.nodes} | self.arguments
        free = next(n for n in (name, *(f"{name}_{at}" for at in range(1, len(taken) + 2))) if n not in taken)
        node = self.nodes.add(name=free, op=op, input=list(inputs))
        return node, self.output(node, 0)

    def output(self, node: Any, at: int) -> str:
        """An output's tensor: `node:0` in a graph, `node:output:0` in a function (function.proto, FunctionDef.ret)."""
        if not self.function:
            return f"{node.name}:{at}"
        (argument, *_) = releases()[-1].op(node.op).output_arg
        return f"{node.name}:{argument.name}:{at}"

    def maker(self, tensor: str) -> Any | None:
        """The node that makes a tensor; None for an argument of the function."""
        return next((n for n in self.nodes if n.name == operation_of(tensor)), None)


def set_inputs(node: Any, inputs: Iterable[str]) -> None:
    """Replace a node's inputs."""
    taken = list(inputs)
    del node.input[:]
    node.input.extend(taken)
