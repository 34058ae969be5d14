"""The event file of a graph for TensorBoard's graph view, without TensorFlow (tensorflow/core/util/event.proto, summary.proto)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crossload import artifacts
from crossload.artifacts import tfrecord
from crossload.artifacts.checkpoints import checkpoint
from crossload.artifacts.graphs import protos
from crossload.artifacts.messages import message_class
from crossload.artifacts.recognition import examine, saved_model_file
from crossload.contract.datatypes import DATATYPES
from crossload.errors import ArtifactError
from crossload.support import files

# event_file_writer.py: the first event states the file's version.
_FILE_VERSION = "brain.Event:2"
# tensorboard/plugins/graph/metadata.py: the plugin name of a tagged graph; graphs_plugin.py reads this version of it.
_PLUGIN, _PLUGIN_VERSION = "graph_run_metadata_graph", b"1"


def write(source: Path, folder: Path) -> Path:
    """Write the event file of a SavedModel, a GraphDef, a .meta file, or a checkpoint with a .meta; returns its new path in `folder`.

    TensorBoard shows the graph (of a SavedModel, the MetaGraph tagged `serve` or the first) as the run's, and each of several
    MetaGraphs under its tags. The same source always gives the same bytes; the file is named after it, with a number if that name
    exists. Raises ArtifactError for a source without a TensorFlow graph, and for an unreadable one.
    """
    graphs = _graphs(source)
    main = next((graph for tag, graph in graphs if tag == "serve"), graphs[0][1])
    event_class = message_class("tensorflow.Event")
    events = [event_class(file_version=_FILE_VERSION), event_class(graph_def=_serialised(source, main))]
    if len(graphs) > 1:
        events += [_tagged(source, tag, graph) for tag, graph in graphs]
    target = _new(folder, source)
    with files.written_whole(target) as partial, partial.open("wb") as stream:
        for event in events:
            tfrecord.write(stream, event.SerializeToString(deterministic=True))
    return target


def edge(source: Path, target: Path, bindings: dict[str, Any], options: dict[str, Any]) -> None:
    """The edge of verbs.convert.edges: `target` is the folder; an event file has no bindings."""
    write(source, target)


def _graphs(source: Path) -> list[tuple[str, Any]]:
    """The GraphDefs by tag."""
    kind, message = examine(source)
    if kind == "checkpoint":
        meta = _meta_of(source)
        kind, message = examine(meta)
        source = meta
    if kind == "graph_def":
        return [("graph", message)]
    if kind == "meta_graph":
        return [("graph", protos.parse(source, protos.MetaGraphProto, "MetaGraphDef").graph_def)]
    if kind == "saved_model":
        file = saved_model_file(source)
        artifacts.read(source)  # which refuses damaged artifacts
        found = protos.parse(file, protos.SavedModelProto, "SavedModel")
        graphs: dict[str, Any] = {}
        for at, meta_graph in enumerate(found.meta_graphs):
            tag = ",".join(meta_graph.meta_info_def.tags)
            graphs[tag if tag and tag not in graphs else f"meta_graph_{at}"] = meta_graph.graph_def
        return list(graphs.items())
    advice = "give the SavedModel that it was made from" if kind == "tflite" else "`crossload convert` makes a SavedModel of it first"
    raise ArtifactError(f"{source} is {kind}, which has no TensorFlow graph for TensorBoard to show; {advice}")


def _meta_of(source: Path) -> Path:
    """The .meta file beside a checkpoint (training/saver.py, meta_graph_suffix)."""
    prefix = checkpoint.read(source).prefix
    meta = prefix.with_name(f"{prefix.name}.meta")
    if not meta.is_file():
        raise ArtifactError(f"{source} is a checkpoint without {meta.name}, so it holds values but no graph; give a graph of the model")
    return meta


def _serialised(source: Path, message: Any) -> bytes:
    try:
        return bytes(message.SerializeToString(deterministic=True))
    except ValueError as error:  # protobuf's own limit, which the event can exceed even if the graph does not
        raise ArtifactError(f"the graph of {source} does not fit into an event ({error}); strip its constants first") from error


def _tagged(source: Path, tag: str, graph: Any) -> Any:
    """An event as tf.summary.graph writes it for a function (summary_ops_v2.py): a RunMetadata with the graph."""
    run = message_class("tensorflow.RunMetadata")()
    run.function_graphs.add().pre_optimization_graph.CopyFrom(graph)
    event = message_class("tensorflow.Event")()
    value = event.summary.value.add(tag=tag)
    value.metadata.plugin_data.plugin_name = _PLUGIN
    value.metadata.plugin_data.content = _PLUGIN_VERSION
    value.tensor.dtype = DATATYPES["BYTES"].enum
    value.tensor.tensor_shape.SetInParent()
    value.tensor.string_val.append(_serialised(source, run))
    return event


def _new(folder: Path, source: Path) -> Path:
    """The path of a new event file: TensorBoard recognises it by a word in its name."""
    name = f"events.out.tfevents.{source.resolve().name}"
    number = 0
    while (folder / name).exists():
        number += 1
        name = f"events.out.tfevents.{source.resolve().name}.{number}"
    return folder / name
