"""What every release of TensorFlow Java (including TensorFlow 1's) loads, refuses and carries."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossload.contract.datatypes import for_people, numpy_dtype
from crossload.inputs.requests import Requests
from crossload.report.results import Report
from crossload.runtimes import environments, registry
from crossload.runtimes.selftest import certify
from crossload.runtimes.supervisor import Limits, Supervisor
from crossload.verbs.verify import record
from crossload.verbs.verify.verify import verify
from tests.verbs.verify.test_corpus import bundle

pytestmark = pytest.mark.slow
OLDER = ("sparse_input", "text_table_v1")  # models of TensorFlow 1 in the corpus

LEGACY = "tensorflow-java-legacy"
PATTERNS = [LEGACY, "tensorflow-java@*"]
# Releases as reports name them, and the TensorFlow inside.
RELEASES = {
    LEGACY: "1.15.0",
    "tensorflow-java@0.3.3": "2.4.1",
    "tensorflow-java@0.4.2": "2.7.4",
    "tensorflow-java@0.5.0": "2.10.1",
    "tensorflow-java@1.0.0": "2.16.2",
    "tensorflow-java": "2.18.0",
}
YOUNGER_ATTRIBUTE = "NodeDef mentions attr 'debug_name' not in Op<name=VarHandleOp"
YOUNGER_OP = "Op type not registered 'DisableCopyOnRead'"
# From 0.4 on the Java layer looks a sparse input up by its plain name, which is empty; native TensorFlow loads the model.
SPARSE = 'Input "x"\'s operand "" does not exist on the graph'
# From 0.5 on Session.initialize runs the init op again after native TensorFlow did, without the asset's new path.
ASSET = "text_table_v1.words.txt; No such file or directory"
# In the order of RELEASES; a text is the reason of a load_error.
MODELS = {
    "v1_frozen": ("ok", "ok", "ok", "ok", "ok", "ok"),
    "v1_saved_model/several_inputs": ("ok", "ok", "ok", "ok", "ok", "ok"),
    "v1_saved_model/strings": ("ok", "ok", "ok", "ok", "ok", "ok"),
    "sparse_input": ("ok", "ok", SPARSE, SPARSE, SPARSE, SPARSE),
    "text_table_v1": (
        *("NodeDef mentions attr 'offset' not in Op<name=InitializeTableFromTextFileV2",) * 2,
        *("ok", ASSET, ASSET, ASSET),
    ),
}
KERAS_3 = {
    "saved_model": (YOUNGER_ATTRIBUTE, YOUNGER_ATTRIBUTE, YOUNGER_OP, "ok", "ok", "ok"),
    "graph_def": ("ok", "ok", "ok", "ok", "ok", "ok"),
}
EVERYWHERE = {"BOOL", "BYTES", "FP32", "FP64", "INT32", "INT64", "UINT8"}
CARRIED = dict(
    zip(
        RELEASES,
        (EVERYWHERE, *[EVERYWHERE | {"FP16", "BF16"}] * 2, *[EVERYWHERE | {"FP16", "BF16", "UINT16"}] * 3),
        strict=True,
    )
)
DATATYPES = sorted(EVERYWHERE | {"FP16", "BF16", "UINT16", "INT8", "INT16", "UINT32", "UINT64", "COMPLEX64", "COMPLEX128"})


@pytest.fixture(scope="module")
def models(corpus: Path, v1_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Models of TensorFlow 1, by all releases."""
    folder = tmp_path_factory.mktemp("models")
    for path in (*v1_models.iterdir(), *(corpus / name for name in OLDER)):
        (folder / path.name).symlink_to(path)
    runtime = registry.find(["tensorflow"])[0]
    launch = environments.prepare(runtime.source)
    with Supervisor(runtime.name, launch) as reference:
        made = bundle(
            folder,
            tmp_path_factory.mktemp("bundle"),
            ["v1_frozen", "v1_saved_model", *OLDER],
            lambda root, artifact, named: record.record_with(reference, root, artifact, named, Requests(count=3)),
        )
    return verify(made, PATTERNS)


@pytest.fixture(scope="module")
def keras_3(demo: Path) -> Report:
    """A Keras 3 model of today's TensorFlow, and its frozen graph, by all releases."""
    return verify(demo, PATTERNS)


def expect(report: Report, model: str, release: str, expected: str) -> None:
    """Every result of the model (an artifact, or a signature of it) is `ok`, or a load_error with the expected reason."""
    results = [r for r in report.results if r.case.runtime == release and model in (r.case.artifact, r.case.signature)]
    assert {r.outcome for r in results} == {"ok" if expected == "ok" else "load_error"}, {r.error for r in results}
    assert expected == "ok" or all(expected in str(r.error) for r in results)


def test_a_pattern_chooses_all_releases(keras_3: Report) -> None:
    assert list(keras_3.columns) == list(RELEASES)
    assert {str(r["runtime"]): r["native"] for r in keras_3.runtimes} == {r: f"TensorFlow {v}" for r, v in RELEASES.items()}


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("model", MODELS)
def test_a_model_of_tensorflow_1_has_the_expected_outcome(models: Report, model: str, release: str) -> None:
    expect(models, model, release, MODELS[model][list(RELEASES).index(release)])


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("artifact", KERAS_3)
def test_a_keras_3_model_has_the_expected_outcome(keras_3: Report, artifact: str, release: str) -> None:
    expect(keras_3, artifact, release, KERAS_3[artifact][list(RELEASES).index(release)])


@pytest.mark.parametrize("release", RELEASES)
def test_a_datatype_comes_back_bit_for_bit_or_is_unsupported_with_its_reason(models: Report, release: str) -> None:
    said = {}
    for datatype in DATATYPES:
        signature = f"v1_saved_model/{'string' if datatype == 'BYTES' else numpy_dtype(datatype).name}"
        results = [r for r in models.results if r.case.runtime == release and r.case.signature == signature]
        said[datatype] = {(r.outcome, r.agreement, r.error) for r in results}
    version = registry.find([release])[0].version
    expected = {
        d: ("ok", "identical", None)
        if d in CARRIED[release]
        else ("unsupported", None, f"TensorFlow Java {version} has no tensor type for {for_people(d)}")
        for d in DATATYPES
    }
    assert said == {d: {e} for d, e in expected.items()}


@pytest.mark.parametrize("release", RELEASES)
def test_a_release_is_certified(release: str) -> None:
    runtime = registry.find([release])[0]
    about, not_carried = certify(runtime, Limits())
    assert about.startswith(f"{runtime.name} {runtime.version}, Java ")
    assert not not_carried


def test_no_worker_died(models: Report, keras_3: Report) -> None:
    assert not [c for c in (*models.cautions, *keras_3.cautions) if "died" in c]
