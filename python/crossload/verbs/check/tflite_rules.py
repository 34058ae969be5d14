"""What stops an interpreter from running a .tflite: operators, versions, datatypes, custom ops and Flex ops that it does not have.

The order is the interpreter's: it looks up every operator of the file (lite/core/interpreter_builder.cc), prepares the first
subgraph's operators one after the other, and runs them. Another subgraph's are prepared when its signature is called first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

from crossload.artifacts.tflite.nodes import Code, Graph, Node, Operand
from crossload.releases import tflite_shape_forms as shape_forms
from crossload.releases.tflite_forms import BEYOND, CYCLE, EXTERNAL, LAYER_NORM, NO_INPUT_GATE, NO_VARIABLE, PEEPHOLES, PROJECTION
from crossload.releases.tflite_kernels import TYPES, UNASSIGNED, Answer, Interpreter, interpreters, key_of, without_kernel
from crossload.verbs.check.findings import Finding

# Files that a compiler has put into one custom op, which only the device's own delegate or kernel runs.
_COMPILED = {
    "edgetpu-custom-op": "compiled for a Coral Edge TPU, and runs only there with its delegate (libedgetpu); check the file it was made of",
    "ethos-u": "compiled for an Arm Ethos-U (Vela), and runs only in TensorFlow Lite Micro with that kernel; check the file it was made of",
    "DISPATCH_OP": "compiled for an NPU by LiteRT, and runs only with that NPU's dispatch library; check the file it was made of",
}
_OTHERWISE = "computes something else than LiteRT for"
# Flatbuffers' own limit, and the interpreters that check it (measured: tflite-runtime and TensorFlow's read on).
MOST_FLATBUFFER = (1 << 31) - 1
_VERIFYING = ("litert", "tflite-java", "android")
# Operands that say which shape comes out, of operators that TensorFlow Lite Micro runs when these are computed.
_SHAPING = {"SLICE": (1, 2), "TRANSPOSE": (1,)}
_SELECT_TF_OPS = "org.tensorflow:tensorflow-lite-select-tf-ops"


def at_look_up(graph: Graph, interpreter: Interpreter) -> Iterator[Finding]:
    """Operators that the interpreter refuses before it prepares any; TensorFlow Lite Micro looks up only those in use."""
    used = {node.code for nodes in graph.subgraphs for node in nodes}
    for code in graph.codes:
        if code.kind == "builtin" and (interpreter.has_versions or code in used) and (said := _unregistered(code, interpreter)):
            yield Finding("unsupported", said, op=code.op, at_load=True)
    for special in [CYCLE] * graph.recursive + [EXTERNAL] * graph.external:
        answer = interpreter.answer("", special)
        if answer is not None and answer.outcome != "ok":
            does = {"crash": "dies of", "mismatch": _OTHERWISE}.get(answer.outcome, "does not run")
            yield Finding(answer.outcome, f"{interpreter.title} {does} a file with {special}", at_load=answer.at_load)
    if graph.extent > MOST_FLATBUFFER and interpreter.name in _VERIFYING:
        said = f"{interpreter.title} reads no flatbuffer beyond 2 GB, and this one ends at byte {graph.extent:,}; quantise the weights"
        yield Finding("load_error", said, at_load=True)


def at_run(graph: Graph, subgraph: int, interpreter: Interpreter) -> Iterator[Finding]:
    """What stops a subgraph, what it runs included: at preparing an operator first, then at running it.

    TensorFlow Lite Micro prepares every subgraph of a file, whichever runs.
    """
    found = [
        _where_it_runs(finding, by, interpreter)
        for at, by, node in graph.prepared(subgraph)
        for finding in _of_node(graph, at, node, interpreter)
    ]
    yield from (f for f in found if f.at_load)
    if not interpreter.has_versions:
        every = (f for at, nodes in enumerate(graph.subgraphs) for node in nodes for f in _of_node(graph, at, node, interpreter))
        yield from (f for f in every if f.at_load and f not in found)
    yield from (f for f in found if not f.at_load)


def _where_it_runs(finding: Finding, by: str, interpreter: Interpreter) -> Finding:
    """A finding about an operator in a subgraph that `by` runs, at the time at which the interpreter prepares that one."""
    answer = interpreter.answer("", without_kernel(by)) if by and finding.at_load else None
    if answer is None or answer.at_load:
        return finding
    return replace(finding, at_load=False, outcome=answer.outcome if finding.outcome in ("unsupported", "load_error") else finding.outcome)


def risks(graph: Graph, interpreter: Interpreter) -> Iterator[str]:
    """Operators that read or write outside of what they are given where an interpreter does not look: what happens then is chance."""
    for node in (n for nodes in graph.subgraphs for n in nodes):
        for hazard in (h for h in _special(graph, node) if h in (BEYOND, UNASSIGNED)):
            answer = interpreter.limit(node.code.op, _keys(node)[0], hazard)
            if answer is None or answer.outcome != "ok":
                continue
            place = f"{node.code.op} {node.number}"
            if hazard == BEYOND:
                yield f"{place} has {BEYOND} of its output and writes there: the interpreter may die at any time after"
            else:
                yield f"{place} reads a variable that nothing assigns: what it answers is chance"


def _unregistered(code: Code, interpreter: Interpreter) -> str:
    versions = interpreter.versions(code.op)
    if having := interpreter.may_have(code.op, code.version):
        lacking = ", ".join(t for t in interpreter.between if t not in having)
        return f"{interpreter.title} may lack version {code.version} of {code.op}: {', '.join(having)} has it, {lacking} does not"
    if versions is None:
        return f"{interpreter.title} does not have the operator {code.op}"
    if interpreter.has_versions and not versions[0] <= code.version <= versions[1]:
        return f"{interpreter.title} has {code.op} up to version {versions[1]}; the file needs version {code.version}"
    return ""


def _of_node(graph: Graph, subgraph: int, node: Node, interpreter: Interpreter) -> Iterator[Finding]:
    place = f"{node.code.op} {node.number}" + (f" of subgraph {subgraph}" if subgraph else "")
    if node.code.kind != "builtin":
        if not interpreter.has_custom(node.code.op):
            yield Finding("unsupported", _custom(node.code, interpreter), place, op=node.code.op, at_load=True)
        return
    refusals = list(_refusals(graph, node, interpreter))
    # What it refuses it does not compute, rightly or wrongly.
    if first := next((r for r in refusals if r[2].outcome != "mismatch"), refusals[0] if refusals else None):
        key, hazard, answer = first
        said = _refused(interpreter, node, key, hazard, answer.outcome)
        yield Finding(answer.outcome, said, place, op=node.code.op, at_load=answer.at_load)
        return
    if not interpreter.has_versions:
        yield from _as_written(graph, subgraph, node, interpreter, place)


def _refusals(graph: Graph, node: Node, interpreter: Interpreter) -> Iterator[tuple[str, str, Answer]]:
    """The questions about an operator (its datatypes, and a hazard or none) that the interpreter does not answer with ok."""
    for key in _keys(node):
        for hazard in ("", *_hazards(graph, node)):
            answer = interpreter.limit(node.code.op, key, hazard) if hazard else interpreter.answer(node.code.op, key)
            if answer is not None and answer.outcome != "ok":
                yield key, hazard, answer


def _as_written(graph: Graph, subgraph: int, node: Node, interpreter: Interpreter, place: str) -> Iterator[Finding]:
    """What comes of a shape that is known only at a run, where an interpreter takes those that the file has (1 for what it leaves open)."""
    op, said = node.code.op, f"{interpreter.title} takes the shapes that the file has, and that of what {node.code.op} makes is known"
    if not node.outputs or not node.inputs or not node.outputs[0].open:
        return
    if op == "RESHAPE" and prod(node.inputs[0].shape) != prod(node.outputs[0].shape):
        yield Finding("load_error", f"{said} only at a run; convert the model with fixed shapes", place, op=op, at_load=True)
    elif any(graph.is_read_from_values(subgraph, o) for o in (node.inputs[at] for at in _SHAPING.get(op, ()) if at < len(node.inputs))):
        yield Finding("mismatch", f"{said} only at a run; convert the model with fixed shapes", place, op=op)


def _keys(node: Node) -> Sequence[str]:
    """The questions about an operator's datatypes: one, or one for each value that a loop or a branch hands on."""
    if node.code.op in ("WHILE", "IF"):
        first = ["bool"] if node.code.op == "IF" else []
        return list(dict.fromkeys(key_of([*first, _name(o)], [_name(o)]) for o in node.outputs))
    return [key_of(map(_name, node.inputs), map(_name, node.outputs))]


