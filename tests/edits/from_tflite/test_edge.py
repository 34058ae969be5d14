"""A .tflite as a graph: names, signatures and datatypes stay, everything that has no counterpart is listed at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossload import artifacts
from crossload.artifacts.graphs import protos
from crossload.artifacts.tflite import operator_names, tflite_file
from crossload.artifacts.tflite.inner import Inner, Operator, Tensor
from crossload.contract.signatures import Signature
from crossload.edits.from_tflite import plan
from crossload.edits.from_tflite.edge import tflite_to_graph_def
from crossload.edits.from_tflite.tensors import Constants
from crossload.edits.tflite_signatures import inject_signatures
from crossload.errors import ArtifactError, CrossloadError
from crossload.releases import tflite_extraction, tflite_probes
from crossload.releases.tflite_forms import FORMS, Form
from tests.edits.from_tflite.one_operator import more


def bound(signature: Signature, key: str | None = None) -> dict[str, object]:
    inputs, outputs = ({t.name: t.tensor for t in side} for side in (signature.inputs, signature.outputs))
    return {"key": key, "inputs": inputs, "outputs": outputs}


def probe(op: str, form: Form, combination: str) -> bytes:
    return tflite_probes.probe(op, form, combination, operator_names.builtin_codes(), tflite_extraction.unions()).file


def graph_of(data: bytes, folder: Path) -> protos.GraphDefProto:
    file, graph = folder / "model.tflite", folder / "model.pb"
    file.write_bytes(data)
    tflite_to_graph_def(file, graph, {"serve": bound(tflite_file.read(file).signature())}, {})
    return protos.parse(graph, protos.GraphDefProto, "GraphDef")


def test_inputs_and_outputs_keep_their_names_datatypes_and_shapes(demo: Path, tmp_path: Path) -> None:
    source = tflite_file.read(demo / "model.tflite").signature("serving_default")
    made = tflite_to_graph_def(demo / "model.tflite", tmp_path / "m.pb", {"serving_default": bound(source, "serving_default")}, {})
    assert made == {"serving_default": {"key": None, "inputs": {"pixels": "pixels:0"}, "outputs": {"probabilities": "probabilities:0"}}}
    found = artifacts.read(tmp_path / "m.pb")
    assert [(t.name, t.datatype, t.shape) for t in found.inputs] == [(t.name, t.datatype, t.shape) for t in source.inputs]  # type: ignore[union-attr]


def test_nodes_are_called_like_the_tensors_and_weights_are_stored_once(demo: Path, tmp_path: Path) -> None:
    graph = graph_of((demo / "model.tflite").read_bytes(), tmp_path)
    operations = {node.name: node.op for node in graph.node}
    names = [t.name.partition(";")[0].partition(":")[0] for t in tflite_file.read(demo / "model.tflite").outputs]
    assert operations[names[0]] == "Softmax"
    assert [op for op in operations.values() if op == "Conv2D"] == ["Conv2D"] * 2
    assert (tmp_path / "model.pb").stat().st_size < (demo / "model.tflite").stat().st_size


def test_the_same_file_gives_the_same_bytes(demo: Path, tmp_path: Path) -> None:
    binding = {"s": bound(tflite_file.read(demo / "model.tflite").signature())}
    for name in ("one.pb", "two.pb"):
        tflite_to_graph_def(demo / "model.tflite", tmp_path / name, binding, {})
    assert (tmp_path / "one.pb").read_bytes() == (tmp_path / "two.pb").read_bytes()


def test_the_nodes_of_several_signatures_are_below_their_names(demo: Path, tmp_path: Path) -> None:
    source = demo / "model.tflite"
    plain = bound(tflite_file.read(source).signature())
    (tmp_path / "two.tflite").write_bytes(inject_signatures(source, {"one": plain, "other": plain}))  # type: ignore[dict-item]
    both = {key: bound(tflite_file.read(tmp_path / "two.tflite").signature(key), key) for key in ("one", "other")}
    made = tflite_to_graph_def(tmp_path / "two.tflite", tmp_path / "two.pb", both, {})
    assert made["other"]["inputs"] == {"pixels": "other/pixels:0"}
    names = {n.name for n in protos.parse(tmp_path / "two.pb", protos.GraphDefProto, "GraphDef").node}
    assert {n.partition("/")[0] for n in names} == {"one", "other"}


def test_a_destination_of_text_gets_text(demo: Path, tmp_path: Path) -> None:
    tflite_to_graph_def(demo / "model.tflite", tmp_path / "m.pbtxt", {"s": bound(tflite_file.read(demo / "model.tflite").signature())}, {})
    assert (tmp_path / "m.pbtxt").read_text(encoding="utf-8").startswith("node {")


def test_integers_stay_the_inputs_and_outputs_of_an_int8_file(tmp_path: Path) -> None:
    graph = graph_of(probe("ADD", FORMS["ADD"], "int8q"), tmp_path)
    operations = [node.op for node in graph.node]
    assert operations.count("FakeQuantWithMinMaxArgs") == 1
    assert [n.attr["dtype"].type for n in graph.node if n.op == "Placeholder"] == [6, 6]  # DT_INT8
    assert [n.attr["DstT"].type for n in graph.node if n.op == "Cast"][-1] == 6


def test_a_convolution_of_each_channel_is_one_node_however_many_channels_there_are(tmp_path: Path) -> None:
    form = Form("A[1,7,7,64] B[64,3,3,1]=1 C[64]=0 -> D[1,7,7,64]", {0: ("b", 0), 1: ("i", 1), 2: ("i", 1)})
    operations = [node.op for node in graph_of(probe("CONV_2D", form, "float32 float32 float32 float32"), tmp_path).node]
    assert "Split" not in operations
    assert [op for op in operations if "Conv" in op] == ["DepthwiseConv2dNative"]


def test_what_moves_elements_of_the_same_steps_is_not_rounded_again(tmp_path: Path) -> None:
    graph = graph_of(probe("TRANSPOSE", FORMS["TRANSPOSE"], "int8q"), tmp_path)
    assert "FakeQuantWithMinMaxArgs" not in {node.op for node in graph.node}


def test_a_constant_of_channels_gets_the_real_numbers_of_each_channel() -> None:
    tensor = Tensor(0, "w", "INT8", (2, 2), (0.5, 2.0), (0, 0), (0, 4), axis=1)
    held = Constants(Inner(np.int8([1, 1, -2, 3]).tobytes(), None, 0, (tensor,), (), (), ()))
    assert held[0].tolist() == [[0.5, 2.0], [-1.0, 6.0]]


def test_a_constant_of_four_bits_is_unpacked_lower_half_first() -> None:
    tensor = Tensor(0, "w", "INT4", (3,), (0.5,), (0,), (0, 2))
    held = Constants(Inner(bytes([0xF1, 0x07]), None, 0, (tensor,), (), (), ()))
    assert held[0].tolist() == [0.5, -0.5, 3.5]


def test_everything_without_a_counterpart_is_listed_at_once() -> None:
    operators = (
        Operator("SKIP_GRAM", (), ()),
        Operator("ADD", (), ()),
        Operator("SKIP_GRAM", (), ()),
        Operator("Mine", (), (), kind="custom"),
    )
    with pytest.raises(CrossloadError, match=r"cannot become a graph: Mine, SKIP_GRAM \(2 of them\) have no counterpart in TensorFlow"):
        plan.refuse_unknown(Path("m.tflite"), [Inner(b"", None, 0, (), operators, (), ())], [0])


def test_a_custom_operator_with_a_builtin_name_is_no_builtin() -> None:
    operators = (Operator("ADD", (), (), kind="custom"),)
    with pytest.raises(CrossloadError, match="ADD has no counterpart"):
        plan.refuse_unknown(Path("m.tflite"), [Inner(b"", None, 0, (), operators, (), ())], [0])


def test_a_subgraph_that_runs_itself_is_refused(tmp_path: Path) -> None:
    cycle = next(p.file for p in tflite_probes.special(operator_names.builtin_codes()))
    with pytest.raises(CrossloadError, match="runs itself"):
        graph_of(cycle, tmp_path)


def test_what_an_operator_asks_beyond_tensorflow_s_op_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(CrossloadError, match="FULLY_CONNECTED has shuffled weights"):
        graph_of(
            probe("FULLY_CONNECTED", Form("A[1,4] B[3,4]=1 C[3]=1 -> D[1,3]", {1: ("b", 1)}), "float32 float32 float32 float32"), tmp_path
        )
    with pytest.raises(CrossloadError, match="BIDIRECTIONAL_SEQUENCE_RNN has an auxiliary input"):
        cell = "B[4,3]=1 B[4,4]=1 C[4]=0 D[1,4]!"
        form = Form(f"A[1,2,3] {cell} {cell} A[1,2,3] - - -> A[1,2,4] A[1,2,4]", {1: ("b", 4)})
        graph_of(probe("BIDIRECTIONAL_SEQUENCE_RNN", form, "float32 float32 float32 float32"), tmp_path)
    with pytest.raises(CrossloadError, match="NON_MAX_SUPPRESSION_V5 has a sigma and a threshold below 1"):
        form = Form("A[4,4]=1 A[4] i[]=3 f[]=0.5 f[]=0.1 f[]=0.5 -> i[3] f[3] i[]", {})
        graph_of(probe("NON_MAX_SUPPRESSION_V5", form, "float32"), tmp_path)
    with pytest.raises(CrossloadError, match="TANH becomes a node that TensorFlow refuses: 'T' of Tanh may not be int8"):
        graph_of(probe("TANH", FORMS["TANH"], "int8"), tmp_path)
    assert not (tmp_path / "model.pb").exists()


def test_a_flex_operator_without_its_node_is_a_damaged_file(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="FlexAddV2 has no node of TensorFlow in its bytes; copy or convert it again"):
        graph_of(tflite_probes.used(operator_names.builtin_codes()["CUSTOM"], "FlexAddV2"), tmp_path)


def test_a_constant_with_too_few_bytes_is_a_damaged_file(tmp_path: Path) -> None:
    data = probe("ADD", Form("f[4] f[4]=1 -> f[4]", {}), "float32")
    place = data.index(np.float32([1] * 4).tobytes()) - 4
    with pytest.raises(ArtifactError, match="has other bytes than"):
        graph_of(data[:place] + (8).to_bytes(4, "little") + data[place + 4 :], tmp_path)


def test_a_damaged_file_gives_a_graph_or_a_sentence_and_no_other_error(demo: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    files = [(demo / "model_int8.tflite").read_bytes(), *(p.file for p in more())]
    refused = 0
    for number in range(600):
        data = bytearray(files[number % len(files)])
        for place in random.integers(0, len(data), random.integers(1, 6)):
            data[place] = random.integers(0, 256)
        try:
            graph_of(bytes(data), tmp_path)
        except CrossloadError:
            refused += 1
    assert refused > 100


def test_numbers_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    form = Form(
        "A[1,4,4,2] A[1,3,3,2]=1 A[2]=1 -> A[1,4,4,2]", {0: ("b", 0), 1: ("i", 1), 2: ("i", 1), 5: ("i", 1 << 30), 6: ("i", 1 << 30)}
    )
    with pytest.raises(CrossloadError, match="DEPTHWISE_CONV_2D is dilated by 1073741824, 1073741824"):
        graph_of(probe("DEPTHWISE_CONV_2D", form, "float32"), tmp_path)
