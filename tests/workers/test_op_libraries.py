"""Models with custom ops run in TensorFlow's workers with the library that the user names, and a library that does not fit is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from tensorboard.compat.proto.graph_pb2 import GraphDef

from crossload.contract.sidecar import sidecar_of
from crossload.errors import CrossloadError
from crossload.support import files
from crossload.verbs.convert.convert import convert
from crossload.verbs.export.export import export
from crossload.verbs.verify.verify import verify
from tests import environment
from tests.workers.conversation import Conversation, Response

pytestmark = pytest.mark.slow

GRAPH = """
node {
  name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_INT32 } }
  attr { key: "shape" value { shape { dim { size: 3 } } } }
}
node { name: "y" op: "AddFortyTwo" input: "x" }
"""
RUNTIMES = ["tensorflow", "tensorflow+python"]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library as users build theirs, with TensorFlow's own headers."""
    compiler, tensorflow = shutil.which("g++"), environment.tensorflow_libraries()
    if compiler is None:
        pytest.skip("there is no C++ compiler on this machine (Debian: apt-get install g++)")

    def make(folder: Path) -> None:
        source, flags = Path(__file__).with_name("add_forty_two.cc"), ["-std=c++17", "-w", "-shared", "-fPIC"]
        link = [f"-L{tensorflow}", "-l:libtensorflow_framework.so.2"]
        subprocess.run([compiler, *flags, f"-I{tensorflow}/include", "-o", str(folder / "ops.so"), str(source), *link], check=True)

    return environment.made_once(tmp_path_factory, "ops", make) / "ops.so"


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    (tmp_path / "graph.pb").write_bytes(text_format.Parse(GRAPH, GraphDef()).SerializeToString())
    return tmp_path / "graph.pb"


def test_a_custom_op_is_recorded_and_compared_with_its_library(graph: Path, library: Path) -> None:
    runtimes = [*RUNTIMES, "tensorflow-java"]
    report = verify(graph, runtimes, load_options={"op_libraries": [str(library)]})
    assert report.exit_status == 0
    assert {(r.case.runtime, r.outcome, r.agreement) for r in report.results} == {(name, "ok", "identical") for name in runtimes}


def test_convert_and_export_load_the_library_and_record_its_name_and_hash(graph: Path, library: Path, tmp_path: Path) -> None:
    options = {"op_libraries": [str(library)]}
    made = convert(graph, tmp_path / "saved", options=options)
    assert made.report and made.report.exit_status == 0
    recorded = {f"op_library {library.name}": files.sha256(library)}
    assert json.loads(sidecar_of(tmp_path / "saved").read_text())["producer"] == recorded
    bundle = export(str(tmp_path / "saved"), tmp_path / "bundle", formats=["saved_model", "graph_def"], load_options=options)
    assert recorded.items() <= bundle.manifest.producer.items()
    with pytest.raises(CrossloadError, match="--op-library loads"):
        convert(graph, tmp_path / "without")
    cautions = verify(tmp_path / "bundle", ["tensorflow"], load_options=options).cautions
    assert not any("op library" in c for c in cautions)
    assert any("name it with --op-library FILE.so" in c for c in verify(tmp_path / "bundle", ["tensorflow"]).cautions)


@pytest.mark.parametrize("in_c", [False, True])
def test_its_answer_is_the_ops(graph: Path, library: Path, in_c: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    worker = Conversation(environment.launch_of_c(tmp_path_factory) if in_c else environment.launch_of("tensorflow"))
    for _ in range(2):  # the second time, the library is loaded already
        assert load(worker, graph, library).code is None
    assert worker.infer("s", x=np.int32([1, 2, -42])).outputs["y"].tolist() == [43, 44, 0]
    refused = load(worker, graph, Path(__file__))
    assert refused.code == "INVALID_ARGUMENT" and __file__ in refused.error
    assert worker.end() == 0, worker.stderr()


@pytest.mark.parametrize("tensorflow", RUNTIMES, indirect=True)
def test_a_library_that_does_not_fit_is_refused_and_the_worker_lives(
    tensorflow: Conversation, graph: Path, library: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.so").write_text("REGISTER_OP")
    (tmp_path / "cut.so").write_bytes(library.read_bytes()[:3000])
    (tmp_path / "other.c").write_text("void made_for_another_release(void); void *needs = made_for_another_release;")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(tmp_path / "other.so"), str(tmp_path / "other.c")], check=True)
    for name, words in (
        ("nowhere.so", "cannot be read: No such file or directory"),
        ("text.so", "is no shared library; --op-library takes the .so that registers the ops"),
        ("cut.so", "is cut off; copy or build it again"),
        ("other.so", "undefined symbol: made_for_another_release; build it with this release's headers (tf.sysconfig.get_include())"),
    ):
        answer = load(tensorflow, graph, tmp_path / name)
        assert answer.code == "INVALID_ARGUMENT" and f"{tmp_path}/{name}" in answer.error and words in answer.error


def load(worker: Conversation, graph: Path, library: Path) -> Response:
    """Load the graph after the library."""
    signatures = {"s": {"key": None, "inputs": {"x": "x"}, "outputs": {"y": "y"}}}
    options = {"op_libraries": [str(library)]}
    parameters = {"path": str(graph), "format": "graph_def", "signatures": signatures, "options": options}
    return worker.ask("RepositoryModelLoad", model_name="m", parameters=parameters)
