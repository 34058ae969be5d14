"""Backports of artifacts on disk: a SavedModel or a GraphDef file edited in place for older releases, without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crossload.artifacts.graphs import protos
from crossload.artifacts.graphs.graph import operation_of
from crossload.artifacts.graphs.saved_model import assets, init_ops
from crossload.artifacts.recognition import SAVED_MODEL_FILES, saved_model_file
from crossload.edits.freezing import references
from crossload.edits.repairs.graphs import Obstacle, Repairs, hollow, obstacles, repair
from crossload.edits.repairs.meta_graphs import mend
from crossload.releases.registrations import Release
from crossload.releases.registrations import releases as known


def edit(path: Path, bindings: Mapping[str, Any], releases: Sequence[Release]) -> tuple[Repairs, list[Obstacle]]:
    """Edit a SavedModel's folder (all its MetaGraphs) or a GraphDef's file so that these releases accept it.

    `bindings` (contract.manifest.Binding as JSON, by signature) say what a GraphDef must keep. Returns the repairs, and the remaining
    obstacles for a release. Raises ArtifactError for a file that cannot be read.
    """
    repairs = Repairs()
    if path.is_file():
        graph = protos.parse(path, protos.GraphDefProto, "GraphDef")
        left = edit_graph(
            graph, [str(t) for b in bindings.values() for side in ("inputs", "outputs") for t in b[side].values()], releases, repairs
        )
        _write_graph(graph, path)
        return repairs, left
    file = saved_model_file(path)
    message = protos.parse(file, protos.SavedModelProto, "SavedModel")
    left = []
    for meta_graph in message.meta_graphs:
        left += edit_meta_graph(meta_graph, releases, repairs)
    file.unlink()
    (path / "fingerprint.pb").unlink(missing_ok=True)  # it is the fingerprint of the original
    (path / SAVED_MODEL_FILES[0]).write_bytes(message.SerializeToString(deterministic=True))
    return repairs, left


def mend_references(source: Path, target: Path) -> list[str]:
    """Write the GraphDef of `source` to `target` with reference ops mended, and return which became what; if none did, write nothing."""
    graph = protos.parse(source, protos.GraphDefProto, "GraphDef")
    mended = references.mend(graph, known()[-1].op)
    if mended:
        _write_graph(graph, target)
    return [f"{count} {change}" for change, count in mended.items()]


def copy_graph(source: Path, target: Path) -> None:
    """Copy a GraphDef's file as binary or text, according to the target's suffix."""
    _write_graph(protos.parse(source, protos.GraphDefProto, "GraphDef"), target)


def edit_meta_graph(meta_graph: Any, releases: Sequence[Release], repairs: Repairs) -> list[Obstacle]:
    """Edit a MetaGraphDef in place as `edit` does; returns the remaining obstacles."""
    repairs.add(mend(meta_graph))
    left = edit_graph(meta_graph.graph_def, _needed(meta_graph), releases, repairs)
    _forget(meta_graph)
    return left


def edit_graph(graph: Any, needed: Sequence[str], releases: Sequence[Release], repairs: Repairs) -> list[Obstacle]:
    """Edit a GraphDef that must keep these tensors in place as `edit` does; returns the remaining obstacles."""
    repairs.add(repair(graph, releases))
    left = obstacles(graph, releases)
    if left:
        repairs.add(hollow(graph, left, [operation_of(at) for at in needed]))
        left = obstacles(graph, releases)
    return left


def _needed(meta_graph: Any) -> list[str]:
    """The tensors and operations for loading and calling a SavedModel."""
    infos = [i for s in meta_graph.signature_def.values() for i in (*s.inputs.values(), *s.outputs.values())]
    saver, files_read = meta_graph.saver_def, [a.tensor_info.name for a in assets(meta_graph)]
    return [*(i.name for i in infos), *init_ops(meta_graph).values(), saver.restore_op_name, saver.filename_tensor_name, *files_read]


def _forget(meta_graph: Any) -> None:
    """Remove deleted nodes from the collections, because import_meta_graph looks each name up."""
    nodes = {n.name for n in meta_graph.graph_def.node}
    for collection in meta_graph.collection_def.values():
        if collection.WhichOneof("kind") == "node_list":
            kept = [name for name in collection.node_list.value if operation_of(name) in nodes]
            collection.node_list.value[:] = kept


def _write_graph(graph: Any, path: Path) -> None:
    if path.suffix == ".pbtxt":
        from google.protobuf import text_format

        path.write_text(text_format.MessageToString(graph), encoding="utf-8")
    else:
        path.write_bytes(graph.SerializeToString(deterministic=True))
