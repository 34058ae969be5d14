""".meta files: their content is read, problems are diagnosed, and the graph inside works like a GraphDef."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format

from crossload import artifacts
from crossload.artifacts.graphs import meta_graph
from crossload.artifacts.messages import message_class
from crossload.errors import ArtifactError
from tests.corpus import checkpoints, handmade
from tests.corpus.handmade import FLOAT, node
from tests.corpus.meta_graphs import made, write
from tests.environment import launch_of


def read(path: Path) -> meta_graph.MetaGraph:
    found = artifacts.read(path)
    assert isinstance(found, meta_graph.MetaGraph)
    return found


def diagnosis(tmp_path: Path, message: Any) -> str:
    return "\n".join(read(write(tmp_path / "model-3.meta", message)).diagnosis)


@pytest.mark.parametrize(("name", "text"), [("m.meta", False), ("m.meta.txt", True), ("m.meta", True), ("graph.bin", False)])
def test_a_meta_graph_is_read_from_binary_and_text_whatever_its_suffix(tmp_path: Path, name: str, text: bool) -> None:
    path = tmp_path / name
    path.write_bytes(text_format.MessageToString(made()).encode() if text else made().SerializeToString())
    found = read(path)
    assert artifacts.recognise(path) == "meta_graph"
    assert (found.tags, found.producer, found.meta.graph_producer) == (("train",), {"tensorflow": "1.15.0"}, 134)
    assert found.meta.collections == {"train_op": 1, "trainable_variables": 1, "variables": 1}
    assert found.ops["AssignVariableOp"] == 2


def test_variables_come_from_collections_with_datatype_and_shape_from_the_graph(tmp_path: Path) -> None:
    message = made()
    # In files from before the field existed, only the collection marks trainable variables.
    [variable] = read(write(tmp_path / "m.meta", message)).variables
    assert variable == meta_graph.Variable(
        "w:0", "FP32", (4, 2), "w/initial:0", "w/Assign", "w/read:0", True, True, ("variables", "trainable_variables")
    )
    del message.collection_def["trainable_variables"]
    assert not read(write(tmp_path / "m.meta", message)).variables[0].trainable


def test_a_part_of_a_partitioned_variable_names_the_whole(tmp_path: Path) -> None:
    message = made()
    values = message.collection_def["variables"].bytes_list.value
    variable = message_class("tensorflow.VariableDef").FromString(values[0])
    part = variable.save_slice_info_def
    part.full_name, part.full_shape[:], part.var_offset[:], part.var_shape[:] = "whole", [8, 2], [4, 0], [4, 2]
    values[0] = variable.SerializeToString()
    found = read(write(tmp_path / "m.meta", message)).variables[0]
    assert found.to_json()["part_of"] == {"name": "whole", "shape": [8, 2], "offset": [4, 0], "size": [4, 2]}


def test_a_damaged_checkpoint_beside_it_is_said(tmp_path: Path) -> None:
    prefix = checkpoints.small(tmp_path)
    meta = write(prefix.with_name(f"{prefix.name}.meta"), made())
    assert read(meta).checkpoint == prefix and not any("its checkpoint" in said for said in read(meta).diagnosis)
    data = prefix.with_name(f"{prefix.name}.data-00000-of-00001")
    whole = data.read_bytes()
    data.write_bytes(whole[:-1])
    assert f"its checkpoint is cut off: {data.name} is shorter than the index says; copy the checkpoint again" in read(meta).diagnosis
    data.unlink()
    assert f"its checkpoint is incomplete: {data.name} is missing; copy all files of the checkpoint" in read(meta).diagnosis
    prefix.with_name(f"{prefix.name}.index").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert any(said.startswith("its checkpoint cannot be read: ") and "git lfs pull" in said for said in read(meta).diagnosis)


def test_the_saver_names_its_restore_op(tmp_path: Path) -> None:
    found = read(write(tmp_path / "m.meta", made()))
    assert found.saver == meta_graph.Saver("save/restore_all", "save/Const:0", "save/control:0", "V2", 5)
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["saver"]["filename_tensor"] == "save/Const:0"


def test_without_a_signature_def_the_candidates_form_the_signature(tmp_path: Path) -> None:
    [(tags, signatures)] = artifacts.callable_signatures(read(write(tmp_path / "m.meta", made())))
    assert tags == ("train",)
    assert [t.tensor for t in signatures["serving_default"].inputs] == ["x:0"]
    assert [t.tensor for t in signatures["serving_default"].outputs] == ["probabilities:0"]
    assert signatures["serving_default"].key is None


def test_a_signature_def_in_the_file_takes_precedence(tmp_path: Path) -> None:
    message = made()
    handmade.tensor_info(message.signature_def["classify"].inputs["pixels"], "x:0")
    handmade.tensor_info(message.signature_def["classify"].outputs["p"], "probabilities:0", shape=(-1, 2))
    [(_, signatures)] = artifacts.callable_signatures(read(write(tmp_path / "m.meta", message)))
    assert list(signatures) == ["classify"]
    assert signatures["classify"].key == "classify"


def test_missing_variable_collections_are_diagnosed_with_a_remedy(tmp_path: Path) -> None:
    message = made()
    for name in ("variables", "trainable_variables"):
        del message.collection_def[name]
    said = diagnosis(tmp_path, message)
    assert "no collection names a variable, though the graph has 1 variable operation (w)" in said
    assert "'save/restore_all' with the checkpoint's prefix fed to 'save/Const:0'" in said
    message.ClearField("saver_def")
    said = diagnosis(tmp_path, message)
    assert "it has no saver" in said
    assert "save/restore_all" not in said


def test_a_variable_missing_from_collections_is_named(tmp_path: Path) -> None:
    message = made()
    node(message.graph_def.node, "forgotten", "VariableV2", dtype=FLOAT)
    assert "no collection names 1 variable operation (forgotten)" in diagnosis(tmp_path, message)


def test_names_without_a_node_are_diagnosed(tmp_path: Path) -> None:
    message = made()
    message.saver_def.restore_op_name = "save_1/restore_all"
    lost = message_class("tensorflow.VariableDef")(variable_name="gone:0")
    message.collection_def["variables"].bytes_list.value.append(lost.SerializeToString())
    said = diagnosis(tmp_path, message)
    assert "names 'save_1/restore_all', which the graph does not have" in said
    assert "collections name 1 variable (gone:0)" in said


def test_training_nodes_devices_and_refused_versions_are_diagnosed(tmp_path: Path) -> None:
    message = made()
    assert not any(word in diagnosis(tmp_path, message) for word in ("train;", "pinned", "InvalidVersion"))
    node(message.graph_def.node, "gradients/Mul", "Mul", "x", "x", T=FLOAT)
    node(message.graph_def.node, "Adam/update_w", "ResourceApplyAdam", "w", T=FLOAT)
    message.graph_def.node[0].device = "/device:GPU:0"
    message.graph_def.node[1].device = "/job:localhost/replica:0/task:0/device:CPU:0"
    message.graph_def.node[2].device = "/cpu:0"
    message.meta_info_def.tensorflow_version = "1.4.0 own build"
    said = diagnosis(tmp_path, message)
    assert "2 training nodes (gradients/Mul, Adam/update_w)" in said
    assert "pinned to devices: 1 nodes to /device:GPU:0;" in said
    assert "'1.4.0 own build' is not valid in Python" in said


@pytest.mark.parametrize("beside", ["model-3.index", "model-3", "model-3-00000-of-00002"])
def test_the_checkpoint_of_the_same_name_is_found_beside_it(tmp_path: Path, beside: str) -> None:
    path = write(tmp_path / "model-3.meta", made())
    (tmp_path / "model-30.index").touch()
    assert read(path).checkpoint is None
    assert "no checkpoint of the same name (model-3.index)" in "\n".join(read(path).diagnosis)
    (tmp_path / beside).touch()
    assert read(path).checkpoint == tmp_path / "model-3"
    assert all("its checkpoint cannot be read" in said for said in read(path).diagnosis)  # the file is empty


def test_a_truncated_or_damaged_meta_graph_is_refused(tmp_path: Path) -> None:
    message = made()
    message.collection_def["variables"].bytes_list.value.append(b"\xff\xff")
    with pytest.raises(ArtifactError, match="'variables' holds invalid VariableDefs"):
        read(write(tmp_path / "m.meta", message))
    message = made()
    del message.graph_def.node[2]
    with pytest.raises(ArtifactError, match="truncated or corrupt: node 'w/Assign' takes 'w'"):
        meta_graph.read(write(tmp_path / "m.meta", message))


@pytest.mark.slow
def test_the_diagnosis_agrees_with_tensorflow(tmp_path: Path) -> None:
    program = """
