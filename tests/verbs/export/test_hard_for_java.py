"""Models that are hard for Java (corpus/sources/java_models.py): what every release does with each, with the reason."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import crossload
from crossload.artifacts.entries import artifacts_of, bindings_in
from crossload.contract.bundle import open_bundle
from crossload.contract.datatypes import for_people
from crossload.contract.manifest import FILE_NAME, Artifact, Manifest, Model, Vectors
from crossload.contract.signatures import Signature
from crossload.edits import bundle_bridges, composites
from crossload.inputs.requests import Requests
from crossload.report.results import Report, Result
from crossload.runtimes import environments, registry, tf_process
from crossload.runtimes.supervisor import Supervisor
from crossload.runtimes.tf_process import Step
from crossload.support import files
from crossload.verbs.verify.record import record_with
from crossload.verbs.verify.verify import verify
from tests import SOURCES
from tests.runtimes.test_java_releases import CARRIED, PATTERNS, RELEASES

pytestmark = pytest.mark.slow
SOURCE = SOURCES / "java_models.py"
OK = ("ok",) * 6
YOUNGER_PARSER = "Op type not registered 'ParseExampleV2'"
# From 0.5 on Session.initialize runs the init op again after native TensorFlow did, and looks for the asset where the exporter had it.
ASSET = "words.txt; No such file or directory"
# Artifacts in the order of RELEASES; a text is the reason of a load_error.
ARTIFACTS = {
    "datatypes": OK,
    "datatypes_frozen": OK,
    "defaults": OK,
    "defaults_frozen": OK,
    "composites": OK,
    "composites_frozen": OK,
    "sparse_v1": OK,
    "sparse_v1_frozen": OK,
    "tables": (*OK[:3], ASSET, ASSET, ASSET),
    "tables_frozen": OK,
    "examples": (YOUNGER_PARSER, *OK[1:]),
    "examples@serve+tenfold": (YOUNGER_PARSER, *OK[1:]),
    "examples_frozen": (YOUNGER_PARSER, *OK[1:]),
}
MODELS = ("datatypes", "defaults", "composites", "sparse_v1", "tables", "examples")


def saved(folder: Path, names: Sequence[str] = MODELS) -> None:
    """The SavedModels, all made in one TensorFlow process; sparse and ragged tensors are their parts, as `export` has them."""
    steps = [
        Step(
            "export_source",
            SOURCE,
            folder / name,
            name,
            options={"function": name, "examples": str(folder / "none.npz")},
        )
        for name in names
    ]
    tf_process.run(steps, tf_process.python_with_tensorflow(), "the models")
    for name in names:
        composites.flatten(folder / name)


def described(folder: Path, names: Sequence[str] = MODELS) -> tuple[list[Artifact], dict[str, Signature]]:
    """The SavedModels as entries of one manifest, a signature's name behind that of its model."""
    entries: list[Artifact] = []
    signatures: dict[str, Signature] = {}
    for name in names:
        found, own = artifacts_of(folder / name, name)
        signatures |= {f"{name}/{key}": signature for key, signature in own.items()}
        for entry in found:
            bindings = {f"{name}/{key}": binding for key, binding in entry.bindings.items()}
            entries.append(entry.model_copy(update={"id": name + entry.id.removeprefix(entry.format), "bindings": bindings}))
    return entries, signatures


def frozen(folder: Path, entries: Sequence[Artifact]) -> list[Artifact]:
    """Frozen graphs of the first MetaGraphs, made in one TensorFlow process."""
    firsts = {entry.path: entry for entry in reversed(entries)}
    steps = [
        Step(
            "freeze_saved_model",
            folder / path,
            folder / f"{path}.pb",
            path,
            {name: binding.model_dump() for name, binding in entry.bindings.items()},
            {"tags": entry.tags},
        )
        for path, entry in firsts.items()
    ]
    made = tf_process.run(steps, tf_process.python_with_tensorflow(), "the models")
    return [
        Artifact(
            id=f"{path}_frozen",
            format="graph_def",
            path=f"{path}.pb",
            sha256=files.sha256(folder / f"{path}.pb"),
            bindings=bindings_in(folder / f"{path}.pb", bound),
        )
        for path, bound in zip(firsts, made.bindings, strict=True)
    ]


def bundled(folder: Path, entries: list[Artifact], graphs: list[Artifact], signatures: dict[str, Signature], reference: Supervisor) -> None:
    """One bundle of all, so that one worker a release does for all: recorded and bridged as `export` does it."""
    recorded: list[Vectors] = []
    for entry in entries:
        added, learnt = record_with(reference, folder, entry, signatures, Requests())
        recorded += added
        signatures |= learnt
    artifacts = [*entries, *graphs]
    bundle_bridges.build(folder, artifacts, signatures)
    manifest = Manifest(model=Model(name="hard"), signatures=signatures, artifacts=artifacts, vectors=recorded)
    files.write_text(folder / FILE_NAME, manifest.to_json())


@pytest.fixture(scope="module")
def alive() -> Iterator[dict[str, Supervisor]]:
    """Workers that are started once: the reference, and today's TensorFlow Java."""
    made = {}
    for name in ("tensorflow", "tensorflow-java"):
        runtime = registry.find([name])[0]
        made[name] = Supervisor(name, environments.prepare(runtime.source))
    yield made
    for supervisor in made.values():
        supervisor.close()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, alive: dict[str, Supervisor]) -> Path:
    """All models in one bundle, as SavedModels and as frozen graphs."""
    folder = tmp_path_factory.mktemp("hard")
    saved(folder)
    entries, signatures = described(folder)
    bundled(folder, entries, frozen(folder, entries), signatures, alive["tensorflow"])
    return folder


