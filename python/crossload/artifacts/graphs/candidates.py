"""The likely inputs and outputs of a graph: answers, as opposed to ops for training, saving, initialising and monitoring."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from crossload.artifacts.graphs import op_types
from crossload.artifacts.graphs.bridges import is_bridge
from crossload.artifacts.graphs.op_types import FEED_OPS, INPUT_OPS
from crossload.support.reach import reached

# Their results are not answers: constants, state, and ops that run for their effect.
_NO_ANSWER_OPS = {
    "Assert", "Const", "ControlTrigger", "HashTable", "HashTableV2", "LookupTableExport", "LookupTableExportV2", "MakeIterator",
    "MergeV2Checkpoints", "MutableHashTable", "MutableHashTableV2", "NoOp", "Print", "PrintV2", "ReadVariableOp", "RefSwitch",
    "ShardedFilename", "ShardedFilespec", "VarHandleOp", "VarIsInitializedOp", "Variable", "VariableV2", "IsVariableInitialized",
}  # fmt: skip
_EFFECTS = re.compile(
    r"(Resource|Sparse|Scatter)*(Sparse)?(Apply[A-Z]|Assign|Scatter(Add|Sub|Mul|Div|Min|Max|Nd)?Update)|InitializeTable|LookupTable(Import|Insert)"
    r"|Save|Restore|Queue(Enqueue|Close|Size|IsClosed)|FIFOQueue|RandomShuffleQueue|PaddingFIFOQueue|PriorityQueue|Reader|\w*Iterator|\w*Dataset"
    r"|Stage|Stack|Barrier|\w*Summary|(Write|Merge|Copy|Delete|Rename)\w*File\w*"
)
_HEAD_OPS = {"Softmax", "LogSoftmax", "Sigmoid", "Identity", "IdentityN"}
_HEAD_NAMES = ("softmax", "sigmoid", "logits", "prediction", "probabilit", "scores", "classes", "detection_", "output", "result")
# The scopes that tf.gradients, Saver, summaries and the initialisers of variables open, and the usual names of losses and metrics.
_SCOPES = re.compile(
    r"(?:^|/)(?:gradients(?:_\d+)?|save(?:_\d+)?|report_uninitialized_\w+|Initializer|Regularizer|[\w.]*_optimizer|train(?:ing)?(?:_op|_step)?"
    r"|evaluation|metrics?|input_producer|shuffle_batch|enqueue_input|queue_runner|summaries)/"
)
_LOSS = re.compile(
    r"(?:^|[/_])(?:(?:total_|mean_)?loss(?:es)?|cost|accuracy|precision|recall|auc|cross_entropy|xentropy|mse|rmse|regularizer)(?:[/_]|\d|$)"
)
_LABELS = re.compile(r"(?:^|[/_])(?:labels?|targets?|y_true|ground_?truth|gt)(?:[/_]|\d|$)", re.IGNORECASE)
_GRADIENT = re.compile(r"(?:^|/)gradients(?:_\d+)?/(.+)_grad/")
_GRADIENT_SCOPE = re.compile(r"(?:^|/)gradients(?:_\d+)?/")
_STEP = re.compile(r"(Resource)?(Sparse)?Apply[A-Z]")
_PASSING_OPS = {"Cast", "ExpandDims", "Identity", "OneHot", "Reshape", "Squeeze", "StopGradient", "ToInt64", "ToFloat"}


class Nodes(Protocol):
    """The part of a Graph (artifacts.graphs.graph) that the search reads."""

    nodes: dict[str, Any]
    functions: dict[str, Any]
    ops: dict[str, str]
    wires: dict[str, tuple[str, ...]]


def inputs(graph: Nodes) -> list[tuple[Any, str]]:
    """The nodes that take a caller's inputs, each with the reason: in the graph's order, arguments in their own."""
    reasons = {"_Arg": "argument", "PlaceholderWithDefault": "placeholder with a default"}
    found = [
        (graph.nodes[name], reasons.get(op, "placeholder" if op in INPUT_OPS else "the output of a queue or an iterator; it may be fed"))
        for name, op in graph.ops.items()
        if (op in INPUT_OPS or op in FEED_OPS) and not is_bridge(name) and op_types.output_datatypes(graph.nodes[name], graph.functions)
    ]
    found.sort(key=lambda item: item[0].attr["index"].i if item[0].op == "_Arg" else 0)
    return found


def of_training(name: str) -> bool:
    """Whether a node with this name serves to save, train or measure a model."""
    return bool(_SCOPES.search(name))


def trains(node: Any) -> bool:
    """Whether this node changes weights: a gradient or an optimiser's step."""
    return bool(_GRADIENT_SCOPE.search(node.name)) or bool(_STEP.match(node.op))


def outputs(graph: Nodes) -> list[tuple[Any, str]]:
    """The nodes that give an answer, each with the reason, the likeliest first.

    Return values, if the graph has any. Otherwise the operations whose results only training takes (gradients, losses, metrics, savers,
    summaries, initialisers); heads by name or op come first, operations that depend on no input come last.
    """
    returned = [graph.nodes[name] for name, op in graph.ops.items() if op == "_Retval"]
    if returned:
        return [(node, "return value") for node in sorted(returned, key=lambda node: node.attr["index"].i)]
    takers = _takers(graph)
    training = _training(graph, takers)
    found = _ranked(graph, takers, training)
    # A model may be built in a scope of such a name: then only its training would be left.
    return found or _ranked(graph, takers, set())


