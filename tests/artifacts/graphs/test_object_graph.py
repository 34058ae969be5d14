"""Promises of the functions that a SavedModel's objects have and no signature names."""

from __future__ import annotations

from crossload.artifacts.graphs import object_graph
from tests.corpus import handmade


def test_functions_have_the_path_from_the_root_and_private_ones_none() -> None:
    made = handmade.meta_graph("serve")
    nodes = made.object_graph_def.nodes
    root, encoder, call, private, untraced = (nodes.add() for _ in range(5))
    root.user_object.SetInParent()
    encoder.user_object.SetInParent()
    call.function.concrete_functions.append("__inference_call_1")
    private.function.concrete_functions.append("__inference_private_2")
    untraced.function.SetInParent()
    for parent, child, name in (
        (root, 1, "encoder"),
        (encoder, 2, "call"),
        (root, 3, "_private"),
        (root, 4, "untraced"),
        (encoder, 0, "up"),
    ):
        parent.children.add(node_id=child, local_name=name)
    assert object_graph.function_names(made) == ("encoder.call",)
    assert "--sign encoder.call gives it one" in object_graph.unsigned(made)


def test_a_model_without_objects_says_nothing() -> None:
    assert object_graph.unsigned(handmade.meta_graph("serve")) == ""


def test_a_child_that_is_not_there_is_passed_over() -> None:
    made = handmade.meta_graph("serve")
    made.object_graph_def.nodes.add().children.add(node_id=7, local_name="lost")
    assert object_graph.function_names(made) == ()
