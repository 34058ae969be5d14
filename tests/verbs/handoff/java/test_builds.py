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
from tests.verbs.handoff.java import hostile
from tests.verbs.handoff.java.maven import built, counted, maven

pytestmark = pytest.mark.slow
MODELS = SOURCES / "models.py"
_SPOTLESS = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>check</groupId><artifactId>check</artifactId><version>1</version><build><plugins><plugin><groupId>com.diffplug.spotless</groupId>
<artifactId>spotless-maven-plugin</artifactId><version>2.44.3</version><configuration><java><includes><include>*/client/src/**/*.java</include>
</includes><palantirJavaFormat><version>2.50.0</version></palantirJavaFormat><removeUnusedImports/></java></configuration>
</plugin></plugins></build></project>"""


# The model's score is twice the sum of the first age, all visits and the number of the word: 2 * (1.5 + 7 + 1).
_EXAMPLE_TEST = """package org.acme.parsing;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class ExampleTest {
    @Test
    void anExampleIsParsed() {
        byte[] example = new ParsingExample().age(1.5f, 100).kind("gut").visits(3, 4).toBytes();
        byte[] fewer = new ParsingExample().age(1.5f, 100).kind("gut").toBytes();
        try (ParsingClient client = ParsingClient.open(Path.of("model"))) {
            var inputs = new ParsingClient.RegressInputs(new byte[][] {example, fewer});
            assertArrayEquals(new float[] {19, 5}, client.regress(inputs).outputs());
        }
    }
}
"""


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


def test_generated_code_is_formatted_and_has_no_warning_whatever_the_names(demo: Path, tmp_path: Path, repository: Path) -> None:
    project = hostile.project(tmp_path / "sources")
    handoff(demo, tmp_path / "sources" / "demo")
    built(project, repository, "test-compile")
    (tmp_path / "sources" / "pom.xml").write_text(_SPOTLESS, encoding="utf-8")
    built(tmp_path / "sources", repository, "com.diffplug.spotless:spotless-maven-plugin:check")


def test_a_model_of_tf_examples_is_asked_with_examples_that_the_client_makes(tmp_path: Path, repository: Path) -> None:
    bundle = export(f"{SOURCES / 'java_models.py'}:examples", tmp_path / "parsing", formats=["saved_model"])
    project = handoff(bundle.root, tmp_path / "project", package="org.acme.parsing").root
    test = project / "client/src/test/java/org/acme/parsing/ExampleTest.java"
    test.write_text(_EXAMPLE_TEST, encoding="utf-8")
    assert "Failures: 0, Errors: 0, Skipped: 0" in built(project, repository, "test", "-Dtest=ExampleTest")
