"""MetaGraphDef files (.meta, binary or text): graph, collections, variables, signatures, saver, and a diagnosis.

Sources: tensorflow/core/protobuf/meta_graph.proto, saver.proto; tensorflow/core/framework/variable.proto.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from crossload.artifacts.content import facts
from crossload.artifacts.graphs import candidates, graph_def, op_types, protos, saved_model
from crossload.artifacts.graphs.graph import Graph, Node, operation_of
from crossload.artifacts.messages import message_class
from crossload.artifacts.recognition import index_of
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import ArtifactError

# tensorflow/python/framework/ops.py, GraphKeys: the collections whose bytes are VariableDefs.
_VARIABLES = ("variables", "trainable_variables", "model_variables", "local_variables", "moving_average_variables", "metric_variables")
_VARIABLE_OPS = ("VarHandleOp", "Variable", "VariableV2", "AutoReloadVariable")
_VERSIONS = ("legacy", "V1", "V2")
_MOST_NAMES = 3


@dataclass(frozen=True)
class Variable:
    """A variable in collections; `name` has its output's index, as in the file; `datatype` and `shape` are its operation's."""

    name: str
    datatype: str
    shape: tuple[int, ...] | None
    initial_value: str = ""
    initializer: str = ""
    snapshot: str = ""
    resource: bool = False
    trainable: bool = False
    collections: tuple[str, ...] = ()
    part_of: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """An element of `variables` in `show --json`; `part_of` exists for a part of a partitioned variable."""
        listed = {"shape": None if self.shape is None else list(self.shape), "collections": list(self.collections)}
        return {k: v for k, v in (vars(self) | listed).items() if k != "part_of" or v is not None}


@dataclass(frozen=True)
class Saver:
    """The saver of the variables: to restore, run `restore_op` with the checkpoint's prefix fed to `filename_tensor`."""

    restore_op: str
    filename_tensor: str
    save_tensor: str
    version: str
    max_to_keep: int = 0
    sharded: bool = False
    keep_every_n_hours: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """`saver` in `show --json`."""
        return dict(vars(self))


@dataclass(frozen=True)
class MetaGraph:
    """A .meta file.

    `meta` is the same as a SavedModel's MetaGraph: tags, signatures, ops, collections, assets, versions. `inputs` and `outputs` are the
    graph's candidates, as in a GraphDef. `checkpoint` is the prefix of the checkpoint of the same name beside it. `diagnosis` has
    sentences: why it cannot be loaded, run or restored, and what still works.
    """

    path: Path
    meta: saved_model.MetaGraph
    variables: tuple[Variable, ...]
    variable_ops: tuple[str, ...]
    graph: Graph = field(repr=False, compare=False)
    saver: Saver | None = None
    has_object_graph: bool = False
    checkpoint: Path | None = None
    diagnosis: tuple[str, ...] = ()
    proto: Any = field(default=None, repr=False, compare=False)
    format: Literal["meta_graph"] = "meta_graph"

    @property
    def tags(self) -> tuple[str, ...]:
        """The tag set, usually empty."""
        return self.meta.tags

    @property
    def signatures(self) -> dict[str, Signature]:
        """The file's signatures, by key; most files have none."""
        return self.meta.signatures

    @property
    def ops(self) -> Counter[str]:
        """The number of nodes of each op, including those in functions."""
        return self.meta.ops

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Candidates, the likeliest first."""
        return self.graph.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Candidates, the likeliest first."""
        return self.graph.outputs

    @property
    def producer(self) -> dict[str, str]:
        """The versions that wrote it."""
        return {"tensorflow": self.meta.tensorflow_version} if self.meta.tensorflow_version else {}

    def signature(self, outputs: Sequence[str] | None = None) -> Signature:
        """The inputs that these outputs depend on, and the outputs, as GraphDef.signature: from the graph, not its SignatureDefs."""
        return self.graph.signature(outputs)

    def tensor(self, name: str) -> TensorSpec:
        """The tensor `operation` or `operation:index`; raises ArtifactError, with near names, if the graph lacks it."""
        return self.graph.tensor(name)

    def nodes(self, pattern: str = "*") -> list[Node]:
        """The nodes whose name or op matches; raises ArtifactError, with near names, if none matches."""
        return self.graph.listed(pattern)

    def to_json(self) -> dict[str, Any]:
        """The object of `show --json`."""
        return {
            **facts(self),
            "meta_graphs": [self.meta.to_json()],
            **self.graph.candidates_to_json(),
            "variables": [v.to_json() for v in self.variables],
            "variable_ops": list(self.variable_ops),
            "saver": self.saver.to_json() if self.saver else None,
            "object_graph": self.has_object_graph,
            "checkpoint": None if self.checkpoint is None else str(self.checkpoint),
            "diagnosis": list(self.diagnosis),
        }


