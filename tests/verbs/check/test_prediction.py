"""Predictions for handmade graphs; the rules come from what each real release does with such graphs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from crossload.contract.manifest import Bridge
from crossload.errors import CrossloadError
from crossload.verbs.check.prediction import Prediction, predict, would_do
from tests.corpus.checked_graphs import FLOAT, INT4, INT8, LEGACY, RELEASES, STRING, add, call, graph_of, outcomes, saved_model, stopped

JAVA_LAYER = [t for t in RELEASES if t.startswith("tensorflow-java@") and t != "tensorflow-java@0.3.3"]


def function(graph: Any, name: str, op: str) -> Any:
    """A function of one node of this op."""
    made = graph.library.function.add()
    made.signature.name = name
    made.signature.input_arg.add(name="a", type=FLOAT)
    made.signature.output_arg.add(name="r", type=FLOAT)
    made.node_def.add(name="n", op=op, input=["a"]).attr["T"].type = FLOAT
    made.ret["r"] = "n:output:0"
    return made


PYTHON = [title.replace("@", "+python@") for title in RELEASES if "java" not in title]


def of_saved_model(tmp_path: Path, saved: Any, titles: Sequence[str] = RELEASES) -> dict[str, Prediction]:
    path = tmp_path / "saved_model"
    (path / "saved_model.pb").write_bytes(saved.SerializeToString())
    return {title: predict(path, title) for title in titles}


def test_a_plain_graph_loads_everywhere(tmp_path: Path) -> None:
    assert not stopped(outcomes(tmp_path, graph_of()))


def test_an_op_that_a_release_lacks_is_named_with_the_first_release_that_has_it(tmp_path: Path) -> None:
    graph = graph_of()
    add(graph, "v", "VarHandleOp", dtype=FLOAT).attr["shape"].shape.SetInParent()
    add(graph, "copy", "DisableCopyOnRead", "v")
    found = outcomes(tmp_path, graph)
    assert stopped(found) == dict.fromkeys([LEGACY, "tensorflow-java@0.3.3", "tensorflow-java@0.4.2"], "load_error")
    finding = found["tensorflow-java@0.4.2"].findings[0]
    assert (finding.node, finding.op) == ("copy", "DisableCopyOnRead")
    assert finding.sentence.startswith("Op type not registered 'DisableCopyOnRead': first in TensorFlow 2.10.1 ")
    assert finding.sentence.endswith("yours is 2.7.4")


def test_an_op_of_no_release_may_be_one_of_the_users_library(tmp_path: Path) -> None:
    graph = graph_of()
    add(graph, "y", "AddFortyTwo", "x")
    (tmp_path / "graph.pb").write_bytes(graph.SerializeToString())
    words = predict(tmp_path / "graph.pb", "tensorflow@2.21.0").explanation()
    assert "an op of a custom library, which --op-library loads in TensorFlow's workers" in words


@pytest.mark.parametrize(
    ("op", "library"),
    [
        ("Addons>Mish", "TensorFlow Addons (PyPI: tensorflow-addons)"),
        ("CaseFoldUTF8", "TensorFlow Text (PyPI: tensorflow-text)"),
        ("SimpleMLInferenceOpWithHandle", "TensorFlow Decision Forests (PyPI: tensorflow-decision-forests)"),
        ("TFRA>CuckooHashTableFind", "TensorFlow Recommenders Addons (PyPI: tensorflow-recommenders-addons)"),
        ("SentencepieceEncodeSparse", "SentencePiece (PyPI: tf-sentencepiece)"),
        ("SentencepieceTokenizeOp", "TensorFlow Text (PyPI: tensorflow-text)"),
        ("IO>ParseAvro", "TensorFlow I/O (PyPI: tensorflow-io)"),
    ],
)
def test_an_op_of_a_known_library_names_it_and_no_conversion_is_recommended(tmp_path: Path, op: str, library: str) -> None:
    graph = graph_of()
    graph.node[1].op = op
    for title, found in outcomes(tmp_path, graph).items():
        assert f"an op of {library}; in TensorFlow's workers --op-library loads" in found.explanation(), title
        assert found.remedy == ""


def test_a_conversion_is_recommended_only_if_its_repairs_are_enough(tmp_path: Path) -> None:
    graph = graph_of()
    graph.node[1].op, graph.node[1].attr["message"].s = "CheckNumericsV2", b"m"
    mendable = outcomes(tmp_path, graph)[LEGACY]
    assert mendable.remedy.endswith(f"--runtime {LEGACY}")
    graph.node[1].op = "StatelessRandomUniformV2"  # no older op computes the same
    found = outcomes(tmp_path, graph)[LEGACY]
    assert found.outcome == "load_error" and found.remedy == ""


@pytest.mark.parametrize("called", [True, False])
def test_an_op_in_a_function_stops_loading_where_a_node_calls_it(tmp_path: Path, called: bool) -> None:
    graph = graph_of()
    function(graph, "F", "NoSuchOp")
    if called:
        call(graph, "beside", "F")
    found = outcomes(tmp_path, graph)
    assert stopped(found) == (dict.fromkeys(RELEASES, "load_error") if called else {})
    assert not called or found[LEGACY].findings[0].place == "node 'n' of the function 'F'"


def test_an_attribute_that_the_op_does_not_have_stops_releases_before_2_5_only(tmp_path: Path) -> None:
    graph = graph_of()
    graph.node[1].attr["younger"].b = True
    graph.node[1].attr["_mark"].b = True
    found = outcomes(tmp_path, graph)
    assert stopped(found) == {LEGACY: "load_error", "tensorflow-java@0.3.3": "load_error"}
    assert found[LEGACY].findings[0].attr == "younger"
    assert len(found[LEGACY].findings) == 1


def test_a_missing_attribute_without_default_stops_loading(tmp_path: Path) -> None:
    graph = graph_of()
    del graph.node[1].attr["T"]
    assert set(stopped(outcomes(tmp_path, graph)).values()) == {"load_error"}


def test_another_number_of_inputs_stops_loading(tmp_path: Path) -> None:
    graph = graph_of()
    add(graph, "product", "MatMul", "x", T=FLOAT)
    assert stopped(outcomes(tmp_path, graph)) == dict.fromkeys(RELEASES, "load_error")


def test_a_datatype_that_an_op_does_not_allow_stops_loading(tmp_path: Path) -> None:
    graph = graph_of()
    add(graph, "s", "Placeholder", dtype=STRING)
    add(graph, "product", "MatMul", "s", "s", T=STRING)
    assert stopped(outcomes(tmp_path, graph)) == dict.fromkeys(RELEASES, "load_error")


def test_a_datatype_that_a_release_has_no_number_for_stops_loading(tmp_path: Path) -> None:
    graph = graph_of()
    add(graph, "narrow", "Placeholder", dtype=INT4)
    older = [LEGACY, "tensorflow-java@0.3.3", "tensorflow-java@0.4.2", "tensorflow-java@0.5.0"]
    assert stopped(outcomes(tmp_path, graph)) == dict.fromkeys(older, "load_error")


@pytest.mark.parametrize(("producer", "outcome"), [(8, "ok"), (9, "unsupported")])
def test_a_removed_op_counts_from_the_producer_on_that_removed_it(tmp_path: Path, producer: int, outcome: str) -> None:
    graph = graph_of()
    graph.versions.producer = producer
    node = add(graph, "norm", "BatchNormWithGlobalNormalization", *["x"] * 5, T=FLOAT)
    node.attr["variance_epsilon"].f, node.attr["scale_after_normalization"].b = 0.1, True
    assert {p.outcome for p in outcomes(tmp_path, graph).values()} == {outcome}


def test_a_graph_from_the_future_names_the_version_it_wants(tmp_path: Path) -> None:
    graph = graph_of()
    graph.versions.min_consumer = 1300
    found = outcomes(tmp_path, graph)
    assert set(stopped(found)) == {LEGACY, "tensorflow-java@0.3.3", "tensorflow-java@0.4.2", "tensorflow-java@0.5.0"}
    assert "1300 or newer; TensorFlow 1.15.0 has 134" in found[LEGACY].explanation()


def test_an_op_without_a_kernel_for_a_cpu_fails_at_the_first_run(tmp_path: Path) -> None:
    graph = graph_of()
    node = add(graph, "reduced", "NcclAllReduce", "x", T=FLOAT)
    node.attr["reduction"].s, node.attr["num_devices"].i, node.attr["shared_name"].s = b"sum", 1, b""
    assert stopped(outcomes(tmp_path, graph)) == dict.fromkeys(RELEASES, "run_error")
    found = of_saved_model(tmp_path, saved_model(tmp_path / "saved_model", graph))
    assert stopped(found) == dict.fromkeys(RELEASES, "load_error")
    assert not stopped({title: predict(tmp_path / "saved_model", title) for title in PYTHON})


@pytest.mark.parametrize("device", ["/device:GPU:0", "/gpu:0", "/job:localhost/replica:0/task:0/device:TPU:3"])
def test_another_kind_of_device_is_accepted(tmp_path: Path, device: str) -> None:
    assert not stopped(outcomes(tmp_path, graph_of(device=device)))


@pytest.mark.parametrize("device", ["/job:ps/task:0", "/job:localhost/replica:1/task:0/device:CPU:0", "nonsense"])
def test_a_device_in_another_process_is_accepted_only_where_devices_are_cleared(tmp_path: Path, device: str) -> None:
    """TensorFlow's workers clear those of a GraphDef, and its Python those of a SavedModel."""
    graph = graph_of(device=device)
    assert stopped(outcomes(tmp_path, graph)) == {t: "run_error" for t in RELEASES if "java" in t}
    saved = saved_model(tmp_path / "saved_model", graph)
    assert stopped(of_saved_model(tmp_path, saved)) == dict.fromkeys(RELEASES, "load_error")
    assert not stopped(of_saved_model(tmp_path, saved, PYTHON))
    every = would_do(tmp_path / "saved_model")
    assert [p.runtime for p in every if p.outcome == "ok"] == PYTHON
    assert len(every) == len(RELEASES) + len(PYTHON)


