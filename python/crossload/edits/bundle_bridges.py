"""Bridges for a bundle's artifacts: SavedModels and GraphDefs get one for each signature with a datatype that TensorFlow Java lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from crossload.artifacts.graphs import protos
from crossload.artifacts.recognition import saved_model_file
from crossload.contract.manifest import Artifact
from crossload.contract.signatures import Signature
from crossload.edits import bridges
from crossload.edits.messages import write
from crossload.support import files


def build(root: Path, artifacts: Sequence[Artifact], signatures: Mapping[str, Signature]) -> list[str]:
    """Edit the artifacts below `root` in place, and their entries; returns the signatures that have a bridge now.

    The computation, its tensors and their names stay unchanged: only casts around it are added (edits.bridges).
    """
    made: list[str] = []
    for path in dict.fromkeys(a.path for a in artifacts if a.format in ("saved_model", "graph_def")):
        entries = [a for a in artifacts if a.path == path]
        if not any(bridges.is_needed(signatures[name]) for a in entries for name in a.bindings):
            continue
        added = (
            [*_build_saved_model(root / path, entries, signatures)]
            if entries[0].tags is not None
            else [*_build_graph_def(root / path, entries[0], signatures)]
        )
        made += added
        for entry in entries if added else ():
            entry.sha256 = files.sha256(root / path)
    return list(dict.fromkeys(made))


def _build_saved_model(folder: Path, entries: Sequence[Artifact], signatures: Mapping[str, Signature]) -> list[str]:
    file = saved_model_file(folder)
    proto = protos.parse(file, protos.SavedModelProto, "SavedModel")
    made = []
    for entry in entries:
        meta_graph = next(m for m in proto.meta_graphs if list(m.meta_info_def.tags) == entry.tags)
        for name, bridge in bridges.add_to_meta_graph(meta_graph, signatures, entry.bindings).items():
            entry.bindings[name] = entry.bindings[name].model_copy(update={"bridge": bridge})
            made.append(name)
    if made:
        write(file, proto)
    return made


def _build_graph_def(file: Path, entry: Artifact, signatures: Mapping[str, Signature]) -> list[str]:
    graph = protos.parse(file, protos.GraphDefProto, "GraphDef")
    made = []
    for name, binding in entry.bindings.items():
        if bridge := bridges.add(graph, signatures[name], binding):
            entry.bindings[name] = binding.model_copy(update={"bridge": bridge})
            made.append(name)
    if made:
        write(file, graph)
    return made
