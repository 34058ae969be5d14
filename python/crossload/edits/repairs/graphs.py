"""Backport: graphs edited so that an older TensorFlow accepts them and computes exactly the same, without TensorFlow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from crossload.artifacts.graphs.functions import functions_named
from crossload.artifacts.graphs.graph import operation_of
from crossload.edits.repairs import bincount
from crossload.edits.repairs.body import Body, set_inputs
from crossload.releases.nodes import problems
from crossload.releases.registrations import Release, releases
from crossload.support.reach import reached


class Obstacle(NamedTuple):
    """A node that a release does not accept, the function that contains it ("" for the graph itself), and the reason."""

    release: str
    function: str
    node: str
    op: str
    reason: str

    def __str__(self) -> str:
        where = f"node {self.node!r}" + (f" of the function {self.function!r}" if self.function else "")
        return f"{self.release}: {self.reason} ({where})"


@dataclass
class Repairs:
    """The repairs, in sentences with `{n}` for the count."""

    counts: Counter[str] = field(default_factory=Counter)

    def note(self, sentence: str, times: int = 1) -> None:
        """Count a repair."""
        self.counts[sentence] += times

    def add(self, others: Repairs) -> None:
        """Add the counts of other repairs."""
        self.counts.update(others.counts)

    def sentences(self) -> list[str]:
        """Each kind of repair once, with its count."""
        return [sentence.format(n=n) for sentence, n in self.counts.items()]


_STRING = 7  # DT_STRING of types.proto


class Rewriting(NamedTuple):
    """A replacement of an op that older releases do not know: `rewrite(node, body)` edits the node and returns whether it could."""

    rewrite: Callable[[Any, Body], bool]
    becomes: str
    reason: str


def _to_no_op(node: Any, _: Body) -> bool:
    node.op = "NoOp"
    node.attr.clear()
    set_inputs(node, dict.fromkeys(f"^{operation_of(at)}" for at in node.input))
    return True


def _renamed(op: str) -> Callable[[Any, Body], bool]:
    def rewrite(node: Any, _: Body) -> bool:
        node.op = op
        return True

    return rewrite


def _one_type(node: Any, _: Body) -> bool:
    types = {node.attr[a].type for a in ("Ta", "Tb", "Tout")}
    if len(types) > 1:
        return False
    for attribute in ("Ta", "Tb", "Tout"):
        del node.attr[attribute]
    node.op, node.attr["T"].type = "BatchMatMulV2", types.pop()
    return True


def _to_parse_example(node: Any, body: Body) -> bool:
    """ParseExample takes each key as a scalar, and only a vector of examples (ops/parsing_ops.cc)."""
    attributes = node.attr
    if attributes["ragged_value_types"].list.type or attributes["ragged_split_types"].list.type or not _is_vector(node.input[0], body):
        return False
    examples, names, sparse_keys, dense_keys, _, *rest = node.input
    sparse, dense = attributes["num_sparse"].i, len(attributes["Tdense"].list.type)
    keys = [
        *_unpacked(f"{node.name}_sparse_keys", sparse_keys, sparse, body),
        *_unpacked(f"{node.name}_dense_keys", dense_keys, dense, body),
    ]
    node.op = "ParseExample"
    for attribute in ("num_sparse", "ragged_value_types", "ragged_split_types"):
        del attributes[attribute]
    attributes["Nsparse"].i, attributes["Ndense"].i = sparse, dense
    set_inputs(node, [examples, names, *keys, *rest])
    return True


def _is_vector(tensor: str, body: Body) -> bool:
    """Whether a placeholder of the graph says that the tensor has one dimension."""
    made_by = body.maker(tensor)
    shape = made_by.attr["shape"].shape if made_by is not None and made_by.op == "Placeholder" else None
    return shape is not None and not shape.unknown_rank and len(shape.dim) == 1


def _unpacked(name: str, vector: str, number: int, body: Body) -> list[str]:
    """The elements of a vector of strings as tensors, which a new node makes."""
    if not number:
        return []
    node, _ = body.add(name, "Unpack", [vector])
    node.attr["num"].i, node.attr["T"].type, node.attr["axis"].i = number, _STRING, 0
    return [body.output(node, at) for at in range(number)]


# Only exact replacements: the same bits for every input that the newer op accepts.
REWRITINGS = {
    "DisableCopyOnRead": Rewriting(_to_no_op, "NoOp", "it avoids copies and changes no value"),
    "CheckNumericsV2": Rewriting(_renamed("CheckNumerics"), "CheckNumerics", "only the error message differs"),
    "ParseExampleV2": Rewriting(_to_parse_example, "ParseExample", "without ragged features both parse a vector of examples alike"),
    "DenseBincount": Rewriting(bincount.from_dense, "Bincount", "the rows are counted one after the other, in bins of their own"),
    "RaggedBincount": Rewriting(bincount.from_ragged, "Bincount", "the rows are counted one after the other, in bins of their own"),
    "BatchMatMulV3": Rewriting(_one_type, "BatchMatMulV2", "with one datatype both compute the same product"),
}


class Meaningless(NamedTuple):
    """An attribute that may be removed although it is not at its default, because its value changes no answer."""

    reason: str
    holds: Callable[[Any, Any], bool] = lambda node, value: True


MEANINGLESS = {
    ("VarHandleOp", "debug_name"): Meaningless("a name for error messages"),
    ("VarHandleOp", "allowed_devices"): Meaningless("a preference for devices, which are cleared"),
    ("MatMul", "grad_a"): Meaningless("a hint that an input is a gradient"),
    ("MatMul", "grad_b"): Meaningless("a hint that an input is a gradient"),
    ("BatchMatMulV2", "grad_x"): Meaningless("a hint that an input is a gradient"),
    ("BatchMatMulV2", "grad_y"): Meaningless("a hint that an input is a gradient"),
    ("AssignVariableOp", "validate_shape"): Meaningless("a check that rejects values of another shape"),
    ("MergeV2Checkpoints", "allow_missing_files"): Meaningless("only saving uses it"),
    **{
        (f"FusedBatchNorm{version}", "exponential_avg_factor"): Meaningless(
            "only training uses it", lambda node, value: not _is_training(node)
        )
        for version in ("", "V2", "V3")
    },
    **{
        (op, "bad_indices_policy"): Meaningless("the behaviour of a CPU in any case", lambda node, value: value.s in (b"DEFAULT", b"ERROR"))
        for op in ("GatherNd", "ScatterNd", "TensorScatterUpdate", "TensorScatterAdd", "TensorScatterSub")
    },
}


def _is_training(node: Any) -> bool:
    return node.attr["is_training"].b if "is_training" in node.attr else True


def repair(graph: Any, targets: Sequence[Release]) -> Repairs:
    """Edit a GraphDef, including functions, so that all targets accept it, with exact repairs only; returns the repairs.

    `obstacles` lists the rest.
    """
    repairs = Repairs()
    functions = {f.signature.name for f in graph.library.function}
    for body in bodies(graph):
        for node in list(body.nodes):
            if node.device:
                node.device = ""
                repairs.note("cleared the devices of {n} nodes")
            if node.op in functions:
                continue
            if node.op in REWRITINGS and not all(r.op(node.op) for r in targets):
                _rewrite(node, body, repairs)
            _drop_attributes(node, targets, repairs)
    oldest = min((r.graph_def for r in targets), default=graph.versions.min_consumer)
    if graph.versions.min_consumer > oldest and not obstacles(graph, targets):
        # It reflects the features at the time of export; each op and attribute has been checked instead.
        graph.versions.min_consumer = oldest
        repairs.note(f"lowered min_consumer to {oldest}, where every op and attribute is known")
    return repairs


def bodies(graph: Any) -> Iterator[Body]:
    """The graph's own nodes first, then those of each function."""
    yield Body("", graph.node, frozenset())
    for function in graph.library.function:
        yield Body(function.signature.name, function.node_def, frozenset(a.name for a in function.signature.input_arg))


