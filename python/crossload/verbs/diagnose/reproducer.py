"""The reproducer: the operation whose tensor differs, alone: its graph, its inputs, both answers, and the command that runs it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crossload.artifacts.graphs import protos
from crossload.artifacts.graphs.graph import operation_of, tensor_of
from crossload.artifacts.tflite.inner import Inner
from crossload.edits import tflite_parts
from crossload.support import files
from crossload.verbs import destinations
from crossload.verbs.diagnose.sides import Side, Step

if TYPE_CHECKING:
    from crossload.verbs.diagnose.diagnose import Divergence

_SIGNATURE = "serving_default"


def check(folder: Path, bundle: Path, *, overwrite: bool) -> None:
    """Raise CrossloadError where the folder may not be written."""
    destinations.check(folder, "reproducer", _is_reproducer, overwrite=overwrite, source=bundle, itself=True)


def _is_reproducer(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("README.md", "inputs.npz", "answer.npz", "reference.npz"))


def write(
    folder: Path,
    own: Side,
    other: Side,
    step: Step,
    against: str,
    request: Mapping[str, np.ndarray],
    answers: tuple[np.ndarray, np.ndarray],
    found: Divergence,
) -> None:
    """Write the folder, whole or not at all."""
    with files.folder_written_whole(folder) as room:
        if isinstance(own.content, Inner):
            name, inputs = "operator.tflite", _tflite(room, own, step, request)
        else:
            name, inputs = "graph.pb", _graph(room, "graph.pb", own, step.tensor, request)
        np.savez(room / "inputs.npz", **inputs)  # type: ignore[arg-type]
        np.savez(room / "reference.npz", y=answers[0])
        np.savez(room / "answer.npz", y=answers[1])
        command = ["crossload", "run", name, "--runtime", own.runtime.title]
        command += ["--input-file", "inputs.npz"] if inputs else []
        commands = [shlex.join(command)]
        if not isinstance(other.content, Inner):
            there = _graph(room, "reference.pb", other, against, request)
            np.savez(room / "reference_inputs.npz", **there)  # type: ignore[arg-type]
            words = ["run", "reference.pb", "--runtime", other.runtime.title, *(["--input-file", "reference_inputs.npz"] if there else [])]
            commands.append(shlex.join(["crossload", *words]))
        (room / "README.md").write_text(_readme(found, commands), encoding="utf-8")


def _readme(found: Divergence, commands: list[str]) -> str:
    listed = "\n".join(commands)
    return (
        f"# {found.op}: the first tensor that differs\n\n"
        f"`{found.tensor}` of {found.artifact} in {found.runtime} {found.detail}, against {found.reference} (request {found.vector}).\n\n"
        f"Run the operation alone:\n\n```sh\n{listed}\n```\n\n"
        "`inputs.npz` holds its inputs, `answer.npz` what it gave inside the model, `reference.npz` what the reference gave there.\n"
    )


def _graph(room: Path, name: str, side: Side, tensor: str, request: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Write the node with its constants; its other inputs are placeholders. Gives what they are fed: their values inside the model."""
    wires = _fed(side.content, tensor)
    (room / name).write_bytes(_alone(side.content, tensor).SerializeToString())
    placeholders = {operation_of(str(t)): n for n, t in side.inputs.items()}
    asked = side.fetch(request, [w for w in wires if operation_of(w) not in placeholders])
    values = {w: request[placeholders[operation_of(w)]] if operation_of(w) in placeholders else asked.get(w) for w in wires}
    return {_placeholder(w): value for w, value in values.items() if value is not None}


def _fed(graph: Any, tensor: str) -> list[str]:
    nodes = {n.name: n for n in graph.node}
    wires = [tensor_of(at) for at in nodes[operation_of(tensor)].input if not at.startswith("^")]
    return [w for w in dict.fromkeys(wires) if nodes[operation_of(w)].op != "Const"]


def _alone(graph: Any, tensor: str) -> Any:
    from crossload.artifacts.graphs.graph import Graph

    whole = Graph(Path("graph.pb"), graph)
    small = protos.GraphDefProto(versions=graph.versions, library=graph.library)
    node = small.node.add()
    node.CopyFrom(whole.nodes[operation_of(tensor)])
    kept = []
    for at in node.input:
        if at.startswith("^"):
            continue
        source = whole.nodes[operation_of(at)]
        if source.op == "Const":
            kept.append(at)
            if source.name not in {n.name for n in small.node}:
                constant = small.node.add()
                constant.CopyFrom(source)
                del constant.input[:]
            continue
        name = _placeholder(tensor_of(at))
        kept.append(name)
        if name not in {n.name for n in small.node}:
            placeholder = small.node.add(name=name, op="Placeholder")
            spec = next(t for t in whole.tensors(source) if str(t.tensor) == tensor_of(at))
            placeholder.attr["dtype"].type = _number(spec.datatype)
            placeholder.attr["shape"].shape.unknown_rank = True
    del node.input[:]
    node.input.extend(kept)
    return small


def _number(datatype: str) -> int:
    from crossload.contract.datatypes import DATATYPES

    return DATATYPES[datatype].enum


def _placeholder(tensor: str) -> str:
    """The name of the placeholder in place of a tensor."""
    operation, _, index = tensor.partition(":")
    return operation.replace("/", "_") + ("" if index in ("", "0") else f"_{index}")


def _tflite(room: Path, own: Side, step: Step, request: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Write the file with the one operator; the tensors that others compute are its inputs, whose values it gives."""
    there: Inner = own.content
    at = next(n for n, o in enumerate(there.operators) if int(step.tensor) in o.outputs)
    operator = there.operators[at]
    made = {i for o in there.operators for i in o.outputs}
    computed = {f"x{n}": i for n, i in enumerate(dict.fromkeys(operator.inputs)) if i in made or i in there.inputs}
    outputs = {f"y{n}" if n else "y": i for n, i in enumerate(operator.outputs)}
    (room / "operator.tflite").write_bytes(tflite_parts.one_operator(there, _SIGNATURE, at, computed, outputs))
    by_index = {int(i): request[name] for name, i in own.inputs.items()}
    asked = own.fetch(request, [str(i) for i in computed.values() if i not in by_index])
    return {n: by_index[i] if i in by_index else asked[str(i)] for n, i in computed.items()}
