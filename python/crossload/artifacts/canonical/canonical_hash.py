"""The canonical hash of graph and weights: two exports of the same model have the same hash, even if their files' bytes differ.

What counts, by format (a digest is SHA-256; `hashed` keeps parts from running into each other):

- saved_model: for each MetaGraph its tags, signatures (key, method name, names, datatypes and shapes of inputs and outputs, defaults),
  and the part of the graph that signatures and init ops reach; variables by the values that the saver restores into them; all values
  of the checkpoint, whatever their keys are; the names and bytes of assets.
- graph_def, meta_graph: the names of likely inputs and outputs, every node that is an end of the graph, a .meta's signatures; a
  variable, which has no value here, by its name.
- checkpoint: names, datatypes, shapes and values of its variables.
- keras, keras_h5, keras_weights: the config except `compile_config` and the addresses of shared objects; names, datatypes, shapes and
  values of weights; not the optimiser, the date, the version.
- tflite: see artifacts.canonical.canonical_tflite.

What does not count: names of inner nodes and functions, orders, devices, attributes that begin with `_`, names of resources, the
versions of TensorFlow and of the graph, the saver, Python's object graph. Exports of the same weights in fresh processes differed in
these: counters in functions' names (`__inference_predict_533`), the order of Keras' variables in the checkpoint
(its keys `_all_variables/2/…` follow a set of Python), random names of temporary files and tables, paths of the exporting machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload.artifacts.canonical import canonical_graph
from crossload.artifacts.canonical.canonical_graph import GraphContent, hashed, source
from crossload.artifacts.canonical.cost import FORMATS
from crossload.artifacts.content import in_words
from crossload.artifacts.graphs import saved_model
from crossload.contract.signatures import TensorSpec
from crossload.errors import ArtifactError
from crossload.support import files

if TYPE_CHECKING:
    from crossload.artifacts.checkpoints.checkpoint import Checkpoint, Variable
    from crossload.artifacts.graphs.graph import Graph
    from crossload.artifacts.graphs.saved_model import SavedModel
    from crossload.artifacts.keras.keras_file import Keras

_RESTORES = ("RestoreV2", "Restore", "RestoreSlice")
_ASSIGNS = ("AssignVariableOp", "Assign")
_PASSING = ("Identity", "Reshape", "Cast")


def sha256(artifact: Any) -> str:
    """The canonical hash, in hexadecimal digits, of an artifact from artifacts.read.

    Raises ArtifactError where a part of the artifact is missing or damaged, and for a format without a canonical hash.
    """
    if artifact.format not in FORMATS:
        raise ArtifactError(f"{artifact.path} is {in_words(artifact.format)}, which has no canonical hash; compare its plain sha256")
    try:
        return hashed(artifact.format.encode(), _content(artifact)).hex()
    except RecursionError:
        raise ArtifactError(
            f"{artifact.path} has no canonical hash: its functions call each other too deeply, or its parts are nested too deeply; "
            "compare its plain sha256"
        ) from None


def _content(artifact: Any) -> bytes:
    if artifact.format == "saved_model":
        return _saved_model(artifact)
    if artifact.format == "tflite":
        from crossload.artifacts.canonical import canonical_tflite

        return canonical_tflite.digest(artifact.path)
    if artifact.format.startswith("keras"):
        return _keras(artifact)
    if artifact.format == "graph_def":
        return _whole_graph(artifact.graph)
    return _meta_graph(artifact) if artifact.format == "meta_graph" else _checkpoint(artifact)


def _meta_graph(artifact: Any) -> bytes:
    content = GraphContent(artifact.graph.proto)
    signatures = _signatures(content, artifact.proto, _by_name(artifact.graph.proto.node))
    return hashed(_whole_graph(artifact.graph), _tags(artifact.proto), *signatures)


def _whole_graph(graph: Graph) -> bytes:
    known = _by_name(graph.proto.node) | {source(str(t.tensor)): hashed(b"input", _text(source(str(t.tensor)))) for t in graph.inputs}
    content = GraphContent(graph.proto)
    digests = content.nodes_of(graph.nodes, known)
    # Inlining a function leaves unused placeholders behind, a different number each time.
    inputs = (hashed(_text(t.name), _stated(t)) for t in (graph.signature().inputs if graph.outputs else ()))
    outputs = (hashed(_text(t.name), digests[source(str(t.tensor))], _index(t)) for t in graph.outputs)
    # Anything that the order of nodes decides is left out: it differs between processes.
    return hashed(hashed(*sorted(inputs)), hashed(*sorted(outputs)), hashed(*content.sinks(digests)))


def _by_name(nodes: Iterable[Any]) -> dict[str, bytes]:
    """Variables without values, by the names under which a checkpoint restores them."""
    return {
        node.name: hashed(b"variable", node.name.encode(), *(node.attr[key].SerializeToString() for key in ("dtype", "shape")))
        for node in nodes
        if node.op in ("VarHandleOp", "Variable", "VariableV2")
    }


def _saved_model(artifact: SavedModel) -> bytes:
    artifact.check_complete()
    values = _values(artifact.path / "variables" / "variables") if artifact.has_variables else {}
    assets = {name.removeprefix("assets/"): files.sha256(artifact.path / name).encode() for name in artifact.assets}
    meta_graphs = sorted(_of_saved_model(m.proto, values, assets) for m in artifact.meta_graphs)
    named = (hashed(_text(name), digest) for name, digest in sorted(assets.items()))
    return hashed(hashed(*meta_graphs), hashed(*sorted(values.values())), hashed(*named))


def _of_saved_model(proto: Any, values: Mapping[str, bytes], assets: Mapping[str, bytes]) -> bytes:
    restored = {name: hashed(b"restored", values[key], part) for name, (key, part) in _restored(proto).items() if key in values}
    files_read = {
        source(a.tensor_info.name): hashed(b"asset", a.filename.encode(), assets.get(a.filename, b"")) for a in saved_model.assets(proto)
    }
    known = restored | files_read
    content = GraphContent(proto.graph_def)
    started = {init for init in saved_model.init_ops(proto).values() if init}
    digests = content.nodes_of(map(source, started), known)
    ends = sorted(digests.get(source(name), b"") for name in started)
    return hashed(_tags(proto), hashed(*ends), *_signatures(content, proto, known))


def _tags(proto: Any) -> bytes:
    return hashed(*sorted(tag.encode() for tag in proto.meta_info_def.tags))


def _signatures(content: GraphContent, proto: Any, known: Mapping[str, bytes]) -> Iterator[bytes]:
    """Each with the graph between its inputs and outputs: one signature may feed a tensor that another computes."""
    for key in sorted(proto.signature_def):
        definition = proto.signature_def[key]
        inputs, outputs = (
            [t for name in sorted(side) for t in saved_model.tensors(name, side[name])] for side in (definition.inputs, definition.outputs)
        )
        fed = {source(str(t.tensor)): hashed(b"input", _text(t.name)) for t in inputs}
        digests = content.nodes_of((source(str(t.tensor)) for t in outputs), {**known, **fed})
        ends = (hashed(_text(t.name), _stated(t), _index(t), digests.get(source(str(t.tensor)), b"")) for t in outputs)
        defaults = (hashed(name.encode(), canonical_graph.tensor(definition.defaults[name])) for name in sorted(definition.defaults))
        starts = (hashed(_text(t.name), _stated(t)) for t in inputs)
        yield hashed(key.encode(), definition.method_name.encode(), hashed(*starts), hashed(*ends), hashed(*defaults))


def _stated(spec: TensorSpec) -> bytes:
    return hashed(spec.datatype.encode(), repr(spec.shape).encode())


def _index(spec: TensorSpec) -> bytes:
    return (str(spec.tensor).partition(":")[2] or "0").encode()


def _text(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _checkpoint(artifact: Checkpoint) -> bytes:
    return hashed(*(hashed(_text(v.name), _value(artifact, v)) for v in sorted(artifact.variables, key=lambda v: v.name)))


def _keras(artifact: Keras) -> bytes:
    from crossload.artifacts.keras import keras_file, keras_h5

    found = (keras_file if artifact.format == "keras" else keras_h5).read(artifact.path, digests=True)
    if found.external:
        raise ArtifactError(f"{found.path} has parts in other files ({found.external[0]}), which are not opened; save it in one piece")
    config = json.dumps(_lasting(found.config), sort_keys=True).encode()
    weights = sorted(hashed(_text(w.name), w.datatype.encode(), repr(w.shape).encode(), w.sha256.encode()) for w in found.weights)
    return hashed(config, hashed(*weights))


def _lasting(config: Any) -> Any:
    """A Keras config without the parts that differ each time it is written, such as the addresses of objects."""
    if isinstance(config, dict):
        return {k: _lasting(v) for k, v in config.items() if k not in ("shared_object_id", "compile_config")}
    return [_lasting(v) for v in config] if isinstance(config, list) else config


def _values(prefix: Path) -> dict[str, bytes]:
    from crossload.artifacts.checkpoints import checkpoint

    found = checkpoint.read(prefix)
    return {v.name: _value(found, v) for v in found.variables}


def _value(found: Checkpoint, variable: Variable) -> bytes:
    """The digest of a variable's value; strings enter by their own digests."""
    from crossload.contract import datatypes

    name = variable.name
    if (chunks := found.chunks(name)) is not None:
        return canonical_graph.value_of_chunks(variable.datatype, variable.shape, variable.size, chunks)
    array = found.tensor(name)
    text = array.dtype == object
    data = b"".join(hashlib.sha256(value).digest() for value in array.reshape(-1)) if text else array.tobytes()
    return canonical_graph.value(datatypes.of_array(array), array.shape, data)


