"""Drops from a .tflite what its outputs do not need: operators, tensors, buffers, operator codes and subgraphs (schema.fbs).

An operator without outputs is kept for what it does (it assigns a variable, fills a table), and so is one that runs a subgraph with such
an operator. Inputs stay: a caller passes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crossload.artifacts.tflite.flatbuffer import FlatbufferError
from crossload.edits import tflite_tree
from crossload.edits.tflite_tree import Tree
from crossload.support.reach import reached

# A plan of the arena for microcontrollers, with an entry for each tensor by its number (tensorflow/lite/micro/docs/memory_management.md).
BY_TENSOR = "OfflineMemoryAllocation"
_OPTIONS = ("options", "options_2")


def strip(tree: Tree) -> None:
    """Drop it from the tree, and number what is left anew. Raises FlatbufferError for a number that leads nowhere."""
    try:
        _operators(tree)
        _subgraphs(tree)
        renumbered = [_tensors(tree, at) for at in range(len(tree["subgraphs"]))]
        if any(renumbered) and "metadata" in tree:
            tree["metadata"] = [entry for entry in tree["metadata"] if entry.get("name") != BY_TENSOR]
        buffers(tree)
        _codes(tree)
    except (IndexError, KeyError) as error:
        raise FlatbufferError(f"a number in it leads nowhere ({error})") from error


def strip_names(tree: Tree) -> None:
    """Drop the names of tensors and subgraphs, but for the inputs and outputs of the first subgraph."""
    for at, graph in enumerate(tree["subgraphs"]):
        named = {*graph.get("inputs", ()), *graph.get("outputs", ())} if at == 0 else set()
        for tensor in (t for n, t in enumerate(graph.get("tensors", ())) if n not in named):
            tensor.pop("name", None)
        if at:
            graph.pop("name", None)


def calls(operator: Tree) -> list[int]:
    """The numbers of the subgraphs that an operator runs; a field that the file leaves out is 0."""
    found = []
    for union in _OPTIONS:
        if union in operator:
            fields, _ = tflite_tree.members(union, operator.get(f"{union}_type", 0))
            found += [n for at in fields for n in tflite_tree.numbers(operator[union], at) or [0]]
    return found


def needed(tree: Tree, subgraph: int, inputs: Iterable[int], outputs: Iterable[int]) -> tuple[list[int], set[int]]:
    """The operators of a subgraph that stay where it takes and gives these tensors, by position, and all tensors that they or it read."""
    return _needed(tree["subgraphs"][subgraph], _doing(tree), inputs, outputs)


def _operators(tree: Tree) -> None:
    """Keep the operators that a subgraph's outputs need, or that do something else."""
    doing = _doing(tree)
    for graph in tree["subgraphs"]:
        operators = graph.get("operators", [])
        kept, _ = _needed(graph, doing, graph.get("inputs", ()), graph.get("outputs", ()))
        if len(kept) < len(operators):
            graph["operators"] = [operators[at] for at in kept]


def _needed(graph: Tree, doing: set[int], inputs: Iterable[int], outputs: Iterable[int]) -> tuple[list[int], set[int]]:
    kept, given, read = [], set(inputs), set(outputs)
    operators = graph.get("operators", [])
    for at in reversed(range(len(operators))):  # they stand in the order in which they run
        if _does(operators[at], doing) or not read.isdisjoint(set(operators[at].get("outputs", ())) - given):
            kept.append(at)
            read.update(n for n in operators[at].get("inputs", ()) if n >= 0)
    return kept[::-1], read


def _doing(tree: Tree) -> set[int]:
    """The subgraphs with an operator that does something, or that runs such a subgraph."""
    doing: set[int] = set()
    while True:
        more = {at for at, g in enumerate(tree["subgraphs"]) if any(_does(o, doing) for o in g.get("operators", ()))}
        if more == doing:
            return doing
        doing = more


def _does(operator: Tree, doing: set[int]) -> bool:
    return not operator.get("outputs") or not doing.isdisjoint(calls(operator))


