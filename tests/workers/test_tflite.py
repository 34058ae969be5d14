"""The workers of tflite-runtime, LiteRT, TensorFlow Lite on the JVM and TensorFlow Lite Micro, on real .tflite files of the corpus."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crossload.contract import datatypes
from crossload.runtimes import registry
from tests import CORPUS, environment
from tests.corpus import handmade
from tests.corpus.arrays import array_of, same_bytes
from tests.workers.conversation import Conversation

pytestmark = pytest.mark.slow

PIXELS = np.random.default_rng(2).uniform(size=(3, 8, 8, 1)).astype(np.float32)
X = np.array([[1.0, 2.0, 3.0]], np.float32)

# What an interpreter's API cannot carry; everything else the contract has (but float8, which TFLite has not) comes back bit for bit.
CANNOT = {
    "litert": {"int4", "uint4"},
    "tflite-runtime": {"int4", "uint4", "uint16", "bfloat16"},
    "tflite-java": {"int4", "uint4"},
    "tflite-micro": {"int4", "uint4", "uint16", "string"},
}
# TensorFlow Lite 2.15 to 2.18 dies of a float16 reshape whose input is resized while XNNPACK is on: reshape::Prepare reads what is freed.
ONE_BATCH = {("tflite-java", "float16")}
DATATYPES = [d.tensorflow for d in datatypes.DATATYPES.values() if not d.tensorflow.startswith("float8")]


VARIANTS = [r.title for r in registry.find(["litert+*", "tflite-runtime+builtin", "tensorflow+lite@*"])]


@pytest.fixture(scope="session")
def by_litert(corpus: Path) -> np.ndarray:
    """What LiteRT answers to one image."""
    worker = Conversation(environment.launch_of("litert"))
    worker.load(corpus / "tflite_cnn.tflite")
    answer = worker.infer(pixels=PIXELS[:1]).outputs["probabilities"]
    assert worker.end() == 0
    return answer


def check_datatype(worker: Conversation, corpus: Path, datatype: str, batches: tuple[int, ...]) -> None:
    runtime = worker.ask("ServerMetadata").header["name"]
    loaded = worker.load(corpus / f"tflite_identity_{datatype}.tflite")
    for batch in batches[:1] if (runtime, datatype) in ONE_BATCH else batches:
        sent = array_of(datatype, (batch, 3))
        answer = loaded if loaded.code else worker.infer(x=sent)
        if datatype in CANNOT[runtime]:
            assert answer.code == "UNIMPLEMENTED" and len(answer.error) > 20
        else:
            assert answer.code is None and same_bytes(answer.outputs["y"], sent), batch


@pytest.mark.parametrize("datatype", DATATYPES)
def test_an_interpreter_carries_a_datatype_or_says_that_it_cannot(interpreter: Conversation, corpus: Path, datatype: str) -> None:
    check_datatype(interpreter, corpus, datatype, (1, 3, 0))


@pytest.mark.parametrize("datatype", DATATYPES)
def test_tflite_micro_carries_a_datatype_or_says_that_it_cannot(tflite_micro: Conversation, corpus: Path, datatype: str) -> None:
    check_datatype(tflite_micro, corpus, datatype, (1,))


def test_tflite_micro_has_custom_ops_of_its_own_and_names_those_it_lacks(tflite_micro: Conversation, tmp_path: Path) -> None:
    """It registers those of its signal library (python/tflite_micro/python_ops_resolver.cc)."""
    file = tmp_path / "m.tflite"
    file.write_bytes(handmade.signal_energy())
    tflite_micro.load(file)
    assert tflite_micro.infer(x=np.array([(3 << 8) + 2, -1], np.int16)).code is None
    file.write_bytes(handmade.Lite(operators=("my-op",)).build())
    refused = tflite_micro.load(file)
    assert refused.code == "UNIMPLEMENTED"
    assert "lacks at least one: my-op" in refused.error


def test_an_interpreter_names_a_custom_op_that_it_lacks_in_full(interpreter: Conversation, tmp_path: Path) -> None:
    file = tmp_path / "m.tflite"
    file.write_bytes(handmade.Lite(operators=("edgetpu-custom-op",)).build())
    assert "the custom op edgetpu-custom-op, which" in interpreter.load(file).error


def test_scalars_and_rank_6_are_carried(interpreter: Conversation, tflite_micro: Conversation, corpus: Path) -> None:
    for worker in (interpreter, tflite_micro):
        for name, shape in (("tflite_scalar", ()), ("tflite_rank_6", (1, 1, 2, 1, 2, 3))):
            worker.load(corpus / f"{name}.tflite")
            sent = np.full(shape, 1.5, np.float32)
            assert same_bytes(worker.infer(x=sent).outputs["y"], sent + 1), name


def test_three_interpreters_agree_on_a_network(interpreter: Conversation, tflite_micro: Conversation, corpus: Path) -> None:
    for worker in (interpreter, tflite_micro):
        worker.load(corpus / "tflite_cnn.tflite")
    fast = interpreter.infer(pixels=PIXELS).outputs["probabilities"]
    micro = [tflite_micro.infer(pixels=p[None]).outputs["probabilities"][0] for p in PIXELS]
    assert fast.shape == (3, 10) and np.allclose(fast, micro, rtol=1e-5, atol=1e-7)


def test_a_file_without_signatures_runs_by_tensor_index_and_any_batch(interpreter: Conversation, corpus: Path) -> None:
    interpreter.load(corpus / "tflite_cnn.tflite")
    expected = interpreter.infer(pixels=PIXELS).outputs["probabilities"]
    path = corpus / "tflite_no_signature.tflite"
    binding = {"key": None, "inputs": {"in": 0}, "outputs": {"out": 8}}
    interpreter.ask("RepositoryModelLoad", model_name="m", parameters={"path": str(path), "format": "tflite", "signatures": {"s": binding}})
    for count in (1, 3, 2):
        assert np.allclose(interpreter.infer("s", **{"in": PIXELS[:count]}).outputs["out"], expected[:count], rtol=1e-6)


def test_each_signature_is_a_subgraph_of_its_own(interpreter: Conversation, tflite_micro: Conversation, corpus: Path) -> None:
    for worker in (interpreter, tflite_micro):
        worker.load(corpus / "tflite_several_signatures.tflite")
        assert np.array_equal(worker.infer("add_one", x=X).outputs["y"], X + 1)
    assert np.array_equal(interpreter.infer("double", x=X).outputs["y"], X * 2)
    refused = tflite_micro.infer("double", x=X)
    assert refused.code == "UNIMPLEMENTED" and "first subgraph" in refused.error


@pytest.mark.parametrize("runtime", VARIANTS)
def test_a_variant_of_an_interpreter_answers_as_the_interpreter_and_keeps_state_as_it_does(
    corpus: Path, by_litert: np.ndarray, runtime: str
) -> None:
    worker = Conversation(environment.launch_of(runtime))
    assert worker.ask("ServerMetadata").header["name"] == runtime.partition("@")[0]
    worker.load(corpus / "tflite_cnn.tflite")
    answer = worker.infer(pixels=PIXELS[:1]).outputs["probabilities"]
    counter, one = CORPUS / "binary" / "counter.tflite", np.ones(3, np.float32)
    worker.load(counter)
    counted = [worker.infer(x=one).outputs["sum"].tolist() for _ in range(2)]
    refused = worker.load(corpus / "tflite_newer_op.tflite")
    assert worker.end() == 0
    assert counted == [[1.0] * 3, [2.0] * 3]
    assert refused.code == "UNIMPLEMENTED" and "'CONV_2D' version '99'" in refused.error
    assert np.allclose(answer, by_litert, rtol=1e-5, atol=1e-7)


def test_outputs_are_not_overwritten_by_the_next_run(interpreter: Conversation, corpus: Path) -> None:
    interpreter.load(corpus / "tflite_cnn.tflite")
    first, second, again = (interpreter.infer(pixels=PIXELS[i : i + 1]).outputs["probabilities"] for i in (0, 1, 0))
    assert same_bytes(first, again) and not same_bytes(first, second)


def test_flex_ops_are_named(interpreter: Conversation, tflite_micro: Conversation, corpus: Path) -> None:
    for worker in (interpreter, tflite_micro):
        refused = worker.load(corpus / "tflite_flex.tflite")
        assert refused.code == "UNIMPLEMENTED" and "FlexMatrixInverse" in refused.error


def test_an_op_that_is_too_new_is_named(interpreter: Conversation, corpus: Path) -> None:
    refused = interpreter.load(corpus / "tflite_newer_op.tflite")
    assert refused.code == "UNIMPLEMENTED" and "'CONV_2D' version '99'" in refused.error


def test_inputs_that_the_model_does_not_take_are_refused(interpreter: Conversation, corpus: Path) -> None:
    interpreter.load(corpus / "tflite_cnn.tflite")
    for wrong in (PIXELS.astype(np.float64), PIXELS[0], PIXELS[:, :4]):
        refused = interpreter.infer(pixels=wrong)
        assert refused.code == "INVALID_ARGUMENT"
        assert f"takes float32 of shape [-1, 8, 8, 1]; the request has {wrong.dtype} of shape {list(wrong.shape)}" in refused.error
    assert interpreter.infer(pixels=PIXELS).code is None


def test_an_unknown_signature_lists_the_known_ones(interpreter: Conversation, tflite_micro: Conversation, corpus: Path) -> None:
    path = corpus / "tflite_cnn.tflite"
    binding = {"key": "other", "inputs": {"in": 0}, "outputs": {"out": 8}}
    for worker in (interpreter, tflite_micro):
        parameters = {"path": str(path), "format": "tflite", "signatures": {"s": binding}}
        refused = worker.ask("RepositoryModelLoad", model_name="m", parameters=parameters)
        assert refused.code == "NOT_FOUND" and "'other'" in refused.error and "it has: serving_default" in refused.error


def test_another_batch_is_unimplemented_in_tflite_micro(tflite_micro: Conversation, corpus: Path) -> None:
    assert "bytes of arena" in tflite_micro.load(corpus / "tflite_cnn.tflite").note
    refused = tflite_micro.infer(pixels=PIXELS)
    assert refused.code == "UNIMPLEMENTED"
    assert "runs the shape the model was written with, [1, 8, 8, 1]; this vector has [3, 8, 8, 1]" in refused.error


def test_tflite_micro_answers_the_same_when_each_tensor_keeps_its_memory(tflite_micro: Conversation, corpus: Path) -> None:
    preserved = Conversation(environment.launch_of("tflite-micro+preserved"))
    for worker in (tflite_micro, preserved):
        worker.load(corpus / "tflite_cnn.tflite")
    planned, kept = (w.infer(pixels=PIXELS[:1]).outputs["probabilities"] for w in (tflite_micro, preserved))
    assert preserved.end() == 0
    assert same_bytes(planned, kept)


def test_plain_kernels_run_if_xnnpack_fails_and_a_note_reports_it(
    interpreter: Conversation, tflite_micro: Conversation, corpus: Path
) -> None:
    pixels = np.full((1, 8, 8, 1), 7, np.int8)
    note = interpreter.load(corpus / "tflite_fails_on_xnnpack.tflite").note
    if interpreter.ask("ServerMetadata").header["name"] == "litert":
        assert note.startswith("run by the interpreter's own kernels: with its default delegate (XNNPACK) it failed (")
    else:
        assert not note
    tflite_micro.load(corpus / "tflite_fails_on_xnnpack.tflite")
    plain, micro = (w.infer(pixels=pixels).outputs["probabilities"].astype(int) for w in (interpreter, tflite_micro))
    assert np.abs(plain - micro).max() <= 2


def test_a_batch_that_is_written_into_the_model_is_blamed_on_its_operator_and_the_model_still_runs(
    interpreter: Conversation, corpus: Path, tmp_path: Path
) -> None:
    free, fixed = struct.pack("<ii", -1, 64), struct.pack("<ii", 1, 64)
    data = (corpus / "tflite_cnn.tflite").read_bytes()
    assert free in data
    (tmp_path / "fixed.tflite").write_bytes(data.replace(free, fixed))
    interpreter.load(tmp_path / "fixed.tflite")
    for _ in range(2):
        refused = interpreter.infer(pixels=PIXELS)
        assert refused.code and "(RESHAPE) failed to prepare" in refused.error
        assert interpreter.infer(pixels=PIXELS[:1]).outputs["probabilities"].shape == (1, 10)


@pytest.mark.parametrize(
    ("runtime", "name", "inputs"),
    [
        ("tflite-runtime", "tflite_stride_zero", {"pixels": PIXELS[:1]}),
        ("litert", "tflite_split_zero", {"x": np.ones((1, 4), np.float32)}),
        ("tflite-java", "tflite_stride_zero", {"pixels": PIXELS[:1]}),
        ("tflite-java", "tflite_identity_float16", {"x": np.ones((2, 3), np.float16)}),
    ],
)
def test_a_file_that_kills_one_interpreter_dies_by_a_signal(corpus: Path, runtime: str, name: str, inputs: dict[str, np.ndarray]) -> None:
    victim = Conversation(environment.launch_of(runtime))
    with pytest.raises(EOFError):
        assert victim.load(corpus / f"{name}.tflite").code is None
        victim.infer(**inputs)
    assert victim.process.wait(10) < 0


def test_a_file_that_damages_the_heap_answers_first_and_kills_at_exit(corpus: Path) -> None:
    launch = environment.launch_of("tflite-runtime")
    # What is behind the arena is chance; glibc's checking malloc notices the damage in any case.
    checking = {"LD_PRELOAD": "libc_malloc_debug.so.0", "MALLOC_CHECK_": "3"}
    victim = Conversation(replace(launch, environment={**launch.environment, **checking}))
    victim.load(corpus / "tflite_dies_at_exit.tflite")
    answer = victim.infer(x=np.ones(64, np.float32))
    assert answer.code is None and answer.outputs["y"].tolist() == [1.0] * 16
    assert victim.end() < 0
