"""A checkpoint named by one of its files, and a folder of checkpoints that was moved."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import crossload
from crossload import artifacts
from crossload.artifacts.graphs import protos
from crossload.errors import ArtifactError, RunFailed
from tests import CORPUS

FOLDER = CORPUS / "brought" / "checkpoint-names"


def test_a_shard_of_values_is_refused_with_the_checkpoint_it_belongs_to() -> None:
    prefix = FOLDER / "model.ckpt-100"
    with pytest.raises(ArtifactError, match=f"is a part of the checkpoint model.ckpt-100; name that: {prefix}$"):
        artifacts.read(FOLDER / "model.ckpt-100.data-00000-of-00001")


def test_a_state_file_is_refused_with_the_checkpoint_to_name(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=f"is the state file of a folder of checkpoints; name {FOLDER}/model.ckpt-100$"):
        artifacts.read(FOLDER / "checkpoint")
    shutil.copy(FOLDER / "checkpoint", tmp_path)
    with pytest.raises(ArtifactError, match="or one of: the folder has none"):
        artifacts.read(tmp_path / "checkpoint")


def test_a_moved_folder_is_read_and_the_page_says_so() -> None:
    found = artifacts.read(FOLDER / "moved")
    assert found.format == "checkpoint" and found.prefix == FOLDER / "moved" / "model.ckpt-100"
    assert found.diagnosis == (
        f"{FOLDER}/moved/checkpoint points to '/home/alice/train/model.ckpt-100', which does not exist; model.ckpt-100 in this folder is "
        f"used: `crossload checkpoint use {FOLDER}/moved model.ckpt-100` makes the state file say so",
    )


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["tensorflow", "tensorflow+python"])
def test_an_unregistered_op_matters_only_where_an_output_needs_it(runtime: str, tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDER / "moved", tmp_path / "moved")
    file = folder / "model.ckpt-100.meta"
    meta_graph = protos.MetaGraphProto.FromString(file.read_bytes())
    meta_graph.graph_def.node.add(name="contrib", op="OpOfContrib", input=["x"])
    meta_graph.graph_def.node.add(name="summary", op="Identity", input=["contrib"]).attr["T"].type = 1
    file.write_bytes(meta_graph.SerializeToString())
    with crossload.load(folder, runtime, outputs=["prob"]) as model:
        assert model.signature()(x=np.float32([[1, 2, 3]]))["prob"].tolist() == [[0.5, 0.5]]
        assert "of ops that this TensorFlow does not have: OpOfContrib" in str(model.note)
        assert "the state file points to '/home/alice/train/model.ckpt-100'" in str(model.note)
    with pytest.raises(RunFailed, match="Op type not registered 'OpOfContrib'"):
        crossload.load(folder, runtime, outputs=["summary"])