def _rewrite(node: Any, body: Body, repairs: Repairs) -> None:
    op, rewriting = node.op, REWRITINGS[node.op]
    if rewriting.rewrite(node, body):
        # A function's argument is not a node, so it cannot be a control input; it exists before the function runs.
        set_inputs(node, [at for at in node.input if not (at.startswith("^") and at[1:] in body.arguments)])
        repairs.note(f"made {{n}} {op} a {rewriting.becomes} ({rewriting.reason})")


def _drop_attributes(node: Any, targets: Sequence[Release], repairs: Repairs) -> None:
    for name in [a for a in node.attr if _is_unknown(node.op, a, targets)]:
        stated = next((found for r in reversed(releases()) if (found := _attribute(r, node.op, name)) is not None), None)
        harmless = MEANINGLESS.get((node.op, name))
        if stated is not None and stated.HasField("default_value") and node.attr[name] == stated.default_value:
            repairs.note(f"removed {name} of {{n}} {node.op} (at its default)")
        elif harmless and harmless.holds(node, node.attr[name]):
            repairs.note(f"removed {name} of {{n}} {node.op} ({harmless.reason})")
        else:
            continue
        del node.attr[name]


def _is_unknown(op: str, attribute: str, targets: Sequence[Release]) -> bool:
    """Whether a release has the op but not the attribute; any op may have attributes that begin with an underscore."""
    return not attribute.startswith("_") and any(r.op(op) is not None and _attribute(r, op, attribute) is None for r in targets)