def test_a_datatype_without_tensor_type_is_unsupported_without_a_bridge(tmp_path: Path) -> None:
    graph = graph_of(INT8)
    found = outcomes(tmp_path, graph)
    assert stopped(found) == {t: "unsupported" for t in RELEASES if "java" in t}
    assert found["tensorflow-java@1.1.0"].explanation().startswith("TensorFlow Java 1.1.0 has no tensor type for int8")
    add(graph, "wide", "Placeholder", dtype=3)
    bridge = Bridge(inputs={"x": "wide:0"}, outputs={"y": "wide:0"}, carriers={"INT8": "INT32"})
    assert not stopped(outcomes(tmp_path, graph, bridge=bridge))


@pytest.mark.parametrize("change", ["datatype", "composite", "missing"])
def test_the_java_layer_from_0_4_on_looks_at_the_inputs_of_every_signature(tmp_path: Path, change: str) -> None:
    saved = saved_model(tmp_path / "saved_model", graph_of())
    signatures = saved.meta_graphs[0].signature_def
    signatures["other"].CopyFrom(signatures["serving_default"])
    info = signatures["other"].inputs["x"]
    if change == "datatype":
        info.dtype = 3
    elif change == "composite":
        info.coo_sparse.values_tensor_name = info.coo_sparse.indices_tensor_name = info.coo_sparse.dense_shape_tensor_name = "x:0"
    else:
        info.name = "nothing:0"
    found = of_saved_model(tmp_path, saved)
    assert stopped(found) == dict.fromkeys(JAVA_LAYER, "load_error")
    says = "the signature 'other' declares the input 'x' as int32 of any shape, but the graph takes float32"
    wanted = says if change == "datatype" else "refuses the signature 'other': its input 'x' is"
    assert wanted in found[JAVA_LAYER[0]].explanation()
    assert change != "datatype" or found[JAVA_LAYER[0]].remedy.endswith(f"DESTINATION --runtime {JAVA_LAYER[0]}")


