"""What native TensorFlow rejects in a graph when it imports, places and runs it: rules found by loading real graphs.

Import validates all nodes of the graph, and the bodies that PartitionedCall and its like call (shape inference, function by
function): tensorflow/core/common_runtime/graph_constructor.cc, shape_refiner.cc. The placer places all nodes, needed or not
(placer.cc): for a SavedModel while it is loaded, for a GraphDef at its first run. Other bodies, such as the branches of an If, are
examined when a run needs the node that names them: ops and edges always; attributes only of the branch taken; kernels likewise,
unless the If is lowered, which places both branches. The branch taken is not predicted: a problem in either counts as one at run.
A body that no node names is never examined.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from crossload.artifacts.graphs.declared_inputs import Disagreement
from crossload.artifacts.graphs.functions import functions_named
from crossload.artifacts.graphs.graph import operation_of
from crossload.artifacts.graphs.saved_model import assets
from crossload.artifacts.graphs.saved_model_keys import TABLE_INITIALIZERS
from crossload.artifacts.graphs.unset import Reads, Unset
from crossload.releases.nodes import Problem, kernel_problem, problems
from crossload.releases.registrations import Release
from crossload.support.reach import reached
from crossload.verbs.check import edge_rules
from crossload.verbs.check.findings import Finding
from crossload.verbs.check.kinds import Kind, Kinds

# What shape inference instantiates (core/common_runtime/shape_refiner.cc, IsFunctionCall).
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
# Attributes that shape functions parse, and so reject if the value is invalid (core/framework/common_shape_fns.cc).
_READ_BY_SHAPES = ("padding",)
_LOWERED = "_lower_using_switch_merge"
_CONDITIONALS = ("If", "StatelessIf", "Case", "StatelessCase")
# The workers import these as Placeholder and Identity.
_ARGUMENTS = ("_Arg", "_DeviceArg", "_Retval", "_DeviceRetval")
# In a body, attributes are first examined when it runs.
_AT_IMPORT = ("op", "missing_attr", "inputs")


@dataclass(frozen=True)
class Subject:
    """A graph and its use: `roots` are the operations that each signature feeds and fetches, `at_load` those that loading runs.

    `format` is `graph_def` or `saved_model`; `meta_graph` is a SavedModel's MetaGraphDef, None otherwise; `path` is named in sentences;
    `declared` are the inputs that a SavedModel's signatures declare otherwise than the graph takes them, by signature.
    """

    graph: Any
    format: str
    roots: dict[str, tuple[str, ...]]
    at_load: tuple[str, ...] = ()
    meta_graph: Any = field(default=None, repr=False)
    path: object = "SOURCE"
    declared: Mapping[str, Disagreement] = field(default_factory=dict, repr=False)
    _calls: dict[str, list[tuple[Any, set[str]]]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _unset: dict[bool, list[tuple[str, Unset]]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def contradicted(self) -> bool:
        """Whether the graph contradicts every signature: of others, a conversion keeps what answers."""
        return self.declared.keys() >= self.roots.keys()

    @cached_property
    def nodes(self) -> dict[str, Any]:
        """The graph's own nodes by name."""
        return {node.name: node for node in self.graph.node}

    @cached_property
    def functions(self) -> dict[str, Any]:
        """FunctionDefs by name."""
        return {f.signature.name: f for f in self.graph.library.function}

    @cached_property
    def _kinds(self) -> Kinds:
        return Kinds(self.functions)

    @cached_property
    def kinds(self) -> dict[Kind, list[Any]]:
        """The graph's own nodes by kind."""
        return self._kinds.of_graph(self.nodes)

    @cached_property
    def examined(self) -> dict[Kind, tuple[Any, dict[str, Any]]]:
        """The nodes of all bodies that are examined, by kind: one such node, and the FunctionDefs that have one."""
        alike: dict[str, dict[str, Any]] = {}
        for name in sorted(self.imported.union(*self.runs.values())):
            alike.setdefault(self._first_alike[name], {})[name] = self.functions[name]
        found: dict[Kind, tuple[Any, dict[str, Any]]] = {}
        for bodies in alike.values():
            for kind, node in self._kinds.of_body(next(iter(bodies.values()))).items():
                found.setdefault(kind, (node, {}))[1].update(bodies)
        return found

    @cached_property
    def _first_alike(self) -> dict[str, str]:
        """By function, the first one that differs from it in nothing but its name: what is read in one holds for the other."""
        first: dict[bytes, str] = {}
        found = {}
        for name, function in self.functions.items():
            nameless = type(function)()
            nameless.CopyFrom(function)
            nameless.signature.ClearField("name")
            content = hashlib.sha256(nameless.SerializeToString(deterministic=True)).digest()
            found[name] = first.setdefault(content, name)
        return found

    @cached_property
    def colocated_with_none(self) -> dict[str, list[str]]:
        """The nodes that must be placed beside a node which the graph does not have, with its names."""
        found: dict[str, list[str]] = {}
        for node in self.graph.node:
            for beside in node.attr["_class"].list.s if "_class" in node.attr else ():
                name = beside.decode("utf-8", "replace").removeprefix("loc:@")
                if name not in self.nodes:
                    found.setdefault(node.name, []).append(name)
        return found

    @cached_property
    def imported(self) -> frozenset[str]:
        """The functions whose bodies are examined while the graph is imported."""
        return frozenset(self._reached(self.graph.node, lambda node: node.op in _CALLS))

    @cached_property
    def runs(self) -> dict[str, frozenset[str]]:
        """By signature, the functions whose bodies a run examines; under the empty name, those that loading runs."""
        return self._by_signature(lambda _: True)

    @cached_property
    def placed(self) -> dict[str, frozenset[str]]:
        """As `runs`, without the branches whose kernels matter only when they are taken."""
        return self._by_signature(lambda node: node.op not in _CONDITIONALS or _is_lowered(node))

    @cached_property
    def surely_run(self) -> dict[str, frozenset[str]]:
        """As `runs`, without branches that need not be taken."""
        return self._by_signature(lambda node: node.op not in _CONDITIONALS)

    def _by_signature(self, follow: Callable[[Any], bool]) -> dict[str, frozenset[str]]:
        asked = {**self.roots, "": self.at_load}
        return {name: frozenset(self._reached([self.nodes[n] for n in self.needed(roots)], follow)) for name, roots in asked.items()}

    @cached_property
    def assets(self) -> list[Any]:
        """A SavedModel's AssetFileDefs."""
        return assets(self.meta_graph)

    def needed(self, roots: Iterable[str]) -> set[str]:
        """The operations that these depend on, themselves included, as far as they are in the graph."""
        return _within(self.nodes, roots)

    def unset(self, *, runs_initializers: bool) -> list[tuple[str, Unset]]:
        """What each signature reads and nothing sets: the same in all releases that run the collection of table initialisers, or not."""
        if runs_initializers not in self._unset:
            collections = self.meta_graph.collection_def if self.meta_graph is not None else {}
            names = collections[TABLE_INITIALIZERS].node_list.value if TABLE_INITIALIZERS in collections else ()
            reads = Reads(self.nodes, self.functions, self.needed, self.at_load, tuple(map(operation_of, names)), runs_initializers)
            self._unset[runs_initializers] = [(name, one) for name, roots in self.roots.items() for one in reads.unset(roots)]
        return self._unset[runs_initializers]

    def _reached(self, nodes: Iterable[Any], follow: Callable[[Any], bool]) -> set[str]:
        """The functions that these nodes name, and the nodes of their bodies in turn, in the attributes of nodes that `follow` accepts."""

        def named(calls: Iterable[tuple[Any, set[str]]]) -> Iterator[str]:
            return (name for node, names in calls for name in names if name == node.op or follow(node))

        def inside(function: str) -> list[tuple[Any, set[str]]]:
            first = self._first_alike[function]
            if first not in self._calls:
                self._calls[first] = self._naming(self.functions[first].node_def)
            return self._calls[first]

        if not self.functions:
            return set()
        return reached(named(self._naming(nodes)), lambda name: named(inside(name)))

    def _naming(self, nodes: Iterable[Any]) -> list[tuple[Any, set[str]]]:
        """The nodes among these that name functions, as their op or in their attributes, with those functions."""
        return [(node, names) for node in nodes if (names := functions_named(node) & self.functions.keys())]