def _ranked(graph: Nodes, takers: Mapping[str, list[str]], training: set[str]) -> list[tuple[Any, str]]:
    fed = _reached((name for name, op in graph.ops.items() if op in INPUT_OPS or op in FEED_OPS), takers)
    waited_for = {at[1:] for wires in graph.wires.values() for at in wires if at.startswith("^")}
    found = []
    for name, node in graph.nodes.items():
        by = takers.get(name, ())
        # A bridge is another way in and out, not an answer or a consumer.
        if not training.issuperset(by) or name in training or is_bridge(name) or not _answers(graph, node, waited_for):
            continue
        if by and name not in fed:
            continue  # a regulariser's input, a variable's first value
        rank, reason = _reason(node, by, name in fed or not fed)
        found.append((rank, node, reason))
    found.sort(key=lambda item: item[0])
    return [(node, reason) for _, node, reason in _in_function_order(found)]


def _reason(node: Any, takers: Sequence[str], depends: bool) -> tuple[int, str]:
    last = node.name.rpartition("/")[2].lower()
    end = "only training takes its result" if takers else "nothing takes its result"
    if not depends:
        return 2, f"{end}, but it depends on no input"
    if any(word in last for word in _HEAD_NAMES):
        return 0, f"a head by its name; {end}"
    return (0, f"a head by its op; {end}") if node.op in _HEAD_OPS else (1, end)


def _in_function_order(found: list[tuple[int, Any, str]]) -> list[tuple[int, Any, str]]:
    """A traced function's results are Identity, Identity_1, Identity_2: their numbers give the order, not their positions."""
    numbered = [(at, item) for at, item in enumerate(found) if re.fullmatch(r"Identity(_\d+)?", item[1].name)]
    ordered = sorted((item for _, item in numbered), key=lambda item: int(item[1].name.partition("_")[2] or 0))
    result = list(found)
    for (at, _), item in zip(numbered, ordered, strict=True):
        result[at] = item
    return result


def _answers(graph: Nodes, node: Any, waited_for: set[str]) -> bool:
    """Whether its result could be an answer; unused inputs, assignments and summaries are also sinks."""
    if node.op in _NO_ANSWER_OPS or node.op in INPUT_OPS or node.op in FEED_OPS or _EFFECTS.match(node.op):
        return False
    source = graph.nodes.get(node.input[0].partition(":")[0]) if node.input else None
    if source is not None and node.op == "Identity":
        if source.op in ("Variable", "VariableV2", "ReadVariableOp"):
            return False  # a variable without readers, such as an optimiser's slot
        if node.name in waited_for and source.op in ("Switch", "RefSwitch"):
            return False  # tf.cond's switch_t and switch_f
    datatypes = op_types.output_datatypes(node, graph.functions)
    return any(datatype not in ("DT_20", "DT_21") for datatype in datatypes)


def _training(graph: Nodes, takers: Mapping[str, list[str]]) -> set[str]:
    """The operations that train, measure, save and initialise, and all dependents of losses, labels and gradients."""
    effects = {op for op in set(graph.ops.values()) if _EFFECTS.match(op)}
    own = {name for name, op in graph.ops.items() if op in effects or of_training(name)}
    backwards = {m[1] for name in graph.ops if "gradients" in name and (m := _GRADIENT.search(name))}
    # The gradients begin at the loss: nothing else on their path depends on it.
    givers = {name: [at.partition(":")[0] for at in graph.wires[name] if not at.startswith("^")] for name in graph.ops if backwards}
    losses = (backwards & givers.keys()) - _reached((at for name in backwards for at in givers.get(name, ())), givers)
    sources = set(losses)
    for name, op in graph.ops.items():
        crossed = "CrossEntropy" in op or op.startswith("InTopK")
        if crossed or _LOSS.search(name) or op in ("IsVariableInitialized", "VarIsInitializedOp"):
            sources.add(name)
        wires = graph.wires[name]
        labels = wires[1:2] if "CrossEntropy" in op else wires[:2] if losses and op in ("Sub", "SquaredDifference") else ()
        if crossed or len(labels) == 2:
            sources |= _targets(graph, labels)
    sources |= {name for name, op in graph.ops.items() if op in INPUT_OPS and _LABELS.search(name)}
    return own | _reached(sources, takers)


def _targets(graph: Nodes, labels: Iterable[str]) -> set[str]:
    """The inputs that arrive here unchanged: the targets that training compares the model's answer with."""
    found = set()
    for at in labels:
        node = graph.nodes[at.removeprefix("^").partition(":")[0]]
        for _ in range(8):
            if node.op not in _PASSING_OPS or not node.input:
                break
            node = graph.nodes[node.input[0].removeprefix("^").partition(":")[0]]
        if node.op in INPUT_OPS:
            found.add(node.name)
    return found


def _takers(graph: Nodes) -> dict[str, list[str]]:
    """By operation, the operations that take its results; a control input does not count."""
    found = defaultdict(list)
    for name, wires in graph.wires.items():
        if not is_bridge(name):
            for at in wires:
                if not at.startswith("^"):
                    found[at.partition(":")[0]].append(name)
    return found


def _reached(names: Iterable[str], takers: Mapping[str, list[str]]) -> set[str]:
    return reached(names, lambda name: takers.get(name, []))
