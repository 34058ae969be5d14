"""Handoffs to C that are refused, each before anything is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from crossload.cli import main
from crossload.contract.manifest import Artifact, Binding
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import CrossloadError
from crossload.verbs.handoff.c import client, recorded
from crossload.verbs.handoff.handoff import handoff
from tests.attacks import hostile_bundle
from tests.corpus.handmade import Lite, Tensor
from tests.verbs.handoff import made

NAMES = {"serve": {"x": "x", "y": "y"}}


def functions(spec: TensorSpec) -> list[client.Function]:
    artifact = Artifact(id="m", format="tflite", path="m.tflite", sha256="0" * 64, bindings={"serve": Binding(key="serve")})
    return client.functions(artifact, {"serve": Signature((spec,), (TensorSpec("y", "FP32", ()),))}, NAMES, "m")


def test_a_bundle_without_a_tflite_is_refused_with_the_next_step(tmp_path: Path) -> None:
    bundle = hostile_bundle.write(tmp_path / "bundle")
    with pytest.raises(CrossloadError, match=r"litert loads only tflite, not graph_def; .*crossload export … --formats tflite"):
        handoff(bundle, tmp_path / "out", to="c")
    assert not (tmp_path / "out").exists()


def test_what_the_client_does_not_carry_is_refused_by_name() -> None:
    with pytest.raises(CrossloadError, match="'x' of serve is string, and the C client carries bool, integers"):
        functions(TensorSpec("x", "BYTES", (-1,)))
    with pytest.raises(CrossloadError, match="'x' of serve has 9 dimensions"):
        functions(TensorSpec("x", "FP32", (1,) * 9))


def test_free_dimensions_and_ranks_come_from_the_caller() -> None:
    (one,) = functions(TensorSpec("x", "INT8", (-1, 3)))
    assert (one.inputs[0].type, one.inputs[0].initial("in"), one.inputs[0].rank("in")) == ("int8_t", "in->x.shape[0], 3", "2")
    (any_rank,) = functions(TensorSpec("x", "INT8", None))
    assert (any_rank.inputs[0].rank("in"), any_rank.inputs[0].dimensions) == ("in->x.rank", "of any shape")


def test_variable_tensors_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    x, y = Lite().tensors
    lite = Lite((x, y, Tensor("state", variable=True)))
    lite.signatures = {"serve": ({"x": 0}, {"y": 1})}
    bundle = made.bundle(tmp_path / "bundle", lite, made.vector("one"))
    with pytest.raises(CrossloadError, match=r"keeps state in variable tensors \(state\), and LiteRT's C API does not load such a file"):
        handoff(bundle, tmp_path / "out", to="c")
    assert not (tmp_path / "out").exists()


def test_a_signature_that_no_vector_could_judge_is_refused() -> None:
    (one,) = functions(TensorSpec("x", "FP32", (-1, 4)))
    whole = made.vector("one")
    half = replace(whole, inputs={})  # the input has a default, which a .tflite lacks
    assert recorded.complete(one, [half, whole]) == [whole]
    with pytest.raises(CrossloadError, match="no recorded vector of serve has all of its inputs and outputs, so that its answers cannot"):
        recorded.complete(one, [half])


def test_an_option_of_another_receiver_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["handoff", str(tmp_path), "--to", "c", "-o", str(tmp_path / "out"), "--package", "com.example"])
    assert done.exit_code == 2
    assert "--package is of --to java and android, and this is --to c; leave it out" in done.stderr
