"""Candidates in graphs without named inputs and outputs: answers, as opposed to ops for training, saving, initialising and monitoring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossload.artifacts.graphs import graph_def
from crossload.artifacts.graphs.graph import Graph
from crossload.artifacts.messages import message_class
from crossload.errors import ArtifactError
from tests.corpus import handmade
from tests.corpus.handmade import BOOL, FLOAT, INT32, INT64, STRING, node


def of(made: Any) -> Graph:
    return Graph(Path("g.pb"), made)


def names(made: Any) -> list[str]:
    return [t.name for t in of(made).outputs]


def trained(*, softmax: bool = True) -> Any:
    """A classifier as TensorFlow 1 trains it: loss, accuracy, gradients, optimiser, saver, summaries and initialisers beside it."""
    made = message_class("tensorflow.GraphDef")()
    made.versions.producer = 1000
    add = made.node
    node(add, "x", "Placeholder", shape=(-1, 4), dtype=FLOAT)
    node(add, "y_", "Placeholder", shape=(-1,), dtype=INT64)
    node(add, "w/Initializer/random_uniform", "RandomUniform", dtype=FLOAT)
    node(add, "w", "VariableV2", dtype=FLOAT)
    node(add, "w/Assign", "Assign", "w", "w/Initializer/random_uniform", T=FLOAT)
    node(add, "w/read", "Identity", "w", T=FLOAT)
    node(add, "w/Regularizer/l2", "L2Loss", "w/read", T=FLOAT)
    node(add, "product", "MatMul", "x", "w/read", T=FLOAT)
    if softmax:
        node(add, "answer", "Softmax", "product", T=FLOAT)
    node(add, "crossed", "SparseSoftmaxCrossEntropyWithLogits", "product", "y_", T=FLOAT)
    node(add, "Mean", "Mean", "crossed", T=FLOAT)
    node(add, "best", "ArgMax", "product", T=FLOAT)
    node(add, "right", "Equal", "best", "y_", T=INT64)
    node(add, "rightness", "Mean", "right", T=FLOAT)
    node(add, "gradients/Fill", "Fill", T=FLOAT)
    node(add, "gradients/Mean_grad/truediv", "RealDiv", "gradients/Fill", "Mean", T=FLOAT)
    node(add, "gradients/crossed_grad/mul", "Mul", "gradients/Mean_grad/truediv", T=FLOAT)
    node(add, "gradients/product_grad/MatMul_1", "MatMul", "x", "gradients/crossed_grad/mul", T=FLOAT)
    node(add, "GradientDescent/update_w/Apply", "ApplyGradientDescent", "w", "gradients/product_grad/MatMul_1", T=FLOAT)
    node(add, "global_step", "VariableV2", dtype=INT64)
    node(add, "global_step/read", "Identity", "global_step", T=INT64)
    node(add, "watched", "ScalarSummary", "Mean", T=FLOAT)
    node(add, "Merge/MergeSummary", "MergeSummary", "watched")
    node(add, "ready", "IsVariableInitialized", "w")
    node(add, "all_ready", "All", "ready")
    node(add, "save/filename", "PlaceholderWithDefault", "save/filename/input", shape=(), dtype=STRING)
    node(add, "save/filename/input", "Const", dtype=STRING)
    node(add, "save/SaveV2", "SaveV2", "save/filename", "w", dtypes=[FLOAT])
    node(add, "save/control_dependency", "Identity", "save/filename", "^save/SaveV2", T=STRING)
    node(add, "save/RestoreV2", "RestoreV2", "save/filename", dtypes=[FLOAT])
    node(add, "init", "NoOp", "^w/Assign")
    return made


def test_the_outputs_of_a_training_graph_are_its_heads() -> None:
    assert names(trained()) == ["answer", "best"]


def test_logits_that_only_the_loss_takes_are_an_output() -> None:
    made = trained(softmax=False)
    for unwanted in ("best", "right", "rightness"):
        made.node.remove(next(n for n in made.node if n.name == unwanted))
    graph = of(made)
    assert [t.name for t in graph.outputs] == ["product"]
    assert graph.reasons["product:0"] == "only training takes its result"


def test_labels_and_the_savers_file_name_are_not_inputs() -> None:
    graph = of(trained())
    assert [t.name for t in graph.signature().inputs] == ["x"]
    assert [t.name for t in graph.inputs] == ["x", "y_"]


def test_a_loss_is_found_by_its_gradients() -> None:
    made = message_class("tensorflow.GraphDef")()
    node(made.node, "x", "Placeholder", shape=(-1, 1), dtype=FLOAT)
    node(made.node, "y", "Placeholder", shape=(-1, 1), dtype=FLOAT)
    node(made.node, "w", "VarHandleOp", dtype=FLOAT)
    node(made.node, "read", "ReadVariableOp", "w", dtype=FLOAT)
    node(made.node, "line", "MatMul", "x", "read", T=FLOAT)
    node(made.node, "passed", "Identity", "line", T=FLOAT)
    node(made.node, "sub", "Sub", "passed", "y", T=FLOAT)
    node(made.node, "Square", "Square", "sub", T=FLOAT)
    node(made.node, "Sum", "Sum", "Square", T=FLOAT)
    # The gradient of an Identity has no operation, so its operand looks like an end of the graph.
    for name in ("Sum", "Square", "sub", "line"):
        node(made.node, f"gradients/{name}_grad/op", "Mul", name, T=FLOAT)
    assert names(made) == ["passed"]
    assert [t.name for t in of(made).signature().inputs] == ["x"]


def test_without_a_placeholder_the_output_of_a_queue_is_an_input() -> None:
    made = message_class("tensorflow.GraphDef")()
    node(made.node, "queue", "FIFOQueueV2", component_types=[FLOAT, INT64])
    node(made.node, "batch", "QueueDequeueManyV2", "queue", "queue", component_types=[FLOAT, INT64])
    node(made.node, "enqueue", "QueueEnqueueV2", "queue", "queue")
    node(made.node, "size", "QueueSizeV2", "queue")
    node(made.node, "net", "Relu", "batch", T=FLOAT)
    node(made.node, "xent", "SparseSoftmaxCrossEntropyWithLogits", "net", "batch:1", T=FLOAT)
    signature = of(made).signature()
    assert [(t.name, t.tensor) for t in signature.inputs] == [("batch", "batch:0")]
    assert [t.name for t in signature.outputs] == ["net"]


def test_detection_heads_keep_their_order_and_come_first() -> None:
    made = handmade.graph()
    node(made.node, "stray", "Relu", "product", T=FLOAT)
    heads = ["detection_boxes", "detection_scores", "detection_classes", "num_detections"]
    for name in heads:
        node(made.node, name, "Identity", "product", T=FLOAT)
    assert names(made) == [*(["probabilities"]), *heads, "stray"]


def test_results_of_a_traced_function_are_ordered_by_number() -> None:
    made = handmade.graph()
    for at in (10, 2, 0, 1):
        node(made.node, f"Identity_{at}" if at else "Identity", "Identity", "probabilities", T=FLOAT)
    assert names(made) == ["Identity", "Identity_1", "Identity_2", "Identity_10"]


def test_the_branches_of_a_condition_are_not_outputs() -> None:
    made = handmade.graph()
    node(made.node, "phase", "Placeholder", shape=(), dtype=BOOL)
    node(made.node, "cond/Switch", "Switch", "phase", "phase", T=BOOL)
    node(made.node, "cond/switch_t", "Identity", "cond/Switch:1", T=BOOL)
    node(made.node, "cond/const", "Const", "^cond/switch_t", dtype=FLOAT)
    assert names(made) == ["probabilities"]


def test_handles_are_not_outputs_and_input_independent_outputs_come_last() -> None:
    made = handmade.graph()
    node(made.node, "handle", "SomeTable", dtype=handmade.RESOURCE)
    node(made.node, "anchors/output", "Identity", "w", T=FLOAT)
    graph = of(made)
    assert [t.name for t in graph.outputs] == ["probabilities", "anchors/output"]
    assert "depends on no input" in graph.reasons["anchors/output:0"]


def test_a_model_in_a_scope_named_like_training_has_outputs() -> None:
    made = message_class("tensorflow.GraphDef")()
    node(made.node, "train/x", "Placeholder", shape=(-1, 4), dtype=FLOAT)
    node(made.node, "train/loss/relu", "Relu", "train/x", T=FLOAT)
    assert names(made) == ["train/loss/relu"]
    assert [t.name for t in of(made).signature().inputs] == ["train/x"]


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("probability", "'probabilities'"), ("Product", "'product'"), ("head/probabilites:0", "'probabilities'"), ("PROB", "'probabilities'")],
)
def test_the_error_for_a_wrong_name_lists_near_names(wrong: str, near: str) -> None:
    with pytest.raises(ArtifactError, match=f"no tensor .*; near it are {near}"):
        of(handmade.graph()).tensor(wrong)


def test_the_error_for_an_index_out_of_range_states_the_number_of_outputs() -> None:
    with pytest.raises(ArtifactError, match="'product' is a MatMul with 1 output; its outputs are numbered from 0"):
        of(handmade.graph()).tensor("product:1")


def test_outputs_of_an_unknown_op_follow_from_its_consumers() -> None:
    made = handmade.graph()
    node(made.node, "own", "SomebodysOwnOp", "probabilities")
    node(made.node, "second", "Relu", "own:1", T=FLOAT)
    assert of(made).tensor("own:1").datatype == "DT_0"
    with pytest.raises(ArtifactError, match="no tensor 'own:2'"):
        of(made).tensor("own:2")


def test_nodes_are_listed_by_pattern_substring_or_op(tmp_path: Path) -> None:
    made = handmade.graph()
    function = made.library.function.add()
    function.signature.name = "inner"
    node(function.node_def, "product", "MatMul", "a", "b", T=INT32)
    found = graph_def.read(handmade.write_graph(tmp_path / "g.pb", made))
    assert [(n.name, n.function) for n in found.nodes()] == [*((n.name, None) for n in made.node), ("product", "inner")]
    assert [n.name for n in found.nodes("pro*")] == ["product", "probabilities", "product"]
    assert [n.op for n in found.nodes("Softmax")] == ["Softmax"]
    assert found.nodes("x")[0].to_json() == {
        "name": "x", "op": "Placeholder", "inputs": [], "outputs": [{"datatype": "FP32", "shape": [-1, 4]}],
    }  # fmt: skip
    with pytest.raises(ArtifactError, match="no node 'prodct'; near it are 'product'"):
        found.nodes("prodct")
