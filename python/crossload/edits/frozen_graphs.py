"""The one writer of frozen graphs, whichever way they were made: defaults left out for older releases, outputs named, binary or text.

It imports no TensorFlow and takes the messages of any: TensorFlow's process uses it with its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from crossload.edits.freezing import references
from crossload.releases.nodes import output_types

Bindings = dict[str, Any]
OpDefOf = Callable[[str], Any]


def write(graph: Any, bindings: Mapping[str, Any], target: Path, op_def: OpDefOf, *, name_outputs: bool = False) -> Bindings:
    """Write a frozen GraphDef, binary or (.pbtxt) as text; returns the bindings of the written graph, which has no signature keys.

    Reference ops that take a constant are mended (edits.freezing.references). Attributes at their defaults are left out: older releases
    refuse unknown attributes, whatever their value. `name_outputs` adds an identity for each output whose operation does not have the
    output's name. `op_def` gives an op's OpDef, None if it is unknown.
    """
    bound = _named(graph, bindings, op_def) if name_outputs else dict(bindings)
    references.mend(graph, op_def)
    drop_defaults(graph, op_def)
    if target.suffix == ".pbtxt":
        from google.protobuf import text_format

        target.write_text(text_format.MessageToString(graph), encoding="utf-8")
    else:
        target.write_bytes(graph.SerializeToString(deterministic=True))
    return {name: {**b, "key": None} for name, b in bound.items()}


def drop_defaults(graph: Any, op_def: OpDefOf) -> None:
    """Remove attributes at their defaults from the nodes of a GraphDef, those of its functions included."""
    functions = {f.signature.name for f in graph.library.function}
    defaults: dict[str, dict[str, Any]] = {}
    for nodes in (graph.node, *(f.node_def for f in graph.library.function)):
        for node in nodes:
            if node.op in functions:
                continue
            if node.op not in defaults:
                definition = op_def(node.op)
                attributes = definition.attr if definition is not None else ()
                defaults[node.op] = {a.name: a.default_value for a in attributes if a.HasField("default_value")}
            for name, value in defaults[node.op].items():
                if name in node.attr and node.attr[name] == value:
                    del node.attr[name]


def _named(graph: Any, bindings: Mapping[str, Any], op_def: OpDefOf) -> Bindings:
    """Add an identity for each output whose operation does not have the output's name in the signature."""
    nodes = {n.name: n for n in graph.node}
    bound = {}
    for key, binding in bindings.items():
        outputs = {}
        for name, tensor in binding["outputs"].items():
            outputs[name] = tensor
            # An operation's name (core/framework/node_def_util.cc) has fewer letters to choose from than a signature's.
            called = re.sub(r"^[^A-Za-z0-9.]|[^A-Za-z0-9_./-]", ".", name)
            if called not in nodes and tensor != f"{called}:0":
                operation, _, index = tensor.partition(":")
                node = graph.node.add(name=called, op="Identity", input=[tensor.removesuffix(":0")])
                node.attr["T"].type = output_types(nodes[operation], op_def(nodes[operation].op))[int(index)]
                nodes[called] = node
                outputs[name] = f"{called}:0"
        bound[key] = {**binding, "outputs": outputs}
    return bound
