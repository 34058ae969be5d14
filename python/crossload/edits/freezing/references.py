"""Reference ops that freezing left in a graph (RefSwitch, AssignSub, …): a variable became a constant, but what updates it stayed.

Such a graph loads nowhere: these ops take a reference (ArgDef.is_ref of core/ops/control_flow_ops.cc, state_ops.cc), and a constant is
none. They are what `tf.cond(is_training, …)` guards in batch normalisation of TensorFlow 1.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from crossload.artifacts.graphs.graph import operation_of

# Control flow does the same with a value.
_PLAIN = {f"Ref{op}": op for op in ("Enter", "Exit", "Identity", "Merge", "NextIteration", "Switch")}
# An update's result is the variable's new value. Only below a branch: elsewhere each run must see the update of the run before.
_UPDATES = {"AssignAdd": "Add", "AssignSub": "Sub", "Assign": "Identity"}
_BRANCHES = ("Switch", "RefSwitch")


def mend(graph: Any, op_def: Callable[[str], Any]) -> Counter[str]:
    """Replace, in place, the reference ops of a GraphDef that take a value; returns how many became which (`RefSwitch → Switch`).

    `op_def` gives an op's OpDef, None if it is unknown.
    """
    nodes = {node.name: node for node in graph.node}
    users: dict[str, list[str]] = defaultdict(list)
    for node in graph.node:
        for at in node.input:
            users[operation_of(at)].append(node.name)
    mended: Counter[str] = Counter()
    waiting = [node.name for node in graph.node if node.op in _PLAIN or node.op in _UPDATES]
    while waiting:
        node = nodes[waiting.pop()]
        source = nodes.get(operation_of(node.input[0])) if node.input else None
        if source is None or _gives_reference(source, node.input[0], op_def):
            continue
        before = node.op
        if before in _PLAIN:
            node.op = _PLAIN[before]
        elif before in _UPDATES and source.op in _BRANCHES:
            node.op = _UPDATES[before]
            for name in ("use_locking", "validate_shape"):
                node.attr.pop(name, None)
            if before == "Assign":
                del node.input[0]
        else:
            continue
        mended[f"{before} → {node.op}"] += 1
        waiting += [name for name in users[node.name] if nodes[name].op in _PLAIN or nodes[name].op in _UPDATES]
    return mended


def _gives_reference(node: Any, tensor: str, op_def: Callable[[str], Any]) -> bool:
    definition = op_def(node.op)
    if definition is None or not definition.output_arg:
        return True  # an op that is not known here: leave its users alone
    index = tensor.partition(":")[2]
    at = min(int(index) if index.isdecimal() else 0, len(definition.output_arg) - 1)
    return bool(definition.output_arg[at].is_ref)