def test_a_signature_that_its_graph_contradicts_answers_in_no_release(tmp_path: Path) -> None:
    saved = saved_model(tmp_path / "saved_model", graph_of())
    saved.meta_graphs[0].signature_def["serving_default"].inputs["x"].dtype = STRING
    found = of_saved_model(tmp_path, saved, (*RELEASES, *PYTHON))
    assert {p.outcome for t, p in found.items() if t not in JAVA_LAYER} == {"run_error"}
    assert {p.outcome for t, p in found.items() if t in JAVA_LAYER} == {"load_error"}
    for prediction in found.values():
        assert "--input-tensor x=x:0 --output-tensor y=y:0" in prediction.explanation() and not prediction.remedy


def test_a_shape_that_the_graph_contradicts_reaches_it_unchecked_in_old_releases_of_java_alone(tmp_path: Path) -> None:
    graph = graph_of()
    for dimension in (-1, 4):
        graph.node[0].attr["shape"].shape.dim.add(size=dimension)
    saved = saved_model(tmp_path / "saved_model", graph)
    saved.meta_graphs[0].signature_def["serving_default"].inputs["x"].tensor_shape.unknown_rank = False
    found = of_saved_model(tmp_path, saved)
    old = [LEGACY, "tensorflow-java@0.3.3"]
    assert stopped(found) == {t: "load_error" if t in JAVA_LAYER else "run_error" for t in RELEASES if t not in old}
    assert all("of shape [], but the graph takes float32 of shape [-1, 4]" in " ".join(found[t].notes) for t in old)


