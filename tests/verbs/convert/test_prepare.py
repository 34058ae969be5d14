"""What is changed in a source before it is converted: signatures renamed and dropped, inputs pinned, tags."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import crossload
from crossload import artifacts
from crossload.errors import CrossloadError
from crossload.verbs.convert.convert import convert
from crossload.verbs.convert.prepare import names_of
from crossload.verbs.export.export import export
from tests import CORPUS

BROUGHT = CORPUS / "brought"
THERE = ["score", "embed", "a=b"]


def test_signatures_are_chosen_renamed_and_dropped_by_name() -> None:
    assert names_of(["serving_default=score"], [], THERE) == (["score"], {"score": "serving_default"})
    assert names_of(["a=b"], [], THERE) == (["a=b"], {})  # a key of its own
    assert names_of(None, ["embed"], THERE) == (["score", "a=b"], {})


@pytest.mark.parametrize(
    ("names", "drop", "cause"),
    [
        (["new=scor"], [], "there is no signature 'scor'; near it are 'score'"),
        ([], ["scor"], "there is no signature 'scor'; near it are 'score'"),
        ([], THERE, "--drop-signature leaves no signature"),
        (["score=embed", "score"], [], "two signatures would be called 'score'"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(names: list[str], drop: list[str], cause: str) -> None:
    with pytest.raises(CrossloadError, match=cause):
        names_of(names, drop, THERE)


def test_an_input_to_pin_must_be_one_of_a_graph(tmp_path: Path) -> None:
    graph = BROUGHT / "keep-prob" / "graph.pb"
    with pytest.raises(CrossloadError, match="--pin keep: there is no such input; near it are 'keep_prob'; there are: x, keep_prob"):
        convert(graph, tmp_path / "x.pb", options={"pinned": {"keep": 1.0}})
    with pytest.raises(CrossloadError, match="--pin takes GraphDefs and SavedModels, and this is a keras"):
        convert(BROUGHT / "lstm-states" / "encoder.keras", tmp_path / "x.pb", options={"pinned": {"tokens": 1.0}})


@pytest.mark.slow
def test_a_pinned_dropout_repeats_itself(tmp_path: Path) -> None:
    graph = BROUGHT / "keep-prob" / "graph.pb"
    for target in ("x.pb", "saved"):
        made = convert(graph, tmp_path / target, options={"pinned": {"keep_prob": 1.0}})
        assert made.report and made.report.exit_status == 0
        once, again = (crossload.run(tmp_path / target, {"x": np.float32([[1, 2, 3, 4]])})["output"] for _ in range(2))
        assert np.array_equal(once, again)
    bundle = export(str(graph), tmp_path / "bundle", pinned={"keep_prob": np.float32(1)})
    assert [t.name for t in bundle.manifest.signatures["serving_default"].inputs] == ["x"]


@pytest.mark.slow
def test_a_renamed_signature_is_called_by_its_new_name_in_either_loader_and_tags_follow(tmp_path: Path) -> None:
    source = BROUGHT / "rename-signature" / "saved_model"
    made = convert(source, tmp_path / "train", signatures=["serving_default=image_quality"], options={"to_tags": ["train"]})
    assert made.report and made.report.exit_status == 0
    made = convert(tmp_path / "train", tmp_path / "serve", tags=["train"], options={"to_tags": ["serve"]})
    assert made.report and made.report.exit_status == 0
    ((tags, signatures),) = artifacts.callable_signatures(artifacts.read(tmp_path / "serve"))
    assert (tags, list(signatures)) == (("serve",), ["serving_default"])
    x = {"input_image": np.float32([[1, 2, 3, 4]])}
    answers = [crossload.run(tmp_path / "serve", x, signature="serving_default", runtime=r) for r in ("tensorflow", "tensorflow+python")]
    np.testing.assert_allclose(answers[0]["quality_prediction"], answers[1]["quality_prediction"])
