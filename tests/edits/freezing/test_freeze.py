"""Freezing without TensorFlow gives the answers of the model, and of the graph that TensorFlow freezes, bit for bit."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crossload
from crossload.artifacts.entries import artifacts_of, bindings_in
from crossload.artifacts.graphs import protos
from crossload.contract.manifest import FILE_NAME, Artifact, Manifest, Model, Vectors
from crossload.contract.signatures import Signature
from crossload.edits.freezing.refusal import NeedsTensorFlow
from crossload.errors import RunFailed
from crossload.inputs.requests import Requests
from crossload.releases.registrations import releases
from crossload.report.results import Report, Result
from crossload.runtimes import environments, registry, tf_process
from crossload.runtimes.supervisor import Supervisor
from crossload.runtimes.tf_process import Made, Step
from crossload.support import files
from crossload.verbs.convert.edges import Edge, way
from crossload.verbs.verify.record import record_with
from crossload.verbs.verify.verify import verify
from tests import CORPUS
from tests.environment import made_once, with_tensorflow

pytestmark = pytest.mark.slow

# Models that are frozen without TensorFlow. One that stops being so fails its test.
WITHOUT = (
    *("default_input", "graph_frozen", "graph_pbtxt", "graph_pinned_to_gpu", "graph_text_in_pb", "identity", "no_tags", "no_variables"),
    "other_argument_names",
    *("only_eval", "optimizer_slots", "pinned_to_gpu", "pinned_to_gpu_v1", "reference_variables", "scale", "several_signatures"),
    *("several_tag_sets", "slashes", "sparse_input"),
    *("assertion", "branches", "embedding", "loop", "recurrent", "several_results", "shape_of_a_variable"),
    *("checkpoint_branches", "checkpoint_branches_resources", "checkpoint_parts", "checkpoint_references", "checkpoint_resources"),
    *("saved_model", "graph", "checkpoint", "v1_frozen", "v1_saved_model"),
)
# Of these, what TensorFlow 2.21 does not freeze: its own conversion of float8 constants and of VariableShape fails.
NOT_BY_TENSORFLOW = ("identity", "shape_of_a_variable")
# Models that TensorFlow must freeze, and why.
WITH = {
    "counter": "AssignAddVariableOp does more with the variable",
    "graph_arg_retval": "the input 'x' is not a placeholder",
    "graph_table": "it keeps state that is not a variable (LookupTableFindV2)",
    "reference_output": "Assign changes, or needs as a reference, the variable 'total'",
    "session_state": "it keeps state that is not a variable (GetSessionHandle)",
    "text_table": "it keeps state that is not a variable",
    "text_table_v1": "it keeps state that is not a variable",
    "text_vectorization": "it keeps state that is not a variable",
    "word_table": "it keeps state that is not a variable",
}


@pytest.fixture(scope="session")
def models(corpus: Path, sources: Path, v1_models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every SavedModel, graph and checkpoint of the corpus, and those made for freezing, by name."""
    own = made_once(tmp_path_factory, "freezable", lambda folder: with_tensorflow(CORPUS / "make_freezable.py", folder))
    found = [*corpus.iterdir(), *own.iterdir(), *v1_models.iterdir(), *(sources / n for n in ("saved_model", "graph.pb", "checkpoint"))]
    return {p.stem: p for p in found if p.suffix in ("", ".pb", ".pbtxt")}


def edge_of(entry: Artifact) -> Edge:
    (edge,) = way(entry.format, "graph_def")
    return edge


def frozen_here(entry: Artifact, source: Path, target: Path) -> tuple[dict[str, Any] | None, str]:
    """The bindings of the graph that the edge's own edit made, or why TensorFlow must make it."""
    edit = edge_of(entry).edit
    assert edit
    try:
        return edit(source, target, {n: b.model_dump() for n, b in entry.bindings.items()}, {"tags": entry.tags}), ""
    except NeedsTensorFlow as reason:
        return None, str(reason)


class Frozen:
    """The corpus, each model frozen both ways, in one bundle whose vectors are the sources' answers."""

    def __init__(self, root: Path, models: dict[str, Path]) -> None:
        self.root, self.refusals = root, dict[str, str]()
        self.entries: dict[str, Artifact] = {}
        self.signatures: dict[str, Signature] = {}
        steps = []
        for name, path in models.items():
            subprocess.run(["cp", "-r", str(path), str(root / path.name)], check=True)
            found, own = artifacts_of(root / path.name, path.name)
            entry = found[0]  # the first MetaGraph
            own_steps = {n: b.model_dump() for n, b in entry.bindings.items()}
            self.entries[name] = entry.model_copy(update={"id": name, "bindings": {f"{name}/{n}": b for n, b in entry.bindings.items()}})
            self.signatures |= {f"{name}/{n}": own[n] for n in entry.bindings}
            here, why = frozen_here(entry, root / path.name, root / f"{name}.here.pb")
            if here is None:
                self.refusals[name] = why
            by = edge_of(entry).by
            assert not callable(by)
            options = {"tags": entry.tags}
            steps.append(Step(by, root / path.name, root / f"{name}.there.pb", name, own_steps, options, optional=True))
        self.there: Made = tf_process.run(steps, tf_process.python_with_tensorflow(), "the corpus")
        self.errors = dict(zip(models, self.there.errors, strict=True))

    def graphs(self) -> Iterator[Artifact]:
        """The frozen graphs: `<name> here` and `<name> there`, under the names that their sources have for inputs and outputs."""
        for name, entry in self.entries.items():
            for where in ("here", "there"):
                file = self.root / f"{name}.{where}.pb"
                if file.exists():
                    bound = {n: {**b.model_dump(), "key": None} for n, b in entry.bindings.items()}
                    yield Artifact(
                        id=f"{name} {where}",
                        format="graph_def",
                        path=file.name,
                        sha256=files.sha256(file),
                        bindings=bindings_in(file, bound),
                    )