import sys, tensorflow as tf
v1, folder = tf.compat.v1, sys.argv[1]
v1.disable_eager_execution()
with tf.Graph().as_default() as graph, v1.Session() as session:
    x = v1.placeholder(tf.float32, [None, 2], name="x")
    w = v1.get_variable("w", [2, 3])
    y = tf.identity(tf.matmul(x, w), name="y")
    loss = tf.reduce_mean(tf.square(y - v1.placeholder(tf.float32, [None, 3], name="t")))
    v1.train.AdamOptimizer().minimize(loss)
    session.run(v1.global_variables_initializer())
    v1.train.Saver().save(session, folder + "/model", global_step=3)
    v1.train.export_meta_graph(folder + "/text.meta.txt", as_text=True)
meta = v1.MetaGraphDef.FromString(open(folder + "/model-3.meta", "rb").read())
meta.meta_info_def.tensorflow_version = "1.4.0 own build"
open(folder + "/odd.meta", "wb").write(meta.SerializeToString())
for name in ("model-3", "odd"):
    with tf.Graph().as_default():
        try:
            v1.train.import_meta_graph(folder + "/" + name + ".meta")
        except Exception as error:
            print(name, type(error).__name__)
        else:
            print(name, "imported")
"""
    python = launch_of("tensorflow+python").argv[0]
    done = subprocess.run([python, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["model-3 imported", "odd InvalidVersion"]
    good, odd, text = (read(tmp_path / name) for name in ("model-3.meta", "odd.meta", "text.meta.txt"))
    assert good.checkpoint == tmp_path / "model-3"
    assert [t.name for t in good.outputs] == ["y"]
    assert [t.name for t in good.signature().inputs] == ["x"]
    assert [v.name for v in good.variables if v.trainable] == ["w:0"]
    assert "InvalidVersion" in "\n".join(odd.diagnosis)
    assert "InvalidVersion" not in "\n".join(good.diagnosis)
    assert text.saver is None
    assert "it has no saver" in "\n".join(text.diagnosis)
