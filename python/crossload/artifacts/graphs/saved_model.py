"""SavedModel folders: MetaGraphs, their signatures, ops, assets and missing files (saved_model.proto, meta_graph.proto)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from google.protobuf.message import DecodeError

from crossload.artifacts.content import facts
from crossload.artifacts.graphs import bridges, protos, tensor_info
from crossload.artifacts.graphs.graph import Graph
from crossload.artifacts.graphs.saved_model_keys import MAIN_OP_COLLECTIONS, OPERATIONS
from crossload.artifacts.messages import message_class
from crossload.artifacts.recognition import saved_model_file
from crossload.contract.datatypes import from_enum
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import ArtifactError

_ASSETS = "saved_model_assets"
_VARIABLE_OPS = ("VarHandleOp", "Variable", "VariableV2")
_SHARD = re.compile(r"variables\.data-(\d{5})-of-(\d{5})")


@dataclass(frozen=True)
class MetaGraph:
    """One graph of a SavedModel.

    `bridges`, by signature key, are the signatures to call where a runtime lacks a datatype (edits.bridges). `ops` counts nodes by
    op, including those inside functions. `init_ops` are operations by the key or collection that names them. `asset_files` are the
    files of the folder `assets` that it names, `assets_read` those that an operation takes. `needs_variables`: the graph has variables
    to restore.
    """

    tags: tuple[str, ...]
    signatures: dict[str, Signature]
    ops: Counter[str]
    functions: int = 0
    init_ops: dict[str, str] = field(default_factory=dict)
    tensorflow_version: str = ""
    tensorflow_git_version: str = ""
    stripped_default_attrs: bool = False
    graph_producer: int = 0
    collections: dict[str, int] = field(default_factory=dict)
    asset_files: tuple[str, ...] = ()
    assets_read: tuple[str, ...] = ()
    needs_variables: bool = False
    bridges: dict[str, Signature] = field(default_factory=dict)
    file: Path = field(default=Path(), repr=False, compare=False)
    proto: Any = field(default=None, repr=False, compare=False)

    @cached_property
    def graph(self) -> Graph:
        """The graph with its nodes by name, and its candidates for inputs and outputs."""
        return Graph(self.file, self.proto.graph_def)

    def to_json(self) -> dict[str, Any]:
        """An element of `meta_graphs` in `show --json`."""
        return {
            "tags": list(self.tags),
            "signatures": {key: s.to_json() for key, s in self.signatures.items()},
            **({"bridges": {key: s.key for key, s in self.bridges.items()}} if self.bridges else {}),
            "init_ops": self.init_ops,
            "ops": dict(self.ops),
            "functions": self.functions,
            "asset_files": list(self.asset_files),
            "collections": self.collections,
            "needs_variables": self.needs_variables,
            "tensorflow_version": self.tensorflow_version,
            "tensorflow_git_version": self.tensorflow_git_version,
            "stripped_default_attrs": self.stripped_default_attrs,
            "graph_producer": self.graph_producer,
        }


@dataclass(frozen=True)
class SavedModel:
    """A SavedModel folder; `assets` and `variables` are the existing files, relative to it."""

    path: Path
    meta_graphs: list[MetaGraph]
    assets: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    format: Literal["saved_model"] = "saved_model"

    @property
    def has_variables(self) -> bool:
        """Whether the folder contains a checkpoint."""
        return "variables/variables.index" in self.variables

    @property
    def producer(self) -> dict[str, str]:
        """The versions that wrote it."""
        first = next((m for m in self.meta_graphs if m.tensorflow_version), None)
        return {"tensorflow": first.tensorflow_version} if first else {}

    def meta_graph(self, tags: Iterable[str] | None = None) -> MetaGraph:
        """The MetaGraph with exactly these tags; without tags, the only one, or the one tagged `serve`.

        Raises ArtifactError listing the available tag sets.
        """
        if tags is not None:
            found = [m for m in self.meta_graphs if set(m.tags) == set(tags)]
        else:
            found = self.meta_graphs if len(self.meta_graphs) == 1 else [m for m in self.meta_graphs if m.tags == ("serve",)]
        if found:
            return found[0]
        there = ", ".join(_tag_set(m.tags) for m in self.meta_graphs)
        asked = "several MetaGraphs" if tags is None else f"no MetaGraph with the tags {_tag_set(tuple(tags))}"
        raise ArtifactError(f"{self.path} has {asked}; choose one of {there}")

    def signature(self, key: str, tags: Iterable[str] | None = None) -> Signature:
        """The signature with this key; raises ArtifactError listing the available keys."""
        meta_graph = self.meta_graph(tags)
        if key not in meta_graph.signatures:
            there = ", ".join(repr(k) for k in meta_graph.signatures) or "none"
            raise ArtifactError(f"{self.path} has no signature {key!r} in the MetaGraph {_tag_set(meta_graph.tags)}; it has: {there}")
        return meta_graph.signatures[key]

    @property
    def missing_files(self) -> tuple[str, ...]:
        """Missing files, relative to the folder: variables' shards, their index, assets that an operation reads.

        Shard names give their number, `variables.data-00000-of-00003` (tensor_bundle/naming.h). A model without variables needs none.
        """
        shards: dict[int, set[int]] = {}
        for name in self.variables:
            if match := _SHARD.fullmatch(name.rpartition("/")[2]):
                shards.setdefault(int(match[2]), set()).add(int(match[1]))
        missing = [f"variables.data-{n:05}-of-{count:05}" for count, there in shards.items() for n in range(count) if n not in there]
        if not shards and self.has_variables:
            missing.append("variables.data-00000-of-00001")
        if not self.has_variables and (shards or any(m.needs_variables for m in self.meta_graphs)):
            missing.append("variables.index")
        return (*(f"variables/{name}" for name in missing), *self._absent(m.assets_read for m in self.meta_graphs))

    @property
    def unread_assets(self) -> tuple[str, ...]:
        """Missing asset files that a MetaGraph names and no operation reads: every TensorFlow loads the SavedModel without them."""
        missing = set(self.missing_files)
        return tuple(name for name in self._absent(m.asset_files for m in self.meta_graphs) if name not in missing)

    def _absent(self, names: Iterable[Iterable[str]]) -> list[str]:
        assets = dict.fromkeys(f"assets/{name}" for some in names for name in some)
        return [name for name in assets if not (self.path / name).is_file()]

    @cached_property
    def damage(self) -> str | None:
        """What is wrong with the files of its variables, whose lengths the index states; None where they can be read."""
        if not self.has_variables:
            return None
        from crossload.artifacts.checkpoints import checkpoint

        try:
            found = checkpoint.read(self.path / "variables" / "variables")
        except ArtifactError as error:
            return str(error)
        return f"{found.prefix} is {found.diagnosis[0]}" if found.truncated_files else None

    def check_complete(self) -> None:
        """Raises ArtifactError naming the first file that is missing, or the first of the variables' that is damaged."""
        missing = self.missing_files
        if missing:
            others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise ArtifactError(f"{self.path / missing[0]} is missing{others}: the SavedModel is incomplete; copy the whole folder again")
        if self.damage:
            raise ArtifactError(self.damage)

    def to_json(self) -> dict[str, Any]:
        """The object of `show --json`."""
        return {
            **facts(self),
            "meta_graphs": [m.to_json() for m in self.meta_graphs],
            "assets": list(self.assets),
            "variables_files": list(self.variables),
            "missing_files": list(self.missing_files),
            "unread_assets": list(self.unread_assets),
            **({"damage": self.damage} if self.damage else {}),
        }