def _hazards(graph: Graph, node: Node) -> Sequence[str]:
    """The options, values and shapes of an operator on which interpreters are known to differ (releases.tflite_forms.HAZARDS)."""
    found = [*_special(graph, node)]
    shapes = [o.shape for o in (*node.inputs, *node.outputs) if o.number >= 0]
    found.append(shape_forms.rank(max(map(len, shapes), default=0)))
    if node.code.op in shape_forms.BROADCASTING:
        taken = [s[:-2] if node.code.op == "BATCH_MATMUL" else s for s in shapes[: len(node.inputs)]]
        if len(set(taken)) > 1:
            scalar = node.code.op != "BATCH_MATMUL" and any(prod(s) == 1 for s in taken)
            found.append(shape_forms.broadcast(max(map(len, shapes)), scalar=scalar))
    return [*found, *(shape_forms.computed(at) for at, o in enumerate(node.inputs) if o.computed)]


def _special(graph: Graph, node: Node) -> Iterator[str]:
    op, inputs = node.code.op, node.inputs
    if op == "CONV_2D" and 0 in (graph.option(node, 1), graph.option(node, 2)):
        yield "a stride of 0"
    elif op == "SPLIT" and graph.option(node, 0) == 0:
        yield "a split into 0"
    elif op == "SPARSE_TO_DENSE" and len(inputs) > 1:
        size = prod(graph.integers(inputs[1]) or [1 << 62])
        if any(not 0 <= index < size for index in graph.integers(inputs[0])):
            yield BEYOND
    elif op == "READ_VARIABLE" and not graph.assigns:
        yield UNASSIGNED
    elif op in ("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM"):
        # The places of the optional operands: lite/kernels/lstm_shared.h.
        places = {PEEPHOLES: range(9, 12), PROJECTION: (16,), LAYER_NORM: range(20, 24)}
        yield from (part for part, at in places.items() if any(n < len(inputs) and inputs[n].number >= 0 for n in at))
        if len(inputs) > 1 and inputs[1].number < 0:
            yield NO_INPUT_GATE
        if any(o.computed for o in inputs[18:20]):
            yield NO_VARIABLE


