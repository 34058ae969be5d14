"""A SavedModel, or a .meta with its checkpoint, as a frozen graph: the edges of `convert` that need no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from crossload.artifacts.graphs import protos
from crossload.artifacts.graphs.functions import functions_named
from crossload.artifacts.graphs.graph import operation_of
from crossload.artifacts.graphs.op_types import INPUT_OPS
from crossload.artifacts.graphs.saved_model import assets, init_ops
from crossload.artifacts.graphs.saved_model_keys import TRAIN_OP
from crossload.artifacts.recognition import saved_model_file
from crossload.edits import bridges, frozen_graphs
from crossload.edits.freezing import constants, references, restoring, tables
from crossload.edits.freezing.inlining import CALLS, CONTROL_FLOW, Flat, inline, op_def
from crossload.edits.freezing.refusal import NeedsTensorFlow, unreadable_as_refusal
from crossload.edits.freezing.values import Filling, Values
from crossload.edits.functions import drop_unused_functions
from crossload.releases.registrations import releases
from crossload.support.reach import reached
from crossload.workers.kit import checkpoint_files

Bindings = dict[str, Any]
# Stateful ops that keep nothing from one run to the next that a SavedModel could hold: they stay as they are.
_EFFECTS = {"Assert", "Print", "PrintV2"}
_HARMLESS = {
    *_EFFECTS, *constants.FUNCTIONAL,
    "AllCandidateSampler", "CheckNumerics", "CheckNumericsV2", "Empty", "FixedUnigramCandidateSampler", "GuaranteeConst",
    "LogUniformCandidateSampler", "Multinomial", "ParameterizedTruncatedNormal", "RandomCrop", "RandomGamma", "RandomPoisson",
    "RandomPoissonV2", "RandomShuffle", "RandomStandardNormal", "RandomUniform", "RandomUniformInt", "SampleDistortedBoundingBox",
    "SampleDistortedBoundingBoxV2", "StatelessRandomGetAlg", "TruncatedNormal", "UniformCandidateSampler",
}  # fmt: skip
# Resources that live as long as one run.
_OF_A_RUN = {
    "StackCloseV2", "StackPopV2", "StackPushV2", "StackV2", "TensorArrayCloseV3", "TensorArrayConcatV3", "TensorArrayGatherV3",
    "TensorArrayReadV3", "TensorArrayScatterV3", "TensorArraySizeV3", "TensorArraySplitV3", "TensorArrayV3", "TensorArrayWriteV3",
}  # fmt: skip
# Options that change more than the variables.
_OPTIONS = ("keep_variables", "optimize")


def of_saved_model(source: Path, target: Path, bindings: Bindings, options: dict[str, Any]) -> Bindings:
    """A frozen graph of the MetaGraph with the tags `options["tags"]`; `name_outputs` as for `frozen_graphs.write`.

    Raises NeedsTensorFlow for a model that these edits do not cover.
    """
    with unreadable_as_refusal():
        message = protos.parse(saved_model_file(source), protos.SavedModelProto, "SavedModel")
    tags = set(options.get("tags") or [])
    meta_graph = next((m for m in message.meta_graphs if set(m.meta_info_def.tags) == tags), None)
    if meta_graph is None:
        raise NeedsTensorFlow(f"there is no MetaGraph with the tags {sorted(tags)}")
    return _write(meta_graph, source / "variables" / "variables", target, bindings, options)


def of_meta_graph(source: Path, target: Path, bindings: Bindings, options: dict[str, Any]) -> Bindings:
    """A frozen graph of a .meta with its checkpoint, named by either. Raises NeedsTensorFlow as `of_saved_model` does."""
    try:
        meta_graph, prefix = checkpoint_files.meta_graph_of(source, protos.MetaGraphProto)
    except checkpoint_files.CannotRestore as error:
        raise NeedsTensorFlow(str(error)) from error
    return _write(meta_graph, prefix, target, bindings, options)


def of_graph_def(source: Path, target: Path, bindings: Bindings, options: dict[str, Any]) -> Bindings:
    """The part of a frozen graph that its signatures need. Raises NeedsTensorFlow as `of_saved_model` does."""
    with unreadable_as_refusal():
        graph = protos.parse(source, protos.GraphDefProto, "GraphDef")
    return _write(protos.MetaGraphProto(graph_def=graph), None, target, bindings, options)


def _write(meta_graph: Any, prefix: Path | None, target: Path, bindings: Bindings, options: Mapping[str, Any]) -> Bindings:
    if asked := [o for o in _OPTIONS if options.get(o)]:
        raise NeedsTensorFlow(f"the option {asked[0]} was given")
    graph = frozen(meta_graph, prefix, bindings)
    return frozen_graphs.write(graph, bindings, target, op_def, name_outputs=bool(options.get("name_outputs")))


def frozen(meta_graph: Any, prefix: Path | None, bindings: Mapping[str, Any], values: Filling | None = None) -> Any:
    """`freeze`, without the attributes at their defaults; raises NeedsTensorFlow for a graph that is not well-formed, too."""
    try:
        graph = freeze(meta_graph, prefix, bindings, values)
    except (LookupError, ValueError) as error:  # a reference to nothing, an index that is no number
        raise NeedsTensorFlow(f"its graph is not well-formed ({error})") from error
    frozen_graphs.drop_defaults(graph, op_def)
    return graph


def freeze(
    meta_graph: Any, prefix: Path | None, bindings: Mapping[str, Any], values: Filling | None = None, *, with_tables: bool = False
) -> Any:
    """The GraphDef that the tensors of `bindings` need, its variables replaced by `values`, or by those of the checkpoint of this prefix.

    Its inputs and outputs have the names in `bindings`. Lookup tables are refused unless `with_tables`. Raises NeedsTensorFlow.
    """
    graph = type(meta_graph.graph_def)()
    graph.CopyFrom(meta_graph.graph_def)
    bridges.remove(graph)
    references.mend(graph, releases()[-1].op)
    inputs, outputs = ([*dict.fromkeys(operation_of(t) for b in bindings.values() for t in b[s].values())] for s in ("inputs", "outputs"))
    calls = {node.name for node in graph.node if node.op in CALLS}
    flat = inline(graph, [*outputs, *inputs], {o: f"{o}/call" for o in outputs if o in calls})
    if inner := [i for i in inputs if i not in flat.nodes or flat.nodes[i].op not in INPUT_OPS[1:]]:
        raise NeedsTensorFlow(f"the input {inner[0]!r} is not a placeholder")
    if used := {operation_of(a.tensor_info.name) for a in assets(meta_graph)} & flat.nodes.keys():
        raise NeedsTensorFlow(f"it reads the asset {sorted(used)[0]!r}")
    types = {node.name: node.attr["Tout"].list.type for node in graph.node if node.name in flat.results}
    for name in outputs:
        if name in flat.results:
            _name_results(graph.node.add(name=name), flat, types[name])
    nodes = _needed(flat.nodes, [*outputs, *inputs])
    _refuse_unnamed_effects(flat, nodes, set(outputs))
    _replace_variables(nodes, graph.library, meta_graph, values or (Values(prefix) if prefix else None))
    others = [node for node in nodes.values() if not (with_tables and node.op in tables.OPS)]
    _refuse_state(others, {f.signature.name: f for f in graph.library.function})
    _drop_waits(nodes)
    if with_tables:
        tables.fill(nodes, meta_graph)
    made = type(graph)(versions=graph.versions, library=graph.library)
    made.node.extend(_needed(nodes, [*outputs, *inputs]).values())
    drop_unused_functions(made)
    for body in (made.node, *(f.node_def for f in made.library.function)):
        for node in body:
            node.device = ""
            node.attr.pop("_class", None)  # colocation with nodes that may be gone
    return made


def _name_results(node: Any, flat: Flat, types: Sequence[int]) -> None:
    """Make the node an identity of the results of the call of its name, as a signature names them; it waits for all that the call does."""
    name, node.op = node.name, "Identity" if len(types) == 1 else "IdentityN"
    node.input.extend([*(at.removesuffix(":0") for at in flat.results[name]), *(f"^{o}" for o in flat.waits[name])])
    if len(types) == 1:
        node.attr["T"].type = types[0]
    else:
        node.attr["T"].list.type.extend(types)
    if name in flat.nodes:
        raise NeedsTensorFlow(f"two nodes would have the name {name!r}")
    flat.nodes[name] = node


def _needed(nodes: Mapping[str, Any], operations: Iterable[str]) -> dict[str, Any]:
    kept = reached(operations, lambda name: [operation_of(at) for at in nodes[name].input])
    return {name: node for name, node in nodes.items() if name in kept}


def _refuse_unnamed_effects(flat: Flat, nodes: Mapping[str, Any], named: set[str]) -> None:
    """Raise NeedsTensorFlow if a call does more than compute results, and no output has its name to wait for that."""
    for call in flat.waits.keys() - named:
        for node in _needed(flat.nodes, flat.waits[call]).values():
            if node.name not in nodes and op_def(node.op).is_stateful and node.op not in (*constants.READS, *restoring.VARIABLES):
                raise NeedsTensorFlow(f"the call {call!r} does more than compute its results ({node.op})")


def _replace_variables(nodes: dict[str, Any], library: Any, meta_graph: Any, values: Filling | None) -> None:
    variables = {restoring.key_of(node): node for node in nodes.values() if node.op in restoring.VARIABLES}
    if not variables:
        return
    if values is None:
        raise NeedsTensorFlow("there is no checkpoint with values for its variables")
    stored = restoring.stored(meta_graph.graph_def, meta_graph.saver_def)
    if missing := [node.name for key, node in variables.items() if key not in stored]:
        raise NeedsTensorFlow(f"no restore operation gives the variable {missing[0]!r} its value")
    run = [operation_of(o) for key, o in init_ops(meta_graph).items() if key != TRAIN_OP and o]
    restoring.unchanged_by(meta_graph.graph_def, run, variables)
    constants.replace(
        nodes,
        constants.Library(library),
        lambda node, tensor: values.fill(tensor, stored[restoring.key_of(node)], node.attr["dtype"].type, constants.shape_of(node)),
    )


def _refuse_state(nodes: Iterable[Any], library: Mapping[str, Any]) -> None:
    """Raise NeedsTensorFlow for an op, also in a branch or a loop's body, whose state the graph cannot carry or these rules do not know."""
    waiting, seen = [*nodes], set[str]()
    while waiting:
        node = waiting.pop()
        if node.op in library:
            raise NeedsTensorFlow(f"it calls the function {node.op} as an op")
        definition = op_def(node.op)
        if (definition.is_stateful and node.op not in _HARMLESS | _OF_A_RUN) or (
            node.op not in _OF_A_RUN and constants.makes_handle(node, definition)
        ):
            raise NeedsTensorFlow(f"it keeps state that is not a variable ({node.op})")
        for name in functions_named(node) & library.keys() - seen:
            seen.add(name)
            waiting.extend(library[name].node_def)


def _drop_waits(nodes: dict[str, Any]) -> None:
    """Remove control inputs that wait for nothing with an effect: reading a constant needs no order.

    In a graph with the branches and loops of TensorFlow 1 they say where a node runs, and stay.
    """
    if any(node.op in CONTROL_FLOW for node in nodes.values()):
        return
    users: dict[str, list[str]] = {name: [] for name in nodes}
    for node in nodes.values():
        for at in node.input:
            users[operation_of(at)].append(node.name)
    effects = reached((n.name for n in nodes.values() if n.op in {*_EFFECTS, *constants.FUNCTIONAL}), users.__getitem__)
    for node in nodes.values():
        inputs = [at for at in node.input if not at.startswith("^") or at[1:] in effects]
        if len(inputs) != len(node.input):
            del node.input[:]
            node.input.extend(inputs)
