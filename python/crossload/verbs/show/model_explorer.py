"""A .tflite as Model Explorer's JSON: a collection of graphs, and errors from a report as its node data.

Sources: Model Explorer's graph_builder.py (GraphCollection, Graph, GraphNode) and node_data_builder.py (ModelNodeData).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crossload.artifacts.tflite import tflite_file
from crossload.artifacts.tflite.inner import Inner, Operator, Tensor
from crossload.contract.bundle import is_bundle
from crossload.contract.datatypes import DATATYPES, for_people
from crossload.contract.outcomes import AGREEMENTS
from crossload.errors import CrossloadError
from crossload.report.results import Report
from crossload.verbs.show.bundle_summary import summary

Place = tuple[int, int]  # a subgraph and a tensor
_INPUTS, _OUTPUTS = "inputs", "outputs"


def collection(graphs: Sequence[Inner], label: str) -> dict[str, Any]:
    """The GraphCollection: a graph for each subgraph, whose nodes are the operators, the constants, the inputs and the outputs."""
    return {"label": label, "graphs": [_graph(graphs, graph) for graph in graphs]}


def node_data(graphs: Sequence[Inner], path: Path, report: Path) -> dict[str, Any]:
    """The errors of a report as node data, by graph and node.

    `report` is what `crossload diagnose --json` printed (the distance of each compared tensor from the reference, in roundings), or what
    `crossload verify --json` wrote (the worst agreement of each output of this artifact). Raises CrossloadError for any other file, and
    for a report without a result for this file.
    """
    try:
        content = json.loads(report.read_bytes())
    except OSError as error:
        raise CrossloadError(f"the report {report} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CrossloadError(
            f"the report {report} is not JSON; write one with crossload verify --json or crossload diagnose --json"
        ) from error
    distances = content.get("distances") if isinstance(content, dict) else None
    if isinstance(distances, dict):
        by_name = {f"{t.name} (tensor {t.index})": (g.subgraph, t.index) for g in graphs[:1] for t in g.tensors}
        values = {by_name[name]: "not finite" if apart is None else apart for name, apart in distances.items() if name in by_name}
        colours: dict[str, Any] = {"gradient": [{"stop": 0, "bgColor": "#ffffff"}, {"stop": 1, "bgColor": "#d93025"}]}
    else:
        values, colours = _by_output(graphs, path, Report.read(report)), {}
    data = {_id(graph): _results(graph, values) for graph in graphs}
    if not any(data.values()):
        raise CrossloadError(f"the report {report} has no result for {path}; verify or diagnose this file, or the bundle that it is in")
    return {graph: {"results": results, **colours} for graph, results in data.items() if results}


def _results(graph: Inner, values: Mapping[Place, Any]) -> dict[str, Any]:
    """The values by the ids of the nodes that make the tensors."""
    made = {(graph.subgraph, index): str(n) for n, o in enumerate(graph.operators) for index in o.outputs if index >= 0}
    return {made[place]: {"value": value} for place, value in values.items() if place in made}


def _by_output(graphs: Sequence[Inner], path: Path, report: Report) -> dict[Place, str]:
    """The worst agreement of each output."""
    found = tflite_file.read(path)
    worst: dict[Place, str] = {}
    mine = _artifacts(path, report)
    for result in (r for r in report.results if r.case.artifact in mine):
        signature = found.signatures.get(result.case.signature) or found.named({}, {})
        graph = next((g.subgraph for g in graphs if g.key == result.case.signature), 0)
        for spec in signature.outputs:
            level = result.outputs.get(spec.name)
            if level is not None and isinstance(spec.tensor, int):
                place = graph, spec.tensor
                worst[place] = max(level, worst.get(place, level), key=AGREEMENTS.index)
    return worst


def _artifacts(path: Path, report: Report) -> set[str]:
    """The names that a report has for this file: it was verified itself, or it is an artifact of the verified bundle.

    Only the last parts of paths are compared, because a report may come from another folder or machine.
    """
    verified = Path(report.bundle).name
    if verified == path.name:
        return {r.case.artifact for r in report.results}
    root = next((p for p in path.resolve().parents if p.name == verified and is_bundle(p)), None)
    there = summary(root).manifest.artifacts if root else []
    return {a.id for a in there if root and (root / a.path).resolve() == path.resolve()}


def _graph(graphs: Sequence[Inner], graph: Inner) -> dict[str, Any]:
    makers: dict[int, tuple[str, int]] = {index: (_INPUTS, at) for at, index in enumerate(graph.inputs)}
    makers |= {index: (str(n), at) for n, o in enumerate(graph.operators) for at, index in enumerate(o.outputs) if index >= 0}
    read = {i for o in graph.operators for i in o.inputs} | set(graph.outputs)
    constants = [t for t in graph.tensors if t.index in read and t.index not in makers]
    makers |= {t.index: (f"constant {t.index}", 0) for t in constants}
    nodes = [_node(_INPUTS, "GraphInputs", outputs=[graph.tensors[i] for i in graph.inputs])]
    nodes += [_node(f"constant {t.index}", "constant" if t.extent else "variable", outputs=[t]) for t in constants]
    nodes += [_of_operator(graphs, graph, n, o, makers) for n, o in enumerate(graph.operators)]
    nodes.append(_node(_OUTPUTS, "GraphOutputs", edges=_edges(graph.outputs, makers)))
    return {"id": _id(graph), "nodes": nodes}


def _of_operator(
    graphs: Sequence[Inner], graph: Inner, n: int, operator: Operator, makers: Mapping[int, tuple[str, int]]
) -> dict[str, Any]:
    made = [graph.tensors[i] for i in operator.outputs if i >= 0]
    scope = made[0].name.partition(";")[0].rpartition("/")[0] if made else ""
    calls = [_id(graphs[i]) for i in operator.calls if 0 <= i < len(graphs)]
    node = _node(str(n), operator.op, outputs=made, edges=_edges(operator.inputs, makers), namespace=scope)
    return node | {"attrs": [_pair("version", operator.version)]} | ({"subgraphIds": calls} if calls else {})


def _node(
    name: str, label: str, *, outputs: Sequence[Tensor] = (), edges: Sequence[dict[str, str]] = (), namespace: str = ""
) -> dict[str, Any]:
    metadata = [{"id": str(at), "attrs": _attributes(tensor)} for at, tensor in enumerate(outputs)]
    return {"id": name, "label": label, "namespace": namespace, "incomingEdges": list(edges), "outputsMetadata": metadata}


def _edges(tensors: Sequence[int], makers: Mapping[int, tuple[str, int]]) -> list[dict[str, str]]:
    return [
        {"sourceNodeId": makers[i][0], "sourceNodeOutputId": str(makers[i][1]), "targetNodeInputId": str(at)}
        for at, i in enumerate(tensors)
        if i in makers
    ]


def _attributes(tensor: Tensor) -> list[dict[str, str]]:
    datatype = for_people(tensor.datatype) if tensor.datatype in DATATYPES else "unknown type"
    pairs = [
        _pair("tensor_name", tensor.name),
        _pair("tensor_index", tensor.index),
        _pair("tensor_shape", f"{datatype}{list(tensor.free or tensor.shape)}"),
    ]
    if tensor.size_bytes is not None:
        pairs.append(_pair("size_bytes", tensor.size_bytes))
    if tensor.scale:
        zero_points = tensor.zero_point or (0,) * len(tensor.scale)
        terms = ", ".join(f"{s:.8g} * (q - {z})" for s, z in zip(tensor.scale, zero_points, strict=False))
        pairs.append(_pair("quantization", terms if len(tensor.scale) == 1 else f"axis {tensor.axis}: {terms}"))
    return pairs


def _pair(key: str, value: object) -> dict[str, str]:
    return {"key": key, "value": str(value)}


def _id(graph: Inner) -> str:
    """Unique, because subgraphs may have one name."""
    return f"{graph.subgraph} {graph.name}".strip()