def read(path: Path) -> SavedModel:
    """Read a SavedModel folder; raises ArtifactError where saved_model.pb (or .pbtxt) is truncated, corrupt or holds no graph."""
    file = saved_model_file(path)
    proto = protos.parse(file, protos.SavedModelProto, "SavedModel")
    # A file cut off between two fields still parses: only the required parts of a SavedModel show that it is whole.
    if not proto.meta_graphs or not all(m.HasField("graph_def") or m.HasField("meta_info_def") for m in proto.meta_graphs):
        raise ArtifactError(f"{file} holds no MetaGraph: it is truncated, corrupt or not a SavedModel; copy or export the folder again")
    if proto.saved_model_schema_version > 1:
        raise ArtifactError(
            f"{file} has schema version {proto.saved_model_schema_version}; TensorFlow's is 1, so the file is corrupt or newer"
        )
    meta_graphs = [meta_graph(m, file) for m in proto.meta_graphs]
    return SavedModel(path, meta_graphs, _files_in(path, "assets"), _files_in(path, "variables"))


def meta_graph(proto: Any, file: Path) -> MetaGraph:
    """The content of a MetaGraphDef in this file; raises ArtifactError for a default value that does not decode."""
    info, graph = proto.meta_info_def, proto.graph_def
    stated = {key: _signature(key, proto.signature_def[key], file) for key in sorted(proto.signature_def) if key not in OPERATIONS}
    carried = {f"{bridges.KEY}{key}" for key in stated} & stated.keys()
    return MetaGraph(
        tags=tuple(info.tags),
        signatures={key: signature for key, signature in stated.items() if key not in carried},
        bridges={key.removeprefix(bridges.KEY): stated[key] for key in sorted(carried)},
        ops=protos.count_ops(graph),
        functions=len(graph.library.function),
        init_ops=init_ops(proto),
        tensorflow_version=info.tensorflow_version,
        tensorflow_git_version=info.tensorflow_git_version,
        stripped_default_attrs=info.stripped_default_attrs,
        graph_producer=graph.versions.producer,
        collections={name: _collection_size(proto.collection_def[name]) for name in sorted(proto.collection_def)},
        asset_files=tuple(dict.fromkeys(a.filename for a in assets(proto))),
        assets_read=tuple(dict.fromkeys(a.filename for a in assets(proto) if a.tensor_info.name.partition(":")[0] in _taken(graph))),
        needs_variables=bool(proto.saver_def.restore_op_name) and any(node.op in _VARIABLE_OPS for node in graph.node),
        file=file,
        proto=proto,
    )


