"""Handoff projects build and pass `mvn test` from a clean Maven repository, and fail on a wrong answer."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from crossload import export
from crossload.contract import vectors
from crossload.contract.bundle import open_bundle
from crossload.support import files
from crossload.verbs.handoff.handoff import handoff
from tests import SOURCES
from tests.attacks import hostile_bundle
from tests.verbs.handoff.java.maven import built, counted, maven

pytestmark = pytest.mark.slow
MODELS = SOURCES / "models.py"
_SPOTLESS = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>check</groupId><artifactId>check</artifactId><version>1</version><build><plugins><plugin><groupId>com.diffplug.spotless</groupId>
<artifactId>spotless-maven-plugin</artifactId><version>2.44.3</version><configuration><java><includes><include>*/client/src/**/*.java</include>
</includes><palantirJavaFormat><version>2.50.0</version></palantirJavaFormat><removeUnusedImports/></java></configuration>
</plugin></plugins></build></project>"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Maven repository that holds nothing: what a project needs must come from Maven Central or from its own lib/."""
    return tmp_path_factory.mktemp("repository")


def printed(output: str) -> dict[str, list[float]]:
    """What main said of each output."""
    found = re.findall(r"(?m)^  (\w+): \[([^\]]*)\]$", output)
    return {name: [float(v) for v in values.split(",")] for name, values in found}


def builds_and_prints(bundle: Path, project: Path, repository: Path, release: str = "1.1.0") -> None:
    """`mvn test` answers every vector, and main, through the typed client, the first one of each signature."""
    made = handoff(bundle, project, release=release)
    output = built(project, repository, "test", "exec:java")
    assert counted(output) == (made.vectors, 0, 0, 0)
    opened = open_bundle(project / "model")
    for signature in opened.manifest.signatures:
        for name, recorded in opened.vectors(signature)[0].outputs.items():
            np.testing.assert_allclose(printed(output)[name], recorded.ravel(), rtol=1e-4, atol=1e-6)


def test_the_demo(demo: Path, tmp_path: Path, repository: Path) -> None:
    builds_and_prints(demo, tmp_path / "project", repository)


def test_a_text_model_with_a_lookup_table(tmp_path: Path, repository: Path) -> None:
    bundle = export(f"{MODELS}:text_classifier", tmp_path / "text", formats=["saved_model"])
    builds_and_prints(bundle.root, tmp_path / "project", repository)


def test_a_model_of_two_signatures(tmp_path: Path, repository: Path) -> None:
    bundle = export(f"{MODELS}:module", tmp_path / "module", formats=["saved_model"])
    builds_and_prints(bundle.root, tmp_path / "project", repository)


def test_the_demo_in_the_java_of_tensorflow_1(demo: Path, tmp_path: Path, repository: Path) -> None:
    builds_and_prints(demo, tmp_path / "project", repository, "1.15.0")


def test_the_demo_in_the_oldest_release_of_todays_api(demo: Path, tmp_path: Path, repository: Path) -> None:
    builds_and_prints(demo, tmp_path / "project", repository, "0.3.3")


def test_a_project_without_recorded_answers_loads_the_model_and_says_what_it_takes(demo: Path, tmp_path: Path, repository: Path) -> None:
    handoff(demo, tmp_path / "project", without_vectors=True)
    handoff(demo, tmp_path / "sources" / "bare", without_vectors=True)
    output = built(tmp_path / "project", repository, "test", "exec:java")
    assert counted(output) == (1, 0, 0, 0)
    assert "serving_default: (pixels float32 [-1, 8, 8, 1]) -> (probabilities float32 [-1, 10])" in output
    (tmp_path / "sources" / "pom.xml").write_text(_SPOTLESS, encoding="utf-8")
    built(tmp_path / "sources", repository, "com.diffplug.spotless:spotless-maven-plugin:check")


def test_a_wrong_answer_fails_the_build_and_names_its_vector(demo: Path, tmp_path: Path, repository: Path) -> None:
    handoff(demo, tmp_path / "project")
    model = open_bundle(tmp_path / "project" / "model")
    recorded = model.vectors("serving_default")
    recorded[3].outputs = {"probabilities": recorded[3].outputs["probabilities"] + np.float32(1e-3)}
    file = model.root / model.manifest.vectors[0].path
    vectors.write(file, "serving_default", recorded)
    entry = model.manifest.vectors[0].model_copy(update={"sha256": files.sha256(file)})
    files.write_text(model.root / "crossload.json", model.manifest.model_copy(update={"vectors": [entry]}).to_json())
    status, output = maven(tmp_path / "project", repository, "test")
    assert (status != 0, counted(output)) == (True, (9, 1, 0, 0)), output[-6000:]
    assert recorded[3].id in output
    assert "mismatch" in output


def test_a_changed_model_fails_the_build(demo: Path, tmp_path: Path, repository: Path) -> None:
    handoff(demo, tmp_path / "project")
    with (tmp_path / "project/model/saved_model/variables/variables.data-00000-of-00001").open("r+b") as stream:
        stream.write(b"\x01")
    status, output = maven(tmp_path / "project", repository, "test")
    assert status != 0
    assert "sha256" in output, output[-6000:]


def test_generated_code_is_formatted_and_compiles_without_a_warning_whatever_the_names(
    demo: Path, tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crossload.verbs.handoff import carried_bundle

    bundle = hostile_bundle.write(tmp_path / "bundle")
    # Its graph is empty: preflight would rightly refuse it, and here it is only compiled.
    artifact = open_bundle(bundle).manifest.artifacts[0]
    monkeypatch.setattr(carried_bundle, "chosen", lambda *_: carried_bundle.Choice(artifact, tuple(hostile_bundle.SIGNATURES), {}))
    handoff(bundle, tmp_path / "sources" / "hostile")
    monkeypatch.undo()
    handoff(demo, tmp_path / "sources" / "demo")
    built(tmp_path / "sources" / "hostile", repository, "test-compile")
    (tmp_path / "sources" / "pom.xml").write_text(_SPOTLESS, encoding="utf-8")
    built(tmp_path / "sources", repository, "com.diffplug.spotless:spotless-maven-plugin:check")
