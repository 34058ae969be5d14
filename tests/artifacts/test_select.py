"""Selecting signatures and tensors by the artifact's own names, and the errors for artifacts without a callable signature."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from crossload.artifacts import select
from crossload.errors import CrossloadError
from tests import CORPUS
from tests.corpus import handmade


def test_with_tags_a_signature_keeps_its_own_name(tmp_path: Path) -> None:
    path = handmade.saved_model(tmp_path / "m", handmade.meta_graph("serve"), handmade.meta_graph("serve", "gpu"))
    assert sorted(select.choose(path)[1]) == ["serving_default"]
    entry, signatures = select.choose(path, ["gpu", "serve"], ["serving_default"])
    assert (entry.tags, list(signatures), list(entry.bindings)) == (["serve", "gpu"], ["serving_default"], ["serving_default"])
    with pytest.raises(CrossloadError, match="no MetaGraph with the tags train; its tag sets are: serve; serve, gpu"):
        select.choose(path, ["train"])


def test_a_saved_model_without_signatures_is_called_by_its_tensors(tmp_path: Path) -> None:
    made = handmade.meta_graph("serve")
    del made.signature_def["serving_default"]
    path = handmade.saved_model(tmp_path / "m", made)
    _, signatures = select.choose(path, outputs=["answer=StatefulPartitionedCall"])
    assert [t.name for t in signatures["serving_default"].outputs] == ["answer"]
    assert [t.tensor for t in signatures["serving_default"].inputs] == ["serving_default_x:0"]
    with pytest.raises(CrossloadError, match=r"no signature that can be called; .*--output-tensor.*show .*/m --nodes '\*'` lists them"):
        select.choose(path)


def test_tensors_that_are_named_make_one_signature_and_another_name_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(CORPUS / "lite_kinds.zip") as kinds:
        file = Path(kinds.extract("variable.tflite", tmp_path))
    with pytest.raises(CrossloadError, match="--signature double: tensors that are named make one signature, serving_default; leave out"):
        select.choose(file, names=["double"], outputs=["e=3"])


def test_the_error_for_a_resource_lost_in_freezing_names_it(tmp_path: Path) -> None:
    made = handmade.graph()
    handmade.node(made.node, "table", "Placeholder", shape=(), dtype=handmade.RESOURCE)
    handmade.node(made.node, "find", "LookupTableFindV2", "table", "x", "w", Tin=handmade.FLOAT, Tout=handmade.FLOAT)
    with pytest.raises(CrossloadError, match=r"takes 'table', a resource .* lost when it was frozen .* freeze it again from"):
        select.choose(handmade.write_graph(tmp_path / "broken.pb", made))