@pytest.fixture(scope="module")
def report(bundle: Path, alive: dict[str, Supervisor]) -> Report:
    """The bundle in all releases, and in the reference's own runtime."""
    return verify(bundle, ["tensorflow", *PATTERNS], alive=alive)


def of(report: Report, release: str, artifact: str | None = None, signature: str | None = None) -> list[Result]:
    found = [
        r
        for r in report.results
        if r.case.runtime == release and artifact in (None, r.case.artifact) and signature in (None, r.case.signature)
    ]
    assert found
    return found


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_an_artifact_has_the_expected_outcome(report: Report, artifact: str, release: str) -> None:
    expected = ARTIFACTS[artifact][list(RELEASES).index(release)]
    results = of(report, release, artifact)
    assert {r.outcome for r in results} == {"ok" if expected == "ok" else "load_error"}, {r.error for r in results}
    assert expected == "ok" or all(expected in str(r.error) for r in results)


def test_python_answers_each_with_a_bridge_in_it_as_before_bit_for_bit(report: Report) -> None:
    """The vectors were recorded before the bridges were built."""
    results = of(report, "tensorflow", "datatypes") + of(report, "tensorflow", "datatypes_frozen")
    assert {(r.outcome, r.agreement, r.note) for r in results} == {("ok", "identical", None)}


@pytest.mark.parametrize("release", RELEASES)
def test_a_datatype_comes_back_bit_for_bit_and_the_note_names_the_bridge(report: Report, bundle: Path, release: str) -> None:
    described = open_bundle(bundle).manifest.signatures
    for artifact in ("datatypes", "datatypes_frozen"):
        for name in (s for s in described if s.startswith("datatypes/")):
            own = {t.datatype for t in (*described[name].inputs, *described[name].outputs)}
            results = of(report, release, artifact, name)
            assert {(r.outcome, r.agreement) for r in results} == {("ok", "identical")}
            for result in results:
                crossed = [f"{for_people(d)} as " in str(result.note) for d in sorted(own - CARRIED[release])]
                assert all(crossed)
                assert bool(result.note) == bool(crossed)


@pytest.mark.parametrize("release", RELEASES)
def test_an_input_that_a_request_leaves_out_has_its_default(report: Report, bundle: Path, release: str) -> None:
    omitted = [v.id for v in open_bundle(bundle).vectors("defaults/serving_default") if not {"factor", "more"} & v.inputs.keys()]
    assert omitted
    results = [r for r in of(report, release, signature="defaults/serving_default") if r.case.vector in omitted]
    assert {(r.outcome, r.agreement) for r in results} == {("ok", "identical")}


def test_each_meta_graph_answers_for_itself(bundle: Path) -> None:
    """The second one's scores are five times the first one's; were one loaded for both, half of the vectors would not agree."""
    opened = open_bundle(bundle)
    for first, second in zip(opened.vectors("examples/regress"), opened.vectors("examples/regress@serve+tenfold"), strict=True):
        assert first.inputs["inputs"].tolist() == second.inputs["inputs"].tolist()
        assert np.allclose(5 * first.outputs["outputs"], second.outputs["outputs"])
    assert any(v.outputs["outputs"].any() for v in opened.vectors("examples/regress"))


def test_the_vectors_hold_keys_in_the_tables_and_keys_that_are_not(bundle: Path) -> None:
    opened = open_bundle(bundle)
    found = {name: np.concatenate([v.outputs[name] for v in opened.vectors("tables/words")]) for name in ("ids", "lines")}
    assert all({True, False} == set((values == -1).tolist()) for values in found.values()), found
    names = np.concatenate([v.outputs["names"] for v in opened.vectors("tables/numbers")])
    assert {b"?"} < set(names.tolist())


def test_a_table_with_a_wrong_value_is_a_mismatch(bundle: Path, alive: dict[str, Supervisor], tmp_path: Path) -> None:
    folder = tmp_path / "wrong"
    shutil.copytree(bundle, folder)
    file = folder / "tables.pb"
    damaged = file.read_bytes().replace(b"asset_", b"other_").replace(b"null", b"nil!").replace(b"eau", b"EAU")
    assert damaged != file.read_bytes()
    file.write_bytes(damaged)
    manifest = open_bundle(bundle).manifest
    entry = next(a for a in manifest.artifacts if a.id == "tables_frozen")
    entry.sha256 = files.sha256(file)
    files.write_text(folder / FILE_NAME, manifest.to_json())
    name = "tensorflow-java"
    found = verify(folder, [name], artifacts=("tables_frozen",), alive={name: alive[name]})
    wrong = {r.case.signature for r in found.results if r.outcome == "mismatch"}
    assert wrong == {"tables/words", "tables/numbers"}, [(r.case, r.outcome, r.error) for r in found.results]


def test_a_signature_of_int8_is_a_callable_in_java(bundle: Path) -> None:
    with crossload.load(bundle, runtime="tensorflow-java", artifact="datatypes") as model:
        given = np.array([[-128, 127], [1, 0]], np.int8)
        y = model.signatures["datatypes/int8"](x=given)["y"]
        assert (y.dtype, y.tolist()) == (np.int8, [[127, -128], [0, 1]])


def test_no_worker_died(report: Report) -> None:
    assert not [c for c in report.cautions if "died" in c]
