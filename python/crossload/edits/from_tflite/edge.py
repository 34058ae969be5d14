"""The edge of `convert` from a .tflite to a graph: every chosen signature, with its names, in one GraphDef."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossload.artifacts.tflite import inner
from crossload.artifacts.tflite.inner import Inner
from crossload.edits import frozen_graphs
from crossload.edits.freezing.inlining import op_def
from crossload.edits.from_tflite import once, plan, quantised
from crossload.edits.from_tflite.graph_builder import GraphBuilder, Unsupported, Value, operation_name
from crossload.edits.from_tflite.state import State
from crossload.edits.from_tflite.subgraphs import SubgraphWriter
from crossload.edits.from_tflite.tensors import is_real

Bindings = dict[str, Any]


def tflite_to_graph_def(source: Path, target: Path, bindings: Bindings, options: dict[str, Any]) -> Bindings:
    """Write the signatures of `bindings` as a frozen graph; an edge of the planner that runs in the core.

    Inputs and outputs keep names, datatypes and shapes; weights become float32, quantised activations are rounded to the file's steps, and
    state between calls is in variables. With several signatures, the nodes of each are below its name. Raises CrossloadError with all
    operators that have no counterpart, and ArtifactError for a damaged file.
    """
    graphs = inner.read_all(source, weights=True)
    with inner.damage(source):
        homes = {name: _home(graphs, b.get("key")) for name, b in bindings.items()}
        plan.refuse_unknown(source, graphs, homes.values())
        used = plan.needed(graphs, homes.values())
        writer, builder = SubgraphWriter(graphs, once.filled(graphs, used)), GraphBuilder()
        try:
            made = {
                name: _signature(writer, builder, graphs[at], bindings[name], f"{operation_name(name)}/" if len(homes) > 1 else "")
                for name, at in homes.items()
            }
        except Unsupported as reason:  # of an input or an output; an operator's are in writer.reasons
            raise plan.refusal(source, f"it {reason}") from reason
        plan.refuse(source, writer.reasons)
    named = [tensor for binding in made.values() for side in ("inputs", "outputs") for tensor in binding[side].values()]
    return frozen_graphs.write(builder.graph_def(named), made, target, op_def, name_outputs=bool(options.get("name_outputs")))


def _home(graphs: list[Inner], key: str | None) -> int:
    return next((g.subgraph for g in graphs if key is not None and key in g.keys), 0)


def _signature(writer: SubgraphWriter, builder: GraphBuilder, graph: Inner, binding: Mapping[str, Any], prefix: str) -> Bindings:
    inputs: dict[str, str] = {}
    values: dict[int, Value] = {}
    for name, at in binding["inputs"].items():
        tensor = graph.tensors[int(at)]
        fed = builder.placeholder(f"{prefix}{name}", tensor.datatype, tensor.free or tensor.shape)
        inputs[name] = fed.tensor
        with builder.scope(f"{prefix}{name}"):
            values[tensor.index] = quantised.of_integers(builder, fed, tensor) if is_real(tensor) else fed
    state = State(builder, graph.subgraph)
    made = writer.write(graph, builder, values, prefix, state)
    with builder.scope(f"{prefix}state".strip("/")):
        ends = state.end()
    outputs = {}
    for name, at in binding["outputs"].items():
        tensor = graph.tensors[int(at)]
        with builder.scope(f"{prefix}{name}"):
            value = made[tensor.index]
            value = quantised.given(builder, value, tensor) if is_real(tensor) else value
            outputs[name] = builder.add("Identity", value, name=f"{prefix}{name}").tensor
            builder.added()[-1].input.extend(f"^{end}" for end in ends)
    return {"key": None, "inputs": inputs, "outputs": outputs}
