"""What stops an interpreter from running a .tflite: operators, versions, datatypes, custom ops and Flex ops that it does not have.

The order is the interpreter's: it looks up every operator of the file (lite/core/interpreter_builder.cc), prepares the first
subgraph's operators one after the other, and runs them. Another subgraph's are prepared when its signature is called first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from crossload.artifacts.tflite.nodes import Code, Graph, Node, Operand
from crossload.releases.tflite_forms import CYCLE, EXTERNAL
from crossload.releases.tflite_kernels import TYPES, Interpreter, interpreters, key_of
from crossload.verbs.check.findings import Finding

# Files that a compiler has put into one custom op, which only the device's own delegate or kernel runs.
_COMPILED = {
    "edgetpu-custom-op": "compiled for a Coral Edge TPU, and runs only there with its delegate (libedgetpu); check the file it was made of",
    "ethos-u": "compiled for an Arm Ethos-U (Vela), and runs only in TensorFlow Lite Micro with that kernel; check the file it was made of",
    "DISPATCH_OP": "compiled for an NPU by LiteRT, and runs only with that NPU's dispatch library; check the file it was made of",
}
_SELECT_TF_OPS = "org.tensorflow:tensorflow-lite-select-tf-ops"

_BEYOND = "an index beyond the end"


def at_look_up(graph: Graph, interpreter: Interpreter) -> Iterator[Finding]:
    """Operators that the interpreter refuses before it prepares any; TensorFlow Lite Micro looks up only those in use."""
    used = {node.code for nodes in graph.subgraphs for node in nodes}
    for code in graph.codes:
        if code.kind == "builtin" and (interpreter.has_versions or code in used) and (said := _unregistered(code, interpreter)):
            yield Finding("unsupported", said, op=code.op, at_load=True)
    for special in [CYCLE] * graph.recursive + [EXTERNAL] * graph.external:
        answer = interpreter.answer("", special)
        if answer is not None and answer.outcome != "ok":
            does = "dies of" if answer.outcome == "crash" else "does not run"
            yield Finding(answer.outcome, f"{interpreter.title} {does} a file with {special}", at_load=answer.at_load)


def at_run(graph: Graph, subgraph: int, interpreter: Interpreter) -> Iterator[Finding]:
    """What stops a subgraph, what it runs included: at preparing an operator first, then at running it."""
    found = [
        finding for at in graph.reached(subgraph) for node in graph.subgraphs[at] for finding in _of_node(graph, at, node, interpreter)
    ]
    yield from (f for f in found if f.at_load)
    yield from (f for f in found if not f.at_load)


def risks(graph: Graph, interpreter: Interpreter) -> Iterator[str]:
    """Operators that write outside of their tensors where an interpreter does not look: what happens then is chance."""
    for node in (n for nodes in graph.subgraphs for n in nodes if _BEYOND in _hazards(graph, n)):
        key = f"{key_of(map(_name, node.inputs), map(_name, node.outputs))} with {_BEYOND}"
        answer = interpreter.answer(node.code.op, key)
        if answer is not None and answer.outcome == "ok":
            yield f"{node.code.op} {node.number} has {_BEYOND} of its output and writes there: the interpreter may die at any time after"


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
    key = key_of(map(_name, node.inputs), map(_name, node.outputs))
    for hazard in ("", *_hazards(graph, node)):
        answer = interpreter.answer(node.code.op, f"{key} with {hazard}" if hazard else key)
        if answer is not None and answer.outcome != "ok":
            what = f"on {key.replace('->', ' → ')}{f' with {hazard}' if hazard else ''}"
            yield Finding(
                answer.outcome, _refused(interpreter, node.code.op, what, answer.outcome), place, op=node.code.op, at_load=answer.at_load
            )
            return


def _hazards(graph: Graph, node: Node) -> Sequence[str]:
    """The options and values of an operator on which interpreters are known to differ (releases.tflite_forms.HAZARDS)."""
    if node.code.op == "CONV_2D" and 0 in (graph.option(node, 1), graph.option(node, 2)):
        return ("a stride of 0",)
    if node.code.op == "SPLIT" and graph.option(node, 0) == 0:
        return ("a split into 0",)
    if node.code.op == "SPARSE_TO_DENSE" and len(node.inputs) > 1:
        size = prod(graph.integers(node.inputs[1]) or [1 << 62])
        if any(not 0 <= index < size for index in graph.integers(node.inputs[0])):
            return (_BEYOND,)
    return ()


def _refused(interpreter: Interpreter, op: str, what: str, outcome: str) -> str:
    does = {"crash": "dies of", "timeout": "does not end with", "run_error": "fails when it runs"}.get(outcome, "has no kernel for")
    return f"{interpreter.title} {does} {op} {what}"


def _custom(code: Code, interpreter: Interpreter) -> str:
    if code.op in _COMPILED:
        return f"the file is {_COMPILED[code.op]}"
    having = ", ".join(i.title for i in interpreters() if i.has_custom(code.op))
    if code.kind == "flex":
        version = interpreter.title.partition("@")[2] if interpreter.name == "android" else "of the same version"
        provider = f"on Android {_SELECT_TF_OPS}{f':{version}' if interpreter.name == 'android' else f' {version}'} brings them"
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