def _is_lowered(node: Any) -> bool:
    return _LOWERED in node.attr and bool(node.attr[_LOWERED].b)


def findings(subject: Subject, release: Release) -> Iterator[Finding]:
    """Everything that keeps this release's native TensorFlow from loading or running the graph."""
    yield from _versions(subject, release)
    yield from _top_level(subject, release)
    yield from _bodies(subject, release)


def is_python(release: Release) -> bool:
    """Whether a release is loaded by Python: its loaders clear devices, and place what a signature needs."""
    return release.title.startswith("tensorflow+python@")


def _versions(subject: Subject, release: Release) -> Iterator[Finding]:
    """core/framework/versions.cc, CheckVersions."""
    versions = subject.graph.versions
    if versions.min_consumer > release.graph_def:
        yield Finding(
            "load_error",
            f"the graph wants GraphDef version {versions.min_consumer} or newer; TensorFlow {release.tensorflow} has {release.graph_def}",
            at_load=True,
        )
    if release.graph_def in versions.bad_consumers:
        yield Finding("load_error", f"the graph excludes GraphDef version {release.graph_def}, this release's version", at_load=True)
    for name in subject.functions:
        if release.op(name) is not None:
            yield Finding(
                "load_error", f"the function {name!r} has the name of an op of TensorFlow {release.tensorflow}", op=name, at_load=True
            )


