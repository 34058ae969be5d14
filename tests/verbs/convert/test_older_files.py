"""Files of TensorFlow 1's APIs and Keras 2 are shown, loaded and converted today, and give the answers recorded then."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import crossload
from crossload import artifacts
from crossload.errors import CrossloadError
from crossload.verbs.convert.convert import Converted, convert
from tests import CORPUS
from tests.environment import launch_of

pytestmark = pytest.mark.slow
CHECKPOINTS = ("v1", "v2", "v1_sharded", "v2_sharded", "version", "collections", "bare")
SAVED_MODELS = ("tags", "simple")
SHARDED = tuple(f"v1_sharded/model.ckpt-7{suffix}" for suffix in ("", ".meta", "-00001-of-00002"))
ALL = (*CHECKPOINTS, *SAVED_MODELS, "keras.h5")
TAGS = (("serve",), ("serve", "gpu"), ("train",))


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that make_older_files.py fills, in TensorFlow 2.15.1."""
    folder = tmp_path_factory.mktemp("older")
    command = [launch_of("tensorflow+python@2.15.1").argv[0], str(CORPUS / "make_older_files.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@dataclass(frozen=True)
class Recorded:
    """A request and the answer to it when the file was written."""

    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]

    def agrees(self, answer: Mapping[str, np.ndarray]) -> None:
        for name, expected in self.outputs.items():
            np.testing.assert_allclose(answer[name], expected, rtol=1e-5, atol=1e-7)


@pytest.fixture(scope="module")
def recorded(old: Path) -> dict[str, Recorded]:
    answers = json.loads((old / "answers.json").read_text())
    flat = {f"tags {tags}": answer for tags, answer in answers.pop("tags").items()} | answers
    return {
        name: Recorded({a["input"]: np.float32(a["rows"])}, {n: np.float32(o) for n, o in a["outputs"].items()}) for name, a in flat.items()
    }


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


@pytest.fixture(scope="module")
def loaded(old: Path, recorded: dict[str, Recorded], pool: ThreadPoolExecutor) -> dict[str, Future[tuple[dict[str, np.ndarray], str]]]:
    """What each file answers to the recorded request, and each MetaGraph of the one with tags; how it was loaded."""
    cases: dict[str, tuple[Path, tuple[str, ...] | None]] = {name: (old / name, None) for name in ALL if name != "tags"}
    cases |= {name: (old / name, None) for name in SHARDED}
    cases |= {f"tags {','.join(tags)}": (old / "tags", tags) for tags in TAGS}
    inputs = recorded["v2"].inputs  # of all the same
    return {name: pool.submit(ask, path, tags, inputs) for name, (path, tags) in cases.items()}


def ask(path: Path, tags: tuple[str, ...] | None, inputs: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], str]:
    with crossload.load(path, "tensorflow", tags=tags) as model:
        # The signatures of a second MetaGraph have its tags behind their names.
        signature = next(s for name, s in model.signatures.items() if name.startswith("serving_default"))
        return signature(**inputs), model.note or ""


@pytest.fixture(scope="module")
def converted(old: Path, pool: ThreadPoolExecutor, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[Converted]]:
    """A frozen graph of each, verified against its source."""
    folder = tmp_path_factory.mktemp("converted")
    tags = {"tags": ("serve", "gpu")}
    return {name: pool.submit(convert, old / name, folder / f"{name}.pb", tags=tags.get(name)) for name in ALL}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_an_older_checkpoint_is_read_with_its_optimizer_s_slots(old: Path, name: str) -> None:
    shown = artifacts.read(old / name).to_json()
    variables = {v["name"]: v["shape"] for v in shown["variables"]}
    assert (variables["head/kernel"], variables["hidden/kernel/Adam_1"], variables["global_step"]) == ([5, 3], [4, 5], [])


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_the_meta_of_an_older_checkpoint_states_the_graph_s_inputs_and_outputs(old: Path, name: str) -> None:
    graph = artifacts.graph_of(old / name)
    assert {t.name for t in graph.inputs} == {"x"}
    assert {t.name for t in graph.outputs} == {"probabilities"}


def test_every_tag_set_of_an_older_saved_model_is_read(old: Path) -> None:
    shown = artifacts.read(old / "tags").to_json()
    assert [m["tags"] for m in shown["meta_graphs"]] == [list(tags) for tags in TAGS]


@pytest.mark.parametrize("name", [n for n in (*ALL, *(f"tags {','.join(t)}" for t in TAGS)) if n != "tags"])
def test_an_older_file_answers_as_it_did_when_it_was_written(
    loaded: dict[str, Future[tuple[dict[str, np.ndarray], str]]], recorded: dict[str, Recorded], name: str
) -> None:
    recorded[name].agrees(loaded[name].result()[0])


@pytest.mark.parametrize("name", SHARDED)
def test_a_v1_checkpoint_in_several_files_is_loaded_by_its_prefix_its_meta_and_any_of_its_files(
    loaded: dict[str, Future[tuple[dict[str, np.ndarray], str]]], recorded: dict[str, Recorded], name: str
) -> None:
    recorded["v1_sharded"].agrees(loaded[name].result()[0])


@pytest.mark.parametrize(
    ("name", "says"),
    # The C API imports the graph whatever version import_meta_graph would refuse.
    [("version", ""), ("bare", "restored by their names"), ("v2", "")],
)
def test_a_meta_of_an_odd_version_or_without_a_saver_loads_and_a_note_says_how(
    loaded: dict[str, Future[tuple[dict[str, np.ndarray], str]]], name: str, says: str
) -> None:
    note = loaded[name].result()[1]
    assert says in note
    assert bool(says) == bool(note)


@pytest.mark.parametrize("name", ALL)
def test_an_older_file_becomes_a_frozen_graph_that_answers_as_it_does(converted: dict[str, Future[Converted]], name: str) -> None:
    made = converted[name].result()
    assert made.report
    assert made.report.exit_status == 0
    assert {r.outcome for r in made.report.results} == {"ok"}


@pytest.mark.parametrize("name", ["v1_sharded", "version", "bare", "tags", "keras.h5"])
def test_the_frozen_graph_of_an_older_file_answers_what_was_recorded(
    converted: dict[str, Future[Converted]], recorded: dict[str, Recorded], name: str
) -> None:
    which = "tags serve,gpu" if name == "tags" else name
    recorded[which].agrees(ask(converted[name].result().path, None, recorded[which].inputs)[0])


def test_a_file_of_weights_alone_says_that_it_needs_its_source(old: Path, tmp_path: Path) -> None:
    with pytest.raises(CrossloadError, match="--weights"):
        convert(old / "keras.weights.h5", tmp_path / "w.pb")
