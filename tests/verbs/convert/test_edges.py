"""The planner: it finds the shortest path, and the guide shows the actual table."""

from __future__ import annotations

from typing import get_args

import pytest

from crossload.errors import CrossloadError
from crossload.runtimes.tf_process import StepName
from crossload.tf_process.steps import STEPS
from crossload.verbs.convert import edges
from tests import ROOT


def test_a_direct_edge_is_preferred() -> None:
    assert [e.target for e in edges.way("saved_model", "tflite")] == ["tflite"]


def test_without_a_direct_edge_the_path_goes_over_other_formats() -> None:
    assert [e.target for e in edges.way("keras_h5", "tflite")] == ["saved_model", "tflite"]
    assert [e.target for e in edges.way("checkpoint", "tflite")] == ["saved_model", "tflite"]


def test_a_format_can_become_itself_by_an_edge_and_not_by_walking_in_a_circle() -> None:
    assert [e.target for e in edges.way("graph_def", "graph_def")] == ["graph_def"]
    assert [e.target for e in edges.way("checkpoint", "checkpoint")] == ["saved_model", "checkpoint"]


def test_without_a_path_the_error_lists_what_the_source_can_become() -> None:
    with pytest.raises(CrossloadError, match=r"a \.tflite file cannot become a .*; it can become: saved_model, graph_def, tflite, "):
        edges.way("tflite", "keras")


def test_tensorflow_s_process_has_every_step_that_the_core_names_and_no_other() -> None:
    assert set(STEPS) == set(get_args(StepName))


def test_the_guide_shows_the_matrix_of_conversions_as_the_table_of_edges_gives_it() -> None:
    assert edges.matrix() in (ROOT / "docs" / "guides" / "convert.md").read_text(encoding="utf-8")
