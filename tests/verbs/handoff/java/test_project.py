"""The generated project: its content, and the errors before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from crossload.cli import main
from crossload.contract.bundle import open_bundle
from crossload.errors import CrossloadError, ManifestError
from crossload.runtimes.registry import one
from crossload.verbs.handoff import carried_bundle
from crossload.verbs.handoff.handoff import handoff
from crossload.verbs.handoff.java import records
from tests.attacks import hostile_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return hostile_bundle.write(tmp_path / "bundle")


def methods(bundle: Path) -> dict[str, records.Method]:
    opened = open_bundle(bundle)
    signatures = opened.manifest.signatures
    return {m.key: m for m in records.methods(signatures, {key: opened.vectors(key) for key in signatures})}


def test_java_types_are_an_array_if_its_length_gives_the_shape_a_value_for_a_scalar_else_a_tensor(bundle: Path) -> None:
    made = methods(bundle)["serving_default"]
    assert {c.name: c.type for c in made.inputs} == {
        "class": "float[]",
        "1st": "long",
        "1-st": "String[]",
        "größe": "boolean[]",
        "raw": "byte[][]",
        "threshold": "Float",
        "free": "HostTensor",
        "image": "byte[]",
    }
    assert [c.type for c in made.outputs] == ["float[]", "float", "HostTensor", "byte[]"]
    assert [str(c.to_tensor) for c in made.inputs if c.name in ("1st", "image")] == [
        "HostTensor.over(new long[] {inputs._1st()})",
        'HostTensor.over(Datatype.UINT8, inputs.image(), free("image", inputs.image().length, 48), 4, 4, 3)',
    ]


def test_an_input_with_two_free_dimensions_may_be_given_in_rows(bundle: Path) -> None:
    made = methods(bundle)["rows"]
    assert [c.declaration_of_rows for c in made.inputs] == [
        "int[][] inputIds",
        "long[][] allValues_",
        "String[][] words",
        "HostTensor raw",
        "byte[][] unsigned",
        "byte[][] signed",
        "double[][] weights",
        "String label",
    ]
    assert [str(a) for a in made.with_rows][4:6] == ['Rows.of(Datatype.UINT8, "unsigned", unsigned)', 'Rows.of("signed", signed)']
    assert made.with_defaults[6] == "(HostTensor) null"


def test_an_output_whose_shape_its_length_does_not_tell_keeps_it(bundle: Path) -> None:
    assert {c.name: c.type for c in methods(bundle)["rows"].outputs} == {"hidden": "HostTensor", "label": "String", "that": "HostTensor"}


def test_the_generated_request_of_hard_bytes_does_not_make_a_text_bytes() -> None:
    import numpy as np

    from crossload.contract.signatures import Signature, TensorSpec
    from crossload.contract.vectors import Vector

    text = Signature((TensorSpec("text", "BYTES", (-1,)),), ())
    hard, plain = np.array([b"\xff\xfe"], object), np.array(["naïve".encode()], object)
    (made,) = records.methods({"s": text}, {"s": [Vector("single_0", {"text": plain}), Vector("bytes", {"text": hard})]})
    assert made.inputs[0].type == "String[]"
    (made,) = records.methods({"s": text}, {"s": [Vector("own", {"text": hard})]})
    assert made.inputs[0].type == "byte[][]"


def test_an_input_with_a_default_may_be_left_out(bundle: Path) -> None:
    made = methods(bundle)["only-optional"]
    assert (made.required, made.with_defaults) == ((), ("null",))
    assert "null: the default (1, 2)" in made.inputs[0].description


def test_a_path_that_is_not_a_bundle_is_refused_with_the_next_step(tmp_path: Path, bundle: Path) -> None:
    with pytest.raises(ManifestError, match="does not exist; name a bundle"):
        handoff(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(ManifestError, match=r"not a bundle \(it has no crossload.json\); make one: crossload export"):
        handoff(bundle / "frozen_graph.pb", tmp_path / "out")
    (bundle / "frozen_graph.pb").write_bytes(b"changed")
    with pytest.raises(ManifestError, match="not the file that was exported"):
        handoff(bundle, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_bundle_without_answers_is_refused(tmp_path: Path, bundle: Path) -> None:
    manifest = open_bundle(bundle).manifest
    (bundle / "crossload.json").write_text(manifest.model_copy(update={"vectors": []}).to_json(), encoding="utf-8")
    with pytest.raises(ManifestError, match="holds no recorded answers"):
        handoff(bundle, tmp_path / "out")


def test_an_unknown_release_an_invalid_package_and_another_language_are_refused(tmp_path: Path, bundle: Path) -> None:
    with pytest.raises(CrossloadError, match=r"handoff does not know release '2.0'.*1\.15\.0, 0\.3\.3, 0\.4\.2, 0\.5\.0, 1\.0\.0, 1\.1\.0"):
        handoff(bundle, tmp_path / "out", release="2.0")
    with pytest.raises(CrossloadError, match="'class' is not a valid name in it"):
        handoff(bundle, tmp_path / "out", package="com.class")
    with pytest.raises(CrossloadError, match="no handoff to 'go'; there are: java, c, tflm, android"):
        handoff(bundle, tmp_path / "out", to="go")


def test_a_model_that_keeps_state_is_handed_over_with_its_answers(tmp_path: Path, bundle: Path) -> None:
    opened = open_bundle(bundle)
    kept = [v.model_copy(update={"state": "AssignAddVariableOp"}) for v in opened.manifest.vectors]
    with pytest.raises(
        CrossloadError, match=r"serving_default depends on earlier calls \(AssignAddVariableOp\); leave out --without-vectors"
    ):
        carried_bundle.without_vectors(opened, opened.manifest.model_copy(update={"vectors": kept}))
    assert carried_bundle.without_vectors(opened, opened.manifest).vectors == []


def test_only_java_can_do_without_recorded_answers(tmp_path: Path, bundle: Path) -> None:
    refused = CliRunner().invoke(main, ["handoff", str(bundle), "--to", "c", "-o", str(tmp_path / "out"), "--without-vectors"])
    assert (refused.exit_code, "--without-vectors is of --to java, and this is --to c" in refused.output) == (2, True)


@pytest.mark.slow
def test_no_byte_of_a_recorded_request_is_in_a_project_without_vectors(demo: Path, tmp_path: Path) -> None:
    made = handoff(demo, tmp_path / "project", without_vectors=True)
    assert made.vectors == 0
    assert "only loads the model" in made.notes[0]
    asked = open_bundle(demo).vectors("serving_default")[0]
    texts = [p.read_bytes() for p in (tmp_path / "project").rglob("*") if p.is_file()]
    assert not [t for t in texts if asked.inputs["pixels"].tobytes() in t]
    assert open_bundle(tmp_path / "project" / "model").manifest.vectors == []
    assert not (tmp_path / "project" / "model" / "vectors").exists()


@pytest.mark.slow
def test_an_artifact_that_java_does_not_load_or_that_does_not_exist_is_refused(demo: Path) -> None:
    opened, java = open_bundle(demo), one("tensorflow-java")
    with pytest.raises(CrossloadError, match="only saved_model and graph_def, not tflite"):
        carried_bundle.chosen(opened, java, "tflite")
    with pytest.raises(CrossloadError, match="no artifact 'graphdef'; near it are 'graph_def'"):
        carried_bundle.chosen(opened, java, "graphdef")


@pytest.mark.slow
def test_the_artifact_is_the_first_that_the_release_runs_as_preflight_says(demo: Path) -> None:
    opened = open_bundle(demo)
    chosen = {v: carried_bundle.chosen(opened, one(v), None).artifact.id for v in ("tensorflow-java@1.1.0", "tensorflow-java@0.3.3")}
    assert chosen == {"tensorflow-java@1.1.0": "saved_model", "tensorflow-java@0.3.3": "graph_def"}
    with pytest.raises(CrossloadError, match=r"--runtime tensorflow-java@0\.3\.3"):
        carried_bundle.chosen(opened, one("tensorflow-java@0.3.3"), "saved_model")


@pytest.fixture
def project(demo: Path, tmp_path: Path) -> Path:
    done = CliRunner().invoke(main, ["handoff", str(demo), "--to", "java", "-o", str(tmp_path / "project"), "--package", "org.acme.digits"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == f"next: mvn -f {tmp_path / 'project'} test"
    return tmp_path / "project"


@pytest.mark.slow
def test_the_project_holds_a_bundle_of_its_own_with_the_one_artifact(project: Path, demo: Path) -> None:
    handed, source = open_bundle(project / "model").manifest, open_bundle(demo).manifest
    assert [a.id for a in handed.artifacts] == ["saved_model"]
    own = {"serving_default"}  # the quantised variant's signature is not the SavedModel's
    assert handed.signatures == {n: s for n, s in source.signatures.items() if n in own}
    assert (handed.vectors, handed.tolerance) == ([v for v in source.vectors if v.signature in own], source.tolerance)
    assert {p.name for p in (project / "model").iterdir()} == {"crossload.json", "saved_model", "vectors"}
    assert (project / "client/src/main/java/org/acme/digits/DigitsClient.java").is_file()


@pytest.mark.slow
def test_overwrite_replaces_a_handoff_and_nothing_else(project: Path, demo: Path) -> None:
    (project / "own.txt").touch()
    arguments = ["handoff", str(demo), "--to", "java", "-o", str(project)]
    refused = CliRunner().invoke(main, arguments)
    assert (refused.exit_code, "--overwrite replaces it" in refused.output) == (2, True)
    assert CliRunner().invoke(main, [*arguments, "--overwrite"]).exit_code == 0
    assert not (project / "own.txt").exists()
    shutil.rmtree(project / "model")
    refused = CliRunner().invoke(main, [*arguments, "--overwrite"])
    assert (refused.exit_code, "is not a handoff" in refused.output) == (2, True)
    assert (project / "pom.xml").is_file()
