"""Costs: every pair of an artifact and a runtime has figures, or the reason why it has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import crossload
from crossload.cli import main
from crossload.errors import CrossloadError, WorkerFailure
from crossload.inputs.requests import Requests
from crossload.runtimes import registry
from crossload.runtimes.supervisor import Limits, Supervisor
from crossload.verbs.profile import arena, targets
from crossload.verbs.profile.costs import Cost, compare
from crossload.verbs.profile.operators import OperatorTime
from tests.corpus.handmade import Lite
from tests.environment import launch_of

QUICK = {"seconds": 0.1}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A .tflite that the fakes take."""
    path = tmp_path / "model.tflite"
    path.write_bytes(Lite().build())
    return path


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["profile", *map(str, arguments)])


def test_a_model_has_every_figure(model: Path, configure: Callable[..., None]) -> None:
    configure(fake="honest")
    found = crossload.profile(model, ["fake"], **QUICK)  # type: ignore[arg-type]
    (cost,) = found.costs
    assert (cost.artifact, cost.runtime, cost.outcome, cost.timed_by) == ("tflite", "fake", "ok", "runtime")
    assert cost.latency
    assert cost.latency.p50 == cost.latency.p99 == pytest.approx(1e-6), "the fake says that each call took 1000 ns"
    assert cost.throughput == pytest.approx(1e6)
    assert cost.memory
    assert 0 < cost.memory.before <= cost.memory.peak
    assert len(cost.turns) >= 3
    assert found.exit_status == 0
    assert [layer.op for layer in found.layers["tflite"]] == ["FULLY_CONNECTED", "SOFTMAX"]


def test_a_runtime_that_fails_says_why_and_the_others_go_on(model: Path, configure: Callable[..., None]) -> None:
    configure(good="honest", loads_not="die:load", answers_not="error:run")
    found = crossload.profile(model, ["loads_not", "answers_not", "good"], **QUICK)  # type: ignore[arg-type]
    assert [(c.runtime, c.outcome) for c in found.costs] == [("loads_not", "crash"), ("answers_not", "run_error"), ("good", "ok")]
    assert "SIGSEGV" in str(found.costs[0].error)
    assert found.costs[2].ratio
    assert found.exit_status == 1
    configure(loads_not="die:load")
    assert crossload.profile(model, ["loads_not"], **QUICK).exit_status == 3  # type: ignore[arg-type]


def test_the_table_the_plot_and_the_json_have_the_same_rows(model: Path, configure: Callable[..., None], tmp_path: Path) -> None:
    configure(one="honest", two="die:load")
    files = [tmp_path / "costs.json", tmp_path / "costs.svg"]
    result = command(model, "-r", "one,two", "--seconds", "0.1", "--json", files[0], "--plot", files[1])
    assert result.exit_code == 1
    assert "tflite in two" in result.stdout
    assert "crash: the worker died (load): killed by SIGSEGV" in result.stdout
    assert "the machine's noise" in result.stdout
    written = json.loads(files[0].read_text())
    assert [(c["runtime"], c["outcome"]) for c in written["costs"]] == [("one", "ok"), ("two", "crash")]
    assert written["requests"] == {"tflite": "serving_default, single_0: x float32 [1, 4]"}
    assert "tflite · one" in files[1].read_text()
    assert "tflite · two" not in files[1].read_text()


