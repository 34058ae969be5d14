"""Layers left in float: the noisiest first, until the bounds are met, and none that is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import crossload
from crossload.compare.quality import Bounds
from crossload.contract.manifest import Artifact, Quality
from crossload.errors import CrossloadError
from crossload.inputs.requests import Requests
from crossload.verbs.convert.keep_float import fewest, name_of, noise


def artifact(layers: Sequence[str]) -> Artifact:
    """An artifact whose path says which layers are in float."""
    return Artifact(id="tflite", format="tflite", path=",".join(layers), sha256="", bindings={})


def quality(sqnr: float | None, **more: object) -> Quality:
    return Quality(signature="s", output="y", data="d", rows=1, sqnr=sqnr, **more)  # type: ignore[arg-type]


def searched(needed: set[str], ranked: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """The layers kept, those of the result, and what was said, of a model that needs these layers in float."""
    said: list[str] = []

    def attempt(*layers: str) -> tuple[Artifact, list[Quality]]:
        return artifact(layers), [quality(40.0 if needed <= set(layers) else 5.0)]

    made, kept = fewest(artifact([]), ranked, attempt, Bounds(), said.append)
    return kept, made.path.split(","), said


@pytest.mark.parametrize("needed", [{"a"}, {"c"}, {"b", "c"}, {"a", "c"}, {"a", "b", "c"}])
def test_the_layers_that_are_needed_are_kept_and_no_other(needed: set[str]) -> None:
    kept, made, _ = searched(needed, ["a", "b", "c", "d"])
    assert set(kept) == set(made) == needed


def test_it_is_said_if_all_layers_are_not_enough() -> None:
    kept, made, said = searched({"z"}, ["a", "b"])
    assert kept == made == ["a", "b"]
    assert said[-1] == "even with all of them in float the bounds are missed"


def test_the_noise_of_the_worst_output_counts() -> None:
    assert noise([quality(40.0), quality(20.0)]) == pytest.approx(0.01)
    assert noise([quality(None, max_abs=0.0)]) == 0
    assert noise([quality(40.0), quality(None, collapsed="all zero")]) == float("inf")


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        ("model/conv_1/Relu;model/conv_1/BiasAdd", "model/conv_1"),
        ("conv/Relu", "conv"),
        ("StatefulPartitionedCall:0", "StatefulPartitionedCall:0"),
    ],
)
def test_a_layer_is_named_by_its_scope(tensor: str, layer: str) -> None:
    assert name_of(tensor) == layer


@pytest.mark.parametrize("options", [{"quantize": "dynamic"}, {}])
def test_a_search_without_an_int8_result_is_refused_before_anything_starts(options: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "m.keras").touch()
    with pytest.raises(CrossloadError, match=r"--keep-float auto searches by the quality of an int8 \.tflite: add --quantize int8"):
        crossload.convert(tmp_path / "m.keras", tmp_path / "m.tflite", options={**options, "keep_float": ["auto"]})


@pytest.mark.slow
def test_a_search_ranks_every_layer_that_computes_and_writes_what_it_tried(sources: Path, tmp_path: Path) -> None:
    drawn = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", **{n: drawn.normal(size=(20, 4)).astype(np.float32) for n in ("left", "right")})  # type: ignore[arg-type]
    options = {"quantize": "int8", "representative": tmp_path / "rows.npz", "keep_float": ["auto"]}
    made = crossload.convert(sources / "saved_model", tmp_path / "m.tflite", options=options, requests=Requests(4))
    assert made.search
    assert made.search.kept == [], "int8 meets the bounds"
    assert made.search.ranked
    assert [r.noise for r in made.search.ranked] == sorted(r.noise for r in made.search.ranked)
    assert made.search.noise == pytest.approx(noise(made.artifact.quality)), "what was measured is what was written"
    assert not made.report or not [c for c in made.report.cautions if "against the float model" in c], "the table has the quality already"
