"""What `check` says of .tflite files, from their content alone: operators, versions, Flex and custom ops, and who provides them."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest
import tflite

from crossload.artifacts.tflite import operator_names
from crossload.errors import CrossloadError
from crossload.releases import tflite_builder, tflite_extraction, tflite_probes
from crossload.releases.tflite_forms import CYCLE, EXTERNAL
from crossload.releases.tflite_kernels import UNASSIGNED, without_kernel
from crossload.verbs.check.check import check
from crossload.verbs.check.tflite_prediction import interpreter_of
from tests.corpus.handmade import Lite, Tensor

VECTORS = (Tensor("x"), Tensor("y"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.tflite"


def said(file: Path, runtime: str) -> tuple[str, str]:
    """The outcome that is predicted, and the first obstacle."""
    (entry,) = check(file, [runtime]).artifacts
    (prediction,) = entry.predictions
    return prediction.outcome, prediction.explanation()


def test_a_plain_file_is_ok_everywhere(file: Path) -> None:
    file.write_bytes(Lite(VECTORS, operators=(tflite.BuiltinOperator.ABS,)).build())
    found = check(file)
    assert found.exit_status == 0
    assert {p.runtime: p.outcome for p in found.artifacts[0].predictions} == dict.fromkeys(found.artifacts[0].would_do, "ok")


@pytest.mark.parametrize(
    ("op", "words"),
    [
        ("edgetpu-custom-op", "compiled for a Coral Edge TPU, and runs only there with its delegate"),
        ("ethos-u", "compiled for an Arm Ethos-U"),
        ("DISPATCH_OP", "compiled for an NPU by LiteRT"),
        ("my-op", "does not have the custom op my-op; the application must register it"),
        ("SignalFramer", "does not have the custom op SignalFramer; it is built into tflite-micro@"),
        ("FlexAddV2", "needs TensorFlow's own kernels (Select TF ops), which litert@2.3.0 does not have; on Android org.tensorflow:"),
    ],
)
def test_a_custom_op_is_named_with_who_provides_it(file: Path, op: str, words: str) -> None:
    file.write_bytes(Lite(VECTORS, operators=(op,)).build())
    outcome, sentence = said(file, "litert")
    assert outcome == "unsupported" and words in sentence and "(node " in sentence


def test_android_is_inferred_from_its_neighbours_and_names_the_artifact_of_its_version(file: Path) -> None:
    file.write_bytes(Lite(VECTORS, operators=("FlexAddV2",)).build())
    outcome, sentence = said(file, "android@2.16.1")
    assert outcome == "unsupported" and "org.tensorflow:tensorflow-lite-select-tf-ops:2.16.1 brings them" in sentence
    file.write_bytes(Lite(VECTORS, operators=(tflite.BuiltinOperator.ABS,)).build())
    (prediction,) = check(file, ["android@2.16.1"]).artifacts[0].predictions
    assert prediction.notes[0] == "inferred from tensorflow+lite@2.15.1 and tflite-java@2.18.0, whose sources are before and after it"


def test_an_operator_that_an_interpreter_does_not_have_is_named(file: Path) -> None:
    file.write_bytes(Lite(VECTORS, operators=(tflite.BuiltinOperator.STABLEHLO_ADD,)).build())
    assert said(file, "tflite-micro") == (
        "unsupported",
        f"{interpreter_of('tflite-micro').title} does not have the operator STABLEHLO_ADD",
    )


def test_an_operator_that_is_newer_than_an_interpreter_s_schema_is_one_that_it_does_not_have(file: Path) -> None:
    file.write_bytes(Lite(VECTORS, operators=(tflite.BuiltinOperator.STABLEHLO_ADD,)).build())
    assert said(file, "tflite-runtime") == ("unsupported", "tflite-runtime@2.14.0 does not have the operator STABLEHLO_ADD")


def test_a_datatype_without_a_kernel_is_named_with_the_operator_and_its_place(file: Path) -> None:
    strings = tuple(Tensor(n, tflite.TensorType.COMPLEX64) for n in "xy")
    file.write_bytes(Lite(strings, operators=(tflite.BuiltinOperator.TANH,)).build())
    outcome, sentence = said(file, "tflite-runtime")
    assert outcome in ("load_error", "run_error") and "TANH on complex64 → complex64 (node 'TANH 0')" in sentence


def test_a_subgraph_that_runs_itself_is_found_and_ends_the_search(file: Path) -> None:
    (probe,) = (p for p in tflite_probes.special(operator_names.builtin_codes()) if p.key == CYCLE)
    file.write_bytes(probe.file)
    for prediction in check(file, ["litert", "tflite-runtime", "tflite-java"]).artifacts[0].predictions:
        assert prediction.outcome == "crash" and CYCLE in prediction.explanation()


def test_a_variant_of_an_interpreter_has_its_operators() -> None:
    assert interpreter_of("litert+builtin@2.3.0") == interpreter_of("litert")
    assert interpreter_of("tensorflow+lite").title == "tensorflow+lite@2.21.0"
    with pytest.raises(CrossloadError, match="check has no kernels of tensorflow@"):
        interpreter_of("tensorflow@2.21.0")


def test_only_releases_that_take_the_format_are_asked(file: Path, demo: Path) -> None:
    file.write_bytes(Lite(VECTORS, operators=(tflite.BuiltinOperator.ABS,)).build())
    with pytest.raises(CrossloadError, match="none of the named releases takes a tflite"):
        check(file, ["tensorflow-java"])
    found = check(demo, ["tensorflow-java", "litert"])
    asked = {a.id: [p.runtime for p in a.predictions] for a in found.artifacts}
    assert {id.partition(":")[0]: runtimes for id, runtimes in asked.items()} == {
        "saved_model": ["tensorflow-java@1.1.0"],
        "graph_def": ["tensorflow-java@1.1.0"],
        "tflite": ["litert@2.3.0"],
    }


def test_a_file_without_signature_is_bound_by_index_and_says_so(file: Path) -> None:
    file.write_bytes(Lite(VECTORS, operators=(tflite.BuiltinOperator.ABS,)).build())
    (prediction,) = check(file, ["litert"]).artifacts[0].predictions
    assert prediction.notes == ("the file has no signature: its tensors are bound by index",)


PLAIN = Lite(VECTORS, operators=(tflite.BuiltinOperator.ABS,))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty; copy or export it again"),
        (PLAIN.build()[: len(PLAIN.build()) // 2], "is a truncated or corrupt .tflite: it refers to"),
        (replace(PLAIN, repeat_subgraphs=0).build(), "it has no subgraph; copy or convert it again"),
        (replace(PLAIN, buffers=[(1 << 20, 64)]).build(), "it has a buffer of 64 bytes at 1048576, but "),
        (replace(PLAIN, tensors=VECTORS[:1]).build(), "it refers to tensor 1 of 1; copy or convert it again"),
    ],
    ids=["empty", "truncated", "no subgraph", "a buffer outside", "a tensor that is not there"],
)
def test_a_damaged_file_is_refused_with_the_cause_and_the_next_step(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    with pytest.raises(CrossloadError) as refused:
        check(file)
    assert str(refused.value).startswith(str(file)) and words in str(refused.value)


def test_what_no_small_device_holds_and_what_no_operator_makes_are_notes(file: Path) -> None:
    large = (Tensor("x"), Tensor("y", shape=(1 << 16, 1 << 15)), Tensor("z"))
    file.write_bytes(replace(PLAIN, tensors=large, outputs=(2,)).build())
    (prediction,) = check(file, ["litert"]).artifacts[0].predictions
    assert prediction.notes[:2] == (
        "a tensor of the file has 2,147,483,648 elements: no 32-bit device holds it",
        "no operator makes the output tensor 2: what is read there is chance",
    )


def question(op: str, key: str) -> bytes:
    """The file of a question that interpreters were asked."""
    return next(content for o, k, content in tflite_extraction.kernel_files(operator_names.builtin_codes()) if (o, k) == (op, key))


def test_ios_is_inferred_from_the_same_release_or_its_neighbours_and_names_the_pod(file: Path) -> None:
    file.write_bytes(Lite(VECTORS, operators=("FlexAddV2",)).build())
    assert "the pod TensorFlowLiteSelectTfOps 2.17.0 brings them" in said(file, "ios")[1]
    file.write_bytes(Lite(VECTORS, operators=(tflite.BuiltinOperator.ABS,)).build())
    (older, newer) = check(file, ["ios@2.14.0", "ios@2.17.0"]).artifacts[0].predictions
    assert older.notes[0] == "inferred from tflite-runtime@2.14.0, which is made of the same sources"
    assert newer.notes[0] == "inferred from tensorflow+lite@2.15.1 and tflite-java@2.18.0, whose sources are before and after it"


@pytest.mark.parametrize(
    ("op", "key", "words"),
    [
        ("TRANSPOSE", "float32 int32->float32 with rank 6", "TRANSPOSE on float32 int32 → float32 with rank 6 (node 'TRANSPOSE 0')"),
        ("PRELU", "float32->float32 with a broadcast of rank 5", "dies of PRELU on float32 → float32 with "),
        ("PAD", "float32 int32->float32 with input 1 computed", "with input 1 computed; it takes a constant there: convert the model with"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "float32 - float32 -->float32 with peepholes", "with peepholes"),
    ],
)
def test_what_only_some_shapes_and_operands_do_is_named(file: Path, op: str, key: str, words: str) -> None:
    file.write_bytes(question(op, key))
    outcome, sentence = said(file, "tflite-micro")
    assert outcome != "ok" and words in sentence
    assert said(file, "litert")[0] == "ok"


def test_a_limit_of_a_rank_holds_for_datatypes_that_nobody_asked_about(file: Path) -> None:
    tensors = (Tensor("x", tflite.TensorType.INT16, (1, 1, 1, 1, 1, 2)), Tensor("y", tflite.TensorType.INT16, (1, 1, 1, 1, 1, 2)))
    file.write_bytes(Lite(tensors, operators=(tflite.BuiltinOperator.CONCATENATION,)).build())
    assert said(file, "tflite-micro")[0] == "ok"
    file.write_bytes(
        Lite(tuple(replace(t, shape=(1, *t.shape)) for t in tensors), operators=(tflite.BuiltinOperator.CONCATENATION,)).build()
    )
    assert said(file, "tflite-micro")[1].endswith("CONCATENATION on int16 → int16 with rank 7 (node 'CONCATENATION 0')")


@pytest.mark.parametrize(
    ("op", "outcome", "loads"), [("WHILE", "unsupported", False), ("IF", "unsupported", False), ("CALL_ONCE", "run_error", True)]
)
def test_an_operator_in_what_another_runs_is_found_when_that_one_is_prepared(file: Path, op: str, outcome: str, loads: bool) -> None:
    file.write_bytes(question("", without_kernel(op)))
    for prediction in check(file, ["litert", "tflite-runtime", "tflite-java"]).artifacts[0].predictions:
        assert (prediction.outcome, prediction.loads) == (outcome, loads)
        assert "does not have the custom op crossload-unknown" in prediction.explanation() and "of subgraph" in prediction.explanation()
    assert said(file, "tflite-micro")[0] == "unsupported"


def test_a_variable_that_nothing_assigns_is_named(file: Path) -> None:
    file.write_bytes(question("READ_VARIABLE", f"resource->float32 with {UNASSIGNED}"))
    (prediction,) = check(file, ["litert"]).artifacts[0].predictions
    assert prediction.outcome == "ok"
    assert prediction.notes[0] == "READ_VARIABLE 1 reads a variable that nothing assigns: what it answers is chance"
    outcome, sentence = said(file, "tflite-runtime")
    assert outcome == "run_error" and "READ_VARIABLE on resource → float32 with nothing that assigns it" in sentence


def test_an_answer_that_is_known_to_be_another_is_a_mismatch(file: Path) -> None:
    file.write_bytes(question("", EXTERNAL))
    micro = interpreter_of("tflite-micro").title
    assert said(file, "tflite-micro") == (
        "mismatch",
        f"{micro} computes something else than LiteRT for a file with weights after the flatbuffer",
    )
    assert said(file, "litert")[0] == "ok"


def test_tensors_without_a_name_are_named_by_their_index(file: Path) -> None:
    file.write_bytes(Lite((Tensor(""), Tensor("y")), operators=(tflite.BuiltinOperator.ABS,)).build())
    (prediction,) = check(file, ["litert"]).artifacts[0].predictions
    assert prediction.notes[-1] == "tensor 0 has no name of its own"


def test_the_oldest_runtime_that_a_file_names_is_a_note(file: Path) -> None:
    file.write_bytes(replace(PLAIN, metadata={"min_runtime_version": b"2.17.0"}).build())
    notes = {p.runtime: p.notes for p in check(file).artifacts[0].predictions}
    words = "the file names 2.17.0 as the oldest runtime that should run it"
    assert words in notes["tflite-runtime@2.14.0"] and words in notes["android@2.16.1"] and words not in notes["ios@2.17.0"]


def test_a_flatbuffer_beyond_2_gb_is_refused_by_the_interpreters_that_verify_it_and_weights_after_it_are_not(file: Path) -> None:
    codes, far = operator_names.builtin_codes(), (1 << 31) + (1 << 20)
    tensors = [tflite_builder.tensor(n, (1, 4), "float32", at == 1) for at, n in enumerate("xwy")]
    add = {0: ("I", 0), 1: ("i", [0, 1]), 2: ("i", [2])}
    values = struct.pack("<4f", 1, 2, 3, 4)

    def sparse(content: bytes, end: bytes) -> None:
        with file.open("wb") as stream:
            stream.write(content)
            stream.seek(far)
            stream.write(end)

    after = tflite_builder.model([(codes["ADD"], "", 1)], tensors, [0], [2], [add], ({}, {1: ("Q", far), 2: ("Q", 16)}))
    sparse(after, values)
    assert said(file, "litert") == ("ok", "")
    inside = bytearray(tflite_builder.model([(codes["ADD"], "", 1)], tensors, [0], [2], [add], (b"", values)))
    vector = inside.index(values) - 4
    (at,) = (p for p in range(0, len(inside) - 4, 4) if p + struct.unpack_from("<I", inside, p)[0] == vector)
    struct.pack_into("<I", inside, at, far - at)
    sparse(bytes(inside), struct.pack("<I", 16) + values)
    outcome, sentence = said(file, "litert")
    assert outcome == "load_error" and sentence.startswith(
        "litert@2.3.0 reads no flatbuffer beyond 2 GB, and this one ends at byte 2,148,532,"
    )
    assert said(file, "tflite-runtime")[0] == "ok"