def _restored(proto: Any) -> dict[str, tuple[str, bytes]]:
    """By variable's operation: the key of the checkpoint tensor that the saver's restore op assigns to it, and the part of that tensor.

    TensorFlow 1 has the restoring nodes in the graph, TensorFlow 2 in a function that takes the variables.
    """
    nodes = {node.name: node for node in proto.graph_def.node}
    found = _assigned(nodes)
    restore = nodes.get(source(proto.saver_def.restore_op_name))
    called = restore.attr["f"].func.name if restore is not None and "f" in restore.attr else None
    for function in proto.graph_def.library.function:
        if restore is not None and function.signature.name == called:
            arguments = {a.name: source(at) for a, at in zip(function.signature.input_arg, restore.input, strict=False)}
            inside = _assigned({node.name: node for node in function.node_def})
            found |= {arguments[name]: part for name, part in inside.items() if name in arguments}
    return found


def _assigned(nodes: Mapping[str, Any]) -> dict[str, tuple[str, bytes]]:
    found = {}
    for node in nodes.values():
        if node.op not in _ASSIGNS or len(node.input) < 2:
            continue
        at = node.input[1]
        while (giver := nodes.get(source(at))) is not None and giver.op in _PASSING and giver.input:
            at = giver.input[0]
            giver = None
        if giver is None or giver.op not in _RESTORES or len(giver.input) < 2:
            continue
        index = int(at.rpartition(":")[2]) if at.rpartition(":")[2].isdecimal() else 0
        keys, parts = (_texts(nodes.get(source(giver.input[n]))) if n < len(giver.input) else [] for n in (1, 2))
        if index < len(keys):
            found[source(node.input[0])] = (keys[index].decode("utf-8", "surrogateescape"), parts[index] if index < len(parts) else b"")
    return found


def _texts(node: Any) -> Sequence[bytes]:
    return list(node.attr["value"].tensor.string_val) if node is not None and node.op == "Const" else []
