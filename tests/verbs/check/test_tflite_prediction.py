"""What `check` says of .tflite files, from their content alone: operators, versions, Flex and custom ops, and who provides them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import tflite

from crossload.artifacts.tflite import tflite_file
from crossload.errors import CrossloadError
from crossload.releases import tflite_probes
from crossload.releases.tflite_forms import CYCLE
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
    (probe,) = (p for p in tflite_probes.special(tflite_file.builtin_codes()) if p.key == CYCLE)
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