def _taken(graph: Any) -> set[str]:
    """The operations of a graph whose results another takes."""
    return {at.removeprefix("^").partition(":")[0] for node in graph.node for at in node.input}


def init_ops(proto: Any) -> dict[str, str]:
    """The operations of a MetaGraphDef to run at loading (not to call), by the key or the collection that names them."""
    found = {
        f"collection {name}": proto.collection_def[name].node_list.value[0]
        for name in MAIN_OP_COLLECTIONS
        if name in proto.collection_def and proto.collection_def[name].node_list.value
    }
    stated = {
        key: next((info.name for info in proto.signature_def[key].outputs.values()), "") for key in OPERATIONS if key in proto.signature_def
    }
    return found | stated


def _signature(key: str, definition: Any, file: Path) -> Signature:
    """Protobuf maps have no order, so names are sorted, as in TensorFlow's own flattening."""
    inputs = [t for name in sorted(definition.inputs) for t in tensors(name, definition.inputs[name])]
    defaults = {name: protos.default(definition.defaults[name], file, f"{key}/{name}") for name in sorted(definition.defaults)}
    outputs = [t for name in sorted(definition.outputs) for t in tensors(name, definition.outputs[name])]
    with_defaults = [TensorSpec(t.name, t.datatype, t.shape, t.tensor, defaults.get(t.name)) for t in inputs]
    return Signature(tuple(with_defaults), tuple(outputs), definition.method_name, key)


def assets(meta_graph: Any) -> list[Any]:
    """A MetaGraphDef's AssetFileDefs: its own field, else the collection of TensorFlow 1 (cc/saved_model/loader_util.cc).

    Raises ArtifactError for a collection of something else.
    """
    if meta_graph.asset_file_def or _ASSETS not in meta_graph.collection_def:
        return list(meta_graph.asset_file_def)
    try:
        return [message_class("tensorflow.AssetFileDef").FromString(one.value) for one in meta_graph.collection_def[_ASSETS].any_list.value]
    except DecodeError as error:
        raise ArtifactError(f"its collection {_ASSETS} is damaged: it does not hold AssetFileDefs ({error})") from error


def tensors(name: str, info: Any) -> list[TensorSpec]:
    """A TensorInfo's plain tensors (artifacts.graphs.tensor_info)."""
    return [TensorSpec(p.name, from_enum(p.datatype), p.shape, p.tensor or None) for p in tensor_info.parts(name, info)]


def _collection_size(collection: Any) -> int:
    kind = collection.WhichOneof("kind")
    return len(getattr(collection, kind).value) if kind else 0


def _files_in(path: Path, folder: str) -> tuple[str, ...]:
    return tuple(sorted(p.relative_to(path).as_posix() for p in (path / folder).rglob("*") if p.is_file()))


def _tag_set(tags: tuple[str, ...]) -> str:
    return "{" + ", ".join(repr(t) for t in tags) + "}"
