"""One MetaGraph of a SavedModel as a separate SavedModel, without TensorFlow: the files stay, the message is cut."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossload.artifacts.graphs import protos
from crossload.artifacts.graphs.saved_model_keys import OPERATIONS
from crossload.artifacts.recognition import SAVED_MODEL_FILES, saved_model_file
from crossload.errors import CrossloadError


def of_saved_model(source: Path, target: Path, bindings: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Copy the SavedModel with only the MetaGraph of `options["tags"]` and the signatures in `bindings`.

    `options["to_tags"]` gives it other tags, `options["renamed"]` (new keys by old ones) its signatures other keys. Variables, assets and
    assets.extra are copied unchanged. Raises CrossloadError.
    """
    file = saved_model_file(source)
    message = protos.parse(file, protos.SavedModelProto, "SavedModel")
    wanted = set(options.get("tags") or [])
    chosen = [m for m in message.meta_graphs if set(m.meta_info_def.tags) == wanted]
    if not chosen:
        raise CrossloadError(f"{source} has no MetaGraph with the tags {', '.join(sorted(wanted)) or '(none)'}")
    meta_graph = chosen[0]
    keys = {b["key"] for b in bindings.values()}
    for key in list(meta_graph.signature_def):
        if key not in keys and key not in OPERATIONS:
            del meta_graph.signature_def[key]
    if renamed := options.get("renamed"):
        _rename(meta_graph, renamed)
        bindings = {name: {**b, "key": renamed.get(b["key"], b["key"])} for name, b in bindings.items()}
    if to_tags := options.get("to_tags"):
        del meta_graph.meta_info_def.tags[:]
        meta_graph.meta_info_def.tags.extend(to_tags)
    kept = type(message)(saved_model_schema_version=message.saved_model_schema_version, meta_graphs=[meta_graph])
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*SAVED_MODEL_FILES, "fingerprint.pb"))
    (target / "saved_model.pb").write_bytes(kept.SerializeToString(deterministic=True))
    return bindings


def _rename(meta_graph: Any, renamed: Mapping[str, str]) -> None:
    """Give SignatureDefs, and the functions of the object graph that Python's loader calls for them, other keys (all at once)."""
    signatures = {renamed.get(key, key): definition.SerializeToString() for key, definition in meta_graph.signature_def.items()}
    meta_graph.signature_def.clear()
    for key, definition in signatures.items():
        meta_graph.signature_def[key].ParseFromString(definition)
    nodes = meta_graph.object_graph_def.nodes
    for at in [child.node_id for node in nodes[:1] for child in node.children if child.local_name == "signatures"]:
        for child in nodes[at].children:
            child.local_name = renamed.get(child.local_name, child.local_name)