def _refused(interpreter: Interpreter, node: Node, key: str, hazard: str, outcome: str) -> str:
    words = {
        "crash": "dies of", "timeout": "does not end with", "run_error": "fails when it runs",
        "mismatch": _OTHERWISE,
    }  # fmt: skip
    does = words.get(outcome, "has no kernel for")
    step = "; it takes a constant there: convert the model with fixed shapes" if hazard.endswith(" computed") else ""
    return f"{interpreter.title} {does} {node.code.op} on {key.replace('->', ' → ')}{f' with {hazard}' if hazard else ''}{step}"


def _custom(code: Code, interpreter: Interpreter) -> str:
    if code.op in _COMPILED:
        return f"the file is {_COMPILED[code.op]}"
    having = ", ".join(i.title for i in interpreters() if i.has_custom(code.op))
    if code.kind == "flex":
        version = interpreter.title.partition("@")[2] if interpreter.name == "android" else "of the same version"
        provider = f"on Android {_SELECT_TF_OPS}{f':{version}' if interpreter.name == 'android' else f' {version}'} brings them"
        if interpreter.name == "ios":
            provider = f"the pod TensorFlowLiteSelectTfOps {interpreter.title.partition('@')[2]} brings them"
        return f"{code.op} needs TensorFlow's own kernels (Select TF ops), which {interpreter.title} does not have; {provider}" + (
            f", elsewhere {having}" if having else ""
        )
    provider = f"it is built into {having}" if having else "the application must register it"
    return f"{interpreter.title} does not have the custom op {code.op}; {provider}"


def _name(operand: Operand) -> str:
    """A tensor's datatype as the data name it; only integers tell quantised ones apart."""
    if operand.number < 0:
        return "-"
    name = TYPES[operand.number] if operand.number < len(TYPES) else f"type {operand.number}"
    return f"{name}q" if operand.quantised and "int" in name else name