def _top_level(subject: Subject, release: Release) -> Iterator[Finding]:
    suspects = set(subject.colocated_with_none)
    for alike in subject.kinds.values():
        if _is_suspect(subject, alike[0], release):
            suspects |= {node.name for node in alike}
    for node in subject.graph.node if suspects else ():
        if node.name in suspects and not (node.op in _ARGUMENTS and subject.format != "saved_model"):
            yield from _of_node(subject, node, release)


def _is_suspect(subject: Subject, node: Any, release: Release) -> bool:
    """Whether a rule has something to say about nodes of this one's kind."""
    return bool(
        edge_rules.in_graph(node, subject.nodes, subject.functions, release)
        or any(problems(node, release, subject.graph.versions.producer, subject.functions))
        or _misplaced(subject, node, release)
    )


def _of_node(subject: Subject, node: Any, release: Release) -> Iterator[Finding]:
    found = False
    if said := edge_rules.in_graph(node, subject.nodes, subject.functions, release):
        found = True
        yield Finding("load_error", said, node.name, op=node.op, at_load=True)
    for problem in problems(node, release, subject.graph.versions.producer, subject.functions):
        # The workers' code for "removed" is UNIMPLEMENTED, which the contract reads as unsupported.
        removed = problem.kind == "deprecated" and not (subject.format == "saved_model" and is_python(release))
        outcome = "unsupported" if removed else "load_error"
        found = True
        yield Finding(outcome, problem.sentence, node.name, op=node.op, attr=problem.attr, at_load=True)
    for name in subject.colocated_with_none.get(node.name, ()):
        found = True
        yield Finding("load_error", f"colocated with {name!r}, but the graph has no such node", node.name, op=node.op, at_load=True)
    if not found and (said := _misplaced(subject, node, release)):
        yield from _at_placement(subject, node, release, said)


def _misplaced(subject: Subject, node: Any, release: Release) -> str | None:
    """Why the placer finds no kernel or device for a node."""
    said = _without_function(subject, node) or kernel_problem(node, release, subject.functions)
    # TensorFlow's workers clear the devices of a GraphDef as Python's loaders clear those of a SavedModel.
    cleared = is_python(release) or (subject.format == "graph_def" and release.title.startswith("tensorflow@"))
    return said or (None if cleared else device_problem(node.device, release))


def _at_placement(subject: Subject, node: Any, release: Release, said: str) -> Iterator[Finding]:
    if subject.format == "graph_def":
        yield Finding("run_error", said, node.name, op=node.op)
    elif not is_python(release):
        yield Finding("load_error", said, node.name, op=node.op, at_load=True)
    else:
        for signature, roots in {**subject.roots, "": subject.at_load}.items():
            if node.name in subject.needed(roots):
                yield _at(signature, "run_error", said, node, "")


def _without_function(subject: Subject, node: Any) -> str | None:
    name = node.attr["f"].func.name if node.op in _CALLS and "f" in node.attr else ""
    return f"it calls the function {name!r}, but the graph does not have it" if name and name not in subject.functions else None