@pytest.fixture(scope="session")
def frozen(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Frozen:
    return Frozen(tmp_path_factory.mktemp("frozen"), models)


@pytest.fixture(scope="session")
def report(frozen: Frozen) -> Report:
    """The frozen graphs against their sources' answers, in TensorFlow's C API."""
    runtime = registry.find(["tensorflow"])[0]
    vectors: list[Vectors] = []
    with Supervisor(runtime.name, environments.prepare(runtime.source)) as reference:
        for entry in frozen.entries.values():
            if entry.id not in ("counter", "session_state", "reference_output", "graph_table"):  # they keep state, or answer nothing
                added, learnt = record_with(reference, frozen.root, entry, frozen.signatures, Requests(count=4))
                vectors += added
                frozen.signatures |= learnt
        recorded = {v.signature for v in vectors}
        graphs = [a for a in frozen.graphs() if a.bindings.keys() <= recorded]
        signatures = {n: s for n, s in frozen.signatures.items() if n in recorded}
        sources = [e for e in frozen.entries.values() if e.bindings.keys() <= recorded]
        manifest = Manifest(model=Model(name="frozen"), signatures=signatures, artifacts=[*sources, *graphs], vectors=vectors)
        files.write_text(frozen.root / FILE_NAME, manifest.to_json())
        return verify(frozen.root, ["tensorflow"], artifacts=[a.id for a in graphs], alive={"tensorflow": reference})


def of(report: Report, artifact: str) -> list[Result]:
    found = [r for r in report.results if r.case.artifact == artifact]
    assert found
    return found


def test_every_model_of_the_corpus_is_on_one_of_the_two_lists(models: dict[str, Path]) -> None:
    assert models.keys() == {*WITHOUT, *WITH}


@pytest.mark.parametrize("name", WITHOUT)
def test_a_model_frozen_without_tensorflow_answers_as_before_and_as_the_graph_that_tensorflow_freezes(report: Report, name: str) -> None:
    for graph in [f"{name} here", *([f"{name} there"] if name not in NOT_BY_TENSORFLOW else [])]:
        assert {(r.outcome, r.agreement) for r in of(report, graph)} == {("ok", "identical")}, [r.error for r in of(report, graph)]


@pytest.mark.parametrize("name", WITH)
def test_a_model_that_is_not_covered_goes_to_tensorflow_with_the_reason(frozen: Frozen, name: str) -> None:
    assert WITH[name] in frozen.refusals[name]
    assert not (frozen.root / f"{name}.here.pb").exists()


def test_nothing_else_goes_to_tensorflow(frozen: Frozen) -> None:
    assert frozen.refusals.keys() == WITH.keys()


def test_a_check_of_the_input_still_fails_in_the_frozen_graph(frozen: Frozen) -> None:
    with crossload.load(frozen.root / "assertion.here.pb", outputs=["y=StatefulPartitionedCall:0"]) as model:
        signature = model.signature()
        np.testing.assert_array_equal(signature(serving_default_x=[[1.0, 2.0, 3.0]])["y"], [[2.0, 4.0, 6.0]])
        with pytest.raises(RunFailed, match="too large"):
            signature(serving_default_x=[[1.0, 2.0, 1e31]])


@pytest.mark.parametrize("where", ["here", "there"])
def test_no_frozen_graph_states_an_attribute_at_its_default_whichever_way_it_was_made(frozen: Frozen, where: str) -> None:
    """TensorFlow 1.15 refuses MatMul with grad_a, whatever its value."""
    found = []
    for file in frozen.root.glob(f"*.{where}.pb"):
        graph = protos.parse(file, protos.GraphDefProto, "GraphDef")
        for node in (*graph.node, *(n for f in graph.library.function for n in f.node_def)):
            definition = releases()[-1].op(node.op)
            defaults = {a.name: a.default_value for a in definition.attr if a.HasField("default_value")} if definition else {}
            found += [(file.name, node.op, name) for name, value in defaults.items() if name in node.attr and node.attr[name] == value]
    assert not found


def test_a_graph_has_the_same_names_inside_whichever_way_it_was_frozen(frozen: Frozen) -> None:
    """What TensorFlow's inliner adds (Func/…, variables read twice) has no counterpart, and is nobody's to ask for."""
    for name in ("scale", "saved_model", "several_signatures", "checkpoint_resources"):
        graphs = (protos.parse(frozen.root / f"{name}.{where}.pb", protos.GraphDefProto, "GraphDef") for where in ("here", "there"))
        here, there = ({n.name: n.op for n in graph.node if n.op != "Const"} for graph in graphs)
        assert here.items() <= there.items()
