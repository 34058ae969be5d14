"""What a graph reads and nothing sets: tables that nothing fills, variables that nothing restores or assigns.

Kernels: core/kernels/lookup_table_op.cc ("Table not initialized"), resource_variable_ops.cc and variable_ops.cc (an uninitialised
variable).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from crossload.artifacts.graphs.graph import operation_of
from crossload.artifacts.graphs.saved_model_keys import TABLE_INITIALIZERS

_VARIABLES = ("VarHandleOp", "Variable", "VariableV2")
_ASSIGNS = ("Assign", "AssignVariableOp")
_TABLES = re.compile(r"HashTable(V2)?")  # a mutable table that nothing fills answers as an empty one
_FILLERS = re.compile(r"InitializeTable(FromTextFile|FromDataset)?(V2)?|LookupTable(Import|Insert)(V2)?")
_FINDS = re.compile(r"LookupTableFind(V2)?")
_PASSING = ("Identity", "Enter", "Switch")


@dataclass(frozen=True)
class Unset:
    """One table or variable: the sentence, and the node that fails."""

    sentence: str
    node: str
    op: str


@dataclass(frozen=True)
class Reads:
    """A graph's own nodes by name, the names of its functions, and what its loader runs: operations, and the collection of
    table initialisers, which some loaders do not run."""

    nodes: Mapping[str, Any]
    functions: Container[str]
    needed: Callable[[Iterable[str]], set[str]]
    at_load: tuple[str, ...] = ()
    initializers: tuple[str, ...] = ()
    runs_initializers: bool = True

    def unset(self, roots: Iterable[str]) -> Iterator[Unset]:
        """What a run of these operations reads and nothing sets, as far as the nodes outside of functions tell."""
        if not self._keeps_anything:
            return
        run = self.needed(roots)
        loaded = self.needed((*self.at_load, *(self.initializers if self.runs_initializers else ())))
        yield from self._tables(run, self._filled(run | loaded))
        yield from self._variables(run, self.needed(self.at_load))

    @cached_property
    def _keeps_anything(self) -> bool:
        """Whether the graph has a table or a variable; most large graphs have none, being frozen."""
        return any(op in _VARIABLES or _TABLES.fullmatch(op) for op in {node.op for node in self.nodes.values()})

    def _tables(self, run: set[str], filled: set[str]) -> Iterator[Unset]:
        for name in sorted(run):
            node = self.nodes[name]
            table = self._origin(node.input[0]) if _FINDS.fullmatch(node.op) and node.input else None
            if table is not None and _TABLES.fullmatch(table.op) and table.name not in filled:
                yield Unset(f"nothing fills the table {table.name!r}: {self._why(table)}", name, node.op)

    def _why(self, table: Any) -> str:
        filler = next((n for n in self.nodes.values() if _FILLERS.fullmatch(n.op) and n.input and self._origin(n.input[0]) is table), None)
        if filler is None:
            return "the graph has no op that does; export it again from the program that fills it"
        if filler.name in self.needed(self.initializers):
            return f"this release does not run the collection {TABLE_INITIALIZERS}, which alone runs {filler.op} {filler.name!r}"
        return f"no init op runs {filler.op} {filler.name!r}, which would; export it again with that op as its init op"

    def _filled(self, run: Iterable[str]) -> set[str]:
        """The tables that these operations fill: a node of any other kind that takes a table may, such as a call."""
        found = set()
        for node in (self.nodes[name] for name in run):
            if node.op not in _PASSING and not _FINDS.fullmatch(node.op):
                found |= {o.name for at in node.input if (o := self._origin(at)) is not None and _TABLES.fullmatch(o.op)}
        return found

    def _variables(self, run: set[str], loaded: set[str]) -> Iterator[Unset]:
        ops = {self.nodes[name].op for name in loaded}
        if any(op.startswith("Restore") or "PartitionedCall" in op or op in self.functions for op in ops):
            return  # which variables these give values, the graph does not state
        assigns = [node for name in (*loaded, *run) if (node := self.nodes[name]).op in _ASSIGNS]
        assigned = {o.name for node in assigns if node.input and (o := self._origin(node.input[0])) is not None}
        empty = [name for name in sorted(run) if self.nodes[name].op in _VARIABLES and name not in assigned]
        if empty:
            more = f" (and {len(empty) - 1} more)" if len(empty) > 1 else ""
            said = (
                f"the variable {empty[0]!r}{more} has no value: nothing restores or assigns it; freeze the graph again from its checkpoint"
            )
            yield Unset(said, empty[0], self.nodes[empty[0]].op)

    def _origin(self, source: str) -> Any:
        """The node that makes the table or the variable which an input takes; None if it is none of the graph's own."""
        node = self.nodes.get(operation_of(source))
        for _ in range(32):
            if node is None or node.op not in _PASSING or not node.input:
                return node
            node = self.nodes.get(operation_of(node.input[0]))
        return None


def begun(graph: Any) -> dict[str, str]:
    """The variables to which a GraphDef gives a first value, by the `If` that asks whether they have one already and reads them."""
    asked = {n.name: operation_of(n.input[0]) for n in graph.node if n.op == "VarIsInitializedOp"}
    decided = ((asked.get(operation_of(n.input[0]), ""), n) for n in graph.node if n.op == "If")
    return {variable: node.name for variable, node in decided if variable in [operation_of(at) for at in node.input[1:]]}


def valueless(graph: Any) -> list[str]:
    """The variables of a GraphDef without a value in it."""
    known = begun(graph)
    return sorted(n.name for n in graph.node if n.op in _VARIABLES and n.name not in known)


def of_meta_graph(found: Any) -> Iterator[str]:
    """The sentences for a MetaGraph of a SavedModel (artifacts.graphs.saved_model), over all of its signatures."""
    proto, roots = found.proto, [operation_of(str(t.tensor)) for s in found.signatures.values() for t in s.outputs]
    collections = proto.collection_def
    initializers = [operation_of(n) for n in collections[TABLE_INITIALIZERS].node_list.value] if TABLE_INITIALIZERS in collections else []
    at_load = [operation_of(n) for n in (proto.saver_def.restore_op_name, *found.init_ops.values()) if n]
    yield from _sentences(found.graph, roots, tuple(at_load), tuple(initializers))


def of_graph(graph: Any, outputs: Iterable[str]) -> Iterator[str]:
    """The sentences for a GraphDef (artifacts.graphs.graph) whose answer is in these tensors."""
    yield from _sentences(graph, [operation_of(at) for at in outputs])


def _sentences(graph: Any, roots: Iterable[str], at_load: tuple[str, ...] = (), initializers: tuple[str, ...] = ()) -> Iterator[str]:
    def needed(names: Iterable[str]) -> set[str]:
        try:
            found: set[str] = graph.needed_for(n for n in names if n in graph.nodes)
        except KeyError:  # an input that is not there: such a graph has worse faults
            return set()
        return {name for name in found if name in graph.nodes}

    reads = Reads(graph.nodes, graph.functions, needed, at_load, initializers)
    yield from dict.fromkeys(one.sentence for one in reads.unset(roots))