def read(path: Path) -> MetaGraph:
    """Read a .meta file; raises ArtifactError for another kind of file, and for a truncated or corrupt one."""
    return of(path, protos.parse(path, protos.MetaGraphProto, "MetaGraphDef"))


def is_one(proto: Any) -> bool:
    """Whether a message that parsed as a MetaGraphDef is one: unrelated bytes of the right form also parse."""
    return bool(proto.graph_def.node) and all(node.name and node.op for node in proto.graph_def.node)


def of(path: Path, proto: Any) -> MetaGraph:
    """The MetaGraph of a message parsed from `path`; raises ArtifactError if it is incomplete."""
    if not is_one(proto):
        raise ArtifactError(f"{path} is not a MetaGraphDef, or is corrupt: its graph has no nodes, or nodes without name or op")
    graph_def.check_whole(path, proto.graph_def)
    graph = Graph(path, proto.graph_def)
    meta = saved_model.meta_graph(proto, path)
    variables = _variables(path, proto, graph)
    ops = tuple(node.name for node in proto.graph_def.node if node.op in _VARIABLE_OPS)
    saver = _saver(proto)
    checkpoint = _checkpoint_beside(path)
    return MetaGraph(
        path=path,
        meta=meta,
        variables=variables,
        variable_ops=ops,
        graph=graph,
        saver=saver,
        has_object_graph=proto.HasField("object_graph_def"),
        checkpoint=checkpoint,
        diagnosis=tuple(_diagnosis(path, meta, variables, ops, saver, checkpoint, graph)),
        proto=proto,
    )


def _variables(path: Path, proto: Any, graph: Graph) -> tuple[Variable, ...]:
    from google.protobuf.message import DecodeError

    variable_def = message_class("tensorflow.VariableDef")
    found: dict[str, Any] = {}
    collections: dict[str, list[str]] = {}
    for name in _VARIABLES:
        if name not in proto.collection_def:
            continue
        for value in proto.collection_def[name].bytes_list.value:
            try:
                definition = variable_def.FromString(value)
            except (DecodeError, RuntimeError) as error:
                raise ArtifactError(f"{path} is corrupt: its collection {name!r} holds invalid VariableDefs; export it again") from error
            found.setdefault(definition.variable_name, definition)
            collections.setdefault(definition.variable_name, []).append(name)
    return tuple(_variable(definition, collections[name], graph) for name, definition in found.items())


def _variable(definition: Any, collections: list[str], graph: Graph) -> Variable:
    node = graph.nodes.get(operation_of(definition.variable_name))
    shape = protos.shape(node.attr["shape"].shape) if node is not None and node.attr["shape"].HasField("shape") else None
    part = definition.save_slice_info_def
    partition = {"name": part.full_name, "shape": list(part.full_shape), "offset": list(part.var_offset), "size": list(part.var_shape)}
    return Variable(
        name=definition.variable_name,
        datatype=op_types.attribute(node, "dtype") if node is not None else op_types.UNKNOWN,
        shape=shape,
        initial_value=definition.initial_value_name,
        initializer=definition.initializer_name,
        snapshot=definition.snapshot_name,
        resource=definition.is_resource,
        # The field is younger than the collection.
        trainable=definition.trainable or "trainable_variables" in collections,
        collections=tuple(collections),
        part_of=partition if part.full_name else None,
    )


def _saver(proto: Any) -> Saver | None:
    saver = proto.saver_def
    if not saver.restore_op_name:
        return None
    version = _VERSIONS[saver.version] if 0 <= saver.version < len(_VERSIONS) else str(saver.version)
    return Saver(
        saver.restore_op_name,
        saver.filename_tensor_name,
        saver.save_tensor_name,
        version,
        saver.max_to_keep,
        saver.sharded,
        float(saver.keep_checkpoint_every_n_hours) if abs(saver.keep_checkpoint_every_n_hours) < float("inf") else 0.0,
    )


