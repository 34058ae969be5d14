"""Inline functions: the nodes that some operations need, calls replaced by the bodies of the functions (function.proto).

A body's inputs are `argument`, or `node:output:index` with the names of op_def.proto; a graph's are `operation:index`. What a call
must do besides its results (`control_ret`) must still happen before whatever waits for the call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from crossload.artifacts.graphs.graph import operation_of
from crossload.edits.freezing.refusal import NeedsTensorFlow
from crossload.releases.nodes import tensor_count
from crossload.releases.registrations import releases
from crossload.support.reach import reached

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
# Control flow of TensorFlow 1: a node in a branch or loop runs only there because of its inputs, control inputs included.
CONTROL_FLOW = frozenset(f"{ref}{op}" for ref in ("", "Ref") for op in ("Switch", "Merge", "Enter", "Exit", "NextIteration"))
_MOST_NODES = 1 << 19
_MOST_DEPTH = 200


def op_def(name: str) -> Any:
    """The newest release's OpDef; raises NeedsTensorFlow for an op that no release known here registers."""
    found = releases()[-1].op(name)
    if found is None:
        raise NeedsTensorFlow(f"the op {name} is not in TensorFlow {releases()[-1].tensorflow}")
    return found


@dataclass
class Flat:
    """A graph without calls: nodes by name, in the order of the file; names of body nodes begin with those of their calls.

    `results` are the tensors of each call of the graph itself, `waits` the operations that must have run when it is done.
    """

    nodes: dict[str, Any]
    results: dict[str, list[str]]
    waits: dict[str, list[str]]


@dataclass
class _Scope:
    """The nodes of the graph or of one call's body. `calls` are the scopes of the calls among them."""

    nodes: dict[str, Any]
    prefix: str = ""
    function: Any = None
    call: Any = None
    parent: _Scope | None = None
    depth: int = 0
    calls: dict[str, _Scope] = field(default_factory=dict)

    @cached_property
    def arguments(self) -> dict[str, int]:
        """The positions of the function's arguments."""
        return {a.name: at for at, a in enumerate(self.function.signature.input_arg)} if self.function else {}


def inline(graph: Any, operations: Sequence[str], renamed: Mapping[str, str]) -> Flat:
    """The nodes that these operations need, without calls. `renamed` gives another name to calls of the graph.

    Raises NeedsTensorFlow for what has no certain translation.
    """
    by_name = {node.name: node for node in graph.node}
    if missing := [o for o in operations if o not in by_name]:
        raise NeedsTensorFlow(f"the graph has no operation {missing[0]!r}")
    needed = reached(operations, lambda name: [o for o in map(operation_of, by_name[name].input) if o in by_name])
    root = _Scope({name: node for name, node in by_name.items() if name in needed})
    library = {f.signature.name: f for f in graph.library.function}
    scopes = list(_opened(root, library, renamed))
    if sum(len(scope.nodes) for scope in scopes) > _MOST_NODES:
        raise NeedsTensorFlow("its functions have too many nodes when they are inlined")
    has_branches = any(node.op in CONTROL_FLOW for scope in scopes for node in scope.nodes.values())
    if has_branches and len(scopes) > 1:
        raise NeedsTensorFlow("it calls functions among the branches or loops of TensorFlow 1")
    nodes = {}
    for scope in scopes:
        for node in scope.nodes.values():
            if node.name not in scope.calls:
                made = _emitted(scope, node)
                if made.name in nodes:
                    raise NeedsTensorFlow(f"two nodes would have the name {made.name!r}")
                nodes[made.name] = made
    results = {name: [_tensor(inner, r) for r in _returned(inner)] for name, inner in root.calls.items()}
    return Flat(nodes, results, {name: _done(root, name) for name in root.calls})


def _opened(scope: _Scope, library: Mapping[str, Any], renamed: Mapping[str, str]) -> Iterator[_Scope]:
    """The scope and those of the calls in it, all the way down."""
    waiting, total = [scope], 0
    while waiting:
        here = waiting.pop()
        total += len(here.nodes)
        if total > _MOST_NODES or here.depth > _MOST_DEPTH:
            raise NeedsTensorFlow("its functions call each other too deeply")
        for node in here.nodes.values():
            if node.op in library:
                raise NeedsTensorFlow(f"it calls the function {node.op} as an op")
            if node.op in CALLS:
                name = renamed.get(node.name, node.name) if here.parent is None else node.name
                here.calls[node.name] = _body(here, node, name, library)
        yield here
        waiting.extend(here.calls.values())


