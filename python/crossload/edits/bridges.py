"""Bridges in graphs: casts around a computation, so that every input and output has a datatype of every TensorFlow Java release.

A bridged placeholder gets its default from a new placeholder of the carrier datatype (contract.bridge): callers can feed it as before,
or feed the carrier and get the same results.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crossload.artifacts.graphs.bridges import KEY, SCOPE, is_bridge
from crossload.contract import bridge as table
from crossload.contract.datatypes import DATATYPES
from crossload.contract.signatures import Signature, TensorSpec

if TYPE_CHECKING:
    from crossload.contract.manifest import Binding, Bridge

_PLACEHOLDERS = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")


def is_needed(signature: Signature) -> bool:
    """Whether some release of TensorFlow Java lacks a datatype of the signature, and every lacking datatype has a carrier."""
    datatypes = {t.datatype for t in (*signature.inputs, *signature.outputs)}
    return bool(datatypes & table.CARRIERS.keys()) and datatypes <= {*table.CARRIERS, *table.EVERYWHERE}


def add(graph: Any, signature: Signature, binding: Binding) -> Bridge | None:
    """Add a bridge for the signature to a GraphDef; None if it needs none, or if an input is not a placeholder of its datatype.

    Bridges share nodes: a second signature over the same tensors adds nothing.
    """
    from crossload.contract.manifest import Bridge

    nodes = {node.name: node for node in graph.node}
    if not is_needed(signature) or not all(_can_carry(nodes.get(_operation(binding.inputs[t.name])), t) for t in signature.inputs):
        return None
    inputs = {t.name: _carried_input(graph, nodes, t, str(binding.inputs[t.name])) for t in signature.inputs}
    outputs = {t.name: _carried_output(graph, nodes, t, str(binding.outputs[t.name])) for t in signature.outputs}
    used = sorted({t.datatype for t in (*signature.inputs, *signature.outputs)} & table.CARRIERS.keys())
    return Bridge(key=binding.key and KEY + binding.key, inputs=inputs, outputs=outputs, carriers={d: table.CARRIERS[d] for d in used})


def add_to_meta_graph(meta_graph: Any, signatures: Mapping[str, Signature], bindings: Mapping[str, Binding]) -> dict[str, Bridge]:
    """`add` for signatures of a MetaGraphDef, each with its own SignatureDef; returns the bridges by the signatures' names."""
    made = {}
    for name, binding in bindings.items():
        signature, bridge = signatures[name], add(meta_graph.graph_def, signatures[name], binding)
        if bridge is None:
            continue
        definition = meta_graph.signature_def[str(bridge.key)]
        definition.Clear()
        definition.method_name = "tensorflow/serving/predict"
        for spec in signature.inputs:
            _describe(definition.inputs[spec.name], spec, bridge.inputs[spec.name])
        for spec in signature.outputs:
            _describe(definition.outputs[spec.name], spec, bridge.outputs[spec.name])
        made[name] = bridge
    return made


def remove(graph: Any) -> None:
    """Remove every bridge from a GraphDef, which restores the original."""
    if not any(is_bridge(node.name) for node in graph.node):
        return
    nodes = {node.name: node for node in graph.node}
    for node in graph.node:
        if node.op == "PlaceholderWithDefault" and is_bridge(node.input[0]) and not is_bridge(node.name):
            source = nodes[nodes[node.input[0]].input[0]]
            if source.op == "PlaceholderWithDefault":
                node.input[0] = nodes[source.input[0]].input[0]
            else:
                node.op = "Placeholder"
                del node.input[:]
    kept = [type(node).FromString(node.SerializeToString()) for node in graph.node if not is_bridge(node.name)]
    del graph.node[:]
    graph.node.extend(kept)


def _can_carry(node: Any, spec: TensorSpec) -> bool:
    if spec.datatype not in table.CARRIERS:
        return True
    return node is not None and node.op in _PLACEHOLDERS and node.attr["dtype"].type == DATATYPES[spec.datatype].enum


def _carried_input(graph: Any, nodes: dict[str, Any], spec: TensorSpec, tensor: str) -> str:
    """The tensor to feed instead of this input."""
    if spec.datatype not in table.CARRIERS:
        return tensor
    name = _operation(tensor)
    node, carried, back = nodes[name], f"{SCOPE}input/{name}", f"{SCOPE}back/{name}"
    if carried not in nodes:
        carrier = table.CARRIERS[spec.datatype]
        placeholder = nodes[carried] = graph.node.add(name=carried, op="Placeholder")
        placeholder.attr["dtype"].type = DATATYPES[carrier].enum
        if "shape" in node.attr:
            shape = placeholder.attr["shape"].shape
            shape.CopyFrom(node.attr["shape"].shape)
            _widen(shape, spec.datatype)
        if node.op == "PlaceholderWithDefault":
            default = f"{SCOPE}default/{name}"
            _convert(graph, nodes, default, node.input[0], spec.datatype, carrier)
            placeholder.op = "PlaceholderWithDefault"
            placeholder.input.append(default)
        _convert(graph, nodes, back, carried, carrier, spec.datatype)
        node.op = "PlaceholderWithDefault"
        del node.input[:]
        node.input.append(back)
        if "shape" not in node.attr:
            node.attr["shape"].shape.unknown_rank = True
    return f"{carried}:0"


def _carried_output(graph: Any, nodes: dict[str, Any], spec: TensorSpec, tensor: str) -> str:
    """The tensor to fetch instead of this output."""
    if spec.datatype not in table.CARRIERS:
        return tensor
    operation, _, index = tensor.partition(":")
    name = f"{SCOPE}output/{operation}/{index or 0}"
    if name not in nodes:
        _convert(graph, nodes, name, tensor.removesuffix(":0"), spec.datatype, table.CARRIERS[spec.datatype])
    return f"{name}:0"


def _convert(graph: Any, nodes: dict[str, Any], name: str, source: str, given: str, wanted: str) -> None:
    """Add a node that casts, or keeps the bits."""
    cast = table.is_cast(given if given in table.CARRIERS else wanted)
    node = nodes[name] = graph.node.add(name=name, op="Cast" if cast else "Bitcast", input=[source])
    node.attr["SrcT" if cast else "T"].type = DATATYPES[given].enum
    node.attr["DstT" if cast else "type"].type = DATATYPES[wanted].enum


def _widen(shape: Any, datatype: str) -> None:
    """Add a last axis for real and imaginary part."""
    if datatype.startswith("COMPLEX") and not shape.unknown_rank:
        shape.dim.add(size=2)


def _describe(info: Any, spec: TensorSpec, tensor: str) -> None:
    """Fill a TensorInfo for the carrier tensor (meta_graph.proto)."""
    info.name, info.dtype = tensor, DATATYPES[table.CARRIERS.get(spec.datatype, spec.datatype)].enum
    shape = info.tensor_shape
    if spec.shape is None:
        shape.unknown_rank = True
        return
    shape.SetInParent()
    for size in spec.shape:
        shape.dim.add(size=size)
    _widen(shape, spec.datatype)


def _operation(tensor: object) -> str:
    return str(tensor).partition(":")[0]
