"""Event files: TensorBoard itself reads the graphs back, including functions and all MetaGraphs; sources without a graph are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import pytest
from google.protobuf import text_format
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.graph.graphs_plugin import GraphsPlugin

from crossload.artifacts.messages import message_class
from crossload.edits.tensorboard import edge, write
from crossload.errors import ArtifactError
from tests.corpus import checkpoints, handmade


class Board:
    """TensorBoard's graph plugin over a folder."""

    def __init__(self, folder: Path) -> None:
        multiplexer = EventMultiplexer()
        multiplexer.AddRunsFromDirectory(str(folder))
        multiplexer.Reload()
        self.plugin = GraphsPlugin(TBContext(data_provider=MultiplexerDataProvider(multiplexer, str(folder))))

    def tags(self) -> tuple[bool, set[str]]:
        """Whether the run has a graph, and the tags of other graphs."""
        (run,) = self.plugin.info_impl(RequestContext(), "experiment").values()
        return run["run_graph"], {tag for tag, what in run["tags"].items() if what["op_graph"]}

    def graph(self, tag: str | None = None) -> Any:
        """The graph that the plugin sends to the browser."""
        text, _ = self.plugin.graph_impl(RequestContext(), ".", tag, False, "experiment")
        return text_format.Parse(text, message_class("tensorflow.GraphDef")())


def names(graph: Any) -> list[str]:
    return [node.name for node in graph.node]


def test_a_graph_def_is_read_back_unchanged(tmp_path: Path) -> None:
    made = handmade.graph()
    write(handmade.write_graph(tmp_path / "g.pb", made), tmp_path / "log")
    accumulator = EventAccumulator(str(tmp_path / "log")).Reload()
    assert made.FromString(accumulator.Graph().SerializeToString()) == made
    assert names(Board(tmp_path / "log").graph()) == names(made)


def test_text_gives_the_same_result_as_binary(tmp_path: Path) -> None:
    write(handmade.write_graph(tmp_path / "g.pbtxt", handmade.graph(), text=True), tmp_path / "log")
    assert names(Board(tmp_path / "log").graph()) == names(handmade.graph())


def test_the_functions_of_a_saved_model_are_included(tmp_path: Path) -> None:
    meta_graph = handmade.meta_graph("serve")
    write(handmade.saved_model(tmp_path / "model", meta_graph), tmp_path / "log")
    board = Board(tmp_path / "log")
    assert board.tags() == (True, set())
    assert [f.signature.name for f in board.graph().library.function] == ["__inference_call"]


def test_several_meta_graphs_are_tagged_and_the_served_one_is_the_runs_graph(tmp_path: Path) -> None:
    training, serving = handmade.meta_graph("train"), handmade.meta_graph("serve")
    handmade.node(training.graph_def.node, "loss", "Sum", "serving_default_x", T=handmade.FLOAT)
    write(handmade.saved_model(tmp_path / "model", training, serving, handmade.meta_graph("serve", "gpu")), tmp_path / "log")
    board = Board(tmp_path / "log")
    assert board.tags() == (True, {"train", "serve", "serve,gpu"})
    assert "loss" in names(board.graph("train"))
    assert "loss" not in names(board.graph("serve"))
    assert "loss" not in names(board.graph())


def test_a_meta_file_is_found_beside_its_checkpoint_and_alone(tmp_path: Path) -> None:
    meta = tmp_path / "model-7.meta"
    meta.write_bytes(handmade.meta_graph().SerializeToString())
    write(meta, tmp_path / "alone")
    assert names(Board(tmp_path / "alone").graph()) == names(handmade.meta_graph().graph_def)
    with_values = checkpoints.small(tmp_path)
    with pytest.raises(ArtifactError, match=rf"{with_values.name} is a checkpoint without {with_values.name}\.meta"):
        write(with_values, tmp_path / "beside")
    meta.rename(with_values.with_name(f"{with_values.name}.meta"))
    write(with_values, tmp_path / "beside")
    assert names(Board(tmp_path / "beside").graph()) == names(handmade.meta_graph().graph_def)


def test_the_same_source_gives_the_same_bytes_and_existing_files_are_kept(tmp_path: Path) -> None:
    source = handmade.saved_model(tmp_path / "model", handmade.meta_graph("serve"), handmade.meta_graph("train"))
    first, again = write(source, tmp_path / "log"), write(source, tmp_path / "log")
    assert (first.name, again.name) == ("events.out.tfevents.model", "events.out.tfevents.model.1")
    assert first.read_bytes() == again.read_bytes()


def test_the_edge_fills_a_folder(tmp_path: Path) -> None:
    edge(handmade.write_graph(tmp_path / "g.pb", handmade.graph()), tmp_path / "log", {}, {})
    assert [f.name for f in (tmp_path / "log").iterdir()] == ["events.out.tfevents.g.pb"]


def test_the_error_for_a_source_without_graph_gives_the_next_step(tmp_path: Path) -> None:
    lite = tmp_path / "model.tflite"
    lite.write_bytes(handmade.Lite().build())
    with pytest.raises(ArtifactError, match=r"model.tflite is tflite.*SavedModel that it was made from"):
        write(lite, tmp_path / "log")
    hdf5 = tmp_path / "model.h5"
    with h5py.File(hdf5, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": []}})
    with pytest.raises(ArtifactError, match=r"model.h5 is keras.*crossload convert"):
        write(hdf5, tmp_path / "log")
    assert not (tmp_path / "log").exists()


def test_a_damaged_source_leaves_no_files(tmp_path: Path) -> None:
    damaged = handmade.saved_model(tmp_path / "model", handmade.meta_graph("serve"))
    (damaged / "saved_model.pb").write_bytes((damaged / "saved_model.pb").read_bytes()[:100])
    with pytest.raises(ArtifactError, match=r"saved_model\.pb"):
        write(damaged, tmp_path / "log")
    assert not (tmp_path / "log").exists()
