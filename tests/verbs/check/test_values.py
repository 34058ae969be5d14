"""What loads and cannot answer is not called ok, and says why."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from crossload.artifacts.checkpoints import checkpoint
from crossload.artifacts.graphs import saved_model, unset
from crossload.edits import checkpoint_folders
from crossload.errors import ArtifactError
from crossload.verbs.check.check import check
from crossload.verbs.check.prediction import Prediction, would_do
from tests.corpus import checkpoints, handmade
from tests.corpus.handmade import INT64, STRING, node

RUN_COLLECTION = {"tensorflow-java@0.4.2", "tensorflow-java@0.5.0", "tensorflow-java@1.0.0", "tensorflow-java@1.1.0"}


def table(*, filler: bool = True, init: str = "", collection: str = "") -> Any:
    """A MetaGraphDef whose answer looks a word up in a table."""
    made = handmade.drawn_at_load()
    del made.collection_def["saved_model_main_op"]
    body = made.graph_def.node
    del body[:]
    node(body, "x", "Placeholder", shape=(-1,), dtype=STRING)
    node(body, "table", "HashTableV2", key_dtype=STRING, value_dtype=INT64)
    for name, kind in (("keys", STRING), ("values", INT64), ("default", INT64)):
        added = node(body, name, "Const", dtype=kind)
        added.attr["value"].tensor.dtype = kind
    if filler:
        node(body, "fill", "LookupTableImportV2", "table", "keys", "values", Tin=STRING, Tout=INT64)
    node(body, "y", "LookupTableFindV2", "table", "x", "default", Tin=STRING, Tout=INT64)
    for name, operation in (("saved_model_main_op", init), ("table_initializer", collection)):
        if operation:
            made.collection_def[name].node_list.value.append(operation)
    signature = made.signature_def["serving_default"]
    signature.inputs["x"].dtype, signature.outputs["y"].dtype = STRING, INT64
    signature.inputs["x"].tensor_shape.unknown_rank = True
    return made


def predicted(tmp_path: Path, made: Any) -> dict[str, Prediction]:
    return {p.runtime: p for p in would_do(handmade.saved_model(tmp_path / "m", made))}


@pytest.mark.parametrize(
    ("filler", "says"), [(True, "no init op runs LookupTableImportV2 'fill'"), (False, "the graph has no op that does")]
)
def test_a_table_that_nothing_fills_is_named_with_the_op_that_would(tmp_path: Path, filler: bool, says: str) -> None:
    found = predicted(tmp_path, table(filler=filler))
    assert {p.outcome for p in found.values()} == {"run_error"}
    assert {p.loads for p in found.values()} == {True}
    assert all(f"nothing fills the table 'table': {says}" in p.explanation() and not p.remedy for p in found.values())
    shown = saved_model.read(tmp_path / "m").meta_graphs[0]
    assert [says in sentence for sentence in unset.of_meta_graph(shown)] == [True]


def test_a_table_that_the_init_op_fills_is_no_obstacle(tmp_path: Path) -> None:
    assert {p.outcome for p in predicted(tmp_path, table(init="fill")).values()} == {"ok"}


def test_a_collection_of_initializers_is_run_by_some_releases_only(tmp_path: Path) -> None:
    """Seen in each: TensorFlow's C API, 1.15.0 and 0.3.3 do not, Java from 0.4 on and TensorFlow's Python do."""
    found = predicted(tmp_path, table(collection="fill"))
    assert {name for name, p in found.items() if p.outcome == "ok" and "+python" not in name} == RUN_COLLECTION
    assert "this release does not run the collection table_initializer" in found["tensorflow-java@0.3.3"].explanation()


def test_a_variable_without_a_value_is_named_and_one_that_the_init_op_assigns_is_not(tmp_path: Path) -> None:
    assert {p.outcome for p in predicted(tmp_path, handmade.drawn_at_load()).values()} == {"ok"}
    bare = handmade.drawn_at_load().graph_def
    del bare.node[2:6]
    file = handmade.write_graph(tmp_path / "frozen.pb", bare)
    assert {p.explanation().partition(":")[0] for p in would_do(file)} == {"the variable 'w' has no value"}
    assert check(file).exit_status == 1


def test_a_saved_model_without_a_signature_is_not_ok(tmp_path: Path) -> None:
    made = handmade.drawn_at_load()
    del made.signature_def["serving_default"]
    assert {(p.outcome, p.loads) for p in predicted(tmp_path, made).values()} == {("run_error", True)}


def test_a_pinned_saved_model_is_ok_only_with_soft_placement(tmp_path: Path) -> None:
    made = handmade.drawn_at_load()
    made.graph_def.node[-1].device = "/device:GPU:0"
    found = predicted(tmp_path, made)["tensorflow-java@1.1.0"]
    assert found.outcome == "ok"
    assert found.notes[0].startswith("only with allow_soft_placement")
    assert found.to_json()["notes"] == list(found.notes)


def test_a_graph_of_tensorflow_1_is_for_tensorflow_itself(tmp_path: Path) -> None:
    meta = handmade.drawn_at_load()
    file = tmp_path / "model.meta"
    file.write_bytes(meta.SerializeToString())
    found = {p.runtime: p.outcome for p in would_do(file)}
    assert {outcome for name, outcome in found.items() if name.startswith("tensorflow-java")} == {"unsupported"}
    assert found["tensorflow@2.21.0"] == "run_error"  # nothing assigns its variable: a .meta has no init op


@pytest.mark.parametrize("what", ["pointer", "short"])
def test_values_that_are_not_there_are_said_of_a_checkpoint_and_of_a_saved_model(tmp_path: Path, what: str) -> None:
    prefix = checkpoints.small(tmp_path)
    data = next(tmp_path.glob("ckpt.data-*"))
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 94543210\n"
    data.write_bytes(pointer if what == "pointer" else data.read_bytes()[:-1])
    says = "git lfs pull" if what == "pointer" else "cut off"
    assert says in checkpoint.read(prefix).diagnosis[0]
    assert says in str(checkpoint_folders.read(tmp_path).checkpoints[0].problem)
    folder = handmade.saved_model(tmp_path / "m", handmade.with_variables(handmade.meta_graph("serve")))
    (folder / "variables").mkdir()
    for file in tmp_path.glob("ckpt.*"):
        shutil.copy(file, folder / "variables" / file.name.replace("ckpt", "variables"))
    assert says in str(saved_model.read(folder).damage)
    with pytest.raises(ArtifactError, match=says):
        check(folder)