def _body(scope: _Scope, call: Any, name: str, library: Mapping[str, Any]) -> _Scope:
    function = library.get(call.attr["f"].func.name)
    if function is None:
        raise NeedsTensorFlow(f"the function {call.attr['f'].func.name!r} is not in the graph")
    signature = function.signature
    for argument in (*signature.input_arg, *signature.output_arg):
        if not argument.type or argument.number_attr or argument.type_list_attr:
            raise NeedsTensorFlow(f"the function {signature.name!r} leaves the datatype of {argument.name!r} to its caller")
    if signature.attr or call.attr["f"].func.attr:
        raise NeedsTensorFlow(f"the function {signature.name!r} has attributes of its own")
    given = [at for at in call.input if not at.startswith("^")]
    if len(given) != len(signature.input_arg):
        raise NeedsTensorFlow(f"the call {call.name!r} gives {len(given)} inputs to {len(signature.input_arg)} arguments")
    # An argument and a node may have one name; only `^name` and `name:output:index` are nodes then.
    return _Scope({n.name: n for n in function.node_def}, f"{scope.prefix}{name}/", function, call, scope, scope.depth + 1)


def _returned(scope: _Scope) -> list[str]:
    """The results of a body in the order of its signature."""
    names = [a.name for a in scope.function.signature.output_arg]
    if missing := [n for n in names if n not in scope.function.ret]:
        raise NeedsTensorFlow(f"the function {scope.function.signature.name!r} does not return {missing[0]!r}")
    return [scope.function.ret[name] for name in names]


def _tensor(scope: _Scope, at: str) -> str:
    """The tensor `operation:index` of the flat graph that an input of this scope's nodes means."""
    for _ in range(4 * _MOST_DEPTH):
        name, _, rest = at.partition(":")
        if scope.function is not None and not rest and name in scope.arguments:
            given = [i for i in scope.call.input if not i.startswith("^")]
            at, scope = given[scope.arguments[name]], scope.parent  # type: ignore[assignment]
            continue
        if name not in scope.nodes:
            raise NeedsTensorFlow(f"the input {at!r} is not in the graph")
        index = _index(scope, scope.nodes[name], rest)
        if name not in scope.calls:
            return f"{scope.prefix}{name}:{index}"
        scope = scope.calls[name]
        results = _returned(scope)
        if index >= len(results):
            raise NeedsTensorFlow(f"the call {name!r} has no result {index}")
        at = results[index]
    raise NeedsTensorFlow("its functions pass a tensor on in a circle")


def _index(scope: _Scope, node: Any, rest: str) -> int:
    """The number of an output: `index` in the graph, `output:index` in a body."""
    output, _, index = rest.rpartition(":") if scope.function is not None else ("", "", rest)
    if not (index or "0").isdecimal():
        output, index = index, "0"
    number = int(index or 0)
    if not output:
        return number
    definition = op_def(node.op)
    for argument in definition.output_arg:
        if argument.name == output:
            return number
        number += tensor_count(node, definition, argument) or 0
    raise NeedsTensorFlow(f"the op {node.op} has no output {output!r}")


def _emitted(scope: _Scope, node: Any) -> Any:
    """A copy of the node for the flat graph. Inside a body it waits for what the calls around it wait for."""
    made = type(node).FromString(node.SerializeToString())
    made.name, made.device = f"{scope.prefix}{node.name}", ""
    inputs = [_tensor(scope, at) for at in node.input if not at.startswith("^")]
    controls = dict.fromkeys(f"^{operation}" for operation in _controls(scope, node))
    del made.input[:]
    made.input.extend([*(at.removesuffix(":0") for at in inputs), *controls])
    return made


def _controls(scope: _Scope, node: Any) -> Iterator[str]:
    """The flat operations behind a node's control inputs, and behind those of the calls that contain it."""
    here: _Scope | None = scope
    while here is not None:
        for at in node.input:
            if at.startswith("^"):
                yield from _done(here, at[1:])
        node, here = here.call, here.parent


def _done(scope: _Scope, name: str) -> list[str]:
    """The flat operations that have run once the node `name` of this scope has."""
    if name in scope.arguments and name not in scope.nodes:
        return []  # an argument is there before the function runs
    if name not in scope.nodes:
        raise NeedsTensorFlow(f"the control input {name!r} is not in the graph")
    found, waiting = dict[str, None](), [(scope, name)]
    while waiting:
        here, at = waiting.pop()
        if at not in here.calls:
            found[f"{here.prefix}{at}"] = None
            continue
        inner = here.calls[at]
        last = [*inner.function.control_ret.values(), *(operation_of(r) for r in _returned(inner))]
        waiting.extend((inner, o) for o in last if o in inner.nodes)
        if len(waiting) + len(found) > _MOST_NODES:
            raise NeedsTensorFlow("its functions wait for too many nodes")
    return list(found)