def _attribute(release: Release, op: str, name: str) -> Any:
    known = release.op(op)
    return None if known is None else next((a for a in known.attr if a.name == name), None)


def obstacles(graph: Any, targets: Sequence[Release]) -> list[Obstacle]:
    """The nodes of a GraphDef, including functions, that the targets do not accept.

    An unknown attribute counts even if the release would only warn of it, because the release then computes something else.
    """
    functions = {f.signature.name: f for f in graph.library.function}
    found = []
    for release in targets:
        for body in bodies(graph):
            for node in body.nodes:
                reasons = [p.sentence for p in problems(node, release, graph.versions.producer, functions) if p.kind != "unknown_attr"]
                strange = [a for a in node.attr if node.op not in functions and _is_unknown(node.op, a, [release])]
                reasons += [f"{node.op} has no attribute {a!r} in TensorFlow {release.tensorflow}" for a in strange]
                found += [Obstacle(release.title, body.function, node.name, node.op, reason) for reason in reasons]
    return found


def hollow(graph: Any, found: Iterable[Obstacle], needed: Sequence[str]) -> Repairs:
    """Remove obstacles that neither the operations `needed` nor their functions depend on.

    An unneeded function keeps its name, arguments and results, but loses its body, so that references to it (a SavedModel's object
    graph) stay valid. A node is removed together with its consumers.
    """
    repairs = Repairs()
    nodes, functions = reachable(graph, needed)
    blocked = {(o.function, o.node): o for o in found}
    for function in graph.library.function:
        name = function.signature.name
        ops = sorted({o.op for o in blocked.values() if o.function == name})
        if ops and name not in functions:
            _hollow_function(function)
            repairs.note(f"emptied {{n}} functions that no signature calls: they need {', '.join(ops)}")
    own = {n for (function, n) in blocked if not function} - nodes
    if own:
        gone = _with_consumers(graph, own)
        if not gone & nodes:
            ops = sorted({n.op for n in graph.node if n.name in own})
            kept = [n for n in graph.node if n.name not in gone]
            del graph.node[:]
            graph.node.extend(kept)
            repairs.note(f"dropped {{n}} nodes that no signature needs, with {', '.join(ops)}", len(gone))
    return repairs


def reachable(graph: Any, operations: Iterable[str]) -> tuple[set[str], set[str]]:
    """The nodes that these operations need, and the functions that those nodes call, directly or indirectly."""
    by_name = {n.name: n for n in graph.node}
    library = {f.signature.name: f for f in graph.library.function}
    nodes = reached(
        (o for o in operations if o in by_name), lambda name: [at for at in map(operation_of, by_name[name].input) if at in by_name]
    )

    def called(nodes: Iterable[Any]) -> set[str]:
        return {f for node in nodes for f in functions_named(node)} & library.keys()

    return nodes, reached(called(by_name[n] for n in nodes), lambda name: called(library[name].node_def))


def _with_consumers(graph: Any, names: set[str]) -> set[str]:
    gone, grown = set[str](), set(names)
    while grown != gone:
        gone = set(grown)
        grown |= {n.name for n in graph.node if any(operation_of(at) in gone for at in n.input)}
    return gone


def _hollow_function(function: Any) -> None:
    del function.node_def[:]
    function.control_ret.clear()
    del function.signature.control_output[:]
    for result in function.signature.output_arg:
        node = function.node_def.add(name=f"crossload_nothing_{result.name}", op="Placeholder")
        node.attr["dtype"].type = result.type
        function.ret[result.name] = f"{node.name}:output:0"