def _subgraphs(tree: Tree) -> None:
    graphs = tree["subgraphs"]
    called = [[n for operator in g.get("operators", ()) for n in calls(operator)] for g in graphs]
    starts = [0, *(signature.get("subgraph_index", 0) for signature in tree.get("signature_defs", ()))]
    kept = sorted(reached(starts, lambda at: called[at]))
    new = {old: at for at, old in enumerate(kept)}
    if len(kept) == len(graphs):
        return
    tree["subgraphs"] = [graphs[at] for at in kept]
    for signature in tree.get("signature_defs", ()):
        if "subgraph_index" in signature:
            signature["subgraph_index"] = new[signature["subgraph_index"]]
    for operator in (o for g in tree["subgraphs"] for o in g.get("operators", ())):
        for union in (u for u in _OPTIONS if u in operator):
            for at in tflite_tree.members(union, operator.get(f"{union}_type", 0))[0]:
                if there := tflite_tree.numbers(operator[union], at):  # an absent one is 0, and stays the first
                    tflite_tree.set_numbers(operator[union], at, [new[n] for n in there])


def _tensors(tree: Tree, subgraph: int) -> bool:
    """Keep the tensors of a subgraph that it, its operators or signatures name; whether the others changed their numbers."""
    graph = tree["subgraphs"][subgraph]
    tensors = graph.get("tensors", [])
    signatures = [s for s in tree.get("signature_defs", ()) if s.get("subgraph_index", 0) == subgraph]
    maps = [m for s in signatures for side in ("inputs", "outputs") for m in s.get(side, ())]
    lists = [(o, side) for o in graph.get("operators", ()) for side in ("inputs", "outputs", "intermediates") if side in o]
    lists += [(graph, side) for side in ("inputs", "outputs") if side in graph]
    named = {n for table, side in lists for n in table[side]} | {m.get("tensor_index", 0) for m in maps}
    kept = sorted(reached((n for n in named if n >= 0), lambda n: _scales(tensors[n])))
    if len(kept) == len(tensors):
        return False
    new = {-1: -1, **{old: at for at, old in enumerate(kept)}}
    graph["tensors"] = [tensors[at] for at in kept]
    for table, side in lists:
        table[side] = [new[n] for n in table[side]]
    for entry in maps:
        entry["tensor_index"] = new[entry.get("tensor_index", 0)]
    for tensor in graph["tensors"]:
        _renumber_scales(tensor, new)
    return True


def _details(tensor: Tree) -> tuple[tflite_tree.Slots, tuple[int, ...]]:
    """The details of a tensor's quantisation, and the fields there that hold tensors (schema.fbs, BlockwiseQuantization)."""
    quantization = tensor.get("quantization", {})
    details = quantization.get("details", {})
    return details, tflite_tree.members("details", quantization.get("details_type", 0))[1] if details else ()


def _scales(tensor: Tree) -> list[int]:
    details, fields = _details(tensor)
    return [n for at in fields for n in tflite_tree.numbers(details, at) or [0] if n >= 0]


def _renumber_scales(tensor: Tree, new: Mapping[int, int]) -> None:
    details, fields = _details(tensor)
    for at in fields:
        tflite_tree.set_numbers(details, at, [new[n] for n in tflite_tree.numbers(details, at) or [0]])


def buffers(tree: Tree) -> None:
    """Keep the buffers with content that a tensor or an entry of metadata names; a tensor without one names the first, by convention."""
    there = tree.get("buffers", [])
    users = [t for g in tree["subgraphs"] for t in g.get("tensors", ())] + tree.get("metadata", [])
    filled = {at for at, buffer in enumerate(there) if "data" in buffer or buffer.get("offset", 0) > 1}
    kept = sorted({0, *tree.get("metadata_buffer", ()), *(u.get("buffer", 0) for u in users if u.get("buffer", 0) in filled)})
    if not there:
        return
    if stray := next((u["buffer"] for u in users if u.get("buffer", 0) >= len(there)), None):
        raise FlatbufferError(f"it refers to buffer {stray} of {len(there)}")
    new = {old: at for at, old in enumerate(kept)}
    tree["buffers"] = [there[at] for at in kept]
    for user in users:
        if "buffer" in user:
            user["buffer"] = new.get(user["buffer"], 0)
    if "metadata_buffer" in tree:
        tree["metadata_buffer"] = [new[n] for n in tree["metadata_buffer"]]


def _codes(tree: Tree) -> None:
    operators = [o for g in tree["subgraphs"] for o in g.get("operators", ())]
    kept = sorted({o.get("opcode_index", 0) for o in operators})
    new = {old: at for at, old in enumerate(kept)}
    codes = tree.get("operator_codes", [])
    if len(kept) == len(codes):
        return
    tree["operator_codes"] = [codes[at] for at in kept]
    for operator in operators:
        if "opcode_index" in operator:
            operator["opcode_index"] = new[operator["opcode_index"]]