def test_own_inputs_are_what_is_asked(model: Path, configure: Callable[..., None], tmp_path: Path) -> None:
    configure(fake="honest")
    np.savez(tmp_path / "mine.npz", x=np.ones((7, 4), np.float32))
    found = crossload.profile(model, ["fake"], requests=Requests(1, inputs=(tmp_path / "mine.npz",)), **QUICK)  # type: ignore[arg-type]
    assert found.requests["tflite"] == "serving_default, user_0: x float32 [7, 4]"
    found = crossload.profile(model, ["fake"], requests=Requests(1, shapes={"x": (5, 4)}), **QUICK)  # type: ignore[arg-type]
    assert found.requests["tflite"] == "serving_default, single_0: x float32 [5, 4]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--signature", "serv"], "tflite has no signature 'serv'"),
        (["--threads", "0"], "--threads '0': write numbers from 1 on, such as 1,4"),
        (["--shape", "z=1"], "--shape z: there is no such input"),
        (["--artifact", "frozen"], "has no artifact 'frozen'; it has: tflite"),
        (["--runtime", "tensorflow"], "none takes"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_starts(model: Path, arguments: list[str], said: str) -> None:
    result = command(model, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "starting" not in result.stderr


def test_inputs_that_do_not_fit_are_refused(model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x=np.ones((7, 5), np.float32))
    with pytest.raises(CrossloadError, match=r"the input 'x' has shape \[-1, 4\]"):
        crossload.profile(model, requests=Requests(1, inputs=(tmp_path / "mine.npz",)))


def test_a_ratio_compares_what_was_measured_in_the_same_turn() -> None:
    one = Cost("a", "r", turns=[[1.0, 1.0], [10.0, 10.0], [2.0]])  # a machine whose moods change tenfold
    other = Cost("b", "r", turns=[[3.0, 3.0], [30.0], [6.0]])
    compare([Cost("c", "r", outcome="crash"), one, other])
    assert other.ratio
    assert (other.ratio.median, other.ratio.low, other.ratio.high) == (3, 3, 3)


@pytest.mark.slow
def test_the_arena_is_the_smallest_that_works(demo: Path) -> None:
    (target,) = targets.targets(demo, ["tflite"], None, None, Requests(1), {})
    runtime = registry.one("tflite-micro")
    found = arena.smallest(runtime.name, launch_of("tflite-micro"), target, Limits())
    assert found
    assert found % 16 == 0
    with Supervisor(runtime.name, launch_of("tflite-micro")) as worker:
        assert arena.runs(worker, target, found)
        assert not arena.runs(worker, target, found - 16)
        with pytest.raises(WorkerFailure, match="an arena of 512 bytes may be too small: `crossload profile` finds the smallest"):
            worker.load(replace(target.source, options={arena.OPTION: 512}))


@pytest.mark.slow
def test_threads_are_a_row_each_where_the_runtime_takes_them(demo: Path) -> None:
    found = crossload.profile(demo, ["litert", "tflite-micro", "tensorflow"], threads=[1, 2], **QUICK)  # type: ignore[arg-type]
    assert [(c.artifact, c.runtime.partition("@")[0], c.threads) for c in found.costs if c.artifact in ("tflite", "graph_def")] == [
        ("graph_def", "tensorflow", 1),
        ("graph_def", "tensorflow", 2),
        ("tflite", "litert", 1),
        ("tflite", "litert", 2),
        ("tflite", "tflite-micro", 1),
    ]
    assert found.exit_status == 0
    assert [c.runtime.partition("@")[0] for c in found.costs if c.arena] == ["tflite-micro"] * sum(
        c.runtime.startswith("tflite-micro") for c in found.costs
    )


def told_by(found: crossload.Profile) -> dict[tuple[str, str], list[OperatorTime]]:
    return {(c.artifact, c.runtime.partition("@")[0]): c.operators for c in found.costs}


@pytest.mark.slow
def test_each_operator_has_its_time_where_the_runtime_tells_it(demo: Path) -> None:
    runtimes = ["litert", "litert+builtin", "tflite-runtime", "tensorflow", "tensorflow-java"]
    found = crossload.profile(demo, runtimes, artifacts=["tflite", "graph_def"], threads=[1], **QUICK)  # type: ignore[arg-type]
    told = told_by(found)
    layers = found.layers["tflite"]
    assert [layers[o.at].op for o in told["tflite", "litert+builtin"] if isinstance(o.at, int)] == [layer.op for layer in layers]
    assert any(o.at is None and "Convolution" in o.name for o in told["tflite", "litert"]), "XNNPACK names its own operators"
    for runtime in ("tensorflow", "tensorflow-java"):
        assert any("Conv2D" in o.name and str(o.at).endswith("Relu") for o in told["graph_def", runtime])
    assert all(sum(o.seconds for o in told[key]) > 0 for key in told if key[1] != "tflite-runtime")
    assert told["tflite", "tflite-runtime"] == []


@pytest.mark.slow
def test_every_release_of_tensorflow_java_tells_the_time_of_each_operator(demo: Path) -> None:
    found = crossload.profile(demo, ["tensorflow-java@*", "tensorflow-java-legacy"], artifacts=["graph_def"], **QUICK)  # type: ignore[arg-type]
    told = {c.runtime: [o.name for o in c.operators] for c in found.costs}
    assert len(told) == 6
    assert [runtime for runtime, names in told.items() if not any("Conv2D" in name for name in names)] == []


@pytest.mark.slow
def test_operators_are_timed_without_a_signature_and_a_model_that_the_profiler_does_not_run_says_why(corpus: Path) -> None:
    (nameless,) = crossload.profile(corpus / "tflite_no_signature.tflite", ["litert+builtin"], threads=[1], **QUICK).costs  # type: ignore[arg-type]
    assert "CONV_2D" in [o.name for o in nameless.operators]
    (strings,) = crossload.profile(corpus / "tflite_identity_string.tflite", ["litert"], threads=[1], **QUICK).costs  # type: ignore[arg-type]
    assert (strings.outcome, strings.operators) == ("ok", [])
    assert "no time by operator: LiteRT's C API carries no strings" in str(strings.note)
