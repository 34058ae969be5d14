"""No wrong prediction: for every test model and every hazard, `check` predicts what each real release does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crossload.artifacts.entries import artifacts_of
from crossload.contract.bundle import open_bundle
from crossload.contract.manifest import Artifact
from crossload.contract.signatures import Signature
from crossload.errors import WorkerFailure
from crossload.inputs.requests import Requests, complete, draw
from crossload.runtimes import environments, registry
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from crossload.verbs.check.prediction import predict
from tests.corpus.checked_graphs import graph_of, saved_model
from tests.runtimes.test_java_releases import PATTERNS
from tests.verbs.verify.test_corpus import GRAPHS

pytestmark = pytest.mark.slow
RELEASES = [r.title for r in registry.find([*PATTERNS, "tensorflow@*", "tensorflow+python@*"])]
Loaded = tuple[Path, Artifact, dict[str, Signature]]


@pytest.fixture(scope="module")
def artifacts(corpus: Path, v1_models: Path, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Loaded]:
    """Every SavedModel and GraphDef of the corpus, of TensorFlow 1, of the demo, and one with a node in another process."""
    made = [p for p in sorted(corpus.iterdir()) if p.stem in {"identity", *GRAPHS}] + sorted(v1_models.iterdir())
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "saved_model"
    saved = saved_model(elsewhere, graph_of(device="/job:worker/task:1"))
    (elsewhere / "saved_model.pb").write_bytes(saved.SerializeToString())
    made.append(elsewhere)
    found = [(path, entry, signatures) for path in made for entries, signatures in [artifacts_of(path, path.name)] for entry in entries]
    bundle = open_bundle(demo)
    return found + [
        (bundle.path(a), a, bundle.manifest.signatures) for a in bundle.manifest.artifacts if a.format in ("saved_model", "graph_def")
    ]


def outcomes(supervisor: Supervisor, path: Path, entry: Artifact, signatures: dict[str, Signature]) -> Iterator[tuple[str, str, str]]:
    """What the runtime does with each signature, and its words."""
    tags = None if entry.tags is None else tuple(entry.tags)
    try:
        supervisor.load(ModelSource(path, entry.format, entry.bindings, tags))
    except WorkerFailure as failure:
        yield from ((name, failure.outcome, failure.message) for name in entry.bindings)
        return
    for name in entry.bindings:
        request = draw(signatures[name], Requests(count=1))[0]
        inputs = complete(signatures[name], request.inputs)
        try:
            supervisor.infer(name, inputs, [t.name for t in signatures[name].outputs])
            yield name, "ok", ""
        except WorkerFailure as failure:
            yield name, failure.outcome, failure.message


@pytest.mark.parametrize("title", RELEASES)
def test_every_prediction_is_what_the_release_does(artifacts: list[Loaded], title: str) -> None:
    runtime = registry.find([title])[0]
    wrong = []
    with Supervisor(runtime.name, environments.prepare(runtime.source), Limits()) as supervisor:
        for path, entry, signatures in artifacts:
            prediction = predict(path, title, tags=entry.tags, bindings=entry.bindings)
            for name, outcome, said in outcomes(supervisor, path, entry, signatures):
                if prediction.signatures[name] != outcome:
                    wrong.append(f"{path.name}/{name}: {prediction.signatures[name]} ({prediction.explanation()}), but {outcome}: {said}")
    assert not wrong, "\n".join(wrong)