def test_the_java_layer_from_0_4_on_looks_tables_up_as_operations(tmp_path: Path) -> None:
    saved = saved_model(tmp_path / "saved_model", graph_of())
    saved.meta_graphs[0].collection_def["table_initializer"].node_list.value.append("y:0")
    assert stopped(of_saved_model(tmp_path, saved)) == dict.fromkeys(JAVA_LAYER, "load_error")


@pytest.mark.parametrize("there", [True, False])
def test_java_from_0_5_on_fills_tables_from_the_exporters_own_file(tmp_path: Path, there: bool) -> None:
    words = tmp_path / "words.txt"
    if there:
        words.write_text("a\n")
    graph = graph_of()
    value = add(graph, "file", "Const", dtype=STRING).attr["value"].tensor
    value.dtype = STRING
    value.string_val.append(str(words).encode())
    add(graph, "fill", "ReadFile", "file")
    add(graph, "init", "NoOp", "^fill")
    saved = saved_model(tmp_path / "saved_model", graph)
    meta_graph = saved.meta_graphs[0]
    asset = meta_graph.asset_file_def.add(filename="words.txt")
    asset.tensor_info.name = "file:0"
    meta_graph.collection_def["saved_model_main_op"].node_list.value.append("init")
    meta_graph.collection_def["table_initializer"].node_list.value.append("fill")
    (tmp_path / "saved_model" / "assets").mkdir()
    (tmp_path / "saved_model" / "assets" / "words.txt").write_text("a\n")
    expected = [] if there else ["tensorflow-java@0.5.0", "tensorflow-java@1.0.0", "tensorflow-java@1.1.0"]
    assert stopped(of_saved_model(tmp_path, saved)) == dict.fromkeys(expected, "load_error")


def test_an_unknown_release_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(graph_of().SerializeToString())
    with pytest.raises(CrossloadError, match=r"check has no registrations of litert; it knows: tensorflow-java-legacy@1\.15\.0"):
        predict(path, "litert")
