"""DenseBincount and RaggedBincount rewritten for TensorFlow 1: the nodes, and their counts in TensorFlow Java 1.15.0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossload.artifacts.messages import message_class
from crossload.edits.repairs.graphs import obstacles, repair
from crossload.verbs.check.prediction import release_of
from crossload.verbs.convert.convert import convert
from tests import CORPUS, environment
from tests.corpus.arrays import same_bytes
from tests.workers.conversation import Conversation, Response

LEGACY = release_of("tensorflow-java-legacy@1.15.0")
DTYPES = {1: np.float32, 2: np.float64, 3: np.int32, 9: np.int64}  # types.proto
FLOAT, DOUBLE, INT32, INT64 = DTYPES
BEYOND = 2**40 + 1  # as int32 it would be 1
ROWS = ([2, 0, 2, 9], [[2, 0, 2], [1, 9, 4]], [[0], [5], [2]], np.zeros((0, 3)), np.zeros((2, 0)), [], 3)
RAGGED = (([0, 2, 2, 5], [2, 0, 9, 1, 1]), ([0], []), ([0, 0, 0], []), ([0, 0, 3], [4, 4, 3]))


@dataclass(frozen=True)
class Kind:
    """A node that counts: its op and attributes, and whether weights are fed."""

    op: str
    values: int
    counts: int
    binary: bool = False
    weighted: bool = False

    def graph(self) -> Any:
        """Placeholders, 5 bins, and the node `counts`."""
        graph = message_class("tensorflow.GraphDef")()
        inputs = ["splits", "values"] if self.op == "RaggedBincount" else ["values"]
        for name in [*inputs, *(["weights"] if self.weighted else [])]:
            graph.node.add(name=name, op="Placeholder").attr["dtype"].type = INT64 if name == "splits" else self.values
            graph.node[-1].attr["shape"].shape.unknown_rank = True
        if self.weighted:
            graph.node[-1].attr["dtype"].type = self.counts
        constant(graph, "size", self.values, [5], [])
        if not self.weighted:
            constant(graph, "weights", self.counts, [], [0])
        node = graph.node.add(name="counts", op=self.op, input=[*inputs, "size", "weights", "^size"])
        node.attr["Tidx"].type, node.attr["T"].type, node.attr["binary_output"].b = self.values, self.counts, self.binary
        return graph

    def requests(self) -> Iterator[dict[str, np.ndarray]]:
        """Values inside and outside of the bins, rows and none; weights for each of them."""
        given = [{"values": v} for v in ROWS] if self.op == "DenseBincount" else [{"splits": s, "values": v} for s, v in RAGGED]
        for request in given:
            values = np.array(request["values"], DTYPES[self.values])
            if self.values == INT64:
                values[values == 9] = BEYOND
            weights = {"weights": np.arange(1, values.size + 1, dtype=DTYPES[self.counts]).reshape(values.shape)} if self.weighted else {}
            splits = {"splits": np.array(request["splits"], np.int64)} if "splits" in request else {}
            yield {**splits, "values": values, **weights}


def constant(graph: Any, name: str, kind: int, elements: list[int], shape: list[int]) -> None:
    node = graph.node.add(name=name, op="Const")
    node.attr["dtype"].type = node.attr["value"].tensor.dtype = kind
    node.attr["value"].tensor.tensor_shape.SetInParent()
    for extent in shape:
        node.attr["value"].tensor.tensor_shape.dim.add(size=extent)
    node.attr["value"].tensor.tensor_content = np.array(elements, DTYPES[kind]).tobytes()


OPS, INTEGERS = ("DenseBincount", "RaggedBincount"), (INT32, INT64)
KINDS = [
    *(Kind(op, values, counts, binary) for op in OPS for values in INTEGERS for counts in DTYPES for binary in (False, True)),
    *(Kind(op, values, counts, weighted=True) for op in OPS for values in INTEGERS for counts in INTEGERS),
    Kind("DenseBincount", INT64, FLOAT, binary=True, weighted=True),
]


@pytest.mark.parametrize("kind", [Kind("DenseBincount", INT64, FLOAT), Kind("RaggedBincount", INT32, INT64)])
def test_the_node_keeps_its_name_its_output_and_what_it_waits_for(kind: Kind) -> None:
    graph = kind.graph()
    said = repair(graph, [LEGACY]).sentences()
    assert said == [f"made 1 {kind.op} a Bincount (the rows are counted one after the other, in bins of their own)"]
    node = next(n for n in graph.node if n.name == "counts")
    assert (node.op, node.input[-1], node.attr["T"].type) == ("Reshape", "^size", kind.counts)
    assert not obstacles(graph, [LEGACY])


def test_in_a_function_tensors_are_named_as_functions_name_them() -> None:
    graph = message_class("tensorflow.GraphDef")()
    function = graph.library.function.add()
    function.signature.name = "count"
    for name in ("values", "counts/rows"):
        function.signature.input_arg.add(name=name, type=INT32)
    function.signature.output_arg.add(name="y", type=FLOAT)
    function.ret["y"] = "counts:output:0"
    function.node_def.extend(Kind("DenseBincount", INT32, FLOAT).graph().node[1:])
    for node in function.node_def:
        node.input[:] = [{"size": "size:output:0", "weights": "weights:output:0"}.get(at, at) for at in node.input]
    repair(graph, [LEGACY])
    assert not obstacles(graph, [LEGACY])
    made = {n.name for n in function.node_def}
    assert "counts/rows_1" in made, "an argument has the name"
    for at in (i for n in function.node_def for i in n.input):
        assert at == "values" or at.startswith("^") or (at.split(":")[0] in made and at.count(":") == 2), at


def test_floating_weights_are_an_obstacle_because_their_sum_depends_on_the_order() -> None:
    graph = Kind("DenseBincount", INT32, DOUBLE, weighted=True).graph()
    before = graph.SerializeToString(deterministic=True)
    assert repair(graph, [LEGACY]).sentences() == []
    assert graph.SerializeToString(deterministic=True) == before
    assert [o.op for o in obstacles(graph, [LEGACY])] == ["DenseBincount"]


def test_new_constants_are_in_the_loop_of_what_is_counted() -> None:
    graph = Kind("DenseBincount", INT32, INT32).graph()
    repair(graph, [LEGACY])
    added = [n for n in graph.node if n.op == "Const" and n.name.startswith("counts/")]
    assert added and all(list(n.input) == ["^values"] for n in added)


@pytest.fixture(scope="module")
def today() -> Iterator[Conversation]:
    conversation = Conversation(environment.launch_of("tensorflow"))
    yield conversation
    assert conversation.end() == 0


@pytest.fixture(scope="module")
def legacy() -> Iterator[Conversation]:
    conversation = Conversation(environment.launch_of("tensorflow-java-legacy"))
    yield conversation
    assert conversation.end() == 0


def load(worker: Conversation, graph: Any, file: Path) -> None:
    file.write_bytes(graph.SerializeToString())
    inputs = {n.name: f"{n.name}:0" for n in graph.node if n.op == "Placeholder"}
    bound = {"serving_default": {"key": None, "inputs": inputs, "outputs": {"counts": "counts:0"}}}
    loaded = worker.ask("RepositoryModelLoad", model_name="m", parameters={"path": str(file), "format": "graph_def", "signatures": bound})
    assert loaded.code is None, loaded.error


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_counts_are_the_same_bits_in_tensorflow_1(today: Conversation, legacy: Conversation, tmp_path: Path, kind: Kind) -> None:
    graph = kind.graph()
    load(today, graph, tmp_path / "today.pb")
    repair(graph, [LEGACY])
    load(legacy, graph, tmp_path / "older.pb")
    for request in kind.requests():
        wanted, got = today.infer(**request), legacy.infer(**request)
        assert wanted.code is None and got.code is None, (request, wanted.error, got.error)
        assert same_bytes(got.outputs["counts"], wanted.outputs["counts"]), (request, wanted.outputs, got.outputs)
    negative = {**request, "values": np.full_like(request["values"], -1 if kind.values == INT32 else -BEYOND)}
    assert today.infer(**negative).code is not None
    assert "must be non-negative" in legacy.infer(**negative).error


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["int", "multi_hot", "count", "tf_idf"])
def test_text_vectorization_answers_alike_in_tensorflow_1(
    today: Conversation, legacy: Conversation, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, mode: str
) -> None:
    made = environment.made_once(
        tmp_path_factory, "text_vectorizers", lambda folder: environment.with_tensorflow(CORPUS / "make_text_vectorizers.py", folder)
    )
    convert(made / mode, tmp_path / "older", to="saved_model", runtimes=["tensorflow-java-legacy"])
    texts = np.array([b"good good film", b"", b"nobody said Awful, but bad!", b"very " * 40], dtype=object)
    answers: list[Response] = []
    for worker, path in ((today, made / mode), (legacy, tmp_path / "older")):
        assert worker.load(path, only="serving_default").code is None
        answers.append(worker.infer(text=texts))
    wanted, got = (next(iter(a.outputs.values())) for a in answers)
    assert np.ptp(wanted) > 0
    np.testing.assert_allclose(got, wanted, rtol=1e-6)
    assert got.shape == wanted.shape
