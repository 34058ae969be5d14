"""An artifact as a manifest describes it: one entry per tag set, its bindings, and its signatures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from crossload import artifacts
from crossload.contract import sidecar, typed
from crossload.contract.bridge import CARRIERS
from crossload.contract.manifest import Artifact, Binding, Bridge
from crossload.contract.signatures import Signature
from crossload.errors import CrossloadError


def artifacts_of(
    path: Path, stored_as: str, tags: Sequence[str] | None = None, *, unnamed: bool = False, found: Any = None
) -> tuple[list[Artifact], dict[str, Signature]]:
    """A bare artifact as the manifest would describe it: one entry per tag set, and its signatures.

    A signature that a second MetaGraph also has gets the tag set appended to its name, because it may answer differently; with `tags`,
    only the MetaGraph with these tags counts. A manifest beside the artifact (contract.sidecar) takes precedence. `found` is the
    artifact, if it has been read already. Raises
    ArtifactError, also for an artifact with a missing part and, unless it is `unnamed` (the caller names its tensors), for one
    without a callable signature.
    """
    if known := sidecar.stated(path):
        entries, manifest = known
        named = {name: manifest.signatures[name] for entry in entries for name in entry.bindings}
        return [entry.model_copy(update={"path": stored_as}) for entry in entries], named
    found = found or artifacts.read(path)
    signatures: dict[str, Signature] = {}
    entries = []
    meta_graphs = artifacts.callable_signatures(found)
    if tags is not None:
        meta_graphs = [m for m in meta_graphs if m[0] is not None and set(m[0]) == set(tags)] or meta_graphs
    for own_tags, own in meta_graphs:
        suffix = "" if not entries else "@" + "+".join(own_tags or ("no-tags",))
        bindings = {}
        for key, signature in own.items():
            name = key if key not in signatures else f"{key}{suffix}"
            signatures[name] = signature
            bindings[name] = binding_of(signature, artifacts.bridge_of(found, own_tags, key))
        tag_list = None if own_tags is None else list(own_tags)
        entries.append(
            Artifact(
                id=found.format + suffix,
                format=found.format,
                path=stored_as,
                tags=tag_list,
                sha256=artifacts.sha256(path),
                bindings=bindings,
            )
        )
    if not signatures and not unnamed:
        raise CrossloadError(_no_signature(path, found))
    return entries, signatures


def _no_signature(path: Path, found: Any) -> str:
    """Why this artifact has nothing to call, and what to do."""
    if found.format == "graph_def" and (handles := [t.name for t in found.inputs if t.datatype == "DT_20"]):
        return (
            f"{path} takes {handles[0]!r}, a resource (a lookup table or a variable) that was lost when it was frozen and that "
            "a caller cannot feed; freeze it again from its SavedModel or checkpoint: crossload convert SOURCE frozen.pb"
        )
    if found.format not in ("saved_model", "graph_def", "meta_graph", "checkpoint"):
        return f"{path} has no signature that can be called; `crossload show {path}` lists what it has"
    listing = f"crossload show {path} --nodes '*'"
    why = "".join(f" ({reason})" for reason in list(artifacts.left_out(found).values())[:1])
    if found.format == "saved_model":
        from crossload.artifacts.graphs import object_graph

        if said := next(filter(None, (object_graph.unsigned(m.proto, path) for m in found.meta_graphs)), ""):
            return f"{path} has no signature that can be called{why}: {said}"
    return (
        f"{path} has no signature that can be called{why}; `crossload convert` and `crossload run` take its tensors by name "
        f"(--output-tensor), and `{listing}` lists them"
    )


def unknown_signature(path: Path, name: str, there: Iterable[str], found: Any = None) -> str:
    """Why the signature `name` of an artifact cannot be called, and those that can; `found` is the artifact, if it has been read."""
    reason = artifacts.left_out(found or artifacts.read(path)).get(name)
    return f"{path}: {reason}" if reason else f"{path} has no signature {name!r}; it has: {', '.join(there)}"


def binding_of(signature: Signature, bridge: Signature | None = None) -> Binding:
    """Where the names of a signature, and of its bridge if it has one, are in its artifact."""
    binding = Binding(
        key=signature.key,
        inputs={t.name: t.tensor for t in signature.inputs if t.tensor is not None},
        outputs={t.name: t.tensor for t in signature.outputs if t.tensor is not None},
    )
    if bridge is None:
        return binding
    own, across = ({t.name: t for t in (*s.inputs, *s.outputs)} for s in (signature, bridge))
    carriers = {own[name].datatype: t.datatype for name, t in across.items() if name in own and own[name].datatype != t.datatype}
    there = {side: {t.name: str(t.tensor) for t in getattr(bridge, side)} for side in ("inputs", "outputs")}
    fits = all(CARRIERS.get(d) == c for d, c in carriers.items()) and [set(there["inputs"]), set(there["outputs"])] == [
        {t.name for t in side} for side in (signature.inputs, signature.outputs)
    ]
    return binding.model_copy(update={"bridge": Bridge(key=bridge.key, carriers=carriers, **there)}) if fits else binding


def bindings_in(file: Path, bound: Mapping[str, Any] | None) -> dict[str, Binding]:
    """The bindings of an artifact that an edge made: those that the edge returned, completed from the artifact itself.

    If the edge returned none: the artifact's own signatures, by their keys.
    """
    if bound and all(b.get("key") is None for b in bound.values()):
        return {name: typed.read(Binding, {**b, "bridge": None}) for name, b in bound.items()}
    own = {s.key: binding_of(s) for _, signatures in artifacts.callable_signatures(artifacts.read(file)) for s in signatures.values()}
    keys = {name: b["key"] for name, b in bound.items()} if bound else {key: key for key in own if key is not None}
    return {name: own[key] for name, key in keys.items() if key in own}
