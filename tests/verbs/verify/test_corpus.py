"""Real models are old and odd: the expected outcome of every hazard of the corpus in every runtime."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from crossload.contract.datatypes import DATATYPES, for_people
from crossload.contract.manifest import FILE_NAME, Artifact, Manifest, Model, Vectors
from crossload.contract.signatures import Signature
from crossload.inputs.requests import Requests
from crossload.report.results import Report
from crossload.runtimes import environments, registry
from crossload.runtimes.supervisor import Limits, Supervisor
from crossload.support import files
from crossload.verbs.verify import record as recording
from crossload.verbs.verify.verify import verify

pytestmark = pytest.mark.slow
Recorded = tuple[list[Vectors], dict[str, Signature]]

GRAPH_RUNTIMES = ("tensorflow", "tensorflow-java")
PYTHON = "tensorflow+python"
# Model: what TensorFlow and TensorFlow Java do with it (SavedModels and GraphDefs).
GRAPHS = {
    "default_input": ("ok", "ok"),
    "graph_arg_retval": ("ok", "ok"),
    "graph_frozen": ("ok", "ok"),
    "graph_pbtxt": ("ok", "ok"),
    "graph_pinned_to_gpu": ("ok", "ok"),
    "graph_text_in_pb": ("ok", "ok"),
    "no_tags": ("ok", "ok"),
    "no_variables": ("ok", "ok"),
    "only_eval": ("ok", "ok"),
    "optimizer_slots": ("ok", "ok"),
    "other_argument_names": ("ok", "ok"),
    "pinned_to_gpu": ("ok", "ok"),
    "pinned_to_gpu_v1": ("ok", "ok"),
    "reference_output": ("ok", "ok"),
    "reference_variables": ("ok", "ok"),
    "scale": ("ok", "ok"),
    "several_signatures": ("ok", "ok"),
    "several_tag_sets": ("ok", "ok"),
    "slashes": ("ok", "ok"),
    # The Java layer (0.4 and later) looks a sparse input up by its plain name, which is empty; native TensorFlow loads the model.
    "sparse_input": ("ok", "load_error"),
    "text_table": ("ok", "ok"),
    # Native TensorFlow fills the table from the SavedModel's asset; then Java's Session.initialize runs the init op again, without
    # feeding the asset's new path, and fails wherever the exporter's own file is not.
    "text_table_v1": ("ok", "load_error"),
    "text_vectorization": ("ok", "ok"),
}
# TensorFlow Java 1.1.0 has tensor types for these; the others are unsupported there, and say so.
JAVA_DATATYPES = {"BF16", "BOOL", "BYTES", "FP16", "FP32", "FP64", "INT32", "INT64", "UINT16", "UINT8"}

TFLITE_RUNTIMES = ("tflite-runtime", "litert", "tflite-micro", "tflite-java")
# TensorFlow Lite Micro takes the batch a model was written with and says `unsupported` to the others.
FIXED_BATCH = "ok unsupported"
# Model: what tflite-runtime, LiteRT, TensorFlow Lite Micro and TensorFlow Lite on the JVM do with it.
TFLITES = {
    "tflite_cnn": ("ok", "ok", FIXED_BATCH, "ok"),
    "tflite_cnn_int8": ("ok", "ok", FIXED_BATCH, "ok"),
    # It writes beyond its tensors: LiteRT notices, tflite-runtime and tflite-java answer and may die when they exit.
    "tflite_dies_at_exit": ("ok", "run_error", "unsupported", "ok"),
    "tflite_fails_on_xnnpack": ("ok", "ok", FIXED_BATCH, "ok"),
    "tflite_identity_bfloat16": ("unsupported", "ok", FIXED_BATCH, "ok"),
    "tflite_identity_bool": ("ok", "ok", FIXED_BATCH, "ok"),
    "tflite_identity_complex128": ("ok", "ok", FIXED_BATCH, "ok"),
    "tflite_identity_complex64": ("ok", "ok", FIXED_BATCH, "ok"),
    # TensorFlow Lite 2.15 to 2.18 dies of a float16 reshape whose input is resized while XNNPACK is on.
    "tflite_identity_float16": ("ok", "ok", FIXED_BATCH, "ok crash"),
    "tflite_identity_float32": ("ok", "ok", FIXED_BATCH, "ok"),
    "tflite_identity_float64": ("ok", "ok", FIXED_BATCH, "ok"),
    "tflite_identity_int16": ("ok", "ok", FIXED_BATCH, "ok"),
    "tflite_identity_int32": ("ok", "ok", FIXED_BATCH, "ok"),
    "tflite_identity_int64": ("ok", "ok", FIXED_BATCH, "ok"),
    "tflite_identity_int8": ("ok", "ok", FIXED_BATCH, "ok"),
    "tflite_identity_string": ("ok", "ok", "unsupported", "ok"),
    "tflite_identity_uint16": ("unsupported", "ok", "unsupported", "ok"),
    "tflite_identity_uint32": ("ok", "ok", FIXED_BATCH, "ok"),
    "tflite_identity_uint64": ("ok", "ok", FIXED_BATCH, "ok"),
    "tflite_identity_uint8": ("ok", "ok", FIXED_BATCH, "ok"),
    # Its convolution has version 99; TensorFlow Lite Micro does not look.
    "tflite_newer_op": ("unsupported", "unsupported", "ok", "unsupported"),
    "tflite_no_signature": ("ok", "ok", FIXED_BATCH, "ok"),
    "tflite_rank_6": ("ok", "ok", FIXED_BATCH, "ok"),
    "tflite_scalar": ("ok", "ok", "ok", "ok"),
    "tflite_several_signatures": ("ok", "ok", FIXED_BATCH, "ok"),
    "tflite_split_zero": ("load_error", "crash", "ok", "load_error"),
    "tflite_stride_zero": ("crash", "load_error", "ok", "crash"),
}
# No runtime here answers these: int4 has no Python array in any interpreter, Flex ops are in none of the packages.
TFLITES_WITHOUT_ANSWER = ("tflite_flex", "tflite_identity_int4", "tflite_identity_uint4")


def bundle(corpus: Path, target: Path, names: Iterable[str], record: Callable[[Path, Artifact, dict[str, Signature]], Recorded]) -> Path:
    """Several models as one bundle, so that one worker a runtime lives across all of them."""
    artifacts: list[Artifact] = []
    signatures: dict[str, Signature] = {}
    vectors: list[Vectors] = []
    for name in names:
        path = next(p for p in corpus.iterdir() if p.stem == name)
        (target / path.name).symlink_to(path)
        entries, own = recording.artifacts_of(path, path.name)
        named = {f"{name}/{key}": signature for key, signature in own.items()}
        for entry in entries:
            bindings = {f"{name}/{key}": binding for key, binding in entry.bindings.items()}
            artifact = entry.model_copy(update={"id": f"{name}{entry.id.removeprefix(entry.format)}", "bindings": bindings})
            recorded, learnt = record(target, artifact, named)
            artifacts.append(artifact)
            vectors += recorded
            signatures |= learnt
    manifest = Manifest(model=Model(name="corpus"), signatures=signatures, artifacts=artifacts, vectors=vectors)
    files.write_text(target / FILE_NAME, manifest.to_json())
    # The links lead out of the folder, which a bundle that is handed over must not do.
    for link in [p for p in target.iterdir() if p.is_symlink()]:
        original = link.resolve()
        link.unlink()
        subprocess.run(["cp", "-r", str(original), str(link)], check=True)
    return target


@pytest.fixture(scope="session")
def graphs(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """SavedModels and GraphDefs in TensorFlow by its C API, by its Python, and in Java."""
    runtime = registry.find(["tensorflow"])[0]
    with Supervisor(runtime.name, environments.prepare(runtime.source)) as reference:
        made = bundle(
            corpus,
            tmp_path_factory.mktemp("graphs"),
            ["identity", *GRAPHS],
            lambda root, artifact, named: recording.record_with(reference, root, artifact, named, Requests(count=4)),
        )
    return verify(made, [*GRAPH_RUNTIMES, PYTHON])


@pytest.fixture(scope="session")
def tflites(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """.tflite files in all four interpreters; where LiteRT cannot be the reference, the next one is."""
    candidates = recording.references("tflite", registry.find())
    made = bundle(
        corpus,
        tmp_path_factory.mktemp("tflites"),
        TFLITES,
        lambda root, artifact, named: recording.record(root, artifact, named, Requests(count=4), Limits(), lambda _: None, candidates),
    )
    return verify(made, TFLITE_RUNTIMES)


def outcomes(report: Report, model: str, runtime: str) -> set[str]:
    results = [r for r in report.results if r.case.artifact.split("@")[0] == model and r.case.runtime == runtime]
    assert results
    return {r.outcome for r in results}


@pytest.mark.parametrize("runtime", GRAPH_RUNTIMES)
@pytest.mark.parametrize("model", GRAPHS)
def test_a_graph_has_the_expected_outcome(graphs: Report, model: str, runtime: str) -> None:
    errors = [r.error for r in graphs.results if r.case.artifact.split("@")[0] == model and r.failed]
    assert outcomes(graphs, model, runtime) == {GRAPHS[model][GRAPH_RUNTIMES.index(runtime)]}, errors


@pytest.mark.parametrize("datatype", DATATYPES)
def test_a_datatype_passes_end_to_end_or_is_unsupported_with_its_reason(graphs: Report, datatype: str) -> None:
    name = for_people(datatype)
    for runtime in GRAPH_RUNTIMES:
        results = [r for r in graphs.results if r.case.runtime == runtime and r.case.signature == f"identity/{name}"]
        carried = runtime == "tensorflow" or datatype in JAVA_DATATYPES
        assert {(r.outcome, r.agreement) for r in results} == {("ok", "identical") if carried else ("unsupported", None)}
        assert carried or all(f"has no tensor type for {name}" in str(r.error) for r in results)


@pytest.mark.parametrize("runtime", TFLITE_RUNTIMES)
@pytest.mark.parametrize("model", TFLITES)
def test_a_tflite_has_the_expected_outcome(tflites: Report, model: str, runtime: str) -> None:
    expected = set(TFLITES[model][TFLITE_RUNTIMES.index(runtime)].split())
    assert outcomes(tflites, model, runtime) == expected


@pytest.mark.parametrize("model", TFLITES_WITHOUT_ANSWER)
def test_a_tflite_that_no_runtime_answers_has_an_outcome_in_each(corpus: Path, model: str) -> None:
    report = verify(corpus / f"{model}.tflite", TFLITE_RUNTIMES)
    assert sorted((r.case.runtime, r.outcome) for r in report.results) == sorted((r, "unsupported") for r in TFLITE_RUNTIMES)
    assert report.exit_status == 3


def test_an_unusual_reference_is_a_caution(tflites: Report) -> None:
    assert "the reference of tflite_split_zero is tflite-micro: litert did not answer" in tflites.cautions
    assert not [c for c in tflites.cautions if "the reference of tflite_cnn is" in c]


def test_a_crash_names_the_signal_and_costs_its_own_model_only(tflites: Report) -> None:
    crashed = {(r.case.artifact, r.case.runtime): str(r.error) for r in tflites.results if r.outcome == "crash"}
    assert "SIGSEGV" in crashed.pop(("tflite_split_zero", "litert"))
    assert "SIGFPE" in crashed.pop(("tflite_stride_zero", "tflite-runtime"))
    # A JVM ends itself by SIGABRT, whatever the signal was.
    assert "SIGABRT" in crashed.pop(("tflite_stride_zero", "tflite-java"))
    assert "SIGABRT" in crashed.pop(("tflite_identity_float16", "tflite-java"))
    assert not crashed


def test_a_death_at_exit_is_reported_and_the_answer_is_kept(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # glibc's checking malloc notices the damage (SIGABRT), unless the damage ends the process first (SIGSEGV): where it lies depends on
    # the addresses, and so on the size of the environment.
    monkeypatch.setenv("LD_PRELOAD", "libc_malloc_debug.so.0")
    monkeypatch.setenv("MALLOC_CHECK_", "3")
    report = verify(corpus / "tflite_dies_at_exit.tflite", ["tflite-runtime"])
    assert {r.outcome for r in report.results} == {"ok"}
    deaths = [c for c in report.cautions if "tflite-runtime: died at exit" in c]
    assert len(deaths) == 1
    assert "killed by SIGABRT" in deaths[0] or "killed by SIGSEGV" in deaths[0]


def test_plain_kernels_answer_if_xnnpack_fails_and_a_note_reports_it(tflites: Report) -> None:
    notes = {r.case.runtime: r.note or "" for r in tflites.results if r.case.artifact == "tflite_fails_on_xnnpack"}
    assert "XNNPACK" in notes["litert"]


def test_the_python_runtime_names_its_loader(graphs: Report) -> None:
    notes = {r.case.artifact: r.note or "" for r in graphs.results if r.case.runtime == PYTHON}
    assert "tf.compat.v1.saved_model.loader" in notes["optimizer_slots"]
    assert not notes["sparse_input"]
    assert not notes["scale"]


def test_the_c_api_and_python_agree_outcome_for_outcome_and_bit_for_bit(graphs: Report) -> None:
    def found(runtime: str) -> dict[tuple[str, str, str], tuple[str, str | None]]:
        own = [r for r in graphs.results if r.case.runtime == runtime]
        return {(r.case.artifact, r.case.signature, r.case.vector): (r.outcome, r.agreement) for r in own}

    by_python = found(PYTHON)
    assert len(by_python) > 100
    assert by_python == found("tensorflow")
    assert {agreement for _, agreement in by_python.values()} == {"identical"}


def test_no_graph_worker_died(graphs: Report) -> None:
    assert not [c for c in graphs.cautions if "died" in c]