def _bodies(subject: Subject, release: Release) -> Iterator[Finding]:
    suspects: dict[str, Any] = {}
    for node, bodies in subject.examined.values():
        if _is_suspect_inside(subject, next(iter(bodies.values())), node, release):
            suspects |= bodies
    for function, body in sorted(suspects.items()):
        needed, unfit = _needed_in(body, release), edge_rules.in_body(body, subject.functions, release)
        for node in body.node_def:
            found = list(problems(node, release, subject.graph.versions.producer, subject.functions))
            imported = function in subject.imported
            looked_up = [p for p in found if p.kind in _AT_IMPORT or (imported and p.attr in _READ_BY_SHAPES)]
            if not looked_up and node.name in unfit:
                looked_up = [Problem("edge", unfit[node.name])]
            if looked_up and imported:
                first = looked_up[0]
                yield Finding("load_error", first.sentence, node.name, function, node.op, first.attr, at_load=True)
                continue
            said = [(subject.runs, "run_error", p.sentence) for p in looked_up]
            if not said and node.name in needed:
                taken = [p for p in found if p.kind != "datatype"]
                said = [(subject.surely_run, "unsupported" if p.kind == "deprecated" else "run_error", p.sentence) for p in taken]
                if not said and (unplaced := _unplaced(subject, node, release)):
                    said = [(subject.placed, "run_error", unplaced)]
            for runs, outcome, sentence in said:
                yield from (_at(name, outcome, sentence, node, function) for name, run in runs.items() if function in run)


def _is_suspect_inside(subject: Subject, body: Any, node: Any, release: Release) -> bool:
    """Whether a rule has something to say about nodes of this one's kind in a body."""
    return bool(
        any(problems(node, release, subject.graph.versions.producer, subject.functions))
        or edge_rules.in_body(body, subject.functions, release, [node])
        or _unplaced(subject, node, release)
    )


def _at(signature: str, outcome: str, sentence: str, node: Any, function: str) -> Finding:
    """A finding about what one signature runs, or what loading runs (the empty name)."""
    if signature:
        return Finding(outcome, sentence, node.name, function, node.op, signature=signature)
    return Finding("load_error" if outcome == "run_error" else outcome, sentence, node.name, function, node.op, at_load=True)


def _needed_in(body: Any, release: Release) -> set[str]:
    """The nodes of a body that run: those that its results need, and stateful ones; TensorFlow prunes the others before placing."""
    nodes = {node.name: node for node in body.node_def}
    stateful = [n.name for n in body.node_def if (op := release.op(n.op)) is not None and op.is_stateful]
    return _within(nodes, [*stateful, *map(operation_of, body.ret.values()), *body.control_ret.values()])


def _within(nodes: Mapping[str, Any], roots: Iterable[str]) -> set[str]:
    """The nodes that these roots depend on, themselves included, as far as they are there."""
    return reached((r for r in roots if r in nodes), lambda name: [at for at in map(operation_of, nodes[name].input) if at in nodes])


def _unplaced(subject: Subject, node: Any, release: Release) -> str | None:
    # Soft placement reaches into bodies since TensorFlow 2.
    strict = release.tensorflow.startswith("1.")
    return (
        _without_function(subject, node)
        or kernel_problem(node, release, subject.functions)
        or device_problem(node.device, release, strict=strict)
    )


def device_problem(device: str, release: Release, *, strict: bool = False) -> str | None:
    """Why a node cannot be placed on its device, None if it can: soft placement accepts any device type of this process.

    `strict`: without soft placement. The form is core/util/device_name_utils.cc's: /job:J/replica:R/task:T/device:TYPE:N.
    """
    for part in [p for p in device.lower().split("/") if p]:
        key, colon, value = part.partition(":")
        if not colon or not device.startswith("/"):
            return f"pinned to {device!r}, which is not a device name"
        elsewhere = {"job": value != "localhost", "replica": value not in ("0", "*"), "task": value not in ("0", "*")}
        if elsewhere.get(key, False):
            return f"pinned to {device!r} in another process, which does not exist here; clear the devices"
        if strict and key not in elsewhere and "cpu" not in part:
            return f"pinned to {device!r} in a function, which TensorFlow {release.tensorflow} takes literally; clear the devices"
    return None