def _checkpoint_beside(path: Path) -> Path | None:
    """The prefix of the checkpoint of the same name: an index (V2), or the file itself or a first shard of it (V1)."""
    name = path.name.removesuffix(".txt")
    prefix = path.with_name(name.removesuffix(".meta"))
    if not prefix.name or prefix.name == path.name:
        return None
    try:
        there = index_of(prefix).is_file() or prefix.is_file() or next(path.parent.glob(f"{_literal(prefix.name)}-00000-of-?????"), None)
    except OSError:
        return None
    return prefix if there else None


def _literal(name: str) -> str:
    import glob

    return glob.escape(name)


def _diagnosis(
    path: Path,
    meta: saved_model.MetaGraph,
    variables: tuple[Variable, ...],
    ops: tuple[str, ...],
    saver: Saver | None,
    checkpoint: Path | None,
    graph: Graph,
) -> Iterator[str]:
    named = {operation_of(v.name) for v in variables}
    unnamed = [name for name in ops if name not in named]
    by_name = "restore them by the names of their operations"
    by_hand = by_name
    if saver:
        by_hand = f"run the saver's {saver.restore_op!r} with the checkpoint's prefix fed to {saver.filename_tensor!r}, or {by_name}"
    if ops and not variables:
        yield (
            f"no collection names a variable, though the graph has {_counted(ops, 'variable operation')}: "
            f"tf.train.import_meta_graph makes a saver without variables; {by_hand}, then freeze"
        )
    elif unnamed:
        yield f"no collection names {_counted(unnamed, 'variable operation')}: they have no values until you {by_hand}"
    if lost := [v.name for v in variables if operation_of(v.name) not in graph.nodes]:
        yield (
            f"collections name {_counted(lost, 'variable')} that the graph does not have: tf.train.import_meta_graph refuses the file; "
            "its GraphDef still works"
        )
    if saver is None and ops:
        yield (
            "it has no saver (export_meta_graph without a saver_def): tf.train.import_meta_graph makes one from the "
            f"variables in collections; without such variables, {by_name}"
        )
    if saver is not None and (missing := [n for n in (saver.restore_op, operation_of(saver.filename_tensor)) if n not in graph.nodes]):
        yield f"its saver names {missing[0]!r}, which the graph does not have: to get the variables' values, {by_name}"
    if ops and checkpoint is None:
        stem = path.name.removesuffix(".txt").removesuffix(".meta")
        yield f"no checkpoint of the same name ({stem}.index) is beside it: the graph's variables have no values; put its files there"
    if checkpoint is not None:
        yield from _of_checkpoint(checkpoint)
    if trained := [n.name for n in graph.proto.node if candidates.trains(n)]:
        yield f"the graph has {_counted(trained, 'training node')}; freezing to its outputs leaves them out"
    if (version := meta.tensorflow_version) and not _is_version(version):
        yield (
            f"its version {version!r} is not valid in Python (PEP 440): tf.train.import_meta_graph refuses the file (InvalidVersion); "
            "its GraphDef and its saver's restore operation still work"
        )
    if pinned := Counter(n.device for n in graph.proto.node if n.device and not _is_plain(n.device)):
        yield (
            f"pinned to devices: {', '.join(f'{count} nodes to {device}' for device, count in pinned.most_common(_MOST_NAMES))}; "
            "on a machine without such a device they run only if loaded with clear_devices=True"
        )


def _of_checkpoint(prefix: Path) -> Iterator[str]:
    """What keeps the checkpoint beside it from giving values."""
    from crossload.artifacts.checkpoints import checkpoint

    try:
        found = checkpoint.read(prefix)
    except ArtifactError as error:
        yield f"its checkpoint cannot be read: {error}"
        return
    if found.missing_files or found.truncated_files:
        yield f"its checkpoint is {found.diagnosis[0]}"


def _counted(names: Sequence[str], what: str) -> str:
    more = ", …" if len(names) > _MOST_NAMES else ""
    return f"{len(names)} {what}{'s' * (len(names) != 1)} ({', '.join(names[:_MOST_NAMES])}{more})"


def _is_version(text: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _is_plain(device: str) -> bool:
    """Whether every machine has this device, which is the first CPU of the process."""
    parts = device.lower().replace("cpu:", "device:cpu:").replace("device:device:", "device:").strip("/").split("/")
    return all(part in ("device:cpu:0", "device:cpu:*", "job:localhost", "replica:0", "task:0") for part in parts)
